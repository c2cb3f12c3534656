package storetest

import (
	"fmt"
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// stopOwn throws the switch of a person, or lets their apps run again, and says for which grants it made a difference.
func (b *bench) stopOwn(payer passport.Payer, stopped bool) []passport.GrantID {
	b.t.Helper()
	ids, err := b.s.StopOwn(ctx(), payer, stopped, b.event(passport.OwnAppsStopped, ""))
	b.ok(err)
	return ids
}

func (b *bench) stops(payer passport.Payer, want passport.Stops) {
	b.t.Helper()
	got, err := b.s.Stops(ctx(), payer)
	b.ok(err)
	b.equal(got, want)
}

// runs says whether a grant can be held on; one that cannot is paused.
func (b *bench) runs(id passport.GrantID, want bool) {
	b.t.Helper()
	_, err := b.s.Hold(ctx(), b.ask(id, 1))
	if b.equal(err == nil, want); !want {
		b.is(err, problem.GrantPaused)
	}
}

// testStopOwn: the switch holds for what is active and for what becomes so, it touches nobody else's, and after it all is as it was.
func testStopOwn(_ *testing.T, b *bench) {
	b.member("m1")
	mine, theirs, paused := b.pay(passport.OwnerPays, Detail(500, 1000)), b.pay("m1", Detail(500, 1000), Detail(500, 1000)), b.pay("m1", Detail(500, 1000))
	paused = b.change(paused, to(passport.GrantPaused))
	token := passport.Token{ID: "t1", Grant: theirs.ID, IssuedAt: Epoch(), ExpiresAt: theirs.ExpiresAt}
	b.ok(b.s.AddToken(ctx(), token, b.event(passport.TokenIssued, theirs.ID)))
	open := b.hold(theirs.ID, 300)
	runs := b.runs
	stopped := func(want bool) {
		b.t.Helper()
		l, err := b.s.Liveness(ctx(), token.ID)
		b.ok(err)
		b.equal(l.Stopped, want)
		b.equal(l.Standing.Grant.State, passport.GrantActive)
	}
	stopped(false)
	_, err := b.s.StopOwn(ctx(), "", true, b.event(passport.OwnAppsStopped, ""))
	b.is(err, problem.Invalid)

	// 1. It stops what is active of theirs, and nothing else; twice is once.
	b.equal(b.stopOwn("m1", true), []passport.GrantID{theirs.ID})
	b.equal(len(b.stopOwn("m1", true)), 0)
	b.stops("m1", passport.Stops{Own: Epoch()})
	b.stops(passport.OwnerPays, passport.Stops{})
	b.reopen()
	runs(mine.ID, true)
	runs(theirs.ID, false)
	runs(paused.ID, false)
	stopped(true)
	b.is(b.s.AddToken(ctx(), passport.Token{ID: "t2", Grant: theirs.ID, IssuedAt: Epoch(), ExpiresAt: theirs.ExpiresAt}, b.event(passport.TokenIssued, theirs.ID)), problem.GrantPaused)
	b.sound()

	// 2. What is given, changed, resumed or passed on meanwhile is stopped too; a call that was open ends as any.
	fresh := b.pay("m1", Detail(500, 1000))
	runs(fresh.ID, false)
	theirs = b.change(theirs, func(g *passport.Grant) { g.ExpiresAt = g.ExpiresAt.Add(1) })
	runs(theirs.ID, false)
	paused = b.change(paused, to(passport.GrantActive))
	runs(paused.ID, false)
	gone := b.change(b.pay("m1", Detail(500, 1000)), to(passport.GrantRevoked))
	b.settle(settlement(open, 200))
	stopped(true)
	b.sound()

	// 3. After it each runs that ran, and what was paused or revoked by itself stays so.
	paused = b.change(paused, to(passport.GrantPaused))
	b.equal(len(b.stopOwn("m1", false)), 2)
	b.stops("m1", passport.Stops{})
	stopped(false)
	runs(theirs.ID, true)
	runs(fresh.ID, true)
	runs(paused.ID, false)
	_, err = b.s.Hold(ctx(), b.ask(gone.ID, 1))
	b.is(err, problem.GrantEnded)
	b.sound()
}

// testStopOwnApart: the switch of the broker is another one, and who is removed leaves none behind.
func testStopOwnApart(_ *testing.T, b *bench) {
	b.member("m1")
	mine, theirs := b.pay(passport.OwnerPays, Detail(500, 1000)), b.pay("m1", Detail(500, 1000))
	b.stopOwn("m1", true)
	b.ok(b.s.Stop(ctx(), true, b.event(passport.AppsStopped, "")))
	b.runs(mine.ID, false)
	b.ok(b.s.Stop(ctx(), false, b.event(passport.AppsResumed, "")))
	b.runs(mine.ID, true)
	b.runs(theirs.ID, false)
	b.stopOwn("m1", false)
	b.runs(theirs.ID, true)
	b.equal(b.stopOwn(passport.OwnerPays, true), []passport.GrantID{mine.ID})
	b.runs(mine.ID, false)
	b.runs(theirs.ID, true)
	b.stopOwn(passport.OwnerPays, false)
	b.stopOwn("m1", true)
	b.ok(b.s.SuspendPerson(ctx(), "m1", Epoch(), b.event(passport.PersonSuspended, "")))
	b.ok(b.s.RemovePerson(ctx(), "m1", b.event(passport.PersonRemoved, "")))
	b.stops("m1", passport.Stops{})
}

// testStopOwnRace: an approval and the switch at one moment: after both, nothing of that person's can spend.
func testStopOwnRace(_ *testing.T, b *bench) {
	for round := range 6 {
		who := passport.PersonID(fmt.Sprint("m", round))
		b.member(who)
		var asked []passport.Grant
		for range 3 {
			asked = append(asked, b.pending(Detail(500, 1000)))
		}
		errs := make([]error, 4)
		parallel(4, func(i int) {
			if i == 3 {
				_, errs[i] = b.s.StopOwn(ctx(), passport.Payer(who), true, b.event(passport.OwnAppsStopped, ""))
				return
			}
			g := asked[i]
			g.State, g.ApprovedAt, g.Owner, g.Payer, g.Version = passport.GrantActive, Epoch(), who, passport.Payer(who), g.Version+1
			errs[i] = b.s.ChangeGrant(ctx(), g, b.event(passport.GrantApproved, g.ID))
		})
		for _, err := range errs {
			b.ok(err)
		}
		for _, g := range asked {
			_, err := b.s.Hold(ctx(), b.ask(g.ID, 1))
			b.is(err, problem.GrantPaused)
		}
	}
	b.sound()
}
