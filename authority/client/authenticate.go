package client

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// shown is what a request shows to prove that it is of a client.
type shown struct {
	method    passport.ClientAuth
	id        passport.ClientID
	secret    string // of client_secret_basic
	assertion string // of private_key_jwt
}

// Authenticate says which client sends a request, by the one method that it is registered with (RFC 6749 §2.3, RFC 7591 §2): a public
// client names itself in client_id, any other proves it. The order is: what is shown, which client that is, whether the method is its
// own, the proof. Errors: invalid_client in the same words for a client that is unknown and a proof that is wrong; RateExceeded for too
// many of those; what keeps a metadata document from being read.
func (c *Clients) Authenticate(r *http.Request, f wire.Form) (passport.Client, error) {
	s, err := shows(r, f)
	if err != nil {
		return passport.Client{}, err
	}
	found, err := c.Client(r.Context(), s.id)
	switch {
	case problem.KindOf(err) == problem.NotFound:
		return passport.Client{}, c.wrong(r, s)
	case problem.KindOf(err) == problem.Invalid:
		return passport.Client{}, wire.Bad(wire.InvalidClient, "client_id: %s", problem.From(err).Detail).Because(err)
	case err != nil:
		return passport.Client{}, err
	case found.Auth != s.method:
		return passport.Client{}, wire.Bad(wire.InvalidClient, "this client is registered for another method than %s", s.method)
	}
	switch s.method {
	case passport.PublicClient:
	case passport.ClientBasic:
		if !sameSecret(s.secret, found.SecretHash) {
			return passport.Client{}, c.wrong(r, s)
		}
	case passport.ClientPrivateKey:
		if err := c.assert(r.Context(), found, s.assertion); err != nil {
			if wire.From(err).Code == wire.InvalidClient {
				return passport.Client{}, c.counted(r, s, err)
			}
			return passport.Client{}, err
		}
	default:
		return passport.Client{}, wire.Bad(wire.InvalidClient, "no such method")
	}
	return found, c.used(r.Context(), found)
}

// shows reads how a request proves who it is. Two ways at once are none, and a secret in the body is not taken: bodies are logged and kept
// in more places than headers (RFC 6749 §2.3, §2.3.1).
func shows(r *http.Request, f wire.Form) (shown, error) {
	bad := func(format string, args ...any) (shown, error) {
		return shown{}, wire.Bad(wire.InvalidClient, format, args...)
	}
	s := shown{method: passport.PublicClient, id: passport.ClientID(f.Get("client_id"))}
	headers := r.Header.Values("Authorization")
	asserts := f.Has("client_assertion") || f.Has("client_assertion_type")
	switch {
	case f.Has("client_secret"):
		return bad("client_secret is not taken in the body: send it by HTTP Basic")
	case len(headers) > 1 || len(headers) == 1 && asserts:
		return bad("a client proves itself in one way at a time")
	case len(headers) == 1:
		id, secret, err := basic(r)
		if err != nil {
			return shown{}, err
		}
		s.method, s.secret = passport.ClientBasic, secret
		if s.id != "" && s.id != id {
			return bad("client_id is another than in the Authorization header")
		}
		s.id = id
	case asserts:
		if f.Get("client_assertion_type") != assertionType {
			return bad("client_assertion_type must be %s", assertionType)
		}
		s.method, s.assertion = passport.ClientPrivateKey, f.Get("client_assertion")
		id, err := subjectOf(s.assertion)
		if err != nil {
			return shown{}, err
		}
		if s.id != "" && s.id != id {
			return bad("client_id is another than the assertion's sub")
		}
		s.id = id
	case s.id == "":
		return bad("client_id: is missing")
	}
	return s, nil
}

// basic reads id and secret, which are form-encoded inside (RFC 6749 §2.3.1).
func basic(r *http.Request) (passport.ClientID, string, error) {
	user, password, ok := r.BasicAuth()
	id, err := url.QueryUnescape(user)
	if err == nil {
		password, err = url.QueryUnescape(password)
	}
	if !ok || err != nil || id == "" || len(id) > passport.MaxClientID || len(password) > passport.MaxClientID {
		return "", "", wire.Bad(wire.InvalidClient, "the Authorization header must be HTTP Basic with client id and secret, both form-encoded")
	}
	return passport.ClientID(id), password, nil
}

// sameSecret compares in constant time. The zero hash fits nothing: no text is known that hashes to it.
func sameSecret(text string, hash [32]byte) bool {
	got := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(got[:], hash[:]) == 1
}

// wrong counts a wrong proof.
func (c *Clients) wrong(r *http.Request, s shown) error {
	return c.counted(r, s, wire.Bad(wire.InvalidClient, "there is no such client, or this is not it"))
}

// counted counts a wrong proof of one client from one address. A right one is never shut out: we make secrets of 256 bits, which nobody
// guesses, and strangers behind the same address must not keep an app from its tokens.
func (c *Clients) counted(r *http.Request, s shown, err error) error {
	key := flood.Network(c.cfg.ClientAddr(r)).String() + " " + string(s.id)
	if wait := c.guesses.Allow(key); wait > 0 {
		return problem.New(problem.RateExceeded, "too many wrong proofs for this client from this address").After(wait)
	}
	return err
}

// used notes that a stored client was used, once a day.
func (c *Clients) used(ctx context.Context, found passport.Client) error {
	day := c.cfg.Now().UTC().Truncate(24 * time.Hour)
	if found.Kind == passport.ClientDocument || found.Kind == passport.ClientBuiltIn || !found.UsedAt.Before(day) {
		return nil
	}
	return c.cfg.Store.UseClient(ctx, found.ID, day)
}

// Endpoints that an assertion may be made for, besides the issuer (RFC 7523 §3 item 3; RFC 9126 §2 wants all three taken).
func (c *Clients) audiences() []string {
	base := strings.TrimSuffix(c.cfg.Issuer, "/")
	return []string{c.cfg.Issuer, base, base + "/", base + "/oauth/token", base + "/oauth/par"}
}
