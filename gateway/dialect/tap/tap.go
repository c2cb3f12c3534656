// Package tap reads answers as they pass: it cuts server-sent events and JSON arrays into pieces, whole JSON answers it collects,
// and hands them to a dialect's reader. It knows no provider; it may not touch I/O, clock or money.
package tap

import (
	"bytes"
	"encoding/json"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// MaxWhole bounds how much of an answer in one JSON object is kept to find its usage, in bytes. A longer answer passes, and its
// usage is unknown.
const MaxWhole = 8 << 20

// keep bounds the buffers that an idle stream holds on to, in bytes.
const keep = 16 << 10

// Reader is what a dialect makes of the pieces. Data is valid during the call only.
type Reader interface {
	// Event takes one server-sent event, or one element of an array that is streamed, and says whether to hide it from the client.
	Event(data []byte) (hide bool)
	// Whole takes an answer that is one JSON object.
	Whole(data []byte)
	// Usage is what was read, once the answer has ended well: not Known if its end mark or a part of it was missing.
	Usage() passport.Usage
	// Seen is what was read of a stream that may go on.
	Seen() passport.Seen
}

// Ender is a Reader whose streams have an end mark of their own.
type Ender interface {
	// Ended says whether the end mark has passed: nothing that costs comes after it.
	Ended() bool
}

// form is what an answer turned out to be, by its first byte that is not space.
type form int

const (
	unseen form = iota
	events      // server-sent events (WHATWG HTML §9.2)
	object      // one JSON object
	array       // JSON objects in an array, one after the other
)

// Tap is a dialect.Tap around a Reader.
type Tap struct {
	r     Reader
	hides bool // the reader may hide events, so an event goes on only when it is whole
	form  form
	sse   splitter
	list  elements
	whole []byte
	over  bool // the whole answer is longer than MaxWhole
	out   []byte
	fault error // once said, said again
}

// New makes a tap. If hides is false, every byte passes at once and what Event answers is ignored.
func New(r Reader, hides bool) *Tap { return &Tap{r: r, hides: hides} }

// MaxLong bounds one event of a stream whose last event repeats all of the answer, in bytes.
const MaxLong = 8 << 20

// NewLong is New for such streams. No event is hidden.
func NewLong(r Reader) *Tap { return &Tap{r: r, sse: splitter{most: MaxLong}} }

// Pass takes bytes from the provider and returns those that go on now.
func (t *Tap) Pass(p []byte) ([]byte, error) {
	if t.fault != nil {
		return nil, t.fault
	}
	space := 0 // before the answer: it passes and is not looked at, so that it does not matter where it is cut
	if t.form == unseen {
		space = len(p) - len(bytes.TrimLeft(p, " \t\r\n"))
		t.form, t.fault = sniff(p[space:])
	}
	out := p
	if t.fault == nil {
		switch t.form {
		case events:
			out, t.fault = t.events(p, space)
		case array:
			t.fault = t.list.push(p, func(e []byte) { t.r.Event(e) })
		case object:
			t.collect(p)
		default: // nothing but space so far
		}
	}
	if t.fault != nil {
		return nil, t.fault
	}
	return out, nil
}

// Over returns the usage of a stream as soon as its end mark has passed.
func (t *Tap) Over() (passport.Usage, bool) {
	e, ok := t.r.(Ender)
	if !ok || t.fault != nil || t.form != events || !e.Ended() {
		return passport.Usage{}, false
	}
	u := t.r.Usage()
	return u, u.Sane()
}

// End returns what was held back and the usage.
func (t *Tap) End() ([]byte, passport.Usage) {
	if t.fault != nil {
		return nil, passport.Usage{}
	}
	var rest []byte
	switch t.form {
	case events:
		t.out = t.out[:0]
		t.sse.end(t.event)
		if t.hides {
			rest = t.out
		}
	case array:
		if !t.list.closed() {
			return nil, passport.Usage{}
		}
	case object:
		if t.over {
			return nil, passport.Usage{}
		}
		t.r.Whole(t.whole)
	default:
		return nil, passport.Usage{}
	}
	u := t.r.Usage()
	if !u.Sane() {
		return rest, passport.Usage{}
	}
	return rest, u
}

// Seen is what has passed. Of an answer that is no stream, or that could not be read, it says nothing but whether it is whole.
func (t *Tap) Seen() passport.Seen {
	if t.fault != nil {
		return passport.Seen{}
	}
	s := t.r.Seen()
	switch t.form {
	case unseen:
	case events:
		s.Bytes += int64(len(t.sse.buf)) // of the event that is not whole: it may be all text
	case array:
		s.Bytes += int64(len(t.list.buf))
		s.Plain = s.Plain && !t.list.broken
		s.Whole = s.Whole && t.list.closed()
	default: // nothing but space, or one JSON object
		return passport.Seen{Whole: t.over || json.Valid(t.whole)}
	}
	return s
}

func (t *Tap) events(p []byte, space int) ([]byte, error) {
	if cap(t.out) > keep {
		t.out = nil
	}
	t.out = append(t.out[:0], p[:space]...)
	if err := t.sse.push(p[space:], t.event); err != nil {
		return nil, err
	}
	if !t.hides {
		return p, nil
	}
	return t.out, nil
}

func (t *Tap) event(raw, data []byte) {
	hide := false
	if data != nil {
		hide = t.r.Event(data)
	}
	if t.hides && !hide {
		t.out = append(t.out, raw...)
	}
}

func (t *Tap) collect(p []byte) {
	if t.over || len(t.whole)+len(p) > MaxWhole {
		t.whole, t.over = nil, true
		return
	}
	t.whole = append(t.whole, p...)
}

// sniff says what an answer is that begins with p, which has no space in front. HTML and other things that no provider's API answers with are refused.
func sniff(p []byte) (form, error) {
	if len(p) == 0 {
		return unseen, nil
	}
	switch p[0] {
	case '{':
		return object, nil
	case '[':
		return array, nil
	case ':', 'd', 'e', 'i', 'r', bom[0]: // comment, data, event, id, retry
		return events, nil
	default:
		return unseen, problem.New(problem.UpstreamFailed, "the provider's answer is not in its own format")
	}
}

func tooLong(most int) error {
	return problem.New(problem.UpstreamFailed, "the provider sent an event longer than %d bytes", most)
}
