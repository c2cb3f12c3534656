package meter

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/devrelopers/aipassport/passport"
)

// Prices is where prices are looked up: a Tariff, or a Book, which has another tariff once the owner has changed something.
type Prices interface {
	// Now is the tariff in force. Who needs two things of one tariff asks it once.
	Now() *Tariff
	Price(provider passport.Provider, model string) (ModelPrice, bool)
	Models(provider passport.Provider, kind passport.Kind) []ModelPrice
}

// Now is t itself.
func (t *Tariff) Now() *Tariff { return t }

// Book is the built-in tariff with the prices of the added providers. It is safe for use by several goroutines.
type Book struct {
	base *Tariff
	now  atomic.Pointer[Tariff]
}

// NewBook is a book without added providers.
func NewBook(base *Tariff) *Book {
	b := &Book{base: base}
	b.now.Store(base)
	return b
}

// Added sets which providers there are besides the built-in ones, and what the owner says that their models cost.
func (b *Book) Added(list []passport.Compatible) { b.now.Store(b.base.WithAdded(list)) }

// Now is the tariff in force.
func (b *Book) Now() *Tariff { return b.now.Load() }

// Price is that of the tariff in force.
func (b *Book) Price(provider passport.Provider, model string) (ModelPrice, bool) {
	return b.Now().Price(provider, model)
}

// Models are those of the tariff in force.
func (b *Book) Models(provider passport.Provider, kind passport.Kind) []ModelPrice {
	return b.Now().Models(provider, kind)
}

// WithAdded returns a tariff that has the added providers too: for each what its owner says, and before that, if it stands at the
// address of a provider that the built-in list has prices of, that list.
func (t *Tariff) WithAdded(list []passport.Compatible) *Tariff {
	if len(list) == 0 {
		return t
	}
	next := &Tariff{models: maps.Clone(t.models), listed: t.listed}
	for _, c := range list {
		for _, p := range t.Listed(c) {
			next.models[modelKey{c.Name, p.Model}] = p
		}
		for _, m := range c.Tariffs {
			p := owners(c, m)
			if p.possible() {
				next.models[modelKey{c.Name, m.Model}] = p
			}
		}
	}
	var content []byte
	for _, c := range list {
		content = fmt.Appendf(content, "%s %s %s %+v\n", c.Name, c.Preset, c.Base, c.Tariffs)
	}
	next.version = versionOf(t.date(), append(content, t.version...))
	return next
}

// Listed are the prices of the built-in list for an added provider, by name. A preset at another address than its own is a server of
// somebody else, who may want more.
func (t *Tariff) Listed(c passport.Compatible) []ModelPrice {
	info, ok := c.Preset.Info()
	if !ok || info.Base == "" || info.Local || info.Base != c.Base {
		return nil
	}
	out := slices.Clone(t.listed[c.Preset])
	for i := range out {
		out[i].Provider = c.Name
	}
	return out
}

// owners is the price that an owner has set. What an owner did not say of caches is what it can be at most: a read as plain input, a write a
// quarter more, as OpenAI's models from GPT-5.6 on cost wherever they are sold (developers.openai.com/api/docs/guides/prompt-caching), and
// two times that for an hour with one who resells Anthropic's.
func owners(c passport.Compatible, m passport.ModelTariff) ModelPrice {
	p := ModelPrice{Provider: c.Name, Model: m.Model, Kind: m.Kind, Input: m.Input, Output: m.Output, Context: m.Context, MaxOutput: m.MaxOutput,
		CacheRead: passport.Price(m.CacheRead.Or(int64(m.Input)))}
	p.CacheWrite = min(maxPrice, m.Input+(m.Input+3)/4)
	p.CacheWrite1h = p.CacheWrite
	if info, _ := c.Preset.Info(); info.Quirks.BoundByPrice {
		p.CacheWrite1h = min(maxPrice, 2*m.Input)
	}
	return p
}
