package meter_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// TestLimitsAboveHold: calls in flight and the rate of a grant are shared by all that was narrowed from it, whoever calls first.
func TestLimitsAboveHold(t *testing.T) {
	var settled []passport.GrantID
	d := open(t, func(c *meter.Config, p *passport.Detail) {
		c.MaxInFlight, p.RateLimit = 2, passport.LimitOf(3)
		c.OnSettled = func(g passport.GrantID) { settled = append(settled, g) }
	})
	child := func(id passport.GrantID) passport.Grant {
		g := d.grant
		g.ID, g.Version, g.State, g.Parent = id, 1, passport.GrantActive, d.grant.ID
		g.Above = []passport.Above{{ID: d.grant.ID, Details: []int{0}, Rates: []int64{3}}}
		if err := d.ledger.AddChild(context.Background(), g, passport.Event{ID: passport.EventID(id), At: d.clock.Now(), Grant: id}); err != nil {
			t.Fatal(err)
		}
		return g
	}
	a, b := child("a"), child("b")
	reserve := func(g passport.Grant) (*meter.Reservation, error) {
		return d.Reserve(t.Context(), g, 0, ask(passport.LimitOf(1)))
	}
	one, err := reserve(a)
	if err != nil {
		t.Fatal(err)
	}
	two, err := reserve(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []passport.Grant{a, d.grant} {
		if _, err := reserve(g); problem.KindOf(err) != problem.Busy {
			t.Errorf("%s: got %v, want Busy: two are in flight", g.ID, err)
		}
	}
	one.Settle(t.Context(), passport.NotSent, passport.Usage{})
	two.Settle(t.Context(), passport.Finished, passport.Usage{})
	three, err := reserve(d.grant)
	if err != nil {
		t.Fatal(err)
	}
	three.Settle(t.Context(), passport.Finished, passport.Usage{})
	if _, err := reserve(b); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("got %v, want RateExceeded: three were made above", err)
	}
	d.clock.add(time.Minute)
	four, err := reserve(b)
	if err != nil {
		t.Fatal(err)
	}
	four.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 1 << 30})
	if len(d.frozen) != 2 {
		t.Errorf("frozen %v, want the grant and what is above it", d.frozen)
	}
	if want := []passport.GrantID{d.grant.ID, d.grant.ID, d.grant.ID, d.grant.ID}; !slices.Equal(settled, want) {
		t.Errorf("settled %v, want each call once, of the grant that a person gave", settled)
	}
	d.balanced()
}
