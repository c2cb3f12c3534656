package e2e_test

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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
)

const proofSecret = "canary-proof-secret-0123456789abcdef"

func b64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// prover is an app with a key of its own and a token that is bound to it.
type prover struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	token string
	nonce string
	n     atomic.Int64
}

// bind makes a prover of a token: it adds cnf and signs again, which whoever has JWT_SECRET can. So all is looked at that comes after the
// token's issue, whichever door it came by.
func bind(b *broker, g grant) *prover {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &prover{t: b.t, key: key}
	jwk, _ := json.Marshal(p.jwk()) // members in order, as RFC 7638 §3.1 wants them
	sum := sha256.Sum256(jwk)
	claims := decodePart(b.t, g.token, 1)
	claims["cnf"] = map[string]string{"jkt": b64url(sum[:])}
	for _, name := range []string{"iat", "exp"} {
		claims[name] = int64(claims[name].(float64))
	}
	signed := strings.Split(g.token, ".")[0] + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(proofSecret))
	mac.Write([]byte(signed))
	p.token = signed + "." + b64url(mac.Sum(nil))
	b.keepSecret(p.token)
	return p
}

func (p *prover) jwk() map[string]string {
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	return map[string]string{"crv": "P-256", "kty": "EC", "x": b64url(point[1:33]), "y": b64url(point[33:])}
}

// proof signs one for a request, with changes.
func (p *prover) proof(method, htu string, change map[string]any) string {
	sum := sha256.Sum256([]byte(p.token))
	claims := map[string]any{"jti": fmt.Sprintf("jti-%d", p.n.Add(1)), "htm": method, "htu": htu, "iat": time.Now().Unix(), "ath": b64url(sum[:]), "nonce": p.nonce}
	for k, v := range change {
		claims[k] = v
	}
	signed := part(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": p.jwk()}) + "." + part(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return signed + "." + b64url(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (p *prover) header(proofs ...string) http.Header {
	return http.Header{"Authorization": {"DPoP " + p.token}, "Dpop": proofs}
}

// public is the address that a broker without AIPASSPORT_PUBLIC_URL has, which proofs name.
func (b *broker) public() string {
	if u := b.env["AIPASSPORT_PUBLIC_URL"]; u != "" {
		return u
	}
	return strings.Replace(b.url, "127.0.0.1", "localhost", 1)
}

// TestThreat17BoundTokens: a token that is bound to a key works with a proof of that key for just this request, in every dialect, and in no
// other way. What is refused is so in the caller's dialect, says why, and reaches no provider.
func TestThreat17BoundTokens(t *testing.T) {
	b := start(t, env{"JWT_SECRET": proofSecret})
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		p, thief := bind(b, g), bind(b, g)
		htu, body := b.public()+s.path, s.body(s.model, "hello", 50, false)
		call := func(h http.Header) answer { return b.send("POST", s.path, body, h) }

		// The first proof cannot know a nonce; the refusal tells it, and so does each answer.
		a := call(p.header(p.proof("POST", htu, nil)))
		if p.nonce = a.header.Get("DPoP-Nonce"); a.status != 401 || p.nonce == "" || !strings.Contains(a.header.Get("WWW-Authenticate"), `DPoP realm="aipassport", algs="ES256 ES384 PS256 RS256", error="use_dpop_nonce"`) {
			t.Fatalf("%s: without a nonce: %s %v", s.name, a, a.header)
		}
		thief.nonce = p.nonce
		once := p.proof("POST", htu, nil)
		if a := call(p.header(once)); a.status != 200 || a.header.Get("DPoP-Nonce") == "" {
			t.Fatalf("%s: with a proof: %s", s.name, a)
		}
		before := len(b.fake.Requests())
		foreign := http.Header{"Authorization": {"DPoP " + p.token}, "Dpop": {thief.proof("POST", htu, map[string]any{"ath": json.RawMessage(ath(p.token))})}}
		for name, c := range map[string]struct {
			h    http.Header
			code string
		}{
			"replayed":                     {p.header(once), "invalid_dpop_proof"},
			"missing":                      {p.header(), "invalid_dpop_proof"},
			"two":                          {p.header(p.proof("POST", htu, nil), p.proof("POST", htu, nil)), "invalid_dpop_proof"},
			"of another key":               {foreign, "invalid_dpop_proof"},
			"of another method":            {p.header(p.proof("GET", htu, nil)), "invalid_dpop_proof"},
			"of another path":              {p.header(p.proof("POST", htu+"/x", nil)), "invalid_dpop_proof"},
			"of the Host of the request":   {p.header(p.proof("POST", b.url+s.path, nil)), "invalid_dpop_proof"},
			"of another token":             {p.header(p.proof("POST", htu, map[string]any{"ath": json.RawMessage(ath(thief.token))})), "invalid_dpop_proof"},
			"old":                          {p.header(p.proof("POST", htu, map[string]any{"iat": time.Now().Add(-time.Hour).Unix()})), "invalid_dpop_proof"},
			"with a nonce of nobody":       {p.header(p.proof("POST", htu, map[string]any{"nonce": "x"})), "use_dpop_nonce"},
			"as a bearer":                  {bearer(p.token), "invalid_token"},
			"as an API key":                {s.auth(p.token), "invalid_token"},
			"a bearer with DPoP":           {http.Header{"Authorization": {"DPoP " + g.token}, "Dpop": {p.proof("POST", htu, nil)}}, "invalid_token"},
			"a stolen proof for a bearer":  {http.Header{"Authorization": {"Bearer " + p.token}, "Dpop": {p.proof("POST", htu, nil)}}, "invalid_token"},
			"by the scheme of nobody else": {http.Header{"Authorization": {"DPoP x"}, "Dpop": {p.proof("POST", htu, nil)}}, "invalid_token"},
		} {
			a := call(c.h)
			if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "DPoP ") || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="`+c.code+`"`) || a.get("error") == nil {
				t.Errorf("%s: %s: got %s %q, want 401 %s", s.name, name, a, a.header.Get("WWW-Authenticate"), c.code)
			}
		}
		if s.provider == "google" && strings.HasPrefix(s.path, "/google") {
			if a := b.send("POST", s.path+"?key="+p.token, body, nil); a.status != 401 {
				t.Errorf("in the address: %s", a)
			}
		}
		if n := len(b.fake.Requests()); n != before {
			t.Errorf("%s: %d refused calls reached the provider", s.name, n-before)
		}
		if a := call(g.auth(s)); a.status != 200 {
			t.Errorf("%s: the grant's bearer: %s", s.name, a)
		}
	}
	testBoundAsides(t, b)
}

// auth is how a grant's own bearer is shown.
func (g grant) auth(s speaker) http.Header { return s.auth(g.token) }

// ath is the JSON of the claim for a token.
func ath(token string) string {
	sum := sha256.Sum256([]byte(token))
	return `"` + b64url(sum[:]) + `"`
}

// testBoundAsides: the ways in that carry no call, SDK keys of the owner, and scripts of other origins.
func testBoundAsides(t *testing.T, b *broker) {
	s := native[0]
	g := b.give(s.scope(500, 100))
	p := bind(b, g)
	for _, path := range []string{"/v1/grant", "/v1/models"} {
		a := b.send("GET", path, "", p.header(p.proof("GET", b.public()+path, nil)))
		if p.nonce = a.header.Get("DPoP-Nonce"); a.status != 401 || p.nonce == "" {
			t.Errorf("%s without a nonce: %s", path, a)
		}
		once := p.proof("GET", b.public()+path, nil)
		if a := b.send("GET", path+"?x=1", "", p.header(once)); a.status != 200 && path == "/v1/grant" {
			t.Errorf("%s: %s", path, a)
		}
		if a := b.send("GET", path, "", p.header(once)); a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_dpop_proof") {
			t.Errorf("%s replayed: %s", path, a)
		}
		if a := b.send("GET", path, "", bearer(p.token)); a.status != 401 {
			t.Errorf("%s as a bearer: %s", path, a)
		}
		p.nonce = ""
	}
	if a := b.send("GET", "/tokens/"+p.token+"/inspect", "", nil); a.status != 200 || a.get("valid") != false || !strings.Contains(a.str("reason"), "bound to a key") {
		t.Errorf("inspect: %s", a)
	}
	key := b.owner("POST", "/grants/"+g.id+"/keys", `{"name":"laptop"}`)
	b.keepSecret(key.str("key"))
	if a := b.call(s, key.str("key"), "hello"); a.status != 200 {
		t.Errorf("an SDK key: %s", a)
	}
	a := b.send("POST", s.path, `{}`, http.Header{"Origin": {"https://app.example"}, "Authorization": {"DPoP x"}})
	for _, name := range []string{"DPoP-Nonce", "WWW-Authenticate"} {
		if !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("scripts may not read %s: %v", name, a.header)
		}
	}
	a = b.send("OPTIONS", s.path, "", http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization,dpop"}})
	if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "dpop") {
		t.Errorf("scripts may not send a proof: %v", a.header)
	}
}

// TestThreat17TwoInstances on Postgres: a nonce of one is taken by the other, and a proof that one took is refused by the other and after a
// restart; of many at one moment at both, one gets in.
func TestThreat17TwoInstances(t *testing.T) {
	x, y := two(t, pgtest.Database(t), env{"JWT_SECRET": proofSecret})
	s := native[0]
	p := bind(x, x.give(s.scope(500, 100)))
	y.keepSecret(p.token)
	htu, body := x.public()+s.path, s.body(s.model, "hello", 50, false)
	p.nonce = x.send("POST", s.path, body, p.header(p.proof("POST", htu, nil))).header.Get("DPoP-Nonce")
	once := p.proof("POST", htu, nil)
	if a := y.send("POST", s.path, body, p.header(once)); a.status != 200 {
		t.Fatalf("a nonce of the other instance: %s", a)
	}
	replayed := func(b *broker, proof, when string) {
		if a := b.send("POST", s.path, body, p.header(proof)); a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_dpop_proof") {
			t.Errorf("%s: %s", when, a)
		}
	}
	replayed(x, once, "at the other instance")
	replayed(y, once, "at the same")

	rush := p.proof("POST", htu, nil)
	var good atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			a, err := []*broker{x, y}[i%2].try("POST", s.path, body, p.header(rush))
			if err == nil && a.status == 200 {
				good.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 1 {
		t.Errorf("%d of 20 got in with one proof", good.Load())
	}
	y.kill()
	y.run()
	replayed(y, once, "after a kill")
	replayed(y, rush, "the other, after a kill")
}
