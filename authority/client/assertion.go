package client

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// claims of an assertion (RFC 7523 §3).
type claims struct {
	issuer, subject, id string
	audience            []string
	expires             time.Time
	issued, notBefore   time.Time // zero: not said
}

func badAssertion(format string, args ...any) *wire.Error {
	return wire.Bad(wire.InvalidClient, "client_assertion: "+format, args...)
}

func parse(text string) (*jose.JSONWebSignature, error) {
	if text == "" || len(text) > maxAssertion || strings.Count(text, ".") != 2 {
		return nil, badAssertion("is not one signed JWT of at most %d bytes", maxAssertion)
	}
	j, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return nil, badAssertion("is not a JWT that is signed with ES256, ES384, PS256 or RS256").Because(err)
	}
	return j, nil
}

// subjectOf reads which client an assertion says that it is of. Nothing of it is believed yet.
func subjectOf(text string) (passport.ClientID, error) {
	j, err := parse(text)
	if err != nil {
		return "", err
	}
	cl, err := readClaims(j.UnsafePayloadWithoutVerification())
	if err != nil {
		return "", err
	}
	return passport.ClientID(cl.subject), nil
}

func readClaims(payload []byte) (claims, error) {
	o, err := fields.Read(payload, "iss", "sub", "aud", "jti", "exp", "iat", "nbf")
	if err != nil {
		return claims{}, badAssertion("its claims are not a JSON object without duplicate members").Because(err)
	}
	cl := claims{issuer: o.String("iss", 1), subject: o.String("sub", 1), id: o.String("jti", 1)}
	if raw := o.Raw("aud"); len(raw) > 0 && raw[0] == '"' {
		cl.audience = []string{o.String("aud", 1)}
	} else {
		cl.audience = o.Strings("aud")
	}
	for name, at := range map[string]*time.Time{"exp": &cl.expires, "iat": &cl.issued, "nbf": &cl.notBefore} {
		if n, ok := o.OptInt(name, 1); ok {
			*at = time.Unix(min(n, 1<<40), 0)
		}
	}
	if err := o.Err(); err != nil {
		return claims{}, badAssertion("%s", strings.TrimPrefix(err.Error(), "validation failed: "))
	}
	switch {
	case len(cl.id) > maxAssertionID || len(cl.subject) > passport.MaxClientID:
		return claims{}, badAssertion("jti or sub is too long")
	case cl.expires.IsZero():
		return claims{}, badAssertion("exp: Required")
	}
	return cl, nil
}

// assert verifies an assertion of a client (RFC 7523 §3). The order is: signature by one of its keys, what it claims, and last that it was
// not seen before, at any instance, so that nobody can use an assertion up who could not have made it. Error: invalid_client.
func (c *Clients) assert(ctx context.Context, found passport.Client, text string) error {
	j, err := parse(text)
	if err != nil {
		return err
	}
	// 1. The signature.
	payload, err := c.verify(ctx, found, j)
	if err != nil {
		return err
	}
	// 2. The claims.
	cl, err := readClaims(payload)
	if err != nil {
		return err
	}
	now := c.cfg.Now()
	switch ours := c.audiences(); {
	case cl.issuer != string(found.ID) || cl.subject != string(found.ID):
		return badAssertion("iss and sub must both be the client's id")
	case len(cl.audience) == 0 || slices.ContainsFunc(cl.audience, func(a string) bool { return !slices.Contains(ours, a) }):
		return badAssertion("aud must be %s and no other", c.cfg.Issuer)
	case !now.Before(cl.expires):
		return badAssertion("has expired")
	case cl.expires.Sub(now) > maxAssertionLife:
		return badAssertion("exp is more than %s away", maxAssertionLife)
	case cl.issued.After(now.Add(clockSkew)) || cl.notBefore.After(now.Add(clockSkew)):
		return badAssertion("iat or nbf is in the future")
	}
	// 3. Once. A crash after this line: the client makes another.
	fresh, err := c.cfg.Once.Seen(ctx, passport.SeenAssertion, sha256.Sum256([]byte(string(found.ID)+"\x00"+cl.id)), cl.expires.Add(clockSkew))
	if err != nil {
		return err
	}
	if !fresh {
		return badAssertion("was used already: each needs a jti of its own")
	}
	return nil
}

// verify tries the keys of a client that fit. Those at jwks_uri are read anew, at most once a minute, if none does: the client may have
// published another (rotation).
func (c *Clients) verify(ctx context.Context, found passport.Client, j *jose.JSONWebSignature) ([]byte, error) {
	now := c.cfg.Now()
	for _, notBefore := range []time.Time{{}, now.Add(-leastFresh)} {
		keys, err := c.keysOf(ctx, found, notBefore)
		if err != nil {
			return nil, err
		}
		h := j.Signatures[0].Header
		for _, k := range keys {
			if h.KeyID != "" && k.KeyID != "" && k.KeyID != h.KeyID || !slices.Contains(algsOf(k), jose.SignatureAlgorithm(h.Algorithm)) {
				continue
			}
			if payload, err := j.Verify(k); err == nil {
				return payload, nil
			}
		}
		if found.JWKSURI == "" {
			break
		}
	}
	return nil, badAssertion("no key of this client has signed it")
}

// keysOf are the public keys of a client, read at or after a time.
func (c *Clients) keysOf(ctx context.Context, found passport.Client, notBefore time.Time) ([]jose.JSONWebKey, error) {
	if found.JWKSURI == "" {
		return readKeys([]byte(found.JWKS))
	}
	set, err := c.keySets.get(found.JWKSURI, c.cfg.Now(), notBefore, func() ([]byte, time.Duration, error) {
		p, err := c.fetch(ctx, found.JWKSURI, passport.MaxJWKS)
		if err == nil {
			_, err = readKeys(p.body)
		}
		return p.body, p.fresh, err
	})
	if p := problem.From(err); err != nil && p.Kind == problem.Invalid {
		return nil, wire.Bad(wire.InvalidClient, "jwks_uri: %s", p.Detail).Because(err)
	}
	if err != nil {
		return nil, err
	}
	return readKeys(set)
}
