package storetest

import (
	"sync/atomic"
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// extension is a pending request that extends a grant, and both as they are once it is given: the detail at an index has another cap and
// other calls.
func (b *bench) extension(g passport.Grant, at int, cents, calls int64) (request, raised, answered passport.Grant) {
	b.t.Helper()
	more := g.Details[at]
	more.MaxBudgetCents, more.MaxRequests = passport.LimitOf(cents), passport.LimitOf(calls)
	request = b.pending(more)
	request.ID, request.Extends = passport.GrantID(b.next("gr")), g.ID
	b.ok(b.s.AddGrant(ctx(), request, b.event(passport.GrantRequested, request.ID)))
	raised, answered = g, request
	raised.Version++
	raised.Details = append([]passport.Detail{}, g.Details...)
	raised.Details[at] = more
	answered.Version++
	answered.State, answered.Owner, answered.ApprovedAt = passport.GrantExtended, g.Owner, Epoch()
	return request, raised, answered
}

func testExtend(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 10), passport.Detail{Provider: passport.Google, MaxBudgetCents: passport.LimitOf(1), MaxRequests: passport.LimitOf(5)})
	b.hold(g.ID, 10_000)
	request, raised, answered := b.extension(g, 0, 3, 20)
	if _, err := b.s.Hold(ctx(), b.ask(g.ID, 1)); err == nil {
		b.t.Fatal("the money was not used up before")
	}
	extend := func(g, r passport.Grant) error {
		return b.s.ExtendGrant(ctx(), g, r, b.event(passport.GrantRaised, g.ID))
	}

	// What does not fit changes nothing, not of the other either.
	stale, other, pending, paused := answered, answered, answered, raised
	stale.Version, other.Extends, pending.State, paused.State = request.Version, "another", passport.GrantPending, passport.GrantPaused
	late, reshaped := raised, raised
	late.Version, reshaped.Details = g.Version, raised.Details[:1]
	b.is(extend(raised, stale), problem.Conflict)
	b.is(extend(late, answered), problem.Conflict)
	b.is(extend(raised, other), problem.Invalid)
	b.is(extend(raised, pending), problem.Invalid)
	b.is(extend(paused, answered), problem.Invalid)
	b.is(extend(reshaped, answered), problem.Invalid)
	b.equal(b.standing(g.ID).Grant, g)
	b.equal(b.standing(request.ID), passport.Standing{Grant: request})
	b.equal(b.standing(g.ID).Total.Cap, passport.Money(20_000))

	b.ok(extend(raised, answered))
	b.equal(b.standing(request.ID), passport.Standing{Grant: answered})
	s := b.standing(g.ID)
	b.equal(s.Grant, raised)
	b.equal(s.Total, passport.Balance{Cap: 40_000, Held: 10_000, CallsCap: 25, Calls: 1})
	b.equal(s.Details, []passport.Balance{{Cap: 30_000, Held: 10_000, CallsCap: 20, Calls: 1}, {Cap: 10_000, CallsCap: 5}})
	b.hold(g.ID, 20_000)
	b.is(extend(raised, answered), problem.Conflict)
	b.equal(b.kinds(request.ID), []passport.EventKind{passport.GrantRequested})
	b.reopen()
	b.equal(b.standing(g.ID).Grant, raised)
	wrong, err := b.s.VerifyLedger(ctx())
	b.ok(err)
	b.equal(len(wrong), 0)
}

func testExtendRace(t *testing.T, b *bench) {
	g := b.active(Detail(1, 10))
	_, raised, answered := b.extension(g, 0, 3, 20)
	revoked := g
	revoked.Version, revoked.State, revoked.RevokedAt = g.Version+1, passport.GrantRevoked, Epoch()
	var won, lost atomic.Int64
	parallel(20, func(i int) {
		var err error
		if i%4 == 0 {
			err = b.s.ChangeGrant(ctx(), revoked, b.event(passport.GrantWasRevoked, g.ID))
		} else {
			err = b.s.ExtendGrant(ctx(), raised, answered, b.event(passport.GrantRaised, g.ID))
		}
		switch {
		case err == nil:
			won.Add(1)
		case isKind(err, problem.Conflict):
			lost.Add(1)
		default:
			t.Errorf("got %v, want a conflict", err)
		}
	})
	if won.Load() != 1 || lost.Load() != 19 {
		t.Fatalf("got %d winners and %d losers, want 1 and 19", won.Load(), lost.Load())
	}
	s := b.standing(g.ID)
	extended := b.standing(answered.ID).Grant.State == passport.GrantExtended
	if revoked := s.Grant.State == passport.GrantRevoked; revoked == extended || extended != (s.Total.Cap == 30_000) {
		t.Errorf("the grant is %s with a cap of %s, the request extended: %v", s.Grant.State, s.Total.Cap, extended)
	}
}
