package tap_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// loud turns answers into shouting. It cannot turn what says no.
type loud struct{}

func (loud) turn(data []byte) ([]byte, error) {
	if bytes.Contains(data, []byte("no")) {
		return nil, problem.New(problem.UpstreamFailed, "it says no")
	}
	return append(bytes.ToUpper(data), '\n'), nil
}

func (l loud) Event(data []byte) ([]byte, error) { return l.turn(data) }
func (l loud) Whole(data []byte) ([]byte, error) { return l.turn(data) }
func (loud) End() []byte                         { return []byte("THE END") }

// turned is the tap of a streamed chat completion that is turned.
func turned(t *testing.T) *tap.Turned {
	t.Helper()
	r, err := openai.New().Read(dialect.Input{Body: []byte(`{"model":"m","stream":true,"messages":[]}`)})
	if err != nil {
		t.Fatal(err)
	}
	return tap.Turn(r.Tap(), loud{})
}

const (
	hello = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
	used  = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
	done  = "data: [DONE]\n\n"
)

// TestATurnedAnswer: what goes on, what is reckoned, and whether it can go on, however the answer is cut.
func TestATurnedAnswer(t *testing.T) {
	use := passport.Usage{Known: true, Input: 3, Output: 2}
	const loudHello, loudUsed = `{"CHOICES":[{"DELTA":{"CONTENT":"HI"}}]}` + "\n", `{"CHOICES":[],"USAGE":{"PROMPT_TOKENS":3,"COMPLETION_TOKENS":2}}` + "\n"
	for _, c := range []struct {
		name, answer, out string
		use               passport.Usage
		faulty            bool
	}{
		{"stream", " \n: comment\n\n" + hello + used + done, loudHello + loudUsed + "[DONE]\nTHE END", use, false},
		{"last line missing", hello + used + strings.TrimRight(done, "\n"), loudHello + loudUsed + "[DONE]\nTHE END", use, false},
		{"cut", hello + used, loudHello + loudUsed, passport.Usage{}, false},
		{"whole", `{"usage":{"prompt_tokens":3,"completion_tokens":2}}`, `{"USAGE":{"PROMPT_TOKENS":3,"COMPLETION_TOKENS":2}}` + "\n", use, false},
		{"whole that cannot be turned", `{"no":1,"usage":{"prompt_tokens":3,"completion_tokens":2}}`, "", use, true},
		{"nothing", "", "", passport.Usage{}, false},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			x := turned(t)
			var out []byte
			for rest := []byte(c.answer); len(rest) > 0; {
				n := min(size, len(rest))
				p, err := x.Pass(rest[:n])
				if err != nil {
					t.Fatal(c.name, err)
				}
				out, rest = append(out, p...), rest[n:]
			}
			rest, u := x.End()
			out = append(out, rest...)
			if string(out) != c.out || u != c.use || (x.Err() != nil) != c.faulty {
				t.Errorf("%s by %d: got %q %+v %v", c.name, size, out, u, x.Err())
			}
		}
	}
}

// TestWhatCannotBeTurnedFails, and nothing goes on after it.
func TestWhatCannotBeTurnedFails(t *testing.T) {
	long := `{"x":"` + strings.Repeat("y", tap.MaxWhole) + `"}`
	for name, answer := range map[string]string{
		"an event that cannot be turned": "data: no\n\n" + hello, "an array": `[{}]`, "no answer": "<html>", "a long answer": long,
		"a long event": "data: " + strings.Repeat("x", dialect.MaxEvent) + "\n\n",
	} {
		x := turned(t)
		out, err := x.Pass([]byte(answer))
		if problem.KindOf(err) != problem.UpstreamFailed || len(out) > 0 {
			t.Errorf("%s: got %.80q %v", name, out, err)
		}
		if out, err := x.Pass([]byte(hello)); err == nil || len(out) > 0 {
			t.Errorf("%s: went on with %q", name, out)
		}
		if _, over := x.Over(); over {
			t.Errorf("%s: is over", name)
		}
		if rest, _ := x.End(); len(rest) > 0 || x.Err() == nil {
			t.Errorf("%s: ended with %q", name, rest)
		}
	}
}
