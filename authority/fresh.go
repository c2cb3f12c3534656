package authority

import (
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// proved refuses to give an app more money than FreshAbove in all where the person has not proved a moment ago who they are: a browser that
// was left open, a stolen cookie or an owner's bearer is not enough for that. What is not more than before needs no proof. before is what the
// grant could spend, after what it could then. Error: SignInStale.
func (c *Control) proved(before, after passport.Money, fresh bool) error {
	if fresh || after <= before || after <= c.FreshAbove {
		return nil
	}
	return problem.New(problem.SignInStale, "%s is more than %s, and more than that takes a fresh sign-in in a browser: an owner's bearer is none, and a session only for five minutes. "+
		"AIPASSPORT_FRESH_ABOVE sets the amount", after, c.FreshAbove)
}
