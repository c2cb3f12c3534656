package authority

import (
	"context"
	"fmt"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Adjust sets other limits and another end of a grant that can be used, in one step with its budgets. It is not tried again where another
// change came in between: the owner decided on what there was. Calls that run go on with what was held for them, to the end that the grant
// had when they began. Errors: NotFound, SignInStale, and those of passport.Grant.Adjust.
func (c *Control) Adjust(ctx context.Context, id passport.GrantID, a passport.Adjustment, actor string) (passport.Grant, error) {
	s, err := c.Store.Standing(ctx, id)
	if err != nil {
		return passport.Grant{}, err
	}
	next, err := s.Grant.Adjust(a, c.now())
	if err != nil {
		return passport.Grant{}, err
	}
	if err := c.proved(s.Grant.Cap(), next.Cap(), a.Fresh); err != nil {
		return passport.Grant{}, err
	}
	err = c.Store.ChangeGrant(ctx, next, c.event(passport.GrantAdjusted, actor, id, next.Adjusted(s.Grant)))
	if err != nil && problem.KindOf(err) != problem.Conflict {
		return passport.Grant{}, fmt.Errorf("adjust a grant: %w", err)
	}
	return next, err
}
