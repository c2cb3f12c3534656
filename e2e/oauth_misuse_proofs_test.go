package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// bound gets tokens that are bound to a key. The broker's nonce is known after it.
func (a *app) bound(k *key) tokens {
	a.f.t.Helper()
	code := a.code("dpop_jkt", k.thumbprint())
	got := a.f.proving(k, "/oauth/token", a.redemption(code), a.basic())
	t := a.f.got(got)
	if t.kind != "DPoP" {
		a.f.t.Fatalf("the token is %s", t.kind)
	}
	return t
}

// proving posts a form with a proof, and once more where a nonce is asked for (RFC 9449 §8).
func (f *fleet) proving(k *key, path string, v url.Values, h http.Header) answer {
	f.t.Helper()
	got := k.keepNonce(f.form(path, v, join(h, k.prove(f, path))))
	if got.str("error") == "use_dpop_nonce" {
		f.refused(got, 400, "use_dpop_nonce")
		got = k.keepNonce(f.form(path, v, join(h, k.prove(f, path))))
	}
	return got
}

// chat is a call with a bound token and a proof for it, as openai SDKs would make it.
func (f *fleet) chat(proof, token string) answer {
	f.t.Helper()
	h := http.Header{"Authorization": {"DPoP " + token}}
	if proof != "" {
		h.Set("DPoP", proof)
	}
	return f.send("POST", native[0].path, openAIBody("gpt-4o-mini", "bound", 20, false), h)
}

// fresh makes the key know the broker's nonce for calls.
func (f *fleet) fresh(k *key, token string) {
	f.t.Helper()
	if got := k.keepNonce(f.chat(k.proof("POST", f.url+native[0].path, token, nil), token)); got.status == 200 {
		return
	}
	if got := k.keepNonce(f.chat(k.proof("POST", f.url+native[0].path, token, nil), token)); got.status != 200 {
		f.t.Fatalf("a bound call: %s %v", got, got.header)
	}
}

// challenged checks a refusal of a call: 401 in the caller's dialect, with a challenge of RFC 9449 §7.1.
func (f *fleet) challenged(what string, a answer, code string) {
	f.t.Helper()
	challenge := strings.Join(a.header.Values("WWW-Authenticate"), ", ")
	if a.status != 401 || a.get("error") == nil || !strings.Contains(challenge, "DPoP ") || !strings.Contains(challenge, `error="`+code+`"`) {
		f.t.Errorf("%s: got %s with %q, want 401 %s", what, a, challenge, code)
	}
}

var proofMisuse = []misuse{
	{"a call with a proof that is missing, replayed, foreign, or for something else", func(t *testing.T, f *fleet) {
		a, k, other := f.register(another), newKey(), newKey()
		got, another := a.bound(k), a.bound(k)
		f.fresh(k, got.access)
		other.nonce = k.nonce
		before := len(f.fake.Requests())
		here := f.url + native[0].path
		f.challenged("no proof", f.chat("", got.access), "invalid_dpop_proof")
		f.challenged("another's key", f.chat(other.proof("POST", here, got.access, nil), got.access), "invalid_dpop_proof")
		for what, changes := range map[string]map[string]any{
			"another method":  {"htm": "GET"},
			"another path":    {"htu": f.url + "/v1/embeddings"},
			"another host":    {"htu": "https://elsewhere.example" + native[0].path},
			"no htu":          {"htu": nil},
			"another token":   {"ath": s256(another.access)},
			"no ath":          {"ath": nil},
			"no jti":          {"jti": nil},
			"no iat":          {"iat": nil},
			"an old one":      {"iat": time.Now().Add(-time.Hour).Unix()},
			"one from later":  {"iat": time.Now().Add(time.Hour).Unix()},
			"typ JWT":         {"header": map[string]any{"typ": "JWT"}},
			"alg none":        {"header": map[string]any{"alg": "none"}},
			"alg HS256":       {"header": map[string]any{"alg": "HS256"}},
			"alg ES384":       {"header": map[string]any{"alg": "ES384"}},
			"no key":          {"header": map[string]any{"jwk": nil}},
			"another's key":   {"header": map[string]any{"jwk": other.jwk()}},
			"crit":            {"header": map[string]any{"crit": []string{"x"}, "x": 1}},
			"a private key":   {"header": map[string]any{"jwk": private(k)}},
			"a symmetric key": {"header": map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}},
		} {
			f.challenged(what, f.chat(k.proof("POST", here, got.access, changes), got.access), "invalid_dpop_proof")
		}
		wrong := f.chat(k.proof("POST", here, got.access, map[string]any{"nonce": "made-up"}), got.access)
		f.challenged("a nonce that is none", wrong, "use_dpop_nonce")
		if wrong.header.Get("DPoP-Nonce") == "" {
			t.Error("no nonce is given")
		}
		if n := len(f.fake.Requests()); n != before {
			t.Errorf("%d calls went upstream", n-before)
		}
		proof := k.proof("POST", here, got.access, nil)
		if once := f.chat(proof, got.access); once.status != 200 {
			t.Fatalf("a good proof: %s", once)
		}
		f.challenged("replayed", f.chat(proof, got.access), "invalid_dpop_proof")
		f.challenged("two proofs", f.send("POST", native[0].path, openAIBody("gpt-4o-mini", "bound", 20, false), http.Header{"Authorization": {"DPoP " + got.access},
			"Dpop": {k.proof("POST", here, got.access, nil), k.proof("POST", here, got.access, nil)}}), "invalid_dpop_proof")
		f.billed(got.grant, f.fake.Requests()[before-1:]) // what made the nonce known, and the good one
	}},
	{"a bound token by any other way than with its proof", func(t *testing.T, f *fleet) {
		a, k := f.register(nil), newKey()
		got := a.bound(k)
		before := len(f.fake.Requests())
		for _, s := range native {
			for name, h := range map[string]http.Header{"Bearer": bearer(got.access), "x-api-key": xAPIKey(got.access), "x-goog-api-key": xGoogKey(got.access)} {
				if x := f.send("POST", s.path, s.body(s.model, "bound", 20, false), h); x.status != 401 {
					t.Errorf("%s as %s: %s", s.name, name, x)
				}
			}
		}
		if x := f.send("POST", native[2].path+"?key="+got.access, googleBody("", "bound", 20, false), nil); x.status != 401 {
			t.Errorf("in the address: %s", x)
		}
		both := http.Header{"Authorization": {"Bearer " + got.access}, "Dpop": {k.proof("POST", f.url+native[0].path, got.access, nil)}}
		if x := f.send("POST", native[0].path, openAIBody("gpt-4o-mini", "bound", 20, false), both); x.status != 401 {
			t.Errorf("Bearer with a proof: %s", x)
		}
		for _, path := range []string{"/v1/grant", "/v1/models"} {
			if x := f.send("GET", path, "", bearer(got.access)); x.status != 401 {
				t.Errorf("GET %s as Bearer: %s", path, x)
			}
		}
		free := a.tokens()
		f.challenged("an unbound token as DPoP", f.chat(k.proof("POST", f.url+native[0].path, free.access, nil), free.access), "invalid_token")
		if n := len(f.fake.Requests()); n != before {
			t.Errorf("%d calls went upstream", n-before)
		}
	}},
	{"a code or a refresh token that is bound, without its key or with another", func(t *testing.T, f *fleet) {
		a, k, thief := f.register(nil), newKey(), newKey()
		got := a.bound(k)
		thief.nonce = k.nonce
		f.refused(a.redeem(a.code("dpop_jkt", k.thumbprint()), nil), 400, "invalid_grant")
		f.refused(f.proving(thief, "/oauth/token", a.redemption(a.code("dpop_jkt", k.thumbprint())), nil), 400, "invalid_grant")
		f.refused(a.refresh(got.refresh, nil), 400, "invalid_grant")
		v := url.Values{"grant_type": {"refresh_token"}, "client_id": {a.id}, "refresh_token": {got.refresh}}
		f.refused(f.proving(thief, "/oauth/token", v, nil), 400, "invalid_grant")
		if next := f.got(f.proving(k, "/oauth/token", v, nil)); next.kind != "DPoP" {
			t.Errorf("refreshed to %s", next.kind)
		}
		for what, changes := range map[string]map[string]any{"htm": {"htm": "GET"}, "htu": {"htu": f.url + "/oauth/par"}, "typ": {"header": map[string]any{"typ": "JWT"}}} {
			h := http.Header{"Dpop": {k.proof("POST", f.url+"/oauth/token", "", changes)}}
			if x := f.form("/oauth/token", v, h); x.status != 400 || x.str("error") != "invalid_dpop_proof" {
				t.Errorf("another %s: %s", what, x)
			}
		}
		proof := k.prove(f, "/oauth/par")
		if x := f.form("/oauth/par", a.params(), proof); x.status != 201 {
			t.Fatalf("pushed with a proof: %s", x)
		}
		f.refused(f.form("/oauth/par", a.params(), proof), 400, "invalid_dpop_proof")
		f.refused(f.form("/oauth/par", a.params("dpop_jkt", thief.thumbprint()), k.prove(f, "/oauth/par")), 400, "invalid_dpop_proof") // RFC 9449 §10.1
	}},
	{"a client that said it takes no bearer tokens gets none", func(t *testing.T, f *fleet) {
		a := f.register(map[string]any{"dpop_bound_access_tokens": true})
		f.refused(a.redeem(a.code(), nil), 400, "invalid_dpop_proof")
	}},
}

// private is the JWK of a key with its private half.
func private(k *key) map[string]any {
	j := k.jwk()
	j["d"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
	return j
}

var device = map[string]any{"grant_types": []string{deviceType, "refresh_token"}}

const deviceType = "urn:ietf:params:oauth:grant-type:device_code"

var deviceMisuse = []misuse{
	{"a device code that waits, is asked for too often, is another's, is used", func(t *testing.T, f *fleet) {
		a, b := f.register(device), f.register(another)
		ask := func(by *app, code string) answer {
			return f.form("/oauth/token", url.Values{"grant_type": {deviceType}, "client_id": {by.id}, "device_code": {code}}, nil)
		}
		shown := f.form("/oauth/device_authorization", url.Values{"client_id": {a.id}, "authorization_details": {miniChat}}, nil)
		if shown.status != 200 || shown.num("interval") != 5 || shown.num("expires_in") < 60 || shown.str("verification_uri") != f.url+"/device" {
			t.Fatalf("a device asks: %s", shown)
		}
		code := shown.str("device_code")
		f.refused(ask(b, code), 400, "invalid_grant")
		f.refused(ask(a, "made-up"), 400, "invalid_grant")
		f.refused(ask(a, ""), 400, "invalid_request")
		f.refused(ask(a, code), 400, "authorization_pending")
		f.refused(ask(a, code), 400, "slow_down")
		again := f.form("/oauth/device_authorization", url.Values{"client_id": {a.id}, "authorization_details": {miniChat}}, nil)
		f.answerDevice(again.str("user_code"), true)
		got := f.got(ask(a, again.str("device_code")))
		f.refused(ask(a, again.str("device_code")), 400, "invalid_grant")
		f.refused(b.refresh(got.refresh, nil), 400, "invalid_grant")
		f.refused(f.form("/oauth/device_authorization", url.Values{"client_id": {a.id}, "authorization_details": {`[]`}}, nil), 400, "invalid_authorization_details")
		f.refused(f.form("/oauth/device_authorization", url.Values{"client_id": {"nobody"}, "authorization_details": {miniChat}}, nil), 401, "invalid_client")
	}},
	{"a device that proved a key gets tokens for that key alone", func(t *testing.T, f *fleet) {
		a, k, thief := f.register(device), newKey(), newKey()
		shown := f.proving(k, "/oauth/device_authorization", url.Values{"client_id": {a.id}, "authorization_details": {miniChat}}, nil)
		f.answerDevice(shown.str("user_code"), true)
		v := url.Values{"grant_type": {deviceType}, "client_id": {a.id}, "device_code": {shown.str("device_code")}}
		f.refused(f.form("/oauth/token", v, nil), 400, "invalid_grant")
		f.refused(f.proving(thief, "/oauth/token", v, nil), 400, "invalid_grant")
		got := f.got(f.proving(k, "/oauth/token", v, nil))
		if got.kind != "DPoP" || f.usable(got.access) {
			t.Errorf("the token is %s", got.kind)
		}
	}},
}

// limitMisuse comes last: it uses up what others need.
var limitMisuse = []misuse{
	{"secrets of a client are guessed so many times and no more", func(t *testing.T, f *fleet) {
		a := f.register(stranger)
		guess := *a
		for i := range 200 {
			guess.secret = fmt.Sprint("guess ", i)
			if x := guess.refresh("x", nil); x.status == 429 {
				if x.header.Get("Retry-After") == "" {
					t.Error("not told when to try again")
				}
				if x := a.refresh("x", nil); x.status != 400 { // strangers do not keep an app from its tokens
					t.Errorf("the right secret after them: %s", x)
				}
				return
			} else if x.status != 401 || x.str("error") != "invalid_client" {
				t.Fatalf("guess %d: %s", i, x)
			}
		}
		t.Error("200 guesses were looked at")
	}},
	{"user codes are guessed so many times and no more", func(t *testing.T, f *fleet) {
		a := f.register(device)
		v := url.Values{"client_id": {a.id}, "authorization_details": {miniChat}}
		shown := f.form("/oauth/device_authorization", v, nil).str("user_code")
		f.person.open("/device")
		for i := range 200 {
			f.person.submit("/device", url.Values{"user_code": {"BCDF-GHJK"}})
			if f.person.page.status == 429 {
				f.person.open("/device")
				if f.person.submit("/device", url.Values{"user_code": {shown}}); f.person.page.status != 429 {
					t.Errorf("a good code behind the limit: %d", f.person.page.status)
				}
				return
			}
			if f.person.page.status != 422 || !strings.Contains(f.person.text(), "No device is waiting") {
				t.Fatalf("guess %d: %d %s", i, f.person.page.status, f.person.text())
			}
		}
		t.Error("200 guesses were looked at")
	}},
}
