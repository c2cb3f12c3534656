package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// misuse is something that an app, a thief or a stranger does and may not.
type misuse struct {
	name string
	try  func(t *testing.T, f *fleet)
}

// TestOAuthMisuse: each misuse is refused with its status and its error code, by one broker and by the one of two that has not seen what
// came before. What begins is what takes time to become a misuse; the last cases use limits up that others need.
func TestOAuthMisuse(t *testing.T) {
	t.Parallel()
	fleets(t, func(t *testing.T, f *fleet) {
		f.in(t)
		late := f.rotated()
		for _, m := range slices.Concat(codeMisuse, requestMisuse, tokenMisuse, proofMisuse, exchangeMisuse, deviceMisuse, documentCases) {
			t.Run(m.name, func(t *testing.T) {
				f.in(t)
				m.try(t, f)
			})
		}
		t.Run("a refresh token that was replaced more than ten seconds ago ends the family", func(t *testing.T) {
			f.in(t)
			late(t)
		})
		for _, m := range limitMisuse {
			t.Run(m.name, func(t *testing.T) {
				f.in(t)
				m.try(t, f)
			})
		}
	})
}

// page opens an authorization request that must end on a page of the broker's own: nobody is sent anywhere.
func (f *fleet) page(address string) {
	f.t.Helper()
	at, a := f.browse(address)
	if f.outside(at) || at.Path != "/oauth/authorize" || a.status != 422 || refreshOf(a) != "" || !strings.Contains(f.person.text(), "request that cannot be opened") {
		f.t.Errorf("%.1000s led to %.1000s: %d; want a page of the broker's with 422", address, at, a.status)
	}
}

// back opens an authorization request whose error must go to the app, with state and iss (RFC 6749 §4.1.2.1, RFC 9207).
func (a *app) back(code string, pairs ...string) {
	a.f.t.Helper()
	at := a.f.sentTo(a.url(pairs...))
	q := at.Query()
	if !strings.HasPrefix(at.String(), a.redirect+"?") || q.Get("error") != code || q.Get("error_description") == "" || q.Get("iss") != a.f.url || q.Get("state") != "the state" || q.Has("code") {
		a.f.t.Errorf("%v led to %s, want %s", pairs, at, code)
	}
}

var codeMisuse = []misuse{
	{"a code that is replayed ends the tokens that it gave", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		code := a.code()
		got := f.got(a.redeem(code, nil))
		if !f.usable(got.access) {
			t.Fatal("the token does not work")
		}
		f.refused(a.redeem(code, nil), 400, "invalid_grant")
		if f.usable(got.access) {
			t.Error("the token of a replayed code still works")
		}
		f.refused(a.refresh(got.refresh, nil), 400, "invalid_grant")
	}},
	{"twenty redemptions of one code at once give tokens once", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		code := a.code()
		answers := make(chan answer, 20)
		var all sync.WaitGroup
		for range cap(answers) {
			all.Go(func() {
				got, err := f.tryForm("/oauth/token", a.redemption(code).Encode(), nil)
				if err != nil {
					t.Error(err)
				}
				answers <- got
			})
		}
		all.Wait()
		close(answers)
		good := 0
		for got := range answers {
			if got.status == 200 {
				good++
				continue
			}
			f.refused(got, 400, "invalid_grant")
		}
		if good != 1 {
			t.Errorf("%d of 20 got tokens", good)
		}
	}},
	{"a verifier that is wrong, missing, or its own challenge", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		f.refused(a.redeem(a.code(), nil, "code_verifier", "another-verifier-of-more-than-forty-three-characters"), 400, "invalid_grant")
		f.refused(a.redeem(a.code(), nil, "code_verifier", s256(verifier)), 400, "invalid_grant")
		f.refused(a.redeem(a.code(), nil, "code_verifier", ""), 400, "invalid_request")
	}},
	{"plain PKCE, none, and a challenge that is none", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		a.back("invalid_request", "code_challenge_method", "plain", "code_challenge", verifier)
		a.back("invalid_request", "code_challenge_method", "")
		a.back("invalid_request", "code_challenge", "")
		a.back("invalid_request", "code_challenge", "", "code_challenge_method", "")
		a.back("invalid_request", "code_challenge", "too-short")
		f.refused(a.push(nil, "code_challenge_method", "plain", "code_challenge", verifier), 400, "invalid_request")
		f.refused(a.push(nil, "code_challenge", ""), 400, "invalid_request")
	}},
	{"a redirect elsewhere happens nowhere", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		for _, uri := range []string{"https://evil.example/callback", callback + "/", callback + "/../callback", callback + "?x=1", callback + "#x", strings.ToUpper(callback),
			"http://notes.example.com/callback", "https://notes.example.com:8443/callback", "https://notes.example.com@evil.example/callback", "javascript:alert(1)", "//evil.example/callback"} {
			f.page(a.url("redirect_uri", uri))
			f.refused(a.push(nil, "redirect_uri", uri), 400, "invalid_request")
		}
		f.page(a.url("client_id", "nobody"))
		f.page(a.url("client_id", ""))
	}},
	{"the port is free on loopback addresses alone", func(t *testing.T, f *fleet) {
		a := f.register(map[string]any{"redirect_uris": []string{"http://127.0.0.1/cb", "http://[::1]/cb", callback}})
		for _, uri := range []string{"http://127.0.0.1:53211/cb", "http://[::1]:53211/cb"} {
			b := *a
			b.redirect = uri
			if got := f.got(b.redeem(b.code(), nil)); got.access == "" {
				t.Error(uri)
			}
		}
		for _, uri := range []string{"http://localhost:53211/cb", "http://127.0.0.2:53211/cb", "http://127.0.0.1:53211/other", "https://127.0.0.1:53211/cb", "http://127.0.0.1.evil.example:53211/cb"} {
			f.page(a.url("redirect_uri", uri))
		}
	}},
	{"a code at another client, with another redirect, made up", func(t *testing.T, f *fleet) {
		a, b := f.register(nil), f.register(another)
		f.refused(b.redeem(a.code(), nil), 400, "invalid_grant")
		f.refused(a.redeem(a.code(), nil, "redirect_uri", callback+"2"), 400, "invalid_grant")
		f.refused(a.redeem(a.code(), nil, "redirect_uri", ""), 400, "invalid_grant")
		f.refused(a.redeem(strings.Repeat("A", 43), nil), 400, "invalid_grant")
		f.refused(a.redeem("", nil), 400, "invalid_request")
	}},
	{"a code of a grant that was revoked before", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		id := f.asks(a.url())
		f.approve(id, hour)
		code := f.sentTo("/consent/" + id).Query().Get("code")
		f.owner("POST", "/grants/"+id+"/revoke", "")
		f.refused(a.redeem(code, nil), 400, "invalid_grant")
	}},
	{"a request that another browser opened", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		other := &person{b: f.broker, cookies: map[string]string{}}
		other.open("/login")
		other.submit("/login", url.Values{"username": {"ada"}, "password": {password}})
		id := f.asks(a.url())
		if other.open("/consent/" + id); other.page.status != 403 {
			t.Errorf("shown in a browser that did not open it: %d %s", other.page.status, other.text())
		}
		f.approve(id, hour)
		if other.open("/oauth/return/" + id); other.page.status != 403 {
			t.Errorf("its code is given in another browser: %d", other.page.status)
		}
		if back := f.sentTo("/consent/" + id); !f.usable(f.got(a.redeem(back.Query().Get("code"), nil)).access) {
			t.Error("the browser that opened it gets no code")
		}
	}},
}

var requestMisuse = []misuse{
	{"a request_uri is used once", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		p := a.push(nil)
		if p.status != 201 || p.num("expires_in") < 1 || p.num("expires_in") > 60 {
			t.Fatalf("pushed: %s", p)
		}
		address := a.pushed(p.str("request_uri"))
		f.decide(address, hour)
		f.page(address)
	}},
	{"a request_uri of another client, made up, or from elsewhere", func(t *testing.T, f *fleet) {
		a, b := f.register(nil), f.register(another)
		uri := a.push(nil).str("request_uri")
		f.page(b.pushed(uri))
		for _, made := range []string{uri[:len(uri)-1] + "-", "urn:ietf:params:oauth:request_uri:" + strings.Repeat("A", 43), "https://evil.example/request.jwt", "urn:x"} {
			f.page(a.pushed(made))
		}
		f.refused(a.push(nil, "request_uri", uri), 400, "invalid_request")
	}},
	{"what the server does not do is told to the app", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		a.back("unsupported_response_type", "response_type", "token")
		a.back("unsupported_response_type", "response_type", "code id_token")
		a.back("invalid_request", "response_type", "")
		a.back("invalid_request", "response_mode", "fragment")
		a.back("invalid_target", "resource", "https://elsewhere.example/v1")
		a.back("invalid_target", "resource", f.url+"/v1#x")
		a.back("invalid_authorization_details", "authorization_details", "")
	}},
	{"authorization_details that are not exactly what they should be", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		for _, bad := range []string{
			`{"type":"ai_access","provider":"openai"}`, `[]`, `[1]`, `nothing`, `[{"type":"payment_initiation"}]`, `[{"provider":"openai","capabilities":["chat"]}]`,
			`[{"type":"ai_access","type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"]}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":1,"maxBudgetCents":100000}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxbudgetcents":5}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"unlimited":true}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":-1}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":1.5}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":"500"}]`,
			`[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["fly"]}]`,
			`[{"type":"ai_access","provider":"nobody","models":["x"],"capabilities":["chat"]}]`,
			strings.Replace(miniChat, `}]`, `},`+miniChat[1:], 1),
			miniChat + `[]`,
		} {
			a.back("invalid_authorization_details", "authorization_details", bad)
			f.refused(a.push(nil, "authorization_details", bad), 400, "invalid_authorization_details")
		}
	}},
	{"a form that is none, a parameter twice, one that is in the address", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		raw := func(path, body string) answer { return must(f.tryForm(path, body, nil)) }
		for _, path := range []string{"/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke", "/oauth/device_authorization"} {
			f.refused(raw(path, "client_id="+a.id+"&client_id="+a.id+"&grant_type=refresh_token&token=x"), 400, "invalid_request")
			f.refused(raw(path+"?client_id="+a.id, "grant_type=refresh_token&token=x"), 400, "invalid_request")
			f.refused(raw(path, "client_id=%zz"), 400, "invalid_request")
			f.refused(f.quiet("POST", path, `{"client_id":"x"}`, nil), 400, "invalid_request")
			if got := f.send("GET", path, "", nil); got.status != 405 {
				t.Errorf("GET %s: %s", path, got)
			}
		}
		f.refused(raw("/oauth/token", "grant_type=password&client_id="+a.id), 400, "unsupported_grant_type")
		f.refused(raw("/oauth/token", "grant_type=client_credentials&client_id="+a.id), 400, "unsupported_grant_type")
		f.refused(raw("/oauth/token", "client_id="+a.id), 400, "invalid_request")
		f.page(a.url() + "&state=another")
		if got := f.got(a.redeem(a.code(), nil, "nobody_knows_this", "1")); got.access == "" { // RFC 6749 §3.2: what is not known is left alone
			t.Error("an unknown parameter")
		}
	}},
	{"a client that proves itself in another way than it said", func(t *testing.T, f *fleet) {
		a := f.register(confidential)
		code := a.code()
		none := *a
		none.secret = ""
		f.refused(none.redeem(code, nil), 401, "invalid_client")
		f.refused(none.redeem(code, nil, "client_secret", a.secret), 401, "invalid_client") // client_secret_post
		f.refused(a.redeem(code, nil, "client_secret", a.secret), 401, "invalid_client")    // two at once
		wrong := *a
		wrong.secret = a.secret + "x"
		got := wrong.redeem(code, nil)
		f.refused(got, 401, "invalid_client")
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("a wrong secret is answered with %v", got.header)
		}
		other := f.register(another)
		f.refused(a.redeem(code, nil, "client_id", other.id), 401, "invalid_client")
		f.refused((&app{f: f, id: other.id, secret: "x"}).push(nil), 401, "invalid_client") // a public one with a secret
		if got := f.got(a.redeem(code, nil)); got.access == "" {
			t.Error("the right secret")
		}
	}},
	{"an assertion that is replayed, stale, for another, by another key", func(t *testing.T, f *fleet) {
		k := newKey()
		jwk := k.jwk()
		jwk["kid"], jwk["use"], jwk["alg"] = "first", "sig", "ES256"
		a := f.register(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{jwk}}})
		try := func(k *key, header, claims map[string]any) answer {
			h := map[string]any{"alg": "ES256", "kid": "first"}
			c := map[string]any{"iss": a.id, "sub": a.id, "aud": f.url, "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "jti": s256(time.Now().String())}
			for to, from := range map[*map[string]any]map[string]any{&h: header, &c: claims} {
				for name, v := range from {
					if (*to)[name] = v; v == nil {
						delete(*to, name)
					}
				}
			}
			return a.push(f.elsewhere(), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", k.sign(h, c))
		}
		if got := try(k, nil, map[string]any{"jti": "once"}); got.status != 201 {
			t.Fatalf("a good one: %s", got)
		}
		f.refused(try(k, nil, map[string]any{"jti": "once"}), 401, "invalid_client")
		f.refused(try(newKey(), nil, nil), 401, "invalid_client")
		for _, claims := range []map[string]any{{"jti": nil}, {"exp": nil}, {"exp": time.Now().Add(-time.Hour).Unix()}, {"exp": time.Now().Add(48 * time.Hour).Unix()}, {"iss": "another"}, {"sub": "another"},
			{"aud": "https://elsewhere.example"}, {"aud": nil}, {"nbf": time.Now().Add(time.Hour).Unix()}} {
			f.refused(try(k, nil, claims), 401, "invalid_client")
		}
		f.refused(try(k, map[string]any{"alg": "none"}, nil), 401, "invalid_client")
		f.refused(try(k, map[string]any{"alg": "HS256"}, nil), 401, "invalid_client")
		f.refused(try(k, map[string]any{"crit": []string{"x"}, "x": 1}, nil), 401, "invalid_client")
	}},
	{"a registration that may not be", func(t *testing.T, f *fleet) {
		for _, uri := range []string{"http://notes.example.com/cb", "https://*.example.com/cb", "https://notes.example.com/cb#x", "https://u:p@notes.example.com/cb", "javascript:alert(1)", "data:text/html,x", "notes:/cb", "/cb", ""} {
			f.refused(f.tryRegister(map[string]any{"redirect_uris": []string{uri}}), 400, "invalid_redirect_uri")
		}
		f.refused(f.tryRegister(map[string]any{"redirect_uris": []string{}}), 400, "invalid_redirect_uri")
		f.refused(f.tryRegister(map[string]any{"token_endpoint_auth_method": "client_secret_post"}), 400, "invalid_client_metadata")
		f.refused(f.tryRegister(map[string]any{"token_endpoint_auth_method": "private_key_jwt"}), 400, "invalid_client_metadata")
		f.refused(f.tryRegister(map[string]any{"response_types": []string{"token"}}), 400, "invalid_client_metadata")
		a, b := f.register(nil), f.register(another)
		page := strings.TrimPrefix(a.page, f.url)
		for _, h := range []http.Header{nil, bearer("x"), bearer(b.manage)} {
			if got := f.send("GET", page, "", h); got.status != 401 {
				t.Errorf("a registration is read with %v: %s", h, got)
			}
		}
		if got := f.send("DELETE", page, "", bearer(b.manage)); got.status != 401 {
			t.Errorf("a registration is removed with another's token: %s", got)
		}
		if _, err := url.Parse(a.code()); err != nil { // it is still there
			t.Error(err)
		}
	}},
}
