package meter_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// TestACountHoldsNothing, however it ends and however large its body is, also where there is no money; it is a call like any other for the
// calls and the rate, and its model must have a price as a chat's must.
func TestACountHoldsNothing(t *testing.T) {
	d := open(t, func(_ *meter.Config, p *passport.Detail) {
		p.MaxBudgetCents, p.MaxRequests, p.RateLimit = passport.LimitOf(0), passport.LimitOf(7), passport.LimitOf(8)
	})
	c := passport.Call{Provider: passport.OpenAI, Kind: passport.KindCount, Model: "plain", Uses: []passport.Capability{passport.Chat}, BodyBytes: 1 << 30, Choices: 1}
	if _, err := d.reserve(ask(passport.LimitOf(1))); problem.KindOf(err) != problem.BudgetSpent {
		t.Fatalf("a chat without money: %v", err)
	}
	for _, why := range []passport.Outcome{passport.Finished, passport.NoUsage, passport.Broken, passport.ClientLeft, passport.Recalled, passport.ProviderError} {
		r := d.mustReserve(c)
		if charged := r.Settle(t.Context(), why, passport.Usage{Known: why == passport.Finished}); r.Amount != 0 || charged != 0 {
			t.Errorf("%s: held %s, charged %s", why, r.Amount, charged)
		}
	}
	d.mustReserve(c).Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 1000}) // a usage costs nothing here either
	if s := d.standing().Total; s.Settled != 0 || s.Held != 0 || s.Calls != 7 {
		t.Errorf("got %+v, want 7 calls and no money", s)
	}
	if _, err := d.reserve(c); problem.KindOf(err) != problem.CallsSpent {
		t.Errorf("an eighth call: %v", err)
	}
	d.clock.add(time.Minute)
	for _, bad := range []passport.Call{
		{Provider: passport.OpenAI, Kind: passport.KindCount, Model: "unknown", Uses: c.Uses, Choices: 1},
		{Provider: passport.OpenAI, Kind: passport.KindCount, Model: "text-embedding-3-small", Uses: c.Uses, Choices: 1},
		{Provider: passport.OpenAI, Kind: passport.KindCount, Model: "plain", Uses: []passport.Capability{passport.Search}, Choices: 1},
		{Provider: passport.OpenAI, Kind: passport.KindCount, Model: "plain", Choices: 1},
	} {
		if _, err := d.reserve(bad); problem.KindOf(err) != problem.Unpriced {
			t.Errorf("%+v: got %v, want Unpriced", bad, err)
		}
	}
	d.balanced()
}

// TestACountTakesAPlaceInTheRate.
func TestACountTakesAPlaceInTheRate(t *testing.T) {
	d := open(t, func(_ *meter.Config, p *passport.Detail) { p.RateLimit = passport.LimitOf(2) })
	c := passport.Call{Provider: passport.OpenAI, Kind: passport.KindCount, Model: "plain", Uses: []passport.Capability{passport.Chat}, Choices: 1}
	d.mustReserve(c)
	d.mustReserve(c)
	if _, err := d.reserve(c); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("a third count in a minute: %v", err)
	}
}

// TestALookSharesTheRate with the calls of the first detail, and leaves no trace in the ledger. No rate set means none.
func TestALookSharesTheRate(t *testing.T) {
	d := open(t, func(_ *meter.Config, p *passport.Detail) { p.RateLimit = passport.LimitOf(2) })
	if err := d.Look(t.Context(), d.grant); err != nil {
		t.Fatal(err)
	}
	d.mustReserve(ask(passport.LimitOf(1)))
	if err := d.Look(t.Context(), d.grant); problem.KindOf(err) != problem.RateExceeded || problem.From(err).RetryAfter == 0 {
		t.Errorf("a third in a minute: %v", err)
	}
	if s := d.standing().Total; s.Calls != 1 {
		t.Errorf("%d calls, want the one", s.Calls)
	}
	if err := d.Look(t.Context(), passport.Grant{ID: "of nothing"}); problem.KindOf(err) != problem.NotFound {
		t.Errorf("a grant of nothing: %v", err)
	}
	if err := d.Look(t.Context(), passport.Grant{ID: "no rate", Details: []passport.Detail{{}}}); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("no rate: %v", err)
	}
}
