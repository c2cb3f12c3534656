package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// signIn adds a session of p1.
func (b *bench) signIn(n byte) passport.Session {
	b.t.Helper()
	at := Epoch().Add(time.Duration(n) * time.Minute)
	s := passport.Session{Hash: [32]byte{n}, Person: "p1", CreatedAt: at, ExpiresAt: at.Add(time.Hour), SeenAt: at}
	b.ok(b.s.AddSession(ctx(), s, b.event(passport.SessionStarted, "")))
	return s
}

// hasPassword says what the owner's password is, and how many browsers are signed in.
func (b *bench) hasPassword(phc string, sessions int) {
	b.t.Helper()
	p, err := b.s.Owner(ctx())
	b.ok(err)
	b.equal(p.PasswordHash, phc)
	list, err := b.s.Sessions(ctx(), "p1", 9)
	b.ok(err)
	b.equal(len(list), sessions)
}

// testPasswords: another password ends all sessions but one, and a reset link works once and ends all.
func testPasswords(_ *testing.T, b *bench) {
	b.person("first")
	b.signIn(1)
	keep := b.signIn(2)
	b.is(b.s.SetPassword(ctx(), "p2", "x", [32]byte{}, b.event(passport.PasswordChanged, "")), problem.NotFound)
	b.ok(b.s.SetPassword(ctx(), "p1", "second", keep.Hash, b.event(passport.PasswordChanged, "")))
	b.hasPassword("second", 1)
	_, err := b.s.Session(ctx(), keep.Hash)
	b.ok(err)

	until := Epoch().Add(time.Hour)
	b.is(b.s.AddReset(ctx(), [32]byte{7}, "p2", until, b.event(passport.ResetMade, "")), problem.NotFound)
	b.ok(b.s.AddReset(ctx(), [32]byte{7}, "p1", until, b.event(passport.ResetMade, "")))
	b.ok(b.s.AddReset(ctx(), [32]byte{8}, "p1", until, b.event(passport.ResetMade, ""))) // in place of the one before
	b.ok(b.s.AddMember(ctx(), passport.Person{ID: "m1", Name: "n", Username: "u-m1", CreatedAt: Epoch()}, nil, nil, b.event(passport.PersonJoined, "")))
	b.ok(b.s.AddReset(ctx(), [32]byte{5}, "m1", until, b.event(passport.ResetMade, ""), b.event(passport.ResetMade, ""))) // beside another's
	b.reopen()
	for n, kind := range map[byte]problem.Kind{7: problem.NotFound, 9: problem.NotFound} {
		_, _, err := b.s.Reset(ctx(), [32]byte{n})
		b.is(err, kind)
		b.is(b.s.UseReset(ctx(), [32]byte{n}, "x", b.event(passport.PasswordChanged, "")), kind)
	}
	who, end, err := b.s.Reset(ctx(), [32]byte{8})
	b.ok(err)
	b.equal(who, passport.PersonID("p1"))
	b.equal(end, until)
	b.hasPassword("second", 1)
	before := len(b.events())
	b.ok(b.s.UseReset(ctx(), [32]byte{8}, "third", b.event(passport.PasswordChanged, "")))
	b.is(b.s.UseReset(ctx(), [32]byte{8}, "fourth", b.event(passport.PasswordChanged, "")), problem.NotFound)
	b.equal(len(b.events()), before+1)
	b.hasPassword("third", 0)
}

// testResetRace: of many that use one link, one sets the password.
func testResetRace(_ *testing.T, b *bench) {
	b.person("first")
	b.ok(b.s.AddReset(ctx(), [32]byte{7}, "p1", Epoch().Add(time.Hour), b.event(passport.ResetMade, "")))
	var used atomic.Int64
	var all sync.WaitGroup
	for range 10 {
		ev := b.event(passport.PasswordChanged, "")
		all.Go(func() {
			if b.s.UseReset(ctx(), [32]byte{7}, "second", ev) == nil {
				used.Add(1)
			}
		})
	}
	all.Wait()
	b.equal(used.Load(), int64(1))
}
