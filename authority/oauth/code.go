package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
)

// Lengths of a PKCE verifier (RFC 7636 §4.1).
const (
	minVerifier = 43
	maxVerifier = 128
)

// wrongCode is the one answer to every code that does not work: which of its bonds was broken is nobody's business.
func wrongCode() error {
	return wire.Bad(wire.InvalidGrant, "code: is unknown, used, too old, or was given for another client, redirect_uri, code_verifier or key")
}

// byCode is grant_type=authorization_code (RFC 6749 §4.1.3). The order is the security property:
//
//  1. the code is known;
//  2. it is this client's, for this redirect URI, verifier and key;
//  3. it was not used, else all that it gave ends;
//  4. it is young, and its grant is live;
//  5. it is used, once, durably, and only then
//  6. tokens are made.
func (o *OAuth) byCode(ctx context.Context, c wire.Call) (wire.Answer, error) {
	code, err := c.Form.Need("code", maxClientID)
	if err != nil {
		return wire.Answer{}, err
	}
	verifier, err := c.Form.Need("code_verifier", maxVerifier)
	if err != nil {
		return wire.Answer{}, err
	}
	hash := sha256.Sum256([]byte(code))
	a, err := o.cfg.Store.AuthorizationByCode(ctx, hash) // 1
	if err == nil {
		record.From(ctx).Grant = a.Grant
		err = bonds(a, c, verifier) // 2
	}
	if problem.KindOf(err) == problem.NotFound && err != nil {
		return wire.Answer{}, o.tried(c, wrongCode())
	}
	if err != nil {
		return wire.Answer{}, fmt.Errorf("find a code: %w", err)
	}
	if !a.RedeemedAt.IsZero() { // 3
		return wire.Answer{}, o.replayed(ctx, a)
	}
	g, err := o.usable(ctx, c, a) // 4
	if err != nil {
		return wire.Answer{}, err
	}
	err = o.cfg.Store.RedeemCode(ctx, hash, o.now()) // 5
	if problem.KindOf(err) == problem.Conflict && err != nil {
		return wire.Answer{}, wrongCode() // another request was first by a moment, and has nothing yet that could end
	}
	if err != nil {
		return wire.Answer{}, fmt.Errorf("use a code: %w", err)
	}
	if g.ID != a.Grant {
		return o.family(ctx, g, hash) // 6: a grant that was raised keeps the key that it has, or none
	}
	return o.first(ctx, c, g.ID, hash) // 6
}

// usable is the grant that a code is for, as long as both can be used. One that was raised stays as it is for its tokens: bound to the key
// that it has, which may have come after it was asked for more.
func (o *OAuth) usable(ctx context.Context, c wire.Call, a passport.Authorization) (passport.Grant, error) {
	g, err := o.answered(ctx, a.Grant)
	if err == nil && !o.now().Before(a.CodeUntil) {
		return g, wrongCode()
	}
	if err == nil {
		err = g.Live(o.now())
	}
	if err == nil && g.ID != a.Grant && g.JKT != "" && g.JKT != c.JKT {
		err = wrongCode()
	}
	return g, err
}

// bonds checks the bonds of a code. Error: NotFound.
func bonds(a passport.Authorization, c wire.Call, verifier string) error {
	broken := problem.New(problem.NotFound, "a bond of the code is broken")
	redirect := c.Form.Get("redirect_uri")
	if a.Client != c.Client.ID || a.RedirectSent && redirect == "" || redirect != "" && redirect != a.RedirectURI {
		return broken
	}
	if !verifies(a.Challenge, verifier) || a.JKT != "" && a.JKT != c.JKT {
		return broken
	}
	return nil
}

// verifies compares a verifier with the challenge (RFC 7636 §4.6, S256), in constant time.
func verifies(challenge, verifier string) bool {
	if len(verifier) < minVerifier || strings.ContainsFunc(verifier, func(r rune) bool { return !unreserved(r) }) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

func unreserved(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._~", c)
}

// tried counts a wrong code or refresh token of a client, and answers with err, or with what says to slow down.
func (o *OAuth) tried(c wire.Call, err error) error {
	if busy := slow(o.wrong, string(c.Client.ID)+" "+o.address(c.Request)); busy != nil {
		return busy
	}
	return err
}

// replayed ends what a code gave (RFC 6749 §4.1.2): whoever sends it again, with its verifier, is a second holder of both, or an app that
// sends twice, and nobody can tell. So a race for one code has one winner, whose tokens may end right away. Who sends it without its
// verifier ends nothing: codes stay in histories and logs, and must not become a switch to end an app's access.
func (o *OAuth) replayed(ctx context.Context, a passport.Authorization) error {
	if a.GivenAt.IsZero() {
		return wrongCode()
	}
	s, err := o.cfg.Control.Standing(ctx, a.Grant)
	if err != nil {
		return fmt.Errorf("read the grant of a replayed code: %w", err)
	}
	if err := o.end(ctx, cmp.Or(s.Grant.Extends, a.Grant), "its authorization code came a second time"); err != nil {
		return fmt.Errorf("end what a replayed code gave: %w", err)
	}
	return wrongCode()
}

// end revokes a grant for a reason. One that has been revoked stays as it is: who replays on and on writes nothing, and many who replay at
// once do not stand in each other's way.
func (o *OAuth) end(ctx context.Context, id passport.GrantID, why string) error {
	over := func() bool {
		s, err := o.cfg.Control.Standing(ctx, id)
		return err == nil && s.Grant.State == passport.GrantRevoked
	}
	if over() {
		return nil
	}
	_, _, err := o.cfg.Control.RevokeBecause(ctx, id, "broker", why)
	if err != nil && problem.KindOf(err) == problem.Busy && over() {
		return nil
	}
	return err
}

// First gives the first tokens of a grant to the app that asked for it by another door than a code: an access token, and the first of a
// family of refresh tokens. It is for whoever has used up what the app had for it.
func (o *OAuth) First(ctx context.Context, g passport.Grant, c wire.Call) (wire.Answer, error) {
	return o.first(ctx, c, g.ID, [32]byte{})
}

// first gives the first tokens of a grant. From then on it is bound to the key that was proved, if one was.
func (o *OAuth) first(ctx context.Context, c wire.Call, id passport.GrantID, code [32]byte) (wire.Answer, error) {
	g, err := o.cfg.Control.Bind(ctx, id, c.JKT, "app:"+string(id))
	if err != nil {
		return wire.Answer{}, err
	}
	return o.family(ctx, g, code)
}

// family gives an access token and a refresh token that follows from none.
func (o *OAuth) family(ctx context.Context, g passport.Grant, code [32]byte) (wire.Answer, error) {
	refresh := refreshPrefix + random()
	a, err := o.give(ctx, g, refresh)
	if err != nil {
		return wire.Answer{}, err
	}
	r := passport.Refresh{Hash: sha256.Sum256([]byte(refresh)), Grant: g.ID, IssuedAt: o.now()}
	if err := o.cfg.Store.AddRefresh(ctx, r, code); err != nil {
		return wire.Answer{}, fmt.Errorf("keep a refresh token: %w", err)
	}
	return a, nil
}

// give makes an access token for a grant.
func (o *OAuth) give(ctx context.Context, g passport.Grant, refresh string) (wire.Answer, error) {
	if err := slow(o.given, string(g.ID)); err != nil {
		return wire.Answer{}, err
	}
	access, t, err := o.cfg.Tokens.Issue(ctx, g, "app:"+string(g.ID))
	if err != nil {
		return wire.Answer{}, err
	}
	return wire.Answer{AccessToken: access, TokenType: wire.TokenType(g.JKT), ExpiresIn: wire.Seconds(o.cfg.Now(), t.ExpiresAt), RefreshToken: refresh,
		Details: wire.Typed(g.Details), GrantID: g.ID}, nil
}

// refreshPrefix begins every refresh token, so that scanners of leaked secrets can find one.
const refreshPrefix = "aipr_"
