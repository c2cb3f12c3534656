package fakeprovider

import (
	"net/http"
	"strconv"
	"strings"
)

// Behaviour is how the Fake answers one call. The zero Behaviour answers well: three chunks, honest usage.
// In Body, Text and the values of Header, {key} stands for the key that the call carried.
type Behaviour struct {
	// What is said.
	Chunks  int      // pieces of content in a stream; 0: DefaultChunks
	Text    []string // the pieces themselves, in place of made ones
	Tools   []Tool   // calls of tools, after the text
	Split   int      // bytes of the stream written and flushed at a time; 0: an event at a time
	Endless bool     // content goes on until the caller has gone

	// When. A receive from a nil channel is left out; waiting ends when the caller goes.
	BeforeHeaders <-chan struct{} // received from once before the answer begins
	Gate          <-chan struct{} // received from once before each piece of content
	BeforeEnd     <-chan struct{} // received from once after the last piece of content, before usage and end mark

	// What it costs. Worst: as much as a provider can bill for the request (a token a byte of input, all the output allowed).
	Tokens   *Tokens
	Worst    bool
	Stops    bool   // with Worst, in streams: it stops when its caller goes, and bills a token a byte of content and what it was Ahead
	RawUsage string // the usage object, verbatim, whatever was billed
	NoUsage  bool   // billed, but not said

	// What goes wrong.
	Status   int         // other than 0: this status with Body, or the provider's own error body
	Body     string      // sent verbatim with Status (200 if 0), unary or not
	Header   http.Header // added to the answer
	CutAfter int         // > 0: the connection breaks after so many pieces of content
	Fails    int         // > 0: after so many pieces of content a stream ends with the provider's own error event
	CutAtEnd bool        // the connection breaks after the content, before usage and end mark; after Body
	Drop     bool        // the connection is closed without an answer, once the request was read
	Gzip     bool        // the answer is compressed though nobody asked
	LongLine int         // bytes of one line, without an end, sent as the first piece of content
}

// Tool is a call of a tool that the model makes.
type Tool struct {
	Name  string
	Input string // a JSON object
}

// Ahead is how many tokens a provider that Stops makes before it has noticed that its caller has gone.
const Ahead = 700

// DefaultChunks are sent by a Behaviour that does not say how many.
const DefaultChunks = 3

// pieces is the content of an answer.
func (b Behaviour) pieces(key string) []string {
	if b.Text != nil {
		out := make([]string, len(b.Text))
		for i, t := range b.Text {
			out[i] = strings.ReplaceAll(t, "{key}", key)
		}
		return out
	}
	n := b.Chunks
	if n == 0 {
		n = DefaultChunks
	}
	out := make([]string, n)
	for i := range out {
		out[i] = piece(i)
	}
	return out
}

// piece is the i-th made piece of content, so that a client can tell which it has read.
func piece(i int) string { return "piece-" + strconv.Itoa(i) + " " }

// tokens is what an answer of n pieces costs.
func (b Behaviour) tokens(a ask, bodyBytes int64, n int) Tokens {
	if b.Tokens != nil {
		return *b.Tokens
	}
	if b.Worst {
		return a.worst(bodyBytes)
	}
	return a.usual(bodyBytes, n)
}
