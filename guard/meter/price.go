package meter

import (
	"math"
	"sort"

	"github.com/devrelopers/aipassport/passport"
)

// What a provider adds to a call that its bytes do not show, in model tokens.
const (
	templateBase = 64 // for any call: the turn the model is to take, markers around the whole
	templatePart = 16 // for each message, tool and system part
	// Anthropic puts a system prompt of its own before the tools of a call: up to 530 tokens for the models listed at
	// docs.anthropic.com/en/docs/tool-use-pricing-and-tokens; the rest is room for those that are not. A call with a tool
	// has two parts or more.
	anthropicTools = 1024
)

// Bounds of an output cap that the caller left to us, in model tokens.
const (
	unknownMaxOutput = 4096 // for a model whose own maximum is unknown
	leastOutput      = 256  // with less money than this costs, the call is refused; a model's own maximum may be lower
)

// ModelPrice is what one model costs. Prices hold for text in and text out.
type ModelPrice struct {
	Provider     passport.Provider
	Model        string // as the tariff has it: without the date where a dated snapshot was asked for
	Input        passport.Price
	CacheRead    passport.Price
	CacheWrite   passport.Price // kept for 5 minutes
	CacheWrite1h passport.Price // kept for an hour
	Output       passport.Price
	Tiers        []Tier // by Above, ascending
	Context      int64  // no more input than this is taken; 0: unknown
	MaxOutput    int64  // the model's own limit for one answer; 0: unknown
	Chat         bool   // takes and gives chat messages; always true for what Tariff.Price returns
	Reasoning    bool
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
// Cost of a usage whose input is within the bound that BUDGET section 3 gives and whose output is within the caps. What
// cannot be (a negative size, no answer) costs more than any cap covers.
func (p ModelPrice) WorstCase(c passport.Call, maxOutput int64) passport.Money {
	if c.BodyBytes < 0 || c.Parts < 0 || c.Choices < 1 || maxOutput < 0 {
		return passport.MaxMoney + 1
	}
	input := p.inputBound(c)
	worst := p.base()
	for _, t := range p.Tiers {
		if input > t.Above {
			worst = dearer(worst, t)
		}
	}
	in := max(worst.Input, worst.CacheRead, worst.CacheWrite, worst.CacheWrite1h)
	return passport.Cost{}.Add(input, in).Add(times(maxOutput, c.Choices), worst.Output).Money()
}

// inputBound is the most model tokens that the provider can count as input: no token of text is shorter than a byte.
func (p ModelPrice) inputBound(c passport.Call) int64 {
	allowance := int64(templateBase)
	if p.Provider == passport.Anthropic && c.Parts >= 2 {
		allowance += anthropicTools
	}
	n := plus(plus(c.BodyBytes, times(c.Parts, templatePart)), allowance)
	if p.Context > 0 {
		n = min(n, p.Context)
	}
	return n
}

// Cost is the exact price of u, rounded up once. The tier is picked by all of u.Input and holds for the whole call, as
// OpenAI says of its long prompts (developers.openai.com/api/docs/models/gpt-5.4). Usage that is not sane costs more than
// any cap covers.
func (p ModelPrice) Cost(u passport.Usage) passport.Money {
	if !u.Sane() {
		return passport.MaxMoney + 1
	}
	t := p.base()
	for _, next := range p.Tiers {
		if u.Input > next.Above {
			t = next
		}
	}
	plain := u.Input - u.CacheRead - u.CacheWrite - u.CacheWrite1h
	return passport.Cost{}.
		Add(plain, t.Input).
		Add(u.CacheRead, t.CacheRead).
		Add(u.CacheWrite, t.CacheWrite).
		Add(u.CacheWrite1h, t.CacheWrite1h).
		Add(u.Output, t.Output).
		Money()
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
