// Package back turns answers of one dialect into answers of another: messages of Anthropic and contents of Google into chat completions of
// OpenAI, chat completions and contents into messages, and Google's embeddings into OpenAI's. It is pure: no network, no clock, no store, no
// money. What an answer costs is read by the provider's own tap from the same bytes, before they come here.
//
// An answer is taken apart into pieces (piece), which are the same for all dialects, and each dialect puts pieces together in its own way.
// Of a stream nothing is kept but numbers: which blocks are open, how many calls of tools there were, why each choice stopped.
//
// What has no place in the other format is either listed in docs/reference/universal.md as left out, or an error: nothing is lost silently.
// Wire formats: the types of openai-go v3.98, anthropic-sdk-go v1.84 and google.golang.org/genai v1.77, whose accumulators say what a
// stream must hold to.
package back

import (
	"errors"
	"net/http"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of one answer.
const (
	maxChoices = 128  // alternatives; OpenAI's n goes up to this
	maxBlocks  = 4096 // content blocks of a message
	maxCalls   = 1024 // calls of tools in one choice
)

// Info is what an answer needs of its request, and what a pure package cannot make: an id and a time.
type Info struct {
	Model        string // as the caller named it
	ID           string // letters, digits, _ and -; the answer's id is made of it
	Created      int64  // Unix seconds
	IncludeUsage bool   // OpenAI's stream_options.include_usage
	Thinks       bool   // the caller asked for thinking in a way that shows it (Anthropic's thinking); else it is left out
	Embeddings   bool   // an answer of embeddings
	Base64       bool   // OpenAI's encoding_format base64: little-endian float32

	// CallID makes the id of a call for the caller, of the model's own id and of Google's signature of the call, which has to come back with
	// it. nil: the signature is left out.
	CallID func(id, signature string) string
}

// Converter turns one answer. One goroutine uses it.
type Converter struct {
	info  Info
	from  source
	to    passport.Provider
	sink  sink
	calls map[int]int // by choice: how many calls of tools there were
	out   []byte
	dead  bool // an error event has gone out: nothing follows it
}

// source takes the answers of one dialect apart. It hands pieces to put and returns its errors.
type source interface {
	// event takes the data of one event of a stream. Errors: failure, if the provider says that it failed; UpstreamFailed.
	event(data []byte, put func(piece) error) error
	// whole takes an answer that is one JSON object, in the same way.
	whole(data []byte, put func(piece) error) error
	// end says whether the answer came to its end, and what it used.
	end() (bool, usage)
}

// sink puts answers of one dialect together.
type sink interface {
	// take takes a piece of a stream and appends to out what goes to the client for it.
	take(out []byte, p piece, u usage) ([]byte, error)
	// end appends the end of a stream to out.
	end(out []byte, u usage) []byte
	// whole is one JSON object of an answer's pieces.
	whole(pieces []piece, u usage) ([]byte, error)
}

// New makes a converter of an answer in from's format to one in to's; providers that speak OpenAI's dialect count as OpenAI. It is nil for
// formats that are not turned: Google's is only read.
func New(to, from passport.Provider, info Info) *Converter {
	c := &Converter{info: info, to: to, calls: map[int]int{}}
	switch from {
	case passport.OpenAI:
		c.from = &fromOpenAI{}
	case passport.Anthropic:
		c.from = &fromAnthropic{}
	case passport.Google:
		c.from = &fromGoogle{id: info.ID}
	default:
		return nil
	}
	if c.info.CallID == nil {
		c.info.CallID = func(id, _ string) string { return id }
	}
	switch to {
	case passport.OpenAI:
		c.sink = &toOpenAI{info: info}
	case passport.Anthropic:
		c.sink = &toAnthropic{info: info}
	default:
		return nil
	}
	return c
}

// Event takes the data of one server-sent event and returns what goes to the client for it: nothing, one event or several, valid until the
// next call. An error that the provider tells in the middle becomes the caller's error event, and nothing follows it. Errors:
// UpstreamFailed for what is not in the provider's format, or has no place in the caller's.
func (c *Converter) Event(data []byte) ([]byte, error) {
	c.out = c.out[:0]
	if cap(c.out) > keep {
		c.out = nil
	}
	if c.dead {
		return nil, nil
	}
	err := c.from.event(data, func(p piece) error {
		p, err := c.turn(p)
		if err != nil {
			return err
		}
		_, u := c.from.end()
		c.out, err = c.sink.take(c.out, p, u)
		return err
	})
	c.dead = err != nil
	if f, ok := errors.AsType[failure](err); ok {
		return append(c.out, errorEvent(c.to, Error(c.to, dialect.Upstream(f)))...), nil
	}
	if err != nil {
		return nil, err
	}
	return c.out, nil
}

// keep bounds the buffer that an idle stream holds on to, in bytes.
const keep = 16 << 10

// End returns what the client gets at the end of a stream that was not cut: why it stopped, the usage, the end mark. If something is
// missing in it all the same, an error event and no end mark.
func (c *Converter) End() []byte {
	if c.dead {
		return nil
	}
	c.dead = true
	over, u := c.from.end()
	if !over {
		return errorEvent(c.to, Error(c.to, dialect.Upstream{Status: http.StatusBadGateway, Message: "the provider's answer is not whole"}))
	}
	return c.sink.end(nil, u)
}

// Whole takes an answer that is one JSON object and returns one. Errors: UpstreamFailed.
func (c *Converter) Whole(data []byte) ([]byte, error) {
	if c.info.Embeddings {
		return embeddings(data, c.info)
	}
	var pieces []piece
	err := c.from.whole(data, func(p piece) error {
		p, err := c.turn(p)
		pieces = append(pieces, p)
		return err
	})
	if f, ok := errors.AsType[failure](err); ok {
		return nil, problem.New(problem.UpstreamFailed, "the provider failed: %s", f.Message)
	}
	if err != nil {
		return nil, err
	}
	_, u := c.from.end()
	return c.sink.whole(pieces, u)
}

// turn looks at a piece on its way: its bounds, the id of a call, and why a choice ended, for Google has no reason of its own for calls.
func (c *Converter) turn(p piece) (piece, error) {
	if p.choice < 0 || p.choice >= maxChoices {
		return p, broken("a choice of index %d", p.choice)
	}
	if p.call < 0 || p.call >= maxCalls {
		return p, broken("more than %d calls of tools", maxCalls)
	}
	switch p.kind {
	case isCall:
		p.id = c.info.CallID(p.id, p.sign)
		c.calls[p.choice]++
	case isStop:
		if p.stop == stopCalls && c.calls[p.choice] == 0 {
			p.stop = stopEnd
		}
		if p.stop == stopEnd && c.calls[p.choice] > 0 {
			p.stop = stopCalls
		}
	default:
	}
	return p, nil
}
