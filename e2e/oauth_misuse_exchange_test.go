package e2e_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	exchangeType = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType   = "urn:ietf:params:oauth:token-type:access_token"
	passOn       = `[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":100,"rateLimit":1000,"maxDelegationDepth":1}]`
)

// exchange asks for a child of a grant (RFC 8693 §2.1).
func (a *app) exchange(token string, h http.Header, pairs ...string) answer {
	a.f.t.Helper()
	v := url.Values{"grant_type": {exchangeType}, "client_id": {a.id}, "subject_token": {token}, "subject_token_type": {accessType}}
	return a.f.form("/oauth/token", change(v, pairs), join(a.basic(), h))
}

// exchangeMisuse is of what is told about tokens, and of tokens that are made of tokens.
var exchangeMisuse = []misuse{
	{"widening at exchange", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		got := a.tokens("authorization_details", passOn)
		for what, details := range wider(passOn) {
			if a := a.exchange(got.access, nil, "authorization_details", details); a.status != 400 || a.str("error") != "invalid_authorization_details" {
				t.Errorf("%s: got %s", what, a)
			}
		}
	}},
	{"exchange deeper than was given, of what is no token, for what is no token", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		got := a.tokens("authorization_details", passOn)
		child := a.exchange(got.access, nil, "authorization_details", strings.Replace(miniChat, "500", "50", 1))
		if child.str("issued_token_type") != accessType || child.str("refresh_token") != "" {
			t.Fatalf("a child: %s", child)
		}
		below := a.exchange(f.got(child).access, nil, "authorization_details", strings.Replace(miniChat, "500", "10", 1))
		if below.status != 400 {
			t.Errorf("a grandchild: %s", below)
		}
		f.refused(a.exchange("nothing", nil), 400, "invalid_request") // RFC 8693 §2.2.2
		f.refused(a.exchange(got.refresh, nil), 400, "invalid_request")
		f.refused(a.exchange(got.access, nil, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"), 400, "invalid_request")
		f.refused(a.exchange(got.access, nil, "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), 400, "invalid_request")
		f.refused(a.exchange(got.access, nil, "actor_token", "nothing", "actor_token_type", accessType), 400, "invalid_request")
		f.refused(a.exchange(got.access, nil, "audience", "https://elsewhere.example"), 400, "invalid_target")
		f.refused(a.exchange(got.access, nil, "resource", "https://elsewhere.example/"), 400, "invalid_target")
		f.owner("POST", "/grants/"+got.grant+"/revoke", "")
		if f.usable(child.str("access_token")) {
			t.Error("a child outlives its parent")
		}
	}},
	{"introspection of another's token says nothing but that it is not active", func(t *testing.T, f *fleet) {
		a, b := f.register(confidential), f.register(stranger)
		got := a.tokens()
		ask := func(by *app, token string) answer {
			return f.form("/oauth/introspect", url.Values{"token": {token}}, by.basic())
		}
		for _, token := range []string{got.access, got.refresh} {
			if own := ask(a, token); own.get("active") != true {
				t.Errorf("one's own: %s", own)
			}
			if other := ask(b, token); other.status != 200 || string(bytes.TrimSpace(other.body)) != `{"active":false}` {
				t.Errorf("another's: %s", other)
			}
		}
		if made := ask(a, "nothing"); made.status != 200 || string(bytes.TrimSpace(made.body)) != `{"active":false}` {
			t.Errorf("made up: %s", made)
		}
		f.refused(f.form("/oauth/introspect", url.Values{"token": {got.access}}, nil), 401, "invalid_client")
		f.form("/oauth/revoke", url.Values{"token": {got.access}}, b.basic())
		if !f.usable(got.access) {
			t.Error("another client's revocation counts")
		}
		f.form("/oauth/revoke", url.Values{"token": {got.access}}, a.basic())
		if f.usable(got.access) || ask(a, got.access).get("active") != false {
			t.Error("a revoked token works")
		}
		if unknown := f.form("/oauth/revoke", url.Values{"token": {"nothing"}}, a.basic()); unknown.status != 200 { // RFC 7009 §2.2
			t.Errorf("revoking what is none: %s", unknown)
		}
		f.got(a.refresh(got.refresh, nil)) // only the access token has ended
	}},
	{"what looks like a token and is none", func(t *testing.T, f *fleet) {
		a := f.register(confidential)
		got := a.tokens()
		parts := strings.Split(got.access, ".")
		if len(parts) != 3 {
			t.Fatal("the access token is no JWT (RFC 9068)")
		}
		told := f.form("/oauth/introspect", url.Values{"token": {got.access}}, join(a.basic(), http.Header{"Accept": {"application/token-introspection+jwt"}}))
		if told.status != 200 || bytes.Count(told.body, []byte(".")) != 2 {
			t.Fatalf("a signed answer: %s", told)
		}
		header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		k := newKey()
		claims := map[string]any{"iss": f.url, "sub": "x", "aud": f.url, "client_id": a.id, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "jti": "x"}
		for what, token := range map[string]string{
			"introspection's JWT, signed by the same key": string(bytes.TrimSpace(told.body)),
			"alg none":          header(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
			"another typ":       header(`{"alg":"ES256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
			"no signature":      parts[0] + "." + parts[1] + ".",
			"another's key":     k.sign(map[string]any{"alg": "ES256", "typ": "at+jwt"}, claims),
			"its key inside":    k.sign(map[string]any{"alg": "ES256", "typ": "at+jwt", "jwk": k.jwk()}, claims),
			"a refresh token":   got.refresh,
			"the client secret": a.secret,
		} {
			if f.usable(token) {
				t.Errorf("%s is taken", what)
			}
		}
		if !f.usable(got.access) {
			t.Error("the token itself is not taken")
		}
	}},
}
