package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

const asked = `{"model":"gpt-4o","input":"hi"}`

// everyItem is a body with every field that may go through.
var everyItem = `{"model":"gpt-4o","instructions":"be brief","input":[
 {"role":"user","content":"hi"},{"type":"message","role":"developer","content":[{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit"}}]},
 {"id":"msg_1","type":"message","role":"assistant","status":"completed","phase":null,"content":[{"type":"output_text","text":"t","annotations":[{"type":"url_citation"}],"logprobs":[]},{"type":"refusal","refusal":"no"}]},
 {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}","status":"completed"},
 {"type":"function_call_output","call_id":"call_1","output":"42"},
 {"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"42"},{"type":"input_image","image_url":"` + png1 + `","detail":"low","file_id":null}]},
 {"type":"custom_tool_call","call_id":"c","name":"n","input":"x"},{"type":"custom_tool_call_output","call_id":"c","output":"y"}],
 "max_output_tokens":100,"stream":true,"stream_options":{"include_obfuscation":false},"background":false,"store":false,"service_tier":"default",
 "temperature":1,"top_p":0.5,"top_logprobs":2,"max_tool_calls":3,"parallel_tool_calls":true,"metadata":{"a":"b"},"truncation":"auto","user":"u",
 "safety_identifier":"s","prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{"mode":"implicit"},
 "include":["reasoning.encrypted_content","message.output_text.logprobs"],"previous_response_id":null,"conversation":null,"prompt":null,
 "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","strict":true,"description":null,"schema":{"type":"object","anything":[1]}}},
 "tools":[{"type":"function","name":"f","description":"d","strict":true,"parameters":{"type":"object"}},{"type":"custom","name":"c","format":{"type":"grammar","syntax":"lark","definition":"x"}}],
 "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}}`

// png1 is an image of one pixel.
const png1 = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestWhatOfAResponseGoesUpstream: what is put into a body, byte for byte.
func TestWhatOfAResponseGoesUpstream(t *testing.T) {
	const fixed = `"service_tier":"default","store":false,`
	for _, c := range []struct{ name, body, want string }{
		{"bare", asked, `{` + fixed + `"max_output_tokens":77,"model":"gpt-4o","input":"hi"}`},
		{"cap given", `{"max_output_tokens":50,"model":"m","input":"hi"}`, `{` + fixed + `"max_output_tokens":50,"model":"m","input":"hi"}`},
		{"cap lowered", `{"max_output_tokens": 500 ,"model":"m","input":"hi"}`, `{` + fixed + `"max_output_tokens": 77 ,"model":"m","input":"hi"}`},
		{"null cap", `{"model":"m","max_output_tokens":null,"input":"hi"}`, `{` + fixed + `"model":"m","max_output_tokens":77,"input":"hi"}`},
		{"tier and store", `{"service_tier":null,"store":null,"max_output_tokens":1,"model":"m","input":[]}`, `{"service_tier":"default","store":false,"max_output_tokens":1,"model":"m","input":[]}`},
		{"everything", everyItem, strings.Replace(everyItem, `"max_output_tokens":100`, `"max_output_tokens":77`, 1)},
	} {
		r, err := openai.NewResponses().Read(in(c.body))
		if err != nil {
			t.Fatal(c.name, err)
		}
		got := string(r.Body(77))
		if got != c.want || string(r.Body(77)) != got || r.Path != "/v1/responses" {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		for _, m := range []string{"store", "service_tier"} {
			dialecttest.Agree(t, []byte(got), map[string]any{"store": false, "service_tier": "default"}[m], m)
		}
	}
	r, err := openai.NewResponses().Read(in(everyItem))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Call; len(c.Images) != 1 || c.Images[0].Detail != passport.DetailedLow || c.Parts != 11 || !c.Stream || c.Hidden || c.MaxOutput.Or(0) != 100 || c.Choices != 1 ||
		c.Kind != passport.KindChat || len(c.Uses) != 1 || c.Uses[0] != passport.Chat {
		t.Errorf("%+v", c)
	}
}

// TestEarlierReasoningIsHidden: its bytes do not bound what it is read as.
func TestEarlierReasoningIsHidden(t *testing.T) {
	r, err := openai.NewResponses().Read(in(`{"model":"gpt-5","reasoning":{"effort":"low","summary":"auto"},"input":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"gAAAA"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Call.Hidden {
		t.Errorf("%+v", r.Call)
	}
}

func TestResponsesRefused(t *testing.T) {
	with := func(members string) string { return `{"model":"m","input":"hi",` + members + `}` }
	item := func(item string) string { return `{"model":"m","input":[` + item + `]}` }
	for _, c := range []struct{ body, field, words string }{
		{`{"input":"hi"}`, "model", "must be named"},
		{`{"model":"m"}`, "input", "there is no input"},
		{with(`"previous_response_id":"resp_1"`), "previous_response_id", "not stored here"},
		{with(`"conversation":"conv_1"`), "conversation", "send the earlier items"},
		{with(`"conversation":{"id":"conv_1"}`), "conversation", "send the earlier items"},
		{with(`"prompt":{"id":"pmpt_1"}`), "prompt", "stored prompt"},
		{with(`"background":true`), "background", "not allowed"},
		{with(`"store":true`), "store", "only false"},
		{with(`"service_tier":"priority"`), "service_tier", `only "default"`},
		{with(`"context_management":[{"type":"compaction"}]`), "context_management", "cannot be priced"},
		{with(`"max_tokens":5`), "max_tokens", "unknown"},
		{with(`"max_output_tokens":0`), "max_output_tokens", "from 1"},
		{with(`"max_output_tokens":1e3`), "max_output_tokens", "digits only"},
		{with(`"n":2`), "n", "unknown"},
		{with(`"tools":[{"type":"web_search"}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"mcp","server_url":"x"}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"code_interpreter","container":{}}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"file_search"}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"image_generation"}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"computer_use_preview"}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"local_shell"}]`), "tools[0].type", "provider's own"},
		{with(`"tools":[{"type":"tomorrow"}]`), "tools[0].type", "not a type"},
		{with(`"tools":[{"name":"f"}]`), "tools[0].type", "has a type"},
		{with(`"tools":[{"type":"function","name":"f","server_label":"x"}]`), "tools[0].server_label", "unknown"},
		{with(`"tool_choice":{"type":"web_search"}`), "tool_choice.type", "provider's own"},
		{with(`"include":["file_search_call.results"]`), "include[0]", "must be one of"},
		{with(`"reasoning":{"mode":"pro"}`), "reasoning.mode", "unknown"},
		{with(`"text":{"format":{"type":"grammar"}}`), "text.format.type", "must be one of"},
		{item(`{"type":"item_reference","id":"msg_1"}`), "input[0].type", "cannot be referred to|none can be referred to"},
		{item(`{"id":"msg_1"}`), "input[0].type", "referred to by id"},
		{item(`{"type":"reasoning","id":"rs_1","summary":[]}`), "input[0].encrypted_content", "not stored here"},
		{item(`{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":null}`), "input[0].encrypted_content", "not stored here"},
		{item(`{"type":"web_search_call","id":"x"}`), "input[0].type", "not a type"},
		{item(`{"role":"user","content":[{"type":"input_file","file_id":"f"}]}`), "input[0].content[0].type", "files cannot be priced"},
		{item(`{"role":"user","content":[{"type":"input_image","file_id":"f"}]}`), "input[0].content[0].file_id", "stored with the provider"},
		{item(`{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png"}]}`), "input[0].content[0].image_url", "only images in the body"},
		{item(`{"role":"user","content":[{"type":"input_image"}]}`), "input[0].content[0].image_url", "has an image_url"},
		{item(`{"role":"user","content":[{"type":"input_text","image_url":"` + png1 + `"}]}`), "input[0].content[0].image_url", "other parts have none"},
		{item(`{"role":"user","content":[{"text":"x"}]}`), "input[0].content[0].type", "has a type"},
		{item(`{"role":"tool","content":"x"}`), "input[0].role", "must be one of"},
		{item(`{"role":"user","content":"x","async":true}`), "input[0].async", "unknown"},
	} {
		words := strings.Split(c.words, "|")
		dialecttest.Refused(t, openai.NewResponses(), in(c.body), c.field, words[len(words)-1])
	}
	dialecttest.Attacks(t, openai.NewResponses(), in, `{"model":"gpt-4o","input":"hi","store":false,"max_output_tokens":50,"service_tier":"default"}`, "model", "input", "store", "max_output_tokens", "service_tier")
	dialecttest.Problems(t, openai.NewResponses(), func(body []byte) string {
		var e struct{ Error struct{ Message string } }
		json.Unmarshal(body, &e)
		return e.Error.Message
	})
}

func event(kind, members string) string {
	return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\",\"sequence_number\":0" + members + "}\n\n"
}

const inTokens = `"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":8,"cache_write_tokens":4},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":123}`

func responseTap(t *testing.T, members string) func() dialect.Tap {
	r, err := openai.NewResponses().Read(in(`{"model":"m","input":"hi"` + members + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r.Tap
}

// TestResponseUsage: whole and streamed, from the event that ends a response and from nothing else.
func TestResponseUsage(t *testing.T) {
	told := passport.Usage{Known: true, Input: 36, CacheRead: 8, CacheWrite: 4, Output: 87, Reasoning: 20}
	begun := event("response.created", `,"response":{"status":"in_progress","usage":null,"tools":[{"type":"function","parameters":{"usage":1}}]}`)
	said := event("response.output_text.delta", `,"delta":"some \"usage\":{} words"`)
	long := event("response.output_text.done", `,"text":"`+strings.Repeat("x", 2<<20)+`"`)
	for _, c := range []struct {
		name, answer string
		want         passport.Usage
		whole        bool
	}{
		{"unary", `{"id":"resp_1","object":"response","status":"completed","output":[{"usage":1}],` + inTokens + `}`, told, true},
		{"completed", begun + said + event("response.completed", `,"response":{"status":"completed",`+inTokens+`}`), told, true},
		{"incomplete", begun + said + event("response.incomplete", `,"response":{"status":"incomplete",`+inTokens+`}`), told, true},
		{"failed", begun + event("response.failed", `,"response":{"status":"failed",`+inTokens+`}`), told, true},
		{"failed, no usage", begun + event("response.failed", `,"response":{"status":"failed","usage":null}`), passport.Usage{}, true},
		{"an end mark of chat behind", begun + event("response.completed", `,"response":{`+inTokens+`}`) + "data: [DONE]\n\n", told, true},
		{"a long event", begun + said + long + event("response.completed", `,"response":{`+inTokens+`}`), told, true},
		{"no end", begun + said, passport.Usage{}, false},
		{"an error", begun + said + event("error", `,"code":"x","message":"y"`), passport.Usage{}, false},
		{"usage before the end", begun + event("response.in_progress", `,"response":{`+inTokens+`}`), passport.Usage{}, false},
		{"an end in a text", begun + event("response.output_text.delta", `,"delta":"response.completed {`+`"`), passport.Usage{}, false},
		{"another tier", begun + event("response.completed", `,"response":{`+inTokens+`,"service_tier":"ultrafast"}`), passport.Usage{}, true},
		{"unary in another tier", `{` + inTokens + `,"service_tier":"priority"}`, passport.Usage{}, true},
		{"no usage", `{"id":"resp_1"}`, passport.Usage{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tap := responseTap(t, "")
			if c.name == "a long event" { // byte by byte it takes a while
				out, u := dialecttest.Through(t, tap(), [][]byte{[]byte(c.answer)})
				if out != c.answer || u != c.want {
					t.Errorf("got %+v", u)
				}
				return
			}
			out, u := dialecttest.Play(t, tap, []byte(c.answer))
			if out != c.answer || u != c.want {
				t.Errorf("got %+v, want %+v, and\n%s", u, c.want, out)
			}
			tp := tap()
			tp.Pass([]byte(c.answer))
			if over, ok := tp.Over(); ok != (c.want.Known && c.answer[0] != '{') || ok && over != c.want {
				t.Errorf("over: %+v %v", over, ok)
			}
			tp.End()
			if tp.Seen().Whole != c.whole {
				t.Errorf("whole: %v", !c.whole)
			}
		})
	}
	if _, err := responseTap(t, "")().Pass([]byte("data: " + strings.Repeat("x", 8<<20+1))); problem.KindOf(err) != problem.UpstreamFailed {
		t.Errorf("an event without an end: %v", err)
	}
}

// TestWhatIsSeenOfAResponse: the bytes of all that the model says, and whether that is all that it can be billed for.
func TestWhatIsSeenOfAResponse(t *testing.T) {
	begun := event("response.created", `,"response":{"instructions":"not said","usage":null}`) + event("response.output_item.added", `,"item":{"type":"message","content":[]}`)
	for _, c := range []struct {
		name, members, answer string
		texts                 []string
		most                  int64
		plain                 bool
	}{
		{"text", "", begun + event("response.output_text.delta", `,"delta":"some \"words\"","logprobs":[]`), []string{`some \"words\"`}, 14, true},
		{"arguments", "", begun + event("response.function_call_arguments.delta", `,"delta":"{\"a\":1}"`) + event("response.function_call_arguments.done", `,"arguments":"{}"`), []string{`{\"a\":1}`}, 9, true},
		{"thinking asked for", `,"reasoning":{"effort":"low"}`, begun + event("response.output_text.delta", `,"delta":"w"`), []string{"w"}, 1, false},
		{"a search", "", begun + event("response.web_search_call.searching", ``), nil, 0, false},
		{"an image", "", begun + event("response.image_generation_call.partial_image", `,"partial_image_b64":"x"`), nil, 0, false},
		{"an error", "", begun + event("error", `,"message":"x"`), nil, 0, false},
		{"no JSON", "", begun + "data: {]\n\n", nil, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := dialecttest.Counts(t, responseTap(t, c.members), []byte(c.answer), c.texts...)
			if s.Plain != c.plain || s.Bytes > c.most || s.Whole {
				t.Errorf("got %+v, want plain %v, at most %d", s, c.plain, c.most)
			}
		})
	}
}

func FuzzResponses(f *testing.F) {
	f.Add(everyItem, event("response.completed", `,"response":{`+inTokens+`}`), uint(9))
	f.Add(asked, `{`+inTokens+`}`, uint(3))
	f.Fuzz(func(t *testing.T, body, answer string, at uint) {
		readAny(t, openai.NewResponses(), in(body))
		r, err := openai.NewResponses().Read(in(asked))
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.FuzzTap(t, r.Tap, []byte(answer), at)
	})
}
