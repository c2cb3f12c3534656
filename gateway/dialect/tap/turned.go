package tap

import (
	"bytes"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Converter turns an answer of one dialect into one of another, piece by piece. What it returns is valid until its next call.
type Converter interface {
	// Event takes the data of one server-sent event and returns what goes to the client for it: nothing, one event or several.
	Event(data []byte) ([]byte, error)
	// Whole takes an answer that is one JSON object and returns one.
	Whole(data []byte) ([]byte, error)
	// End returns what the client gets at the good end of a stream, its end mark among it. It is not called for one that was cut.
	End() []byte
}

// Turned is a dialect.Tap of an answer that goes to a client of another dialect. The provider's own tap reads it as it came, so that the
// money is reckoned as for any other call, and a converter makes of the same bytes what goes on. It keeps one event of a stream, or one JSON
// answer of at most MaxWhole bytes.
type Turned struct {
	inner dialect.Tap
	to    Converter
	form  form
	sse   splitter
	whole []byte
	out   []byte
	fault error // once said, said again
}

// Turn makes a Turned of the provider's own tap.
func Turn(inner dialect.Tap, to Converter) *Turned { return &Turned{inner: inner, to: to} }

// Pass takes bytes from the provider and returns what they became. Errors: of the provider's own tap, of the converter, and UpstreamFailed
// for an answer that is longer than MaxWhole.
func (t *Turned) Pass(p []byte) ([]byte, error) {
	if t.fault != nil {
		return nil, t.fault
	}
	if cap(t.out) > keep {
		t.out = nil
	}
	t.out = t.out[:0]
	if _, t.fault = t.inner.Pass(p); t.fault == nil {
		t.fault = t.take(p)
	}
	if t.fault != nil {
		return nil, t.fault
	}
	return t.out, nil
}

// take reads bytes that the provider's own tap has found good.
func (t *Turned) take(p []byte) (err error) {
	if t.form == unseen {
		p = bytes.TrimLeft(p, " \t\r\n")
		if t.form, err = sniff(p); err != nil {
			return err
		}
	}
	switch t.form {
	case unseen: // nothing but space so far
		return nil
	case events:
		if err := t.sse.push(p, t.event); err != nil {
			return err
		}
		return t.fault
	case object:
		if len(t.whole)+len(p) > MaxWhole {
			return problem.New(problem.UpstreamFailed, "the provider's answer is longer than %d bytes, which is more than can be turned into this format", MaxWhole)
		}
		t.whole = append(t.whole, p...)
		return nil
	default:
		return problem.New(problem.UpstreamFailed, "the provider's answer is not in the form that was asked for")
	}
}

// event turns one event. After a fault the rest is not looked at.
func (t *Turned) event(_, data []byte) {
	if data == nil || t.fault != nil {
		return
	}
	out, err := t.to.Event(data)
	if err != nil {
		t.fault = err
		return
	}
	t.out = append(t.out, out...)
}

// Over is what the provider's own tap says: the usage is told before the client can see the end.
func (t *Turned) Over() (passport.Usage, bool) {
	if t.fault != nil {
		return passport.Usage{}, false
	}
	return t.inner.Over()
}

// End returns the rest of the answer and the usage. The usage is what the provider said, also if its answer could not be turned: see Err.
func (t *Turned) End() ([]byte, passport.Usage) {
	_, use := t.inner.End()
	if t.fault != nil {
		return nil, use
	}
	t.out = t.out[:0]
	switch t.form {
	case events:
		t.sse.end(t.event)
		if t.fault == nil && t.inner.Seen().Whole {
			t.out = append(t.out, t.to.End()...)
		}
	case object:
		var out []byte
		if out, t.fault = t.to.Whole(t.whole); t.fault == nil {
			t.out = append(t.out, out...)
		}
	default: // nothing came; the provider's own tap knows
	}
	if t.fault != nil {
		return nil, use
	}
	return t.out, use
}

// Seen is what the provider's own tap has seen.
func (t *Turned) Seen() passport.Seen { return t.inner.Seen() }

// Err is why an answer cannot go on in the client's dialect, nil if it can.
func (t *Turned) Err() error { return t.fault }
