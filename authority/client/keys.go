package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
)

// Bounds of a set of keys.
const (
	maxKeys = 10
	minRSA  = 2048 // bits (RFC 7518 §3.3)
	maxRSA  = 8192
)

// algorithms that an assertion may be signed with.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.PS256, jose.RS256}

// Algorithms are the names of those, for the metadata (RFC 8414 §2).
func Algorithms() (out []string) {
	for _, a := range algorithms {
		out = append(out, string(a))
	}
	return out
}

// readKeys reads a set of public keys (RFC 7517 §5). Keys of kinds that we do not use are left out; a private or a symmetric one spoils
// the set, because it is no secret any more. Error: Invalid.
func readKeys(text []byte) ([]jose.JSONWebKey, error) {
	o, err := fields.Read(text, "keys")
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "is not a JSON object with keys, each member once")
	}
	list := o.Array("keys")
	if o.Err() != nil || len(list) > maxKeys {
		return nil, problem.New(problem.Invalid, "must have an array of at most %d keys", maxKeys)
	}
	var out []jose.JSONWebKey
	for _, raw := range list {
		var secret struct{ D, K, P *json.RawMessage }
		if err := json.Unmarshal(raw, &secret); err != nil {
			return nil, problem.New(problem.Invalid, "has a key that is no object")
		}
		if secret.D != nil || secret.K != nil || secret.P != nil {
			return nil, problem.New(problem.Invalid, "has a private or a symmetric key: make new ones, and publish the public half alone")
		}
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil || !k.IsPublic() || !k.Valid() || k.Use != "" && k.Use != "sig" || len(algsOf(k)) == 0 {
			continue
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, problem.New(problem.Invalid, "has no key for ES256, ES384, PS256 or RS256")
	}
	return out, nil
}

// algsOf are the algorithms that a key can verify: of its own kind, and only the one that it names, if it names one.
func algsOf(k jose.JSONWebKey) (out []jose.SignatureAlgorithm) {
	var can []jose.SignatureAlgorithm
	switch key := k.Key.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			can = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			can = []jose.SignatureAlgorithm{jose.ES384}
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits >= minRSA && bits <= maxRSA {
			can = []jose.SignatureAlgorithm{jose.PS256, jose.RS256}
		}
	}
	for _, a := range can {
		if k.Algorithm == "" || k.Algorithm == string(a) {
			out = append(out, a)
		}
	}
	return out
}
