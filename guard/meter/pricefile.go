package meter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// priceFile is data/prices.json. Amounts are dollars, for a million model tokens unless said otherwise, read as decimals, never as
// floats.
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
	Kind      passport.Kind     `json:"kind"`
	Source    string            `json:"src"`
	Context   int64             `json:"context"`
	MaxOutput int64             `json:"max_out"`
	Reasoning bool              `json:"reasoning"`
	priceNumbers
	Tiers           []priceNumbers `json:"tiers"`
	Alt             *priceNumbers  `json:"alt"` // what the second source says, where it differs
	Later           *laterNumbers  `json:"later"`
	OutputReasoning json.Number    `json:"out_reasoning"`
	InputAudio      json.Number    `json:"in_audio"`
	CacheAudio      json.Number    `json:"cache_audio_read"`
	OutputAudio     json.Number    `json:"out_audio"`
	InputImage      json.Number    `json:"in_image"`
	CacheImage      json.Number    `json:"cache_image_read"`
	OutputImage     json.Number    `json:"out_image"`
	InputVideo      json.Number    `json:"in_video"` // video is refused, so its prices are not kept
	OutputVideo     json.Number    `json:"out_video"`
	AudioHour       json.Number    `json:"audio_hour"`    // for an hour
	Characters      json.Number    `json:"in_chars"`      // for a million characters
	Search          json.Number    `json:"web_search_k"`  // for a thousand
	FileSearch      json.Number    `json:"file_search_k"` // for a thousand
	Request         json.Number    `json:"request_k"`     // for a thousand
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

// laterNumbers are what is announced to hold from the start of a day (UTC) on.
type laterNumbers struct {
	From string `json:"from"`
	priceNumbers
}

// price turns a row into a price. False: the row has none that holds for every call to the model.
func (r priceRow) price() (ModelPrice, bool, error) {
	if r.OutputVideo != "" || pricedOtherwise(r.Provider, r.Model) {
		return ModelPrice{}, false, nil
	}
	p, err := r.base()
	if err != nil {
		return ModelPrice{}, false, err
	}
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
	if !p.whole() {
		return ModelPrice{}, false, nil
	}
	if r.Later != nil {
		if p.ThenFrom, err = time.Parse(time.DateOnly, r.Later.From); err != nil {
			return ModelPrice{}, false, err
		}
		if p.Then, err = r.Later.tier(); err != nil {
			return ModelPrice{}, false, err
		}
	}
	p.fillModes(strings.Contains(r.Source, "gp"))
	p.fillCaches()
	return p, p.possible(), nil
}

// base is the price without its tiers.
func (r priceRow) base() (ModelPrice, error) {
	base, err := r.priceNumbers.tier()
	if err != nil {
		return ModelPrice{}, err
	}
	if r.Alt != nil {
		alt, err := r.Alt.tier()
		if err != nil {
			return ModelPrice{}, err
		}
		base = dearer(base, alt)
	}
	p := ModelPrice{Provider: r.Provider, Model: r.Model, Kind: r.Kind, Input: base.Input, CacheRead: base.CacheRead, CacheWrite: base.CacheWrite,
		CacheWrite1h: base.CacheWrite1h, Output: base.Output, Context: r.Context, MaxOutput: r.MaxOutput, Reasoning: r.Reasoning}
	const each, thousand = 1, 1000
	for _, f := range []struct {
		from     json.Number
		num, den int64
		to       *passport.Price
	}{
		{r.OutputReasoning, each, 1, &p.OutputReasoning}, {r.InputAudio, each, 1, &p.InputAudio}, {r.CacheAudio, each, 1, &p.CacheAudio},
		{r.OutputAudio, each, 1, &p.OutputAudio}, {r.InputImage, each, 1, &p.InputImage}, {r.CacheImage, each, 1, &p.CacheImage},
		{r.OutputImage, each, 1, &p.OutputImage}, {r.Search, thousand, 1, &p.Search}, {r.FileSearch, thousand, 1, &p.FileSearch},
		{r.Request, thousand, 1, &p.Request}, {r.AudioHour, 1_000_000, 3600, &p.AudioSecond}, {r.Characters, each, 1, &p.Character},
	} {
		if *f.to, err = priceFrom(f.from, f.num, f.den); err != nil {
			return ModelPrice{}, err
		}
	}
	return p, nil
}

// whole says whether a listed price names all that its kind of model must cost. 0 in a list means that its maker did not know:
// only the owner can say that a model is free.
func (p ModelPrice) whole() bool {
	if p.Kind == passport.KindSpeech && p.Character > 0 {
		return true
	}
	switch p.Kind {
	case passport.KindTranscription:
		return p.AudioSecond > 0 || p.Input > 0 && p.InputAudio > 0 && p.Output > 0
	case passport.KindEmbedding:
		return p.Input > 0
	case passport.KindChat, passport.KindImage, passport.KindSpeech:
		for _, t := range append([]Tier{p.base()}, p.Tiers...) {
			if t.Input == 0 || t.Output == 0 {
				return false
			}
		}
		spoken := p.Kind == passport.KindChat && strings.Contains(p.Model, "audio")
		return !spoken || p.InputAudio > 0 && p.OutputAudio > 0
	default:
		return false
	}
}

// fillModes sets what a list leaves out because it is not dearer than something else: what the model is there to make, at the
// price of its output; sound for Google's chat models at the price of text, where the source is one that tells sound apart when it
// differs (apart; ai.google.dev/gemini-api/docs/pricing has one price for text, image, video and audio then).
func (p *ModelPrice) fillModes(apart bool) {
	switch p.Kind {
	case passport.KindImage:
		p.OutputImage = cmp.Or(p.OutputImage, p.Output)
	case passport.KindSpeech:
		p.OutputAudio = cmp.Or(p.OutputAudio, p.Output)
	case passport.KindChat:
		if p.Provider == passport.Google && p.InputAudio == 0 && apart {
			p.InputAudio, p.CacheAudio = p.Input, p.CacheRead
		}
	default:
	}
}

// pricedOtherwise says whether what is listed is only a part of what a call to the model costs, or the provider's own API
// does not serve it, so that the price is another seller's.
func pricedOtherwise(provider passport.Provider, model string) bool {
	for _, part := range []string{
		"search", "deep-research", // search the web, as often as they like, at a price for each search
		"realtime", "live", // talk, over another API
		":",            // another seller's variants; families of fine-tuned models
		".ft-",         //
		"gpt-oss",      // open weights, which OpenAI does not sell
		"computer-use", // drives a tool of the provider
		"multi-agent",  // several models at work at once, none of which the output cap is known to cover
		"-voice-",      // talk, over another API
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
		p, err := priceFrom(f.from, 1, 1)
		if err != nil {
			return Tier{}, err
		}
		*f.to = p
	}
	return t, nil
}

// priceFrom turns dollars for one of what a million of num/den is into micro-dollars, rounded up. Nothing is 0.
func priceFrom(n json.Number, num, den int64) (passport.Price, error) {
	if n == "" {
		return 0, nil
	}
	r, ok := new(big.Rat).SetString(n.String())
	if !ok || r.Sign() < 0 {
		return 0, fmt.Errorf("%q is no price", n)
	}
	r.Mul(r, big.NewRat(int64(passport.Dollar)*num, den))
	up := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	up.Quo(up, r.Denom())
	if !up.IsInt64() || up.Int64() > int64(maxPrice) {
		return 0, fmt.Errorf("%q is no price", n)
	}
	return passport.Price(up.Int64()), nil
}
