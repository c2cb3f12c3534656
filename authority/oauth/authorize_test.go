package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

// TestARequestIsAPendingGrant: it is asked for like any other, with what is known of who asks.
func TestARequestIsAPendingGrant(t *testing.T) {
	b := newBench(t)
	o := b.authorize(request())
	s, err := b.control.Standing(t.Context(), o.id)
	b.ok(err)
	g := s.Grant
	if g.State != passport.GrantPending || g.Client != "app" || g.Site != "app.example" || !g.Checked || g.JKT != "" || g.AppName != "Notes" ||
		!g.ExpiresAt.Equal(start.Add(10*time.Minute)) || len(g.Asked) != 1 || g.Asked[0].MaxBudgetCents != passport.LimitOf(500) {
		t.Errorf("got %+v", g)
	}
	if !o.cookie.HttpOnly || !o.cookie.Secure || o.cookie.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(o.cookie.Name, "__Host-") {
		t.Errorf("got cookie %v", o.cookie)
	}
	again := b.get("/oauth/authorize?"+request("client_id", "other").Encode(), o.cookie)
	if c, err := http.ParseSetCookie(again.header.Get("Set-Cookie")); err != nil || c.Value != o.cookie.Value {
		t.Errorf("a second request in the same browser: got cookie %v", c)
	}
	other, err := b.control.Standing(t.Context(), passport.GrantID(strings.TrimPrefix(again.header.Get("Location"), "/consent/")))
	if err != nil || other.Grant.Checked {
		t.Errorf("a client that registered itself: got %+v %v", other.Grant, err)
	}
}

// TestNothingGoesToWhoIsNotKnown: until the client and its redirect URI are known, errors stay on our own page (RFC 6749 §4.1.2.1).
func TestNothingGoesToWhoIsNotKnown(t *testing.T) {
	b := newBench(t)
	for name, v := range map[string]url.Values{
		"no client": request("client_id", ""), "unknown client": request("client_id", "nobody"),
		"no redirect of several":   request("redirect_uri", ""),
		"another redirect":         request("redirect_uri", "https://evil.example/done"),
		"one character more":       request("redirect_uri", callback+"x"),
		"without its query":        request("redirect_uri", "https://app.example/done"),
		"another case":             request("redirect_uri", "https://APP.example/done?from=ai"),
		"a port at a web host":     request("redirect_uri", "https://app.example:444/done?from=ai"),
		"loopback by name":         request("redirect_uri", "http://localhost:3000/cb"),
		"loopback, another path":   request("redirect_uri", "http://127.0.0.1:3000/other"),
		"loopback, user info":      request("redirect_uri", "http://127.0.0.1:3000@evil.example/cb"),
		"a script":                 request("redirect_uri", "javascript:alert(1)"),
		"a long state":             request("state", strings.Repeat("x", 1025)),
		"a request_uri not ours":   request("request_uri", "https://app.example/request.jwt"),
		"a request_uri not pushed": request("request_uri", "urn:ietf:params:oauth:request_uri:"+strings.Repeat("A", 43)),
	} {
		a := b.get("/oauth/authorize?" + v.Encode())
		if a.status != 422 || a.header.Get("Location") != "" || a.header.Get("Set-Cookie") != "" || !strings.Contains(a.body, "Go back to the app") {
			t.Errorf("%s: got %d %v", name, a.status, a.header)
		}
	}
	a := b.get("/oauth/authorize?" + request().Encode() + "&state=again")
	if a.status != 422 || a.header.Get("Location") != "" {
		t.Errorf("state twice: got %d %v", a.status, a.header)
	}
	if list, err := b.control.Standings(t.Context(), passport.OwnerPays, time.Time{}, 10); err != nil || len(list) != 0 {
		t.Errorf("got %d grants, %v", len(list), err)
	}
}

// TestWrongRequests: once it is known where the answer goes, errors go there, with state and iss (RFC 6749 §4.1.2.1, RFC 9207); and the
// same when the request is pushed, as JSON (RFC 9126 §2.3).
func TestWrongRequests(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		name string
		v    url.Values
		want wire.Code
	}{
		{"no response_type", request("response_type", ""), wire.InvalidRequest},
		{"token", request("response_type", "token"), wire.UnsupportedResponseType},
		{"code and token", request("response_type", "code token"), wire.UnsupportedResponseType},
		{"a fragment", request("response_mode", "fragment"), wire.InvalidRequest},
		{"a form post", request("response_mode", "form_post"), wire.InvalidRequest},
		{"a request object", request("request", "e30."), wire.RequestNotSupported},
		{"no PKCE", request("code_challenge", "", "code_challenge_method", ""), wire.InvalidRequest},
		{"no method, which is plain", request("code_challenge_method", ""), wire.InvalidRequest},
		{"plain", request("code_challenge_method", "plain"), wire.InvalidRequest},
		{"a short challenge", request("code_challenge", "abc"), wire.InvalidRequest},
		{"a challenge with padding", request("code_challenge", strings.Repeat("A", 42)+"="), wire.InvalidRequest},
		{"no details", request("authorization_details", ""), wire.InvalidDetails},
		{"details of another type", request("authorization_details", `[{"type":"account"}]`), wire.InvalidDetails},
		{"an unknown member", request("authorization_details", strings.Replace(details, "models", "Models", 1)), wire.InvalidDetails},
		{"another's resource", request("resource", "https://other.example/v1"), wire.InvalidTarget},
		{"a resource that begins like ours", request("resource", issuer+".evil.example"), wire.InvalidTarget},
		{"a path that there is not", request("resource", issuer+"/grants"), wire.InvalidTarget},
		{"a scope", request("scope", "ai_access openid"), wire.InvalidScope},
		{"a long reason", request("reason", strings.Repeat("x", 1001)), wire.InvalidRequest},
		{"without asking", request("prompt", "none"), wire.InteractionRequired},
		{"a fresh sign-in", request("prompt", "login"), wire.InvalidRequest},
		{"a thumbprint that is none", request("dpop_jkt", "abc"), wire.InvalidRequest},
	} {
		a := b.get("/oauth/authorize?" + c.v.Encode())
		u, err := url.Parse(a.header.Get("Location"))
		q := u.Query()
		if err != nil || a.status != 303 || u.Host != "app.example" || q.Get("error") != string(c.want) || q.Get("state") != "st/a te" || q.Get("iss") != issuer ||
			q.Get("from") != "ai" || q.Has("code") {
			t.Errorf("%s: got %d %v, want %s", c.name, a.status, u, c.want)
		}
		if a := b.post("/oauth/par", c.v, ""); a.status != 400 || a.code() != string(c.want) {
			t.Errorf("%s, pushed: got %d %s, want %s", c.name, a.status, a.body, c.want)
		}
	}
	for _, good := range []url.Values{request("scope", "ai_access"), request("resource", issuer), request("resource", issuer+"/v1/"), request("prompt", "consent"),
		request("nonce", "x"), request("response_mode", "query"), request("redirect_uri", "http://127.0.0.1:49152/cb"), request("state", ""),
		request("client_id", "one", "redirect_uri", "")} {
		b.authorize(good)
	}
}

// TestNotInAFrame: what a page loads unseen opens nothing.
func TestNotInAFrame(t *testing.T) {
	b := newBench(t)
	for _, dest := range []string{"iframe", "image", "empty", "script"} {
		r := httptest.NewRequest("GET", issuer+"/oauth/authorize?"+request().Encode(), nil)
		r.Header.Set("Sec-Fetch-Dest", dest)
		if a := b.do(r); a.status != 422 {
			t.Errorf("%s: got %d", dest, a.status)
		}
	}
	if a := b.do(httptest.NewRequest("HEAD", issuer+"/oauth/authorize?"+request().Encode(), nil)); a.status != 422 {
		t.Errorf("HEAD: got %d", a.status)
	}
}

// TestPushed: the name of a pushed request opens it once, within a minute, for its own client (RFC 9126 §2.2, §4).
func TestPushed(t *testing.T) {
	b := newBench(t)
	push := func() string {
		t.Helper()
		a := b.post("/oauth/par", request(), "")
		if a.status != 201 || a.json["expires_in"] != 60.0 || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		return a.text("request_uri")
	}
	opens := func(uri, client string, more ...string) int {
		t.Helper()
		return b.get("/oauth/authorize?" + set(url.Values{"client_id": {client}, "request_uri": {uri}}, more...).Encode()).status
	}
	uri := push()
	if got := opens(uri, "other"); got != 422 {
		t.Errorf("another client opens it: %d", got)
	}
	if got := opens(uri, "app", "state", "forged", "redirect_uri", "https://evil.example", "response_type", "token"); got != 303 {
		t.Errorf("got %d: what stands beside it is left alone", got)
	}
	if got := opens(uri, "app"); got != 422 {
		t.Errorf("it opens twice: %d", got)
	}
	late := push()
	b.advance(time.Minute)
	if got := opens(late, "app"); got != 422 {
		t.Errorf("it opens after a minute: %d", got)
	}

	for name, v := range map[string]url.Values{"a request_uri in it": request("request_uri", uri), "a redirect that is not registered": request("redirect_uri", "https://evil.example/")} {
		if a := b.post("/oauth/par", v, ""); a.status != 400 || a.code() != "invalid_request" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	if a := b.post("/oauth/par", request("client_id", "nobody"), ""); a.status != 401 || a.code() != "invalid_client" {
		t.Errorf("an unknown client: got %d %s", a.status, a.body)
	}
	key := strings.Repeat("k", 43)
	if a := b.post("/oauth/par", request("dpop_jkt", strings.Repeat("j", 43)), key); a.code() != "invalid_dpop_proof" {
		t.Errorf("dpop_jkt of another key: got %d %s", a.status, a.body)
	}
	bound := b.authorize(url.Values{"client_id": {"app"}, "request_uri": {b.post("/oauth/par", request(), key).text("request_uri")}})
	if s, err := b.control.Standing(t.Context(), bound.id); err != nil || s.Grant.JKT != key {
		t.Errorf("a proof at the push binds: got %q %v", s.Grant.JKT, err)
	}
}

// TestAnswers: the decision goes to the app with state and iss, and only from the browser that opened the request.
func TestAnswers(t *testing.T) {
	b := newBench(t)
	o := b.authorize(request())
	if a := b.get("/oauth/return/"+string(o.id), o.cookie); a.header.Get("Location") != "/consent/"+string(o.id) {
		t.Errorf("before the decision: got %d %v", a.status, a.header)
	}
	b.approve(o)
	other := &http.Cookie{Name: o.cookie.Name, Value: strings.Repeat("A", 43)}
	for name, cookies := range map[string][]*http.Cookie{"no browser": nil, "another browser": {other}} {
		if a := b.get("/oauth/return/"+string(o.id), cookies...); a.status != 403 || a.header.Get("Location") != "" {
			t.Errorf("%s: got %d %v", name, a.status, a.header)
		}
	}
	b.signed = false
	if a := b.get("/oauth/return/"+string(o.id), o.cookie); !strings.HasPrefix(a.header.Get("Location"), "/login?next=") {
		t.Errorf("nobody signed in: got %v", a.header)
	}
	b.signed, b.member = true, true
	if a := b.get("/oauth/return/"+string(o.id), o.cookie); a.status != 404 || a.header.Get("Location") != "" {
		t.Errorf("another person in the same browser: got %d %v", a.status, a.header)
	}
	b.member = false
	q := b.back(o)
	if q.Get("state") != "st/a te" || q.Get("iss") != issuer || q.Get("from") != "ai" || len(q.Get("code")) != 43 || q.Has("error") {
		t.Errorf("got %v", q)
	}
	if again := b.back(o); again.Get("code") == q.Get("code") || b.post("/oauth/token", redeem(q.Get("code")), "").code() != "invalid_grant" {
		t.Error("a code that was replaced works")
	}

	denied := b.authorize(request())
	_, err := b.control.Deny(t.Context(), denied.id, "owner:p1")
	b.ok(err)
	expired := b.authorize(request())
	b.advance(10 * time.Minute)
	for _, o := range []opened{denied, expired} {
		if q := b.back(o); q.Get("error") != "access_denied" || q.Get("state") != "st/a te" || q.Get("iss") != issuer || q.Has("code") {
			t.Errorf("got %v", q)
		}
	}
	b.advance(time.Minute)
	if a := b.get("/oauth/return/"+string(expired.id), expired.cookie); a.status != 404 {
		t.Errorf("long after its end: got %d", a.status)
	}
}

// TestDoors: the consent page learns in which browser a request may be answered, and where the person goes then.
func TestDoors(t *testing.T) {
	b := newBench(t)
	o := b.authorize(request("client_id", "one", "redirect_uri", ""))
	s, err := b.control.Standing(t.Context(), o.id)
	b.ok(err)
	mine := httptest.NewRequest("GET", "/consent/x", nil)
	mine.AddCookie(o.cookie)
	foreign := httptest.NewRequest("GET", "/consent/x", nil)
	if b.Mine(mine, s.Grant) != nil || b.Mine(foreign, s.Grant) == nil {
		t.Error("it is answered in the wrong browser")
	}
	if b.Mine(foreign, passport.Grant{ID: "by another door"}) != nil {
		t.Error("a request by another door cannot be answered")
	}
	if next, link, ok := b.Answer(mine, s.Grant); next != "/oauth/return/"+string(o.id) || !link || !ok {
		t.Errorf("got %q %v %v, want a link: it is a custom scheme", next, link, ok)
	}
	if _, _, ok := b.Answer(foreign, s.Grant); ok {
		t.Error("another browser is sent on")
	}
}

// TestRequestsAreLimited: one address cannot flood the owner.
func TestRequestsAreLimited(t *testing.T) {
	b := newBench(t)
	for range 1000 {
		if a := b.get("/oauth/authorize"); a.status != 422 {
			t.Fatalf("got %d", a.status)
		}
	}
	if a := b.get("/oauth/authorize?" + request().Encode()); a.status != 429 || a.header.Get("Location") != "" {
		t.Errorf("got %d", a.status)
	}
	b.from = "192.0.2.2"
	b.authorize(request())
}
