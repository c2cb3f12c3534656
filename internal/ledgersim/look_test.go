package ledgersim_test

import (
	"context"
	"slices"

	"github.com/devrelopers/aipassport/passport"
)

// look checks what can be seen of the ledger without waiting for it: I1, I2, I5 and I6.
func (w *world) look(ctx context.Context) {
	for _, a := range w.accounts {
		live, err := w.store.Liveness(ctx, a.token)
		if err != nil {
			w.say("grant %s cannot be looked at: %v", a.grant, err)
			continue
		}
		w.balances(a, live.Standing)
		w.covered(a, live.Standing)
	}
	if w.chance(0.25) {
		w.verify(ctx)
	}
}

func (w *world) verify(ctx context.Context) {
	wrong, err := w.store.VerifyLedger(ctx)
	if err != nil {
		w.say("the ledger cannot be verified: %v", err)
	}
	if len(wrong) > 0 {
		w.fail("I2: %v", wrong)
	}
}

// path is the balances of a standing: the total, then the details where they have their own.
func path(s passport.Standing) []passport.Balance {
	if len(s.Details) < 2 {
		return []passport.Balance{s.Total}
	}
	return append([]passport.Balance{s.Total}, s.Details...)
}

// balances checks I1 and I5: what is used grows only while it fits the cap. A cap that the owner has lowered below what is
// used, and a bill above its hold, are the two ways to be over it.
func (w *world) balances(a *account, s passport.Standing) {
	now := path(s)
	for i, b := range now {
		was := passport.Balance{}
		if i < len(a.seen) {
			was = a.seen[i]
		}
		if used, most := b.Settled+b.Held, max(b.Cap, was.Cap, was.Settled+was.Held)+a.excess; used > most || b.Held < 0 || b.Settled < 0 {
			w.fail("I1: grant %s budget %d: %s settled and %s held of %s", a.grant, i, b.Settled, b.Held, b.Cap)
		}
		if b.Calls > max(b.CallsCap, was.Calls) {
			w.fail("I5: grant %s budget %d: %d calls of %d", a.grant, i, b.Calls, b.CallsCap)
		}
	}
	a.seen = now
	if !slices.Contains(a.terms, termsOf(s.Grant)) && !w.ordered(a, termsOf(s.Grant)) {
		w.fail("grant %s is %+v, the owner was told %+v", a.grant, termsOf(s.Grant), a.terms)
	}
}

// ordered says whether an order that has no answer yet wants these terms.
func (w *world) ordered(a *account, t terms) bool {
	for _, o := range w.owner {
		if o.a != a {
			continue
		}
		frozen := o.want
		frozen.state = passport.GrantPaused
		if t == o.want || t == frozen {
			return true
		}
	}
	return false
}

// covered checks I6 and the other half of I5: what the provider bills is settled or held, at this moment, as long as a bill is
// within its hold; and every call that it saw is counted.
func (w *world) covered(a *account, s passport.Standing) {
	now := path(s)
	owed, calls := make([]passport.Money, len(now)), make([]int64, len(now))
	for _, c := range w.calls {
		if c.a != a || !c.sent {
			continue
		}
		most := c.owed
		if c.rsv != nil {
			most = min(most, c.rsv.Amount)
		}
		for i := range now {
			if i == 0 || i == c.detail+1 {
				owed[i] += most
				calls[i]++
			}
		}
	}
	for i, b := range now {
		if owed[i] > b.Settled+b.Held {
			w.fail("I6: grant %s budget %d: the provider bills %s, %s is settled and %s held", a.grant, i, owed[i], b.Settled, b.Held)
		}
		if calls[i] > b.Calls {
			w.fail("I5: grant %s budget %d: %d calls were sent, %d are counted", a.grant, i, calls[i], b.Calls)
		}
	}
}

// started checks what recovery must have done, before the first call of this life: nothing is held, every call that ever
// got its hold is there and costs no less than its bill, and what the owner was told holds.
func (w *world) started(ctx context.Context, orphans int, sum passport.Money) {
	for _, c := range w.calls {
		if c.orders >= 0 { // whoever waited for a hold has no answer to it
			c.orders, c.rsv = -1, nil
			c.cancel()
		}
	}
	w.told() // what had no answer has none
	w.verify(ctx)
	w.look(ctx)
	var swept passport.Money
	n := 0
	found := map[passport.ReservationID]passport.Reservation{}
	for _, a := range w.accounts {
		all, err := w.store.Reservations(ctx, a.grant, "", 1000)
		if err != nil && !w.disk.isDead() {
			w.fail("list the calls of %s: %w", a.grant, err)
		}
		if err != nil {
			return
		}
		for _, r := range all {
			found[r.ID] = r
			w.closed(a, r)
			if r.State == passport.ReservationSwept && r.EndedAt.Equal(w.charged) {
				n, swept = n+1, swept+r.Amount
			}
		}
		if a.seen != nil && a.seen[0].Held != 0 {
			w.fail("grant %s holds %s after the start", a.grant, a.seen[0].Held)
		}
		w.narrow(ctx, a)
	}
	if n != orphans || swept != sum {
		w.fail("the start says that it charged %d calls, %s; there are %d, %s", orphans, sum, n, swept)
	}
	for _, c := range w.calls {
		w.kept(c, found)
	}
}

// closed checks a reservation after a start.
func (w *world) closed(a *account, r passport.Reservation) {
	switch r.State {
	case passport.ReservationSettled:
	case passport.ReservationSwept:
		if r.Actual != r.Amount {
			w.fail("%s was swept at %s of %s", r.ID, r.Actual, r.Amount)
		}
	default:
		w.fail("%s is %s after the start", r.ID, r.State)
	}
	if !r.CreatedAt.Before(a.ends) {
		w.fail("%s was held at %s, its grant ended at %s", r.ID, r.CreatedAt, a.ends)
	}
}

// kept checks that a call that got its hold has not been forgotten, nor made cheaper than it was, and that what was final stays.
func (w *world) kept(c *call, found map[passport.ReservationID]passport.Reservation) {
	if c.rsv == nil {
		return
	}
	r, ok := found[c.rsv.ID]
	if !ok {
		w.fail("I3: call %d got its hold %s, and it is gone", c.n, c.rsv.ID)
		return
	}
	if c.sent && r.Actual < min(c.owed, r.Amount) {
		w.fail("I6: call %d costs %s, the provider bills %s", c.n, r.Actual, c.owed)
	}
	if c.looked && r.Actual != c.actual {
		w.fail("call %d cost %s, and now %s", c.n, c.actual, r.Actual)
	}
	if r.State == passport.ReservationSettled {
		c.looked, c.actual = true, r.Actual
	}
	if r.Amount != c.rsv.Amount {
		w.fail("call %d held %s, its reservation says %s", c.n, c.rsv.Amount, r.Amount)
	}
}

// narrow takes what a grant is after a start as what it is.
func (w *world) narrow(ctx context.Context, a *account) {
	if live, err := w.store.Liveness(ctx, a.token); err == nil && w.wrong == nil {
		a.terms = maybe[terms]{termsOf(live.Standing.Grant)}
		w.stopped = maybe[bool]{live.Stopped}
	}
}
