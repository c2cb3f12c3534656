package oidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/oidc"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

const (
	back     = "http://localhost:3001/login/oidc/callback"
	verifier = "a-verifier-of-at-least-43-characters-0123456789"
)

func provider(t *testing.T) (*fakeprovider.OpenID, *oidc.Provider) {
	t.Helper()
	op, stop, err := fakeprovider.NewOpenID("broker", "the client's own secret, long enough")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	p, err := oidc.New(oidc.Config{Issuer: op.Origin, ClientID: "broker", Secret: secret.New(op.Secret), RedirectURL: back, UserAgent: "aipassport/test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return op, p
}

// visit is what a browser does: it goes there and comes back with a code.
func visit(t *testing.T, p *oidc.Provider, fresh bool) (code, state string) {
	t.Helper()
	to, err := p.Begin(t.Context(), "the-state", "the-nonce", verifier, fresh)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), back) {
		t.Fatalf("%d, sent to %q", res.StatusCode, res.Header.Get("Location"))
	}
	return u.Query().Get("code"), u.Query().Get("state")
}

func TestWhoTheProviderSaysSomebodyIs(t *testing.T) {
	op, p := provider(t)
	code, state := visit(t, p, false)
	if state != "the-state" || op.Asked().Has("prompt") || op.Asked().Get("scope") != "openid email" || op.Asked().Get("code_challenge") == verifier {
		t.Errorf("asked for %v", op.Asked())
	}
	id, err := p.Finish(t.Context(), code, verifier, "the-nonce")
	if err != nil || id.Issuer != op.Origin || id.Subject != "subject-1" || id.Email != "ada@example.com" || !id.EmailVerified || time.Since(id.AuthTime) > time.Minute {
		t.Errorf("got %+v %v", id, err)
	}
	if _, err := p.Finish(t.Context(), code, verifier, "the-nonce"); problem.KindOf(err) != problem.Unauthenticated {
		t.Errorf("a code twice: %v", err)
	}
	visit(t, p, true)
	if op.Asked().Get("prompt") != "login" || op.Asked().Get("max_age") != "300" {
		t.Errorf("for a fresh one it asks %v", op.Asked())
	}
	op.Says("ES256", map[string]any{"auth_time": nil, "email_verified": nil})
	code, _ = visit(t, p, false)
	if id, err := p.Finish(t.Context(), code, verifier, "the-nonce"); err != nil || !id.AuthTime.IsZero() || id.EmailVerified {
		t.Errorf("what was not said: %+v %v", id, err)
	}
}

// TestMisusedTokensAreRefused: each is right but for one thing (OpenID Connect Core 1.0 §3.1.3.7).
func TestMisusedTokensAreRefused(t *testing.T) {
	op, p := provider(t)
	past, future := time.Now().Add(-time.Minute).Unix(), time.Now().Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		alg    string
		claims map[string]any
		ok     bool
	}{
		"nothing":                   {"ES256", nil, true},
		"both audiences, our party": {"ES256", map[string]any{"aud": []string{"broker", "other"}, "azp": "broker"}, true},
		"no algorithm":              {"none", nil, false},
		"the client's secret":       {"HS256", nil, false},
		"another key":               {"another key", nil, false},
		"another nonce":             {"ES256", map[string]any{"nonce": "x"}, false},
		"no nonce":                  {"ES256", map[string]any{"nonce": nil}, false},
		"another audience":          {"ES256", map[string]any{"aud": "other"}, false},
		"no audience":               {"ES256", map[string]any{"aud": nil}, false},
		"two audiences":             {"ES256", map[string]any{"aud": []string{"broker", "other"}}, false},
		"another party":             {"ES256", map[string]any{"azp": "other"}, false},
		"another issuer":            {"ES256", map[string]any{"iss": "https://accounts.example.com"}, false},
		"an issuer with a slash":    {"ES256", map[string]any{"iss": op.Origin + "/"}, false},
		"expired":                   {"ES256", map[string]any{"exp": past}, false},
		"no end":                    {"ES256", map[string]any{"exp": nil}, false},
		"not yet":                   {"ES256", map[string]any{"nbf": future}, false},
		"no subject":                {"ES256", map[string]any{"sub": nil}, false},
		"a subject too long":        {"ES256", map[string]any{"sub": strings.Repeat("s", passport.MaxSubject+1)}, false},
		"a subject with a NUL":      {"ES256", map[string]any{"sub": "a\x00b"}, false},
		"claims of another kind":    {"ES256", map[string]any{"email": 5}, false},
	} {
		op.Says(c.alg, c.claims)
		code, _ := visit(t, p, false)
		id, err := p.Finish(t.Context(), code, verifier, "the-nonce")
		if c.ok && (err != nil || id.Subject != "subject-1") {
			t.Errorf("%s: %+v %v", name, id, err)
		}
		if !c.ok && (problem.KindOf(err) != problem.Unauthenticated || id != (passport.Identity{})) {
			t.Errorf("%s: got %+v %v", name, id, err)
		}
	}
	op.Says("ES256", nil)
	code, _ := visit(t, p, false)
	for name, v := range map[string][3]string{"another verifier": {code, "another-verifier-of-at-least-43-characters-0123", "the-nonce"}, "no code": {"", verifier, "the-nonce"}, "an empty nonce": {code, verifier, ""}} {
		if _, err := p.Finish(t.Context(), v[0], v[1], v[2]); problem.KindOf(err) != problem.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIssuersThatAreNone(t *testing.T) {
	for _, issuer := range []string{"", "accounts.example.com", "http://accounts.example.com", "https://a.example?x=1", "https://a.example#x", "https://me@a.example", "ftp://a.example"} {
		if _, err := oidc.New(oidc.Config{Issuer: issuer, ClientID: "broker", RedirectURL: back, Now: time.Now}); err == nil {
			t.Errorf("%q is taken", issuer)
		}
	}
}

// TestAProviderThatCannotBeAsked: away, another issuer's document, or an answer without end. It is told, and asked again later.
func TestAProviderThatCannotBeAsked(t *testing.T) {
	answer := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(answer)) }))
	defer s.Close()
	p, err := oidc.New(oidc.Config{Issuer: s.URL, ClientID: "broker", RedirectURL: back, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, answer = range []string{"", "{}", `{"issuer":"https://accounts.example.com"}`, `{"issuer":"` + strings.Repeat("x", 2<<20) + `"}`} {
		if _, err := p.Begin(context.Background(), "s", "n", verifier, false); problem.KindOf(err) != problem.UpstreamFailed {
			t.Errorf("%.40s: %v", answer, err)
		}
	}
	answer = `{"issuer":"` + s.URL + `","authorization_endpoint":"` + s.URL + `/a","token_endpoint":"` + s.URL + `/t","jwks_uri":"` + s.URL + `/j"}`
	if to, err := p.Begin(context.Background(), "s", "n", verifier, false); err != nil || !strings.HasPrefix(to, s.URL+"/a?") {
		t.Errorf("later: %q %v", to, err)
	}
}
