package token

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// header is what a token says of itself. Nothing in it is believed: kid picks one of our keys, and the rest must be what that
// key signs with (RFC 8725 §3.1). Members that name or carry keys (jwk, jku, x5c, x5u) or ask for more (crit, b64) are unknown
// here, and what is unknown is refused.
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

// errUnknownKey is of a token that would be ours if its key were. Another instance may have made that key.
var errUnknownKey = errors.New("the kid is not ours")

// Verify checks a token's signature and claims, and nothing that can change: Identify asks for that. What verified is kept in
// memory by the SHA-256 of the token until it expires or newer ones push it out. Errors: Unauthenticated, with a detail of
// the seed's.
func (s *Service) Verify(access string) (Passport, error) {
	if len(access) > MaxToken {
		return Passport{}, invalid("longer than %d bytes", MaxToken)
	}
	now := s.cfg.Now()
	hash := hashOf(access)
	if p, ok := s.cache.get(hash); ok {
		if now.Before(p.ExpiresAt) {
			return p, nil
		}
		s.cache.drop(hash)
		return Passport{}, invalid("expired")
	}
	payload, err := s.ring.Load().payload(access)
	if err != nil {
		return Passport{}, err
	}
	p, err := s.read(payload, now)
	if err != nil {
		return Passport{}, err
	}
	s.cache.put(hash, p)
	return p, nil
}

// hashOf spares a token of the usual length a copy of its own.
func hashOf(access string) [32]byte {
	var usual [1 << 10]byte
	return sha256.Sum256(append(usual[:0], access...))
}

// Cached is how many verified tokens are kept in memory.
func (s *Service) Cached() int { return s.cache.len() }

// payload checks the signature and returns what was signed.
func (r *ring) payload(access string) ([]byte, error) {
	raw, err := segments(access)
	if err != nil {
		return nil, invalid("%v", err)
	}
	var h header
	if err := json.Unmarshal(raw[0], &h, json.RejectUnknownMembers(true)); err != nil {
		return nil, invalid("header: %v", err)
	}
	if h.Algorithm != string(r.alg) || h.Type != r.typ {
		return nil, invalid("alg or typ is not ours")
	}
	key, ok := r.byKID[h.KeyID]
	if !ok {
		return nil, problem.Wrap(errUnknownKey, problem.Unauthenticated, "Invalid or expired JWT")
	}
	jws, err := jose.ParseSignedCompact(access, []jose.SignatureAlgorithm{r.alg})
	if err != nil {
		return nil, invalid("parse: %v", err)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, invalid("verify: %v", err)
	}
	return payload, nil
}

// segments decodes the three parts of a compact JWS (RFC 7515 §7.1).
func segments(text string) (raw [3][]byte, err error) {
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 3 {
		return raw, errors.New("not three parts")
	}
	for i, part := range parts {
		if raw[i], err = decode(part); err != nil {
			return raw, err
		}
	}
	return raw, nil
}

// decode is base64url without padding (RFC 7515 §2), the one spelling of its bytes only: Strict refuses stray trailing bits,
// and line ends, which package base64 skips, are refused here.
func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("a line end in base64")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// read checks the claims (RFC 9068 §4) of a payload whose signature was good.
func (s *Service) read(payload []byte, now time.Time) (Passport, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Passport{}, invalid("claims: %v", err)
	}
	if c.ID == "" || c.Grant == "" || c.GrantID != c.Grant || c.Expires <= 0 || c.IssuedAt <= 0 || c.Issuer == "" || c.Audience == "" {
		return Passport{}, problem.New(problem.Unauthenticated, "JWT missing required claims")
	}
	ends := time.Unix(c.Expires, 0).UTC()
	switch {
	case c.Issuer != s.cfg.Issuer || c.Audience != s.cfg.Audience:
		return Passport{}, invalid("of another issuer or for another audience")
	case !now.Before(ends):
		return Passport{}, invalid("expired")
	case time.Unix(c.IssuedAt, 0).After(now.Add(clockSkew)):
		return Passport{}, invalid("issued in the future")
	}
	p := Passport{Token: passport.TokenID(c.ID), Grant: passport.GrantID(c.Grant), Subject: c.Subject, IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), ExpiresAt: ends}
	if c.Confirm != nil {
		if p.Confirm = c.Confirm.JKT; p.Confirm == "" { // bound in a way that we do not know: never a bearer
			return Passport{}, invalid("cnf without jkt")
		}
	}
	return p, nil
}

// invalid is the one answer to all tokens that are no good. Why goes to the log only.
func invalid(format string, args ...any) error {
	return problem.Wrap(problem.New(problem.Unauthenticated, format, args...), problem.Unauthenticated, "Invalid or expired JWT")
}
