// Package testutil holds what the tests of several packages need: a fake provider that ends with its test, a context that
// cannot hang, server-sent events. It is imported by tests only.
package testutil

import (
	"bufio"
	"context"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// Patience is how long a test waits for what must happen, on a machine that is busy with other things.
const Patience = 60 * time.Second

// Context ends with the test, or after Patience, so that a wait that is never over fails and does not hang.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), Patience, errPatience)
	t.Cleanup(cancel)
	return ctx
}

var errPatience = patience{}

type patience struct{}

func (patience) Error() string { return "waited " + Patience.String() + " in vain" }

// Provider starts a fake provider. At its end the test fails if the fake was asked for anything in a way that a provider
// would not expect.
func Provider(t testing.TB, k fakeprovider.Keys) *fakeprovider.Fake {
	t.Helper()
	f := fakeprovider.New(k)
	stop, err := f.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		for _, w := range f.Wrong() {
			t.Errorf("the provider was asked wrongly: %s", w)
		}
	})
	return f
}

// Event is one server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type Event struct{ Name, Data string }

// Events reads server-sent events until the stream ends. The error is nil where it ended between two events.
func Events(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		br := bufio.NewReader(r)
		var e Event
		var data []string
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				if err == io.EOF && line == "" && data == nil {
					return
				}
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				yield(Event{}, err)
				return
			}
			line = strings.TrimRight(line, "\r\n")
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case line == "" && data == nil:
			case line == "":
				e.Data = strings.Join(data, "\n")
				if !yield(e, nil) {
					return
				}
				e, data = Event{}, nil
			case name == "data":
				data = append(data, value)
			case name == "event":
				e.Name = value
			}
		}
	}
}

// Open lets one thing through a gate, or fails the test where nobody comes to it.
func Open(t testing.TB, gate chan<- struct{}) {
	t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case gate <- struct{}{}:
	case <-timer.C:
		t.Fatal("nobody came to the gate")
	}
}
