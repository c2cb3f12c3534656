package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
)

// macPurpose is the purpose of the key that refresh tokens follow from each other by.
const macPurpose = "refresh token"

func wrongRefresh() error {
	return wire.Bad(wire.InvalidGrant, "refresh_token: is unknown, used, ended, or was given to another client or key")
}

// byRefresh is grant_type=refresh_token (RFC 6749 §6), with rotation (RFC 9700 §4.14.2). The order is: the token is known, it is this
// client's and this key's, its grant is live, it was not used before except a moment ago, and only then new tokens are made. The access
// token is made before the old refresh token is used up: who hears nothing of it tries the old one again.
func (o *OAuth) byRefresh(ctx context.Context, c wire.Call) (wire.Answer, error) {
	old, err := c.Form.Need("refresh_token", maxClientID)
	if err != nil {
		return wire.Answer{}, err
	}
	hash := sha256.Sum256([]byte(old))
	r, g, err := o.refreshed(ctx, c, hash)
	if err != nil {
		return wire.Answer{}, err
	}
	if err := o.sameDetails(c.Form, g); err != nil {
		return wire.Answer{}, err
	}
	next, err := o.successor(old)
	if err != nil {
		return wire.Answer{}, err
	}
	if !r.UsedAt.IsZero() && o.now().Sub(r.UsedAt) >= passport.RefreshGrace {
		return wire.Answer{}, o.reused(ctx, g.ID)
	}
	a, err := o.give(ctx, g, next)
	if err != nil {
		return wire.Answer{}, err
	}
	err = o.cfg.Store.RotateRefresh(ctx, hash, sha256.Sum256([]byte(next)), o.now())
	if problem.KindOf(err) == problem.Conflict && err != nil {
		return wire.Answer{}, o.reused(ctx, g.ID)
	}
	if err != nil {
		return wire.Answer{}, fmt.Errorf("rotate a refresh token: %w", err)
	}
	return a, nil
}

// refreshed finds a refresh token and its grant, for its own client and key only.
func (o *OAuth) refreshed(ctx context.Context, c wire.Call, hash [32]byte) (passport.Refresh, passport.Grant, error) {
	r, err := o.cfg.Store.Refresh(ctx, hash)
	if problem.KindOf(err) == problem.NotFound && err != nil {
		return r, passport.Grant{}, o.tried(c, wrongRefresh())
	}
	if err != nil {
		return r, passport.Grant{}, fmt.Errorf("find a refresh token: %w", err)
	}
	record.From(ctx).Grant = r.Grant
	s, err := o.cfg.Control.Standing(ctx, r.Grant)
	if err != nil {
		return r, passport.Grant{}, fmt.Errorf("read the grant of a refresh token: %w", err)
	}
	if s.Grant.Client != c.Client.ID || s.Grant.JKT != "" && s.Grant.JKT != c.JKT {
		return r, passport.Grant{}, o.tried(c, wrongRefresh())
	}
	return r, s.Grant, s.Grant.Live(o.now())
}

// sameDetails refuses to change at a refresh what was granted. A token for less is made by token exchange, where its money is counted by
// itself (RFC 8693).
func (o *OAuth) sameDetails(f wire.Form, g passport.Grant) error {
	if s := strings.TrimSpace(f.Get("scope")); s != "" && s != passport.DetailType {
		return wire.Bad(wire.InvalidScope, "scope: only %s, or none", passport.DetailType)
	}
	if err := o.resource(f); err != nil {
		return err
	}
	if !f.Has(wire.DetailsParameter) {
		return nil
	}
	asked, err := wire.Narrowing(f.Get(wire.DetailsParameter))
	if err != nil {
		return err
	}
	for _, d := range asked {
		i := g.DetailFor(d.Provider)
		if i < 0 {
			return wire.Bad(wire.InvalidDetails, "%s: %s was not granted", wire.DetailsParameter, d.Provider)
		}
		narrowed, err := g.Details[i].Narrow(d)
		if err != nil {
			return wire.Bad(wire.InvalidDetails, "%s: %s", wire.DetailsParameter, wire.From(err).Description)
		}
		if !narrowed.Same(g.Details[i]) {
			return wire.Bad(wire.InvalidDetails, "%s: a refresh gives all that was granted; use token exchange for less", wire.DetailsParameter)
		}
	}
	if len(asked) != len(g.Details) {
		return wire.Bad(wire.InvalidDetails, "%s: a refresh gives all that was granted; use token exchange for less", wire.DetailsParameter)
	}
	return nil
}

// successor follows from a refresh token by a keyed hash: the same one always has the same successor, so that it need not be stored to be
// given again, and only this broker can tell which it is.
func (o *OAuth) successor(old string) (string, error) {
	sum, err := o.cfg.MAC.MAC(macPurpose, []byte(old))
	if err != nil {
		return "", fmt.Errorf("make a refresh token: %w", err)
	}
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// reused ends a grant whose refresh token came a second time: one of those who hold it has stolen it, and nobody can tell which
// (RFC 9700 §4.14.2).
func (o *OAuth) reused(ctx context.Context, g passport.GrantID) error {
	if err := o.end(ctx, g, "a used refresh token came a second time"); err != nil {
		return fmt.Errorf("end a family of refresh tokens: %w", err)
	}
	return wrongRefresh()
}
