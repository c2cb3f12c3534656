package passport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// held is an active grant of one detail.
func held(now time.Time) passport.Grant {
	return passport.Grant{ID: "g", Version: 2, State: passport.GrantActive, Owner: "p", ExpiresAt: now.Add(time.Hour), Details: []passport.Detail{{
		Provider: passport.OpenAI, Models: []string{"a"}, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(10), RateLimit: passport.LimitOf(5), MaxDelegationDepth: passport.LimitOf(1)}}}
}

// TestRaise: numbers are totals, what is left out stays, what cannot grow is refused by its name, and asking for nothing is refused.
func TestRaise(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	yes := true
	for _, c := range []struct {
		name  string
		asked passport.Detail
		field string // of the refusal; "-": none
		want  func(*passport.Detail)
	}{
		{"money", passport.Detail{MaxBudgetCents: passport.LimitOf(300)}, "-", func(d *passport.Detail) { d.MaxBudgetCents = passport.LimitOf(300) }},
		{"less stays", passport.Detail{MaxBudgetCents: passport.LimitOf(1), RateLimit: passport.LimitOf(6)}, "-", func(d *passport.Detail) { d.RateLimit = passport.LimitOf(6) }},
		{"models", passport.Detail{Models: []string{"b", "a"}}, "-", func(d *passport.Detail) { d.Models = []string{"a", "b"} }},
		{"any model", passport.Detail{Models: []string{}}, "-", func(d *passport.Detail) { d.Models = []string{} }},
		{"capabilities", passport.Detail{Capabilities: []passport.Capability{passport.Images}}, "-", func(d *passport.Detail) {
			d.Capabilities = []passport.Capability{passport.Chat, passport.Images}
		}},
		{"nothing", passport.Detail{Models: []string{"a"}, MaxBudgetCents: passport.LimitOf(100)}, "", nil},
		{"another provider", passport.Detail{Provider: passport.Google, MaxBudgetCents: passport.LimitOf(300)}, "provider", nil},
		{"another end", passport.Detail{MaxBudgetCents: passport.LimitOf(300), ExpiresAt: passport.LimitOf(1 << 39)}, "expiresAt", nil},
		{"deeper", passport.Detail{MaxBudgetCents: passport.LimitOf(300), MaxDelegationDepth: passport.LimitOf(2)}, "maxDelegationDepth", nil},
		{"clamp", passport.Detail{MaxBudgetCents: passport.LimitOf(300), ClampOutput: &yes}, "clampOutput", nil},
		{"out of bounds", passport.Detail{MaxBudgetCents: passport.LimitOf(passport.MaxCents + 1)}, "maxBudgetCents", nil},
		{"too many models", passport.Detail{Models: strings.Split(strings.Repeat("x,", passport.MaxModels)+"y", ",")}, "-", func(d *passport.Detail) { d.Models = []string{"a", "x", "y"} }},
	} {
		if c.asked.Provider == "" {
			c.asked.Provider = passport.OpenAI
		}
		g := held(now)
		got, err := g.Raise([]passport.Detail{c.asked}, now)
		if c.field != "-" {
			if problem.KindOf(err) != problem.Invalid || problem.From(err).Field != c.field {
				t.Errorf("%s: got %v %v, want Invalid in %q", c.name, got, err, c.field)
			}
			continue
		}
		want := held(now).Details[0]
		c.want(&want)
		if err != nil || !sameDetail(got[0], want) {
			t.Errorf("%s: got %+v %v, want %+v", c.name, got, err, want)
		}
		if !sameDetail(g.Details[0], held(now).Details[0]) {
			t.Errorf("%s: the grant itself was changed", c.name)
		}
	}
	for _, s := range []passport.GrantState{passport.GrantPending, passport.GrantPaused, passport.GrantRevoked, passport.GrantExpired, passport.GrantDenied} {
		g := held(now)
		g.State = s
		if _, err := g.Raise([]passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(300)}}, now); problem.KindOf(err) != problem.Conflict {
			t.Errorf("%s: got %v, want Conflict", s, err)
		}
	}
	child := held(now)
	child.Parent = "parent"
	if _, err := child.Raise([]passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(300)}}, now); problem.KindOf(err) != problem.Invalid {
		t.Errorf("a grant that was passed on: got %v, want Invalid", err)
	}
}

func sameDetail(a, b passport.Detail) bool {
	return strings.Join(a.Models, ",") == strings.Join(b.Models, ",") && (a.Models == nil) == (b.Models == nil) && len(a.Capabilities) == len(b.Capabilities) && a.Limits() == b.Limits() && a.MaxDelegationDepth == b.MaxDelegationDepth
}

// TestExtend: at most what was asked is given, never less than what there was, once, by its owner, and the end stays.
func TestExtend(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	g := held(now)
	asked, err := g.Raise([]passport.Detail{{Provider: passport.OpenAI, Models: []string{"b", "c"}, MaxBudgetCents: passport.LimitOf(300)}}, now)
	if err != nil {
		t.Fatal(err)
	}
	request := passport.Grant{ID: "r", Version: 1, State: passport.GrantPending, Extends: "g", Asked: asked, ExpiresAt: now.Add(time.Minute)}
	give := func(n passport.Detail) passport.Approval {
		return passport.Approval{Owner: "p", Narrowed: []passport.Detail{n}, Lifetime: 24 * time.Hour}
	}
	raised, answered, err := g.Extend(request, give(passport.Detail{Models: []string{"a", "b"}, MaxBudgetCents: passport.LimitOf(200)}), now)
	if err != nil || raised.Version != 3 || raised.State != passport.GrantActive || raised.Details[0].Cap() != 200*passport.Cent || strings.Join(raised.Details[0].Models, "") != "ab" ||
		!raised.ExpiresAt.Equal(g.ExpiresAt) || answered.State != passport.GrantExtended || answered.Version != 2 || answered.Owner != "p" || g.Details[0].Cap() != 100*passport.Cent {
		t.Errorf("got %+v %+v %v", raised, answered, err)
	}
	if note := raised.Grown(g); note != "OpenAI, $1.00 to $2.00, more models" {
		t.Errorf("the note is %q", note)
	}
	if low, _, err := g.Extend(request, give(passport.Detail{MaxBudgetCents: passport.LimitOf(1)}), now); err != nil || low.Details[0].Cap() != 100*passport.Cent || len(low.Details[0].Models) != 3 {
		t.Errorf("narrowed below what there is: got %+v %v", low.Details, err)
	}
	for name, c := range map[string]struct {
		g, r passport.Grant
		a    passport.Approval
		want problem.Kind
	}{
		"more than asked":  {g, request, give(passport.Detail{MaxBudgetCents: passport.LimitOf(301)}), problem.Invalid},
		"another model":    {g, request, give(passport.Detail{Models: []string{"a", "d"}}), problem.Invalid},
		"nothing":          {g, request, give(passport.Detail{Models: []string{"a"}, MaxBudgetCents: passport.LimitOf(100)}), problem.Invalid},
		"none kept":        {g, request, passport.Approval{Owner: "p", Kept: []bool{false}}, problem.Invalid},
		"another person":   {g, request, passport.Approval{Owner: "q"}, problem.Forbidden},
		"answered already": {g, answered, give(passport.Detail{}), problem.Conflict},
		"another grant":    {held(now), func() passport.Grant { r := request; r.Extends = "x"; return r }(), give(passport.Detail{}), problem.Conflict},
		"revoked":          {func() passport.Grant { g := g; g.State = passport.GrantRevoked; return g }(), request, give(passport.Detail{}), problem.Conflict},
		"too late":         {g, func() passport.Grant { r := request; r.ExpiresAt = now; return r }(), give(passport.Detail{}), problem.Conflict},
	} {
		if _, _, err := c.g.Extend(c.r, c.a, now); problem.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want kind %s", name, err, c.want)
		}
	}
	if _, err := request.Approve(passport.Approval{Owner: "p", Lifetime: time.Hour}, now); problem.KindOf(err) != problem.Conflict {
		t.Errorf("a request that extends a grant cannot become one: got %v", err)
	}
}
