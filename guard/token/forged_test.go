package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"hash"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

const invalid = "Invalid or expired JWT"

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// es256 signs as RFC 7518 §3.4 does: R and S, 32 bytes each. It is made here from the standard library, so that the
// forgeries do not pass through the code under test or its library.
func es256(t *testing.T, key *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64(sig)
}

func hs(h func() hash.Hash, key []byte, header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	m := hmac.New(h, key)
	m.Write([]byte(input))
	return input + "." + b64(m.Sum(nil))
}

// forge is what a forger has to work with: a good token and, for the rows that test a claim alone, the keys themselves.
type forge struct {
	t        *testing.T
	access   string // good
	header   string
	claims   map[string]any
	kid      string
	key      *ecdsa.PrivateKey
	otherKID string // of the next key: ours, published, not the signer
	otherKey *ecdsa.PrivateKey
	own      *ecdsa.PrivateKey // the forger's
}

func newForge(t *testing.T, b *bench) *forge {
	f := &forge{t: t}
	f.access, _ = b.issue(b.grant("g1", time.Hour))
	f.header, f.claims = parts(t, f.access)
	f.kid, f.key = b.private(passport.KeyCurrent)
	f.otherKID, f.otherKey = b.private(passport.KeyNext)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.own = own
	return f
}

// payload is the good claims with some changed; nil takes one away.
func (f *forge) payload(change map[string]any) string {
	c := maps.Clone(f.claims)
	for name, v := range change {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func (f *forge) good() string { return f.payload(nil) }

// signed has good keys and header, and other claims.
func (f *forge) signed(change map[string]any) string {
	return es256(f.t, f.key, f.header, f.payload(change))
}

// headed has good keys and claims, and another header.
func (f *forge) headed(header string) string { return es256(f.t, f.key, header, f.good()) }

func (f *forge) ownJWK() string {
	p, err := f.own.PublicKey.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	return `{"kty":"EC","crv":"P-256","x":"` + b64(p[1:33]) + `","y":"` + b64(p[33:]) + `"}`
}

// publicForms are the bytes that a confused verifier could take the public key for an HMAC secret in.
func (f *forge) publicForms() map[string][]byte {
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		f.t.Fatal(err)
	}
	point, err := f.key.PublicKey.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	return map[string][]byte{
		"der": der, "point": point, "pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "empty": {},
	}
}

// The forger's keys and this test's signing are right: without anything forged, they verify.
func TestForgeWorks(t *testing.T) {
	b := newBench(t, nil)
	f := newForge(t, b)
	for name, access := range map[string]string{
		"issued": f.access, "signed here": f.signed(nil), "by the next key": es256(t, f.otherKey, f.replaceKID(f.otherKID), f.good()),
		"iat within the skew": f.signed(map[string]any{"iat": start.Add(10 * time.Second).Unix()}),
		"an unknown claim":    f.signed(map[string]any{"hello": "world"}),
	} {
		if _, err := b.Verify(access); err != nil {
			t.Errorf("%s: %v (%v)", name, err, f.header)
		}
	}
}

func (f *forge) replaceKID(kid string) string { return strings.Replace(f.header, f.kid, kid, 1) }

func TestForgedTokensAreRefused(t *testing.T) {
	b := newBench(t, nil)
	f := newForge(t, b)
	p := strings.Split(f.access, ".")
	withHeader := func(member string) string { return strings.TrimSuffix(f.header, "}") + "," + member + "}" }
	rows := map[string]string{
		"empty": "", "dots": "..", "one part": p[0], "two parts": p[0] + "." + p[1], "four parts": f.access + "." + p[2],
		"detached payload": p[0] + ".." + p[2], "no signature": p[0] + "." + p[1] + ".", "not base64": "a.b.c", "an API key": "sk-proj-0123456789abcdef",
		"JSON serialization":  `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"very long":           f.access + strings.Repeat("A", token.MaxToken),
		"very long, no dots":  strings.Repeat("A", 1<<20),
		"very many dots":      strings.Repeat(".", token.MaxToken-1),
		"signed, too long":    f.signed(map[string]any{"pad": strings.Repeat("x", token.MaxToken)}),
		"alg none":            b64([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + p[1] + ".",
		"alg none with kid":   b64([]byte(`{"alg":"none","kid":"`+f.kid+`","typ":"at+jwt"}`)) + "." + p[1] + ".",
		"alg None":            b64([]byte(`{"alg":"None","kid":"`+f.kid+`","typ":"at+jwt"}`)) + "." + p[1] + "." + p[2],
		"alg none, signature": b64([]byte(`{"alg":"none","kid":"`+f.kid+`","typ":"at+jwt"}`)) + "." + p[1] + "." + p[2],
		"alg ES384":           f.headed(strings.Replace(f.header, "ES256", "ES384", 1)),
		"alg es256":           f.headed(strings.Replace(f.header, "ES256", "es256", 1)),
		"alg missing":         f.headed(`{"kid":"` + f.kid + `","typ":"at+jwt"}`),
		"alg a list":          f.headed(strings.Replace(f.header, `"ES256"`, `["ES256"]`, 1)),

		"own key":                       es256(t, f.own, f.header, f.good()),
		"own key in jwk":                es256(t, f.own, withHeader(`"jwk":`+f.ownJWK()), f.good()),
		"own key in jwk, no kid":        es256(t, f.own, `{"alg":"ES256","typ":"at+jwt","jwk":`+f.ownJWK()+`}`, f.good()),
		"own key behind jku":            es256(t, f.own, withHeader(`"jku":"https://evil.example/keys"`), f.good()),
		"own key behind x5u":            es256(t, f.own, withHeader(`"x5u":"https://evil.example/cert"`), f.good()),
		"own key in x5c":                es256(t, f.own, withHeader(`"x5c":["AA"]`), f.good()),
		"our key, jwk":                  f.headed(withHeader(`"jwk":` + f.ownJWK())),
		"our key, jku":                  f.headed(withHeader(`"jku":"` + issuer + `/.well-known/jwks.json"`)),
		"our key, crit":                 f.headed(withHeader(`"crit":["exp"],"exp":1`)),
		"our key, empty crit":           f.headed(withHeader(`"crit":[]`)),
		"our key, b64 false":            f.headed(withHeader(`"crit":["b64"],"b64":false`)),
		"our key, zip":                  f.headed(withHeader(`"zip":"DEF"`)),
		"kid of another key of ours":    f.headed(f.replaceKID(f.otherKID)),
		"kid unknown":                   f.headed(f.replaceKID("nobody")),
		"kid empty":                     f.headed(f.replaceKID("")),
		"kid missing":                   f.headed(`{"alg":"ES256","typ":"at+jwt"}`),
		"kid a path":                    f.headed(f.replaceKID("../../dev/null")),
		"kid SQL":                       f.headed(f.replaceKID("' OR 1=1 --")),
		"kid twice":                     f.headed(withHeader(`"kid":"` + f.kid + `"`)),
		"alg twice":                     f.headed(withHeader(`"alg":"none"`)),
		"header in capitals":            f.headed(strings.Replace(f.header, `"alg"`, `"ALG"`, 1)),
		"header a list":                 f.headed(`[` + f.header + `]`),
		"header null":                   f.headed(`null`),
		"two values in header":          f.headed(f.header + `{}`),
		"typ JWT":                       f.headed(strings.Replace(f.header, "at+jwt", "JWT", 1)),
		"typ dpop+jwt":                  f.headed(strings.Replace(f.header, "at+jwt", "dpop+jwt", 1)),
		"typ missing":                   f.headed(`{"alg":"ES256","kid":"` + f.kid + `"}`),
		"claims not JSON":               es256(t, f.key, f.header, "hello"),
		"claims empty":                  es256(t, f.key, f.header, ""),
		"claims a list":                 es256(t, f.key, f.header, "["+f.good()+"]"),
		"claim twice":                   es256(t, f.key, f.header, strings.TrimSuffix(f.good(), "}")+`,"jti":"other"}`),
		"two payloads":                  es256(t, f.key, f.header, f.good()+f.good()),
		"aud of another":                f.signed(map[string]any{"aud": "https://other.example"}),
		"aud with a slash":              f.signed(map[string]any{"aud": issuer + "/"}),
		"aud a list":                    f.signed(map[string]any{"aud": []string{issuer}}),
		"iss of another":                f.signed(map[string]any{"iss": "https://other.example"}),
		"iss the seed's":                f.signed(map[string]any{"iss": "aipassport-broker"}),
		"expired":                       f.signed(map[string]any{"exp": start.Add(-time.Second).Unix()}),
		"expires now":                   f.signed(map[string]any{"exp": start.Unix()}),
		"exp a text":                    f.signed(map[string]any{"exp": "4102444800"}),
		"exp a fraction":                f.signed(map[string]any{"exp": 4102444800.5}),
		"exp past all numbers":          es256(t, f.key, f.header, `{"exp":1e400}`),
		"issued past the skew":          f.signed(map[string]any{"iat": start.Add(11 * time.Second).Unix()}),
		"jti a number":                  f.signed(map[string]any{"jti": 7}),
		"payload modified":              p[0] + "." + b64([]byte(f.payload(map[string]any{"gid": "g2", "grantId": "g2"}))) + "." + p[2],
		"padding":                       p[0] + "=." + p[1] + "." + p[2],
		"space inside":                  p[0] + "." + p[1] + " ." + p[2],
		"space before":                  " " + f.access,
		"space behind":                  f.access + " ",
		"line end inside":               p[0] + ".\n" + p[1] + "." + p[2],
		"line end behind":               f.access + "\r\n",
		"standard base64 signature":     p[0] + "." + p[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(p[2]) + "+",
		"signature short":               p[0] + "." + p[1] + "." + p[2][:len(p[2])-4],
		"signature long":                p[0] + "." + p[1] + "." + p[2] + "AAAA",
		"signature zero":                p[0] + "." + p[1] + "." + b64(make([]byte, 64)),
		"signature of another":          p[0] + "." + p[1] + "." + strings.Split(es256(t, f.key, f.header, "{}"), ".")[2],
		"signature with stray end bits": p[0] + "." + p[1] + "." + strayBits(p[2]),
	}
	for form, key := range f.publicForms() {
		rows["HS256 with the public key as "+form] = hs(sha256.New, key, strings.Replace(f.header, "ES256", "HS256", 1), f.good())
		rows["HS256 as the seed's with the public key as "+form] = hs(sha256.New, key, `{"alg":"HS256"}`, f.good())
	}
	for name, access := range rows {
		t.Run(name, func(t *testing.T) {
			for range 2 { // a refusal is not remembered as anything else
				p, err := b.Verify(access)
				refused(t, err, problem.Unauthenticated, invalid)
				if p != (token.Passport{}) {
					t.Errorf("a refusal gave %+v", p)
				}
			}
		})
	}
}

// strayBits gives the last character of a part another low bit that decoders which are not strict drop: 64 bytes leave
// four bits unused (RFC 4648 §3.5).
func strayBits(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[i^1])
}

// What a decoder that is not strict makes of the stray bits is the good signature: the row above tests what it says.
func TestStrayBitsDecodeToTheSame(t *testing.T) {
	part := b64(make([]byte, 64))
	got, err := base64.RawURLEncoding.DecodeString(strayBits(part))
	if err != nil || b64(got) != part || strayBits(part) == part {
		t.Errorf("got %x, %v", got, err)
	}
}

func TestMissingClaimsAreNamedAsTheSeedDoes(t *testing.T) {
	b := newBench(t, nil)
	f := newForge(t, b)
	for _, name := range []string{"iss", "aud", "iat", "exp", "jti", "gid", "grantId"} {
		for what, v := range map[string]any{"missing": nil, "null": json.RawMessage("null")} {
			_, err := b.Verify(f.signed(map[string]any{name: v}))
			if err == nil {
				t.Fatalf("%s %s: verified", name, what)
			}
			refused(t, err, problem.Unauthenticated, "JWT missing required claims")
		}
	}
	_, err := b.Verify(f.signed(map[string]any{"grantId": "g2"})) // the two names of the grant differ
	refused(t, err, problem.Unauthenticated, "JWT missing required claims")
	_, err = b.Verify(f.signed(map[string]any{"exp": -1}))
	refused(t, err, problem.Unauthenticated, "JWT missing required claims")
}

func TestForgedHMACTokensAreRefused(t *testing.T) {
	b := newBench(t, withHMAC)
	access, _ := b.issue(b.grant("g1", time.Hour))
	header, claims := parts(t, access)
	f := &forge{t: t, claims: claims}
	key := []byte(hmacSecret)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(hs(sha256.New, key, header, f.good())); err != nil {
		t.Fatalf("the forger's signing is wrong: %v", err)
	}
	for name, access := range map[string]string{
		"other secret":   hs(sha256.New, []byte(hmacSecret[:31]+"x"), header, f.good()),
		"empty secret":   hs(sha256.New, nil, header, f.good()),
		"HS512":          hs(sha512.New, key, `{"alg":"HS512"}`, f.good()),
		"HS512 as HS256": hs(sha512.New, key, header, f.good()),
		"typ at+jwt":     hs(sha256.New, key, `{"alg":"HS256","typ":"at+jwt"}`, f.good()),
		"typ JWT":        hs(sha256.New, key, `{"alg":"HS256","typ":"JWT"}`, f.good()),
		"with a kid":     hs(sha256.New, key, `{"alg":"HS256","kid":"x"}`, f.good()),
		"none":           b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(f.good())) + ".",
		"ES256":          es256(t, own, `{"alg":"ES256"}`, f.good()),
		"no exp":         hs(sha256.New, key, header, f.payload(map[string]any{"exp": nil})),
	} {
		if _, err := b.Verify(access); problem.KindOf(err) != problem.Unauthenticated {
			t.Errorf("%s: got %v, want Unauthenticated", name, err)
		}
	}
}

// The two modes never take each other's tokens, on the same store.
func TestModesDoNotMix(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	es, _ := b.issue(g)
	cfg := b.cfg
	cfg.HMACSecret = secret.New(hmacSecret)
	h, err := token.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	hm, _, err := h.Issue(t.Context(), g, "app:g1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Verify(es)
	refused(t, err, problem.Unauthenticated, invalid)
	_, err = b.Verify(hm)
	refused(t, err, problem.Unauthenticated, invalid)
}

// No byte of a token can be changed without its being refused: not in its header, its claims or its signature.
func TestNoCharacterOfATokenIsMalleable(t *testing.T) {
	b := newBench(t, nil)
	f := newForge(t, b)
	for i := range f.access {
		for _, c := range []byte("A.z=") {
			if f.access[i] == c {
				continue
			}
			changed := f.access[:i] + string(c) + f.access[i+1:]
			if _, err := b.Verify(changed); err == nil {
				t.Fatalf("verified with %q for %q at %d", c, f.access[i], i)
			}
		}
	}
}

// Nothing but the token that was issued verifies, whatever is made of it.
func FuzzVerify(f *testing.F) {
	b := newBench(f, withHMAC)
	good, _ := b.issue(b.grant("g1", time.Hour))
	f.Add(good)
	f.Add("a.b.c")
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{}`)) + ".")
	f.Add(b64([]byte(`{"alg":"HS256"}`)) + "." + b64([]byte(`{"iss":"x"}`)) + "." + b64(make([]byte, 32)))
	f.Fuzz(func(t *testing.T, access string) {
		p, err := b.Verify(access)
		if access == good {
			if err != nil {
				t.Errorf("the good one: %v", err)
			}
			return
		}
		if err == nil || problem.KindOf(err) != problem.Unauthenticated {
			t.Errorf("got %+v, %v", p, err)
		}
	})
}
