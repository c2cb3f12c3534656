package bridge

import (
	"regexp"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// budgets are the model tokens of thinking that stand for OpenAI's words, where a model wants a number: Google's own for its models behind
// OpenAI's format (ai.google.dev/gemini-api/docs/openai, Thinking), and one step more above them.
var budgets = []struct {
	word   string
	tokens int64
}{{"minimal", 1024}, {"low", 1024}, {"medium", 8192}, {"high", 24576}, {"xhigh", 32768}, {"max", 32768}}

// leastBudget is the smallest that Anthropic takes (page "Extended thinking").
const leastBudget = 1024

func budgetOf(word string) int64 {
	for _, b := range budgets {
		if b.word == word {
			return b.tokens
		}
	}
	return 0
}

// wordOf is the word that a budget stands for: the highest whose budget it reaches.
func wordOf(budget int64) string {
	word := "low"
	for _, b := range budgets {
		if b.word != "minimal" && b.word != "max" && budget >= b.tokens {
			word = b.word
		}
	}
	return word
}

// fits is a budget that leaves room for an answer below the output cap. Not ok: there is none.
func (w *writer) fits(budget, least int64) (int64, bool) {
	if w.max > 0 {
		budget = min(budget, w.max-dialect.LeastAnswer)
	}
	if budget < least {
		w.refuse(w.maxAt, "is too low to think and to answer: with %s it must be at least %d for this model", w.effort.at, least+dialect.LeastAnswer)
		return 0, false
	}
	return budget, true
}

// countsBudget are Claude models that take a budget of thinking and know no adaptive thinking: up to 4.5. Later ones take an effort (page
// "Adaptive thinking").
var countsBudget = regexp.MustCompile(`^claude-(3-|(opus|sonnet|haiku)-4(-[015])?(-latest|-\d{8})?$)`)

// anthropicEffort writes OpenAI's reasoning_effort for a Claude model. The budget counts within max_tokens.
func (w *writer) anthropicEffort(b, config object) {
	word := w.effort.word
	switch {
	case word == "" || word == "none": // nothing said is no thinking
		return
	case !countsBudget.MatchString(w.model):
		if word == "minimal" {
			word = "low"
		}
		b["thinking"] = object{"type": "adaptive"}
		config["effort"] = word
	case w.afterCall():
		w.refuse(w.effort.at, "this model goes on thinking after a call only if it sees its thoughts again, which this format does not carry: leave it out in calls that bring results of tools")
	default:
		if budget, ok := w.fits(budgetOf(word), leastBudget); ok {
			b["thinking"] = object{"type": "enabled", "budget_tokens": budget}
		}
	}
}

// afterCall says whether the last turns are results of calls.
func (w *writer) afterCall() bool {
	if len(w.turns) == 0 {
		return false
	}
	for _, p := range w.turns[len(w.turns)-1].parts {
		if p.kind == result {
			return true
		}
	}
	return false
}

// openaiEffort writes Anthropic's thinking and effort as a reasoning_effort. Where the model is to decide by itself it is left out.
func (w *writer) openaiEffort(b object) {
	switch {
	case w.effort.word != "":
		b["reasoning_effort"] = w.effort.word
	case w.effort.budget > 0:
		b["reasoning_effort"] = wordOf(w.effort.budget)
	}
}

// googleEffort writes a thinkingConfig. Gemini 3 and later take a level, those before it a budget, and no model both
// (ai.google.dev/gemini-api/docs/thinking).
func (w *writer) googleEffort(config object) {
	e := w.effort
	think := object{}
	switch {
	case e.word == "" && e.budget == 0 && !e.adaptive:
		return
	case generation(w.model) >= 3:
		word := e.word
		if word == "" && e.budget > 0 {
			word = wordOf(e.budget)
		}
		switch word {
		case "": // it decides by itself
		case "minimal", "low", "medium", "high":
			think["thinkingLevel"] = word
		case "none":
			w.refuse(e.at, "this model cannot be told not to think: minimal is the least")
		default:
			w.refuse(e.at, "this model knows no more than high")
		}
	case e.word == "none":
		think["thinkingBudget"] = 0
	case e.word == "" && e.budget == 0:
		think["thinkingBudget"] = -1
	default:
		budget := e.budget
		if e.word != "" {
			budget = budgetOf(e.word)
		}
		if budget, ok := w.fits(budget, 1); ok {
			think["thinkingBudget"] = budget
		}
	}
	if e.show {
		think["includeThoughts"] = true
		w.thoughts = true
	}
	config.set("thinkingConfig", think, len(think) > 0)
}
