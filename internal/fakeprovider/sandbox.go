package fakeprovider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Options of the sandbox provider.
type Options struct {
	Name  string        // how it calls itself in its answers; empty: "sandbox"
	Key   string        // the only key that it takes; empty: any, but there must be one
	Delay time.Duration // before each word of a stream
	Words int           // at least so many words an answer, from 0 to 10,000

	Answer func(body []byte) string // what it says to a request instead; empty, or no function: the same words as to everyone
}

const maxBody = 64 << 20

// Handler is a provider for trying things out: it speaks all three dialects, answers the same friendly text every time, one
// word a chunk, and reports usage. It is safe for concurrent use.
func Handler(o Options) http.Handler {
	if o.Name == "" {
		o.Name = "sandbox"
	}
	o.Words = min(max(o.Words, 0), 10_000)
	return http.HandlerFunc(o.serve)
}

func (o Options) serve(w http.ResponseWriter, r *http.Request) {
	a, ok := route(r)
	if !ok {
		fail(w, openAI, http.StatusNotFound, "the "+o.Name+" provider has no such path")
		return
	}
	if key := keyIn(a.dialect, r); key == "" || o.Key != "" && key != o.Key {
		fail(w, a.dialect, http.StatusUnauthorized, "the "+o.Name+" provider does not know this key")
		return
	}
	if a.list {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, models(a.dialect))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = a.fill(body)
	}
	if err != nil {
		fail(w, a.dialect, http.StatusBadRequest, "the "+o.Name+" provider could not read the body")
		return
	}
	rep := o.reply(a, body)
	w.Header().Set("Content-Type", a.contentType())
	if !a.stream {
		w.Write(rep.unary(a.dialect))
		return
	}
	o.stream(r.Context(), w, a, rep)
}

// reply is the sandbox's one answer, or what Answer says, cut to the output that was asked for.
func (o Options) reply(a ask, body []byte) reply {
	words := o.words(a, body)
	finish := "stop"
	if a.maxOutput > 0 && int64(len(words)) > a.maxOutput {
		words, finish = words[:a.maxOutput], "length"
	}
	return reply{ask: a, model: a.model, id: "sandbox", text: words, choices: a.choices, asked: a.includeUsage, finish: finish,
		tokens: Tokens{Input: int64(len(body))/4 + 1, Output: int64(len(words)) * a.choices}}
}

func (o Options) words(a ask, body []byte) []string {
	if o.Answer != nil {
		if said := o.Answer(body); said != "" {
			return strings.SplitAfter(said, " ")
		}
	}
	text := fmt.Sprintf("Hello from the %s provider. I am not a real model and I cost nothing: I say the same words to everyone. "+
		"You asked for %s, your request came through the broker with the owner's key, and no app has seen that key. ", o.Name, a.model)
	words := strings.SplitAfter(strings.TrimSpace(text), " ")
	for n := len(words); len(words) < o.Words; {
		words = append(words, " "+strings.TrimSpace(words[len(words)%n]))
	}
	return words
}

func (o Options) stream(ctx context.Context, w http.ResponseWriter, a ask, rep reply) {
	head, pieces, tail := rep.stream(a.dialect, a.sse)
	rc := http.NewResponseController(w)
	io.WriteString(w, head)
	rc.Flush()
	for _, p := range pieces {
		if o.Delay > 0 {
			select {
			case <-time.After(o.Delay):
			case <-ctx.Done():
				return
			}
		}
		io.WriteString(w, p)
		rc.Flush()
	}
	io.WriteString(w, tail)
}

func fail(w http.ResponseWriter, d dialect, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, errorBody(d, status, message))
}

// Serve runs a handler on a free port of 127.0.0.1 and returns its origin ("http://127.0.0.1:port") and what stops it at
// once, with all its connections.
func Serve(h http.Handler) (origin string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for a fake provider: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	return "http://" + l.Addr().String(), func() {
		s.Close()
		if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) {
			panic("fakeprovider: serve: " + err.Error())
		}
	}, nil
}
