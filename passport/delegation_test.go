package passport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// passedOn is a grant of two providers that may be passed on twice.
func passedOn() passport.Grant {
	d := func(p passport.Provider, cents int64) passport.Detail {
		return passport.Detail{Provider: p, Models: []string{"a", "b"}, Capabilities: []passport.Capability{passport.Chat, passport.Images}, MaxBudgetCents: passport.LimitOf(cents),
			MaxRequests: passport.LimitOf(10), RateLimit: passport.LimitOf(5), MaxDelegationDepth: passport.LimitOf(2)}
	}
	return passport.Grant{ID: "g", State: passport.GrantActive, Owner: "p", Reason: "why", ExpiresAt: noon.Add(time.Hour),
		Details: []passport.Detail{d(passport.OpenAI, 100), d(passport.Google, 50)}}
}

// TestDelegateNarrowsOnly: each member that would widen is refused by its name, and what is left out inherits.
func TestDelegateNarrowsOnly(t *testing.T) {
	yes := func(edit func(*passport.Detail)) passport.Delegation {
		n := passport.Detail{Provider: passport.Google}
		edit(&n)
		return passport.Delegation{Narrowed: []passport.Detail{n}, Lifetime: time.Minute, Client: "helper", Subject: "helper"}
	}
	for field, widen := range map[string]func(*passport.Detail){
		"provider":           func(d *passport.Detail) { d.Provider = passport.Anthropic },
		"models":             func(d *passport.Detail) { d.Models = []string{"a", "c"} },
		"capabilities":       func(d *passport.Detail) { d.Capabilities = []passport.Capability{passport.Audio} },
		"maxBudgetCents":     func(d *passport.Detail) { d.MaxBudgetCents = passport.LimitOf(51) },
		"maxRequests":        func(d *passport.Detail) { d.MaxRequests = passport.LimitOf(11) },
		"rateLimit":          func(d *passport.Detail) { d.RateLimit = passport.LimitOf(6) },
		"maxDelegationDepth": func(d *passport.Detail) { d.MaxDelegationDepth = passport.LimitOf(2) },
		"expiresAt":          func(d *passport.Detail) { d.ExpiresAt = passport.LimitOf(noon.Unix()) },
	} {
		_, err := passedOn().Delegate(yes(widen), noon)
		if p := problem.From(err); err == nil || p.Kind != problem.Invalid || p.Field != field {
			t.Errorf("%s: got %v in %q, want it refused", field, err, p.Field)
		}
	}
	got, err := passedOn().Delegate(yes(func(d *passport.Detail) { d.MaxBudgetCents = passport.LimitOf(7) }), noon)
	want := passedOn().Details[1]
	want.MaxBudgetCents, want.MaxDelegationDepth = passport.LimitOf(7), passport.LimitOf(1)
	if diff := cmp.Diff([]passport.Detail{want}, got.Details, cmp.AllowUnexported(passport.Limit{})); err != nil || diff != "" {
		t.Errorf("got %v, details (-want +got):\n%s", err, diff)
	}
	if got.Parent != "g" || got.Owner != "p" || got.State != passport.GrantActive || !got.ExpiresAt.Equal(noon.Add(time.Minute)) || got.SecretHash != [32]byte{} {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]passport.Above{{ID: "g", Details: []int{1}, Rates: []int64{5}}}, got.Above); diff != "" {
		t.Errorf("above (-want +got):\n%s", diff)
	}
}

// TestDelegationEnds: depth falls by one each time and ends; so does time; who acted stays readable, the newest outermost (RFC 8693 §4.1).
func TestDelegationEnds(t *testing.T) {
	g := passedOn()
	for i, name := range []string{"one", "two"} {
		next, err := g.Delegate(passport.Delegation{Lifetime: 2 * time.Hour, Subject: name}, noon)
		if err != nil || !next.ExpiresAt.Equal(g.ExpiresAt) || len(next.Above) != i+1 {
			t.Fatalf("got %+v, %v", next, err)
		}
		next.ID = passport.GrantID(name)
		g = next
	}
	if want := `{"sub":"two","act":{"sub":"one"}}`; g.Actor != want {
		t.Errorf("got %s, want %s", g.Actor, want)
	}
	if got := g.Line(); !cmp.Equal(got, []passport.GrantID{"one", "g"}) {
		t.Errorf("got the line %v", got)
	}
	_, err := g.Delegate(passport.Delegation{Lifetime: time.Minute}, noon)
	if p := problem.From(err); p.Kind != problem.Invalid || p.Field != "maxDelegationDepth" {
		t.Errorf("got %v, want no third", err)
	}
	for name, edit := range map[string]func(*passport.Grant, *passport.Delegation){
		"one that has ended":      func(g *passport.Grant, _ *passport.Delegation) { g.State = passport.GrantRevoked },
		"one whose time has come": func(g *passport.Grant, _ *passport.Delegation) { g.ExpiresAt = noon },
		"a paused one":            func(g *passport.Grant, _ *passport.Delegation) { g.State = passport.GrantPaused },
		"no time":                 func(_ *passport.Grant, d *passport.Delegation) { d.Lifetime = 0 },
		"one that may not":        func(g *passport.Grant, _ *passport.Delegation) { g.Details[0].MaxDelegationDepth = passport.Limit{} },
		"the same twice": func(_ *passport.Grant, d *passport.Delegation) {
			d.Narrowed = []passport.Detail{{Provider: passport.OpenAI}, {Provider: passport.OpenAI}}
		},
		"too long a chain": func(_ *passport.Grant, d *passport.Delegation) { d.Subject = strings.Repeat("x", passport.MaxActor) },
		"too deep": func(g *passport.Grant, _ *passport.Delegation) {
			g.Above = make([]passport.Above, passport.MaxDelegation)
		},
	} {
		g, d := passedOn(), passport.Delegation{Lifetime: time.Minute}
		edit(&g, &d)
		if got, err := g.Delegate(d, noon); err == nil {
			t.Errorf("%s: got %+v, want none", name, got)
		}
	}
}
