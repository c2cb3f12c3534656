package meter

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/passport"
)

// priceFile is data/prices.json. Amounts are dollars for a million model tokens, read as decimals, never as floats.
type priceFile struct {
	Schema   int               `json:"schema"`
	Currency string            `json:"currency"`
	Unit     string            `json:"unit"`
	AsOf     string            `json:"as_of"`
	Sources  []json.RawMessage `json:"sources"`
	Models   []priceRow        `json:"models"`
}

type priceRow struct {
	Provider  passport.Provider `json:"provider"`
	Model     string            `json:"model"`
	Kind      string            `json:"kind"`
	Source    string            `json:"src"`
	Context   int64             `json:"context"`
	MaxOutput int64             `json:"max_out"`
	Reasoning bool              `json:"reasoning"`
	priceNumbers
	Tiers    []priceNumbers `json:"tiers"`
	Alt      *priceNumbers  `json:"alt"` // what the second source says, where it differs
	OutAudio json.Number    `json:"out_audio"`
	OutImage json.Number    `json:"out_image"`
	OutVideo json.Number    `json:"out_video"`
}

type priceNumbers struct {
	Above        int64       `json:"above"`
	Input        json.Number `json:"in"`
	CacheRead    json.Number `json:"cache_read"`
	CacheWrite   json.Number `json:"cache_write"`
	CacheWrite1h json.Number `json:"cache_write_1h"`
	Output       json.Number `json:"out"`
	Source       string      `json:"src"`
}

// price turns a row into a price. False: the row has none that holds for every chat with the model.
func (r priceRow) price() (ModelPrice, bool, error) {
	if r.Kind != "chat" || r.OutAudio != "" || r.OutImage != "" || r.OutVideo != "" || pricedOtherwise(r.Provider, r.Model) {
		return ModelPrice{}, false, nil
	}
	base, err := r.priceNumbers.tier()
	if err != nil {
		return ModelPrice{}, false, err
	}
	if r.Alt != nil {
		alt, err := r.Alt.tier()
		if err != nil {
			return ModelPrice{}, false, err
		}
		base = dearer(base, alt)
	}
	p := ModelPrice{Provider: r.Provider, Model: r.Model, Input: base.Input, CacheRead: base.CacheRead, CacheWrite: base.CacheWrite,
		CacheWrite1h: base.CacheWrite1h, Output: base.Output, Context: r.Context, MaxOutput: r.MaxOutput, Chat: true, Reasoning: r.Reasoning}
	for _, n := range r.Tiers {
		t, err := n.tier()
		if err != nil {
			return ModelPrice{}, false, err
		}
		// A tier from the size of the window on says that the provider takes more than that, at the tier's price: the number is
		// what the source advises, not a ceiling (gpt-5.4 is listed with 272,000 and takes 1,050,000).
		if t.Above >= p.Context {
			p.Context = 0
		}
		p.Tiers = append(p.Tiers, t)
	}
	slices.SortFunc(p.Tiers, func(a, b Tier) int { return int(a.Above - b.Above) })
	// 0 in a list means that its maker did not know: only the owner can say that a model is free.
	for _, t := range append([]Tier{base}, p.Tiers...) {
		if t.Input == 0 || t.Output == 0 {
			return ModelPrice{}, false, nil
		}
	}
	p.fillCaches()
	return p, p.possible(), nil
}

// pricedOtherwise says whether text tokens are only a part of what a chat with the model costs, or the provider's own API
// does not serve it, so that the price is another seller's.
func pricedOtherwise(provider passport.Provider, model string) bool {
	for _, part := range []string{
		"search", "deep-research", // search the web at a price for each search
		"audio", "realtime", "live", // sound has prices of its own
		":",            // another seller's variants; families of fine-tuned models
		".ft-",         //
		"gpt-oss",      // open weights, which OpenAI does not sell
		"computer-use", // drives a tool of the provider
	} {
		if strings.Contains(model, part) {
			return true
		}
	}
	return provider == passport.Google && strings.HasPrefix(model, "claude") // sold by Google Cloud, not by the Gemini API
}

func (n priceNumbers) tier() (Tier, error) {
	t := Tier{Above: n.Above}
	for _, f := range []struct {
		from json.Number
		to   *passport.Price
	}{{n.Input, &t.Input}, {n.CacheRead, &t.CacheRead}, {n.CacheWrite, &t.CacheWrite}, {n.CacheWrite1h, &t.CacheWrite1h}, {n.Output, &t.Output}} {
		p, err := priceFrom(f.from)
		if err != nil {
			return Tier{}, err
		}
		*f.to = p
	}
	return t, nil
}

// priceFrom turns dollars into micro-dollars, rounded up. Nothing is 0.
func priceFrom(n json.Number) (passport.Price, error) {
	if n == "" {
		return 0, nil
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok || r.Sign() < 0 {
		return 0, fmt.Errorf("%q is no price", n)
	}
	r.Mul(r, big.NewRat(int64(passport.Dollar), 1))
	up := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	up.Quo(up, r.Denom())
	if !up.IsInt64() || up.Int64() > int64(maxPrice) {
		return 0, fmt.Errorf("%q is no price", n)
	}
	return passport.Price(up.Int64()), nil
}
