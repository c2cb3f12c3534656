package meter

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// What a provider adds to a call that its bytes do not show, in model tokens.
const (
	templateBase = 64 // for any call: the turn the model is to take, markers around the whole
	templatePart = 16 // for each message, tool, system part, image and clip
	// Anthropic puts a system prompt of its own before the tools of a call: up to 530 tokens for the models listed at
	// docs.anthropic.com/en/docs/tool-use-pricing-and-tokens; the rest is room for those that are not. A call with a tool
	// has two parts or more.
	anthropicTools = 1024
	// What the templates of models of added providers add is not known for each. Some describe tools and today's date at length.
	addedTemplate = 1024
)

// Bounds of an output cap that the caller left to us, in model tokens.
const (
	unknownMaxOutput = 4096 // for a model whose own maximum is unknown
	leastOutput      = 256  // with less money than this costs, the call is refused; a model's own maximum may be lower
)

// searchRounds is how often a model may read all that it was given and has found so far, in one call with a hosted search, and
// write in answer. Anthropic's loop ends after 10 rounds with stop_reason pause_turn (page "Handling stop reasons"); 11 were
// measured. Each round is billed: what was found counts as input in the rounds that follow (page "Web search tool", Pricing).
const searchRounds = 11

// beyond is the cost of what cannot be, or cannot be bounded: more than any cap covers.
const beyond = passport.MaxMoney + 1

// ModelPrice is what one model costs.
type ModelPrice struct {
	Provider        passport.Provider
	Model           string // as the tariff has it: without the date where a dated snapshot was asked for
	Kind            passport.Kind
	Input           passport.Price // of text, and of images and sound that have no price of their own
	CacheRead       passport.Price
	CacheWrite      passport.Price // kept for 5 minutes
	CacheWrite1h    passport.Price // kept for an hour
	InputAudio      passport.Price // 0: takes no sound, or none that is billed in tokens
	CacheAudio      passport.Price // sound read from a cache
	InputImage      passport.Price // 0: as Input
	CacheImage      passport.Price // images read from a cache; 0: as CacheRead
	Output          passport.Price // of text
	OutputReasoning passport.Price // 0: as Output
	OutputAudio     passport.Price // 0: makes no sound
	OutputImage     passport.Price // 0: makes no images
	Search          passport.Price // for a million searches of the web by the provider; 0: unknown
	FileSearch      passport.Price // for a million searches of stored files; 0: unknown
	Request         passport.Price // for a million calls, besides all else
	AudioSecond     passport.Price // for a million seconds of sound taken; 0: sound is billed in tokens
	Character       passport.Price // for a million characters that are read aloud; 0: billed in tokens
	Tiers           []Tier         // by Above, ascending
	Then            Tier           // what its provider has announced to charge later, instead of what is below the tiers
	ThenFrom        time.Time      // zero: nothing was announced
	Context         int64          // no more input than this is taken; 0: unknown
	MaxOutput       int64          // the model's own limit for one answer; 0: unknown
	Reasoning       bool
}

// Tier is what a call costs as a whole once its input is above a number of model tokens.
type Tier struct {
	Above        int64
	Input        passport.Price
	CacheRead    passport.Price
	CacheWrite   passport.Price
	CacheWrite1h passport.Price
	Output       passport.Price
}

// WorstCase is the dearest that c can become with an output cap of maxOutput model tokens an answer. It is never below
// Cost of a usage whose input is within the bound that BUDGET section 3 gives and whose output is within the caps, unless a reseller told more. What
// cannot be (a negative size, no answer), and what cannot be bounded, costs more than any cap covers.
func (p ModelPrice) WorstCase(c passport.Call, maxOutput int64) passport.Money {
	if c.BodyBytes < 0 || c.Parts < 0 || c.Choices < 1 || c.Searches < 0 || c.FileSearches < 0 || c.Characters < 0 || maxOutput < 0 {
		return beyond
	}
	shares, ok := p.shares(c)
	if !ok || !p.bounded(c) {
		return beyond
	}
	rounds, window := int64(1), p.window(c)
	if c.Searches > 0 {
		rounds = searchRounds
	}
	if c.Searches > 0 || c.Hidden {
		shares.text = window // what is found can fill it, or what is hidden
	}
	worst := p.base()
	for _, t := range p.Tiers {
		if times(rounds, min(shares.sum(), window)) > t.Above {
			worst = dearer(worst, t)
		}
	}
	cost := p.dearestInput(shares, window, rounds, worst)
	return p.located(cost.
		Add(times(times(maxOutput, c.Choices), rounds), max(worst.Output, p.OutputReasoning, p.OutputAudio, p.OutputImage)).
		Add(c.Searches, p.Search).
		Add(c.FileSearches, p.FileSearch).
		Add(p.seconds(c), p.AudioSecond).
		Add(c.Characters, p.Character).
		Add(1, p.Request).
		Money())
}

// bounds says whether the tariff and the tables of vision.go bound what c can cost.
func (p *ModelPrice) bounds(c passport.Call) bool {
	_, counted := p.shares(c)
	return counted && p.bounded(c)
}

// bounded is bounds without the input.
func (p *ModelPrice) bounded(c passport.Call) bool {
	_, fixed, tabled := p.fixedOutput()
	if p.Character > 0 && c.Characters == 0 {
		return false
	}
	return (tabled || !fixed) && (c.Searches == 0 && !c.Hidden || p.Context > 0)
}

// window is the most input that one sampling can have, or that all texts of a call of embeddings can have: each has the model's
// window to itself (API reference of OpenAI, embeddings, input; of Google, models.batchEmbedContents).
func (p *ModelPrice) window(c passport.Call) int64 {
	switch {
	case p.Context <= 0:
		return math.MaxInt64
	case p.Kind == passport.KindEmbedding:
		return times(p.Context, max(c.Parts, 1))
	default:
		return p.Context
	}
}

// shares is the most model tokens that the provider can count as input, of each sort.
type shares struct{ text, image, audio int64 }

func (s shares) sum() int64 { return plus(plus(s.text, s.image), s.audio) }

// shares bounds the input: no token of text is shorter than a byte, images by the tables of vision.go, sound by its length, or by
// the window where that is unknown. Not ok: it cannot be bounded.
func (p *ModelPrice) shares(c passport.Call) (shares, bool) {
	allowance := int64(templateBase)
	switch {
	case p.Provider == passport.Anthropic && c.Parts >= 2:
		allowance += anthropicTools
	case p.Provider.Named():
		allowance += addedTemplate
	}
	parts := c.Parts + int64(len(c.Images)+len(c.Clips))
	s := shares{text: plus(plus(c.BodyBytes, times(parts, templatePart)), allowance)}
	for _, i := range c.Images {
		n, ok := p.imageTokens(i)
		if !ok {
			return shares{}, false
		}
		s.image = plus(s.image, n)
		if p.readsBase64() {
			s.text = plus(s.text, i.Bytes)
		}
	}
	for _, clip := range c.Clips {
		n, ok := p.clipTokens(clip)
		if !ok {
			return shares{}, false
		}
		s.audio = plus(s.audio, n)
	}
	return s, true
}

// rated is a number of model tokens at a price.
type rated struct {
	tokens int64
	rate   passport.Price
}

// dearestInput is what the shares cost at worst: each at the highest rate that can apply to it, and where a window cuts them, the
// dearest are what is left. Which part of a prompt a provider reads from a cache or writes to one is not ours to know.
func (p *ModelPrice) dearestInput(s shares, window, rounds int64, t Tier) passport.Cost {
	text := max(t.Input, t.CacheRead, t.CacheWrite, t.CacheWrite1h)
	if s.image == 0 && s.audio == 0 { // most calls
		return passport.Cost{}.Add(times(min(s.text, window), rounds), text)
	}
	sorts := [...]rated{{s.text, text}, {s.image, max(text, p.InputImage, p.CacheImage)}, {s.audio, max(text, p.InputAudio, p.CacheAudio)}}
	slices.SortFunc(sorts[:], func(a, b rated) int { return cmp.Compare(b.rate, a.rate) })
	var cost passport.Cost
	for _, r := range sorts {
		n := min(r.tokens, window)
		cost, window = cost.Add(times(n, rounds), r.rate), window-n
	}
	return cost
}

// seconds bounds the sound of a call that is billed by its length; clipTokens has refused what has none.
func (p *ModelPrice) seconds(c passport.Call) (sum int64) {
	if p.AudioSecond == 0 {
		return 0
	}
	for _, clip := range c.Clips {
		sum = plus(sum, clip.Seconds.Or(0))
	}
	return sum
}

// Cost is the exact price of u, rounded up once, or what a reseller told that it takes if that is more. The tier is picked by all of u.Input and holds for the whole call, as
// OpenAI says of its long prompts (developers.openai.com/api/docs/models/gpt-5.4). Usage that is not sane, or that has a part
// without a price, costs more than any cap covers.
func (p ModelPrice) Cost(u passport.Usage) passport.Money {
	if !u.Sane() || !p.covers(u) {
		return beyond
	}
	t := p.base()
	for _, next := range p.Tiers {
		if u.Input > next.Above {
			t = next
		}
	}
	return max(u.Told, passport.Cost{}.
		Add(u.PlainText(), t.Input).
		Add(u.CacheRead-u.CacheAudio-u.CacheImage, t.CacheRead).
		Add(u.CacheWrite, t.CacheWrite).
		Add(u.CacheWrite1h, t.CacheWrite1h).
		Add(u.InputAudio-u.CacheAudio, max(p.InputAudio, t.Input)). // a tier above the first has no price of its own for sound
		Add(u.CacheAudio, max(p.CacheAudio, t.CacheRead)).
		Add(u.InputImage-u.CacheImage, cmp.Or(p.InputImage, t.Input)).
		Add(u.CacheImage, cmp.Or(p.CacheImage, t.CacheRead)).
		Add(u.Output-u.Reasoning-u.OutputAudio-u.OutputImage, t.Output).
		Add(u.Reasoning, cmp.Or(p.OutputReasoning, t.Output)).
		Add(u.OutputAudio, p.OutputAudio).
		Add(u.OutputImage, p.OutputImage).
		Add(u.Searches, p.Search).
		Add(u.FileSearches, p.FileSearch).
		Add(u.AudioSeconds, p.AudioSecond).
		Add(1, p.Request).
		Money())
}

// covers says whether all that was used has a price here. What is billed by the character is not told in a usage.
func (p ModelPrice) covers(u passport.Usage) bool {
	if p.Character > 0 {
		return false
	}
	for _, part := range []struct {
		used  int64
		price passport.Price
	}{{u.InputAudio, p.InputAudio}, {u.OutputAudio, p.OutputAudio}, {u.OutputImage, p.OutputImage}, {u.Searches, p.Search},
		{u.FileSearches, p.FileSearch}, {u.AudioSeconds, p.AudioSecond}} {
		if part.used > 0 && part.price == 0 {
			return false
		}
	}
	return true
}

// counting is what it costs to have the prompt of a chat counted: nothing, with either provider that counts
// (platform.claude.com/docs/en/build-with-claude/token-counting, Pricing and rate limits; ai.google.dev/gemini-api/docs/billing, "GetTokens").
// The model must have a price all the same, so that a grant's "any model that has a price" means the same for every call.
func (p ModelPrice) counting() ModelPrice {
	return ModelPrice{Provider: p.Provider, Model: p.Model, Kind: passport.KindCount}
}

// ShortChat is the price of a short chat: 1,000 model tokens in, 500 out.
func (p ModelPrice) ShortChat() passport.Money {
	return p.Cost(passport.Usage{Known: true, Input: 1000, Output: 500})
}

// base is the price below all tiers, as one that starts at nothing.
func (p ModelPrice) base() Tier {
	return Tier{0, p.Input, p.CacheRead, p.CacheWrite, p.CacheWrite1h, p.Output}
}

// dearer takes the higher of each price.
func dearer(a, b Tier) Tier {
	return Tier{a.Above, max(a.Input, b.Input), max(a.CacheRead, b.CacheRead), max(a.CacheWrite, b.CacheWrite),
		max(a.CacheWrite1h, b.CacheWrite1h), max(a.Output, b.Output)}
}

// wishedOutput is the output cap to ask for where the caller set none.
func (p ModelPrice) wishedOutput() int64 {
	if p.MaxOutput > 0 {
		return p.MaxOutput
	}
	return unknownMaxOutput
}

// outputFor is the largest output cap, at most wish, whose worst case amount covers. It is 0 if amount covers none.
func (p ModelPrice) outputFor(c passport.Call, amount passport.Money, wish int64) int64 {
	if p.WorstCase(c, wish) <= amount { // as a rule
		return wish
	}
	over := sort.Search(int(wish), func(n int) bool { return p.WorstCase(c, int64(n)+1) > amount })
	return int64(over)
}

// plus is a+b for numbers from 0, or the largest number there is.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// times is a*b for numbers from 0, or the largest number there is.
func times(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}
