package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/passport"
)

// holder is an app with a key. It signs by hand, so that it can sign anything.
type holder struct {
	alg string
	key crypto.Signer
}

var keys = sync.OnceValue(func() map[string]holder {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return map[string]holder{"ES256": {"ES256", p256}, "other": {"ES256", other}, "ES384": {"ES384", p384}, "RS256": {"RS256", rsa2048}, "PS256": {"PS256", rsa2048}}
})

// jwk is the public key.
func (h holder) jwk() map[string]any {
	switch k := h.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		n := (len(point) - 1) / 2
		return map[string]any{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(point[1 : n+1]), "y": b64(point[n+1:])}
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	default:
		panic("no such key")
	}
}

// jkt is the thumbprint (RFC 7638 §3.1): of JSON whose members are in order, which encoding/json does with maps.
func (h holder) jkt() string {
	text, _ := json.Marshal(h.jwk())
	sum := sha256.Sum256(text)
	return b64(sum[:])
}

// sign makes a compact JWS of two texts.
func (h holder) sign(header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	digest, hash := sum[:], crypto.SHA256
	if h.alg == "ES384" {
		long := sha512.Sum384([]byte(input))
		digest, hash = long[:], crypto.SHA384
	}
	var sig []byte
	var err error
	switch k := h.key.(type) {
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, k, digest)
		n := (k.Curve.Params().BitSize + 7) / 8
		sig, err = append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...), signErr
	case *rsa.PrivateKey:
		if h.alg == "PS256" {
			sig, err = rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			sig, err = rsa.SignPKCS1v15(rand.Reader, k, hash, digest)
		}
	}
	if err != nil {
		panic(err)
	}
	return input + "." + b64(sig)
}

// call is what a proof is for, here and in most tests.
const (
	callPath = "/v1/chat/completions"
	callHTU  = issuer + callPath
)

// proofParts are a proof's header and claims before they are signed.
type proofParts struct{ header, claims map[string]any }

// proofParts are those of a good proof with a new jti, for a token (empty: none).
func (b *bench) proofParts(h holder, access string) proofParts {
	b.t.Helper()
	nonce, err := b.Nonce()
	if err != nil {
		b.t.Fatal(err)
	}
	p := proofParts{map[string]any{"typ": "dpop+jwt", "alg": h.alg, "jwk": h.jwk()},
		map[string]any{"jti": fmt.Sprintf("jti-%d", b.ids.Add(1)), "htm": "POST", "htu": callHTU, "iat": b.now.Unix(), "nonce": nonce}}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		p.claims["ath"] = b64(sum[:])
	}
	return p
}

func (p proofParts) sign(h holder) string {
	header, _ := json.Marshal(p.header)
	claims, _ := json.Marshal(p.claims)
	return h.sign(string(header), string(claims))
}

func (b *bench) proof(h holder, access string, change ...func(proofParts)) string {
	b.t.Helper()
	p := b.proofParts(h, access)
	for _, c := range change {
		c(p)
	}
	return p.sign(h)
}

func with(name string, v any) func(proofParts) { return func(p proofParts) { p.claims[name] = v } }

func withHeader(name string, v any) func(proofParts) {
	return func(p proofParts) { p.header[name] = v }
}

func withKey(name string, v any) func(proofParts) {
	return func(p proofParts) {
		jwk := maps.Clone(p.header["jwk"].(map[string]any))
		jwk[name] = v
		p.header["jwk"] = jwk
	}
}

// bound is a token for a grant that is bound to a holder's key.
func (b *bench) bound(g passport.Grant, h holder) string {
	b.t.Helper()
	g.JKT = h.jkt()
	access, _ := b.issue(g)
	return access
}

// asked is the call with proofs.
func asked(proofs ...string) token.Asked {
	return token.Asked{Proofs: proofs, Method: "POST", Path: callPath}
}

func shown(access string, proofs ...string) token.Shown {
	return token.Shown{Access: access, DPoP: true, Asked: asked(proofs...)}
}

func admit(t testing.TB, s *token.Service, by token.Shown) error {
	t.Helper()
	_, _, err := s.Admit(t.Context(), by)
	return err
}
