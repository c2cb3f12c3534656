package authority_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// more asks for a total of cents.
func (d *desk) more(t *testing.T, of passport.GrantID, cents int64) passport.Grant {
	t.Helper()
	g, _, err := d.Ask(context.Background(), authority.Request{Extends: of, Reason: "more", Details: []passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(cents)}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestExtensionRaisesItsGrant: the grant has more and the same end, the request is answered, and is the same app's as the grant.
func TestExtensionRaisesItsGrant(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g := d.approved(t)
	r := d.more(t, g.ID, 900)
	if r.AppName != g.AppName || r.AppURL != g.AppURL || r.Extends != g.ID || r.Asked[0].MaxBudgetCents != passport.LimitOf(900) || r.Asked[0].Models != nil || r.Terms()[0].Models[0] != "m" || !r.Asked[0].MaxRequests.IsZero() {
		t.Errorf("the request is %+v", r)
	}
	if _, err := d.Approve(ctx, r.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays, Narrowed: []passport.Detail{{MaxBudgetCents: passport.LimitOf(700)}}}); err != nil {
		t.Fatal(err)
	}
	s, err := d.Standing(ctx, g.ID)
	if err != nil || s.Total.Cap != 700*passport.Cent || s.Grant.State != passport.GrantActive || !s.Grant.ExpiresAt.Equal(g.ExpiresAt) {
		t.Errorf("got %+v %v", s, err)
	}
	evs, err := d.store.EventsOf(ctx, g.ID, 1)
	if err != nil || evs[0].Kind != passport.GrantRaised || evs[0].Note != "OpenAI, $5.00 to $7.00" {
		t.Errorf("the event is %+v %v", evs, err)
	}
	if _, err := d.Approve(ctx, r.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays}); problem.KindOf(err) != problem.Conflict {
		t.Errorf("approved twice: got %v, want Conflict", err)
	}
	if s, err := d.Standing(ctx, r.ID); err != nil || s.Grant.State != passport.GrantExtended || s.Total.Cap != 0 {
		t.Errorf("the request has a budget: %+v %v", s, err)
	}
}

// TestDeniedExtensionChangesNothing, nor does one that cannot be.
func TestDeniedExtensionChangesNothing(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g := d.approved(t)
	if _, err := d.Deny(ctx, d.more(t, g.ID, 900).ID, "owner:p"); err != nil {
		t.Fatal(err)
	}
	late := d.more(t, g.ID, 900)
	if _, _, err := d.Revoke(ctx, g.ID, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Approve(ctx, late.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays}); problem.KindOf(err) != problem.Conflict {
		t.Errorf("of a revoked grant: got %v, want Conflict", err)
	}
	if s, err := d.Standing(ctx, g.ID); err != nil || s.Grant.State != passport.GrantRevoked || s.Total.Cap != 500*passport.Cent {
		t.Errorf("got %+v %v", s, err)
	}
	if _, _, err := d.Ask(ctx, authority.Request{Extends: "none", Details: late.Asked}); problem.KindOf(err) != problem.NotFound {
		t.Errorf("of no grant: got %v, want NotFound", err)
	}
}

// overtaken is a store in which somebody else changes the grant just before it is raised.
type overtaken struct {
	*storetest.Memory
	first func()
}

func (o *overtaken) ExtendGrant(ctx context.Context, g, r passport.Grant, ev passport.Event) error {
	if f := o.first; f != nil {
		o.first = nil
		f()
	}
	return o.Memory.ExtendGrant(ctx, g, r, ev)
}

// TestExtensionThatIsOvertaken starts over from what is there then: two that are approved at once both count, and a revoke wins.
func TestExtensionThatIsOvertaken(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	other := *d.Control
	g := d.approved(t)
	r := d.more(t, g.ID, 700)
	second, _, err := d.Ask(ctx, authority.Request{Extends: g.ID, Details: []passport.Detail{{Provider: passport.OpenAI, Models: []string{"n"}}}})
	if err != nil {
		t.Fatal(err)
	}
	o := &overtaken{Memory: d.store}
	d.Store = o
	o.first = func() {
		_, err = other.Approve(ctx, second.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays})
	}
	if _, err2 := d.Approve(ctx, r.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays}); err2 != nil || err != nil {
		t.Fatal(err, err2)
	}
	if s, err := d.Standing(ctx, g.ID); err != nil || s.Total.Cap != 700*passport.Cent || len(s.Grant.Details[0].Models) != 2 {
		t.Errorf("one undid the other: %+v %v", s, err)
	}
	r = d.more(t, g.ID, 900)
	o.first = func() { other.Revoke(ctx, g.ID, "x") }
	if _, err := d.Approve(ctx, r.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays}); problem.KindOf(err) != problem.Conflict {
		t.Errorf("overtaken by a revoke: got %v, want Conflict", err)
	}
	if s, err := d.Standing(ctx, g.ID); err != nil || s.Grant.State != passport.GrantRevoked || s.Total.Cap != 700*passport.Cent {
		t.Errorf("got %+v %v", s, err)
	}
}

// TestExtensionThatFails changes neither.
func TestExtensionThatFails(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g := d.approved(t)
	r := d.more(t, g.ID, 900)
	d.store.Fail("ExtendGrant", storetest.Before, problem.Wrap(errors.New("disk"), problem.Unavailable, "not now"))
	if _, err := d.Approve(ctx, r.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays, Lifetime: time.Hour}); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	if s, err := d.Standing(ctx, r.ID); err != nil || s.Grant.State != passport.GrantPending {
		t.Errorf("got %+v %v", s, err)
	}
}

// TestARequestForMoreDoesNotUndoALowering: while a request waits, the owner lowers the money and the calls. Its approval raises what was asked and
// nothing else, the log says so, and what really rises above the amount takes a fresh sign-in.
func TestARequestForMoreDoesNotUndoALowering(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked passport.Detail
		fresh bool // it takes a fresh sign-in
		cents int64
		calls int64
		note  string
	}{
		{"a model", passport.Detail{Models: []string{"n"}}, false, 50, 2, "OpenAI, more models"},
		{"calls", passport.Detail{MaxRequests: passport.LimitOf(5000)}, false, 50, 5000, "OpenAI, 2 to 5000 calls"},
		{"money", passport.Detail{MaxBudgetCents: passport.LimitOf(4000)}, true, 4000, 2, "OpenAI, $0.50 to $40.00"},
	} {
		d, ctx := newDesk(), context.Background()
		g := d.approved(t)
		g, err := d.Adjust(ctx, g.ID, passport.Adjustment{Version: g.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(3000), MaxRequests: passport.LimitOf(100)}}, Fresh: true}, "owner:p")
		if err != nil {
			t.Fatal(err)
		}
		c.asked.Provider = passport.OpenAI
		r, _, err := d.Ask(ctx, authority.Request{Extends: g.ID, Reason: "more", Details: []passport.Detail{c.asked}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Adjust(ctx, g.ID, passport.Adjustment{Version: g.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(50), MaxRequests: passport.LimitOf(2)}}}, "owner:p"); err != nil {
			t.Fatal(err)
		}
		a := passport.Approval{Owner: "p", Payer: passport.OwnerPays, Narrowed: make([]passport.Detail, 1)}
		if _, err := d.Approve(ctx, r.ID, a); c.fresh != (problem.KindOf(err) == problem.SignInStale) || !c.fresh && err != nil {
			t.Errorf("%s, without a fresh sign-in: %v", c.name, err)
		}
		if a.Fresh = true; c.fresh {
			if _, err := d.Approve(ctx, r.ID, a); err != nil {
				t.Errorf("%s, freshly: %v", c.name, err)
			}
		}
		s, err := d.Standing(ctx, g.ID)
		evs, err2 := d.store.EventsOf(ctx, g.ID, 1)
		if err != nil || err2 != nil || s.Total.Cap != passport.Money(c.cents)*passport.Cent || s.Total.CallsCap != c.calls || evs[0].Note != c.note {
			t.Errorf("%s: it may spend %s in %d calls, and the log says %q (%v, %v)", c.name, s.Total.Cap, s.Total.CallsCap, evs[0].Note, err, err2)
		}
	}
}
