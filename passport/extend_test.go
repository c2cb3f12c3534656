package passport_test

import (
	"encoding/json"
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
		more, had, err := g.Raise([]passport.Detail{c.asked}, now)
		got := passport.Grant{State: passport.GrantPending, Extends: "g", Asked: more, Details: had}.Terms()
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
		if _, _, err := g.Raise([]passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(300)}}, now); problem.KindOf(err) != problem.Conflict {
			t.Errorf("%s: got %v, want Conflict", s, err)
		}
	}
	child := held(now)
	child.Parent = "parent"
	if _, _, err := child.Raise([]passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(300)}}, now); problem.KindOf(err) != problem.Invalid {
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
	asked, had, err := g.Raise([]passport.Detail{{Provider: passport.OpenAI, Models: []string{"b", "c"}, MaxBudgetCents: passport.LimitOf(300)}}, now)
	if err != nil {
		t.Fatal(err)
	}
	request := passport.Grant{ID: "r", Version: 1, State: passport.GrantPending, Extends: "g", Asked: asked, Details: had, ExpiresAt: now.Add(time.Minute)}
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

// TestWhatWasNotAskedDoesNotRise: the owner lowers all numbers while a request waits. As asked and narrowed it raises what was asked, and only
// that; what was asked up to what there was is not asked. The request is what a store gives back.
func TestWhatWasNotAskedDoesNotRise(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	low := passport.Limits{MaxBudgetCents: passport.LimitOf(50), MaxRequests: passport.LimitOf(2), RateLimit: passport.LimitOf(1)}
	with := func(change func(*passport.Detail)) passport.Detail {
		d := held(now).Details[0]
		d.MaxBudgetCents, d.MaxRequests, d.RateLimit = low.MaxBudgetCents, low.MaxRequests, low.RateLimit
		change(&d)
		return d
	}
	for _, c := range []struct {
		name  string
		asked passport.Detail
		want  passport.Detail
	}{
		{"a model", passport.Detail{Models: []string{"b"}}, with(func(d *passport.Detail) { d.Models = []string{"a", "b"} })},
		{"a model, beside what there is", passport.Detail{Models: []string{"b", "a"}, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(9), RateLimit: passport.LimitOf(5)},
			with(func(d *passport.Detail) { d.Models = []string{"a", "b"} })},
		{"any model", passport.Detail{Models: []string{}}, with(func(d *passport.Detail) { d.Models = []string{} })},
		{"a capability", passport.Detail{Capabilities: []passport.Capability{passport.Images}}, with(func(d *passport.Detail) { d.Capabilities = append(d.Capabilities, passport.Images) })},
		{"money", passport.Detail{MaxBudgetCents: passport.LimitOf(300)}, with(func(d *passport.Detail) { d.MaxBudgetCents = passport.LimitOf(300) })},
		{"calls", passport.Detail{MaxRequests: passport.LimitOf(30)}, with(func(d *passport.Detail) { d.MaxRequests = passport.LimitOf(30) })},
		{"a rate", passport.Detail{RateLimit: passport.LimitOf(6)}, with(func(d *passport.Detail) { d.RateLimit = passport.LimitOf(6) })},
	} {
		g := held(now)
		c.asked.Provider = passport.OpenAI
		more, had, err := g.Raise([]passport.Detail{c.asked}, now)
		if err != nil {
			t.Fatal(err)
		}
		request := passport.Grant{ID: "r", Version: 1, State: passport.GrantPending, Extends: "g", Details: had, ExpiresAt: now.Add(time.Minute)}
		if b, err := json.Marshal(more); err != nil || json.Unmarshal(b, &request.Asked) != nil {
			t.Fatal(err)
		}
		lowered, err := g.Adjust(passport.Adjustment{Version: g.Version, Limits: []passport.Limits{low}}, now)
		if err != nil {
			t.Fatal(err)
		}
		for how, narrowed := range map[string][]passport.Detail{"as asked": nil, "with nothing left out": {{}}, "by the provider": {{Provider: passport.OpenAI}}} {
			raised, answered, err := lowered.Extend(request, passport.Approval{Owner: "p", Narrowed: narrowed}, now)
			if err != nil || !sameDetail(raised.Details[0], c.want) || !sameDetail(answered.Terms()[0], c.want) {
				t.Errorf("%s, %s: got %+v %v, want %+v", c.name, how, raised.Details, err, c.want)
			}
		}
		// A narrowing does not give what was not asked either.
		for field, n := range map[string]passport.Detail{"maxBudgetCents": {MaxBudgetCents: passport.LimitOf(301)}, "maxRequests": {MaxRequests: passport.LimitOf(31)}, "rateLimit": {RateLimit: passport.LimitOf(7)},
			"capabilities": {Capabilities: []passport.Capability{passport.Audio}}} {
			if _, _, err := lowered.Extend(request, passport.Approval{Owner: "p", Narrowed: []passport.Detail{n}}, now); problem.KindOf(err) != problem.Invalid || problem.From(err).Field != field {
				t.Errorf("%s: %s was given: %v", c.name, field, err)
			}
		}
	}
}
