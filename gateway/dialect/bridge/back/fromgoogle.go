package back

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// fromGoogle takes answers of generateContent apart. Google has no end mark: an answer is over when each candidate that has appeared has
// a finishReason, or the prompt was blocked.
type fromGoogle struct {
	id      string       // that ids of calls are made of, where Google gives none
	open    map[int]bool // candidates that have appeared: whether they go on
	calls   map[int]int  // by candidate
	blocked bool
	use     googleUsage
}

type googleAnswer struct {
	Candidates []googleCandidate `json:"candidates"`
	Feedback   *googleFeedback   `json:"promptFeedback"`
	Usage      *googleUsage      `json:"usageMetadata"`
	Error      *googleError      `json:"error"`
}

type googleError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
}

type googleFeedback struct {
	Reason  string `json:"blockReason"`
	Message string `json:"blockReasonMessage"`
}

type googleCandidate struct {
	Index   int           `json:"index"`
	Content googleContent `json:"content"`
	Reason  string        `json:"finishReason"`
	Message string        `json:"finishMessage"`
}

type googleContent struct {
	Parts []googlePart `json:"parts"`
}

// googlePart has what an answer may have by name; the rest is looked at only to say what it is.
type googlePart struct {
	Text      *string             `json:"text"`
	Thought   bool                `json:"thought"`
	Signature string              `json:"thoughtSignature"`
	Call      *googleFunctionCall `json:"functionCall"`

	Rest map[string]jsontext.Value `json:",embed"`
}

// googleFunctionCall: partialArgs and willContinue come only if they are asked for (streamFunctionCallArguments).
type googleFunctionCall struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Args     jsontext.Value `json:"args"`
	Partial  jsontext.Value `json:"partialArgs"`
	Continue bool           `json:"willContinue"`
}

type googleUsage struct {
	Prompt   int64 `json:"promptTokenCount"`
	Answers  int64 `json:"candidatesTokenCount"`
	Thoughts int64 `json:"thoughtsTokenCount"`
	Cached   int64 `json:"cachedContentTokenCount"`
	Tools    int64 `json:"toolUsePromptTokenCount"`
	Total    int64 `json:"totalTokenCount"`
}

// end: thoughts are not among the candidates' tokens. What the total has beyond the parts is output, as the provider's tap reckons.
func (g *fromGoogle) end() (bool, usage) {
	over := g.blocked || len(g.open) > 0
	for _, on := range g.open {
		over = over && (!on || g.blocked)
	}
	u := usage{known: g.use != googleUsage{}, input: g.use.Prompt + g.use.Tools, read: g.use.Cached, reasoning: g.use.Thoughts}
	u.output = max(g.use.Answers+g.use.Thoughts, g.use.Total-u.input)
	if !u.sane() {
		u = usage{}
	}
	return over, u
}

// whole: one answer is like one event.
func (g *fromGoogle) whole(data []byte, put func(piece) error) error {
	if err := g.event(data, put); err != nil {
		return err
	}
	if over, _ := g.end(); !over {
		return broken("it has not ended")
	}
	return nil
}

func (g *fromGoogle) event(data []byte, put func(piece) error) error {
	var a googleAnswer
	if err := read(data, &a); err != nil {
		return err
	}
	if a.Error != nil {
		return failed(a.Error.Code, a.Error.Status, "", a.Error.Message)
	}
	if a.Usage != nil {
		g.use = *a.Usage
	}
	for _, c := range a.Candidates {
		if err := g.candidate(c, put); err != nil {
			return err
		}
	}
	if a.Feedback == nil || a.Feedback.Reason == "" || g.blocked {
		return nil
	}
	g.blocked = true
	return put(piece{kind: isStop, stop: stopFilter, text: why("the prompt was blocked", a.Feedback.Reason, a.Feedback.Message)})
}

func why(what, reason, message string) string {
	s := fmt.Sprintf("%s (%s)", what, reason)
	if message != "" {
		s += ": " + message
	}
	return s
}

func (g *fromGoogle) candidate(c googleCandidate, put func(piece) error) error {
	if c.Index < 0 || c.Index >= maxChoices {
		return broken("a candidate of index %d", c.Index)
	}
	if g.open == nil {
		g.open, g.calls = map[int]bool{}, map[int]int{}
	}
	on, known := g.open[c.Index]
	if known && !on && len(c.Content.Parts) > 0 {
		return broken("a candidate went on behind its end")
	}
	if !known {
		g.open[c.Index] = true
		if err := put(piece{kind: isBegin, choice: c.Index}); err != nil {
			return err
		}
	}
	for _, p := range c.Content.Parts {
		if err := g.part(c.Index, p, put); err != nil {
			return err
		}
	}
	if c.Reason == "" || known && !on {
		return nil
	}
	g.open[c.Index] = false
	return googleStop(c, put)
}

func (g *fromGoogle) part(choice int, p googlePart, put func(piece) error) error {
	for name := range p.Rest {
		if !slices.Contains(harmless, name) {
			return broken("a part with %.60q has no place in it", name)
		}
	}
	switch {
	case p.Call != nil:
		return g.call(choice, p, put)
	case p.Thought:
		if err := put(piece{kind: isThought, choice: choice, text: value(p.Text)}); err != nil || p.Signature == "" {
			return err
		}
		return put(piece{kind: isSignature, choice: choice, text: p.Signature})
	default: // the signature of a text need not be sent back (page "Thought signatures")
		return put(piece{kind: isText, choice: choice, text: value(p.Text)})
	}
}

// harmless are the members of a part that say how something was read or made, and are no content.
var harmless = []string{"mediaResolution", "videoMetadata", "partMetadata"}

func (g *fromGoogle) call(choice int, p googlePart, put func(piece) error) error {
	if p.Call.Continue || len(p.Call.Partial) > 0 {
		return broken("a call of a function in pieces")
	}
	n := g.calls[choice]
	g.calls[choice]++
	id := p.Call.ID
	if id == "" {
		id = fmt.Sprintf("call_%s_%d", g.id, n)
		if choice > 0 {
			id = fmt.Sprintf("call_%s_%d_%d", g.id, choice, n)
		}
	}
	if err := put(piece{kind: isCall, choice: choice, call: n, id: id, name: p.Call.Name, sign: p.Signature}); err != nil {
		return err
	}
	args := string(p.Call.Args)
	if args == "" || args == "null" {
		args = "{}"
	}
	return put(piece{kind: isArguments, choice: choice, call: n, text: args})
}

// googleStop: type FinishReason of genai. What is no answer at all is a failure: there is no reason in the other formats that would say
// so, and "stop" would make half an answer look whole.
func googleStop(c googleCandidate, put func(piece) error) error {
	p := piece{kind: isStop, choice: c.Index}
	switch c.Reason {
	case "STOP":
		p.stop = stopEnd
	case "MAX_TOKENS":
		p.stop = stopLength
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		p.stop, p.text = stopFilter, why("the answer was stopped", c.Reason, c.Message)
	default: // MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, OTHER, and what is added later
		return failed(502, c.Reason, "", why("the model gave no answer", c.Reason, c.Message))
	}
	return put(p)
}
