// Package dialecttest is what every dialect must do, for their tests: what attackers try on bodies, what other JSON readers would
// see in a body that was accepted, and answers that are cut anywhere. Production code may not import it.
package dialecttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// member is one member of an object, in the order of the body.
type member struct {
	name  string
	value json.RawMessage
}

// members takes an object apart without any of the checks that the dialects make.
func members(raw []byte) []member {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return out
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return out
		}
		out = append(out, member{t.(string), v})
	}
	return out
}

// Seen is what different JSON readers see at a path: the first or the last of equal names, exact or without regard to case. A
// member that a reader does not see is "".
func Seen(body []byte, path ...string) map[string]string {
	out := map[string]string{}
	for how, pick := range map[string]func(ms []member, name string) json.RawMessage{
		"first": func(ms []member, name string) json.RawMessage {
			return find(ms, false, func(n string) bool { return n == name })
		},
		"last": func(ms []member, name string) json.RawMessage {
			return find(ms, true, func(n string) bool { return n == name })
		},
		"first, any case": func(ms []member, name string) json.RawMessage {
			return find(ms, false, func(n string) bool { return strings.EqualFold(n, name) })
		},
		"last, any case": func(ms []member, name string) json.RawMessage {
			return find(ms, true, func(n string) bool { return strings.EqualFold(n, name) })
		},
	} {
		v := json.RawMessage(body)
		for _, name := range path {
			v = pick(members(v), name)
		}
		out[how] = string(v)
	}
	return out
}

func find(ms []member, last bool, is func(name string) bool) json.RawMessage {
	var out json.RawMessage
	for _, m := range ms {
		if is(m.name) && (out == nil || last) {
			out = m.value
		}
	}
	return out
}

// Agree fails unless all readers see the same value at a path, in the JSON that is wanted.
func Agree(t testing.TB, body []byte, want any, path ...string) {
	t.Helper()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for how, got := range Seen(body, path...) {
		if got == string(text) {
			continue
		}
		var a, b any
		if json.Unmarshal([]byte(got), &a) == nil && json.Unmarshal(text, &b) == nil && cmp.Equal(a, b) {
			continue
		}
		t.Fatalf("%s: the %s reader sees %q, want %s, in\n%s", strings.Join(path, "."), how, got, text, body)
	}
}

// Refused fails unless a body is refused as Invalid, naming the field ("" for none) and with the words.
func Refused(t testing.TB, d dialect.Dialect, in dialect.Input, field, words string) {
	t.Helper()
	_, err := d.Read(in)
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Kind != problem.Invalid {
		t.Fatalf("%s: got %v, want Invalid", in.Body, err)
	}
	if p.Field != field || !strings.Contains(p.Detail, words) {
		t.Errorf("%s: got %q: %q, want %q: ...%s...", in.Body, p.Field, p.Detail, field, words)
	}
}

// Attacks tries on a good body what makes readers see different things. Each of names is a top-level member of the body.
func Attacks(t *testing.T, d dialect.Dialect, with func(body string) dialect.Input, good string, names ...string) {
	t.Helper()
	if _, err := d.Read(with(good)); err != nil {
		t.Fatalf("the good body: %v", err)
	}
	bodies := map[string]string{
		"nothing": "", "space": "  ", "byte order mark": "\ufeff" + good, "UTF-16": "\xff\xfe{\x00}\x00", "a list": "[" + good + "]", "a text": `"x"`, "null": "null",
		"two values": good + good, "trailing text": good + "x", "trailing comma": good + ",", "NUL behind": good + "\x00", "comment": "/**/" + good,
		"cut": good[:len(good)-1], "bad UTF-8": strings.Replace(good, "hi", "h\xc3\x28", 1), "overlong": strings.Replace(good, "hi", "\xc0\xaf", 1),
		"lone surrogate": strings.Replace(good, "hi", `\ud800`, 1), "raw control": strings.Replace(good, "hi", "h\x01", 1),
		"deep": "{" + `"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "," + good[1:], "very deep": strings.Repeat(`{"a":`, 200_000),
		"unknown": `{"__proto__":1,` + good[1:],
	}
	for _, n := range names {
		raw := string(find(members([]byte(good)), false, func(m string) bool { return m == n }))
		if raw == "" {
			t.Fatalf("the good body has no %s", n)
		}
		escaped := `\u00` + hex(n[0]) + n[1:]
		own := `"` + n + `":`
		bodies[n+" twice in front"] = "{" + own + raw + "," + good[1:]
		bodies[n+" twice behind"] = good[:len(good)-1] + "," + own + raw + "}"
		bodies[n+" twice, escaped"] = good[:len(good)-1] + `,"` + escaped + `":` + raw + "}"
		bodies[n+" escaped"] = strings.Replace(good, own, `"`+escaped+`":`, 1)
		bodies[n+" upper"] = good[:len(good)-1] + `,"` + strings.ToUpper(n) + `":` + raw + "}"
		bodies[n+" title only"] = strings.Replace(good, own, `"`+strings.ToUpper(n[:1])+n[1:]+`":`, 1)
		bodies[n+" space"] = good[:len(good)-1] + `,"` + n + ` ":` + raw + "}"
		bodies[n+" NUL"] = good[:len(good)-1] + `,"` + n + `\u0000":` + raw + "}"
	}
	for name, body := range bodies {
		if body == good {
			t.Fatalf("%s: changes nothing", name)
		}
		if _, err := d.Read(with(body)); problem.KindOf(err) != problem.Invalid || err == nil {
			t.Errorf("%s: got %v, want Invalid, for\n%.300q", name, err, body)
		}
	}
}

func hex(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

// Play lets an answer pass a tap whole, byte by byte, and cut at random, and fails unless what goes on and the usage are the same
// each time. It returns them.
func Play(t testing.TB, tap func() dialect.Tap, answer []byte) (string, passport.Usage) {
	t.Helper()
	out, u := Through(t, tap(), [][]byte{answer})
	cuts := [][][]byte{split(answer, func() int { return 1 }), split(answer, func() int { return 3 })}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		cuts = append(cuts, split(answer, func() int { return 1 + r.IntN(40) }))
	}
	for i, pieces := range cuts {
		again, v := Through(t, tap(), pieces)
		if again != out || v != u {
			t.Fatalf("cut %d: got %+v and\n%q\nwant %+v and\n%q", i, v, again, u, out)
		}
	}
	return out, u
}

// Counts lets an answer pass a tap byte by byte and fails unless what is seen has at every point at least the bytes of the
// texts that have come whole, given in their order. It returns what is seen at the end.
func Counts(t testing.TB, tap func() dialect.Tap, answer []byte, texts ...string) passport.Seen {
	t.Helper()
	tp, at, came := tap(), 0, int64(0)
	for i := range answer {
		if _, err := tp.Pass(answer[i : i+1]); err != nil {
			t.Fatalf("pass: %v", err)
		}
		if len(texts) > 0 && bytes.HasSuffix(answer[at:i+1], []byte(texts[0])) {
			came, at, texts = came+int64(len(texts[0])), i+1, texts[1:]
		}
		if n := tp.Seen().Bytes; n < came {
			t.Fatalf("%d bytes are seen of %d that came, behind %q", n, came, answer[:i+1])
		}
	}
	if len(texts) > 0 {
		t.Fatalf("%q never came", texts[0])
	}
	tp.End()
	seen := tp.Seen()
	if seen.Bytes < came {
		t.Fatalf("%d bytes are seen of %d", seen.Bytes, came)
	}
	return seen
}

// Through lets pieces pass a tap.
func Through(t testing.TB, tap dialect.Tap, pieces [][]byte) (string, passport.Usage) {
	t.Helper()
	var out bytes.Buffer
	in := 0
	for _, p := range pieces {
		p = bytes.Clone(p) // the caller's buffer is used again
		in += len(p)
		got, err := tap.Pass(p)
		if err != nil {
			t.Fatalf("pass: %v", err)
		}
		out.Write(got)
		if out.Len() > in {
			t.Fatalf("%d bytes went on of %d that came", out.Len(), in)
		}
		for i := range p {
			p[i] = 'X'
		}
	}
	rest, u := tap.End()
	out.Write(rest)
	return out.String(), u
}

func split(b []byte, size func() int) [][]byte {
	var out [][]byte
	for len(b) > 0 {
		n := min(size(), len(b))
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

// FuzzTap is the body of a fuzz target: whatever comes, a tap does not panic, gives no more than it got, and says the same about
// the usage wherever the answer is cut.
func FuzzTap(t *testing.T, tap func() dialect.Tap, answer []byte, at uint) {
	run := func(pieces ...[]byte) (string, passport.Usage, bool) {
		tp := tap()
		var out bytes.Buffer
		for _, p := range pieces {
			got, err := tp.Pass(bytes.Clone(p))
			if err != nil {
				if problem.KindOf(err) != problem.UpstreamFailed {
					t.Fatalf("got %v, want UpstreamFailed", err)
				}
				return "", passport.Usage{}, false
			}
			out.Write(got)
			if s := tp.Seen(); s.Bytes < 0 || s.Bytes > int64(len(answer)) {
				t.Fatalf("%d bytes are seen of %d", s.Bytes, len(answer))
			}
		}
		rest, u := tp.End()
		out.Write(rest)
		return out.String(), u, true
	}
	out, u, ok := run(answer)
	if len(out) > len(answer) {
		t.Fatalf("%d bytes went on of %d that came", len(out), len(answer))
	}
	if u.Known && !u.Sane() {
		t.Fatalf("usage %+v is known and not sane", u)
	}
	if len(answer) == 0 {
		return
	}
	cut := int(at % uint(len(answer)))
	again, v, ok2 := run(answer[:cut], answer[cut:])
	if again != out || u != v || ok != ok2 {
		t.Fatalf("cut at %d of %q: got %q %+v, want %q %+v", cut, answer, again, v, out, u)
	}
}

// Problems fails unless every kind of problem is shaped as JSON with its status, and an internal one tells nothing.
func Problems(t *testing.T, d dialect.Dialect, message func(body []byte) string) {
	t.Helper()
	for k := problem.Internal; k <= problem.ClientGone; k++ {
		a := d.Problem(problem.Wrap(errors.New("a cause"), k, "the detail").In("the.field"), "req_1")
		if a.Status != dialect.Status(k) || a.Header.Get("Content-Type") != "application/json" || !json.Valid(a.Body) {
			t.Errorf("kind %d: got %d %v %s", k, a.Status, a.Header, a.Body)
		}
		m := message(a.Body)
		if k == problem.Internal {
			if strings.Contains(m, "detail") || !strings.Contains(m, "internal error") {
				t.Errorf("an internal problem says %q", m)
			}
		} else if !strings.Contains(m, "the detail") {
			t.Errorf("kind %d says %q, want its detail", k, m)
		}
		cut := d.Cut(problem.Wrap(errors.New("a cause"), k, "the detail"))
		for _, b := range [][]byte{a.Body, cut} {
			if bytes.Contains(b, []byte("a cause")) {
				t.Errorf("kind %d tells its cause: %s", k, b)
			}
		}
		for _, mark := range []string{"[DONE]", "message_stop", "finishReason", "finish_reason"} {
			if bytes.Contains(cut, []byte(mark)) {
				t.Errorf("the cut has an end mark: %s", cut)
			}
		}
	}
	if a := d.Problem(nil, ""); a.Status != 500 {
		t.Errorf("no problem is %d, want 500", a.Status)
	}
}
