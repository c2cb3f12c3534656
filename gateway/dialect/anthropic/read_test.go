package anthropic_test

import (
	"encoding/json"
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

const hello = `"max_tokens":9,"messages":[{"role":"user","content":"hi"}]`

func in(body string) dialect.Input { return dialect.Input{Body: []byte(body)} }

// full is a body with every field that may go through.
const full = `{"model":"claude-opus-4-6","max_tokens":1024,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},
 {"type":"text","text":"x","citations":null},{"type":"tool_use","id":"i","name":"n","input":{"Model":1,"\u0061":2},"caller":{"type":"direct"}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"i","is_error":false,"content":[{"type":"text","text":"r"}],"cache_control":{"type":"ephemeral"}},
 {"type":"tool_result","tool_use_id":"j","content":"r"}]},{"role":"system","content":"s"}],
 "temperature":1.0,"top_k":5,"top_p":0.7,"stop_sequences":["a"],"stream":true,"metadata":{"user_id":"u"},"service_tier":"standard_only","cache_control":{"type":"ephemeral","ttl":"5m"},
 "tools":[{"name":"n","input_schema":{"type":"object"}},{"type":"custom","name":"m","description":"d","input_schema":{},"strict":true,"eager_input_streaming":true,"defer_loading":false,
 "cache_control":null,"input_examples":[{}],"allowed_callers":["direct"]}],"tool_choice":{"type":"tool","name":"n","disable_parallel_tool_use":true},
 "thinking":{"type":"enabled","budget_tokens":1000,"display":"omitted"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}},"speed":"standard","inference_geo":"global"}`

func TestEveryAllowedFieldIsRead(t *testing.T) {
	i := in(full)
	i.Query = url.Values{"beta": {"true"}}
	i.Header = http.Header{"Anthropic-Version": {"2026-10-21"}, "X-Other": {"x"}, "Anthropic-Beta": {"interleaved-thinking-2025-05-14, ,extended-cache-ttl-2025-04-11", "message-threads-2026-08-12,structured-outputs-2025-11-13"}}
	r, err := anthropic.New().Read(i)
	if err != nil {
		t.Fatal(err)
	}
	want := passport.Call{Provider: passport.Anthropic, Kind: passport.KindChat, Model: "claude-opus-4-6", Uses: []passport.Capability{passport.Chat}, Stream: true,
		BodyBytes: int64(len(full)), Parts: 7, MaxOutput: passport.LimitOf(1024), MinOutput: 1256, Choices: 1}
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(r.Call.MaxOutput.Or(0))); got != full {
		t.Errorf("the body was changed to\n%s", got)
	}
	header := http.Header{"Anthropic-Version": {"2026-10-21"}, "Anthropic-Beta": {"interleaved-thinking-2025-05-14,extended-cache-ttl-2025-04-11,structured-outputs-2025-11-13"}}
	if d := cmp.Diff(header, r.Header); d != "" || r.Path != "/v1/messages" {
		t.Errorf("got %q %s", r.Path, d)
	}
}

func TestWhatGoesUpstream(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m",` + hello + `}`:                                `{"service_tier":"standard_only","model":"m",` + hello + `}`,
		`{ "service_tier" : null ,"model":"m",` + hello + `}`:        `{ "service_tier" : "standard_only" ,"model":"m",` + hello + `}`,
		`{"service_tier":"standard_only","model":"m",` + hello + `}`: `{"service_tier":"standard_only","model":"m",` + hello + `}`,
	} {
		r, err := anthropic.New().Read(in(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Body(r.Call.MaxOutput.Or(0))); got != want || r.Call.BodyBytes != int64(len(want)) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if v := r.Header.Get("Anthropic-Version"); v != anthropic.DefaultVersion {
			t.Errorf("the version is %q", v)
		}
	}
}

// TestWhatCostsExtraIsRefusedByName: one case for each parameter that costs more than the call says (THREATS row 4).
func TestWhatCostsExtraIsRefusedByName(t *testing.T) {
	for _, c := range []struct{ member, field, words string }{
		{`"service_tier":"auto"`, "service_tier", "standard_only"},
		{`"service_tier":"priority"`, "service_tier", "standard_only"},
		{`"speed":"fast"`, "speed", "standard"},
		{`"inference_geo":"us"`, "inference_geo", "global"},
		{`"container":"c"`, "container", "containers"},
		{`"container":null`, "container", "containers"},
		{`"mcp_servers":[]`, "mcp_servers", "hosted tools"},
		{`"context_management":{}`, "context_management", "not priced"},
		{`"thread":{"type":"continue"}`, "thread", "send the messages"},
		{`"fallbacks":[{"model":"m2"}]`, "fallbacks", "another model"},
		{`"diagnostics":{}`, "diagnostics", "other apps"},
		{`"user_profile_id":"u"`, "user_profile_id", "shared"},
		{`"anything":null`, "anything", "unknown or not allowed"},
		{`"max_completion_tokens":1`, "max_completion_tokens", "unknown or not allowed"},
		{`"n":2`, "n", "unknown or not allowed"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"name":"web_search","max_uses":5}]`, "tools[0].max_uses", "hosted tools"},
		{`"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"type":"code_execution_20250825","name":"code_execution"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"type":"tool_search_tool_bm25_20251119","name":"x"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"type":"mcp_toolset","mcp_server_name":"x"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"type":"advisor_20260301","name":"x"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"type":"bash_20250124","name":"bash"}]`, "tools[0].type", "define the tool yourself"},
		{`"tools":[{"type":"text_editor_20250728","name":"x"}]`, "tools[0].type", "define the tool yourself"},
		{`"tools":[{"type":"computer_20250124","name":"x"}]`, "tools[0].type", "define the tool yourself"},
		{`"tools":[{"type":"memory_20250818","name":"x"}]`, "tools[0].type", "define the tool yourself"},
		{`"tools":[{"name":"x","allowed_callers":["code_execution_20250825"]}]`, "tools[0].allowed_callers[0]", "direct"},
		{`"tools":[{"name":"x","input_schema":5}]`, "tools[0].input_schema", "expected object"},
		{`"tools":[{"name":"x","x":null}]`, "tools[0].x", "unknown or not allowed"},
		{`"cache_control":{"type":"ephemeral","ttl":"24h"}`, "cache_control.ttl", "5m, 1h"},
		{`"cache_control":{"type":"permanent"}`, "cache_control.type", "ephemeral"},
		{`"thinking":{"type":"enabled","budget_tokens":1e4}`, "thinking.budget_tokens", "digits only"},
		{`"output_config":{"task_budget":{}}`, "output_config.task_budget", "unknown or not allowed"},
		{`"metadata":{"x":1}`, "metadata.x", "unknown or not allowed"},
		{`"system":5`, "system", "expected string"},
		{`"system":[{"type":"image","source":{}}]`, "system[0].type", "not priced yet"},
		{`"system":[{"type":"tool_use"}]`, "system[0].type", "only text"},
		{`"stream":"true"`, "stream", "expected boolean"},
		{`"tool_choice":{"type":"server"}`, "tool_choice.type", "one of"},
	} {
		dialecttest.Refused(t, anthropic.New(), in(`{"model":"m",`+hello+`,`+c.member+`}`), c.field, c.words)
	}
	for _, c := range []struct{ block, field, words string }{
		{`{"type":"image","source":{"type":"url","url":"https://x"}}`, ".type", "not priced yet"},
		{`{"source":{"type":"base64"},"type":"text"}`, ".source", "not priced yet"},
		{`{"type":"document","source":{}}`, ".type", "not priced yet"},
		{`{"type":"container_upload","file_id":"f"}`, ".type", "not priced yet"},
		{`{"type":"search_result"}`, ".type", "not priced yet"},
		{`{"type":"server_tool_use","id":"i"}`, ".type", "hosted tools"},
		{`{"type":"web_search_tool_result"}`, ".type", "hosted tools"},
		{`{"type":"mcp_tool_use"}`, ".type", "hosted tools"},
		{`{"type":"mcp_tool_result"}`, ".type", "hosted tools"},
		{`{"type":"code_execution_tool_result"}`, ".type", "hosted tools"},
		{`{"type":"compaction"}`, ".type", "unknown or not allowed"},
		{`{"type":"tool_use","id":"i","name":"n","input":{},"caller":{"type":"code_execution_20250825"}}`, ".caller.type", "direct"},
		{`{"type":"tool_result","tool_use_id":"i","content":[{"type":"image","source":{}}]}`, ".content[0].type", "not priced yet"},
		{`{"type":"tool_result","tool_use_id":"i","content":[{"type":"tool_result","content":[]}]}`, ".content[0].type", "only text"},
		{`{"text":"x"}`, ".type", "has a type"},
		{`{"type":"text","text":"x","Text":"y"}`, ".Text", "unknown or not allowed"},
		{`{"type":"text","text":"x","y":null}`, ".y", "unknown or not allowed"},
	} {
		dialecttest.Refused(t, anthropic.New(), in(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[`+c.block+`]}]}`), "messages[0].content[0]"+c.field, c.words)
	}
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	for body, field := range map[string]string{
		`{` + hello + `}`: "model", `{"model":"m",` + messages + `}`: "max_tokens", `{"model":"m","max_tokens":null,` + messages + `}`: "max_tokens",
		`{"model":"m","max_tokens":-1,` + messages + `}`: "max_tokens", `{"model":"m","max_tokens":1.0,` + messages + `}`: "max_tokens",
		`{"model":"m","max_tokens":"1",` + messages + `}`: "max_tokens", `{"model":"m","max_tokens":1e3,` + messages + `}`: "max_tokens",
		`{"model":"m","max_tokens":10000000000,` + messages + `}`: "max_tokens", `{"model":"m","max_tokens":1}`: "messages",
		`{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}`: "messages[0].content", `{"model":"m","max_tokens":1,"messages":[{"content":""}]}`: "messages[0].role",
		`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":null}]}`: "messages[0].content", `{"model":5,` + hello + `}`: "model",
	} {
		dialecttest.Refused(t, anthropic.New(), in(body), field, "")
	}
}

func TestHeadersThatMayChangeThePriceAreRefused(t *testing.T) {
	good := `{"model":"m",` + hello + `}`
	for _, beta := range []string{"context-1m-2025-08-07", "fast-mode-2026-02-01", "code-execution-2025-05-22", "files-api-2025-04-14", "mcp-client-2025-11-20",
		"interleaved-thinking-2025-05-14,skills-2025-10-02", "unheard-of-2030-01-01", "Interleaved-Thinking-2025-05-14"} {
		i := in(good)
		i.Header = http.Header{"Anthropic-Beta": {beta}}
		dialecttest.Refused(t, anthropic.New(), i, "anthropic-beta", "not priced")
	}
	for _, version := range [][]string{{"2023-06-01", "2026-10-21"}, {"latest"}, {"2023-06-01\r\nx: y"}} {
		i := in(good)
		i.Header = http.Header{"Anthropic-Version": version}
		dialecttest.Refused(t, anthropic.New(), i, "anthropic-version", "one date")
	}
	i := in(good)
	i.Query = url.Values{"x": {"1"}}
	dialecttest.Refused(t, anthropic.New(), i, "x", "query")
}

func TestReadersCannotBeMadeToDiffer(t *testing.T) {
	dialecttest.Attacks(t, anthropic.New(), in, `{"model":"m","stream":false,"service_tier":"standard_only",`+hello+`}`, "model", "messages", "max_tokens", "stream", "service_tier")
}

// TestALowerCapGoesInItsPlace, and leaves room for what the call sets aside for thinking.
func TestALowerCapGoesInItsPlace(t *testing.T) {
	for _, c := range []struct {
		body, want string
		least      int64
	}{
		{`{"model":"m","max_tokens": 5000,` + hello2 + `}`, `{"service_tier":"standard_only","model":"m","max_tokens": 2000,` + hello2 + `}`, 0},
		{`{"model":"m","max_tokens":5000,"service_tier":null,` + hello2 + `}`, `{"model":"m","max_tokens":2000,"service_tier":"standard_only",` + hello2 + `}`, 0},
		{`{"model":"m","max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":1024},"service_tier":"standard_only",` + hello2 + `}`,
			`{"model":"m","max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":1024},"service_tier":"standard_only",` + hello2 + `}`, 1280},
		{`{"model":"m","max_tokens":5000,"thinking":{"type":"disabled"},"service_tier":"standard_only",` + hello2 + `}`,
			`{"model":"m","max_tokens":2000,"thinking":{"type":"disabled"},"service_tier":"standard_only",` + hello2 + `}`, 0},
	} {
		r, err := anthropic.New().Read(in(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Body(2000)); got != c.want || r.Call.MinOutput != c.least {
			t.Errorf("got, with %d at least,\n%s\nwant\n%s", r.Call.MinOutput, got, c.want)
		}
	}
}

const hello2 = `"messages":[{"role":"user","content":"hi"}]`

func FuzzRead(f *testing.F) {
	for _, s := range []string{full, `{"model":"m",` + hello + `}`, `{"service_tier":null,"model":"m",` + hello + `}`, `{"model":"m","Max_tokens":5,` + hello + `}`,
		`{"model":"m","max_to\u006bens":5,"messages":[]}`, `{"model":"m","max_toKens":5,` + hello + `}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := anthropic.New().Read(dialect.Input{Body: body})
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%q: %v is not Invalid", body, err)
			}
			return
		}
		n, _ := r.Call.MaxOutput.Get()
		sent := r.Body(n)
		if !json.Valid(sent) || r.Call.BodyBytes != int64(len(sent)) {
			t.Fatalf("%q is sent as %q, %d bytes", body, sent, r.Call.BodyBytes)
		}
		dialecttest.Agree(t, sent, r.Call.Model, "model")
		dialecttest.Agree(t, sent, n, "max_tokens")
		if lower := r.Body(n / 2); n > 1 {
			dialecttest.Agree(t, lower, n/2, "max_tokens")
			dialecttest.Agree(t, lower, "standard_only", "service_tier")
		}
		dialecttest.Agree(t, sent, "standard_only", "service_tier")
		if r.Call.Stream {
			dialecttest.Agree(t, sent, true, "stream")
		}
		if strings.Contains(string(sent), `"mcp_servers"`) && dialecttest.Seen(sent, "mcp_servers")["first"] != "" {
			t.Fatalf("hosted tools got through: %q", sent)
		}
	})
}
