package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// chats says whether a way in speaks OpenAI's format.
func (s speaker) chats() bool { return s.path == "/v1/chat/completions" }

// upstreamPath is where a provider takes a call.
var upstreamPath = map[string]string{"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "google": "/v1beta/models/gemini-2.5-flash:"}

// last is the request that arrived last.
func (b *broker) last() *fakeprovider.Request {
	b.t.Helper()
	rs := b.fake.Requests()
	if len(rs) == 0 {
		b.t.Fatal("nothing went upstream")
	}
	return rs[len(rs)-1]
}

// TestUniversalUnary: the answer is in the caller's format, whoever gave it, the model is called as the caller called it, and what is settled
// is what was billed.
func TestUniversalUnary(t *testing.T) {
	b := start(t, nil)
	for _, s := range turned {
		t.Run(s.name, func(t *testing.T) {
			g := b.give(s.scope(500, 7))
			before := b.fake.Billed()
			for _, model := range []string{s.model, s.provider + "/" + s.model} {
				a := b.send("POST", s.path, s.body(model, "hello", 50, false), s.auth(g.token))
				if a.status != 200 || a.str("model") != model {
					t.Fatalf("got %s", a)
				}
				said, ended := "", ""
				if s.chats() {
					m, _ := a.get("choices").([]any)
					first, _ := m[0].(map[string]any)
					said, ended = fmt.Sprint(first["message"].(map[string]any)["content"]), fmt.Sprint(a.str("object"), first["finish_reason"])
				} else {
					m, _ := a.get("content").([]any)
					said, ended = fmt.Sprint(m[0].(map[string]any)["text"]), a.str("type")+a.str("stop_reason")
				}
				if said != "piece-0 piece-1 piece-2 " || ended != "chat.completionstop" && ended != "messageend_turn" {
					t.Errorf("%s: said %q, ended %q: %s", model, said, ended, a)
				}
				if r := b.last(); !strings.HasPrefix(r.Path, upstreamPath[s.provider]) || r.Model != s.model || len(r.Wrong) > 0 || !strings.Contains(string(r.Body), canaryPrompt+" hello") {
					t.Errorf("%s went to %s as %s: %v %s", model, r.Path, r.Model, r.Wrong, r.Body)
				}
			}
			if st := b.settled(g.id); st.SettledMicroUsd != b.fake.Billed()-before || st.SettledMicroUsd == 0 || st.UsageCount != 2 {
				t.Errorf("settled %+v, billed %d", st, b.fake.Billed()-before)
			}
		})
	}
}

// TestUniversalStream: pieces come as they are made, in events of the caller's format with one id, and the end mark comes last.
func TestUniversalStream(t *testing.T) {
	b := start(t, nil)
	for _, s := range turned {
		t.Run(s.name, func(t *testing.T) {
			g := b.give(s.scope(500, 7))
			before := b.fake.Billed()
			gate := make(chan struct{})
			b.fake.Next(fakeprovider.Behaviour{Gate: gate})
			st, err := b.stream(s, g.token, "hello", 50)
			if err != nil || st.res.StatusCode != 200 || !strings.HasPrefix(st.res.Header.Get("Content-Type"), "text/event-stream") {
				t.Fatal(st.res, err)
			}
			defer st.close()
			for i := range 3 {
				testutil.Open(t, gate)
				if err := st.piece(i); err != nil {
					t.Fatal(err)
				}
			}
			rest, err := st.rest()
			if err != nil || !whole(rest) {
				t.Fatal(err, rest)
			}
			ids := map[string]bool{}
			for line := range strings.Lines(rest) {
				var e struct{ ID string }
				if json.Unmarshal([]byte(line), &e) == nil && e.ID != "" {
					ids[e.ID] = true
				}
			}
			if s.chats() && len(ids) != 1 || strings.Contains(rest, `"usage":{`) == s.chats() {
				t.Errorf("ids %v: %s", ids, rest)
			}
			if got := b.settled(g.id); got.SettledMicroUsd != b.fake.Billed()-before || got.SettledMicroUsd == 0 {
				t.Errorf("settled %d, billed %d", got.SettledMicroUsd, b.fake.Billed()-before)
			}
		})
	}
	s := turned[0]
	g := b.give(s.scope(500, 7))
	st, err := b.streamBody(s, g.token, strings.Replace(s.body(s.model, "x", 50, true), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	if rest, err := st.rest(); err != nil || !strings.Contains(rest, `"prompt_tokens"`) || !strings.Contains(rest, "[DONE]") {
		t.Errorf("usage was asked for: %v %s", err, rest)
	}
}

// toolBodies ask for tools, show an image and want a thought, as far as a format and a model have it; the second call brings the result of
// a call back.
const (
	png      = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	chatTool = `{"model":%q,"max_completion_tokens":2000,"tools":[{"type":"function","function":{"name":"weather","description":"of a city","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],` +
		`"tool_choice":"auto","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"weather?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + png + `"}}]}%s]%s}`
	messagesTool = `{"model":%q,"max_tokens":2000,"system":"Be brief.","tools":[{"name":"weather","description":"of a city","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],` +
		`"tool_choice":{"type":"auto"},"messages":[{"role":"user","content":[{"type":"text","text":"weather?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + png + `"}}]}%s]%s}`
)

// asksTool is a body that offers a tool; more are further messages and members.
func (s speaker) asksTool(messages, members string) string {
	if s.chats() {
		return fmt.Sprintf(chatTool, s.model, messages, members)
	}
	return fmt.Sprintf(messagesTool, s.model, messages, members)
}

// TestUniversalTools: a call of the model's comes back as one of the caller's format, and goes out again with its result as the provider
// knows it.
func TestUniversalTools(t *testing.T) {
	b := start(t, nil)
	for _, s := range turned {
		t.Run(s.name, func(t *testing.T) {
			g := b.give(s.scope(500, 7))
			b.fake.Next(fakeprovider.Behaviour{Text: []string{}, Tools: []fakeprovider.Tool{{Name: "weather", Input: `{"city":"Bern"}`}}})
			a := b.send("POST", s.path, s.asksTool("", ""), s.auth(g.token))
			if a.status != 200 {
				t.Fatalf("got %s", a)
			}
			again := ""
			if s.chats() {
				var answer struct {
					Choices []struct {
						Message      json.RawMessage
						FinishReason string `json:"finish_reason"`
					}
				}
				var message struct {
					ToolCalls []struct {
						ID       string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				if json.Unmarshal(a.body, &answer) != nil || len(answer.Choices) != 1 || json.Unmarshal(answer.Choices[0].Message, &message) != nil ||
					len(message.ToolCalls) != 1 || answer.Choices[0].FinishReason != "tool_calls" || message.ToolCalls[0].Function.Name != "weather" || message.ToolCalls[0].Function.Arguments != `{"city":"Bern"}` {
					t.Fatalf("got %s", a)
				}
				calls := mustJSON([]any{map[string]any{"id": message.ToolCalls[0].ID, "type": "function", "function": map[string]any{"name": "weather", "arguments": `{"city":"Bern"}`}}})
				again = fmt.Sprintf(`,{"role":"assistant","content":null,"tool_calls":%s},{"role":"tool","tool_call_id":%q,"content":"three below"}`, calls, message.ToolCalls[0].ID)
			} else {
				var answer struct {
					Content    []struct{ Type, ID, Name string }
					StopReason string `json:"stop_reason"`
				}
				if json.Unmarshal(a.body, &answer) != nil || len(answer.Content) != 1 || answer.Content[0].Type != "tool_use" || answer.Content[0].Name != "weather" || answer.StopReason != "tool_use" {
					t.Fatalf("got %s", a)
				}
				again = fmt.Sprintf(`,{"role":"assistant","content":[{"type":"tool_use","id":%q,"name":"weather","input":{"city":"Bern"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":%q,"content":"three below"}]}`,
					answer.Content[0].ID, answer.Content[0].ID)
			}
			if a := b.send("POST", s.path, s.asksTool(again, ""), s.auth(g.token)); a.status != 200 {
				t.Fatalf("got %s", a)
			}
			want := map[string][]string{
				"anthropic": {`"type":"tool_use"`, `"input":{"city":"Bern"}`, `"type":"tool_result"`, `"text":"three below"`, `"input_schema":{`, `"media_type":"image/png"`},
				"google":    {`"functionCall":{`, `"args":{"city":"Bern"}`, `"response":{"output":"three below"}`, `"parametersJsonSchema":{`, `"mimeType":"image/png"`},
				"openai":    {`"arguments":"{\"city\":\"Bern\"}"`, `"role":"tool"`, `"content":"three below"`, `"parameters":{`, `"url":"data:image/png;base64,`},
			}[s.provider]
			for _, w := range want {
				if r := b.last(); !strings.Contains(string(r.Body), w) || len(r.Wrong) > 0 {
					t.Errorf("%s did not arrive: %v %s", w, r.Wrong, r.Body)
				}
			}
		})
	}
}

// TestUniversalHoldsTheWorstCase: while a call with tools, an image and a thought is on its way, as much is held as the provider can bill
// for it; and a cap that was left out is set.
func TestUniversalHoldsTheWorstCase(t *testing.T) {
	b := start(t, nil)
	for _, s := range turned {
		effort := map[bool]string{true: `,"reasoning_effort":"high"`, false: `,"thinking":{"type":"enabled","budget_tokens":1500}`}[s.chats()]
		bodies := []string{s.asksTool("", effort), s.body(s.model, strings.Repeat("ünïcode ", 200), 3000, false)}
		if s.chats() {
			bodies = append(bodies, strings.Replace(s.asksTool("", effort), `"max_completion_tokens":2000,`, "", 1))
		}
		for i, body := range bodies {
			g := b.give(s.scope(500, 7))
			release := make(chan struct{})
			b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: release, Worst: true})
			seen, answered := len(b.fake.Requests()), make(chan answer, 1)
			go func() { a, _ := b.try("POST", s.path, body, s.auth(g.token)); answered <- a }()
			if err := b.fake.AwaitCalls(testutil.Context(t), seen+1); err != nil {
				t.Fatal(s.name, err)
			}
			held := b.standing(g.id).ReservedMicroUsd
			testutil.Open(t, release)
			if a := <-answered; a.status != 200 {
				t.Fatalf("%s %d: %s", s.name, i, a)
			}
			if st, billed := b.settled(g.id), b.last().Billed(); held < billed || st.SettledMicroUsd != billed || billed == 0 {
				t.Errorf("%s %d: held %d, settled %d, billed %d: %s", s.name, i, held, st.SettledMicroUsd, billed, b.last().Body)
			}
		}
	}
}

// TestUniversalRefusals: what cannot be carried is a 400 in the caller's format that names the field; nothing is held and nothing leaves.
func TestUniversalRefusals(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		s           speaker
		more, field string
	}{
		{turned[0], `"seed":1`, "seed"}, {turned[0], `"logprobs":true`, "logprobs"}, {turned[1], `"n":2`, "n"}, {turned[1], `"logit_bias":{"1":1}`, "logit_bias"},
		{turned[0], `"response_format":{"type":"json_object"}`, "response_format"}, {turned[1], `"parallel_tool_calls":false`, "parallel_tool_calls"},
		{turned[2], `"top_k":1`, "top_k"}, {turned[2], `"tools":[{"type":"web_search_20250305","name":"web_search"}]`, "tools[0].type"}, {turned[3], `"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`, "tool_choice.disable_parallel_tool_use"},
	} {
		g := b.give(c.s.scope(500, 7))
		a := b.send("POST", c.s.path, strings.Replace(c.s.body(c.s.model, "x", 50, false), "{", "{"+c.more+",", 1), c.s.auth(g.token))
		named := a.str("error.param") == c.field
		shape := native[0]
		if !c.s.chats() {
			named, shape = strings.HasPrefix(a.str("error.message"), c.field+": "), native[1]
		}
		envelope(t, shape, a)
		if a.status != 400 || !named {
			t.Errorf("%s, %s: %s", c.s.name, c.more, a)
		}
		if st := b.standing(g.id); st.UsageCount != 0 || st.ReservedMicroUsd != 0 {
			t.Errorf("%s, %s: %+v", c.s.name, c.more, st)
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d refused calls went upstream", n)
	}
}

// TestUniversalIgnores: what changes no answer is left out, and the answer says so.
func TestUniversalIgnores(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		s          speaker
		more, want string
	}{
		{turned[1], `"user":"someone","prompt_cache_key":"k"`, "prompt_cache_key, user"}, {turned[2], `"cache_control":{"type":"ephemeral"}`, "cache_control"}, {turned[0], `"user":"someone"`, ""},
	} {
		g := b.give(c.s.scope(500, 7))
		a := b.send("POST", c.s.path, strings.Replace(c.s.body(c.s.model, "x", 50, false), "{", "{"+c.more+",", 1), c.s.auth(g.token))
		if a.status != 200 || a.header.Get("AIPassport-Ignored") != c.want {
			t.Errorf("%s, %s: %q %s", c.s.name, c.more, a.header.Get("AIPassport-Ignored"), a)
		}
	}
}

// TestUniversalErrors: a provider's errors come in the caller's format, and one about the owner's key is no fault of the caller's.
func TestUniversalErrors(t *testing.T) {
	b := start(t, nil)
	kinds := map[bool]map[int]string{
		true:  {400: "invalid_request_error", 404: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error"},
		false: {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"},
	}
	for _, s := range turned {
		shape := native[0]
		if !s.chats() {
			shape = native[1]
		}
		g := b.give(s.scope(500, 100))
		for status, kind := range kinds[s.chats()] {
			b.fake.Next(fakeprovider.Behaviour{Status: status})
			a := b.call(s, g.token, "x")
			envelope(t, shape, a)
			if a.status != status || a.str("error.type") != kind {
				t.Errorf("%s, %d: %s, want %s", s.name, status, a, kind)
			}
		}
		b.fake.Next(fakeprovider.Behaviour{Status: 401})
		a := b.call(s, g.token, "x")
		envelope(t, shape, a)
		if a.status != 502 {
			t.Errorf("%s: %s", s.name, a)
		}
		b.fake.Next(fakeprovider.Behaviour{Body: `{"something":"else"}`})
		a = b.call(s, g.token, "x")
		envelope(t, shape, a)
		if a.status != 502 {
			t.Errorf("%s, no answer of the provider's: %s", s.name, a)
		}
	}
}

// TestUniversalEmbeddings: OpenAI's embeddings from Google's model, as numbers and in base64.
func TestUniversalEmbeddings(t *testing.T) {
	b := start(t, nil)
	g := b.give(strings.Replace(scope("google", "gemini-embedding-001", 500, 10), `["chat"]`, `["embeddings"]`, 1))
	for _, more := range []string{"", `,"encoding_format":"base64"`} {
		before := b.fake.Billed()
		a := b.send("POST", "/v1/embeddings", `{"model":"google/gemini-embedding-001","input":["first","second"]`+more+`}`, bearer(g.token))
		data, _ := a.get("data").([]any)
		if a.status != 200 || a.str("object") != "list" || a.str("model") != "google/gemini-embedding-001" || len(data) != 2 {
			t.Fatalf("got %s", a)
		}
		_, packed := data[1].(map[string]any)["embedding"].(string)
		if packed != (more != "") {
			t.Errorf("%q: got %s", more, a)
		}
		if r := b.last(); !strings.HasSuffix(r.Path, "gemini-embedding-001:batchEmbedContents") || len(r.Wrong) > 0 {
			t.Errorf("went to %s: %v %s", r.Path, r.Wrong, r.Body)
		}
		if st := b.settled(g.id); st.SettledMicroUsd < b.fake.Billed() || b.fake.Billed() == before {
			t.Errorf("settled %d, billed %d", st.SettledMicroUsd, b.fake.Billed())
		}
	}
	if a := b.send("POST", "/v1/embeddings", `{"model":"google/gemini-embedding-001","input":[1,2]}`, bearer(g.token)); a.status != 400 || a.str("error.param") != "input" {
		t.Errorf("got %s", a)
	}
	if a := b.send("POST", "/v1/responses", `{"model":"google/gemini-embedding-001","input":"x"}`, bearer(g.token)); a.status != 400 || a.str("error.param") != "model" {
		t.Errorf("got %s", a)
	}
}

// TestUniversalNames: which provider a name means, for a grant that covers several.
func TestUniversalNames(t *testing.T) {
	b := start(t, nil)
	detail := func(provider string, models ...string) string {
		return fmt.Sprintf(`{"type":"ai_access","provider":%q,"models":%s,"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":100,"rateLimit":1000000}`, provider, mustJSON(append([]string{}, models...)))
	}
	a := b.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example.com","reason":"to compare","authorizationDetails":[`+
		detail("google", "gemini-2.5-flash")+","+detail("anthropic")+","+detail("openai", "gpt-4o-mini")+`]}`, nil)
	if a.status != 201 {
		t.Fatal(a)
	}
	g := asked{a.str("grant.id"), a.str("grantSecret"), a.str("consentUrl")}
	b.approve(g.id, `{"expiresInSeconds":3600}`)
	token := b.token(g)
	for _, c := range []struct {
		model, provider string // empty: refused
		chat, messages  int    // statuses; a name that nothing is known of is the format's own provider's
	}{
		{"gpt-4o-mini", "openai", 200, 200}, {"claude-sonnet-4-5", "anthropic", 200, 200}, {"gemini-2.5-flash", "google", 200, 200},
		{"openai/gpt-4o-mini", "openai", 200, 200}, {"anthropic/claude-haiku-4-5", "anthropic", 200, 200}, {"google/gemini-2.5-flash", "google", 200, 200},
		{"google/gemini-2.5-pro", "", 403, 403}, {"openai/gpt-4o", "", 403, 403}, {"anthropic/gpt-4o-mini", "", 400, 400},
		{"gpt-4o", "", 403, 400}, {"mistral/large", "", 403, 400}, {"openai/", "", 403, 400},
	} {
		for way, status := range map[int]int{0: c.chat, 2: c.messages} {
			s := turned[way]
			seen := len(b.fake.Requests())
			a := b.send("POST", s.path, s.body(c.model, "x", 50, false), s.auth(token))
			went := len(b.fake.Requests()) > seen
			if a.status != status || went != (c.provider != "") || went && !strings.HasPrefix(b.last().Path, upstreamPath[c.provider]) {
				t.Errorf("%s by %s: %s (went upstream: %v)", c.model, s.path, a, went)
			}
		}
	}
	for model, provider := range map[string]string{"claude-sonnet-4-5": "anthropic", "openai/gpt-4o-mini": "openai"} { // the seed's route goes by the same table
		if a := b.send("POST", "/proxy/chat", openAIBody(model, "x", 50, false), bearer(token)); a.status != 200 || !strings.HasPrefix(b.last().Path, upstreamPath[provider]) {
			t.Errorf("%s: %s", model, a)
		}
	}
	if a := b.send("POST", "/anthropic/v1/messages", openAIBody("gpt-4o-mini", "x", 50, false), http.Header{"X-Api-Key": {"wrong"}}); a.status != 401 {
		t.Errorf("a wrong token: %s", a)
	}
}
