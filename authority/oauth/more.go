package oauth

import (
	"context"
	"fmt"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// grantParameter names, in an authorization request, the grant that a client has and wants more of. It is this server's own: no RFC has one.
// A refused call says it beside what to ask for, and so does every answer with tokens.
const (
	grantParameter = "grant_id"
	maxGrantID     = 100
)

// more reads what a client wants more of a grant that it has: what is left out stays as it is, and numbers are totals. The grant must be the
// client's own; that there is none, and that it is another's, are told alike. Of a grant that is bound to a key no other key may be named, and
// the code is for that key; of one that is not bound none may, because raising a grant changes nothing about who can use its tokens.
func (o *OAuth) more(ctx context.Context, c passport.Client, f wire.Form, a asked) (asked, error) {
	id, err := f.Text(grantParameter, maxGrantID)
	if err != nil {
		return asked{}, err
	}
	s, err := o.cfg.Control.Standing(ctx, passport.GrantID(id))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return asked{}, fmt.Errorf("read the grant to raise: %w", err)
	}
	if err != nil || c.ID == "" || s.Grant.Client != c.ID {
		return asked{}, wire.Bad(wire.InvalidRequest, "%s: this client has no such grant", grantParameter)
	}
	if a.jkt != "" && a.jkt != s.Grant.JKT {
		return asked{}, wire.Bad(wire.InvalidDPoP, "dpop_jkt: the key is not the one that the grant is bound to")
	}
	a.extends, a.jkt = s.Grant.ID, s.Grant.JKT
	if a.details, err = wire.Narrowing(f.Get(wire.DetailsParameter)); err != nil {
		return asked{}, err
	}
	_, _, err = s.Grant.Raise(a.details, o.now())
	return a, a.refused(err)
}

// refused says in OAuth's words why a request for more was refused.
func (a asked) refused(err error) error {
	if err == nil || a.extends == "" {
		return err
	}
	p := problem.From(err)
	switch {
	case p.Kind == problem.Conflict || p.Kind == problem.NotFound:
		return wire.Bad(wire.InvalidRequest, "%s: %s", grantParameter, p.Detail).Because(err)
	case p.Kind == problem.Invalid && p.Field != "":
		return wire.Bad(wire.InvalidDetails, "%s: %s: %s", wire.DetailsParameter, p.Field, p.Detail).Because(err)
	case p.Kind == problem.Invalid:
		return wire.Bad(wire.InvalidDetails, "%s: %s", wire.DetailsParameter, p.Detail).Because(err)
	}
	return err
}

// answered is the grant that the answer of a request is about: its own, or the one that it raised.
func (o *OAuth) answered(ctx context.Context, id passport.GrantID) (passport.Grant, error) {
	s, err := o.cfg.Control.Standing(ctx, id)
	if err == nil && s.Grant.State == passport.GrantExtended {
		s, err = o.cfg.Control.Standing(ctx, s.Grant.Extends)
	}
	return s.Grant, err
}
