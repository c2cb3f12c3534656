package authority

import (
	"context"
	"fmt"

	"github.com/devrelopers/aipassport/passport"
)

// maxChildrenListed bounds a list of what a grant was passed on to; those that ended count.
const maxChildrenListed = 200

// Child narrows a grant for another client (RFC 8693): the new grant can be used at once, its calls count on the grant and on all that is
// above it, and it ends with any of them. Errors: NotFound; GrantEnded, GrantPaused; Invalid with the member's name if it would widen or may
// not be passed on; Conflict where it was passed on to as many as there may be.
func (c *Control) Child(ctx context.Context, parent passport.GrantID, d passport.Delegation) (passport.Grant, error) {
	s, err := c.Store.Standing(ctx, parent)
	if err != nil {
		return passport.Grant{}, err
	}
	child, err := s.Grant.Delegate(d, c.now())
	if err != nil {
		return passport.Grant{}, err
	}
	child.ID, child.RequestID = passport.GrantID(c.NewID()), passport.RequestID(c.NewID())
	ev := c.event(passport.GrantDelegated, "app:"+string(parent), child.ID, "from grant "+string(parent))
	if err := c.Family.AddChild(ctx, child, ev); err != nil {
		return passport.Grant{}, fmt.Errorf("store a narrowed grant: %w", err)
	}
	return child, nil
}

// Children lists what a grant was passed on to, newest first, as it stands now. What those passed on is in their own lists.
func (c *Control) Children(ctx context.Context, parent passport.GrantID) ([]passport.Standing, error) {
	list, err := c.Family.Children(ctx, parent, maxChildrenListed)
	now := c.now()
	for i := range list {
		list[i].Grant = list[i].Grant.At(now)
	}
	return list, err
}
