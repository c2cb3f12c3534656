package anthropic_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func count(body string) dialect.Input {
	return dialect.Input{Method: anthropic.CountTokens, Body: []byte(body)}
}

// counted is a body with every field that a count takes.
const counted = `{"model":"claude-opus-4-6","system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"hi"},
 {"role":"assistant","content":[{"type":"server_tool_use","id":"i","name":"web_search","input":{}}]}],
 "tools":[{"name":"n","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"auto"},"thinking":{"type":"enabled","budget_tokens":1000},
 "output_config":{"effort":"low"},"output_format":{"type":"json_schema","schema":{}},"cache_control":{"type":"ephemeral"},"speed":"standard"}`

// TestACountIsReadAndGoesAsItIs: nothing is put in, it needs chat alone, and it counts as no message.
func TestACountIsReadAndGoesAsItIs(t *testing.T) {
	i := count(counted)
	i.Query = url.Values{"beta": {"true"}}
	i.Header = http.Header{"Anthropic-Version": {"2026-10-21"}, "Anthropic-Beta": {"token-counting-2024-11-01"}}
	r, err := anthropic.New().Read(i)
	if err != nil {
		t.Fatal(err)
	}
	want := passport.Call{Provider: passport.Anthropic, Kind: passport.KindCount, Model: "claude-opus-4-6", Uses: []passport.Capability{passport.Chat},
		BodyBytes: int64(len(counted)), Choices: 1}
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(0)); got != counted || r.Path != "/v1/messages/count_tokens" {
		t.Errorf("%s: the body became\n%s", r.Path, got)
	}
	if d := cmp.Diff(http.Header{"Anthropic-Version": {"2026-10-21"}, "Anthropic-Beta": {"token-counting-2024-11-01"}}, r.Header); d != "" {
		t.Error(d)
	}
}

func TestWhatACountRefuses(t *testing.T) {
	const base = `{"model":"m","messages":[{"role":"user","content":"hi"}]`
	for _, c := range []struct{ member, field, words string }{
		{`"max_tokens":1`, "max_tokens", "in a count"},
		{`"stream":true`, "stream", "in a count"},
		{`"temperature":1`, "temperature", "in a count"},
		{`"made_up":null`, "made_up", "in a count"},
		{`"mcp_servers":[]`, "mcp_servers", "hosted tools"},
		{`"context_management":{}`, "context_management", "not priced"},
		{`"container":"c"`, "container", "shared"},
		{`"tools":[{"type":"bash_20250124","name":"bash"}]`, "tools[0].type", "define the tool yourself"},
		{`"system":[{"type":"document","source":{}}]`, "system[0].type", "document"},
	} {
		dialecttest.Refused(t, anthropic.New(), count(base+`,`+c.member+`}`), c.field, c.words)
	}
	dialecttest.Refused(t, anthropic.New(), count(`{"messages":[]}`), "model", "named")
	dialecttest.Refused(t, anthropic.New(), count(`{"model":"m"}`), "messages", "required")
	_, err := anthropic.New().Read(count(base + `,"thread":{"type":"continue"}}`))
	if p, ok := errors.AsType[*problem.Error](err); !ok || p.Field != "thread" || !strings.Contains(string(anthropic.New().Problem(p, "r").Body), "thread_unsupported_request") {
		t.Errorf("a thread: got %v", err)
	}
}

func TestReadersOfACountCannotBeMadeToDiffer(t *testing.T) {
	dialecttest.Attacks(t, anthropic.New(), count, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, "model", "messages")
}

// TestACountCostsNothing, whatever it says, if it is an answer.
func TestACountCostsNothing(t *testing.T) {
	r, err := anthropic.New().Read(count(counted))
	if err != nil {
		t.Fatal(err)
	}
	for answer, known := range map[string]bool{`{"input_tokens":14}`: true, `{}`: true, `{"input_tokens":`: false, ``: false} {
		out, u := dialecttest.Play(t, r.Tap, []byte(answer))
		if out != answer || u != (passport.Usage{Known: known}) {
			t.Errorf("%s: got %s %+v", answer, out, u)
		}
	}
}

func FuzzReadCount(f *testing.F) {
	f.Add(counted)
	f.Add(`{"model":"m","messages":[]}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := anthropic.New().Read(count(body))
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("got %v, want Invalid", err)
			}
			return
		}
		if string(r.Body(0)) != body || r.Call.Kind != passport.KindCount {
			t.Fatalf("got %+v", r.Call)
		}
		dialecttest.Agree(t, []byte(body), r.Call.Model, "model")
		if seen := dialecttest.Seen([]byte(body), "max_tokens"); seen["last, any case"] != "" {
			t.Fatalf("max_tokens went through in %s", body)
		}
	})
}
