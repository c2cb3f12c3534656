package back

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
)

// piece is a part of an answer, of a stream as it comes or of a whole one in its order.
type piece struct {
	kind   kind
	choice int    // which alternative it belongs to
	call   int    // which call of the choice, counted from 0
	text   string // or refusal, thought, signature, sealed thought, arguments, or why it stopped, for a person
	id     string // of a call
	name   string // of the called tool
	sign   string // of a call: Google's thoughtSignature
	stop   stop
}

type kind int

const (
	isBegin     kind = iota // the answer has begun
	isText                  // what the model says
	isRefusal               // why it says nothing
	isThought               // what it thought
	isSignature             // of what it thought
	isSealed                // what it thought, sealed (redacted_thinking)
	isCall                  // a call of a tool begins
	isArguments             // a piece of its arguments, JSON
	isStop                  // why the choice ended
)

// stop is why a choice ended.
type stop int

const (
	stopEnd      stop = iota // the model had said all, or came to a stop sequence
	stopLength               // the output cap, or the model's window
	stopCalls                // it waits for results of tools
	stopFilter               // the model or its provider refused
	stopSequence             // a stop sequence, which is the piece's text
)

// usage is what an answer used, in model tokens. The input has what was read from a cache and written to it, the output what was thought.
type usage struct {
	known                bool
	input, read, written int64
	output, reasoning    int64
}

// most bounds a number that can be true.
const most = 1 << 40

// sane says whether the numbers can be.
func (u usage) sane() bool {
	for _, n := range []int64{u.input, u.read, u.written, u.output, u.reasoning} {
		if n < 0 || n > most {
			return false
		}
	}
	return u.read+u.written <= u.input && u.reasoning <= u.output
}

// failure is an error that the provider told inside an answer.
type failure dialect.Upstream

func (f failure) Error() string { return f.Message }

// failed makes a failure of what a provider said, cleaned.
func failed(status int, kind, code, message string) error {
	return failure(dialect.Cleaned(dialect.Upstream{Status: status, Type: kind, Code: code, Message: message}))
}

// broken is the error for an answer that cannot be turned.
func broken(format string, args ...any) error {
	p := problem.New(problem.UpstreamFailed, format, args...)
	p.Detail = dialect.Clean("the provider's answer cannot be turned into this format: "+p.Detail, dialect.MaxMessage)
	return p
}

// read parses JSON of a provider. Members that are not in v are left.
func read(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return problem.Wrap(err, problem.UpstreamFailed, "the provider's answer is not in its own format")
	}
	return nil
}

// encode writes JSON. Types of this package cannot fail to encode: texts were read as valid UTF-8, raw parts as JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v, jsontext.EscapeForJS(true)) // a line separator ends a line for some readers of events
	if err != nil {
		panic("back: an answer that cannot be encoded: " + err.Error())
	}
	return b
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
