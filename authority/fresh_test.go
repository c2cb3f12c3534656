package authority_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// TestMoreThanTheAmountTakesAFreshSignIn: given at once, added by a request, or set later; less never does, and nothing is changed by a
// refusal.
func TestMoreThanTheAmountTakesAFreshSignIn(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	ask := func(extends passport.GrantID, cents int64) passport.Grant {
		t.Helper()
		g, _, err := d.Ask(ctx, authority.Request{AppName: "Notes", AppURL: "https://notes.example", Extends: extends,
			Details: []passport.Detail{{Provider: passport.OpenAI, Models: []string{"m"}, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(cents)}}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	refused := func(what string, err error) {
		t.Helper()
		if problem.KindOf(err) != problem.SignInStale {
			t.Errorf("%s: got %v, want SignInStale", what, err)
		}
	}
	fine := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	yes := func(fresh bool) passport.Approval {
		return passport.Approval{Owner: "p", Lifetime: passport.MaxLifetime, Fresh: fresh}
	}
	adjust := func(id passport.GrantID, cents int64, fresh bool) error {
		s, err := d.Standing(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Adjust(ctx, id, passport.Adjustment{Version: s.Grant.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(cents)}}, Fresh: fresh}, "owner:p")
		return err
	}

	g := ask("", 2001)
	_, err := d.Approve(ctx, g.ID, yes(false))
	refused("$20.01", err)
	if s, _ := d.Standing(ctx, g.ID); s.Grant.State != passport.GrantPending {
		t.Errorf("after a refusal it is %s", s.Grant.State)
	}
	_, err = d.Approve(ctx, g.ID, yes(true))
	fine("$20.01, freshly", err)

	g = ask("", 2000)
	_, err = d.Approve(ctx, g.ID, yes(false))
	fine("$20.00", err)
	more := ask(g.ID, 2001)
	_, err = d.Approve(ctx, more.ID, yes(false))
	refused("a cent on top", err)
	_, err = d.Approve(ctx, more.ID, yes(true))
	fine("a cent on top, freshly", err)

	refused("raised", adjust(g.ID, 2002, false))
	fine("raised, freshly", adjust(g.ID, 9000, true))
	fine("lowered, still above", adjust(g.ID, 8000, false))
	fine("lowered", adjust(g.ID, 100, false))
	fine("raised to the amount", adjust(g.ID, 2000, false))

	key := func(id passport.GrantID, fresh bool) error {
		_, err := d.Of(passport.OwnerPays).ForKey(ctx, id, fresh)
		return err
	}
	fine("a key of the amount", key(g.ID, false))
	fine("raised above it", adjust(g.ID, 2001, true))
	refused("a key of more", key(g.ID, false))
	fine("a key of more, freshly", key(g.ID, true))

	d.FreshAbove = 0 // not set: all money takes one
	g = ask("", 1)
	_, err = d.Approve(ctx, g.ID, yes(false))
	refused("a cent where no amount is set", err)
}

// TestMoreOfMuchTakesAFreshSignInWhereItGivesTokens: the answer of an OAuth client's request is a code, which opens what the grant had already.
// A bound grant's code is for its key alone, and what was asked with the grant's secret is answered to nobody.
func TestMoreOfMuchTakesAFreshSignInWhereItGivesTokens(t *testing.T) {
	for _, c := range []struct {
		client passport.ClientID
		jkt    string
		cents  int64
		want   problem.Kind
	}{{"app", "", 2001, problem.SignInStale}, {"app", "", 2000, 0}, {"app", "thumb", 2001, 0}, {"", "", 2001, 0}} {
		d, ctx := newDesk(), t.Context()
		ask := func(r authority.Request, models ...string) passport.Grant {
			t.Helper()
			r.AppName, r.AppURL = "Notes", "https://notes.example"
			r.Details = []passport.Detail{{Provider: passport.OpenAI, Models: models, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(c.cents)}}
			g, _, err := d.Ask(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		g := ask(authority.Request{Client: c.client, JKT: c.jkt}, "m")
		if _, err := d.Approve(ctx, g.ID, passport.Approval{Owner: "p", Lifetime: time.Hour, Fresh: true}); err != nil {
			t.Fatal(err)
		}
		more := ask(authority.Request{Client: c.client, JKT: c.jkt, Extends: g.ID}, "m", "n")
		_, err := d.Approve(ctx, more.ID, passport.Approval{Owner: "p"})
		if err != nil && problem.KindOf(err) != c.want || err == nil && c.want != 0 {
			t.Errorf("%+v: another model without a fresh sign-in: %v", c, err)
		}
		if _, err := d.Approve(ctx, more.ID, passport.Approval{Owner: "p", Fresh: true}); c.want != 0 && err != nil {
			t.Errorf("%+v: freshly: %v", c, err)
		}
	}
}
