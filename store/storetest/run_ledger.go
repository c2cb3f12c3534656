package storetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func testHold(_ *testing.T, b *bench) {
	google := Detail(30, 5)
	google.Provider = passport.Google
	g := b.active(Detail(100, 10), google)
	h := b.ask(g.ID, 7)
	h.Detail, h.Provider, h.Stream = 1, passport.Google, true
	held, err := b.s.Hold(ctx(), h)
	b.ok(err)
	detail := passport.Balance{Cap: 30 * passport.Cent, Held: 7, CallsCap: 5, Calls: 1}
	total := passport.Balance{Cap: 130 * passport.Cent, Held: 7, CallsCap: 15, Calls: 1}
	b.equal(held, passport.Held{Amount: 7, Total: total, Detail: detail, Left: 30*passport.Cent - 7})
	b.equal(b.standing(g.ID).Details, []passport.Balance{{Cap: 100 * passport.Cent, CallsCap: 10}, detail})
	b.total(g.ID, total)
	all, err := b.s.Reservations(ctx(), g.ID, "", 10)
	b.ok(err)
	want := passport.Reservation{ID: h.ID, Grant: g.ID, Detail: 1, Provider: passport.Google, Model: "gpt-4o", Stream: true,
		State: passport.ReservationHeld, Amount: 7, Tariff: "2026-03", CreatedAt: h.At}
	b.equal(all, []passport.Reservation{want})

	s := settlement(h, 4)
	b.settle(s)
	total.Held, total.Settled = 0, 4
	b.total(g.ID, total)
	want.State, want.Actual, want.Usage, want.Why, want.EndedAt = passport.ReservationSettled, 4, s.Usage, s.Why, s.At
	all, err = b.s.Reservations(ctx(), g.ID, "", 10)
	b.ok(err)
	b.equal(all, []passport.Reservation{want})

	single := b.active(Detail(1, 1))
	held, err = b.s.Hold(ctx(), b.ask(single.ID, 9))
	b.ok(err)
	b.equal(held.Detail, held.Total)

	again, unused := b.ask(g.ID, 1), b.active(Detail(1, 1))
	again.At = h.At.Add(time.Minute)
	_, err = b.s.Hold(ctx(), again)
	b.ok(err)
	last, err := b.s.LastCalls(ctx(), []passport.GrantID{g.ID, unused.ID, "nothing"})
	b.ok(err)
	b.equal(last, map[passport.GrantID]time.Time{g.ID: again.At})
}

func testHoldRefusals(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 3))
	refuse := func(h passport.Hold, want problem.Kind, words ...string) {
		b.t.Helper()
		before, events := b.standing(h.Grant), len(b.events())
		_, err := b.s.Hold(ctx(), h)
		b.is(err, want)
		for _, w := range words {
			if !strings.Contains(problem.From(err).Detail, w) {
				b.t.Fatalf("got detail %q, want it to say %q", problem.From(err).Detail, w)
			}
		}
		b.equal(b.standing(h.Grant), before)
		b.equal(len(b.events()), events)
	}
	_, err := b.s.Hold(ctx(), b.ask("nobody", 1))
	b.is(err, problem.NotFound)
	refuse(b.ask(b.pending(Detail(1, 1)).ID, 1), problem.GrantEnded, "pending")
	first := b.hold(g.ID, 4000)
	refuse(b.ask(g.ID, 6001), problem.BudgetSpent, "$0.006 ", "$0.006001", "$0.01 ")
	refuse(first, problem.Conflict)
	b.hold(g.ID, 6000)
	refuse(b.ask(g.ID, 1), problem.BudgetSpent, "$0.00 ")
	refuse(first, problem.Conflict) // also where a new one would be refused
	b.hold(g.ID, 0)
	refuse(b.ask(g.ID, 0), problem.CallsSpent, "3")

	late := b.ask(b.active(Detail(1, 1)).ID, 1)
	late.At = Epoch().Add(time.Hour)
	refuse(late, problem.GrantEnded, "expired")
	late.At = late.At.Add(-time.Microsecond)
	_, err = b.s.Hold(ctx(), late)
	b.ok(err)

	for state, want := range map[passport.GrantState]problem.Kind{passport.GrantPaused: problem.GrantPaused,
		passport.GrantRevoked: problem.GrantEnded, passport.GrantExpired: problem.GrantEnded} {
		other := b.active(Detail(1, 3))
		b.change(other, to(state))
		refuse(b.ask(other.ID, 1), want)
	}
	resumed := b.change(b.change(b.active(Detail(1, 3)), to(passport.GrantPaused)), to(passport.GrantActive))
	b.hold(resumed.ID, 1)

	b.ok(b.s.Stop(ctx(), true, b.event(passport.AppsStopped, "")))
	refuse(b.ask(resumed.ID, 1), problem.GrantPaused, "stopped")
	_, err = b.s.Hold(ctx(), b.ask("nobody", 1))
	b.is(err, problem.GrantPaused)
	b.ok(b.s.Stop(ctx(), false, b.event(passport.AppsResumed, "")))
	b.hold(resumed.ID, 1)
	b.sound()
}

func testHoldInvalid(_ *testing.T, b *bench) {
	g := b.active(Detail(passport.MaxCents, 10), Detail(passport.MaxCents, 10))
	one := b.active(Detail(100, 10))
	for name, edit := range map[string]func(*passport.Hold){
		"negative amount":       func(h *passport.Hold) { h.Amount, h.Least = -1, -1 },
		"negative least":        func(h *passport.Hold) { h.Least = -1 },
		"least above amount":    func(h *passport.Hold) { h.Amount, h.Least = 0, 1 },
		"amount above MaxMoney": func(h *passport.Hold) { h.Amount = passport.MaxMoney + 1 },
		"no id":                 func(h *passport.Hold) { h.ID = "" },
		"no grant":              func(h *passport.Hold) { h.Grant = "" },
		"detail before first":   func(h *passport.Hold) { h.Detail = -1 },
		"detail after last":     func(h *passport.Hold) { h.Detail = 2 },
		"second of one detail":  func(h *passport.Hold) { h.Grant, h.Detail = one.ID, 1 },
		"detail far out":        func(h *passport.Hold) { h.Detail = 1 << 40 },
	} {
		h := b.ask(g.ID, 1)
		edit(&h)
		if _, err := b.s.Hold(ctx(), h); !isKind(err, problem.Invalid) {
			b.t.Errorf("%s: got %v, want it to be invalid", name, err)
		}
	}
	b.is(b.s.Settle(ctx(), passport.Settlement{ID: "x", Actual: -1}), problem.Invalid)
	b.is(b.s.Settle(ctx(), passport.Settlement{}), problem.Invalid)
	b.hold(g.ID, passport.MaxMoney)
	b.total(g.ID, passport.Balance{Cap: 2 * passport.MaxMoney, Held: passport.MaxMoney, CallsCap: 20, Calls: 1})
}

func testZero(_ *testing.T, b *bench) {
	_, err := b.s.Hold(ctx(), b.ask(b.active(Detail(0, 5)).ID, 1))
	b.is(err, problem.BudgetSpent)
	_, err = b.s.Hold(ctx(), b.ask(b.active(Detail(5, 0)).ID, 0))
	b.is(err, problem.CallsSpent)
	unset := Detail(0, 0)
	unset.MaxBudgetCents, unset.MaxRequests = passport.Limit{}, passport.LimitOf(5)
	g := b.active(unset)
	h := b.ask(g.ID, 1)
	h.Least = 0
	_, err = b.s.Hold(ctx(), h)
	b.is(err, problem.BudgetSpent)
	b.hold(g.ID, 0) // a free model spends a call, and no money
	b.total(g.ID, passport.Balance{CallsCap: 5, Calls: 1})
}

func testLeast(_ *testing.T, b *bench) {
	google := Detail(1, 5)
	google.Provider = passport.Google
	g := b.active(Detail(2, 10), google)
	h := b.ask(g.ID, 5*passport.Cent)
	h.Detail, h.Provider, h.Least = 1, passport.Google, passport.Cent
	held, err := b.s.Hold(ctx(), h)
	b.ok(err)
	b.equal(held.Amount, passport.Cent) // the smaller of the two budgets decides
	again := h
	again.ID, again.Least = "again", 1
	_, err = b.s.Hold(ctx(), again)
	b.is(err, problem.BudgetSpent)
	if d := problem.From(err).Detail; !strings.Contains(d, "Google") {
		b.t.Fatalf("got %q, want it to name the budget that is too small", d)
	}
	h = b.ask(g.ID, 5*passport.Cent)
	h.Least = 2*passport.Cent + 1
	_, err = b.s.Hold(ctx(), h)
	b.is(err, problem.BudgetSpent)
	b.total(g.ID, passport.Balance{Cap: 3 * passport.Cent, Held: passport.Cent, CallsCap: 15, Calls: 1})
}

// race asks for n holds at once and says how many were given; any refusal but of one kind fails.
func (b *bench) race(n int, g passport.GrantID, detail func(i int) int, amount passport.Money, refusal problem.Kind) int {
	var given atomic.Int64
	parallel(n, func(i int) {
		h := b.ask(g, amount)
		h.Detail = detail(i)
		switch _, err := b.s.Hold(ctx(), h); {
		case err == nil:
			given.Add(1)
		case !isKind(err, refusal):
			b.t.Errorf("got %v, want a problem of kind %d", err, refusal)
		}
	})
	return int(given.Load())
}

func detailZero(int) int { return 0 }

func testCallsRace(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 10))
	b.equal(b.race(200, g.ID, detailZero, 1, problem.CallsSpent), 10)
	b.total(g.ID, passport.Balance{Cap: 1000 * passport.Cent, Held: 10, CallsCap: 10, Calls: 10})
}

func testMoneyRace(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 1000))
	b.equal(b.race(200, g.ID, detailZero, 999, problem.BudgetSpent), 10)
	b.total(g.ID, passport.Balance{Cap: passport.Cent, Held: 9990, CallsCap: 1000, Calls: 10})
}

func testDetailsRace(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 1000), Detail(2, 1000), Detail(100, 7))
	b.equal(b.race(200, g.ID, func(i int) int { return i % 2 }, 1000, problem.BudgetSpent), 30)
	b.equal(b.race(50, g.ID, func(int) int { return 2 }, 1, problem.CallsSpent), 7)
	details := b.standing(g.ID).Details
	for i, want := range []passport.Balance{
		{Cap: passport.Cent, Held: passport.Cent, CallsCap: 1000, Calls: 10},
		{Cap: 2 * passport.Cent, Held: 2 * passport.Cent, CallsCap: 1000, Calls: 20},
		{Cap: 100 * passport.Cent, Held: 7, CallsCap: 7, Calls: 7},
	} {
		b.equal(details[i], want)
	}
	b.total(g.ID, passport.Balance{Cap: 103 * passport.Cent, Held: 3*passport.Cent + 7, CallsCap: 2007, Calls: 37})
}

func testRevokeRace(t *testing.T, b *bench) {
	g := b.active(Detail(passport.MaxCents, passport.MaxCalls))
	var revoked atomic.Bool
	var after, before atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		parallel(32, func(int) {
			for n := 0; n < 2000; n++ {
				late := revoked.Load()
				_, err := b.s.Hold(ctx(), b.ask(g.ID, 1))
				if err != nil && !isKind(err, problem.GrantEnded) {
					t.Errorf("got %v, want the grant to have ended", err)
				}
				if err == nil && late {
					after.Add(1)
				}
				if err == nil && before.Add(1) == 100 {
					close(stop)
				}
				if late {
					return
				}
			}
		})
	}()
	select {
	case <-stop:
	case <-done: // too few holds were given, and said so
	}
	b.change(g, func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, Epoch() })
	revoked.Store(true)
	held := b.standing(g.ID).Total.Held
	<-done
	if after.Load() != 0 {
		t.Fatalf("%d holds were given after the revoke was acknowledged", after.Load())
	}
	b.equal(b.standing(g.ID).Total.Held, held)
	b.sound()
}
