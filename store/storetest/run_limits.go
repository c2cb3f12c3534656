package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var memberCeiling, memberOpenAI = passport.PersonCeilingOf("m1"), passport.KeyCeilingOf("m1", passport.OpenAI)

// testPeoplesMonths: a call is on the months of who pays for its grant, and of nobody else.
func testPeoplesMonths(_ *testing.T, b *bench) {
	b.member("m1")
	b.member("m2")
	mine, theirs, others := b.pay(passport.OwnerPays, Detail(1000, 100)), b.pay("m1", Detail(1000, 100)), b.pay("m2", Detail(1000, 100))
	b.ceiling(passport.PersonCeiling, 10_000)
	b.spend(theirs.ID, 2000, 1500) // before there is a limit of theirs
	running := b.hold(theirs.ID, 300)
	b.spend(mine.ID, 2000, 900)
	b.ceiling(memberCeiling, 8000)
	b.ceiling(memberOpenAI, 5000)
	b.march(memberCeiling, passport.Ceiling{Cap: 8000, Earlier: 1500, Held: 300})
	b.march(memberOpenAI, passport.Ceiling{Cap: 5000, Earlier: 1500, Held: 300})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Settled: 900})

	h := b.ask(theirs.ID, 1000)
	held, err := b.s.Hold(ctx(), h)
	b.ok(err)
	b.equal(held.Left, passport.Money(2200)) // the keys' is the smallest
	b.settle(settlement(running, 200))
	b.settle(settlement(h, 700))
	b.march(memberCeiling, passport.Ceiling{Cap: 8000, Earlier: 1500, Settled: 900})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Settled: 900})
	b.refuse(b.ask(theirs.ID, 2601), problem.BudgetSpent, "the person's limit for OpenAI for this month")
	b.ceiling(memberOpenAI, 9000)
	b.refuse(b.ask(theirs.ID, 5601), problem.BudgetSpent, "the person's limit for this month")
	b.refuse(b.ask(theirs.ID, 2801), problem.BudgetSpent, "one app may hold", "the person's limit for this month")
	held, err = b.s.Hold(ctx(), b.ask(others.ID, 20_000)) // who has set none has none
	b.ok(err)
	b.equal(held.Left, passport.Money(9_980_000))

	// What was passed on is on the same person's, and so is what a start charges. Nobody else can pay for it.
	foreign := b.narrowed(b.standing(theirs.ID).Grant, []int{0}, Detail(500, 100))
	foreign.Payer = passport.OwnerPays
	b.is(b.s.AddChild(ctx(), foreign, b.event(passport.GrantDelegated, foreign.ID)), problem.Invalid)
	child := b.child(b.standing(theirs.ID).Grant, []int{0}, Detail(500, 100))
	late := b.hold(child.ID, 1000)
	owners := b.hold(mine.ID, 50)
	b.ok(b.s.RemoveCeiling(ctx(), memberOpenAI, b.event("", "")))
	b.reopen()
	b.march(memberCeiling, passport.Ceiling{Cap: 8000, Earlier: 1500, Settled: 900, Held: 1000})
	_, _, err = b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	b.march(memberCeiling, passport.Ceiling{Cap: 8000, Earlier: 1500, Settled: 1900})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Settled: 950})
	b.settle(settlement(late, 400))
	b.settle(settlement(owners, 20))
	b.march(memberCeiling, passport.Ceiling{Cap: 8000, Earlier: 1500, Settled: 1300})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 10_000, Settled: 920})
	b.spend(child.ID, 10, 40) // a bill above its hold
	b.march(memberCeiling, passport.Ceiling{Cap: 8000, Earlier: 1500, Settled: 1340})

	// Set when it was gone, it has what they spent on that provider meanwhile, and nothing of the others'.
	b.ceiling(memberOpenAI, 9000)
	b.march(memberOpenAI, passport.Ceiling{Cap: 9000, Earlier: 1540, Settled: 1300})
	b.sound()
}

// testOwnersLimit: the lower of what a member has set and what the owner lets them have holds, and each changes their own.
func testOwnersLimit(_ *testing.T, b *bench) {
	b.member("m1")
	limit := func(of passport.PersonID, most passport.Limit) error {
		ev := b.event("", "")
		ev.Actor = "owner:o"
		return b.s.LimitMember(ctx(), of, most, ev)
	}
	b.is(limit("m2", passport.LimitOf(1)), problem.NotFound)
	b.is(limit("o", passport.LimitOf(1)), problem.NotFound) // the owner limits themselves by SetCeiling
	for _, most := range []int64{-1, int64(passport.MaxMoney) + 1} {
		b.is(limit("m1", passport.LimitOf(most)), problem.Invalid)
	}
	before := len(b.events())
	b.ok(limit("m1", passport.Limit{})) // there is none
	b.equal(len(b.events()), before)

	g := b.pay("m1", Detail(1000, 100))
	b.spend(g.ID, 1000, 600)
	b.ok(limit("m1", passport.LimitOf(5000)))
	both := func(own, most passport.Limit, most2 passport.Money) passport.Ceiling {
		return passport.Ceiling{Cap: most2, Own: own, Most: most, Earlier: 600}
	}
	none, of := passport.Limit{}, passport.LimitOf
	b.march(memberCeiling, both(none, of(5000), 5000))
	b.refuse(b.ask(g.ID, 4401), problem.BudgetSpent, "the person's limit for this month")
	b.ceiling(memberCeiling, 9000) // that lifts nothing
	b.march(memberCeiling, both(of(9000), of(5000), 5000))
	b.refuse(b.ask(g.ID, 4401), problem.BudgetSpent)
	b.ceiling(memberCeiling, 3000)
	b.march(memberCeiling, both(of(3000), of(5000), 3000))
	b.refuse(b.ask(g.ID, 2401), problem.BudgetSpent)
	b.ok(b.s.RemoveCeiling(ctx(), memberCeiling, b.event("", "")))
	b.march(memberCeiling, both(none, of(5000), 5000))
	b.ok(b.s.RemoveCeiling(ctx(), memberCeiling, b.event("", ""))) // theirs is none; the owner's stays
	b.reopen()
	b.march(memberCeiling, both(none, of(5000), 5000))
	b.ok(limit("m1", of(0)))
	b.refuse(b.ask(g.ID, 1), problem.BudgetSpent)
	b.ceiling(memberCeiling, 100_000)
	b.ok(limit("m1", none))
	b.march(memberCeiling, both(of(100_000), none, 100_000))
	b.hold(g.ID, 40_000)

	var told []string
	for _, ev := range b.events()[before:] {
		if ev.Kind == passport.CeilingSet || ev.Kind == passport.CeilingRemoved {
			told = append(told, string(ev.Kind)+" "+ev.Actor+" for "+string(ev.Payer)+": "+ev.Note)
		}
	}
	b.equal(told, []string{
		"ceiling.set owner:o for m1: most a month, person:m1: from none to $0.005",
		"ceiling.set owner:p1 for m1: limit a month, person:m1: from none to $0.009",
		"ceiling.set owner:p1 for m1: limit a month, person:m1: from $0.009 to $0.003",
		"ceiling.removed owner:p1 for m1: limit a month, person:m1: from $0.003 to none",
		"ceiling.set owner:o for m1: most a month, person:m1: from $0.005 to $0.00",
		"ceiling.set owner:p1 for m1: limit a month, person:m1: from none to $0.10",
		"ceiling.removed owner:o for m1: most a month, person:m1: from $0.00 to none",
	})
	b.sound()
}

// testLimitsEnd: a member's limits go with them; their months stay, for what still settles.
func testLimitsEnd(_ *testing.T, b *bench) {
	b.member("m1")
	b.member("m11")
	b.ceiling(passport.PersonCeiling, 10_000)
	b.ceiling(memberCeiling, 10_000)
	b.ceiling(memberOpenAI, 10_000)
	b.ceiling(passport.PersonCeilingOf("m11"), 7000)
	key := passport.Credential{ID: "c1", Payer: "m1", Provider: passport.OpenAI, Label: "l", Sealed: []byte{1}, CreatedAt: Epoch(), Version: 1}
	b.ok(b.s.AddCredential(ctx(), key, b.event(passport.CredentialAdded, "")))
	b.ceiling(passport.CredentialCeiling("c1"), 5000)
	b.ok(b.s.LimitMember(ctx(), "m1", passport.LimitOf(6000), b.event("", "")))
	open := b.hold(b.pay("m1", Detail(1000, 100)).ID, 100)
	sums, err := b.s.MemberSums(ctx(), Epoch(), Epoch())
	b.ok(err)
	b.equal(sums, map[passport.Payer]passport.MemberSum{
		"m1":  {Apps: 1, Calls: 1, Held: 100, Limit: passport.LimitOf(6000), Most: passport.LimitOf(6000)},
		"m11": {Limit: passport.LimitOf(7000)}})

	b.ok(b.s.SuspendPerson(ctx(), "m1", Epoch(), b.event(passport.PersonSuspended, "")))
	b.march(memberCeiling, passport.Ceiling{Cap: 6000, Own: passport.LimitOf(10_000), Most: passport.LimitOf(6000), Held: 100})
	b.ok(b.s.RemovePerson(ctx(), "m1", b.event(passport.PersonRemoved, "")))
	for of, want := range map[passport.Payer]int{"m1": 0, "m11": 1, passport.OwnerPays: 1} {
		all, err := b.s.Ceilings(ctx(), of, 202603)
		b.ok(err)
		b.equal(len(all), want)
	}
	b.is(b.s.LimitMember(ctx(), "m1", passport.LimitOf(1), b.event("", "")), problem.NotFound)
	b.settle(settlement(open, 70))
	b.sound()
}

// testPeoplesMarks: a mark is for whose limit it is, and no webhook is told of a member's.
func testPeoplesMarks(_ *testing.T, b *bench) {
	b.member("m1")
	key := passport.Credential{ID: "c1", Payer: "m1", Provider: passport.OpenAI, Label: "l", Sealed: []byte{1}, CreatedAt: Epoch(), Version: 1}
	b.ok(b.s.AddCredential(ctx(), key, b.event(passport.CredentialAdded, "")))
	b.ceiling(memberCeiling, 1000)
	b.ceiling(passport.CredentialCeiling("c1"), 2000)
	b.ceiling(passport.PersonCeiling, 1000)
	mine, theirs := b.pay(passport.OwnerPays, Detail(100, 1000)), b.pay("m1", Detail(100, 1000))
	b.ok(b.s.SetWebhook(ctx(), passport.Webhook{Site: "hook.example", Sealed: []byte{1}, CreatedAt: Epoch()}, b.event(passport.WebhookSet, "")))
	marks := func(of passport.PersonID, payer passport.Payer) (out []string) {
		b.t.Helper()
		b.flush()
		list, _, err := b.s.Activity(ctx(), of, payer, "", 0, 100)
		b.ok(err)
		for _, ev := range slices.Backward(list) {
			if ev.Kind == passport.CeilingNear || ev.Kind == passport.CeilingSpent {
				out = append(out, string(ev.Payer)+": "+ev.Note)
			}
		}
		return out
	}
	for _, n := range []passport.Money{400, 200, 200} {
		b.settle(settlement(b.holdWith("c1", theirs.ID, n), n))
	}
	b.equal(marks("m1", "m1"), []string{"m1: limit a month, person:m1, 202603: $0.0008 of $0.001 is spent"})
	b.equal(len(marks("o", passport.OwnerPays)), 0)
	b.ceiling(memberCeiling, 5000)
	h := b.holdWith("c1", theirs.ID, 600)
	b.settle(settlement(h, 900))
	b.equal(marks("m1", "m1")[1:], []string{"m1: limit a month, credential:c1, 202603: $0.0017 of $0.002 is spent"})
	w, err := b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w.Waiting, int64(0))

	b.spend(mine.ID, 450, 450)
	b.spend(mine.ID, 200, 200)
	b.spend(mine.ID, 150, 150)
	b.equal(marks("o", passport.OwnerPays), []string{"owner: limit a month, person, 202603: $0.0008 of $0.001 is spent"})
	b.equal(len(marks("m1", "m1")), 2)
	w, err = b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w.Waiting, int64(1))

	// What the owner lets a member have is for both to see, what the member sets for the member.
	ev := b.event("", "")
	ev.Actor = "owner:o"
	b.ok(b.s.LimitMember(ctx(), "m1", passport.LimitOf(5), ev))
	ev.ID, ev.Actor = "own", "owner:m1"
	b.ok(b.s.SetCeiling(ctx(), memberCeiling, 6, ev))
	seen := func(of passport.PersonID, payer passport.Payer) []string {
		list, _, err := b.s.Activity(ctx(), of, payer, "", 0, 2)
		b.ok(err)
		return []string{list[0].Note, list[1].Note}
	}
	b.equal(seen("m1", "m1"), []string{"limit a month, person:m1: from $0.005 to $0.000006", "most a month, person:m1: from none to $0.000005"})
	b.equal(seen("o", passport.OwnerPays)[0], "most a month, person:m1: from none to $0.000005")
}

// testPeoplesRace: two people at their limits, 200 holds at once: neither passes their own, and the other's is not touched.
func testPeoplesRace(t *testing.T, b *bench) {
	b.member("m1")
	grants := []passport.Grant{b.pay(passport.OwnerPays, Detail(1000, 100_000)), b.pay("m1", Detail(1000, 100_000)),
		b.pay(passport.OwnerPays, Detail(1000, 100_000)), b.pay("m1", Detail(1000, 100_000))}
	most := []passport.Money{7 * passport.Cent, 4 * passport.Cent}
	b.ceiling(passport.PersonCeiling, most[0])
	b.ceiling(memberCeiling, most[1]+passport.Cent)
	b.ok(b.s.LimitMember(ctx(), "m1", passport.LimitOf(int64(most[1])), b.event("", "")))
	var mu sync.Mutex
	var billed [2]passport.Money
	parallel(200, func(i int) {
		h := b.ask(grants[i%4].ID, 999)
		switch _, err := b.s.Hold(ctx(), h); {
		case err == nil:
			mu.Lock()
			billed[i%2] += 999
			mu.Unlock()
			if err := b.s.Settle(ctx(), settlement(h, 999)); err != nil {
				t.Errorf("got %v, want it settled", err)
			}
		case !isKind(err, problem.BudgetSpent) && !isKind(err, problem.Busy):
			t.Errorf("got %v, want the ceiling to refuse", err)
		}
	})
	for i, id := range []passport.CeilingID{passport.PersonCeiling, memberCeiling} {
		for { // what is left can be used
			h := b.ask(grants[i].ID, 999)
			if _, err := b.s.Hold(ctx(), h); err != nil {
				b.is(err, problem.BudgetSpent)
				break
			}
			billed[i] += 999
			b.settle(settlement(h, 999))
		}
		b.flush()
		got, _ := b.onCeiling(id, Epoch())
		b.equal([]passport.Money{got.Cap, got.Settled, got.Held}, []passport.Money{most[i], billed[i], 0})
		if billed[i] > most[i] || billed[i] < most[i]*9/10 {
			t.Fatalf("%s: billed %v of %v", id, billed[i], most[i])
		}
	}
	b.sound()
}

// testLateBreachBeside: limits that were set when recovery had charged a hold count it as earlier, and a late bill above it as well. One
// that is below changes nothing there: too much is counted, never too little.
func testLateBreachBeside(_ *testing.T, b *bench) {
	b.member("m1")
	mine, theirs := b.pay(passport.OwnerPays, Detail(1000, 100)), b.pay("m1", Detail(1000, 100))
	key := passport.CredentialCeiling("mine")
	h, lower, other := b.holdWith("mine", mine.ID, 1000), b.holdWith("mine", mine.ID, 500), b.hold(theirs.ID, 2000)
	b.ceiling(openAICeiling, 50_000) // from before: they hold on it
	_, _, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	b.ceiling(passport.PersonCeiling, 20_000)
	b.ceiling(key, 20_000)
	b.ceiling(memberCeiling, 20_000)
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 20_000, Earlier: 1500})

	bill := settlement(h, 9000)
	b.settle(bill)
	b.settle(bill) // once
	b.settle(settlement(lower, 100))
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 20_000, Earlier: 9500})
	b.march(key, passport.Ceiling{Cap: 20_000, Earlier: 9500})
	b.march(openAICeiling, passport.Ceiling{Cap: 50_000, Settled: 9100})
	b.march(memberCeiling, passport.Ceiling{Cap: 20_000, Earlier: 2000})
	next := b.pay(passport.OwnerPays, Detail(1000, 100))
	b.refuse(b.ask(next.ID, 10_501), problem.BudgetSpent, "the owner's limit for this month has less left")
	b.settle(settlement(other, 3000))
	b.march(memberCeiling, passport.Ceiling{Cap: 20_000, Earlier: 3000})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 20_000, Earlier: 9500})
	b.sound()
}
