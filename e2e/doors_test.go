package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// onward is where a page sends a browser by itself.
var onward = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]+)"`)

// signIn sends a person to the door of apps made for OpenRouter, approves, and returns the grant with the code that the app gets.
func (p *person) signIn(verifier string) (grantID, code string) {
	p.b.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"callback_url": {"https://notes.example.com/back?tab=2"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	p.open("/auth?" + q.Encode())
	grantID = strings.TrimPrefix(p.path, "/consent/")
	if p.page.status != 200 || !strings.Contains(p.text(), "notes.example.com") || !strings.Contains(p.text(), "Not checked") {
		p.b.t.Fatalf("the door leads to %s: %d %s", p.path, p.page.status, p.text())
	}
	if a := p.b.approve(grantID, `{"expiresInSeconds":3600}`); a.status != 200 {
		p.b.t.Fatal(a)
	}
	p.open("/consent/" + grantID)
	next := onward.FindSubmatch(p.page.body)
	if next == nil {
		p.b.t.Fatalf("the page after the decision leads nowhere: %s", p.page)
	}
	a := p.b.send("GET", string(next[1]), "", p.headers(true))
	back, err := url.Parse(a.header.Get("Location"))
	if a.status != 303 || err != nil || back.Host != "notes.example.com" || back.Query().Get("tab") != "2" {
		p.b.t.Fatalf("%s leads to %d %s", next[1], a.status, a.header.Get("Location"))
	}
	code = back.Query().Get("code")
	if p.b.onDisk(code) || strings.Contains(p.b.log.tail(-1), code) {
		p.b.t.Error("the code is on disk or in the log")
	}
	return grantID, code
}

// TestAnAppMadeForOpenRouterSignsIn: from the door to a metered call, with the guards that matter at each step.
func TestAnAppMadeForOpenRouterSignsIn(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	const verifier = "the-verifier-of-an-app-made-for-openrouter-1"
	id, code := p.signIn(verifier)
	form := fmt.Sprintf(`{"code":%q,"code_verifier":%q,"code_challenge_method":"S256"}`, code, verifier)
	if a := b.send("POST", "/api/v1/auth/keys", strings.Replace(form, verifier, "another", 1), http.Header{}); a.status != 403 || a.num("error.code") != 403 ||
		a.str("error.message") != "Invalid code or code_verifier" {
		t.Errorf("another verifier: %s", a)
	}

	// Twenty at once, as a page of another origin sends them: one key.
	var mu sync.Mutex
	var wg sync.WaitGroup
	var keys []string
	for range 20 {
		wg.Go(func() {
			a, err := b.try("POST", "/api/v1/auth/keys", form, http.Header{"Origin": {"https://notes.example.com"}, "Content-Type": {"text/plain;charset=UTF-8"}})
			if err != nil || a.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("got %s %v %v", a, a.header, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if a.status == 200 {
				keys = append(keys, a.str("key"))
			} else if a.status != 403 {
				t.Errorf("got %s", a)
			}
		})
	}
	wg.Wait()
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "aip_") {
		t.Fatalf("got %d keys, want one", len(keys))
	}
	b.keepSecret(keys[0])

	// The key calls where such apps call, by the names that they know, and is metered.
	if a := b.send("GET", "/api/v1/models", "", bearer(keys[0])); a.status != 200 || !strings.Contains(string(a.body), "gpt-4o-mini") || !strings.Contains(string(a.body), "claude") {
		t.Errorf("models: %s", a)
	}
	for _, model := range []string{"openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"} {
		before := b.settled(id).SettledMicroUsd
		a := b.send("POST", "/api/v1/chat/completions", openAIBody(model, "x", 50, false), bearer(keys[0]))
		if a.status != 200 || a.str("object") != "chat.completion" {
			t.Errorf("%s: %s", model, a)
		}
		if after := b.settled(id).SettledMicroUsd; after <= before {
			t.Errorf("%s cost %d", model, after-before)
		}
	}
	if a := b.send("POST", "/api/v1/chat/completions", `{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"x"}],"transforms":[]}`, bearer(keys[0])); a.status != 400 ||
		a.str("error.param") != "transforms" {
		t.Errorf("a field of OpenRouter's own: %s", a)
	}
	if a := b.owner("POST", "/grants/"+id+"/revoke", ""); a.status != 200 {
		t.Fatal(a)
	}
	if a := b.send("GET", "/api/v1/models", "", bearer(keys[0])); a.status != 401 {
		t.Errorf("after the revoke: %s", a)
	}
	if a := b.send("GET", "/auth?callback_url=https://notes.example.com&code_challenge=abc&code_challenge_method=plain", "", http.Header{}); a.status != 400 || a.num("error.code") != 400 ||
		!strings.Contains(a.str("error.message"), "code_challenge_method") {
		t.Errorf("plain: %s", a)
	}
}

// TestADeviceIsConnected: a device asks, a person types its code and approves, the device calls. Another client gets nothing for the code.
func TestADeviceIsConnected(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	client := func(name string) string {
		t.Helper()
		a := b.send("POST", "/oauth/register", fmt.Sprintf(`{"client_name":%q,"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`, name),
			http.Header{"Content-Type": {"application/json"}})
		if a.status != 201 {
			t.Fatal(a)
		}
		b.keepSecret(a.str("registration_access_token"))
		return a.str("client_id")
	}
	mine, other := client("A terminal"), client("Another")
	post := func(path string, v url.Values) answer {
		return b.send("POST", path, v.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	}
	ask := post("/oauth/device_authorization", url.Values{"client_id": {mine},
		"authorization_details": {`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500}]`}})
	if ask.status != 200 || !strings.HasSuffix(ask.str("verification_uri"), "/device") {
		t.Fatal(ask)
	}
	code, user := ask.str("device_code"), ask.str("user_code")
	b.keepSecret(code)
	poll := func(client string) answer {
		return post("/oauth/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {client}, "device_code": {code}})
	}
	if a := poll(other); a.status != 400 || a.str("error") != "invalid_grant" {
		t.Errorf("another client: %s", a)
	}

	// The page: a wrong code, then the right one as a person types it, then the one consent page.
	p.open("/device?user_code=" + user)
	if p.form("/device").Get("user_code") != user {
		t.Errorf("the code in the link is not filled in: %s", p.page)
	}
	p.submit("/device", url.Values{"user_code": {"BBBB-BBBB"}})
	if p.page.status != 422 || !strings.Contains(p.text(), "No device is waiting with this code.") {
		t.Errorf("a wrong code: %d %s", p.page.status, p.text())
	}
	p.submit("/device", url.Values{"user_code": {" " + strings.ToLower(strings.ReplaceAll(user, "-", ""))}})
	for _, w := range []string{"Does your device show this code?", "A terminal", "127.0.0.1", "the same network as this browser", "I see this code on a screen in front of me."} {
		if !strings.Contains(p.text(), w) {
			t.Errorf("%q is not on %s: %s", w, p.path, p.text())
		}
	}
	id := strings.TrimPrefix(p.path, "/consent/")
	if f := p.form(p.path); f.Get("budget.0") != "2.00" || f.Get("life") != "604800" {
		t.Errorf("it starts at %v", f)
	}
	if a := b.approve(id, `{"expiresInSeconds":3600}`); a.status != 200 {
		t.Fatal(a)
	}
	a := poll(mine)
	if a.status != 200 || a.str("grant_id") != id || a.str("token_type") != "Bearer" {
		t.Fatalf("after the approval: %s", a)
	}
	b.keepSecret(a.str("access_token"))
	b.keepSecret(a.str("refresh_token"))
	if a := poll(mine); a.status != 400 || a.str("error") != "invalid_grant" {
		t.Errorf("a second time: %s", a)
	}
	if c := b.send("POST", "/v1/chat/completions", openAIBody("gpt-4o-mini", "x", 50, false), bearer(a.str("access_token"))); c.status != 200 {
		t.Errorf("the device's call: %s", c)
	}
	if s := b.settled(id); s.SettledMicroUsd <= 0 {
		t.Errorf("it cost %+v", s)
	}
}
