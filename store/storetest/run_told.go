package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// marks lists what was told of marks that were passed, in order, and forgets nothing.
func (b *bench) marks(g passport.GrantID) (out []passport.EventKind) {
	b.t.Helper()
	b.flush()
	for _, ev := range b.events() {
		switch ev.Kind {
		case passport.GrantNearCap, passport.GrantSpent, passport.GrantNearCalls, passport.GrantCallsSpent, passport.CeilingNear, passport.CeilingSpent:
			if ev.Grant == g {
				out = append(out, ev.Kind)
			}
		}
	}
	return out
}

func kinds(all ...passport.EventKind) []passport.EventKind { return all }

// spend holds and settles so much.
func (b *bench) spend(g passport.GrantID, held, actual passport.Money) passport.Hold {
	b.t.Helper()
	h := b.hold(g, held)
	b.settle(settlement(h, actual))
	return h
}

func testPassed(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 1000)) // 10,000 micro-dollars
	b.spend(g.ID, 10_000, 7999)    // a hold past the mark is not spending
	b.equal(b.marks(g.ID), kinds())
	h := b.spend(g.ID, 1, 1)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap))
	told, err := b.s.EventsOf(ctx(), g.ID, 1)
	b.ok(err)
	b.equal([]any{told[0].Kind, told[0].Actor, told[0].Grant, told[0].Note},
		[]any{passport.GrantNearCap, "broker", g.ID, "$0.008 of $0.01 is spent"})
	if at := told[0].At; at.Before(h.At) || at.After(h.At.Add(time.Second)) {
		b.t.Fatalf("got the time %v, want that of the settlement", at)
	}
	for range 5 {
		b.spend(g.ID, 200, 100)
	}
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap))
	b.spend(g.ID, 1500, 1500)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap, passport.GrantSpent))

	// A higher cap arms it again; a pause does not.
	g = b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(2, 1000)} })
	b.spend(g.ID, 5999, 5999)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap, passport.GrantSpent))
	b.spend(g.ID, 1, 1)
	g = b.change(b.change(g, to(passport.GrantPaused)), to(passport.GrantActive))
	b.spend(g.ID, 1, 1)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap, passport.GrantSpent, passport.GrantNearCap))

	// From below the first mark past the last: the first says nothing that the last does not.
	once := b.active(Detail(1, 1000))
	b.spend(once.ID, 10_000, 10_000)
	b.equal(b.marks(once.ID), kinds(passport.GrantSpent))

	// A cap that comes down to what is held.
	low := b.active(Detail(100, 1000))
	h = b.hold(low.ID, 900)
	b.change(low, func(g *passport.Grant) {
		g.Details = []passport.Detail{Detail(0, 1000)}
		g.Details[0].MaxBudgetCents = passport.LimitOf(1)
	})
	b.settle(settlement(h, 900))
	b.equal(b.marks(low.ID), kinds())
	low2 := b.active(Detail(100, 1000))
	h = b.hold(low2.ID, 9000)
	b.change(low2, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(1, 1000)} })
	b.settle(settlement(h, 9000))
	b.equal(b.marks(low2.ID), kinds(passport.GrantNearCap))
	b.sound()
}

func testPassedCalls(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 5))
	for range 3 {
		b.spend(g.ID, 1, 1)
	}
	b.equal(b.marks(g.ID), kinds())
	for range 3 { // what was not sent is given back, and told no second time
		h := b.hold(g.ID, 1)
		s := settlement(h, 0)
		s.Reached, s.Why = false, passport.NotSent
		b.settle(s)
	}
	b.equal(b.marks(g.ID), kinds())
	b.spend(g.ID, 1, 1)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCalls))
	b.spend(g.ID, 1, 1)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCalls, passport.GrantCallsSpent))
	b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(1000, 100)} })
	b.spend(g.ID, 1, 1)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCalls, passport.GrantCallsSpent))
}

// testTellSpent: what is left pays for no call. Told once, not while money that is held may come back, and again after another cap.
func testTellSpent(_ *testing.T, b *bench) {
	tell := func(g passport.GrantID, least passport.Money) {
		b.t.Helper()
		b.ok(b.s.TellSpent(ctx(), g, least, Epoch().Add(time.Hour)))
	}
	g := b.active(Detail(1, 1000))
	h := b.hold(g.ID, 9950)
	tell(g.ID, 100) // held is not spent
	b.settle(settlement(h, 7000))
	tell(g.ID, 3000)
	tell("nobody", 100)
	b.equal(b.marks(g.ID), kinds())
	tell(g.ID, 3001)
	tell(g.ID, 3001)
	b.equal(b.marks(g.ID), kinds(passport.GrantSpent))
	told, err := b.s.EventsOf(ctx(), g.ID, 1)
	b.ok(err)
	b.equal([]any{told[0].Actor, told[0].Note, told[0].At}, []any{"broker", "$0.003 of $0.01 is left, which pays for no call", Epoch().Add(time.Hour)})
	b.spend(g.ID, 1000, 1000) // 80 % says nothing any more, and neither does all
	b.spend(g.ID, 2000, 2000)
	tell(g.ID, passport.MaxMoney)
	b.equal(b.marks(g.ID), kinds(passport.GrantSpent))

	g = b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(2, 1000)} })
	tell(g.ID, 10_000)
	b.equal(b.marks(g.ID), kinds(passport.GrantSpent))
	tell(g.ID, 10_001)
	b.equal(b.marks(g.ID), kinds(passport.GrantSpent, passport.GrantSpent))

	nothing := b.active(Detail(0, 1000)) // a cap of nothing is not spent
	tell(nothing.ID, 1)
	b.equal(b.marks(nothing.ID), kinds())
	b.sound()
}

// testPassedByNothing: a settlement that comes again changes nothing, so it tells nothing, whatever is in flight meanwhile.
func testPassedByNothing(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 2))
	first := b.hold(g.ID, 1)
	b.settle(settlement(first, 1))
	second := b.hold(g.ID, 1)
	b.settle(settlement(first, 1))
	b.equal(b.marks(g.ID), kinds())
	b.settle(settlement(second, 1))
	b.equal(b.marks(g.ID), kinds(passport.GrantCallsSpent))
}

func testPassedUnseen(_ *testing.T, b *bench) {
	breach := b.active(Detail(1, 1000))
	b.spend(breach.ID, 10, 8000)
	b.equal(b.marks(breach.ID), kinds(passport.GrantNearCap))

	g := b.active(Detail(1, 1000))
	b.hold(g.ID, 4000)
	b.hold(g.ID, 5000)
	b.equal(b.marks(g.ID), kinds())
	b.ok(b.s.Close())
	b.s = b.open(b.t, b.place)
	_, _, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap))
}

func testPassedCeiling(_ *testing.T, b *bench) {
	set := func(id passport.CeilingID, most passport.Money) {
		b.t.Helper()
		b.ok(b.s.SetCeiling(ctx(), id, most, b.event(passport.CeilingSet, "")))
	}
	set(passport.PersonCeiling, 1000)
	set(passport.KeyCeiling(passport.OpenAI), 2000)
	g := b.active(Detail(100, 1000))
	b.spend(g.ID, 400, 400)
	b.spend(g.ID, 300, 300)
	b.equal(b.marks(""), kinds())
	b.spend(g.ID, 100, 100)
	b.spend(g.ID, 10, 10)
	b.equal(b.marks(""), kinds(passport.CeilingNear))
	set(passport.PersonCeiling, 5000)
	b.spend(g.ID, 400, 400)
	b.spend(g.ID, 390, 390)
	b.equal(b.marks(""), kinds(passport.CeilingNear, passport.CeilingNear)) // the second is the key's
	all := b.events()
	i := slices.IndexFunc(all, func(ev passport.Event) bool { return ev.Kind == passport.CeilingNear })
	b.equal(all[i].Note, "limit a month, person, 202603: $0.0008 of $0.001 is spent")
}
