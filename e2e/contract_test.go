package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// chatBody is a body of /proxy/chat as the original takes it.
func chatBody(model, role string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":%q,"content":"x"}]}`, model, role)
}

// invalid is a refused body in the original's shape.
func invalid(name string, messages ...any) map[string]any {
	return map[string]any{"error": "Validation failed", "details": map[string]any{"formErrors": []any{}, "fieldErrors": map[string]any{name: messages}}}
}

// object is the whole body; nil if it is no JSON object.
func (a answer) object() (m map[string]any) {
	json.Unmarshal(a.body, &m)
	return m
}

func refused(text string) map[string]any { return map[string]any{"error": text} }

// TestContractOrderOfProxyChat: of everything that is wrong with a call the first in the original's order is told: body, header,
// token, calls, key, model, capability; and only then what no provider could be sent.
func TestContractOrderOfProxyChat(t *testing.T) {
	b := start(t, env{"ANTHROPIC_API_KEY": ""})
	form := `{"provider":%q,"models":[%q],"capabilities":[%s],"maxBudgetCents":500,"maxRequests":%d}`
	gone := b.give(fmt.Sprintf(form, "anthropic", "m", "", 0))
	b.owner("POST", "/grants/"+gone.id+"/revoke", "")
	spent := b.give(fmt.Sprintf(form, "anthropic", "m", "", 0))
	keyless := b.give(fmt.Sprintf(form, "anthropic", "m", "", 9))
	modelless := b.give(fmt.Sprintf(form, "openai", "gpt-4o-mini", "", 9))
	incapable := b.give(fmt.Sprintf(form, "openai", "gpt-4o-mini", `"images","code"`, 9))
	able := b.give(fmt.Sprintf(form, "openai", "gpt-4o-mini", `"chat"`, 9))
	open := b.give(`{"provider":"openai","models":[],"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":9}`)
	auth := func(v string) http.Header { return http.Header{"Authorization": {v}} }
	const header = "Missing or malformed Authorization header"
	role := "Invalid enum value. Expected 'system' | 'developer' | 'user' | 'assistant' | 'tool', received 'root'"
	for _, c := range []struct {
		name, body string
		h          http.Header
		status     int
		want       map[string]any
	}{
		{"body before header", `{"model":5,"messages":[]}`, nil, 400, invalid("model", "Expected string, received number")},
		{"body before token", `{"model":"m"}`, bearer("nonsense"), 400, invalid("messages", "Required")},
		{"body before calls", `{"model":"m","messages":[5,{"role":null,"content":1}]}`, bearer(spent.token), 400,
			invalid("messages", "Expected object, received number", "Expected string, received null", "Expected string, received number")},
		{"no header", chatBody("x", "root"), nil, 401, refused(header)},
		{"empty header", chatBody("x", "root"), auth(""), 401, refused(header)},
		{"no token in it", chatBody("x", "root"), auth("Bearer "), 401, refused(header)},
		{"another scheme", chatBody("x", "root"), auth("Basic " + able.token), 401, refused(header)},
		{"no scheme", chatBody("x", "root"), auth(able.token), 401, refused(header)},
		{"a provider's header", chatBody("x", "root"), http.Header{"X-Api-Key": {able.token}}, 401, refused(header)},
		{"no JWT", chatBody("x", "root"), bearer("nonsense"), 401, refused("Invalid or expired JWT")},
		{"revoked before calls", chatBody("x", "root"), bearer(gone.token), 401, refused("Token has been revoked")},
		{"calls before key", chatBody("x", "root"), bearer(spent.token), 429, refused("Usage cap exceeded")},
		{"key before model", chatBody("x", "root"), bearer(keyless.token), 502, refused("No API key configured for provider 'anthropic'. Set the corresponding environment variable.")},
		{"model before capability", chatBody("GPT-4o-mini", "root"), bearer(modelless.token), 403, refused("Model 'GPT-4o-mini' is not permitted by this grant. Allowed models: gpt-4o-mini")},
		{"empty model", chatBody("", "root"), bearer(incapable.token), 403, refused("Model '' is not permitted by this grant. Allowed models: gpt-4o-mini")},
		{"capability before messages", chatBody("gpt-4o-mini", "root"), bearer(incapable.token), 403, refused("Capability 'chat' is not permitted by this grant. Allowed capabilities: images, code")},
		{"no capabilities", chatBody("gpt-4o-mini", "root"), bearer(modelless.token), 403, refused("Capability 'chat' is not permitted by this grant. Allowed capabilities: ")},
		{"role", chatBody("gpt-4o-mini", "root"), bearer(able.token), 400, invalid("messages", role)},
		{"empty model, any granted", chatBody("", "user"), bearer(open.token), 400, invalid("model", "String must contain at least 1 character(s)")},
	} {
		a := b.send("POST", "/proxy/chat", c.body, c.h)
		if d := cmp.Diff(c.want, a.object()); a.status != c.status || d != "" {
			t.Errorf("%s: got %s, want %d %v", c.name, a, c.status, c.want)
		}
	}
	for _, g := range []grant{gone, spent, keyless, modelless, incapable, able, open} {
		if s := b.settled(g.id); s.UsageCount != 0 || s.SettledMicroUsd != 0 {
			t.Errorf("refusals were counted: %+v", s)
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestContractBodiesOfProxyChat: what is seen as {}, what is dropped, what is JSON at all.
func TestContractBodiesOfProxyChat(t *testing.T) {
	b := start(t, nil)
	g := b.give(scope("openai", "gpt-4o-mini", 500, 50))
	both := map[string]any{"error": "Validation failed", "details": map[string]any{"formErrors": []any{}, "fieldErrors": map[string]any{"model": []any{"Required"}, "messages": []any{"Required"}}}}
	for ct, body := range map[string]string{"application/json": "", "text/plain": chatBody("gpt-4o-mini", "user"), "application/x-www-form-urlencoded": "a=b", "text/json": `{`} {
		h := bearer(g.token)
		h.Set("Content-Type", ct)
		if a := b.send("POST", "/proxy/chat", body, h); a.status != 400 || !cmp.Equal(a.object(), both) {
			t.Errorf("%s: %s", ct, a)
		}
	}
	for _, body := range []string{`{`, `{"model":"gpt-4o-mini","messages":[]}x`, `nonsense`} {
		if a := b.send("POST", "/proxy/chat", body, nil); a.status != 400 || a.str("error") == "" || a.get("details") != nil {
			t.Errorf("%s: %s", body, a)
		}
	}
	if a := b.send("POST", "/proxy/chat", `[1]`, nil); a.status != 400 || fmt.Sprint(a.get("details.formErrors")) != "[Expected object, received array]" {
		t.Errorf("a list: %s", a)
	}

	// Dropped: members nobody knows, and the caller's headers. The answer is the provider's, as it is.
	h := bearer(g.token)
	h.Set("X-Mine", "mine")
	h.Set("OpenAI-Organization", "mine")
	a := b.send("POST", "/proxy/chat", `{"model":"gpt-4o-mini","provider":"google","user":"u","messages":[{"role":"user","content":"","mood":"m"}],"n":5}`, h)
	if a.status != 200 || a.str("object") != "chat.completion" {
		t.Fatalf("got %s", a)
	}
	r := b.fake.Requests()[0]
	for _, s := range []string{`"provider"`, `"user":"u"`, "mood", `"n"`} {
		if strings.Contains(string(r.Body), s) {
			t.Errorf("%s went upstream: %s", s, r.Body)
		}
	}
	if r.Header.Get("X-Mine") != "" || r.Header.Get("OpenAI-Organization") != "" || strings.Contains(r.Header.Get("Authorization"), g.token) {
		t.Errorf("headers went upstream: %v", r.Header)
	}
	// Failures of the provider are told with their own status, and are not free of the count.
	b.fake.Next(fakeprovider.Behaviour{Status: 503})
	if a := b.send("POST", "/proxy/chat", chatBody("gpt-4o-mini", "user"), bearer(g.token)); a.status != 503 {
		t.Errorf("got %s", a)
	}
	if s := b.settled(g.id); s.UsageCount != 2 {
		t.Errorf("usageCount is %d after an answer and a failure upstream", s.UsageCount)
	}
}

// TestContractShapes of what has no other test: health, ids, times, paths and methods.
func TestContractShapes(t *testing.T) {
	b := start(t, nil)
	if a := b.send("GET", "/health", "", nil); a.status != 200 || !cmp.Equal(a.object(), map[string]any{"status": "ok", "service": "aipassport-broker"}) {
		t.Errorf("health: %s", a)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a := b.send("POST", "/grant-requests", `{"appName":"a","appUrl":"https://a.example","reason":"r","scope":`+goodScope+`}`, nil)
	b.keepSecret(a.str("grantSecret"))
	for _, p := range []string{"grant.id", "grant.requestId", "grantRequest.id"} {
		if !uuid.MatchString(a.str(p)) {
			t.Errorf("%s is %q", p, a.str(p))
		}
	}
	if a.header.Get("X-Powered-By") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", a.header)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/nothing", 404}, {"POST", "/health", 405}, {"PUT", "/tokens", 405}, {"GET", "/tokens/x", 404}, {"GET", "/tokens/x/inspect", 200}, {"GET", "/tokens/nonsense.x.y/inspect", 200}, {"DELETE", "/grants", 405}} {
		if a := b.send(c.method, c.path, "", nil); a.status != c.status || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s: %s", c.method, c.path, a)
		}
	}
}

// TestContractTokens: the original's settings, its header, and a life that is counted from the issue and not longer than the grant's.
func TestContractTokens(t *testing.T) {
	b := start(t, env{"TOKEN_TTL_SECONDS": "120", "JWT_SECRET": "0123456789abcdef-0123456789abcdef"})
	for expiresIn, want := range map[string]time.Duration{"": 2 * time.Minute, `{"expiresInSeconds":60}`: time.Minute} {
		g := b.ask(goodScope)
		ends, err := time.Parse(time.RFC3339, b.approve(g.id, expiresIn).str("expiresAt"))
		if err != nil {
			t.Fatal(err)
		}
		a := b.send("POST", "/tokens", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, g.id, g.secret), nil)
		b.keepSecret(a.str("token"))
		issued, err1 := time.Parse("2006-01-02T15:04:05.000Z", a.str("issuedAt"))
		expires, err2 := time.Parse("2006-01-02T15:04:05.000Z", a.str("expiresAt"))
		life := expires.Sub(issued)
		if a.status != 201 || len(a.object()) != 4 || a.str("grantId") != g.id || err1 != nil || err2 != nil || life > want || life < want-time.Second && expires.Before(ends.Add(-time.Second)) || expires.After(ends) {
			t.Errorf("%s: a token from %s to %s, of a grant until %s: %d", expiresIn, issued, expires, ends, a.status)
		}
		if head, _, _ := strings.Cut(a.str("token"), "."); head != base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) {
			t.Errorf("the header is %s", head)
		}
		if a := b.send("GET", "/tokens/"+a.str("token")+"/inspect", "", nil); a.get("valid") != true {
			t.Errorf("inspect: %s", a)
		}
	}
}

// TestContractCORS: any origin, null too, for what apps call with a token or a secret, never with credentials; nothing for what
// needs the owner.
func TestContractCORS(t *testing.T) {
	b := start(t, nil)
	g := b.ask(goodScope)
	origin := func(more ...string) http.Header {
		h := http.Header{"Origin": {"null"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	for _, c := range []struct{ method, path string }{{"POST", "/grant-requests"}, {"POST", "/tokens"}, {"GET", "/tokens/x/inspect"}, {"POST", "/proxy/chat"}, {"GET", "/health"}, {"GET", "/grants/" + g.id}} {
		pre := b.send("OPTIONS", c.path, "", origin("Access-Control-Request-Method", c.method, "Access-Control-Request-Headers", "authorization,content-type"))
		if pre.status != 204 || len(pre.body) != 0 || pre.header.Get("Access-Control-Allow-Origin") != "*" || pre.header.Get("Access-Control-Allow-Headers") != "authorization,content-type" ||
			!strings.Contains(pre.header.Get("Access-Control-Allow-Methods"), c.method) || pre.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight of %s %s: %s %v", c.method, c.path, pre, pre.header)
		}
		if a := b.send(c.method, c.path, "", origin()); a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s: %v", c.method, c.path, a.header)
		}
	}
	for _, c := range []struct{ method, path string }{{"GET", "/grants"}, {"POST", "/grants/" + g.id + "/approve"}, {"POST", "/grants/" + g.id + "/deny"}, {"POST", "/grants/" + g.id + "/revoke"}, {"POST", "/stop"}} {
		for _, a := range []answer{
			b.send("OPTIONS", c.path, "", origin("Access-Control-Request-Method", c.method, "Access-Control-Request-Headers", "authorization")),
			b.send(c.method, c.path, "", origin()),
		} {
			if a.status < 400 || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Headers") != "" {
				t.Errorf("%s %s: %s %v", c.method, c.path, a, a.header)
			}
		}
	}
	if s := b.standing(g.id); s.Status != "pending" {
		t.Errorf("the grant is %s", s.Status)
	}
}

// TestContractKeyNames: each name under which the original found a provider's key, trimmed; blank ones before it are passed over
// and those behind it are not looked at.
func TestContractKeyNames(t *testing.T) {
	names := map[string][]string{
		"openai":    {"OPENAI_API_KEY", "OPENAI_KEY", "OPEN_AI_API_KEY", "OPEN_AI_KEY"},
		"anthropic": {"ANTHROPIC_API_KEY", "ANTHROPIC_KEY", "CLAUDE_API_KEY", "CLAUDE_KEY", "CLAUDE_SECRET_KEY"},
		"google":    {"GOOGLE_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEY", "GEMINI_KEY"},
	}
	keys := map[string]string{"openai": openAIKey, "anthropic": anthropicKey, "google": googleKey}
	for round := range 5 {
		e := env{}
		for provider, list := range names {
			used := min(round, len(list)-1)
			for i, name := range list {
				switch {
				case i < used:
					e[name] = "  "
				case i == used:
					e[name] = " " + keys[provider] + "\t"
				default:
					e[name] = "wrong-key-of-" + provider
				}
			}
		}
		b := start(t, e)
		for _, s := range proxied {
			g := b.give(s.scope(500, 5))
			if a := b.call(s, g.token, "x"); a.status != 200 {
				t.Errorf("%s with the key in %s: %s", s.provider, names[s.provider][min(round, len(names[s.provider])-1)], a)
			}
		}
		b.kill()
	}
}
