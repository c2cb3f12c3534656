package bridge_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/bridge"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var update = flag.Bool("update", false, "write the golden files anew")

var dialects = map[passport.Provider]dialect.Dialect{passport.OpenAI: openai.New(), passport.Anthropic: anthropic.New(), passport.Google: gemini.New()}

// of is the provider of the models that the tests name.
func of(model string) passport.Provider {
	switch {
	case strings.HasPrefix(model, "claude"):
		return passport.Anthropic
	case strings.HasPrefix(model, "gemini"):
		return passport.Google
	default:
		return passport.OpenAI
	}
}

// through turns a body and reads it in its new dialect.
func through(t testing.TB, from passport.Provider, body string) (*bridge.Turned, *dialect.Request, error) {
	t.Helper()
	var named struct{ Model string }
	if err := json.Unmarshal([]byte(body), &named); err != nil {
		t.Fatal(err)
	}
	turned, err := bridge.Read(from, of(named.Model), named.Model, []byte(body))
	if err != nil {
		return nil, nil, err
	}
	req, err := dialects[of(named.Model)].Read(turned.In)
	if err != nil {
		return turned, nil, turned.Error(err)
	}
	return turned, req, nil
}

// golden is what becomes of a request, for a file.
type golden struct {
	Path     string
	Uncapped bool     `json:",omitempty"`
	Ignored  []string `json:",omitempty"`
	Thoughts bool     `json:",omitempty"`
	Body     json.RawMessage
}

// TestRequestsAreTurned: each file of testdata against its golden one, as it leaves for the provider.
func TestRequestsAreTurned(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 10 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			from := passport.OpenAI
			if strings.HasPrefix(name, "messages") {
				from = passport.Anthropic
			}
			turned, req, err := through(t, from, string(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(golden{req.Path, turned.Uncapped, turned.Ignored, turned.Thoughts, req.Body(777)}, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join("testdata", name+".golden"); *update {
				if err := os.WriteFile(want, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if old, err := os.ReadFile(want); err != nil || !bytes.Equal(bytes.TrimSpace(old), got) {
				t.Errorf("%v\n%s", err, cmp.Diff(string(bytes.TrimSpace(old)), string(got)))
			}
		})
	}
}

// member puts a member into a body that would be good without it.
func member(body, more string) string { return strings.Replace(body, "{", "{"+more+",", 1) }

const (
	claude  = `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hi"}]}`
	opus    = `{"model":"claude-opus-4-7","messages":[{"role":"user","content":"hi"}]}`
	flash   = `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}`
	gemini3 = `{"model":"gemini-3-pro-preview","messages":[{"role":"user","content":"hi"}]}`
	gpt     = `{"model":"gpt-4o","max_tokens":2000,"messages":[{"role":"user","content":"hi"}]}`
	pro     = `{"model":"gemini-2.5-pro","max_tokens":2000,"messages":[{"role":"user","content":"hi"}]}`
	pro3    = `{"model":"gemini-3-pro-preview","max_tokens":2000,"messages":[{"role":"user","content":"hi"}]}`
)

// field is one member with a value and what becomes of it for models of each kind: refused at a place, or else found in the new body.
type field struct{ bodies, more, at, find string }

// TestEveryFieldOfChat: carried or refused by name, never lost.
func TestEveryFieldOfChat(t *testing.T) {
	for _, c := range chatFields {
		c.check(t, passport.OpenAI)
	}
}

const ownSchema = `{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","description":"own"}`

var chatFields = []field{
	{claude, `"temperature":1`, "", `"temperature":1`}, {claude, `"temperature":1.1`, "temperature", ""}, {flash, `"temperature":1.1`, "", `"temperature":1.1`},
	{claude, `"top_p":0.1`, "", `"top_p":0.1`}, {flash, `"top_p":0.1`, "", `"topP":0.1`},
	{claude, `"seed":1`, "seed", ""}, {flash, `"seed":1`, "", `"seed":1`},
	{claude, `"presence_penalty":0.1`, "presence_penalty", ""}, {flash, `"presence_penalty":0.1`, "", `"presencePenalty":0.1`}, {claude, `"presence_penalty":0`, "", ""},
	{claude, `"frequency_penalty":1`, "frequency_penalty", ""}, {flash, `"frequency_penalty":1`, "", `"frequencyPenalty":1`}, {claude, `"frequency_penalty":0.0`, "", ""},
	{claude + flash, `"n":2`, "n", ""}, {claude + flash, `"n":1`, "", ""},
	{claude + flash, `"logprobs":true`, "logprobs", ""}, {claude + flash, `"logprobs":false`, "", ""}, {claude + flash, `"top_logprobs":2`, "top_logprobs", ""},
	{claude + flash, `"logit_bias":{"1":2}`, "logit_bias", ""}, {claude + flash, `"logit_bias":{}`, "", ""},
	{claude + flash, `"prediction":{}`, "prediction", ""}, {claude + flash, `"verbosity":"low"`, "verbosity", ""}, {claude + flash, `"audio":{}`, "audio", ""},
	{claude + flash, `"modalities":["text","audio"]`, "modalities[1]", ""}, {claude + flash, `"modalities":["text"]`, "", ""},
	{claude + flash, `"web_search_options":{}`, "web_search_options", ""}, {claude + flash, `"functions":[]`, "functions", ""}, {claude + flash, `"function_call":"auto"`, "function_call", ""},
	{claude + flash, `"store":true`, "store", ""}, {claude + flash, `"service_tier":"flex"`, "service_tier", ""}, {claude + flash, `"nonsense":null`, "nonsense", ""},
	{claude + flash, `"max_tokens":1,"max_completion_tokens":1`, "max_completion_tokens", ""}, {claude + flash, `"max_tokens":0`, "max_tokens", ""},
	{claude, `"max_tokens":9`, "", `"max_tokens":9`}, {flash, `"max_completion_tokens":9`, "", `"maxOutputTokens":9`},
	{claude, `"stop":"x"`, "", `"stop_sequences":["x"]`}, {flash, `"stop":["x","y"]`, "", `"stopSequences":["x","y"]`},
	{claude, `"user":"u"`, "", `"metadata":{"user_id":"u"}`}, {claude, `"safety_identifier":"u"`, "", `"metadata":{"user_id":"u"}`},
	{claude + flash, `"response_format":{"type":"text"}`, "", ""}, {claude, `"response_format":{"type":"json_object"}`, "response_format", ""},
	{flash, `"response_format":{"type":"json_object"}`, "", `"responseMimeType":"application/json"`},
	{claude + flash, `"response_format":{"type":"json_schema","json_schema":{"name":"n"}}`, "response_format.json_schema.schema", ""},
	{claude, `"response_format":` + ownSchema + `}}`, "", `"format":{"schema":{"type":"object","description":"own"},"type":"json_schema"}`},
	{claude + flash, `"response_format":` + ownSchema + `,"description":"other"}}`, "response_format.json_schema.description", ""},
	{claude + flash, `"tools":[{"type":"custom","custom":{"name":"c"}}]`, "tools[0].type", ""}, {claude + flash, `"tools":[{"type":"function","function":{}}]`, "tools[0].function.name", ""},
	{claude, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`, "", `"tool_choice":{"type":"any"}`},
	{claude, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none"`, "", `"tool_choice":{"type":"none"}`}, {claude, `"tool_choice":"none"`, "", ""},
	{flash, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`, "", `"mode":"ANY"`}, {flash, `"tool_choice":"none"`, "", `"mode":"NONE"`},
	{claude + flash, `"tool_choice":{"type":"allowed_tools","allowed_tools":{}}`, "tool_choice.type", ""}, {claude + flash, `"tool_choice":{}`, "tool_choice", ""},
	{claude, `"tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false`, "", `"tool_choice":{"disable_parallel_tool_use":true,"type":"auto"}`},
	{flash, `"parallel_tool_calls":false`, "parallel_tool_calls", ""}, {flash + claude, `"parallel_tool_calls":true`, "", ""},
	{claude, `"reasoning_effort":"low"`, "", `"thinking":{"budget_tokens":1024,"type":"enabled"}`}, {claude + opus, `"reasoning_effort":"none"`, "", ""},
	{claude, `"reasoning_effort":"low","max_tokens":1279`, "max_tokens", ""}, {claude, `"reasoning_effort":"high","max_tokens":1280`, "", `"budget_tokens":1024`},
	{opus, `"reasoning_effort":"minimal"`, "", `"output_config":{"effort":"low"},"thinking":{"type":"adaptive"}`}, {opus, `"reasoning_effort":"max"`, "", `"effort":"max"`},
	{flash, `"reasoning_effort":"none"`, "", `"thinkingBudget":0`}, {flash, `"reasoning_effort":"medium"`, "", `"thinkingBudget":8192`}, {flash, `"reasoning_effort":"medium","max_tokens":1000`, "", `"thinkingBudget":744`},
	{flash, `"reasoning_effort":"medium","max_completion_tokens":256`, "max_completion_tokens", ""},
	{gemini3, `"reasoning_effort":"minimal"`, "", `"thinkingLevel":"minimal"`}, {gemini3, `"reasoning_effort":"none"`, "reasoning_effort", ""}, {gemini3, `"reasoning_effort":"xhigh"`, "reasoning_effort", ""},
	{claude + flash, `"reasoning_effort":"hard"`, "reasoning_effort", ""}, {claude + flash, `"stream_options":{"x":1}`, "stream_options.x", ""},
}

// check turns each of the bodies with the members put in. What is not refused must be found, and be gone without the member.
func (c field) check(t *testing.T, from passport.Provider) {
	t.Helper()
	for _, body := range strings.SplitAfter(c.bodies, "]}") {
		if body == "" {
			continue
		}
		_, req, err := through(t, from, member(body, c.more))
		if c.at != "" {
			if p := problem.From(err); err == nil || p.Kind != problem.Invalid || p.Field != c.at {
				t.Errorf("%s in %.30s: got %v, want it refused at %s", c.more, body, err, c.at)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s in %.30s: %v", c.more, body, err)
			continue
		}
		_, plain, err := through(t, from, body)
		if err != nil {
			t.Fatal(err)
		}
		got, without := string(req.Body(4096)), string(plain.Body(4096))
		if c.find != "" && (!strings.Contains(got, c.find) || strings.Contains(without, c.find)) || c.find == "" && got != without {
			t.Errorf("%s in %.30s: got\n%s\nwant %s; without it\n%s", c.more, body, got, c.find, without)
		}
	}
}

// TestEveryFieldOfMessages: carried or refused by name, never lost.
func TestEveryFieldOfMessages(t *testing.T) {
	for _, c := range messagesFields {
		c.check(t, passport.Anthropic)
	}
}

const oneTool = `"tools":[{"name":"f","input_schema":{"type":"object"}}]`

var messagesFields = []field{
	{gpt, `"temperature":0.1`, "", `"temperature":0.1`}, {pro, `"top_p":0.1`, "", `"topP":0.1`}, {gpt, `"top_k":5`, "top_k", ""}, {pro, `"top_k":5`, "", `"topK":5`},
	{gpt, `"stop_sequences":["a"]`, "", `"stop":["a"]`}, {pro, `"stop_sequences":["a"]`, "", `"stopSequences":["a"]`}, {gpt, `"metadata":{"user_id":"u"}`, "", `"user":"u"`},
	{gpt + pro, `"container":"c"`, "container", ""}, {gpt + pro, `"mcp_servers":[]`, "mcp_servers", ""}, {gpt + pro, `"context_management":{}`, "context_management", ""}, {gpt + pro, `"thread":{}`, "thread", ""},
	{gpt + pro, `"inference_geo":"global"`, "inference_geo", ""}, {gpt + pro, `"speed":"fast"`, "speed", ""}, {gpt + pro, `"speed":"standard"`, "", ""}, {gpt + pro, `"service_tier":"auto"`, "service_tier", ""}, {gpt + pro, `"service_tier":"standard_only"`, "", ""},
	{gpt + pro, `"nonsense":1`, "nonsense", ""}, {gpt, `"cache_control":{"type":"ephemeral"}`, "", ""}, {gpt, `"system":"s"`, "", `{"content":"s","role":"system"}`}, {pro, `"system":"s"`, "", `"systemInstruction":{"parts":[{"text":"s"}]}`},
	{gpt + pro, `"tools":[{"type":"web_search_20250305","name":"web_search"}]`, "tools[0].type", ""}, {gpt + pro, `"tools":[{"name":"f","input_schema":{},"input_examples":[]}]`, "tools[0].input_examples", ""},
	{gpt + pro, `"tools":[{"name":"f","input_schema":{},"defer_loading":true}]`, "tools[0].defer_loading", ""},
	{gpt, oneTool + `,"tool_choice":{"type":"any"}`, "", `"tool_choice":"required"`}, {gpt, oneTool + `,"tool_choice":{"type":"none"}`, "", `"tool_choice":"none"`}, {pro, oneTool + `,"tool_choice":{"type":"tool","name":"f"}`, "", `"allowedFunctionNames":["f"],"mode":"ANY"`},
	{gpt, oneTool + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`, "", `"parallel_tool_calls":false`}, {pro, oneTool + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`, "tool_choice.disable_parallel_tool_use", ""},
	{gpt + pro, `"tool_choice":{"type":"tool"}`, "tool_choice.name", ""}, {gpt + pro, `"tool_choice":{"name":"f"}`, "tool_choice.type", ""},
	{gpt, `"thinking":{"type":"enabled","budget_tokens":1024}`, "", `"reasoning_effort":"low"`}, {gpt, `"thinking":{"type":"enabled","budget_tokens":24576}`, "", `"reasoning_effort":"high"`}, {gpt, `"thinking":{"type":"adaptive"}`, "", ""}, {gpt + pro, `"thinking":{"type":"disabled"}`, "", ""},
	{gpt + pro, `"thinking":{"type":"enabled"}`, "thinking.budget_tokens", ""}, {gpt + pro, `"thinking":{"type":"adaptive","budget_tokens":1}`, "thinking.budget_tokens", ""},
	{pro, `"thinking":{"type":"enabled","budget_tokens":1024}`, "", `"thinkingConfig":{"includeThoughts":true,"thinkingBudget":1024}`}, {pro, `"thinking":{"type":"adaptive","display":"omitted"}`, "", `"thinkingConfig":{"thinkingBudget":-1}`},
	{pro3, `"thinking":{"type":"adaptive"}`, "", `"thinkingConfig":{"includeThoughts":true}`}, {pro3, `"thinking":{"type":"enabled","budget_tokens":9000}`, "", `"thinkingLevel":"medium"`}, {pro3, `"output_config":{"effort":"max"}`, "output_config.effort", ""},
	{gpt, `"output_config":{"effort":"max"}`, "", `"reasoning_effort":"max"`}, {pro, `"output_config":{"effort":"low"}`, "", `"thinkingBudget":1024`},
	{gpt + pro, `"output_config":{"format":{"type":"json_schema"}}`, "output_config.format", ""}, {gpt, `"output_format":{"type":"json_schema","schema":{"type":"object"}}`, "", `"response_format":{"json_schema":{"name":"answer","schema":{"type":"object"},"strict":true},"type":"json_schema"}`},
}

// TestMessagesThatCannotBeCarried, by the place at fault.
func TestMessagesThatCannotBeCarried(t *testing.T) {
	const png = `data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==`
	for _, c := range []struct {
		from     passport.Provider
		model    string
		messages string
		at       string
	}{
		{passport.OpenAI, "claude-x", `{"role":"user","content":"hi","name":"Ann"}`, "messages[0].name"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}`, "messages[0].content[0].type"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":[{"type":"file","file":{}}]}`, "messages[0].content[0].type"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}`, "messages[0].content[0].image_url.url"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + png + `","detail":"low"}}]}`, "messages[0].content[0].image_url.detail"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}`, "messages[0].content[1].image_url.url"},
		{passport.OpenAI, "gemini-2.5-pro", `{"role":"system","content":"s"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,AAAA"}}]}`, "messages[1].content[0].image_url.url"},
		{passport.OpenAI, "claude-x", `{"role":"function","content":"hi","name":"f"}`, "messages[0].role"},
		{passport.OpenAI, "claude-x", `{"content":"hi"}`, "messages[0].role"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":""}`, "messages[0].content"},
		{passport.OpenAI, "gemini-2.5-pro", `{"role":"user"}`, "messages[0].content"},
		{passport.OpenAI, "claude-x", `{"role":"system","content":[{"type":"image_url","image_url":{"url":"` + png + `"}}]}`, "messages[0].content[0].image_url.url"},
		{passport.OpenAI, "claude-x", `{"role":"user","content":"hi","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}`, "messages[0].tool_calls"},
		{passport.OpenAI, "claude-x", `{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"[]"}}]}`, "messages[0].tool_calls[0].function.arguments"},
		{passport.OpenAI, "claude-x", `{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1,\"a\":2}"}}]}`, "messages[0].tool_calls[0].function.arguments"},
		{passport.OpenAI, "claude-x", `{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}`, "messages[0].tool_calls[0].id"},
		{passport.OpenAI, "claude-x", `{"role":"assistant","audio":{"id":"a"}}`, "messages[0].audio"},
		{passport.OpenAI, "claude-x", `{"role":"tool","content":"x"}`, "messages[0].tool_call_id"},
		{passport.OpenAI, "gemini-2.5-pro", `{"role":"tool","content":"x","tool_call_id":"1"}`, "messages[0]"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"document","source":{}}]}`, "messages[0].content[0].type"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://example.com"}}]}`, "messages[0].content[0].source.type"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}`, "messages[0].content[0].source.data"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"image","source":{}}]}]}`, "messages[0].content[0].content[0].type"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"text","text":"a","citations":[]}]}`, "messages[0].content[0].citations"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"text","text":"a","input":{}}]}`, "messages[0].content[0].input"},
		{passport.Anthropic, "gpt-4o", `{"role":"user","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]}`, "messages[0].content[0]"},
		{passport.Anthropic, "gpt-4o", `{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}`, "messages[0].content[0].id"},
		{passport.Anthropic, "gpt-4o", `{"role":"assistant","content":[{"type":"server_tool_use","id":"1","name":"web_search","input":{}}]}`, "messages[0].content[0].type"},
		{passport.Anthropic, "gpt-4o", `{"role":"user"}`, "messages[0].content"},
		{passport.Anthropic, "gemini-2.5-pro", `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}`, "messages[0].content[0]"},
	} {
		body := `{"model":"` + c.model + `","max_tokens":10,"messages":[` + c.messages + `]}`
		_, _, err := through(t, c.from, body)
		if p := problem.From(err); err == nil || p.Kind != problem.Invalid || p.Field != c.at {
			t.Errorf("%s\ngot %v, want it refused at %s", body, err, c.at)
		}
	}
}

// TestThinkingAfterACall: models that count a budget want their thoughts back, later ones do not.
func TestThinkingAfterACall(t *testing.T) {
	const talk = `,"reasoning_effort":"low","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"}]}`
	if _, _, err := through(t, passport.OpenAI, `{"model":"claude-sonnet-4-5"`+talk); problem.From(err) == nil || problem.From(err).Field != "reasoning_effort" {
		t.Errorf("got %v", err)
	}
	for _, model := range []string{"claude-opus-4-6", "claude-sonnet-5", "claude-mythos-5", "gemini-2.5-flash"} {
		if _, _, err := through(t, passport.OpenAI, `{"model":"`+model+`"`+talk); err != nil {
			t.Errorf("%s: %v", model, err)
		}
	}
}

// TestWhatChangesNoAnswerIsTold.
func TestWhatChangesNoAnswerIsTold(t *testing.T) {
	for _, c := range []struct {
		from passport.Provider
		body string
		want []string
	}{
		{passport.OpenAI, member(claude, `"metadata":{},"prompt_cache_key":"k","prompt_cache_options":{"mode":"explicit"},"prompt_cache_retention":"24h"`), []string{"metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}},
		{passport.OpenAI, member(flash, `"user":"u"`), []string{"user"}},
		{passport.OpenAI, claude, nil},
		{passport.OpenAI, strings.Replace(claude, `"role":"user"`, `"role":"assistant","annotations":[{"type":"url_citation"}],"content":"a"},{"role":"user"`, 1), []string{"annotations"}},
		{passport.Anthropic, member(gpt, `"cache_control":{"type":"ephemeral"},"metadata":{"user_id":"`+strings.Repeat("u", 65)+`"}`), []string{"cache_control", "metadata.user_id"}},
		{passport.Anthropic, strings.Replace(gpt, `"role":"user","content":"hi"}`, `"role":"assistant","content":[{"type":"redacted_thinking","data":"x"}]},{"role":"user","content":"hi"}`, 1), []string{"thinking"}},
	} {
		turned, _, err := through(t, c.from, c.body)
		if err != nil || !slices.Equal(turned.Ignored, c.want) {
			t.Errorf("%s: got %v, %v", c.body, turned, err)
		}
	}
}

func TestCallIDs(t *testing.T) {
	for _, c := range []struct{ id, signature string }{{"call_1", ""}, {"call_1", "AbC+/=="}, {"", "x"}, {"a-sig-b", "c"}} {
		id := bridge.CallID(c.id, c.signature)
		if own, s := bridge.SplitCallID(id); own != c.id || s != c.signature {
			t.Errorf("%q: got %q %q", id, own, s)
		}
		if strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			t.Errorf("%q has characters that Anthropic refuses", id)
		}
	}
	for _, id := range []string{"a-sig-", "a-sig-!", "-sig-AAAA", "plain"} {
		if own, s := bridge.SplitCallID(id); own != id || s != "" {
			t.Errorf("%q: got %q %q", id, own, s)
		}
	}
}

func TestRename(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":{"model":"x"}, "model" : "p/x", "b":1}`: `{"a":{"model":"x"}, "model" : "y", "b":1}`,
		`{"a":1}`: `{"a":1}`, `{`: `{`,
	} {
		if got := string(bridge.Rename([]byte(body), "y")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestEmbeddings: what Google gets of OpenAI's, and what it cannot.
func TestEmbeddings(t *testing.T) {
	const model = "gemini-embedding-001"
	for _, c := range []struct {
		members, want, at string
		base64            bool
	}{
		{`"input":"a"`, `{"requests":[{"content":{"parts":[{"text":"a"}]},"model":"models/gemini-embedding-001"}]}`, "", false},
		{`"input":["a","雪"],"dimensions":64,"encoding_format":"base64"`, `{"requests":[{"content":{"parts":[{"text":"a"}]},"model":"models/gemini-embedding-001","outputDimensionality":64},{"content":{"parts":[{"text":"雪"}]},"model":"models/gemini-embedding-001","outputDimensionality":64}]}`, "", true},
		{`"input":[1,2]`, "", "input", false}, {`"input":[[1,2]]`, "", "input", false}, {`"input":[]`, "", "input", false}, {`"dimensions":1`, "", "input", false},
		{`"input":"a","encoding_format":"int8"`, "", "encoding_format", false}, {`"input":"a","truncate":true`, "", "truncate", false},
		{`"input":["a"` + strings.Repeat(`,"a"`, 100) + `]`, "", "input[99]", false},
	} {
		turned, err := bridge.ReadEmbeddings(passport.Google, model, []byte(`{"model":"x",`+c.members+`}`))
		if c.at != "" {
			if p := problem.From(err); err == nil || p.Kind != problem.Invalid || p.Field != c.at {
				t.Errorf("%.60s: got %v, want it refused at %s", c.members, err, c.at)
			}
			continue
		}
		if err != nil || string(turned.In.Body) != c.want || turned.Base64 != c.base64 {
			t.Errorf("%s: got %+v %v", c.members, turned, err)
			continue
		}
		if req, err := dialects[passport.Google].Read(turned.In); err != nil || req.Call.Kind != passport.KindEmbedding || req.Call.Model != model {
			t.Errorf("%s: %+v %v", c.members, req, err)
		}
	}
	if turned, err := bridge.ReadEmbeddings(passport.Google, model, []byte(`{"model":"x","input":"a","user":"u"}`)); err != nil || !slices.Equal(turned.Ignored, []string{"user"}) {
		t.Errorf("got %+v %v", turned, err)
	}
	if _, err := bridge.ReadEmbeddings(passport.Anthropic, "claude-x", []byte(`{"model":"x","input":"a"}`)); problem.From(err) == nil || problem.From(err).Field != "model" {
		t.Errorf("got %v", err)
	}
}

// TestPiecesAreBounded: a small piece of a body takes far more room when it is read.
func TestPiecesAreBounded(t *testing.T) {
	const most = 20_000
	for name, c := range map[string]struct {
		from         passport.Provider
		piece, whole string // %s: the pieces
		own          int    // pieces that the rest of it counts for
	}{
		"messages of a chat": {passport.OpenAI, `{"role":"user","content":"x"}`, `{"model":"claude-x","messages":[%s]}`, 0},
		"parts of a chat":    {passport.OpenAI, `{"type":"text","text":"x"}`, `{"model":"gemini-x","messages":[{"role":"user","content":[%s]}]}`, 1},
		"stops of a chat":    {passport.OpenAI, `"x"`, `{"model":"claude-x","stop":[%s],"messages":[]}`, 0},
		"messages":           {passport.Anthropic, `{"role":"user","content":"x"}`, `{"model":"gpt-x","max_tokens":1,"messages":[%s]}`, 0},
		"blocks":             {passport.Anthropic, `{"type":"text","text":"x"}`, `{"model":"gpt-x","max_tokens":1,"messages":[{"role":"user","content":[%s]}]}`, 1},
		"results":            {passport.Anthropic, `{"type":"text","text":"x"}`, `{"model":"gpt-x","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[%s]}]}]}`, 2},
		"tools":              {passport.Anthropic, `{"name":"f"}`, `{"model":"gpt-x","max_tokens":1,"messages":[],"tools":[%s]}`, 0},
	} {
		for n, ok := range map[int]bool{most - c.own: true, most - c.own + 1: false} {
			body := strings.Replace(c.whole, "%s", strings.TrimSuffix(strings.Repeat(c.piece+",", n), ","), 1)
			if _, _, err := through(t, c.from, body); (err == nil) != ok || err != nil && problem.KindOf(err) != problem.Invalid {
				t.Errorf("%s, %d: %v", name, n, err)
			}
		}
	}
}
