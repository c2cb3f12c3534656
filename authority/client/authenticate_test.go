package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const (
	redirectURI = "https://app.example/cb"
	bearerType  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

func (w *world) add(c passport.Client) passport.Client {
	w.t.Helper()
	c.Kind, c.RedirectURIs, c.CreatedAt = passport.ClientOwned, []string{redirectURI}, w.now()
	if err := w.store.AddClient(context.Background(), c, passport.Event{ID: passport.EventID("added-" + c.ID), At: w.now()}); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// request is one to the token endpoint, with a form and headers.
func request(t *testing.T, values url.Values, headers ...string) (*http.Request, wire.Form) {
	t.Helper()
	r := httptest.NewRequest("POST", "/oauth/token", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r, wire.FormOf(values)
}

func basicOf(id, secret string) string {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

// TestOneMethodAndItsOwn: a client proves itself by the method that it is registered with, and by no other; what is wrong is invalid_client.
func TestOneMethodAndItsOwn(t *testing.T) {
	w := newWorld(t, nil)
	secret := "a+secret with/ü%"
	w.add(passport.Client{ID: "public", Auth: passport.PublicClient})
	w.add(passport.Client{ID: "basic", Auth: passport.ClientBasic, SecretHash: sha256.Sum256([]byte(secret))})
	w.add(passport.Client{ID: "id with/ü", Auth: passport.ClientBasic, SecretHash: sha256.Sum256([]byte(secret))})
	key, set := newKey(t, jose.ES256)
	w.add(passport.Client{ID: "keys", Auth: passport.ClientPrivateKey, JWKS: set})
	plain := func(id, secret string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(id, secret)
		return r.Header.Get("Authorization")
	}
	for name, c := range map[string]struct {
		form    url.Values
		headers []string
		want    string
	}{
		"public":                       {form("client_id", "public"), nil, ""},
		"basic":                        {form(), []string{"Authorization", basicOf("basic", secret)}, ""},
		"basic with client_id":         {form("client_id", "basic"), []string{"Authorization", basicOf("basic", secret)}, ""},
		"basic, escaped id":            {form(), []string{"Authorization", basicOf("id with/ü", secret)}, ""},
		"keys":                         {form("client_assertion_type", bearerType, "client_assertion", key.sign(t, w.claims("keys"))), nil, ""},
		"nobody":                       {form(), nil, "client_id: is missing"},
		"unknown":                      {form("client_id", "who"), nil, "there is no such client, or this is not it"},
		"basic as public":              {form("client_id", "basic"), nil, "registered for another method than none"},
		"keys as public":               {form("client_id", "keys"), nil, "registered for another method than none"},
		"public by basic":              {form(), []string{"Authorization", basicOf("public", "")}, "another method than client_secret_basic"},
		"keys by basic":                {form(), []string{"Authorization", basicOf("keys", secret)}, "another method than client_secret_basic"},
		"public by keys":               {form("client_assertion_type", bearerType, "client_assertion", key.sign(t, w.claims("public"))), nil, "another method than private_key_jwt"},
		"wrong secret":                 {form(), []string{"Authorization", basicOf("basic", secret+"x")}, "there is no such client, or this is not it"},
		"empty secret":                 {form(), []string{"Authorization", basicOf("basic", "")}, "there is no such client, or this is not it"},
		"unknown by basic":             {form(), []string{"Authorization", basicOf("who", secret)}, "there is no such client, or this is not it"},
		"not form-encoded":             {form(), []string{"Authorization", plain("basic", secret)}, "both form-encoded"},
		"secret in the body":           {form("client_id", "basic", "client_secret", secret), nil, "client_secret is not taken in the body"},
		"secret in the body and basic": {form("client_secret", secret), []string{"Authorization", basicOf("basic", secret)}, "client_secret is not taken in the body"},
		"two headers":                  {form(), []string{"Authorization", basicOf("basic", secret), "Authorization", basicOf("basic", secret)}, "in one way at a time"},
		"basic and assertion":          {form("client_assertion_type", bearerType, "client_assertion", key.sign(t, w.claims("keys"))), []string{"Authorization", basicOf("basic", secret)}, "in one way at a time"},
		"another client_id":            {form("client_id", "public"), []string{"Authorization", basicOf("basic", secret)}, "client_id is another"},
		"another scheme":               {form("client_id", "public"), []string{"Authorization", "Bearer x"}, "must be HTTP Basic"},
		"broken basic":                 {form("client_id", "public"), []string{"Authorization", "Basic !!"}, "must be HTTP Basic"},
		"assertion without its type":   {form("client_assertion", key.sign(t, w.claims("keys"))), nil, "client_assertion_type must be"},
		"type without assertion":       {form("client_assertion_type", bearerType), nil, "is not one signed JWT"},
		"assertion of another":         {form("client_id", "public", "client_assertion_type", bearerType, "client_assertion", key.sign(t, w.claims("keys"))), nil, "client_id is another"},
	} {
		r, f := request(t, c.form, c.headers...)
		got, err := w.clients.Authenticate(r, f)
		wants(t, name, err, c.want)
		if c.want != "" && (wire.From(err).Code != wire.InvalidClient || got.ID != "") {
			t.Errorf("%s: got %v and client %q, want invalid_client and none", name, err, got.ID)
		}
	}
	found, err := w.store.Client(context.Background(), "public")
	if err != nil || !found.UsedAt.Equal(w.now().Truncate(24*time.Hour)) {
		t.Errorf("used at %v, %v; want today", found.UsedAt, err)
	}
}

// TestWrongSecretsAreLimited: by client and address; the right one is never shut out.
func TestWrongSecretsAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	for _, id := range []passport.ClientID{"a", "b"} {
		w.add(passport.Client{ID: id, Auth: passport.ClientBasic, SecretHash: sha256.Sum256([]byte("right"))})
	}
	try := func(id, secret, from string) problem.Kind {
		r, f := request(t, form(), "Authorization", basicOf(id, secret))
		r.RemoteAddr = from
		if _, err := w.clients.Authenticate(r, f); err != nil {
			if wire.From(err).Code == wire.InvalidClient {
				return problem.Unauthenticated
			}
			return problem.KindOf(err)
		}
		return problem.Internal // none
	}
	for i := range 10 {
		if k := try("a", "wrong", "192.0.2.1:1"); k != problem.Unauthenticated {
			t.Fatalf("try %d: got %v", i, k)
		}
	}
	for name, c := range map[string]struct {
		id, secret, from string
		want             problem.Kind
	}{
		"one more": {"a", "wrong", "192.0.2.1:2", problem.RateExceeded}, "another client": {"b", "wrong", "192.0.2.1:1", problem.Unauthenticated},
		"another address": {"a", "wrong", "192.0.2.2:1", problem.Unauthenticated}, "the right one": {"a", "right", "192.0.2.1:1", problem.Internal},
	} {
		if k := try(c.id, c.secret, c.from); k != c.want {
			t.Errorf("%s: got %v, want %v", name, k, c.want)
		}
	}
}

// signer makes assertions.
type signer struct {
	alg jose.SignatureAlgorithm
	key any
	kid string
}

var signers sync.Map // of an algorithm, so that RSA keys are made once

func newKey(t *testing.T, alg jose.SignatureAlgorithm) (signer, string) {
	t.Helper()
	made, ok := signers.Load(alg)
	if !ok {
		var err error
		switch alg {
		case jose.ES256:
			made, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		case jose.ES384:
			made, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		case jose.ES512:
			made, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		default:
			made, err = rsa.GenerateKey(rand.Reader, 2048)
		}
		if err != nil {
			t.Fatal(err)
		}
		signers.Store(alg, made)
	}
	return signer{alg, made, "k-" + string(alg)}, setOf(t, alg, made)
}

func setOf(t *testing.T, alg jose.SignatureAlgorithm, key any) string {
	t.Helper()
	k := jose.JSONWebKey{Key: key, KeyID: "k-" + string(alg), Use: "sig"}
	return toJSON(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
}

func (s signer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	key := any(s.key)
	if s.kid != "" {
		key = jose.JSONWebKey{Key: s.key, KeyID: s.kid}
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := made.Sign([]byte(toJSON(t, claims)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := j.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claims are good ones, each time with another jti.
func (w *world) claims(id string) map[string]any {
	return map[string]any{"iss": id, "sub": id, "aud": issuer, "jti": string(rune('a'+w.n.Add(1)%26)) + storetest.Epoch().String() + rand.Text(), "iat": w.now().Unix(), "exp": w.now().Add(time.Minute).Unix()}
}

func assertion(text string) url.Values {
	return form("client_assertion_type", bearerType, "client_assertion", text)
}

// TestAssertions: a table of what is wrong with them (RFC 7523 §3).
func TestAssertions(t *testing.T) {
	w := newWorld(t, nil)
	keys := map[jose.SignatureAlgorithm]signer{}
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.RS256} {
		s, set := newKey(t, alg)
		keys[alg] = s
		if alg != jose.ES512 {
			w.add(passport.Client{ID: passport.ClientID(alg), Auth: passport.ClientPrivateKey, JWKS: set})
		}
	}
	pinned := jose.JSONWebKey{Key: keys[jose.RS256].key, Algorithm: string(jose.PS256)} // a key that says what it is for
	w.add(passport.Client{ID: "pinned", Auth: passport.ClientPrivateKey, JWKS: toJSON(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{pinned.Public()}})})
	es := keys[jose.ES256]
	with := func(edit map[string]any) string {
		cl := w.claims("ES256")
		maps.Copy(cl, edit)
		for k, v := range edit {
			if v == nil {
				delete(cl, k)
			}
		}
		return es.sign(t, cl)
	}
	at := func(d time.Duration) int64 { return w.now().Add(d).Unix() }
	good := with(nil)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, c := range map[string]struct{ text, want string }{
		"ES256":           {good, ""},
		"ES384":           {keys[jose.ES384].sign(t, w.claims("ES384")), ""},
		"PS256":           {keys[jose.PS256].sign(t, w.claims("PS256")), ""},
		"RS256":           {keys[jose.RS256].sign(t, w.claims("RS256")), ""},
		"no kid":          {signer{jose.ES256, es.key, ""}.sign(t, w.claims("ES256")), ""},
		"aud as list":     {with(map[string]any{"aud": []string{issuer}}), ""},
		"token endpoint":  {with(map[string]any{"aud": issuer + "/oauth/token"}), ""},
		"no iat":          {with(map[string]any{"iat": nil}), ""},
		"its own alg":     {signer{jose.PS256, keys[jose.RS256].key, ""}.sign(t, w.claims("pinned")), ""},
		"another alg":     {signer{jose.RS256, keys[jose.RS256].key, ""}.sign(t, w.claims("pinned")), "no key of this client"},
		"another key":     {signer{jose.ES256, other, es.kid}.sign(t, w.claims("ES256")), "no key of this client"},
		"another kid":     {signer{jose.ES256, es.key, "k-else"}.sign(t, w.claims("ES256")), "no key of this client"},
		"another's key":   {keys[jose.ES384].sign(t, w.claims("ES256")), "no key of this client"},
		"ES512":           {keys[jose.ES512].sign(t, w.claims("ES256")), "is not a JWT that is signed"},
		"HS256":           {signer{jose.HS256, []byte(strings.Repeat("k", 32)), ""}.sign(t, w.claims("ES256")), "is not a JWT that is signed"},
		"none":            {"eyJhbGciOiJub25lIn0" + good[strings.IndexByte(good, '.'):strings.LastIndexByte(good, '.')] + ".", "client_assertion: "},
		"changed":         {good[:strings.IndexByte(good, '.')+1] + strings.Split(with(map[string]any{"jti": "x"}), ".")[1] + good[strings.LastIndexByte(good, '.'):], "no key of this client"},
		"nonsense":        {"x.y.z", "is not a JWT that is signed"},
		"two parts":       {"x.y", "is not one signed JWT"},
		"long":            {good + strings.Repeat("A", 9000), "is not one signed JWT"},
		"iss of another":  {with(map[string]any{"iss": "RS256"}), "iss and sub must both be"},
		"no iss":          {with(map[string]any{"iss": nil}), "iss"},
		"no sub":          {with(map[string]any{"sub": nil}), "sub"},
		"no aud":          {with(map[string]any{"aud": nil}), "aud"},
		"aud of another":  {with(map[string]any{"aud": "https://other.example"}), "aud must be"},
		"aud of another2": {with(map[string]any{"aud": []string{issuer, "https://other.example"}}), "aud must be"},
		"aud empty":       {with(map[string]any{"aud": []string{}}), "aud must be"},
		"no jti":          {with(map[string]any{"jti": nil}), "jti"},
		"long jti":        {with(map[string]any{"jti": strings.Repeat("j", 257)}), "too long"},
		"no exp":          {with(map[string]any{"exp": nil}), "exp: Required"},
		"exp is text":     {with(map[string]any{"exp": "soon"}), "exp"},
		"expired":         {with(map[string]any{"exp": at(0)}), "has expired"},
		"for too long":    {with(map[string]any{"exp": at(11 * time.Minute)}), "more than 10m0s away"},
		"iat ahead":       {with(map[string]any{"iat": at(12 * time.Second)}), "in the future"},
		"nbf ahead":       {with(map[string]any{"nbf": at(12 * time.Second)}), "in the future"},
	} {
		r, f := request(t, assertion(c.text))
		n++
		r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", n) // wrong ones are limited
		_, err := w.clients.Authenticate(r, f)
		wants(t, name, err, c.want)
	}
}

// TestThreat13AnAssertionWorksOnce: also at another instance, and of many at once.
func TestThreat13AnAssertionWorksOnce(t *testing.T) {
	w := newWorld(t, nil)
	key, set := newKey(t, jose.ES256)
	w.add(passport.Client{ID: "a", Auth: passport.ClientPrivateKey, JWKS: set})
	w.add(passport.Client{ID: "b", Auth: passport.ClientPrivateKey, JWKS: set})
	instances := []*client.Clients{w.clients, w.again()}
	text := key.sign(t, w.claims("a"))
	var wait sync.WaitGroup
	var taken atomic.Int64
	for i := range 20 {
		r, f := request(t, assertion(text))
		r.RemoteAddr = "192.0.2." + string(rune('1'+i%9)) + ":1"
		wait.Go(func() {
			if _, err := instances[i%2].Authenticate(r, f); err == nil {
				taken.Add(1)
			} else if k := code(err); !strings.Contains(k, "was used already") && problem.KindOf(err) != problem.RateExceeded {
				t.Errorf("got %v", err)
			}
		})
	}
	wait.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("an assertion worked %d times", n)
	}
	// The same jti of another client is another assertion.
	cl := w.claims("b")
	cl["jti"] = "shared"
	for _, id := range []string{"a", "b"} {
		cl["iss"], cl["sub"] = id, id
		r, f := request(t, assertion(key.sign(t, cl)))
		_, err := w.clients.Authenticate(r, f)
		wants(t, id, err, "")
	}
	// Where nobody knows whether it was seen, it is not taken.
	w.store.Fail("Seen", storetest.After, problem.New(problem.Unavailable, "the disk is full"))
	r, f := request(t, assertion(key.sign(t, w.claims("a"))))
	if _, err := w.clients.Authenticate(r, f); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

// TestKeysAtAnAddress: they are fetched with the guards of documents, kept, and read anew when a key is unknown, once a minute at most.
func TestKeysAtAnAddress(t *testing.T) {
	t.Parallel()
	key, set := newKey(t, jose.ES256)
	next, nextSet := newKey(t, jose.ES384)
	var served atomic.Int64
	var now atomic.Pointer[string]
	now.Store(&set)
	srv, pool := site(t, func(rw http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		rw.Header().Set("Content-Type", "application/jwk-set+json")
		rw.Header().Set("Cache-Control", "max-age=3600")
		rw.Write([]byte(*now.Load()))
	})
	w := newWorld(t, func(c *client.Config) { c.Roots, c.Allow = pool, loopback })
	w.add(passport.Client{ID: "a", Auth: passport.ClientPrivateKey, JWKSURI: srv.URL + "/keys"})
	try := func(name string, s signer, want string, fetches int64) {
		t.Helper()
		r, f := request(t, assertion(s.sign(t, w.claims("a"))))
		_, err := w.clients.Authenticate(r, f)
		wants(t, name, err, want)
		if n := served.Load(); n != fetches {
			t.Errorf("%s: %d fetches, want %d", name, n, fetches)
		}
	}
	try("first", key, "", 1)
	try("kept", key, "", 1)
	now.Store(&nextSet)
	try("unknown, just read", next, "no key of this client", 1)
	w.wait(61 * time.Second)
	try("unknown, read anew", next, "", 2)
	try("gone", key, "no key of this client", 2)

	closed := newWorld(t, func(c *client.Config) { c.Roots = pool })
	closed.add(passport.Client{ID: "a", Auth: passport.ClientPrivateKey, JWKSURI: srv.URL + "/keys"})
	r, f := request(t, assertion(next.sign(t, closed.claims("a"))))
	_, err := closed.clients.Authenticate(r, f)
	wants(t, "closed", err, "invalid_client: jwks_uri: could not be fetched")
	if n := served.Load(); n != 2 {
		t.Errorf("an address inside was asked")
	}
}
