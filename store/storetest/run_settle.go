package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func testOrder(t *testing.T, b *bench) {
	// Each round has money for one call: the next hold needs the settlement before it.
	g := b.active(Detail(1, 1000))
	for range 200 {
		h := b.hold(g.ID, passport.Cent)
		s := settlement(h, 0)
		b.ok(b.s.Settle(ctx(), s))
	}
	b.flush()
	b.total(g.ID, passport.Balance{Cap: passport.Cent, CallsCap: 1000, Calls: 200})

	// The same with many at once: nobody is refused who has settled before asking again.
	g = b.active(Detail(32, 100_000))
	parallel(32, func(int) {
		for range 30 {
			h := b.ask(g.ID, passport.Cent)
			if _, err := b.s.Hold(ctx(), h); err != nil {
				t.Errorf("got %v, want the money that was given back", err)
				return
			}
			if err := b.s.Settle(ctx(), settlement(h, 0)); err != nil {
				t.Errorf("got %v, want it settled", err)
			}
		}
	})
	b.flush()
	b.total(g.ID, passport.Balance{Cap: 32 * passport.Cent, CallsCap: 100_000, Calls: 960})
}

func testSettleOnce(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 10))
	h := b.hold(g.ID, 500)
	b.settle(settlement(h, 300))
	want := passport.Balance{Cap: passport.Cent, Settled: 300, CallsCap: 10, Calls: 1}
	b.total(g.ID, want)
	events := len(b.events())
	again := settlement(h, 1)
	again.Reached = false
	b.settle(again)
	b.settle(settlement(h, 400_000))
	unknown := settlement(h, 5)
	unknown.ID = "never held"
	b.settle(unknown)
	b.total(g.ID, want)
	b.equal(len(b.events()), events)
	b.equal(b.standing(g.ID).Grant.State, passport.GrantActive)

	parallelOnce := b.hold(g.ID, 500)
	parallel(50, func(int) {
		if err := b.s.Settle(ctx(), settlement(parallelOnce, 100)); err != nil {
			b.t.Errorf("got %v, want none", err)
		}
	})
	b.flush()
	b.total(g.ID, passport.Balance{Cap: passport.Cent, Settled: 400, CallsCap: 10, Calls: 2})
}

func testNotReached(_ *testing.T, b *bench) {
	google := Detail(1, 5)
	google.Provider = passport.Google
	g := b.active(Detail(1, 1), google)
	h := b.hold(g.ID, 500)
	s := settlement(h, 0)
	s.Reached, s.Why, s.Usage = false, passport.NotSent, passport.Usage{}
	b.settle(s)
	b.total(g.ID, passport.Balance{Cap: 2 * passport.Cent, CallsCap: 6})
	b.equal(b.standing(g.ID).Details[0], passport.Balance{Cap: passport.Cent, CallsCap: 1})
	b.hold(g.ID, 500) // the one call is there again
	b.sound()
}

func testBreach(_ *testing.T, b *bench) {
	google := Detail(1, 5)
	google.Provider = passport.Google
	g := b.active(Detail(1, 10), google)
	h, open := b.hold(g.ID, 400), b.hold(g.ID, 500)
	b.settle(settlement(h, 3*passport.Cent))
	b.total(g.ID, passport.Balance{Cap: 2 * passport.Cent, Settled: 3 * passport.Cent, Held: 500, CallsCap: 15, Calls: 2})
	frozen := b.standing(g.ID).Grant
	b.equal([]any{frozen.State, frozen.Version}, []any{passport.GrantPaused, g.Version + 1})
	_, err := b.s.Hold(ctx(), b.ask(g.ID, 0))
	b.is(err, problem.GrantPaused)
	stale := g
	stale.Version++
	b.is(b.s.ChangeGrant(ctx(), stale, b.event(passport.GrantResumed, g.ID)), problem.Conflict)
	var note string
	for _, ev := range b.events() {
		if ev.Kind == passport.GrantFrozen {
			note = ev.Note
		}
	}
	if !strings.Contains(note, "$0.03") || !strings.Contains(note, "$0.0004") {
		b.t.Fatalf("got note %q, want both numbers in it", note)
	}

	// A second one does not move the version; resumed, the grant has no money left, but free calls.
	b.settle(settlement(open, 501))
	b.equal(b.standing(g.ID).Grant.Version, g.Version+1)
	g = b.change(frozen, to(passport.GrantActive))
	_, err = b.s.Hold(ctx(), b.ask(g.ID, 1))
	b.is(err, problem.BudgetSpent)
	b.hold(g.ID, 0)
	b.sound()

	// An ended grant does not come back as paused.
	ended := b.active(Detail(1, 10))
	h = b.hold(ended.ID, 1)
	ended = b.change(ended, func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, Epoch() })
	b.settle(settlement(h, passport.MaxMoney*5))
	b.equal(b.standing(ended.ID).Grant, ended)
	b.equal(b.standing(ended.ID).Total.Settled, passport.MaxMoney+1)
	b.sound()
}

func testOrphans(_ *testing.T, b *bench) {
	google := Detail(1, 5)
	google.Provider = passport.Google
	g, other := b.active(Detail(1, 10), google), b.active(Detail(1, 10))
	done := b.hold(g.ID, 100)
	b.settle(settlement(done, 70))
	for i := range 3 {
		h := b.ask(g.ID, 1000)
		h.Detail = i % 2
		_, err := b.s.Hold(ctx(), h)
		b.ok(err)
	}
	b.hold(other.ID, 5)
	b.change(other, to(passport.GrantPaused))
	b.reopen()
	n, sum, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	b.equal([]any{n, sum}, []any{4, passport.Money(3005)})
	b.total(g.ID, passport.Balance{Cap: 2 * passport.Cent, Settled: 3070, CallsCap: 15, Calls: 4})
	b.total(other.ID, passport.Balance{Cap: passport.Cent, Settled: 5, CallsCap: 10, Calls: 1})
	all, err := b.s.Reservations(ctx(), other.ID, "", 10)
	b.ok(err)
	b.equal([]any{all[0].State, all[0].Actual, all[0].Why, all[0].EndedAt},
		[]any{passport.ReservationSwept, passport.Money(5), passport.Orphaned, Epoch().Add(time.Hour)})
	charged := 0
	for _, ev := range b.events() {
		if ev.Kind == passport.CallCharged && ev.Actor == "broker" && ev.At.Equal(Epoch().Add(time.Hour)) {
			charged++
		}
	}
	b.equal(charged, 4)
	n, sum, err = b.s.ChargeOrphans(ctx(), Epoch().Add(2*time.Hour))
	b.ok(err)
	b.equal([]any{n, sum}, []any{0, passport.Money(0)})
}

func testLate(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 10))
	h1, h2, h3 := b.hold(g.ID, 100), b.hold(g.ID, 200), b.hold(g.ID, 300)
	_, _, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	b.settle(settlement(h1, 30))  // lower
	b.settle(settlement(h1, 10))  // once
	b.settle(settlement(h1, 700)) // and no more than once
	b.settle(settlement(h2, 200)) // what it was charged already
	unsent := settlement(h3, 0)
	unsent.Reached, unsent.Why = false, passport.NotSent
	b.settle(unsent)
	b.total(g.ID, passport.Balance{Cap: passport.Cent, Settled: 230, CallsCap: 10, Calls: 2})
	b.equal(b.standing(g.ID).Grant.State, passport.GrantActive)
	all, err := b.s.Reservations(ctx(), g.ID, "", 10)
	b.ok(err)
	var states []passport.ReservationState
	for _, r := range all {
		states = append(states, r.State)
	}
	b.equal(states, []passport.ReservationState{passport.ReservationSettled, passport.ReservationSwept, passport.ReservationSettled})
	b.sound()
}

// testLateOfNothing: a call that held nothing, was charged that by recovery and never left gives its call back, once, and freezes nothing.
func testLateOfNothing(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 2))
	h, free := b.hold(g.ID, 0), b.hold(g.ID, 0)
	_, _, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	unsent := settlement(h, 0)
	unsent.Reached, unsent.Why, unsent.Usage = false, passport.NotSent, passport.Usage{}
	b.settle(unsent)
	b.settle(unsent)
	b.settle(settlement(free, 0)) // what it was charged already
	b.total(g.ID, passport.Balance{Cap: passport.Cent, CallsCap: 2, Calls: 1})
	b.equal(b.standing(g.ID).Grant.State, passport.GrantActive)
	b.hold(g.ID, 500) // the call is there again
	b.sound()
}

// testLateBreach: a bill above its hold that comes when recovery has charged the hold is recorded whole, on the whole path, and freezes
// the grant.
func testLateBreach(_ *testing.T, b *bench) {
	b.ok(b.s.SetCeiling(ctx(), passport.PersonCeiling, passport.Cent, b.event(passport.CeilingSet, "")))
	google := Detail(1, 5)
	google.Provider = passport.Google
	g := b.active(Detail(1, 10), google)
	h, next := b.hold(g.ID, 1000), b.hold(g.ID, 300)
	_, _, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	open := b.hold(g.ID, 50)
	bill := settlement(h, 9000)
	b.settle(bill)
	b.settle(bill) // once
	b.settle(settlement(h, 10))
	b.total(g.ID, passport.Balance{Cap: 2 * passport.Cent, Settled: 9300, Held: 50, CallsCap: 15, Calls: 3})
	b.equal(b.standing(g.ID).Details[0], passport.Balance{Cap: passport.Cent, Settled: 9300, Held: 50, CallsCap: 10, Calls: 3})
	frozen := b.standing(g.ID).Grant
	b.equal([]any{frozen.State, frozen.Version}, []any{passport.GrantPaused, g.Version + 1})
	_, err = b.s.Hold(ctx(), b.ask(g.ID, 1))
	b.is(err, problem.GrantPaused)
	months, err := b.s.Ceilings(ctx(), passport.OwnerPays, passport.MonthOf(h.At))
	b.ok(err)
	b.equal([]any{months[0].Settled, months[0].Held}, []any{passport.Money(9300), passport.Money(50)})
	b.equal(b.marks(""), kinds(passport.CeilingNear))
	notes := map[passport.EventKind][]string{}
	for _, ev := range b.events() {
		notes[ev.Kind] = append(notes[ev.Kind], ev.Note)
	}
	b.equal(notes[passport.GrantFrozen], []string{"the provider billed $0.009 for a call that held $0.001"})
	b.equal(notes[passport.CallAdjusted], []string{"raised to $0.009 from $0.001 charged, finished"})

	// A second one adds up and freezes what is frozen no second time; one of a grant that has ended leaves it so.
	b.settle(settlement(next, 301))
	b.equal([]any{b.standing(g.ID).Grant.Version, b.standing(g.ID).Total.Settled}, []any{g.Version + 1, passport.Money(9301)})
	b.settle(settlement(open, 50))
	b.ok(b.s.RemoveCeiling(ctx(), passport.PersonCeiling, b.event(passport.CeilingRemoved, "")))
	ended := b.active(Detail(1, 10))
	h = b.hold(ended.ID, 8000)
	ended = b.change(ended, func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, Epoch() })
	_, _, err = b.s.ChargeOrphans(ctx(), Epoch().Add(2*time.Hour))
	b.ok(err)
	b.settle(settlement(h, passport.MaxMoney*5))
	b.equal([]any{b.standing(ended.ID).Grant, b.standing(ended.ID).Total.Settled}, []any{ended, passport.MaxMoney + 1})
	b.equal(b.marks(ended.ID), kinds(passport.GrantNearCap, passport.GrantSpent))
	b.sound()
}

func testHistory(_ *testing.T, b *bench) {
	g, other := b.active(Detail(10, 100)), b.active(Detail(10, 100))
	var holds []passport.Hold
	for i := range 5 {
		h := b.ask(g.ID, 100)
		h.At = Epoch().Add(time.Duration(i) * time.Minute)
		_, err := b.s.Hold(ctx(), h)
		b.ok(err)
		holds = append(holds, h)
	}
	b.hold(other.ID, 7)
	b.settle(settlement(holds[0], 10))
	b.settle(settlement(holds[3], 20))
	unsent := settlement(holds[4], 0)
	unsent.Reached = false
	b.settle(unsent)
	list := func(before passport.ReservationID, limit int) (out []passport.ReservationID) {
		all, err := b.s.Reservations(ctx(), g.ID, before, limit)
		b.ok(err)
		for _, r := range all {
			out = append(out, r.ID)
		}
		return out
	}
	b.equal(list("", 2), []passport.ReservationID{holds[4].ID, holds[3].ID})
	b.equal(list(holds[3].ID, 2), []passport.ReservationID{holds[2].ID, holds[1].ID})
	b.equal(list(holds[1].ID, 9), []passport.ReservationID{holds[0].ID})
	b.equal(list("", 0), []passport.ReservationID(nil))
	totals := func(since time.Time) string {
		settled, held, calls, err := b.s.Totals(ctx(), passport.OwnerPays, since)
		b.ok(err)
		return fmt.Sprint(int64(settled), int64(held), calls)
	}
	b.equal(totals(time.Time{}), "30 207 5")
	b.equal(totals(Epoch().Add(2*time.Minute)), "20 207 2")
	b.equal(totals(Epoch().Add(time.Hour)), "0 207 0")

	checkSpent(b, g.ID, other.ID)

	at, err := b.s.Stops(ctx(), passport.OwnerPays)
	b.ok(err)
	b.equal(at, passport.Stops{})
	stop := b.event(passport.AppsStopped, "")
	b.ok(b.s.Stop(ctx(), true, stop))
	stop.At = stop.At.Add(time.Hour)
	b.ok(b.s.Stop(ctx(), true, stop))
	at, err = b.s.Stops(ctx(), passport.OwnerPays)
	b.ok(err)
	b.equal(at, passport.Stops{All: Epoch()})
	b.ok(b.s.Stop(ctx(), false, stop))
	at, err = b.s.Stops(ctx(), passport.OwnerPays)
	b.ok(err)
	b.equal(at, passport.Stops{})
}

// checkSpent sums the calls of testHistory by the minute and by the hour.
func checkSpent(b *bench, g, other passport.GrantID) {
	spent := func(since time.Time, every time.Duration, limit int) (out []string) {
		all, err := b.s.SpentSince(ctx(), passport.OwnerPays, since, every, limit)
		b.ok(err)
		for _, s := range all {
			who := map[passport.GrantID]string{g: "g", other: "other"}[s.Grant]
			out = append(out, fmt.Sprint(s.Begins.Sub(Epoch()), " ", who, " ", s.Calls, " ", int64(s.Settled), " ", int64(s.Held)))
		}
		slices.Sort(out)
		return out
	}
	b.equal(spent(Epoch().Truncate(time.Hour), time.Hour, 10), []string{"0s g 4 30 200", "0s other 1 0 7"})
	b.equal(spent(Epoch().Add(2*time.Minute), time.Minute, 10), []string{"2m0s g 1 0 100", "3m0s g 1 20 0", "4m0s g 0 0 0"})
	b.equal(spent(Epoch().Add(2*time.Minute), time.Minute, 1), []string{"4m0s g 0 0 0"})
	b.equal(spent(Epoch().Add(time.Hour), time.Hour, 10), []string(nil))
}

func testEvents(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 10))
	h := b.hold(g.ID, 100)
	b.settle(settlement(h, 30))
	long := b.ask(g.ID, 1)
	long.Model = strings.Repeat("é", 400)
	_, err := b.s.Hold(ctx(), long)
	b.ok(err)
	_, _, err = b.s.ChargeOrphans(ctx(), Epoch())
	b.ok(err)
	// Calls that went as they should are told by the ledger, not by events.
	b.equal(b.kinds(g.ID), []passport.EventKind{passport.GrantRequested, passport.GrantApproved, passport.CallCharged})
	all, last, err := b.s.Events(ctx(), 0, 3)
	b.ok(err)
	b.equal(all[0], passport.Event{ID: all[0].ID, Kind: passport.GrantRequested, At: Epoch(), Actor: "owner:p1", Grant: g.ID, Note: "a note"})
	b.equal(all[2], passport.Event{ID: all[2].ID, Kind: passport.CallCharged, At: Epoch(), Actor: "broker", Grant: g.ID, Note: all[2].Note})
	if !strings.Contains(all[2].Note, "$0.000001") {
		b.t.Fatalf("got note %q, want the amount in it", all[2].Note)
	}
	rest, end, err := b.s.Events(ctx(), last, 100)
	b.ok(err)
	b.equal(append(all, rest...), b.events())
	none, same, err := b.s.Events(ctx(), end, 100)
	b.ok(err)
	b.equal([]any{len(none), same}, []any{0, end})
	ids := map[passport.EventID]bool{}
	for _, ev := range b.events() {
		if ids[ev.ID] || len(ev.Note) > passport.MaxNote {
			b.t.Fatalf("event %s comes twice, or its note is too long (%d)", ev.ID, len(ev.Note))
		}
		ids[ev.ID] = true
	}
}

func testReopen(_ *testing.T, b *bench) {
	g := b.active(Detail(10, 100), Detail(20, 3))
	b.ok(b.s.AddToken(ctx(), passport.Token{ID: "t1", Grant: g.ID, IssuedAt: Epoch(), ExpiresAt: Epoch()}, b.event(passport.TokenIssued, g.ID)))
	b.hold(g.ID, 100)
	h := b.hold(g.ID, 100)
	b.ok(b.s.Settle(ctx(), settlement(h, 40)))
	b.ok(b.s.Stop(ctx(), true, b.event(passport.AppsStopped, "")))
	b.flush() // a look at a token does not wait for what is queued
	before, err := b.s.Liveness(ctx(), "t1")
	b.ok(err)
	events := b.events()
	b.reopen()
	after, err := b.s.Liveness(ctx(), "t1")
	b.ok(err)
	b.equal(after, before)
	b.equal(b.events(), events)
	b.total(g.ID, passport.Balance{Cap: 30 * passport.Cent, Settled: 40, Held: 100, CallsCap: 103, Calls: 2})
	b.ok(b.s.Stop(ctx(), false, b.event(passport.AppsResumed, "")))
	last := b.hold(g.ID, 7)
	b.ok(b.s.Settle(ctx(), settlement(last, 7))) // committed by Close
	b.reopen()
	b.total(g.ID, passport.Balance{Cap: 30 * passport.Cent, Settled: 47, Held: 100, CallsCap: 103, Calls: 3})
}
