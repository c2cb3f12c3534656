package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// turned speak one provider's format to a model of another's.
var turned = []speaker{
	{"chat with claude", "anthropic", "claude-sonnet-4-5", "/v1/chat/completions", "/v1/chat/completions", bearer, openAIBody},
	{"chat with gemini", "google", "gemini-2.5-flash", "/v1/chat/completions", "/v1/chat/completions", bearer, openAIBody},
	{"messages with gpt", "openai", "gpt-4o-mini", "/anthropic/v1/messages", "/anthropic/v1/messages", xAPIKey, openAIBody},
	{"messages with gemini", "google", "gemini-2.5-flash", "/anthropic/v1/messages", "/anthropic/v1/messages", xAPIKey, openAIBody},
}

// errorOf is the beginning of an error event in the format that a speaker speaks.
func (s speaker) errorOf() string {
	if s.path == "/v1/chat/completions" {
		return `{"error":{"message":`
	}
	return `{"type":"error","error":{"type":`
}

// failing is a stream of a provider that tells an error in the middle.
func (s speaker) failing() string {
	switch s.provider {
	case "anthropic":
		return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n" +
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"so busy\"}}\n\n"
	case "google":
		return `data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":10}}` + "\n\n" +
			`data: {"error":{"code":503,"message":"so busy","status":"UNAVAILABLE"}}` + "\n\n"
	default:
		return `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}]}` + "\n\n" + `data: {"error":{"message":"so busy","type":"server_error","code":null}}` + "\n\n"
	}
}

// TestThreat05BrokenTurnedStreamsNeverLookWhole: as those that are not turned. The caller reads an error in its own format, and what was
// billed is within what is settled.
func TestThreat05BrokenTurnedStreamsNeverLookWhole(t *testing.T) {
	b := start(t, env{"AIPASSPORT_STREAM_IDLE_TIMEOUT": "500ms"})
	sse := http.Header{"Content-Type": {"text/event-stream"}}
	for _, s := range turned {
		stops := s.dearest().Stops
		for name, bad := range map[string]fakeprovider.Behaviour{
			"drop in the middle":        {CutAfter: 1, Worst: true, Stops: stops},
			"drop before the usage":     {CutAtEnd: true, Worst: true, Stops: stops},
			"stall":                     {BeforeEnd: make(chan struct{}), Worst: true, Stops: stops},
			"an error of the provider":  {Body: s.failing(), Header: sse},
			"an end with nothing in it": {Body: "data: {}\n\ndata: [DONE]\n\n", Header: sse},
			"HTML":                      {Body: "<html>maintenance</html>", Header: sse},
			"garbage":                   {Body: "\x00\x01\x02", Header: sse},
			"a line that does not end":  {LongLine: 2 << 20, Worst: true, Stops: stops},
			"dropped before the answer": {Drop: true},
		} {
			g := b.give(s.scope(500, 10))
			b.fake.Next(bad)
			before := b.fake.Billed()
			st, err := b.stream(s, g.token, "broken", 700)
			if err != nil {
				t.Fatal(err)
			}
			all, _ := st.rest()
			st.close()
			if whole(all) || strings.Contains(all, `"stop_reason":"`) || st.res.StatusCode == 200 && !strings.Contains(all, s.errorOf()) {
				t.Errorf("%s, %s: %d %.500s", s.name, name, st.res.StatusCode, all)
			}
			if name == "an error of the provider" && !strings.Contains(all, "so busy") {
				t.Errorf("%s: %.500s", s.name, all)
			}
			b.fake.AwaitEnd(testutil.Context(t))
			if got, billed := b.settled(g.id), b.fake.Billed()-before; got.SettledMicroUsd < billed || got.SettledMicroUsd == 0 || got.UsageCount != 1 {
				t.Errorf("%s, %s: settled %d in %d calls, billed %d", s.name, name, got.SettledMicroUsd, got.UsageCount, billed)
			}
		}
	}
}

// TestThreat09TurnedStreamsEndWithTheirGrant: a revoke is an error event in the caller's format.
func TestThreat09TurnedStreamsEndWithTheirGrant(t *testing.T) {
	b := start(t, nil)
	for _, s := range turned {
		g := b.give(s.scope(500, 10))
		gate := make(chan struct{})
		b.fake.Next(fakeprovider.Behaviour{Gate: gate, Endless: true})
		st, err := b.stream(s, g.token, "endless", 700)
		if err != nil {
			t.Fatal(err)
		}
		testutil.Open(t, gate)
		if err := st.piece(0); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if a := b.owner("POST", "/grants/"+g.id+"/revoke", ""); a.status != 200 {
			t.Fatal(a)
		}
		all, _ := st.rest()
		st.close()
		if whole(all) || !strings.Contains(all, s.errorOf()) {
			t.Errorf("%s: %s", s.name, all)
		}
		if got := b.settled(g.id); got.SettledMicroUsd == 0 {
			t.Errorf("%s: settled nothing", s.name)
		}
	}
}

// TestAnswersWithoutAPlaceAreErrors: a whole answer that has something which the caller's format has no place for, and one in which the
// model gave no answer, is a 502 in that format. What it cost was told, so that is what is settled.
func TestAnswersWithoutAPlaceAreErrors(t *testing.T) {
	b := start(t, nil)
	bodies := map[string][]string{
		"anthropic": {`{"type":"message","content":[{"type":"added_later"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":4}}`},
		"google": {`{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":14}}`,
			`{"candidates":[{"content":{"parts":[{"inlineData":{}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":14}}`},
		"openai": {`{"choices":[{"index":0,"message":{"audio":{"id":"x"}},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":4}}`},
	}
	for _, s := range turned {
		for _, body := range bodies[s.provider] {
			g := b.give(s.scope(500, 10))
			b.fake.Next(fakeprovider.Behaviour{Tokens: &fakeprovider.Tokens{Input: 10, Output: 4}})
			if a := b.call(s, g.token, "well"); a.status != 200 {
				t.Fatalf("%s: %s", s.name, a)
			}
			cost := b.settled(g.id).SettledMicroUsd
			b.fake.Next(fakeprovider.Behaviour{Body: body})
			if a := b.call(s, g.token, "badly"); a.status != 502 || !strings.HasPrefix(string(a.body), s.errorOf()) {
				t.Errorf("%s, %s: %s", s.name, body, a)
			}
			if got := b.settled(g.id); got.SettledMicroUsd != 2*cost || cost == 0 {
				t.Errorf("%s, %s: settled %d, want %d", s.name, body, got.SettledMicroUsd, 2*cost)
			}
		}
	}
}

// TestTurnedErrorsHaveTheCallersWords: status, type and code are those that the official clients make their classes of.
func TestTurnedErrorsHaveTheCallersWords(t *testing.T) {
	b := start(t, nil)
	for _, s := range turned {
		g := b.give(s.scope(500, 100))
		for _, c := range []struct {
			status            int
			openai, anthropic string
		}{
			{400, `400 invalid_request_error`, `400 invalid_request_error`},
			{404, `404 invalid_request_error model_not_found`, `404 not_found_error`},
			{409, `409 invalid_request_error`, `409 invalid_request_error`},
			{422, `422 invalid_request_error`, `422 invalid_request_error`},
			{429, `429 requests rate_limit_exceeded`, `429 rate_limit_error`},
			{500, `500 server_error`, `500 api_error`},
			{503, `503 server_error`, `529 overloaded_error`},
			{529, `503 server_error`, `529 overloaded_error`},
			{401, `502 server_error credential_refused`, `502 api_error`},
			{403, `502 server_error credential_refused`, `502 api_error`},
		} {
			b.fake.Next(fakeprovider.Behaviour{Status: c.status, Header: http.Header{"Retry-After": {"7"}}})
			a := b.call(s, g.token, "fails")
			got, want := fmt.Sprint(a.status, " ", a.str("error.type")), c.anthropic
			if s.path == "/v1/chat/completions" {
				want = c.openai
				if strings.Count(want, " ") == 2 {
					got += " " + a.str("error.code")
				}
			}
			if got != want {
				t.Errorf("%s, %d: got %s, want %s: %s", s.name, c.status, got, want, a)
			}
			if own := c.status == 401 || c.status == 403; (a.header.Get("Retry-After") == "7") == own {
				t.Errorf("%s, %d: Retry-After %q", s.name, c.status, a.header.Get("Retry-After"))
			}
		}
		if got := b.settled(g.id); got.SettledMicroUsd != 0 {
			t.Errorf("%s: settled %d", s.name, got.SettledMicroUsd)
		}
	}
}
