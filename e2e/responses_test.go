package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// responder speaks OpenAI's responses.
var responder = speaker{"responses", "openai", "gpt-4o-mini", "/v1/responses", "/v1/responses", bearer, responsesBody}

func responsesBody(model, prompt string, maxTokens int, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"max_output_tokens":%d,"input":[{"role":"user","content":[{"type":"input_text","text":"%s %s"}]}],"stream":%v}`,
		model, maxTokens, canaryPrompt, prompt, stream)
}

// TestResponsesStream: piece by piece, with calls of tools, to the event that ends it; settled to the micro-dollar.
func TestResponsesStream(t *testing.T) {
	b := start(t, nil)
	g := b.give(responder.scope(500, 7))
	gate := make(chan struct{})
	b.fake.Next(fakeprovider.Behaviour{Chunks: 3, Gate: gate, Tools: []fakeprovider.Tool{{Name: "weather", Input: `{"city":"Paris"}`}}})
	st, err := b.stream(responder, g.token, "slowly", 50)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	for i := range 3 {
		testutil.Open(t, gate)
		if err := st.piece(i); err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	all, err := st.rest()
	if err != nil || !strings.Contains(all, `"type":"response.completed"`) || !strings.Contains(all, `"arguments":"{\"city\":\"Paris\"}"`) {
		t.Errorf("%v %s", err, all)
	}
	if got := b.settled(g.id); got.SettledMicroUsd != b.fake.Billed() || got.SettledMicroUsd == 0 {
		t.Errorf("settled %d, billed %d", got.SettledMicroUsd, b.fake.Billed())
	}
	for _, w := range b.fake.Wrong() {
		t.Error(w)
	}
}

// TestResponsesStreamIsCut: by the provider, by the client, by a revoke. It ends with an error event and never with an event that ends
// a response; what was billed is within what is settled.
func TestResponsesStreamIsCut(t *testing.T) {
	b := start(t, env{"AIPASSPORT_STREAM_IDLE_TIMEOUT": "500ms"})
	sse := http.Header{"Content-Type": {"text/event-stream"}}
	failed := `data: {"type":"error","code":"server_error","message":"x","param":null,"sequence_number":1}` + "\n\n"
	for name, bad := range map[string]fakeprovider.Behaviour{
		"drop in the middle":        {CutAfter: 1, Worst: true, Stops: true},
		"drop before the usage":     {CutAtEnd: true, Worst: true, Stops: true},
		"stall":                     {BeforeEnd: make(chan struct{}), Worst: true, Stops: true},
		"an error of the provider":  {Body: failed, Header: sse},
		"HTML":                      {Body: "<html>maintenance</html>", Header: sse},
		"a line that does not end":  {LongLine: 9 << 20, Worst: true, Stops: true},
		"dropped before the answer": {Drop: true},
	} {
		g, before := b.give(responder.scope(500, 10)), b.fake.Billed()
		b.fake.Next(bad)
		st, err := b.stream(responder, g.token, "broken", 700)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := st.rest()
		st.close()
		if strings.Contains(all, "response.completed") || st.res.StatusCode == 200 && !strings.Contains(all, `"error":{"message"`) {
			t.Errorf("%s: %d %.300s", name, st.res.StatusCode, all)
		}
		b.fake.AwaitEnd(testutil.Context(t))
		if got, billed := b.settled(g.id), b.fake.Billed()-before; got.SettledMicroUsd < billed || got.SettledMicroUsd == 0 || got.UsageCount != 1 {
			t.Errorf("%s: settled %d in %d calls, billed %d", name, got.SettledMicroUsd, got.UsageCount, billed)
		}
	}
	for _, revoke := range []bool{true, false} {
		g, before := b.give(responder.scope(500, 10)), b.fake.Billed()
		b.fake.Next(fakeprovider.Behaviour{Chunks: 2, BeforeEnd: make(chan struct{}), Worst: true, Stops: true})
		st, err := b.stream(responder, g.token, "endless", 700)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.piece(1); err != nil {
			t.Fatal(err)
		}
		if revoke {
			b.owner("POST", "/grants/"+g.id+"/revoke", "")
			if all, _ := st.rest(); !strings.Contains(all, `"type":"error"`) || !strings.Contains(all, "grant_ended") {
				t.Errorf("a revoked stream ended with %s", all)
			}
		}
		st.close()
		b.fake.AwaitEnd(testutil.Context(t))
		got, billed := b.settled(g.id), b.fake.Billed()-before
		if got.SettledMicroUsd < billed || billed == 0 {
			t.Errorf("revoked %v: settled %d, billed %d", revoke, got.SettledMicroUsd, billed)
		}
	}
}

// TestStoredObjectsAreNobodys: nothing is stored, so every id is one that is not there, for whoever asks; nothing leaves.
func TestStoredObjectsAreNobodys(t *testing.T) {
	b := start(t, nil)
	g := b.give(responder.scope(500, 100))
	a := b.call(responder, g.token, "x")
	id := a.str("id")
	if a.status != 200 || id == "" {
		t.Fatalf("%s", a)
	}
	sent := len(b.fake.Requests())
	for _, token := range []string{g.token, b.give(responder.scope(500, 100)).token} {
		for _, route := range []string{"GET /v1/responses/" + id, "DELETE /v1/responses/" + id, "POST /v1/responses/" + id + "/cancel", "GET /v1/responses/" + id + "/input_items",
			"POST /v1/responses/input_tokens", "POST /v1/responses/compact", "POST /v1/conversations", "GET /v1/chat/completions/" + id,
			"GET /v1/files", "POST /v1/files", "POST /v1/uploads", "POST /v1/batches", "GET /v1/batches/b_1", "POST /v1/threads", "POST /v1/assistants", "POST /v1/vector_stores",
			"POST /v1/containers", "POST /v1/fine_tuning/jobs", "POST /v1/evals", "POST /v1/moderations", "POST /v1/completions", "POST /v1/videos", "POST /v1/images/edits",
			"POST /v1/images/variations", "POST /v1/realtime/sessions", "GET /v1/organization/usage/completions"} {
			method, path, _ := strings.Cut(route, " ")
			a := b.send(method, path, "", bearer(token))
			if a.status != 404 || a.str("error.type") != "invalid_request_error" {
				t.Errorf("%s: %s", route, a)
			}
		}
		for field, body := range map[string]string{
			"previous_response_id": fmt.Sprintf(`{"model":"gpt-4o-mini","input":"x","previous_response_id":%q}`, id),
			"store":                `{"model":"gpt-4o-mini","input":"x","store":true}`,
			"input[0].type":        fmt.Sprintf(`{"model":"gpt-4o-mini","input":[{"type":"item_reference","id":%q}]}`, id),
		} {
			if a := b.send("POST", "/v1/responses", body, bearer(token)); a.status != 400 || a.str("error.param") != field {
				t.Errorf("%s: %s", field, a)
			}
		}
	}
	if n := len(b.fake.Requests()); n != sent {
		t.Errorf("%d calls went upstream", n-sent)
	}
}
