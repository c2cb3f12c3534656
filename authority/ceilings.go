package authority

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
)

// SetCeiling sets the most that a month may cost, over all grants or over one provider's key, from now on. Calls that run go on:
// only new ones are refused. Error: Invalid.
func (c *Control) SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, actor string) error {
	return c.Ceilings.SetCeiling(ctx, id, most, c.event("", actor, "", ""))
}

// RemoveCeiling takes a ceiling away. Each grant's own caps still hold.
func (c *Control) RemoveCeiling(ctx context.Context, id passport.CeilingID, actor string) error {
	return c.Ceilings.RemoveCeiling(ctx, id, c.event("", actor, "", ""))
}

// CeilingsNow lists the ceilings of one person that are set, with what this month has on them.
func (c *Control) CeilingsNow(ctx context.Context, of passport.Payer) ([]passport.Ceiling, error) {
	return c.Ceilings.Ceilings(ctx, of, passport.MonthOf(c.now()))
}
