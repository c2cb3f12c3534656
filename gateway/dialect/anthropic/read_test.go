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

// png is an image of 64 by 48 pixels.
const png = "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAAGklEQVR4nO3BgQAAAADDoPlTX+AIVQEAAHwDDDAAARSbMNkAAAAASUVORK5CYII="

// TestImagesAreReadAndLeftOutOfTheText, also those in a tool's result.
func TestImagesAreReadAndLeftOutOfTheText(t *testing.T) {
	image := func(data string) string {
		return `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"},"cache_control":{"type":"ephemeral"}}`
	}
	body := func(a, b string) string {
		return `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":[` + a + `,{"type":"tool_result","tool_use_id":"t","content":[` + b + `]}]}],"service_tier":"standard_only"}`
	}
	r, err := anthropic.New().Read(in(body(image(png), image(png))))
	if err != nil {
		t.Fatal(err)
	}
	shown := passport.Image{Width: 64, Height: 48, Detail: "auto", Bytes: int64(len(png))}
	want := passport.Call{Provider: passport.Anthropic, Kind: passport.KindChat, Model: "claude-sonnet-4-5", Uses: []passport.Capability{passport.Chat},
		BodyBytes: int64(len(body(image(""), image("")))), Parts: 1, Images: []passport.Image{shown, shown}, MaxOutput: passport.LimitOf(9), Choices: 1}
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(9)); got != body(image(png), image(png)) {
		t.Errorf("the body was changed to %.300s", got)
	}
}

// TestAWebSearchIsBounded: by what its caller says, or by what is put in.
func TestAWebSearchIsBounded(t *testing.T) {
	const head, tail = `{"service_tier":"standard_only","model":"m",` + hello + `,"tools":[{"name":"f","input_schema":{}},`, `]}`
	for tool, want := range map[string]struct {
		sent     string
		searches int64
	}{
		`{"type":"web_search_20250305","name":"web_search","max_uses":3}`:        {`{"type":"web_search_20250305","name":"web_search","max_uses":3}`, 3},
		`{"type":"web_search_20250305","name":"web_search"}`:                     {`{"max_uses":5,"type":"web_search_20250305","name":"web_search"}`, 5},
		` { "name":"web_search","type":"web_search_20250305","max_uses" : null}`: {` { "name":"web_search","type":"web_search_20250305","max_uses" : 5}`, 5},
		`{"type":"web_search_20250305","name":"web_search","max_uses":1,"allowed_domains":["a.example"],"blocked_domains":null,"user_location":{"type":"approximate","city":"B","country":null},"cache_control":{"type":"ephemeral"}}`: {"", 1},
	} {
		r, err := anthropic.New().Read(in(head + tool + tail))
		if err != nil {
			t.Errorf("%s: %v", tool, err)
			continue
		}
		if want.sent == "" {
			want.sent = tool
		}
		if got := string(r.Body(9)); got != head+want.sent+tail || r.Call.BodyBytes != int64(len(got)) {
			t.Errorf("got\n%s\nwant\n%s", got, head+want.sent+tail)
		}
		if d := cmp.Diff([]passport.Capability{passport.Chat, passport.Search}, r.Call.Uses); d != "" || r.Call.Searches != want.searches {
			t.Errorf("%s: %d searches, %s", tool, r.Call.Searches, d)
		}
	}
	// What an earlier search found comes back sealed, and only with the tool.
	const found = `"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}},
		{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","url":"https://a.example","title":"t","encrypted_content":"xyz","page_age":null}]},
		{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}}]}]`
	dialecttest.Refused(t, anthropic.New(), in(`{`+found+`}`), "messages", "give the tool web_search_20250305 too")
	if _, err := anthropic.New().Read(in(`{` + found + `,"tools":[{"type":"web_search_20250305","name":"web_search"}]}`)); err != nil {
		t.Error(err)
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
		{`"tools":[{"name":"web_search","max_uses":5}]`, "tools[0].max_uses", "only a tool of type web_search_20250305"},
		{`"tools":[{"name":"x","user_location":{"type":"approximate"}}]`, "tools[0].user_location", "only a tool of type web_search_20250305"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":0}]`, "tools[0].max_uses", "from 1 to 100"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":101}]`, "tools[0].max_uses", "from 1 to 100"},
		{`"tools":[{"type":"web_search_20250305","name":"search"}]`, "tools[0].name", "web_search"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search","input_schema":{}}]`, "tools[0].input_schema", "has none"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search","allowed_callers":["direct"]}]`, "tools[0].allowed_callers", "has none"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search","price":1}]`, "tools[0].price", "unknown or not allowed"},
		{`"tools":[{"type":"web_search_20250305","name":"web_search"},{"type":"web_search_20250305","name":"web_search"}]`, "tools[1].type", "already"},
		{`"tools":[{"type":"web_search_20260209","name":"web_search"}]`, "tools[0].type", "runs programs"},
		{`"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]`, "tools[0].type", "hosted tools"},
		{`"tools":[{"type":"code_execution_20250825","name":"code_execution"}]`, "tools[0].type", "by the hour"},
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
		{`"system":[{"type":"image","source":{}}]`, "system[0].type", "only these blocks"},
		{`"system":[{"type":"tool_use"}]`, "system[0].type", "only these blocks are allowed here: text"},
		{`"stream":"true"`, "stream", "expected boolean"},
		{`"tool_choice":{"type":"server"}`, "tool_choice.type", "one of"},
	} {
		dialecttest.Refused(t, anthropic.New(), in(`{"model":"m",`+hello+`,`+c.member+`}`), c.field, c.words)
	}
	for _, c := range []struct{ block, field, words string }{
		{`{"type":"image","source":{"type":"url","url":"https://x"}}`, ".source.type", "in the body itself"},
		{`{"type":"image","source":{"url":"https://x","type":"url"}}`, ".source.url", "in the body itself"},
		{`{"type":"image","source":{"type":"file","file_id":"f"}}`, ".source.type", "in the body itself"},
		{`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}`, ".source.data", "not an image"},
		{`{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"` + png + `"}}`, ".source.data", "not what the call says"},
		{`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%%"}}`, ".source.data", "base64"},
		{`{"type":"image","source":{"media_type":"image/png","data":"` + png + `"}}`, ".source.type", "has a type"},
		{`{"type":"image"}`, ".type", "has a source"},
		{`{"source":{"type":"base64","media_type":"image/png","data":"` + png + `"},"type":"text"}`, ".type", "has a source"},
		{`{"type":"document","source":{}}`, ".type", "cannot be priced"},
		{`{"type":"container_upload","file_id":"f"}`, ".type", "cannot be priced"},
		{`{"type":"search_result"}`, ".type", "cannot be priced"},
		{`{"type":"mcp_tool_use","id":"m"}`, ".type", "hosted tools"},
		{`{"type":"code_execution_tool_result","tool_use_id":"m"}`, ".type", "hosted tools"},
		{`{"type":"mcp_tool_use"}`, ".type", "hosted tools"},
		{`{"type":"mcp_tool_result"}`, ".type", "hosted tools"},
		{`{"type":"code_execution_tool_result"}`, ".type", "hosted tools"},
		{`{"type":"compaction"}`, ".type", "unknown or not allowed"},
		{`{"type":"tool_use","id":"i","name":"n","input":{},"caller":{"type":"code_execution_20250825"}}`, ".caller.type", "direct"},
		{`{"type":"tool_result","tool_use_id":"i","content":[{"type":"image","source":{}}]}`, ".content[0].source.type", "has a type"},
		{`{"type":"tool_result","tool_use_id":"i","content":[{"type":"document","source":{}}]}`, ".content[0].type", "cannot be priced"},
		{`{"type":"tool_result","tool_use_id":"i","content":[{"type":"tool_result","content":[]}]}`, ".content[0].type", "only these blocks"},
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
