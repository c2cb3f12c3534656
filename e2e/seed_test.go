package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

const goodScope = `{"provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":100,"rateLimit":1000}`

// TestHealth is the one answer that needs nothing.
func TestHealth(t *testing.T) {
	b := start(t, nil)
	a := b.send("GET", "/health", "", nil)
	if a.status != 200 || a.str("status") != "ok" || a.str("service") != "aipassport-broker" {
		t.Errorf("got %s", a)
	}
}

// TestLifecycle walks a grant from request to revoke, as an app and its owner do.
func TestLifecycle(t *testing.T) {
	b := start(t, nil)
	iso := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

	// The app asks.
	a := b.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example.com","reason":"to summarise","scope":`+goodScope+`,"status":"approved","id":"mine"}`, nil)
	if a.status != 201 {
		t.Fatal(a)
	}
	g := asked{a.str("grant.id"), a.str("grantSecret"), a.str("consentUrl")}
	b.keepSecret(g.secret)
	for _, p := range []string{"grantRequest.createdAt", "grant.createdAt", "grant.expiresAt"} {
		if !iso.MatchString(a.str(p)) {
			t.Errorf("%s is %q", p, a.str(p))
		}
	}
	if a.str("grant.status") != "pending" || a.str("grant.version") != "1" || a.str("grant.requestId") != a.str("grantRequest.id") ||
		g.id == "mine" || a.num("grant.usageCount") != 0 || a.str("grantRequest.reason") != "to summarise" || a.get("grant.approvedAt") != nil {
		t.Errorf("got %s", a)
	}
	if len(g.secret) < 43 || !strings.HasSuffix(g.consentURL, "/consent/"+g.id) {
		t.Errorf("secret of %d characters, consent at %s", len(g.secret), g.consentURL)
	}

	// It polls its own grant, and nobody else's.
	if a := b.send("GET", "/grants/"+g.id, "", bearer(g.secret)); a.status != 200 || a.str("status") != "pending" {
		t.Errorf("own grant: %s", a)
	}
	other := b.ask(goodScope)
	wrong := b.send("GET", "/grants/"+other.id, "", bearer(g.secret))
	absent := b.send("GET", "/grants/0192f0c1-0000-7000-8000-000000000000", "", bearer(g.secret))
	if wrong.status != 404 || wrong.str("error") != "Grant not found" || string(wrong.body) != string(absent.body) {
		t.Errorf("another's grant: %s; one that is not: %s", wrong, absent)
	}

	// No token before the person has decided.
	if a := b.send("POST", "/tokens", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, g.id, g.secret), nil); a.status != 400 || a.str("error") != "Grant is 'pending', must be 'approved'" {
		t.Errorf("token of a pending grant: %s", a)
	}

	// The owner approves.
	a = b.approve(g.id, `{"expiresInSeconds":600}`)
	if a.str("status") != "approved" || !iso.MatchString(a.str("approvedAt")) {
		t.Errorf("approved: %s", a)
	}
	if a := b.owner("POST", "/grants/"+g.id+"/approve", ""); a.status != 400 || a.str("error") != "Grant is 'approved', must be 'pending'" {
		t.Errorf("approved twice: %s", a)
	}
	if a := b.owner("POST", "/grants/"+g.id+"/deny", ""); a.status != 400 || a.str("error") != "Grant is 'approved', must be 'pending'" {
		t.Errorf("denied after: %s", a)
	}

	// Token, inspection, a call.
	token := b.token(g)
	in := b.send("GET", "/tokens/"+token+"/inspect", "", nil)
	if in.get("valid") != true || in.str("grant.id") != g.id || in.str("grant.status") != "approved" || in.str("grant.scope.provider") != "openai" {
		t.Errorf("inspect: %s", in)
	}
	if a := b.call(proxied[0], token, "one"); a.status != 200 || a.str("object") != "chat.completion" {
		t.Errorf("call: %s", a)
	}
	s := b.settled(g.id)
	if s.UsageCount != 1 || s.SettledMicroUsd != b.fake.Billed() || s.SettledMicroUsd == 0 || s.UsageBudgetCents != 1 {
		t.Errorf("after a call that cost %d: %+v", b.fake.Billed(), s)
	}

	// The list is the owner's: newest first, a bare array.
	var list []struct{ ID string }
	if err := json.Unmarshal(b.owner("GET", "/grants", "").body, &list); err != nil || len(list) != 2 || list[0].ID != other.id {
		t.Errorf("list: %v %v", list, err)
	}

	// Revoke ends it, and again.
	for range 2 {
		if a := b.owner("POST", "/grants/"+g.id+"/revoke", ""); a.status != 200 || a.str("status") != "revoked" || !iso.MatchString(a.str("revokedAt")) {
			t.Errorf("revoke: %s", a)
		}
	}
	if a := b.call(proxied[0], token, "two"); a.status != 401 || a.str("error") != "Token has been revoked" {
		t.Errorf("call after revoke: %s", a)
	}
	if in := b.send("GET", "/tokens/"+token+"/inspect", "", nil); in.status != 200 || in.get("valid") != false || in.str("reason") != "Token has been revoked" {
		t.Errorf("inspect after revoke: %s", in)
	}
	if a := b.owner("POST", "/grants/"+other.id+"/deny", "ignored"); a.status != 200 || a.str("status") != "denied" {
		t.Errorf("deny: %s", a)
	}
	if a := b.owner("POST", "/grants/"+other.id+"/revoke", ""); a.status != 200 || a.str("status") != "revoked" {
		t.Errorf("revoke of a denied one: %s", a)
	}
	if n := len(b.fake.Requests()); n != 1 {
		t.Errorf("%d requests went upstream, want 1", n)
	}
}

// TestStateSurvivesRestart: grants, tokens, spending.
func TestStateSurvivesRestart(t *testing.T) {
	b := start(t, nil)
	g := b.give(goodScope)
	b.call(proxied[0], g.token, "one")
	before := b.settled(g.id)
	if code := b.stop(15); code != 0 {
		t.Errorf("exit code %d", code)
	}
	b.run()
	if after := b.standing(g.id); cmp.Diff(before, after) != "" {
		t.Error(cmp.Diff(before, after))
	}
	if a := b.call(proxied[0], g.token, "two"); a.status != 200 {
		t.Errorf("the token after a restart: %s", a)
	}
}

// TestGrantRequestValidation has the seed's shape and words.
func TestGrantRequestValidation(t *testing.T) {
	b := start(t, nil)
	with := func(name, value string) string {
		m := map[string]json.RawMessage{"appName": []byte(`"a"`), "appUrl": []byte(`"https://a.example"`), "reason": []byte(`"r"`), "scope": []byte(goodScope)}
		if value == "" {
			delete(m, name)
		} else {
			m[name] = []byte(value)
		}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	scoped := func(name, value string) string {
		var m map[string]json.RawMessage
		json.Unmarshal([]byte(goodScope), &m)
		if delete(m, name); value != "" {
			m[name] = []byte(value)
		}
		s, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return with("scope", string(s))
	}
	for _, c := range []struct{ body, field, message string }{
		{with("appName", ""), "appName", "Required"},
		{with("appName", `""`), "appName", "String must contain at least 1 character(s)"},
		{with("appName", `5`), "appName", "Expected string, received number"},
		{with("appName", `null`), "appName", "Expected string, received null"},
		{with("appName", strconv.Quote(strings.Repeat("x", 60000))), "appName", "*"},
		{with("reason", ""), "reason", "Required"},
		{with("reason", `[]`), "reason", "Expected string, received array"},
		{with("appUrl", ""), "appUrl", "Required"},
		{with("appUrl", `"no url"`), "appUrl", "Invalid url"},
		{with("appUrl", `"javascript:alert(1)"`), "appUrl", "Invalid url"},
		{with("appUrl", `"data:text/html,x"`), "appUrl", "Invalid url"},
		{with("appUrl", `"mailto:a@b.example"`), "appUrl", "Invalid url"},
		{with("appUrl", `"https://bank.example@evil.example/"`), "appUrl", "Invalid url"},
		{with("scope", ""), "scope", "Required"},
		{with("scope", `"all"`), "scope", "Expected object, received string"},
		{scoped("provider", `"x"`), "scope", "Invalid enum value. Expected 'openai' | 'anthropic' | 'google', received 'x'"},
		{scoped("provider", `"OpenAI"`), "scope", "Invalid enum value. Expected 'openai' | 'anthropic' | 'google', received 'OpenAI'"},
		{scoped("models", ""), "scope", "Required"},
		{scoped("models", `"gpt-4o"`), "scope", "Expected array, received string"},
		{scoped("capabilities", `["fly"]`), "scope", "Invalid enum value. Expected 'chat' | 'embeddings' | 'images' | 'audio' | 'code' | 'search', received 'fly'"},
		{scoped("maxBudgetCents", `-1`), "scope", "Number must be greater than or equal to 0"},
		{scoped("maxBudgetCents", `1.5`), "scope", "Expected integer, received float"},
		{scoped("maxBudgetCents", `null`), "scope", "Expected number, received null"},
		{scoped("maxBudgetCents", `1e308`), "scope", "*"},
		{scoped("maxRequests", `"5"`), "scope", "Expected number, received string"},
	} {
		a := b.send("POST", "/grant-requests", c.body, nil)
		fields, _ := a.get("details.fieldErrors").(map[string]any)
		messages, _ := fields[c.field].([]any)
		if a.status != 400 || a.str("error") != "Validation failed" || a.get("details.formErrors") == nil || len(fields) != 1 || len(messages) == 0 ||
			c.message != "*" && messages[0] != c.message {
			t.Errorf("%.120s: got %.400s, want %s: %s", c.body, a, c.field, c.message)
		}
	}
	if a := b.send("POST", "/grant-requests", `[]`, nil); a.status != 400 || fmt.Sprint(a.get("details.formErrors")) != "[Expected object, received array]" {
		t.Errorf("an array: %s", a)
	}
	if a := b.send("POST", "/grant-requests", `appName=x`, http.Header{"Content-Type": {"text/plain"}}); a.status != 400 || !strings.Contains(string(a.body), `"appName":["Required"]`) {
		t.Errorf("another content type is seen as {}: %s", a)
	}
}

// TestErrorsAreJSON for malformed bodies, unknown paths and methods, and sizes.
func TestErrorsAreJSON(t *testing.T) {
	b := start(t, nil)
	g := b.give(goodScope)
	for _, c := range []struct {
		method, path, body string
		h                  http.Header
		status             int
	}{
		{"POST", "/grant-requests", `{"appName":`, nil, 400},
		{"POST", "/grant-requests", `"text"`, nil, 400},
		{"POST", "/grant-requests", `null`, nil, 400},
		{"POST", "/tokens", `{{`, nil, 400},
		{"POST", "/proxy/chat", `{"model":`, bearer(g.token), 400},
		{"GET", "/nothing/here", "", nil, 404},
		{"POST", "/grants/x/unknown", "", bearer(ownerToken), 404},
		{"GET", "/grants/none", "", bearer(ownerToken), 404},
		{"POST", "/grants/none/approve", "", bearer(ownerToken), 404},
		{"DELETE", "/grants", "", bearer(ownerToken), 405},
		{"GET", "/proxy/chat", "", nil, 405},
		{"PUT", "/tokens", `{}`, nil, 405},
		{"POST", "/grant-requests", `{"appName":"` + strings.Repeat("x", 110<<10) + `"}`, nil, 413},
		{"POST", "/grants/" + g.id + "/approve", `{"x":"` + strings.Repeat("x", 110<<10) + `"}`, bearer(ownerToken), 413},
	} {
		a := b.send(c.method, c.path, c.body, c.h)
		if a.status != c.status || a.str("error") == "" || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s %.40s: got %.300s, want %d and {\"error\"}", c.method, c.path, c.body, a, c.status)
		}
	}
}

// TestProxyChatRefusals: the order and the words of the seed, with the statuses of DESIGN section 5.
func TestProxyChatRefusals(t *testing.T) {
	b := start(t, env{"ANTHROPIC_API_KEY": ""})
	g := b.give(scope("openai", "gpt-4o-mini", 500, 2))
	noKey := b.give(scope("anthropic", "claude-sonnet-4-5", 500, 2))
	images := b.give(`{"provider":"openai","models":["gpt-4o-mini"],"capabilities":["images"],"maxBudgetCents":500,"maxRequests":5}`)
	good := openAIBody("gpt-4o-mini", "x", 10, false)
	refusals := []struct {
		name, body string
		h          http.Header
		status     int
		text       string
	}{
		{"body before token", `{"model":5}`, nil, 400, "Validation failed"},
		{"no messages", `{"model":"gpt-4o-mini"}`, bearer(g.token), 400, "Validation failed"},
		{"no token", good, nil, 401, "Missing or malformed Authorization header"},
		{"other scheme", good, http.Header{"Authorization": {"Basic " + g.token}}, 401, "Missing or malformed Authorization header"},
		{"no JWT", good, bearer("nonsense"), 401, "Invalid or expired JWT"},
		{"model", openAIBody("gpt-4o", "x", 10, false), bearer(g.token), 403, "Model 'gpt-4o' is not permitted by this grant. Allowed models: gpt-4o-mini"},
		{"capability", good, bearer(images.token), 403, "Capability 'chat' is not permitted by this grant. Allowed capabilities: images"},
		{"no key", openAIBody("claude-sonnet-4-5", "x", 10, false), bearer(noKey.token), 502, "No API key configured for provider 'anthropic'. Set the corresponding environment variable."},
	}
	for _, c := range refusals {
		if a := b.send("POST", "/proxy/chat", c.body, c.h); a.status != c.status || a.str("error") != c.text {
			t.Errorf("%s: got %s, want %d %s", c.name, a, c.status, c.text)
		}
	}
	// Refusals used nothing up: two calls are still there, a third is not.
	lower := http.Header{"Authorization": {"bearer " + g.token}}
	for i := range 2 {
		if a := b.send("POST", "/proxy/chat", good, lower); a.status != 200 {
			t.Errorf("call %d, scheme in lower case: %s", i+1, a)
		}
	}
	a := b.send("POST", "/proxy/chat", good, lower)
	if a.status != 429 || a.str("error") != "Usage cap exceeded" || a.header.Get("Retry-After") != "" || a.header.Get("X-Should-Retry") != "false" {
		t.Errorf("third call: %s %v", a, a.header)
	}
	if s := b.settled(g.id); s.UsageCount != 2 || len(b.fake.Requests()) != 2 {
		t.Errorf("usageCount %d, upstream %d, want 2", s.UsageCount, len(b.fake.Requests()))
	}
}

// TestUpstreamErrorsKeepTheirStatusAtProxyChat (they became 200 in the seed).
func TestUpstreamErrorsKeepTheirStatusAtProxyChat(t *testing.T) {
	b := start(t, nil)
	for _, s := range proxied {
		g := b.give(s.scope(500, 100))
		b.fake.Next(fakeprovider.Behaviour{Status: 429, Header: http.Header{"Retry-After": {"7"}}})
		if a := b.call(s, g.token, "x"); a.status != 429 || a.header.Get("Retry-After") != "7" {
			t.Errorf("%s: %s %v", s.name, a, a.header)
		}
		b.fake.Next(fakeprovider.Behaviour{Status: 500})
		if a := b.call(s, g.token, "x"); a.status != 500 {
			t.Errorf("%s: %s", s.name, a)
		}
		b.fake.Next(fakeprovider.Behaviour{Status: 401})
		if a := b.call(s, g.token, "x"); a.status != 502 {
			t.Errorf("%s: the owner's key is bad: %s", s.name, a)
		}
		if st := b.settled(g.id); st.SettledMicroUsd != 0 {
			t.Errorf("%s: refused calls cost %d", s.name, st.SettledMicroUsd)
		}
	}
}

// TestProxyChatIsRicherThanTheSeed: structured content, tools, max_tokens and streams go through, to all three providers.
func TestProxyChatIsRicherThanTheSeed(t *testing.T) {
	b := start(t, nil)
	for _, s := range proxied {
		g := b.give(s.scope(500, 100))
		body := fmt.Sprintf(`{"model":%q,"max_tokens":77,"temperature":0.5,"messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"rich"}]}],`+
			`"tools":[{"type":"function","function":{"name":"look","description":"d","parameters":{"type":"object","properties":{}}}}]}`, s.model)
		a := b.send("POST", "/proxy/chat", body, bearer(g.token))
		if a.status != 200 {
			t.Errorf("%s: %s", s.name, a)
			continue
		}
		shape := map[string]string{"openai": "choices", "anthropic": "content", "google": "candidates"}[s.provider]
		if a.get(shape) == nil {
			t.Errorf("%s: not in the provider's own shape: %s", s.name, a)
		}
		r := b.fake.Requests()[len(b.fake.Requests())-1]
		for _, want := range []string{"77", "be brief", "rich", "look", "0.5"} {
			if !strings.Contains(string(r.Body), want) {
				t.Errorf("%s: %q is not in what went upstream: %s", s.name, want, r.Body)
			}
		}
		st, err := b.stream(s, g.token, "x", 50)
		if err != nil {
			t.Fatal(err)
		}
		all, err := st.rest()
		st.close()
		if st.res.StatusCode != 200 || err != nil || !strings.Contains(all, "piece-2 ") || !whole(all) {
			t.Errorf("%s: stream %d %v: %s", s.name, st.res.StatusCode, err, all)
		}
	}
}

// TestPauseAndStop: a paused grant refuses and keeps its tokens; so do all of them when all apps are stopped.
func TestPauseAndStop(t *testing.T) {
	b := start(t, nil)
	g := b.give(goodScope)
	for _, c := range []struct{ off, on string }{{"/grants/" + g.id + "/pause", "/grants/" + g.id + "/resume"}, {"/stop", "/resume"}} {
		if a := b.owner("POST", c.off, ""); a.status != 200 {
			t.Fatalf("%s: %s", c.off, a)
		}
		for _, s := range []speaker{native[0], proxied[0]} {
			if a := b.call(s, g.token, "x"); a.status != 403 {
				t.Errorf("%s after %s: %s", s.name, c.off, a)
			}
		}
		if a := b.owner("POST", c.on, ""); a.status != 200 {
			t.Fatalf("%s: %s", c.on, a)
		}
		if a := b.call(native[0], g.token, "x"); a.status != 200 {
			t.Errorf("after %s: %s", c.on, a)
		}
	}
	if n := len(b.fake.Requests()); n != 2 {
		t.Errorf("%d calls went upstream, want 2", n)
	}
	if a := b.owner("POST", "/grants/"+g.id+"/resume", ""); a.status != 400 {
		t.Errorf("resume of what is not paused: %s", a)
	}
}

// TestAuthorizationDetails: one grant for several providers.
func TestAuthorizationDetails(t *testing.T) {
	b := start(t, nil)
	detail := func(s speaker, cents int) string {
		return strings.Replace(s.scope(cents, 50), "{", `{"type":"ai_access",`, 1)
	}
	a := b.send("POST", "/grant-requests", `{"appName":"Two","appUrl":"https://two.example.com","reason":"r","authorizationDetails":[`+detail(native[0], 100)+`,`+detail(native[1], 200)+`]}`, nil)
	if a.status != 201 || a.get("grant.scope") != nil {
		t.Fatalf("got %s", a)
	}
	g := asked{a.str("grant.id"), a.str("grantSecret"), ""}
	b.keepSecret(g.secret)
	b.approve(g.id, "")
	token := b.token(g)
	for i, want := range []int{200, 200, 403} {
		if a := b.call(native[i], token, "x"); a.status != want {
			t.Errorf("%s: got %s, want %d", native[i].name, a, want)
		}
	}
	if a := b.send("POST", "/grant-requests", `{"appName":"Two","appUrl":"https://two.example.com","reason":"r","authorizationDetails":[{"type":"other"}]}`, nil); a.status != 400 {
		t.Errorf("an unknown type: %s", a)
	}
}
