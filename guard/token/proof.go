package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/internal/problem"
)

// ProofAlgorithms are those that proofs of a key may be signed with (dpop_signing_alg_values_supported, RFC 9449 §5.1). EdDSA is not
// among them: some clients send it as alg "Ed25519" (RFC 9864), some as "EdDSA".
var ProofAlgorithms = []string{"ES256", "ES384", "PS256", "RS256"}

// Bounds of a proof.
const (
	maxProof    = 4 << 10         // bytes; the largest, of an RSA key of 4096 bits, has about 1800
	maxJTI      = 256             // bytes
	proofWindow = 5 * time.Minute // how far iat may be from now, either way: clocks of browsers are wrong; the nonce bounds the life of a proof
	minRSA      = 2048            // bits (RFC 7518 §3.3)
	maxRSA      = 4096            // bits: larger ones cost too much to check
)

// Asked is a request that a proof is made for (RFC 9449 §4.2).
type Asked struct {
	Proofs []string // the values of the header DPoP
	Method string
	Path   string // as it was sent, escaped, without the query
	From   string // the network that it came from, for Prove; empty: all such requests count as of one
}

// proof is one that is good, but for that it may have been seen before.
type proof struct {
	jkt   string    // RFC 7638 thumbprint of its key
	hash  [32]byte  // of the key and the jti
	until time.Time // when no instance takes it any more
}

type proofHeader struct {
	Type      string         `json:"typ"`
	Algorithm string         `json:"alg"`
	Key       jsontext.Value `json:"jwk"`
	Critical  jsontext.Value `json:"crit"`
}

type proofClaims struct {
	ID       string  `json:"jti"`
	Method   string  `json:"htm"`
	URI      string  `json:"htu"`
	IssuedAt float64 `json:"iat"` // NumericDate (RFC 7519 §2): it may have a fraction
	Token    string  `json:"ath"`
	Nonce    string  `json:"nonce"`
}

// check verifies a proof (RFC 9449 §4.3) for a request, and for the token that comes with it (empty: none comes). bound is the
// thumbprint that the token names (empty: any key will do). Nothing that the proof says is believed before step 4.
func (s *Service) check(a Asked, access, bound string) (proof, error) {
	// 1 exactly one header with one JWT of bounded size, each part in its one spelling.
	if len(a.Proofs) != 1 {
		return proof{}, badProof("the request needs exactly one DPoP header, and has %d", len(a.Proofs))
	}
	text := a.Proofs[0]
	parts, err := segments(text)
	if err != nil || len(text) > maxProof {
		return proof{}, badProof("the proof is not a compact JWT of at most %d bytes", maxProof)
	}
	// 2 its header: type, a fresh algorithm of ours, a public key for just that algorithm.
	var h proofHeader
	if err := json.Unmarshal(parts[0], &h); err != nil || h.Type != "dpop+jwt" || h.Critical != nil {
		return proof{}, badProof("the proof's header must be JSON with the typ dpop+jwt, and without crit")
	}
	key, jkt, err := proofKey(h)
	if err != nil {
		return proof{}, err
	}
	// 3 the key that the token is bound to.
	if bound != "" && jkt != bound {
		return proof{}, badProof("the proof is signed with another key than the token is bound to")
	}
	// 4 the signature.
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.Algorithm)})
	if err != nil {
		return proof{}, badProof("the proof is no JWT")
	}
	if _, err := jws.Verify(key); err != nil {
		return proof{}, badProof("the proof's signature is wrong")
	}
	// 5 and 6: for this request, now; for this token. 7: with a nonce of ours.
	var c proofClaims
	if err := json.Unmarshal(parts[1], &c); err != nil {
		return proof{}, badProof("the proof's claims are not those of a DPoP proof")
	}
	if err := s.forRequest(c, a, access); err != nil {
		return proof{}, err
	}
	until, err := s.nonceEnds(c.Nonce)
	if err != nil {
		return proof{}, err
	}
	return proof{jkt: jkt, hash: sha256.Sum256([]byte(jkt + c.ID)), until: until}, nil
}

// forRequest says whether the claims of a proof are about a request, about the token with it, and about now.
func (s *Service) forRequest(c proofClaims, a Asked, access string) error {
	now := s.cfg.Now()
	switch iat := c.IssuedAt - float64(now.Unix()); {
	case c.ID == "" || len(c.ID) > maxJTI:
		return badProof("jti must have 1 to %d bytes", maxJTI)
	case c.Method != a.Method:
		return badProof("htm must be %s", a.Method)
	case !s.base.is(c.URI, a.Path):
		return badProof("htu must be the address that was called, without its query: it begins with %s", s.base.text)
	case !(iat >= -proofWindow.Seconds() && iat <= proofWindow.Seconds()): // so written, no number passes by being none
		return badProof("iat must be within %s of now, which is %d", proofWindow, now.Unix())
	}
	if access == "" {
		return nil
	}
	if sum := sha256.Sum256([]byte(access)); c.Token != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return badProof("ath must be the base64url of the SHA-256 of the token")
	}
	return nil
}

// notPublic are members of a JWK that a proof's may not have: private ones (RFC 7518 §6), and certificates that somebody else would have to judge.
type notPublic struct {
	D   jsontext.Value `json:"d"`
	P   jsontext.Value `json:"p"`
	Q   jsontext.Value `json:"q"`
	DP  jsontext.Value `json:"dp"`
	DQ  jsontext.Value `json:"dq"`
	QI  jsontext.Value `json:"qi"`
	Oth jsontext.Value `json:"oth"`
	K   jsontext.Value `json:"k"`
	X5C jsontext.Value `json:"x5c"`
}

// proofKey reads the key that a proof brings along, and its thumbprint. The algorithm must be the one for its type.
func proofKey(h proofHeader) (key any, jkt string, err error) {
	var no notPublic
	if len(h.Key) == 0 || json.Unmarshal(h.Key, &no) != nil {
		return nil, "", badProof("the proof's header must have a jwk")
	}
	for _, v := range []jsontext.Value{no.D, no.P, no.Q, no.DP, no.DQ, no.QI, no.Oth, no.K, no.X5C} {
		if v != nil {
			return nil, "", badProof("jwk must be the public key and nothing else")
		}
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(h.Key); err != nil || !fits(k.Key, h.Algorithm) {
		return nil, "", badProof("jwk must be a key for the proof's alg, which must be one of %s; RSA keys have %d to %d bits",
			strings.Join(ProofAlgorithms, ", "), minRSA, maxRSA)
	}
	print, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", badProof("jwk is no key")
	}
	return k.Key, base64.RawURLEncoding.EncodeToString(print), nil
}

// fits says whether an algorithm is the one for a public key.
func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() && alg == "ES256" || k.Curve == elliptic.P384() && alg == "ES384"
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return bits >= minRSA && bits <= maxRSA && (alg == "PS256" || alg == "RS256")
	default:
		return false
	}
}

// Fields of problems with proofs: at the token endpoint and at the gateway they become OAuth's error codes.
const (
	ProofField  = "DPoP"          // invalid_dpop_proof
	NonceField  = "DPoP-Nonce"    // use_dpop_nonce
	SchemeField = "Authorization" // invalid_token: the token came in another way than it must
)

func badProof(format string, args ...any) error {
	return problem.New(problem.Unauthenticated, format, args...).In(ProofField)
}
