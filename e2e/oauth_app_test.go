package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What apps in these tests ask for unless they say otherwise.
const (
	miniChat = `[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":100,"rateLimit":1000}]`
	callback = "https://notes.example.com/callback"
	verifier = "a-verifier-of-more-than-forty-three-characters-0123456789"
)

// app is an OAuth client that makes each request by hand, so that it can make wrong ones.
type app struct {
	f            *fleet
	id, secret   string
	redirect     string
	manage, page string // registration_access_token and registration_client_uri (RFC 7592)
}

// Metadata of clients that tests register. A public client, which comes back to callback, needs none.
var (
	another      = map[string]any{"client_name": "Another"}
	confidential = map[string]any{"token_endpoint_auth_method": "client_secret_basic"}
	stranger     = map[string]any{"token_endpoint_auth_method": "client_secret_basic", "client_name": "Another"}
)

// register makes a client by RFC 7591, or returns the one that it made of the same metadata. Members of the metadata replace what it says
// by itself.
func (f *fleet) register(metadata map[string]any) *app {
	f.t.Helper()
	key := string(mustJSON(metadata))
	if made := f.apps[key]; made != nil {
		return made
	}
	a := f.tryRegister(metadata)
	if a.status != 201 {
		f.t.Fatalf("register: %s", a)
	}
	f.keepSecret(a.str("client_secret"))
	f.keepSecret(a.str("registration_access_token"))
	uris := a.get("redirect_uris").([]any)
	f.apps[key] = &app{f, a.str("client_id"), a.str("client_secret"), uris[0].(string), a.str("registration_access_token"), a.str("registration_client_uri")}
	return f.apps[key]
}

func (f *fleet) tryRegister(metadata map[string]any) answer {
	f.t.Helper()
	m := map[string]any{"client_name": "Notes", "redirect_uris": []string{callback}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}}
	maps.Copy(m, metadata)
	return f.quiet("POST", "/oauth/register", string(mustJSON(m)), nil)
}

// quiet is send for answers that hold secrets.
func (f *fleet) quiet(method, path, body string, h http.Header) answer {
	f.t.Helper()
	res, err := f.open(method, path, body, h)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	a, err := readAnswer(res)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// basic is the header of client_secret_basic (RFC 6749 §2.3.1).
func (a *app) basic() http.Header {
	if a.secret == "" {
		return http.Header{}
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	return r.Header
}

// params is an authorization request. Pairs of name and value change it; an empty value takes a parameter away.
func (a *app) params(pairs ...string) url.Values {
	v := url.Values{"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.redirect}, "code_challenge": {s256(verifier)},
		"code_challenge_method": {"S256"}, "state": {"the state"}, "authorization_details": {miniChat}}
	return change(v, pairs)
}

func change(v url.Values, pairs []string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		if v.Del(pairs[i]); pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// url is the address of an authorization request with its parameters in the open.
func (a *app) url(pairs ...string) string {
	return a.f.url + "/oauth/authorize?" + a.params(pairs...).Encode()
}

// push is the same by RFC 9126.
func (a *app) push(h http.Header, pairs ...string) answer {
	a.f.t.Helper()
	return a.f.form("/oauth/par", a.params(pairs...), join(a.basic(), h))
}

// pushed is where the person is sent with a request that was pushed.
func (a *app) pushed(uri string) string {
	return a.f.url + "/oauth/authorize?" + url.Values{"client_id": {a.id}, "request_uri": {uri}}.Encode()
}

// code asks, is approved for an hour and returns the code.
func (a *app) code(pairs ...string) string {
	a.f.t.Helper()
	back := a.f.decide(a.url(pairs...), hour)
	q := back.Query()
	if q.Get("code") == "" || q.Get("iss") != a.f.url || q.Get("state") != "the state" || !strings.HasPrefix(back.String(), a.redirect+"?") {
		a.f.t.Fatalf("called back at %s", back)
	}
	return q.Get("code")
}

// redeem gets tokens for a code.
func (a *app) redeem(code string, h http.Header, pairs ...string) answer {
	a.f.t.Helper()
	return a.f.form("/oauth/token", a.redemption(code, pairs...), join(a.basic(), h))
}

func (a *app) redemption(code string, pairs ...string) url.Values {
	return change(url.Values{"grant_type": {"authorization_code"}, "client_id": {a.id}, "code": {code}, "redirect_uri": {a.redirect}, "code_verifier": {verifier}}, pairs)
}

func (a *app) refresh(token string, h http.Header, pairs ...string) answer {
	a.f.t.Helper()
	v := change(url.Values{"grant_type": {"refresh_token"}, "client_id": {a.id}, "refresh_token": {token}}, pairs)
	return a.f.form("/oauth/token", v, join(a.basic(), h))
}

// tokens are what the token endpoint gives.
type tokens struct{ access, refresh, grant, kind string }

// got reads tokens from an answer that must have them.
func (f *fleet) got(a answer) tokens {
	f.t.Helper()
	t := tokens{a.str("access_token"), a.str("refresh_token"), a.str("grant_id"), a.str("token_type")}
	if a.status != 200 || t.access == "" || a.num("expires_in") < 1 || a.header.Get("Cache-Control") != "no-store" {
		f.t.Fatalf("no tokens: %s %v", a, a.header)
	}
	return t
}

// tokens asks, is approved and gets bearer tokens.
func (a *app) tokens(pairs ...string) tokens {
	a.f.t.Helper()
	return a.f.got(a.redeem(a.code(pairs...), nil))
}

func join(a, b http.Header) http.Header {
	out := http.Header{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func s256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// key is a P-256 key with which an app signs DPoP proofs and assertions.
type key struct {
	*ecdsa.PrivateKey
	nonce string // the broker's last
}

func newKey() *key { return &key{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), ""} }

// jwk is the public half (RFC 7517).
func (k *key) jwk() map[string]any {
	p := must(k.PublicKey.Bytes())
	return map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(p[1:33]), "y": base64.RawURLEncoding.EncodeToString(p[33:])}
}

// thumbprint is RFC 7638's: the required members in their order.
func (k *key) thumbprint() string {
	j := k.jwk()
	return s256(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, j["x"], j["y"]))
}

// sign makes a JWS of a header and claims by ES256 (RFC 7518 §3.4).
func (k *key) sign(header, claims map[string]any) string {
	text := base64.RawURLEncoding.EncodeToString(mustJSON(header)) + "." + base64.RawURLEncoding.EncodeToString(mustJSON(claims))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// proof is a DPoP proof (RFC 9449 §4.2) for a request, with the access token that goes with it, if any. Pairs of claims change it; nil takes
// one away. A claim "header" is merged into the header.
func (k *key) proof(method, address, token string, changes map[string]any) string {
	header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.jwk()}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if token != "" {
		claims["ath"] = s256(token)
	}
	if k.nonce != "" {
		claims["nonce"] = k.nonce
	}
	for name, value := range changes {
		to := claims
		if inner, ok := value.(map[string]any); ok && name == "header" {
			maps.Copy(header, inner)
			continue
		}
		if to[name] = value; value == nil {
			delete(to, name)
		}
	}
	return k.sign(header, claims)
}

// prove is the header of a request to the token endpoint, after the broker's nonce is known.
func (k *key) prove(f *fleet, path string) http.Header {
	return http.Header{"Dpop": {k.proof("POST", f.url+path, "", nil)}}
}

// keepNonce takes the nonce from an answer (RFC 9449 §8.2).
func (k *key) keepNonce(a answer) answer {
	if n := a.header.Get("DPoP-Nonce"); n != "" {
		k.nonce = n
	}
	return a
}

// answerDevice types a device's code as the owner and approves or denies what it asks for.
func (f *fleet) answerDevice(code string, approved bool) {
	f.t.Helper()
	f.person.open("/device")
	f.person.submit("/device", url.Values{"user_code": {strings.ToLower(code)}}) // capitals do not matter (RFC 8628 §6.1)
	m := consentPath.FindStringSubmatch(f.person.path)
	if m == nil {
		f.t.Fatalf("the code %s led to %s: %s", code, f.person.path, f.person.text())
	}
	if !approved {
		f.owner("POST", "/grants/"+m[1]+"/deny", "")
		return
	}
	f.approve(m[1], hour)
}
