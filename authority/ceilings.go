package authority

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
)

// SetCeiling sets the most that a month may cost, over all grants of somebody or over one provider's keys or one key of theirs, from now on. Calls that run go on:
// only new ones are refused. Error: Invalid.
func (c *Control) SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, actor string) error {
	return c.Ceilings.SetCeiling(ctx, id, most, c.event("", actor, "", ""))
}

// RemoveCeiling takes away what was set so. Each grant's own caps still hold, and what the owner lets a member spend.
func (c *Control) RemoveCeiling(ctx context.Context, id passport.CeilingID, actor string) error {
	return c.Ceilings.RemoveCeiling(ctx, id, c.event("", actor, "", ""))
}

// LimitMember sets what the owner lets a member spend a month with all apps; unset: it is not limited. The lower of that and of what the member has
// set holds. Errors: NotFound, Invalid.
func (c *Control) LimitMember(ctx context.Context, member passport.PersonID, most passport.Limit, actor string) error {
	return c.Ceilings.LimitMember(ctx, member, most, c.event("", actor, "", ""))
}

// CeilingsNow lists the ceilings of one person that are set, with what this month has on them.
func (c *Control) CeilingsNow(ctx context.Context, of passport.Payer) ([]passport.Ceiling, error) {
	return c.Ceilings.Ceilings(ctx, of, passport.MonthOf(c.now()))
}
