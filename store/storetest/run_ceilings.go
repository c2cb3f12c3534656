package storetest

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var openAICeiling = passport.KeyCeiling(passport.OpenAI)

func (b *bench) ceiling(id passport.CeilingID, most passport.Money) {
	b.t.Helper()
	b.ok(b.s.SetCeiling(ctx(), id, most, b.event("", "")))
}

// onCeiling reads a ceiling in the month of a time; ok: it is set.
func (b *bench) onCeiling(id passport.CeilingID, at time.Time) (passport.Ceiling, bool) {
	b.t.Helper()
	of := id.Payer()
	if of == "" {
		of = passport.OwnerPays
	}
	all, err := b.s.Ceilings(ctx(), of, passport.MonthOf(at))
	b.ok(err)
	for _, c := range all {
		if c.ID == id {
			return c, true
		}
	}
	return passport.Ceiling{}, false
}

// alone is a ceiling that its person alone has set.
func alone(c passport.Ceiling) passport.Ceiling {
	if c.Most == (passport.Limit{}) && c.Own == (passport.Limit{}) {
		c.Own = passport.LimitOf(int64(c.Cap))
	}
	return c
}

// march checks a ceiling in the month of Epoch, and that all balances are the sums of their reservations.
func (b *bench) march(id passport.CeilingID, want passport.Ceiling) {
	b.t.Helper()
	want.ID, want.Month = id, 202603
	want = alone(want)
	got, _ := b.onCeiling(id, Epoch())
	b.equal(got, want)
	b.sound()
}

// refuse asks for a hold that must be refused and change nothing. The refusal must say all words, and no amount of the owner's.
func (b *bench) refuse(h passport.Hold, want problem.Kind, words ...string) {
	b.t.Helper()
	before, events := b.standing(h.Grant), len(b.events())
	months, err := b.s.Ceilings(ctx(), passport.OwnerPays, passport.MonthOf(h.At))
	b.ok(err)
	_, err = b.s.Hold(ctx(), h)
	b.is(err, want)
	for _, w := range words {
		if !strings.Contains(problem.From(err).Detail, w) {
			b.t.Fatalf("got detail %q, want it to say %q", problem.From(err).Detail, w)
		}
	}
	for _, said := range regexp.MustCompile(`\$[0-9.]+`).FindAllString(problem.From(err).Detail, -1) {
		if said != h.Amount.String() && said != h.Least.String() {
			b.t.Fatalf("got detail %q, which tells what the owner has", problem.From(err).Detail)
		}
	}
	after, err := b.s.Ceilings(ctx(), passport.OwnerPays, passport.MonthOf(h.At))
	b.ok(err)
	b.equal(after, months)
	b.equal(b.standing(h.Grant), before)
	b.equal(len(b.events()), events)
}

func testCeilings(_ *testing.T, b *bench) {
	for id, most := range map[passport.CeilingID]passport.Money{"": 1, "key:": 1, "someone": 1, passport.PersonCeiling: -1, openAICeiling: passport.MaxMoney + 1} {
		b.is(b.s.SetCeiling(ctx(), id, most, b.event("", "")), problem.Invalid)
	}
	none, err := b.s.Ceilings(ctx(), passport.OwnerPays, 202603)
	b.ok(err)
	b.equal(len(none), 0)
	b.ok(b.s.RemoveCeiling(ctx(), passport.PersonCeiling, b.event("", "")))
	b.equal(len(b.events()), 0) // nothing was there

	b.ceiling(passport.PersonCeiling, 5*passport.Dollar)
	b.ceiling(openAICeiling, 0)
	b.ceiling(passport.PersonCeiling, 7*passport.Dollar)
	all, err := b.s.Ceilings(ctx(), passport.OwnerPays, 202603)
	b.ok(err)
	b.equal(all, []passport.Ceiling{alone(passport.Ceiling{ID: openAICeiling, Month: 202603}), alone(passport.Ceiling{ID: passport.PersonCeiling, Month: 202603, Cap: 7 * passport.Dollar})})
	b.reopen()
	b.ok(b.s.RemoveCeiling(ctx(), openAICeiling, b.event("", "")))
	_, set := b.onCeiling(openAICeiling, Epoch())
	b.equal(set, false)
	var told []string
	for _, ev := range b.events() {
		told = append(told, string(ev.Kind)+" "+ev.Actor+" "+ev.Note)
	}
	b.equal(told, []string{
		"ceiling.set owner:p1 limit a month, person: from none to $5.00",
		"ceiling.set owner:p1 limit a month, key:openai: from none to $0.00",
		"ceiling.set owner:p1 limit a month, person: from $5.00 to $7.00",
		"ceiling.removed owner:p1 limit a month, key:openai: from $0.00 to none",
	})
}

func testCeilingPath(_ *testing.T, b *bench) {
	google := Detail(100, 50)
	google.Provider = passport.Google
	one, two := b.active(Detail(100, 50), google), b.active(Detail(100, 50))
	b.ceiling(passport.PersonCeiling, 80_000)
	b.ceiling(openAICeiling, 20_000)

	h := b.ask(one.ID, 3000)
	held, err := b.s.Hold(ctx(), h)
	b.ok(err)
	b.equal(held.Left, passport.Money(17_000)) // the key's is the smallest
	g := b.ask(one.ID, 5000)
	g.Detail, g.Provider = 1, passport.Google
	held, err = b.s.Hold(ctx(), g)
	b.ok(err)
	b.equal(held.Left, passport.Money(72_000)) // the key's does not count for Google
	b.march(openAICeiling, passport.Ceiling{Cap: 20_000, Held: 3000})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 80_000, Held: 8000})

	b.refuse(b.ask(two.ID, 17_001), problem.BudgetSpent, "the owner's limit for OpenAI for this month", "$0.017001")
	b.settle(settlement(h, 1000))
	free := settlement(g, 0)
	free.Reached = false
	b.settle(free)
	b.march(openAICeiling, passport.Ceiling{Cap: 20_000, Settled: 1000})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 80_000, Settled: 1000})

	// A bill above its hold is recorded whole, on every row.
	big := b.hold(two.ID, 100)
	b.settle(settlement(big, 30_000))
	b.march(openAICeiling, passport.Ceiling{Cap: 20_000, Settled: 31_000})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 80_000, Settled: 31_000})
	b.refuse(b.ask(one.ID, 1), problem.BudgetSpent, "OpenAI")
	g = b.ask(one.ID, 24_501)
	g.Detail, g.Provider = 1, passport.Google
	b.refuse(g, problem.BudgetSpent, "the owner's limit for this month")

	// Lower than what is spent: only new holds are refused. 0 is nothing, but what is free stays free. Removed: as before.
	g.ID, g.Amount, g.Least = "before", 2000, 2000
	_, err = b.s.Hold(ctx(), g)
	b.ok(err)
	b.ceiling(passport.PersonCeiling, 0)
	b.ceiling(openAICeiling, 0)
	b.settle(settlement(g, 2000))
	b.march(passport.PersonCeiling, passport.Ceiling{Settled: 33_000})
	b.refuse(b.ask(one.ID, 1), problem.BudgetSpent)
	b.settle(settlement(b.hold(one.ID, 0), 0))
	b.ok(b.s.RemoveCeiling(ctx(), openAICeiling, b.event("", "")))
	b.refuse(b.ask(one.ID, 1), problem.BudgetSpent, "the owner's limit for this month")
	b.ok(b.s.RemoveCeiling(ctx(), passport.PersonCeiling, b.event("", "")))
	b.hold(one.ID, 50_000)
	b.sound()
}

// A ceiling is set or removed between a hold and its settle: the rows that the hold took are the rows that are charged.
func testCeilingSwitch(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	ended, runs := b.hold(g.ID, 700), b.hold(g.ID, 400)
	b.settle(settlement(ended, 500))
	b.ceiling(passport.PersonCeiling, 10_000)
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Earlier: 500, Held: 400})
	b.refuse(b.ask(g.ID, 9101), problem.BudgetSpent)
	b.settle(settlement(runs, 300))
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Earlier: 500, Settled: 300})

	within, gone := b.hold(g.ID, 1000), b.hold(g.ID, 50)
	b.ok(b.s.RemoveCeiling(ctx(), passport.PersonCeiling, b.event("", "")))
	b.settle(settlement(within, 600))
	beside := b.hold(g.ID, 20_000) // as before: the path has no ceiling
	b.settle(settlement(beside, 2000))
	open := b.hold(g.ID, 70)
	b.ceiling(passport.PersonCeiling, 10_000)
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Earlier: 2500, Settled: 900, Held: 120})
	b.settle(settlement(gone, 50))
	b.settle(settlement(open, 7))
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Earlier: 2500, Settled: 957})

	// The key's: what other providers cost is not on it, and neither is last month.
	b.ceiling(openAICeiling, 10_000)
	b.ceiling(passport.KeyCeiling(passport.Google), 10_000)
	b.march(openAICeiling, passport.Ceiling{Cap: 10_000, Earlier: 3457})
	b.march(passport.KeyCeiling(passport.Google), passport.Ceiling{Cap: 10_000})
	b.ok(b.s.RemoveCeiling(ctx(), openAICeiling, b.event("", "")))
	later := b.event("", "")
	later.At = Epoch().AddDate(0, 1, 0)
	b.ok(b.s.SetCeiling(ctx(), openAICeiling, 10_000, later))
	april, _ := b.onCeiling(openAICeiling, later.At)
	b.equal(april, alone(passport.Ceiling{ID: openAICeiling, Month: 202604, Cap: 10_000}))
	b.sound()
}

// The month is the hold's, by its caller's clock, whenever the call is settled.
func testCeilingMonth(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	g = b.change(g, func(g *passport.Grant) { g.ExpiresAt = Epoch().AddDate(1, 0, 0) })
	b.ceiling(passport.PersonCeiling, 1000)
	at := func(at time.Time, amount passport.Money) passport.Hold {
		h := b.ask(g.ID, amount)
		h.At = at
		return h
	}
	end := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	last := at(end.Add(-time.Microsecond), 500)
	_, err := b.s.Hold(ctx(), last)
	b.ok(err)
	b.settle(settlement(last, 400)) // a second later, in April
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 1000, Settled: 400})
	b.refuse(at(end.Add(-time.Microsecond), 601), problem.BudgetSpent)
	first := at(end, 500)
	held, err := b.s.Hold(ctx(), first)
	b.ok(err)
	b.equal(held.Left, passport.Money(500))
	// The zone of the caller's clock does not matter.
	zone := at(end.Add(-time.Microsecond).In(time.FixedZone("", 5*3600)), 51)
	_, err = b.s.Hold(ctx(), zone)
	b.is(err, problem.Busy) // in March: 600 are left, of which half of what is above the 500 that run since
	b.settle(settlement(first, 500))
	zone.ID, zone.Amount, zone.Least = "zone", 300, 300
	_, err = b.s.Hold(ctx(), zone)
	b.ok(err)
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 1000, Settled: 400, Held: 300})
	april, _ := b.onCeiling(passport.PersonCeiling, end)
	b.equal(april, alone(passport.Ceiling{ID: passport.PersonCeiling, Month: 202604, Cap: 1000, Settled: 500}))
	b.sound()
}

// One app holds half of what the others' holds leave, at most.
func testCeilingShare(_ *testing.T, b *bench) {
	one, two, three := b.active(Detail(1000, 1000)), b.active(Detail(1000, 1000)), b.active(Detail(1000, 1000))
	b.ceiling(passport.PersonCeiling, 1000)
	b.refuse(b.ask(one.ID, 501), problem.BudgetSpent, "more than one app may hold")
	first := b.hold(one.ID, 300)
	b.hold(one.ID, 200)
	h := b.ask(one.ID, 1)
	b.refuse(h, problem.Busy, "running calls", "the owner's limit for this month")
	_, err := b.s.Hold(ctx(), h)
	if problem.From(err).RetryAfter <= 0 {
		b.t.Fatalf("got %v, want it to say when again", err)
	}
	b.hold(two.ID, 250)
	b.refuse(b.ask(two.ID, 1), problem.Busy)
	all := b.ask(three.ID, 1000)
	all.Least = 1
	held, err := b.s.Hold(ctx(), all)
	b.ok(err)
	b.equal([]any{held.Amount, held.Left}, []any{passport.Money(125), passport.Money(125)})
	all.ID, all.Least = "again", 0 // anything would do, and there is nothing for it
	b.refuse(all, problem.Busy)
	b.hold(three.ID, 0)
	b.settle(settlement(first, 0))
	b.hold(one.ID, 100)
	b.sound()

	// On a key's ceiling only the calls to that provider count, and on the person's all.
	google := Detail(1000, 1000)
	google.Provider = passport.Google
	both := b.active(Detail(1000, 1000), google)
	b.ok(b.s.RemoveCeiling(ctx(), passport.PersonCeiling, b.event("", "")))
	h = b.ask(both.ID, 5000)
	h.Detail, h.Provider = 1, passport.Google
	_, err = b.s.Hold(ctx(), h)
	b.ok(err)
	b.ceiling(openAICeiling, 10_000) // 9325 are left
	h = b.ask(both.ID, 4600)
	_, err = b.s.Hold(ctx(), h)
	b.ok(err)
	b.settle(settlement(h, 0))
	b.ceiling(passport.PersonCeiling, 20_000) // 14,325 are left, of which half of what is above 5000
	h.ID = "on the person's"
	b.ok(b.s.RemoveCeiling(ctx(), openAICeiling, b.event("", "")))
	h.Amount, h.Least = 4663, 4663
	b.refuse(h, problem.Busy)
	h.Amount, h.Least = 4662, 4662
	_, err = b.s.Hold(ctx(), h)
	b.ok(err)
	b.sound()
}

// Two grants under one ceiling, 200 holds at once: what is held and billed stays within it, and but for two calls all of it can be used.
func testCeilingRace(t *testing.T, b *bench) {
	grants := []passport.Grant{b.active(Detail(1000, 100_000)), b.active(Detail(1000, 100_000))}
	const most = 10 * passport.Cent
	b.ceiling(passport.PersonCeiling, most)
	b.ceiling(openAICeiling, 2*most)
	var mu sync.Mutex
	var billed passport.Money
	parallel(200, func(i int) {
		h := b.ask(grants[i%2].ID, 999)
		switch _, err := b.s.Hold(ctx(), h); {
		case err == nil:
			mu.Lock()
			billed += 999
			mu.Unlock()
			if err := b.s.Settle(ctx(), settlement(h, 999)); err != nil {
				t.Errorf("got %v, want it settled", err)
			}
		case !isKind(err, problem.BudgetSpent) && !isKind(err, problem.Busy):
			t.Errorf("got %v, want the ceiling to refuse", err)
		}
	})
	for { // what is left can be used
		h := b.ask(grants[0].ID, 999)
		if _, err := b.s.Hold(ctx(), h); err != nil {
			b.is(err, problem.BudgetSpent)
			break
		}
		billed += 999
		b.settle(settlement(h, 999))
	}
	b.flush()
	got, _ := b.onCeiling(passport.PersonCeiling, Epoch())
	b.equal(got, alone(passport.Ceiling{ID: passport.PersonCeiling, Month: 202603, Cap: most, Settled: billed}))
	if billed > most || billed < most*97/100 {
		t.Fatalf("billed %v of %v", billed, most)
	}
	b.march(openAICeiling, passport.Ceiling{Cap: 2 * most, Settled: billed})
}

// Recovery charges the rows that its holds took, and a late settlement corrects them.
func testCeilingOrphans(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	beside := b.hold(g.ID, 10)
	b.ceiling(openAICeiling, 10_000)
	h, off := b.hold(g.ID, 1000), b.hold(g.ID, 200)
	b.ok(b.s.RemoveCeiling(ctx(), openAICeiling, b.event("", "")))
	b.ceiling(passport.PersonCeiling, 5000)
	b.reopen()
	_, sum, err := b.s.ChargeOrphans(ctx(), Epoch().AddDate(0, 1, 0))
	b.ok(err)
	b.equal(sum, passport.Money(1210))
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 5000, Settled: 1210})
	b.settle(settlement(h, 300))
	b.settle(settlement(off, 500)) // more than its hold
	b.settle(settlement(beside, 1))
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 5000, Settled: 801})
	b.ceiling(openAICeiling, 10_000)
	b.march(openAICeiling, passport.Ceiling{Cap: 10_000, Settled: 801})
}
