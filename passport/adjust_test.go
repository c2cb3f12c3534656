package passport_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// adjustable is an active grant of $5, 10 calls, 60 a minute, that ends an hour after noon.
func adjustable() passport.Grant {
	g := grant(passport.GrantActive)
	g.Details = []passport.Detail{{Provider: passport.OpenAI, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(500),
		MaxRequests: passport.LimitOf(10), RateLimit: passport.LimitOf(60)}}
	return g
}

func TestAdjustMovesWhatIsSetAndNothingElse(t *testing.T) {
	l := passport.LimitOf
	for name, c := range map[string]struct {
		set   passport.Limits
		ends  time.Duration
		wider bool
		note  string
	}{
		"less money":  {passport.Limits{MaxBudgetCents: l(0)}, 0, false, "OpenAI, $5.00 to $0.00"},
		"more money":  {passport.Limits{MaxBudgetCents: l(501)}, 0, true, "OpenAI, $5.00 to $5.01"},
		"more calls":  {passport.Limits{MaxRequests: l(11)}, 0, true, "OpenAI, 10 to 11 calls"},
		"more a min":  {passport.Limits{RateLimit: l(61), MaxBudgetCents: l(1)}, 0, true, "OpenAI, $5.00 to $0.01, 60 to 61 calls a minute"},
		"sooner":      {passport.Limits{}, time.Minute, false, "ends 2026-03-01T12:01:00Z, not 2026-03-01T13:00:00Z"},
		"later, less": {passport.Limits{MaxRequests: l(1)}, 2 * time.Hour, true, "OpenAI, 10 to 1 calls; ends 2026-03-01T14:00:00Z, not 2026-03-01T13:00:00Z"},
	} {
		g := adjustable()
		a := passport.Adjustment{Version: 3, Limits: []passport.Limits{c.set}}
		if c.ends > 0 {
			a.Ends = noon.Add(c.ends)
		}
		got, err := g.Adjust(a, noon)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Version != 4 || got.State != g.State || got.Wider(g) != c.wider || got.Adjusted(g) != c.note {
			t.Errorf("%s: version %d, %s, wider %v, %q", name, got.Version, got.State, got.Wider(g), got.Adjusted(g))
		}
		if g.Details[0].MaxBudgetCents != l(500) {
			t.Errorf("%s changed the grant itself", name)
		}
	}
}

func TestAdjustRefuses(t *testing.T) {
	l := passport.LimitOf
	one := func(x passport.Limits) passport.Adjustment {
		return passport.Adjustment{Version: 3, Limits: []passport.Limits{x}}
	}
	end := func(d time.Duration) passport.Adjustment {
		a := one(passport.Limits{})
		a.Ends = noon.Add(d)
		return a
	}
	child := func(g *passport.Grant) { g.Parent = "g0" }
	for name, c := range map[string]struct {
		change func(*passport.Grant)
		a      passport.Adjustment
		kind   problem.Kind
		field  string
	}{
		"another version":     {nil, passport.Adjustment{Version: 2, Limits: []passport.Limits{{MaxBudgetCents: l(1)}}}, problem.Conflict, ""},
		"revoked":             {func(g *passport.Grant) { g.State = passport.GrantRevoked }, one(passport.Limits{MaxBudgetCents: l(1)}), problem.Conflict, ""},
		"pending":             {func(g *passport.Grant) { g.State = passport.GrantPending }, one(passport.Limits{MaxBudgetCents: l(1)}), problem.Conflict, ""},
		"over":                {func(g *passport.Grant) { g.ExpiresAt = noon }, end(time.Hour), problem.Conflict, ""},
		"nothing":             {nil, one(passport.Limits{MaxBudgetCents: l(500)}), problem.Invalid, ""},
		"no details":          {nil, passport.Adjustment{Version: 3}, problem.Invalid, "limits"},
		"too much":            {nil, one(passport.Limits{MaxBudgetCents: l(passport.MaxCents + 1)}), problem.Invalid, "maxBudgetCents"},
		"too fast":            {nil, one(passport.Limits{RateLimit: l(passport.MaxRate + 1)}), problem.Invalid, "rateLimit"},
		"in the past":         {nil, end(-time.Hour), problem.Invalid, "ends"},
		"too late":            {nil, end(passport.MaxLifetime + time.Second), problem.Invalid, "ends"},
		"after its own end":   {func(g *passport.Grant) { g.Details[0].ExpiresAt = l(noon.Add(time.Hour).Unix()) }, end(2 * time.Hour), problem.Invalid, "ends"},
		"a child, more":       {child, one(passport.Limits{MaxBudgetCents: l(501)}), problem.Invalid, ""},
		"a child, for longer": {child, end(2 * time.Hour), problem.Invalid, ""},
	} {
		g := adjustable()
		if c.change != nil {
			c.change(&g)
		}
		_, err := g.Adjust(c.a, noon)
		if problem.KindOf(err) != c.kind || problem.From(err).Field != c.field {
			t.Errorf("%s: got %v", name, err)
		}
	}
	g := adjustable()
	child(&g)
	if _, err := g.Adjust(one(passport.Limits{MaxBudgetCents: l(1)}), noon); err != nil {
		t.Errorf("a child, less: %v", err)
	}
}
