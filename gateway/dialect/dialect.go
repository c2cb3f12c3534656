// Package dialect is the contract of a provider's wire format: how a call is read, how usage is read from the bytes of an
// answer, how an error is shaped. A dialect is pure: no network, no clock, no store, no money.
package dialect

import (
	"net/http"
	"net/url"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Input is a request as the router hands it over. The body was read whole, within its bound.
type Input struct {
	Model  string      // from the path, where the dialect has it there (Google); else empty
	Method string      // what follows the colon in Google's paths; count_tokens for Anthropic's count; else empty
	Query  url.Values  // without credentials
	Header http.Header // of the client; a dialect takes by name what may go on (anthropic-version), nothing else does
	Body   []byte
}

// Request is a call that was read and may go upstream as it stands. It keeps parts of Input.Body.
type Request struct {
	Call   passport.Call
	Path   string                       // below the provider's origin, with query: "/v1/chat/completions"
	Header http.Header                  // what this dialect lets through besides Content-Type and the credential; may be nil
	Body   func(maxOutput int64) []byte // the bytes to send; maxOutput is spliced in where the caller left its output cap out, or in its place if it is lower
	Type   string                       // Content-Type of those bytes; empty: application/json
	Tap    func() Tap                   // reads the successful answer to this request

	// Answers are the media types that the answer may have besides application/json and text/event-stream; none for most.
	Answers []string
}

// Tap reads an answer as it passes and says what it cost. It may hold back at most one event, to hide what the client did
// not ask for (OpenAI's usage chunk).
type Tap interface {
	// Pass takes the next bytes from the provider and returns those that go to the client now; they are valid until the next
	// call. Error: UpstreamFailed if an event is longer than MaxEvent or what came is no answer.
	Pass(p []byte) ([]byte, error)
	// Over returns the usage as soon as a stream's end mark has passed, so that a call is settled before its client can see that
	// it is over. Not ok: no end mark yet, or the dialect has none.
	Over() (u passport.Usage, ok bool)
	// End is called once, when the provider's answer has ended well. It returns what was held back, and the usage: not Known if
	// the answer did not say, was cut short before its end mark, or said something that cannot be.
	End() (rest []byte, u passport.Usage)
	// Seen tells at any time what has passed, for an answer that is cut. Unseen is left to the caller.
	Seen() passport.Seen
}

// LeastAnswer is how many model tokens a lowered output cap leaves for the answer behind what the call sets aside for thinking.
const LeastAnswer = 256

// MaxEvent bounds one server-sent event or line, in bytes.
const MaxEvent = 1 << 20

// Upstream is an error as a provider answered it, cleaned: no secrets, no HTML, texts bounded.
type Upstream struct {
	Status  int // as the provider's
	Type    string
	Code    string
	Param   string
	Message string
}

// Answer is a whole error answer in a dialect's shape.
type Answer struct {
	Status int
	Header http.Header // Content-Type and what the dialect's clients look at (x-should-retry, Retry-After); request ids are the gateway's
	Body   []byte
}

// Dialect is one provider's wire format.
type Dialect interface {
	// Provider is whose format this is.
	Provider() passport.Provider
	// Read checks a request strictly and returns what may go on. Errors: Invalid with the field at fault.
	Read(in Input) (*Request, error)
	// Problem shapes an error of ours in the provider's envelope.
	Problem(p *problem.Error, requestID string) Answer
	// ReadError cleans the body of an upstream answer that is not 2xx. It never fails: an unreadable body gives a plain text.
	ReadError(status int, body []byte) Upstream
	// UpstreamError shapes a cleaned upstream error in the provider's envelope.
	UpstreamError(u Upstream, requestID string) Answer
	// Cut is what is written at the end of a stream that we cut or that broke: an error event, never an end mark.
	Cut(p *problem.Error) []byte
}
