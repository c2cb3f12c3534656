package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// with asks for a hold on a call that is lent a key.
func (b *bench) with(key passport.CredentialID, g passport.GrantID, amount passport.Money) passport.Hold {
	h := b.ask(g, amount)
	h.Credential = key
	return h
}

func (b *bench) holdWith(key passport.CredentialID, g passport.GrantID, amount passport.Money) passport.Hold {
	b.t.Helper()
	h := b.with(key, g, amount)
	_, err := b.s.Hold(ctx(), h)
	b.ok(err)
	return h
}

// A ceiling over one key counts what is spent with that key, by whichever grant, and lets other keys of its provider alone.
func testCeilingKey(_ *testing.T, b *bench) {
	mine, other := passport.CredentialCeiling("mine"), passport.CredentialCeiling("other")
	one, two := b.active(Detail(100, 50)), b.active(Detail(100, 50))
	b.settle(settlement(b.holdWith("mine", one.ID, 900), 700))
	open := b.holdWith("mine", two.ID, 300)
	b.settle(settlement(b.hold(one.ID, 5000), 5000)) // with a key that was not noted
	b.ceiling(mine, 10_000)
	b.march(mine, passport.Ceiling{Cap: 10_000, Earlier: 700, Held: 300})

	held, err := b.s.Hold(ctx(), b.with("mine", one.ID, 1000))
	b.ok(err)
	b.equal(held.Left, passport.Money(8000))
	b.march(mine, passport.Ceiling{Cap: 10_000, Earlier: 700, Held: 1300})
	b.refuse(b.with("mine", one.ID, 8001), problem.BudgetSpent, "the owner's limit for the provider key in use for this month")
	h := b.holdWith("other", one.ID, 50_000)
	b.settle(settlement(h, 40_000))
	b.settle(settlement(open, 250))
	b.march(mine, passport.Ceiling{Cap: 10_000, Earlier: 700, Settled: 250, Held: 1000})

	// All three on one path: each counts, and the smallest refuses.
	b.ceiling(passport.PersonCeiling, 100_000)
	b.ceiling(openAICeiling, 80_000)
	b.ceiling(other, 0)
	b.refuse(b.with("other", two.ID, 1), problem.BudgetSpent, "provider key")
	b.settle(settlement(b.holdWith("mine", two.ID, 500), 400))
	b.march(mine, passport.Ceiling{Cap: 10_000, Earlier: 700, Settled: 650, Held: 1000})
	b.march(openAICeiling, passport.Ceiling{Cap: 80_000, Earlier: 45_950, Settled: 400, Held: 1000})
	b.march(passport.PersonCeiling, passport.Ceiling{Cap: 100_000, Earlier: 45_950, Settled: 400, Held: 1000})

	// What is recovered, and what is corrected after, is on the key's month too.
	late := b.holdWith("mine", two.ID, 2000)
	b.ok(b.s.RemoveCeiling(ctx(), mine, b.event("", ""))) // the calls that hold on it still settle there
	b.reopen()
	_, _, err = b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	b.ok(err)
	b.settle(settlement(late, 100))
	b.ceiling(mine, 10_000)
	b.march(mine, passport.Ceiling{Cap: 10_000, Settled: 1750, Earlier: 700})
	b.ok(b.s.RemoveCredential(ctx(), b.aKey("mine"), b.event("", "")))
	_, set := b.onCeiling(mine, Epoch())
	b.equal(set, false) // it went with the key
	b.sound()
}

// aKey stores a key.
func (b *bench) aKey(id passport.CredentialID) passport.CredentialID {
	b.t.Helper()
	b.ok(b.s.AddCredential(ctx(), passport.Credential{ID: id, Provider: passport.OpenAI, Label: string(id), Sealed: []byte{1}, CreatedAt: Epoch()}, b.event("", "")))
	return id
}

// 80 % and all of a key's ceiling are told, once each.
func testPassedKey(_ *testing.T, b *bench) {
	b.ceiling(passport.CredentialCeiling("mine"), 1000)
	g := b.active(Detail(100, 1000))
	for _, spent := range []passport.Money{400, 300, 90} {
		b.settle(settlement(b.holdWith("mine", g.ID, spent/2), spent/2))
		b.settle(settlement(b.holdWith("mine", g.ID, spent/2), spent/2))
		b.settle(settlement(b.holdWith("other", g.ID, 1000), 1000))
	}
	b.equal(b.marks(""), kinds())
	b.settle(settlement(b.holdWith("mine", g.ID, 20), 20))
	b.equal(b.marks(""), kinds(passport.CeilingNear))
}

// Two grants and two keys, 200 holds at once: what is billed with each key stays within its own ceiling.
func testCeilingKeyRace(t *testing.T, b *bench) {
	keys := []passport.CredentialID{"mine", "other"}
	const most = 5 * passport.Cent
	for _, k := range keys {
		b.ceiling(passport.CredentialCeiling(k), most)
	}
	grants := []passport.Grant{b.active(Detail(1000, 100_000)), b.active(Detail(1000, 100_000))}
	var mu sync.Mutex
	billed := map[passport.CredentialID]passport.Money{}
	parallel(200, func(i int) {
		h := b.with(keys[i%2], grants[i/2%2].ID, 999)
		switch _, err := b.s.Hold(ctx(), h); {
		case err == nil:
			mu.Lock()
			billed[h.Credential] += 999
			mu.Unlock()
			if err := b.s.Settle(ctx(), settlement(h, 999)); err != nil {
				t.Errorf("got %v, want it settled", err)
			}
		case !isKind(err, problem.BudgetSpent) && !isKind(err, problem.Busy):
			t.Errorf("got %v, want the ceiling to refuse", err)
		}
	})
	b.flush()
	for _, k := range keys {
		if billed[k] > most || billed[k] == 0 {
			t.Fatalf("billed %v of %v with %s", billed[k], most, k)
		}
		b.march(passport.CredentialCeiling(k), passport.Ceiling{Cap: most, Settled: billed[k]})
	}
}
