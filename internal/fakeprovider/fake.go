package fakeprovider

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
)

// Keys are the provider keys that a Fake takes. An empty one takes any key.
type Keys struct{ OpenAI, Anthropic, Google string }

func (k Keys) of(d dialect) string {
	switch d {
	case openAI:
		return k.OpenAI
	case anthropic:
		return k.Anthropic
	default:
		return k.Google
	}
}

// Price of a model, in whole micro-dollars per million model tokens.
type Price struct{ Input, Output int64 }

// prices of the models that tests use: the list prices of November 2026. Any other model costs what gpt-4o does.
var prices = map[string]Price{
	"gpt-4o":                 {2_500_000, 10_000_000},
	"text-embedding-3-small": {20_000, 0},
	"gpt-image-1":            {5_000_000, 40_000_000},
	"gpt-image-1-mini":       {2_000_000, 8_000_000},
	"gpt-4o-transcribe":      {6_000_000, 10_000_000}, // of sound
	"tts-1":                  {15_000_000, 0},         // for a million characters
	"whisper-1":              {100_000_000, 0},        // for a million seconds
	"gpt-4o-mini":            {150_000, 600_000},
	"claude-sonnet-4-5":      {3_000_000, 15_000_000},
	"claude-haiku-4-5":       {1_000_000, 5_000_000},
	"gemini-2.5-flash":       {300_000, 2_500_000},
	"gemini-embedding-001":   {150_000, 0},
	"gemini-embedding-2":     {200_000, 0},
}

// Cost is the bill for tokens of a model in whole micro-dollars, rounded up.
func Cost(model string, t Tokens) int64 {
	p, ok := prices[model]
	if !ok {
		p = prices["gpt-4o"]
	}
	return (t.Input*p.Input + t.Output*p.Output + 999_999) / 1_000_000
}

// Fake is a provider for tests. It is safe for concurrent use; Origin is set by Start.
type Fake struct {
	Origin string

	mu       sync.Mutex // guards what follows
	keys     Keys
	requests []*Request
	next     []Behaviour
	always   Behaviour
	marks    []mark
	changed  chan struct{} // closed and replaced at every change
}

type mark struct {
	text []byte
	b    []Behaviour // the first is next; the last one stays
}

// New makes a Fake that answers well until it is told otherwise.
func New(k Keys) *Fake { return &Fake{keys: k, changed: make(chan struct{})} }

// Start serves the Fake on loopback until stop is called.
func (f *Fake) Start() (stop func(), err error) {
	f.Origin, stop, err = Serve(f)
	return stop, err
}

// Rekey changes the keys that it takes, from the next request on.
func (f *Fake) Rekey(k Keys) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = k
}

func (f *Fake) key(d dialect) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys.of(d)
}

// Always sets the behaviour of every call for which nothing else was said.
func (f *Fake) Always(b Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = b
}

// Next queues the behaviour of the next call that carries no mark.
func (f *Fake) Next(b ...Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, b...)
}

// Forget drops what was queued by Next and was not used.
func (f *Fake) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = nil
}

// When sets the behaviour of the calls whose body contains text: one after the other, and the last for every call after that.
// The latest text that fits wins.
func (f *Fake) When(text string, first Behaviour, then ...Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks = append(f.marks, mark{[]byte(text), append([]Behaviour{first}, then...)})
}

func (f *Fake) choose(body []byte) Behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.marks) - 1; i >= 0; i-- {
		if !bytes.Contains(body, f.marks[i].text) {
			continue
		}
		b := f.marks[i].b
		if len(b) > 1 {
			f.marks[i].b = b[1:]
		}
		return b[0]
	}
	if len(f.next) > 0 {
		b := f.next[0]
		f.next = f.next[1:]
		return b
	}
	return f.always
}

// Requests are all that arrived, in order of arrival, those that were refused included.
func (f *Fake) Requests() []*Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*Request(nil), f.requests...)
}

// With are the requests whose body contains text.
func (f *Fake) With(text string) []*Request {
	var found []*Request
	for _, r := range f.Requests() {
		if bytes.Contains(r.Body, []byte(text)) {
			found = append(found, r)
		}
	}
	return found
}

// Billed is the sum of all bills in micro-dollars.
func (f *Fake) Billed() int64 { return Billed(f.Requests()) }

// Billed is the sum of the bills of some requests, in micro-dollars.
func Billed(rs []*Request) int64 {
	var sum int64
	for _, r := range rs {
		sum += r.Billed()
	}
	return sum
}

// Wrong is everything that was found wrong with the requests so far: one line each.
func (f *Fake) Wrong() []string {
	var all []string
	for _, r := range f.Requests() {
		for _, w := range r.Wrong {
			all = append(all, fmt.Sprintf("request %d, %s %s: %s", r.Number, r.Method, r.Path, w))
		}
	}
	return all
}

// Await waits until ok holds for the requests so far. It looks again whenever one arrives, is answered further or ends.
func (f *Fake) Await(ctx context.Context, ok func([]*Request) bool) error {
	for {
		f.mu.Lock()
		changed := f.changed
		rs := append([]*Request(nil), f.requests...)
		f.mu.Unlock()
		if ok(rs) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the provider has seen %d requests: %w", len(rs), context.Cause(ctx))
		}
	}
}

// AwaitCalls waits until n requests have arrived in all.
func (f *Fake) AwaitCalls(ctx context.Context, n int) error {
	return f.Await(ctx, func(rs []*Request) bool { return len(rs) >= n })
}

// AwaitEnd waits until no request is being answered.
func (f *Fake) AwaitEnd(ctx context.Context) error {
	return f.Await(ctx, func(rs []*Request) bool {
		for _, r := range rs {
			if r.Live() {
				return false
			}
		}
		return true
	})
}

func (f *Fake) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Fake) record(r *Request) {
	f.mu.Lock()
	r.Number = len(f.requests) + 1
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	f.tell()
}

// Request is one request as it arrived, and what became of it.
type Request struct {
	Number        int // from 1
	Method        string
	Path          string
	RawQuery      string
	Host          string
	Header        http.Header
	Body          []byte
	ContentLength int64 // -1: chunked
	Peer          string
	Model         string
	Wrong         []string // what a provider would not have expected of the broker

	ended chan struct{}

	mu       sync.Mutex // guards what follows
	tokens   Tokens
	finished bool
}

// Ended is closed when the answer is over, because it was given whole or because the caller went.
func (r *Request) Ended() <-chan struct{} { return r.ended }

// Live says whether the request is still being answered.
func (r *Request) Live() bool {
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// Finished says whether the answer was written to its end.
func (r *Request) Finished() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.finished
}

// Billed is what the provider charges for the request so far, in micro-dollars: input from when it was taken, output as it
// was made.
func (r *Request) Billed() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Cost(r.Model, r.tokens)
}

func (r *Request) bill(t Tokens) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = Tokens{max(r.tokens.Input, t.Input), max(r.tokens.Output, t.Output)}
}

func (r *Request) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = true
}
