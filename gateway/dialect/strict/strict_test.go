package strict_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/problem"
)

// document reads {"n":int, "free":anything, "list":[texts], "in":{...}}.
func document(body string) error {
	return strict.Read([]byte(body), func(r *strict.Reader) error { return object(r) })
}

func object(r *strict.Reader) error {
	return r.Object(func(name string) (err error) {
		switch name {
		case "n":
			_, err = r.Int(-5, 1<<53)
			return err
		case "free":
			return r.Any()
		case "list":
			return r.Strings()
		case "in":
			return object(r)
		default:
			return r.Unknown()
		}
	})
}

func TestWhatIsRefusedAndWhere(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ body, field, words string }{
		{`{}`, "-", ""},
		{"\n{ \"n\" : -5 , \"free\" : {\"a\":[null,1e9,\"\\u0000\"],\"\\u0061b\":2} , \"list\":[ ] } \n", "-", ""},
		{`{"n":9007199254740992}`, "-", ""},
		{`{"free":` + nest(63) + `}`, "-", ""},
		{`{"free":` + nest(64) + `}`, "", "deeper than 64"},
		{`{"in":{"free":` + nest(62) + `}}`, "-", ""},
		{`{"in":{"free":` + nest(63) + `}}`, "", "deeper than 64"},
		{`{"free":["` + strings.Repeat(`\"[{`, 70) + `\\",[],{"a[\\\"[":[]}]}`, "-", ""}, // brackets in texts are none
		{`{"free":["\\",` + nest(63) + `]}`, "", "deeper than 64"},
		{`{"free":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "", "not valid JSON"},
		{strings.Repeat(`{"in":`, 64) + `{}` + strings.Repeat("}", 64), "", "deeper than 64"},
		{strings.Repeat(`{"in":`, 63) + `{}` + strings.Repeat("}", 63), "-", ""},
		{`{"\u006e":1}`, "n", "escapes"},
		{`{"in":{"l\u0069st":[]}}`, "in.list", "escapes"},
		{`{"N":1}`, "N", "unknown or not allowed"},
		{`{"n":1,"n":1}`, "n", "twice"},
		{`{"free":{"a":1,"\u0061":1}}`, "free.a", "twice"},
		{`{"free":[0,{"a":{"b":1,"b":1}}]}`, "free[1].a.b", "twice"},
		{`{"n":9007199254740993}`, "n", "whole number"},
		{`{"n":-6}`, "n", "whole number"}, {`{"n":-0}`, "n", "whole number"}, {`{"n":1.0}`, "n", "whole number"}, {`{"n":1E2}`, "n", "whole number"},
		{`{"n":01}`, "", "not valid JSON"}, {`{"n":+1}`, "", "not valid JSON"}, {`{"n":NaN}`, "", "not valid JSON"}, {`{"n":0x1}`, "", "not valid JSON"},
		{`{"n":true}`, "n", "expected number, received boolean"}, {`{"list":["a",5]}`, "list[1]", "expected string, received number"},
		{`{"list":[{}]}`, "list[0]", "expected string, received object"}, {`{"list":null}`, "list", "expected array, received null"},
		{`{}{}`, "", "more than one"}, {`{}x`, "", "more than one"}, {`{},`, "", "more than one"}, {"{}\x00", "", "more than one"},
		{``, "", "not valid JSON"}, {"\ufeff{}", "", "not valid JSON"}, {`{"n":1,}`, "", "not valid JSON"}, {`{"n" 1}`, "", "not valid JSON"}, {`{"n":`, "", "not valid JSON"},
		{"{\"free\":\"\xff\"}", "", "not valid JSON"}, {`{"free":"\udc00"}`, "", "not valid JSON"}, {"{\"free\":\"\t\"}", "", "not valid JSON"},
		{`{"` + strings.Repeat("x", 500) + `":1}`, "...", "unknown"},
	} {
		err := document(c.body)
		if c.field == "-" {
			if err != nil {
				t.Errorf("%.80q: %v", c.body, err)
			}
			continue
		}
		p := problem.From(err)
		if err == nil || p.Kind != problem.Invalid || p.Field != c.field || !strings.Contains(p.Detail, c.words) {
			t.Errorf("%.80q: got %v, want %q: ...%s...", c.body, err, c.field, c.words)
		}
	}
}

func TestSplice(t *testing.T) {
	body := []byte(`{"a":1,"b":null}`)
	for _, c := range []struct {
		edits []strict.Edit
		want  string
	}{
		{nil, `{"a":1,"b":null}`},
		{[]strict.Edit{{At: 1, Text: `"c":2,`}, {At: 1, Text: `"d":3,`}}, `{"c":2,"d":3,"a":1,"b":null}`},
		{[]strict.Edit{{At: 11, Cut: 4, Text: "5"}, {At: 5, Cut: 1, Text: "10"}}, `{"a":10,"b":5}`},
	} {
		got := strict.Splice(body, c.edits...)
		if string(got) != c.want || int64(len(got)-len(body)) != strict.Growth(c.edits) {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if string(body) != `{"a":1,"b":null}` {
		t.Errorf("the body itself became %s", body)
	}
	slot := strict.Slot{Edit: strict.Edit{At: 1, Text: `"n":`}, After: ","}
	if got := string(strict.Splice(body, slot.With(-7))); got != `{"n":-7,"a":1,"b":null}` {
		t.Errorf("got %s", got)
	}
	if got := string(strict.Splice(body, slot.With(8))); got != `{"n":8,"a":1,"b":null}` {
		t.Errorf("a slot is used once only: got %s", got)
	}
}

func TestField(t *testing.T) {
	for p, want := range map[jsontext.Pointer]string{"": "", "/a": "a", "/a/0/b": "a[0].b", "/0": "[0]", "/a~1b/c~0": "a/b.c~"} {
		if got := strict.Field(p); got != want {
			t.Errorf("%q: got %q, want %q", p, got, want)
		}
	}
}

// TestCausesNameNoMembers: the cause of an error goes to the log, and the caller's own names do not.
func TestCausesNameNoMembers(t *testing.T) {
	for _, body := range []string{`{"canary":tru}`, `{"canary":[1,]}`, `{"canary":"\q"}`, `{"canary":{"canary":1,"canary":2}}`, "{\"canary\":\"\xff\"}", `{"canary`} {
		err := strict.Read([]byte(body), (*strict.Reader).Any)
		if p := problem.From(err); p == nil || p.Kind != problem.Invalid || p.Cause != nil && strings.Contains(p.Cause.Error(), "canary") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestNothingIsKeptOfLargeOrRefusedBodies: the names of each level would stay with a reader that is used again.
func TestNothingIsKeptOfLargeOrRefusedBodies(t *testing.T) {
	var names strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&names, `"%05d":0,`, i)
	}
	names.WriteString(`"z":0`)
	heap := func() int64 {
		runtime.GC() // once: what a pool has survives it
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for depth := 100; depth > 40; depth-- { // the deepest first: each leaves its level
		err := document(`{"free":` + strings.Repeat(`{"a":`, depth) + "{" + names.String() + "}" + strings.Repeat("}", depth) + "}")
		if refused := depth > 62; (err != nil) != refused {
			t.Fatalf("%d deep: %v", depth, err)
		}
	}
	if kept := heap() - before; kept > 4<<20 {
		t.Errorf("%d bytes are kept", kept)
	}
}
