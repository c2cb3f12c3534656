package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// TestWhatIsNoRouteIsRefusedInShape: whatever is asked below a dialect's path is answered in its shape, with a token or without, and is never a
// redirect: a client would send a POST again as a GET.
func TestWhatIsNoRouteIsRefusedInShape(t *testing.T) {
	b := start(t, nil)
	for i, s := range native {
		g := b.give(s.scope(500, 10))
		base := []string{"/v1", "/anthropic", "/google"}[i]
		chat, _, _ := strings.Cut(s.path, "?")
		for _, c := range []struct {
			method, path string
			status       int
		}{
			{"GET", chat, map[bool]int{false: 405, true: 404}[s.name == "google"]}, // of Google it is a model's name
			{"PUT", chat, 405}, {"DELETE", chat, 405}, {"PATCH", chat, 405},
			{"POST", chat + "/", 404}, {"POST", "/" + chat, 400}, {"POST", strings.Replace(chat, base+"/", base+"//", 1), 400}, {"POST", base + "/./x", 400},
			{"POST", base + "/../v1/chat/completions", 400}, {"POST", strings.Replace(chat, "a", "%61", 1), 400},
			{"POST", base, 404}, {"GET", base, 404}, {"GET", base + "/", 404}, {"POST", base + "/nothing/here", 404}, {"GET", base + "/nothing", 404},
			{"POST", base + "/v1beta/models", 404}, {"POST", base + "/v1beta/models/x:predict", 404}, {"POST", base + "/v1beta/models/x", 404},
			{"POST", base + "/upload/v1beta/files", 404}, {"POST", base + "/completions", 404}, {"GET", base + "/realtime", 404},
		} {
			if strings.Contains(c.path, "/v1beta/models") && s.name == "google" && strings.HasSuffix(c.path, "/models") {
				c.status = 405
			}
			for _, h := range []http.Header{s.auth(g.token), nil} {
				body := ""
				if c.method == "POST" {
					body = s.body(s.model, "x", 50, false)
				}
				a := b.send(c.method, c.path, body, h)
				want := c.status
				if h == nil && s.name == "google" && (strings.Contains(c.path, "/v1beta/models/x") || c.method == "GET" && c.path == chat) {
					want = 401 // a route, where it is not said what there is before it is known who asks
				}
				if a.status != want || a.header.Get("Location") != "" {
					t.Errorf("%s %s: got %s, want %d", c.method, c.path, a, want)
				}
				if c.status == 405 && a.header.Get("Allow") == "" {
					t.Errorf("%s %s: no Allow", c.method, c.path)
				}
				if c.path != "/"+chat { // whose first segment is empty
					envelope(t, s, a)
				}
			}
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestWebSocketsAreRefused: a socket would be a call without an end, which nothing bounds.
func TestWebSocketsAreRefused(t *testing.T) {
	b := start(t, nil)
	for i, s := range native {
		g := b.give(s.scope(500, 10))
		h := s.auth(g.token)
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
		h.Set("Sec-Websocket-Version", "13")
		h.Set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		for _, path := range []string{[]string{"/v1/realtime?model=gpt-realtime", "/anthropic/v1/realtime", "/google/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"}[i], s.path} {
			a := b.send("GET", path, "", h)
			if a.status != 404 && a.status != 405 {
				t.Errorf("%s: %s", path, a)
			}
			envelope(t, s, a)
		}
	}
}

// TestEveryErrorThatClientsKnow comes through with its status, in the dialect's shape and with its own word; the owner's key that was refused
// is a 502.
func TestEveryErrorThatClientsKnow(t *testing.T) {
	b := start(t, nil)
	words := map[string]map[int]string{
		"anthropic": {400: "invalid_request_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"},
		"google":    {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"},
	}
	for _, s := range native {
		g := b.give(s.scope(500, 1000))
		for _, status := range []int{400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529} {
			want := status
			if status == 401 || status == 403 {
				want = 502
			}
			for _, body := range []string{"", "<html>a proxy's page</html>"} {
				b.fake.Next(fakeprovider.Behaviour{Status: status, Body: body})
				a := b.call(s, g.token, "x")
				if a.status != want {
					t.Errorf("%s, upstream %d: got %s", s.name, status, a)
				}
				envelope(t, s, a)
				said := []string{a.str("error.type"), a.str("error.status")}
				if word := words[s.name][status]; word != "" && body != "" && !slices.Contains(said, word) {
					t.Errorf("%s, upstream %d: says %q, want %s", s.name, status, said, word)
				}
			}
		}
	}
}

// TestAThreadIsRefusedInTheWordsThatItsClientsKnow, so that they send the messages instead.
func TestAThreadIsRefusedInTheWordsThatItsClientsKnow(t *testing.T) {
	b := start(t, nil)
	s := native[1]
	g := b.give(s.scope(500, 10))
	for _, path := range []string{s.path + "?beta=true", "/anthropic/v1/messages/count_tokens"} {
		h := s.auth(g.token)
		h.Set("Anthropic-Beta", "message-threads-2026-08-12")
		a := b.send("POST", path, strings.Replace(countBody(s.model), "{", `{"thread":{"type":"create"},`, 1), h)
		if a.status != 400 || a.str("error.details.error_code") != "thread_unsupported_request" {
			t.Errorf("%s: %s", path, a)
		}
	}
}
