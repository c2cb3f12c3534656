package meter

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// The prices of one day, trimmed to what is used by scripts/prices; data/NOTICE says where they come from.
//
//go:embed data/prices.json
var prices []byte

// maxPrice bounds a single price: a million dollars for a million model tokens.
const maxPrice = passport.Price(passport.Dollar) * 1_000_000

// Tariff is the price of models at a date. It does not change: With returns another.
type Tariff struct {
	version string
	models  map[modelKey]ModelPrice
	listed  map[passport.Preset][]ModelPrice // of providers that an owner may add, by name
}

type modelKey struct {
	provider passport.Provider
	model    string
}

// LoadTariff reads the prices that were built in.
func LoadTariff() (*Tariff, error) {
	t, err := readTariff(prices)
	if err != nil {
		return nil, fmt.Errorf("read the built-in prices: %w", err)
	}
	return t, nil
}

func readTariff(b []byte) (*Tariff, error) {
	var file priceFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, err
	}
	if file.Schema != 1 || file.Currency != "USD" {
		return nil, fmt.Errorf("schema %d in %q is not known", file.Schema, file.Currency)
	}
	t := &Tariff{version: versionOf(file.AsOf, b), models: make(map[modelKey]ModelPrice, len(file.Models)), listed: map[passport.Preset][]ModelPrice{}}
	for _, r := range file.Models {
		p, ok, err := r.price()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Model, err)
		}
		if !ok {
			continue
		}
		key := modelKey{p.Provider, p.Model}
		if _, twice := t.models[key]; twice {
			return nil, fmt.Errorf("%s is priced twice", r.Model)
		}
		if !slices.Contains(passport.Providers, p.Provider) { // nobody's until an owner adds the provider
			preset := passport.Preset(p.Provider)
			t.listed[preset] = append(t.listed[preset], p)
			continue
		}
		t.models[key] = p
	}
	return t, nil
}

// Version names these very prices: their date and the start of their SHA-256. It goes into every hold.
func (t *Tariff) Version() string { return t.version }

// Price is what a model costs, of whatever kind it is. A dated snapshot (-YYYYMMDD, -YYYY-MM-DD) that has no price of its own costs what
// the undated name costs; any other name must match exactly. False: there is no price, so the call cannot be capped.
func (t *Tariff) Price(provider passport.Provider, model string) (ModelPrice, bool) {
	if p, ok := t.models[modelKey{provider, model}]; ok {
		return p, true
	}
	base, dated := cutDate(model)
	if !dated {
		return ModelPrice{}, false
	}
	for _, name := range undated(provider, base) {
		if p, ok := t.models[modelKey{provider, name}]; ok {
			return p, true
		}
	}
	return ModelPrice{}, false
}

// undated are the names under which the price of a dated snapshot may stand. Anthropic's aliases end in -0 or -latest where
// its snapshots have the date: claude-sonnet-4-0 is claude-sonnet-4-20250514 (platform.claude.com/docs/en/about-claude/models).
func undated(provider passport.Provider, base string) []string {
	if provider == passport.Anthropic {
		return []string{base, base + "-0", base + "-latest"}
	}
	return []string{base}
}

// Models lists the models of a provider that have a price, of one kind, by name. The caller must not change their tiers.
func (t *Tariff) Models(provider passport.Provider, kind passport.Kind) []ModelPrice {
	var out []ModelPrice
	for k, p := range t.models {
		if k.provider == provider && p.Kind == kind {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b ModelPrice) int { return strings.Compare(a.Model, b.Model) })
	return out
}

// With returns a tariff in which p is added, or replaces what was there under its name: a price that the owner or the
// sandbox sets, which may be 0; for chat, unless it says another kind. Prices of cache reads and writes that are 0 count as unknown and follow from the input's.
// A price that cannot be (negative, or above a dollar a token; tiers out of order) is no price: the model has none then.
func (t *Tariff) With(p ModelPrice) *Tariff {
	p.Kind = cmp.Or(p.Kind, passport.KindChat)
	p.Tiers = slices.Clone(p.Tiers)
	p.fillCaches()
	next := &Tariff{models: maps.Clone(t.models), listed: t.listed}
	key := modelKey{p.Provider, p.Model}
	if p.possible() {
		next.models[key] = p
	} else {
		delete(next.models, key)
	}
	next.version = versionOf(t.date(), fmt.Appendf(nil, "%s %+v", t.version, p))
	return next
}

// AsOf is the day that the built-in prices are of; zero for a tariff that was not read from them.
func (t *Tariff) AsOf() time.Time {
	day, err := time.Parse(time.DateOnly, t.date())
	if err != nil {
		return time.Time{}
	}
	return day
}

// date is the day that the prices are of.
func (t *Tariff) date() string {
	date, _, _ := strings.Cut(t.version, "+")
	return date
}

func versionOf(date string, content []byte) string {
	sum := sha256.Sum256(content)
	return date + "+" + hex.EncodeToString(sum[:4])
}

// cutDate takes the date off the name of a dated snapshot.
func cutDate(model string) (base string, dated bool) {
	for _, layout := range []string{"-20060102", "-2006-01-02"} {
		if len(model) <= len(layout) {
			continue
		}
		base, date := model[:len(model)-len(layout)], model[len(model)-len(layout):]
		if _, err := time.Parse(layout, date); err == nil {
			return base, true
		}
	}
	return "", false
}

// fillCaches sets the cache prices that are unknown to what they can be at most: a read costs no more than plain input, a
// write Anthropic's 1.25 and 2 times (platform.claude.com/docs/en/about-claude/pricing). Only Anthropic's caches can be
// bought for an hour; with others that price is the ordinary write's.
func (p *ModelPrice) fillCaches() {
	fill := func(in passport.Price, read, write, hour *passport.Price) {
		if *read == 0 {
			*read = in
		}
		if *write == 0 {
			*write = in + (in+3)/4
		}
		if *hour == 0 {
			*hour = *write
			if p.Provider == passport.Anthropic {
				*hour = max(*write, 2*in)
			}
		}
	}
	fill(p.Input, &p.CacheRead, &p.CacheWrite, &p.CacheWrite1h)
	p.CacheAudio = cmp.Or(p.CacheAudio, p.InputAudio)
	p.CacheImage = cmp.Or(p.CacheImage, p.InputImage)
	if !p.ThenFrom.IsZero() {
		fill(p.Then.Input, &p.Then.CacheRead, &p.Then.CacheWrite, &p.Then.CacheWrite1h)
	}
	for i := range p.Tiers {
		t := &p.Tiers[i]
		fill(t.Input, &t.CacheRead, &t.CacheWrite, &t.CacheWrite1h)
	}
}

// possible says whether the numbers can be a price.
func (p ModelPrice) possible() bool {
	if p.Provider == "" || p.Model == "" || p.Kind == "" || p.Context < 0 || p.MaxOutput < 0 {
		return false
	}
	for _, n := range []passport.Price{p.InputAudio, p.CacheAudio, p.InputImage, p.CacheImage, p.OutputReasoning, p.OutputAudio, p.OutputImage,
		p.Search, p.FileSearch, p.Request, p.AudioSecond, p.Character} {
		if n < 0 || n > maxPrice {
			return false
		}
	}
	later := p.At(p.ThenFrom)
	for i, t := range append([]Tier{p.base()}, p.Tiers...) {
		if i > 0 && t.Above <= 0 || i > 1 && t.Above <= p.Tiers[i-2].Above {
			return false
		}
		for _, n := range []passport.Price{t.Input, t.CacheRead, t.CacheWrite, t.CacheWrite1h, t.Output} {
			if n < 0 || n > maxPrice {
				return false
			}
		}
	}
	return p.ThenFrom.IsZero() || later.possible()
}
