package authority_test

import (
	"context"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// TestAdjustBringsTheBudgetsAlong: caps and end move in one step with an event, and below what is spent nothing is held any more.
func TestAdjustBringsTheBudgetsAlong(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g := d.approved(t)
	hold := func(id passport.ReservationID) error {
		_, err := d.store.Hold(ctx, passport.Hold{ID: id, Grant: g.ID, Provider: passport.OpenAI, Model: "m", Amount: passport.Dollar, Least: 1, At: d.now})
		return err
	}
	if err := hold("r1"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Adjust(ctx, g.ID, passport.Adjustment{Version: g.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(50)}}}, "owner:p"); err != nil {
		t.Fatal(err)
	}
	if err := hold("r2"); problem.KindOf(err) != problem.BudgetSpent {
		t.Errorf("below what is held: got %v, want BudgetSpent", err)
	}
	s, _ := d.Standing(ctx, g.ID)
	if s.Total.Cap != 50*passport.Cent || s.Total.Left() != 0 {
		t.Errorf("the budget is %+v", s.Total)
	}
	later := d.now.Add(48 * time.Hour)
	if _, err := d.Adjust(ctx, g.ID, passport.Adjustment{Version: s.Grant.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(900)}}, Ends: later}, "owner:p"); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(24 * time.Hour) // past its old end
	if err := hold("r3"); err != nil {
		t.Errorf("after it was raised: %v", err)
	}
	evs, err := d.store.EventsOf(ctx, g.ID, 1)
	if err != nil || evs[0].Kind != passport.GrantAdjusted || evs[0].Actor != "owner:p" || evs[0].Note != "OpenAI, $0.50 to $9.00; ends 2026-11-25T12:00:00Z, not 2026-11-23T13:00:00Z" {
		t.Errorf("the event is %+v %v", evs, err)
	}
	if _, err := d.Adjust(ctx, g.ID, passport.Adjustment{Version: s.Grant.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(1)}}}, "x"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("decided on what was: got %v, want Conflict", err)
	}
}
