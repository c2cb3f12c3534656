package store

import (
	"context"
	"fmt"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// maxListed bounds how many of one sort of finding are listed.
const maxListed = 1000

// Verification is what adding up the whole ledger again has found.
type Verification struct {
	Grants, Budgets, Events int64
	Calls                   []CallSum // one for each state that there is
	Over                    []string  // budgets above their cap, in words: each is the owner's doing, or a bill above its hold
	Wrong                   []string  // what differs, in words; empty: it adds up
}

// CallSum is the calls of one state.
type CallSum struct {
	State  passport.ReservationState
	Calls  int64
	Held   passport.Money // worst cases
	Actual passport.Money // charges
}

// Verify adds up every balance from the calls, and looks for calls that cannot be, or whose events are missing. It wants one
// snapshot for all its readings, and writes nothing.
func Verify(ctx context.Context, q *query.Queries) (v Verification, err error) {
	counts, err := q.LedgerCounts(ctx)
	if err != nil {
		return v, err
	}
	v.Grants, v.Budgets, v.Events = counts.Grants, counts.Budgets, counts.Events
	sums, err := q.LedgerSums(ctx)
	if err != nil {
		return v, err
	}
	for _, s := range sums {
		v.Calls = append(v.Calls, CallSum{passport.ReservationState(s.State), s.Calls, passport.Money(s.Amount), passport.Money(s.Actual)})
	}
	if v.Wrong, err = VerifyLedger(ctx, q); err != nil {
		return v, err
	}
	for _, look := range []func(context.Context, *query.Queries, *Verification) error{overspent, wrongCalls, untold, lost} {
		if err := look(ctx, q, &v); err != nil {
			return v, err
		}
	}
	return v, nil
}

func overspent(ctx context.Context, q *query.Queries, v *Verification) error {
	rows, err := q.OverspentBudgets(ctx, maxListed)
	for _, b := range rows {
		v.Over = append(v.Over, fmt.Sprintf("grant %s budget %d: %s settled and %s held of a cap of %s", b.GrantID, b.Seq,
			passport.Money(b.Settled), passport.Money(b.Held), passport.Money(b.Cap)))
	}
	return err
}

func wrongCalls(ctx context.Context, q *query.Queries, v *Verification) error {
	rows, err := q.WrongReservations(ctx, maxListed)
	for _, r := range rows {
		v.Wrong = append(v.Wrong, fmt.Sprintf("call %s of grant %s cannot be: %s, %s held, %s charged, reached %d, ended at %d, or its grant has no budget",
			r.ID, r.GrantID, r.State, passport.Money(r.Amount), passport.Money(r.Actual), r.Reached, r.EndedAt))
	}
	return err
}

func untold(ctx context.Context, q *query.Queries, v *Verification) error {
	rows, err := q.UntoldReservations(ctx, maxListed)
	for _, r := range rows {
		v.Wrong = append(v.Wrong, fmt.Sprintf("call %s is %s, and the events do not tell so", r.ID, r.State))
	}
	return err
}

func lost(ctx context.Context, q *query.Queries, v *Verification) error {
	rows, err := q.LostReservations(ctx, maxListed)
	for _, id := range rows {
		v.Wrong = append(v.Wrong, fmt.Sprintf("event %s tells of a call that is not there", id))
	}
	return err
}
