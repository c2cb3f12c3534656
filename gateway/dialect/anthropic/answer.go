package anthropic

import (
	"bytes"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/passport"
)

// answer reads the usage of one message, whole or streamed (types Usage and MessageDeltaUsage of anthropic-sdk-go). A stream
// begins with message_start, which has the input; message_delta has the output so far and may correct the input; it is complete
// only after message_stop.
type answer struct {
	use   usage
	hour  bool // the call asked for a cache of an hour
	begun bool
	last  bool // a message_delta has told the output
	done  bool
	text  int64 // bytes of what the model said in a stream
	spoke bool  // a block of content has begun
	other bool  // something else than text and calls of the caller's tools came, or thinking was asked for
}

// The pieces of content that come in full, byte for byte. Thinking is counted whole and shown as a summary or not at all (page
// "Extended thinking"), so it is not among them. The type stands first, as in the recordings.
var (
	content = []byte(`"type":"content_block_`) // of the events
	delta   = []byte(`"delta":`)
	opening = []byte(`"content_block":`)
	shown   = [][]byte{[]byte(`"delta":{"type":"text_delta"`), []byte(`"delta":{"type":"input_json_delta"`)}
	begins  = [][]byte{[]byte(`"content_block":{"type":"text"`), []byte(`"content_block":{"type":"tool_use"`)}
	told    = [][]byte{[]byte(`"message_`), []byte(`"error"`)} // in what is worth a parse
	ping    = [][]byte{[]byte(`"type":"ping"`), []byte(`"type": "ping"`)}
)

func containsAny(data []byte, marks [][]byte) bool {
	for _, m := range marks {
		if bytes.Contains(data, m) {
			return true
		}
	}
	return false
}

// count counts what an event of content has of the model's own words.
func (a *answer) count(data []byte) {
	n, piece := tap.Text(data, delta)
	m, begun := tap.Text(data, opening)
	a.text += n + m
	a.spoke = a.spoke || begun
	a.last = a.last && !piece && !begun // what a message_delta told before is not all
	a.other = a.other || piece && !containsAny(data, shown) || begun && !containsAny(data, begins)
}

// Event takes one event. Nothing is hidden.
func (a *answer) Event(data []byte) bool {
	counts := bytes.Contains(data, content)
	if counts {
		a.count(data)
	}
	if !containsAny(data, told) {
		a.other = a.other || !counts && !containsAny(data, ping)
		return false // content and pings say nothing of usage
	}
	var e event
	if strict.Read(data, e.read) != nil {
		a.use.odd, a.other = a.use.odd || e.counts(), true
		return false
	}
	switch e.kind {
	case "message_start":
		e.message.use.odd = e.message.use.odd || a.begun
		a.use, a.begun = e.message.use, true
	case "message_delta":
		a.use.merge(e.use)
		a.last = a.last || e.use.there
	case "message_stop":
		a.done = true
	case "error":
		a.use.odd = true
	default: // content, ping, and what is added later
		a.other = a.other || !counts
	}
	return false
}

// Seen is what passed of a stream. message_start tells the input. Models that think do so before they speak, or announce it with
// a block of its own; before any block has begun nobody can tell.
func (a *answer) Seen() passport.Seen {
	return passport.Seen{Plain: a.begun && a.spoke && !a.other && !a.use.odd, Usage: a.use.passport(a.hour), Bytes: a.text, Whole: a.done}
}

// Whole takes a message that is not streamed.
func (a *answer) Whole(data []byte) {
	var m event
	if strict.Read(data, m.read) != nil || m.kind != "message" {
		return
	}
	a.use, a.begun, a.last, a.done = m.use, true, true, true
}

// Usage is what the provider said, if it said it in full.
func (a *answer) Usage() passport.Usage {
	if !a.begun || !a.last || !a.done {
		return passport.Usage{}
	}
	return a.use.passport(a.hour)
}

// event is what is read of an event, or of a message, which has the same members.
type event struct {
	kind    string
	use     usage
	message struct{ use usage }
}

// counts says whether an event that could not be read may have told usage.
func (e *event) counts() bool {
	return e.kind == "" || e.kind == "message_start" || e.kind == "message_delta"
}

func (e *event) read(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch {
		case b.Null():
			return nil
		case name == "type":
			e.kind, err = b.String()
			return err
		case name == "usage":
			return e.use.read(b)
		case name == "message" && b.Next() == '{':
			return b.Object(func(name string) error {
				if name == "usage" && !b.Null() {
					return e.message.use.read(b)
				}
				return anyOf(b, name)
			})
		default:
			return b.Any()
		}
	})
}

// anyOf reads a value of any shape; a null usage was read already.
func anyOf(b *strict.Reader, name string) error {
	if name == "usage" {
		return nil
	}
	return b.Any()
}

// usage is the usage object. The first numbers are -1 where they were not told.
type usage struct {
	there                bool
	input, output        int64
	read5m, written      int64 // from a cache, to one
	written5m, written1h int64 // of written, as far as it was told apart
	reasoning            int64
	searches             int64 // -1: not told
	odd                  bool  // something was used that we have no price for, or something could not be read
}

// most bounds a number that can be true.
const most = 1 << 40

func (u *usage) read(b *strict.Reader) error {
	*u = usage{there: true, input: -1, output: -1, read5m: -1, written: -1, written5m: -1, written1h: -1, searches: -1}
	return b.Object(func(name string) (err error) {
		if b.Null() {
			return nil
		}
		switch name {
		case "input_tokens":
			u.input, err = b.Int(0, most)
		case "output_tokens":
			u.output, err = b.Int(0, most)
		case "cache_read_input_tokens":
			u.read5m, err = b.Int(0, most)
		case "cache_creation_input_tokens":
			u.written, err = b.Int(0, most)
		case "cache_creation":
			return counts(b, func(name string, n int64) {
				switch name {
				case "ephemeral_5m_input_tokens":
					u.written5m = n
				case "ephemeral_1h_input_tokens":
					u.written1h = n
				}
			})
		case "output_tokens_details":
			return counts(b, func(name string, n int64) {
				if name == "thinking_tokens" {
					u.reasoning = n
				}
			})
		case "server_tool_use":
			return counts(b, func(name string, n int64) {
				if name == "web_search_requests" {
					u.searches = n
					return
				}
				u.odd = u.odd || n > 0
			})
		case "inference_geo", "speed":
			s, err := b.String()
			u.odd = u.odd || s == "us" || s == "fast"
			return err
		default:
			return b.Any()
		}
		return err
	})
}

// counts reads an object and tells its numbers.
func counts(b *strict.Reader, tell func(name string, n int64)) error {
	return b.Object(func(name string) error {
		if b.Next() != '0' {
			return b.Any()
		}
		n, err := b.Int(0, most)
		tell(name, n)
		return err
	})
}

// merge takes what a later event says; its numbers are totals. What was written to a cache stays written.
func (u *usage) merge(n usage) {
	if !n.there {
		return
	}
	said := u.output
	for _, f := range []struct{ old, new *int64 }{
		{&u.input, &n.input}, {&u.output, &n.output}, {&u.read5m, &n.read5m}, {&u.searches, &n.searches},
	} {
		if *f.new >= 0 {
			*f.old = *f.new
		}
	}
	u.odd = u.odd || u.output < said // totals do not shrink
	u.written, u.written5m, u.written1h = max(u.written, n.written), max(u.written5m, n.written5m), max(u.written1h, n.written1h)
	u.reasoning = max(u.reasoning, n.reasoning)
	u.odd = u.odd || n.odd
}

// passport is the usage as the meter wants it. input_tokens are those that were neither read from the cache nor written to it
// (page "Prompt caching"), so the whole input is the sum of the three. message_delta does not tell writes apart: where a cache of an hour was
// asked for, what was not told to be for 5 minutes is for an hour, which is dearer.
func (u usage) passport(hourly bool) passport.Usage {
	if !u.there || u.input < 0 || u.output < 0 || u.odd {
		return passport.Usage{}
	}
	read, written, hour := max(u.read5m, 0), max(u.written, 0), max(u.written1h, 0)
	if hourly {
		hour = max(hour, written-max(u.written5m, 0))
	}
	if hour > written {
		return passport.Usage{}
	}
	return passport.Usage{
		Known: true, Input: u.input + read + written, CacheRead: read, CacheWrite: written - hour, CacheWrite1h: hour,
		Output: u.output, Reasoning: u.reasoning, Searches: max(u.searches, 0),
	}
}

// Ended says whether message_stop has passed.
func (a *answer) Ended() bool { return a.done }
