// Package bridge turns a request of one provider's dialect into one of another's: OpenAI's chat completions and Anthropic's messages into
// what Anthropic, Google, and whoever speaks OpenAI's format take. It reads a body strictly into a small talk of no dialect (talk.go) and writes
// that; what it wrote is read again by the other provider's own dialect, which alone says what a call costs at most and what it may do.
// Answers are turned back in the folder back. Pure: no network, no clock, no store, no money.
//
// A member that the other provider cannot be told is refused by its name, if the answer would be another one without it. A member that
// changes no answer (where a prompt is cached, who the app's user is) is left out and told of: see Turned.Ignored. docs/reference/universal.md
// has the whole table, and a test holds it to this package.
package bridge

import (
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Turned is a request in another dialect, and what has to be known to turn its answer back.
type Turned struct {
	In       dialect.Input
	Uncapped bool     // the caller set no output cap, and the one in the body stands in for it
	Ignored  []string // members that are not carried because they change no answer, by name

	Stream     bool // the caller asked for a stream
	WantsUsage bool // and for its usage (OpenAI's include_usage)
	Thoughts   bool // the caller may see the model's thoughts
	Base64     bool // the caller wants vectors in base64 (OpenAI's encoding_format)

	fields map[string]string // places in the new body to those in the caller's
}

// Read turns a body of one dialect into one for another, for a model of that provider. Known are from OpenAI and from Anthropic, to each
// other and to Google; what speaks OpenAI's format is OpenAI here. Errors: Invalid with the caller's field.
func Read(from, to passport.Provider, model string, body []byte) (*Turned, error) {
	var t *talk
	var err error
	switch from {
	case passport.OpenAI:
		t, err = readChat(body)
	case passport.Anthropic:
		t, err = readMessages(body)
	default:
		return nil, problem.New(problem.Invalid, "requests in the format of %s go to its own models only", from.Title()).In("model")
	}
	if err != nil {
		return nil, err
	}
	w := &writer{talk: t, to: to, model: model, fields: map[string]string{}}
	switch {
	case from == to:
		return nil, problem.New(problem.Internal, "bridge: from %s to itself", from)
	case to == passport.OpenAI:
		w.openai()
	case to == passport.Anthropic:
		w.anthropic()
	case to == passport.Google:
		w.google()
	default:
		return nil, problem.New(problem.Internal, "bridge: no way to %q", to)
	}
	if w.err != nil {
		return nil, w.err
	}
	return &Turned{In: w.in, Uncapped: w.uncapped, Ignored: t.ignored, Stream: t.stream, WantsUsage: t.wantsUsage, Thoughts: w.thoughts,
		fields: w.fields}, nil
}

// Error is an error of the other provider's own dialect about the new body, as one about the caller's.
func (t *Turned) Error(err error) error {
	p := problem.From(err)
	if p == nil || p.Field == "" {
		return err
	}
	at := p.Field
	for {
		if own, ok := t.fields[at]; ok {
			moved := *p
			moved.Field = own
			return &moved
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			return err
		}
		at = at[:i]
	}
}

// writer writes a talk in one dialect. It keeps the first error.
type writer struct {
	*talk
	to       passport.Provider
	model    string
	in       dialect.Input
	uncapped bool
	thoughts bool
	fields   map[string]string
	err      error
}

// refuse notes that a field of the caller's cannot be carried.
func (w *writer) refuse(field, format string, args ...any) {
	if w.err == nil {
		w.err = problem.New(problem.Invalid, format, args...).In(field)
	}
}

// none refuses a field that has no counterpart at the other provider, if it was given.
func (w *writer) none(given bool, field string) {
	if given {
		w.refuse(field, "models of %s know nothing like it, and without it the answer would be another one: leave it out for this model", w.to.Title())
	}
}

// at notes where a place in the new body comes from.
func (w *writer) at(place, own string) { w.fields[place] = own }
