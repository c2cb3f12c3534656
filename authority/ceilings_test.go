package authority_test

import (
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// TestCeilingsAreSetForThisMonthAndTold: with who did it, and from what to what.
func TestCeilingsAreSetForThisMonthAndTold(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	if err := d.SetCeiling(ctx, passport.PersonCeiling, -1, "owner:p"); problem.KindOf(err) != problem.Invalid {
		t.Errorf("a negative ceiling: %v", err)
	}
	if err := d.SetCeiling(ctx, passport.PersonCeiling, passport.Dollar, "owner:p"); err != nil {
		t.Fatal(err)
	}
	now, err := d.CeilingsNow(ctx, passport.OwnerPays)
	if want := (passport.Ceiling{ID: passport.PersonCeiling, Month: 202611, Cap: passport.Dollar, Own: passport.LimitOf(int64(passport.Dollar))}); err != nil || len(now) != 1 || now[0] != want {
		t.Errorf("got %+v, %v, want %+v", now, err, want)
	}
	if err := d.RemoveCeiling(ctx, passport.PersonCeiling, "owner:q"); err != nil {
		t.Fatal(err)
	}
	told, _, err := d.store.Events(ctx, 0, 10)
	if err != nil || len(told) != 2 {
		t.Fatalf("got %+v, %v, want two events", told, err)
	}
	if ev := told[0]; ev.Kind != passport.CeilingSet || ev.Actor != "owner:p" || ev.Note != "limit a month, person: from none to $1.00" || !ev.At.Equal(d.now) {
		t.Errorf("got %+v", ev)
	}
	if ev := told[1]; ev.Kind != passport.CeilingRemoved || ev.Actor != "owner:q" || ev.Note != "limit a month, person: from $1.00 to none" || ev.ID == told[0].ID {
		t.Errorf("got %+v", ev)
	}
}
