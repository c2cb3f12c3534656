package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

func claimOf(key, body byte) passport.Claim {
	return passport.Claim{Key: [32]byte{key, 31: 1}, Body: [32]byte{body, 31: 2}}
}

// keyed is a hold with a key.
func (b *bench) keyed(g passport.GrantID, amount passport.Money, c passport.Claim) passport.Hold {
	h := b.ask(g, amount)
	h.Claim = c
	return h
}

func testClaim(_ *testing.T, b *bench) {
	g, other := b.active(Detail(1, 3)), b.active(Detail(1, 3))
	h := b.keyed(g.ID, 4000, claimOf(1, 1))
	_, err := b.s.First(ctx(), g.ID, h.Claim.Key, h.At)
	b.is(err, problem.NotFound)
	_, err = b.s.Hold(ctx(), h)
	b.ok(err)
	refuse := func(h passport.Hold, want problem.Kind) {
		b.t.Helper()
		before, events := b.standing(h.Grant), len(b.events())
		_, err := b.s.Hold(ctx(), h)
		b.is(err, want)
		b.equal(b.standing(h.Grant), before)
		b.equal(len(b.events()), events)
	}
	refuse(b.keyed(g.ID, 4000, claimOf(1, 1)), problem.KeyUsed)
	refuse(b.keyed(g.ID, 9000, claimOf(1, 1)), problem.KeyUsed) // also where there is no money
	refuse(b.keyed(g.ID, 1, claimOf(1, 2)), problem.KeyReused)
	_, err = b.s.Hold(ctx(), b.keyed(other.ID, 1, claimOf(1, 2))) // another grant's key is another key
	b.ok(err)

	// A hold that is refused takes no key.
	refuse(b.keyed(g.ID, 9000, claimOf(2, 1)), problem.BudgetSpent)
	_, err = b.s.Hold(ctx(), b.keyed(g.ID, 1, claimOf(2, 2)))
	b.ok(err)

	f, err := b.s.First(ctx(), g.ID, h.Claim.Key, h.At)
	b.ok(err)
	b.equal(f, passport.First{Claim: h.Claim, Call: passport.Reservation{ID: h.ID, Grant: g.ID, Provider: h.Provider, Model: h.Model,
		State: passport.ReservationHeld, Amount: 4000, Tariff: h.Tariff, CreatedAt: h.At}})
	s := settlement(h, 7)
	s.Claim = h.Claim
	b.ok(b.s.Settle(ctx(), s))
	f, err = b.s.First(ctx(), g.ID, h.Claim.Key, h.At) // sees the settlement that was queued before
	b.ok(err)
	b.equal([]any{f.Call.State, f.Call.Actual, f.Call.Why}, []any{passport.ReservationSettled, passport.Money(7), passport.Finished})
	refuse(b.keyed(g.ID, 1, claimOf(1, 1)), problem.KeyUsed)
	b.sound()
}

func testClaimRace(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	var given, used atomic.Int64
	parallel(50, func(int) {
		switch _, err := b.s.Hold(ctx(), b.keyed(g.ID, 10, claimOf(1, 1))); {
		case err == nil:
			given.Add(1)
		case isKind(err, problem.KeyUsed):
			used.Add(1)
		default:
			b.t.Errorf("got %v, want that the key is used", err)
		}
	})
	b.equal([]int64{given.Load(), used.Load()}, []int64{1, 49})
	b.total(g.ID, passport.Balance{Cap: 1000 * passport.Cent, Held: 10, CallsCap: 100, Calls: 1})
}

func testClaimFreed(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	for i, c := range []struct {
		why    passport.Outcome
		actual passport.Money
		frees  bool
	}{
		{passport.NotSent, 0, true}, {passport.ProviderError, 0, true}, {passport.ProviderError, 1, false}, {passport.Finished, 0, false},
		{passport.NoUsage, 10, false}, {passport.Broken, 10, false}, {passport.ClientLeft, 0, false}, {passport.Recalled, 10, false},
	} {
		h := b.keyed(g.ID, 10, claimOf(byte(i), 1))
		_, err := b.s.Hold(ctx(), h)
		b.ok(err)
		s := settlement(h, c.actual)
		s.Claim, s.Why, s.Reached = h.Claim, c.why, c.why != passport.NotSent
		b.ok(b.s.Settle(ctx(), s))
		again := b.keyed(g.ID, 10, claimOf(byte(i), 2))
		_, err = b.s.Hold(ctx(), again)
		if !c.frees {
			b.is(err, problem.KeyReused)
			continue
		}
		b.ok(err)
		b.ok(b.s.Settle(ctx(), s)) // a settlement that comes twice does not take the key from a later call
		f, err := b.s.First(ctx(), g.ID, h.Claim.Key, h.At)
		b.ok(err)
		b.equal(f.Call.ID, again.ID)
	}
	b.sound()
}

func testClaimCharged(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	h := b.keyed(g.ID, 10, claimOf(1, 1))
	_, err := b.s.Hold(ctx(), h)
	b.ok(err)
	b.ok(b.s.Close())
	b.s = b.open(b.t, b.place)
	_, _, err = b.s.ChargeOrphans(ctx(), h.At.Add(time.Minute))
	b.ok(err)
	_, err = b.s.Hold(ctx(), b.keyed(g.ID, 10, h.Claim))
	b.is(err, problem.KeyUsed)
	f, err := b.s.First(ctx(), g.ID, h.Claim.Key, h.At)
	b.ok(err)
	b.equal([]any{f.Call.ID, f.Call.State, f.Call.Actual}, []any{h.ID, passport.ReservationSwept, passport.Money(10)})

	// The settlement that came late says that nothing had left: then the key is free.
	s := settlement(h, 0)
	s.Claim, s.Why, s.Reached = h.Claim, passport.NotSent, false
	b.ok(b.s.Settle(ctx(), s))
	_, err = b.s.Hold(ctx(), b.keyed(g.ID, 10, h.Claim))
	b.ok(err)
	b.total(g.ID, passport.Balance{Cap: 1000 * passport.Cent, Held: 10, CallsCap: 100, Calls: 1})
}

func testClaimLapses(_ *testing.T, b *bench) {
	g := b.active(Detail(1000, 100))
	g = b.change(g, func(g *passport.Grant) { g.ExpiresAt = Epoch().Add(1000 * time.Hour) })
	h := b.keyed(g.ID, 10, claimOf(1, 1))
	_, err := b.s.Hold(ctx(), h)
	b.ok(err)
	late := b.keyed(g.ID, 10, claimOf(1, 2))
	late.At = h.At.Add(passport.ClaimLife - time.Microsecond)
	_, err = b.s.Hold(ctx(), late)
	b.is(err, problem.KeyReused)
	n, err := b.s.SweepClaims(ctx(), late.At)
	b.ok(err)
	b.equal(n, int64(0))

	late.At = h.At.Add(passport.ClaimLife)
	_, err = b.s.First(ctx(), g.ID, h.Claim.Key, late.At)
	b.is(err, problem.NotFound)
	_, err = b.s.Hold(ctx(), late)
	b.ok(err)
	f, err := b.s.First(ctx(), g.ID, h.Claim.Key, late.At)
	b.ok(err)
	b.equal(f.Call.ID, late.ID)

	n, err = b.s.SweepClaims(ctx(), late.At) // the key is a later call's by now
	b.ok(err)
	b.equal(n, int64(0))
	n, err = b.s.SweepClaims(ctx(), late.At.Add(passport.ClaimLife))
	b.ok(err)
	b.equal(n, int64(1))
}

func testAnswers(_ *testing.T, b *bench) {
	keep := func(h passport.Hold, text string, at time.Time) error {
		return b.s.KeepAnswer(ctx(), h.Grant, h.ID, []byte(text), at)
	}
	kept := func(h passport.Hold) string {
		b.t.Helper()
		f, err := b.s.First(ctx(), h.Grant, h.Claim.Key, h.At)
		b.ok(err)
		return string(f.Kept)
	}
	held := func(g passport.GrantID, key byte) passport.Hold {
		b.t.Helper()
		h := b.keyed(g, 1, claimOf(key, 1))
		_, err := b.s.Hold(ctx(), h)
		b.ok(err)
		return h
	}
	allow := func(g *passport.Grant) { g.KeepAnswers = true }
	plain := b.active(Detail(1, 10))
	b.is(keep(held(plain.ID, 1), "x", Epoch()), problem.Forbidden)
	g := b.change(b.active(Detail(1, 10)), allow)
	b.equal(b.standing(g.ID).Grant, g)
	h := held(g.ID, 1)
	b.equal(kept(h), "")
	b.ok(keep(h, "first", Epoch()))
	b.ok(keep(h, "second", Epoch())) // the first stays
	b.equal(kept(h), "first")
	b.is(keep(h, "", Epoch()), problem.Invalid)
	b.is(keep(h, string(make([]byte, store.MaxAnswerBytes+1)), Epoch()), problem.Invalid)
	b.is(keep(passport.Hold{Grant: "nobody", ID: "x"}, "x", Epoch()), problem.Forbidden)

	// Taken back, ended or a day old: gone.
	g = b.change(g, func(g *passport.Grant) { g.State = passport.GrantPaused })
	b.equal(kept(h), "first")
	g = b.change(g, func(g *passport.Grant) { g.State, g.KeepAnswers = passport.GrantActive, false })
	b.equal(kept(h), "")
	g = b.change(g, allow)
	b.equal(kept(h), "")
	b.ok(keep(h, "third", Epoch()))
	b.change(g, func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, Epoch() })
	b.equal(kept(h), "")
	b.is(keep(h, "x", Epoch()), problem.Forbidden)

	g = b.change(b.active(Detail(1, 10)), allow)
	h = held(g.ID, 1)
	b.ok(keep(h, "old", Epoch()))
	_, err := b.s.SweepClaims(ctx(), Epoch().Add(passport.ClaimLife-time.Microsecond))
	b.ok(err)
	b.equal(kept(h), "old")
	_, err = b.s.SweepClaims(ctx(), Epoch().Add(passport.ClaimLife))
	b.ok(err)
	b.equal(kept(h), "")
	testSpareAnswers(b, g, h, keep, kept)
}

// testSpareAnswers: of too many answers the oldest go.
func testSpareAnswers(b *bench, g passport.Grant, h passport.Hold, keep func(passport.Hold, string, time.Time) error, kept func(passport.Hold) string) {
	b.t.Helper()
	b.ok(keep(h, "oldest", Epoch()))
	errs := make(chan error)
	const others = 8
	for i := range others {
		go func() {
			var err error
			for n := i; n < store.MaxAnswers-1 && err == nil; n += others {
				err = keep(passport.Hold{Grant: g.ID, ID: passport.ReservationID(fmt.Sprintf("spare-%04d", n))}, "x", Epoch().Add(time.Duration(1+n)*time.Millisecond))
			}
			errs <- err
		}()
	}
	var all []error
	for range others {
		all = append(all, <-errs)
	}
	if i := slices.IndexFunc(all, func(err error) bool { return err != nil }); i >= 0 {
		b.ok(all[i])
	}
	b.equal(kept(h), "oldest")
	b.ok(keep(passport.Hold{Grant: g.ID, ID: "one more"}, "x", Epoch().Add(time.Hour)))
	b.equal(kept(h), "")
}
