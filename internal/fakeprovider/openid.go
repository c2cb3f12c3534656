package fakeprovider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// OpenID is an OpenID provider on loopback (OpenID Connect Core 1.0): whoever comes is signed in at once as what Claims says.
type OpenID struct {
	Origin           string // also its issuer
	ClientID, Secret string

	mu     sync.Mutex // guards what follows
	key    *ecdsa.PrivateKey
	claims map[string]any
	alg    string
	codes  map[string]asked
	ask    url.Values // what was last asked of it
}

// asked is a code that waits.
type asked struct{ challenge, nonce, redirect string }

// NewOpenID starts one. stop ends it.
func NewOpenID(clientID, secret string) (o *OpenID, stop func(), err error) {
	o = &OpenID{ClientID: clientID, Secret: secret, alg: "ES256", codes: map[string]asked{}}
	if o.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", o.discovery)
	mux.HandleFunc("GET /jwks", o.jwks)
	mux.HandleFunc("GET /authorize", o.authorize)
	mux.HandleFunc("POST /token", o.token)
	o.Origin, stop, err = Serve(mux)
	return o, stop, err
}

// Says sets what the next ID tokens claim, over what is right, and how they are signed: ES256, HS256 with the client's secret, none, or
// "another key". A claim that is nil is left out.
func (o *OpenID) Says(alg string, claims map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alg, o.claims = alg, claims
}

// Asked is what the last browser brought.
func (o *OpenID) Asked() url.Values {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ask
}

func (o *OpenID) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"issuer": o.Origin, "authorization_endpoint": o.Origin + "/authorize", "token_endpoint": o.Origin + "/token", "jwks_uri": o.Origin + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}})
}

func (o *OpenID) jwks(w http.ResponseWriter, _ *http.Request) {
	x, y := o.key.X.FillBytes(make([]byte, 32)), o.key.Y.FillBytes(make([]byte, 32))
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256", "x": b64(x), "y": b64(y)}}})
}

// authorize sends the browser back at once.
func (o *OpenID) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	o.mu.Lock()
	o.ask = q
	code := fmt.Sprintf("code-%d", len(o.codes)+1)
	o.codes[code] = asked{q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri")}
	o.mu.Unlock()
	if q.Get("client_id") != o.ClientID || q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" {
		http.Error(w, "not what it should be", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

// token takes a code once.
func (o *OpenID) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id) // as RFC 6749 §2.3.1 has it
	secret, _ = url.QueryUnescape(secret)
	o.mu.Lock()
	defer o.mu.Unlock()
	c, ok := o.codes[r.FormValue("code")]
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || c.challenge != b64(sum[:]) || c.redirect != r.FormValue("redirect_uri") || id != o.ClientID || secret != o.Secret {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	o.codes[r.FormValue("code")] = asked{}
	now := time.Now()
	claims := map[string]any{"iss": o.Origin, "sub": "subject-1", "aud": o.ClientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": c.nonce, "auth_time": now.Unix(),
		"email": "ada@example.com", "email_verified": true}
	for name, v := range o.claims {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": o.sign(claims)})
}

func (o *OpenID) sign(claims map[string]any) string {
	alg, key := o.alg, o.key
	if alg == "another key" {
		alg = "ES256"
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // crypto/rand does not fail
	}
	header, _ := json.Marshal(map[string]string{"alg": alg, "kid": "k1", "typ": "JWT"})
	payload, _ := json.Marshal(claims)
	text := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(text))
	switch alg {
	case "none":
		return text + "."
	case "HS256":
		m := hmac.New(sha256.New, []byte(o.Secret))
		m.Write([]byte(text))
		return text + "." + b64(m.Sum(nil))
	default:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return ""
		}
		return text + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
