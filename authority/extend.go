package authority

import (
	"context"
	"errors"
	"fmt"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// raising leaves of the details of a request that extends a grant what is more than the grant has, and returns the grant and what it has of each.
// Whoever asks has shown that the grant is its own. Errors: NotFound, and those of passport.Grant.Raise.
func (c *Control) raising(ctx context.Context, r *Request) (g passport.Grant, had []passport.Detail, err error) {
	if r.Extends == "" {
		return passport.Grant{}, nil, nil
	}
	s, err := c.Standing(ctx, r.Extends)
	if err != nil {
		return passport.Grant{}, nil, err
	}
	r.Details, had, err = s.Grant.Raise(r.Details, c.now())
	return s.Grant, had, err
}

// ofTheSame is a request of the app that has a grant already: who that is has been said, and is not said anew.
func ofTheSame(request, g passport.Grant) passport.Grant {
	request.AppName, request.AppURL = g.AppName, g.AppURL
	request.Payer = g.Payer // nobody else answers it
	request.Client, request.Site, request.Checked, request.JKT = g.Client, g.Site, g.Checked, g.JKT
	return request
}

// extend raises a grant by what the person gives of a request, and answers the request, in one step. A change of the grant that comes in
// between is not undone: it starts over from what is there then, and a revoke wins. Its tokens go on: what it permits is asked at every call.
func (c *Control) extend(ctx context.Context, id passport.GrantID, a passport.Approval) (passport.Grant, error) {
	for range tries {
		request, err := c.Store.Standing(ctx, id)
		if err != nil {
			return passport.Grant{}, err
		}
		s, err := c.Store.Standing(ctx, request.Grant.Extends)
		if err != nil {
			return passport.Grant{}, err
		}
		raised, answered, err := s.Grant.Extend(request.Grant, a, c.now())
		if err != nil {
			return passport.Grant{}, err
		}
		had := s.Grant.Cap()
		if s.Grant.Client != "" && s.Grant.JKT == "" {
			had = 0 // its answer is a code for new tokens: who gets that, and perhaps asked for a single call more, has all of the grant
		}
		if err := c.proved(had, raised.Cap(), a.Fresh); err != nil {
			return passport.Grant{}, err
		}
		err = c.Store.ExtendGrant(ctx, raised, answered, c.event(passport.GrantRaised, "owner:"+string(a.Owner), raised.ID, raised.Grown(s.Grant)))
		if err == nil {
			return answered, nil
		}
		if problem.KindOf(err) != problem.Conflict {
			return passport.Grant{}, fmt.Errorf("extend a grant: %w", err)
		}
	}
	return passport.Grant{}, problem.Wrap(errors.New("too many changes at once"), problem.Busy, "the grant is being changed by others; try again")
}
