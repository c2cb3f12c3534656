package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// hash is one of its own.
func (b *bench) hash() [32]byte {
	n := b.n.Add(1)
	return [32]byte{byte(n >> 8), byte(n), 31: 5}
}

func (b *bench) pushed() passport.Pushed {
	return passport.Pushed{Hash: b.hash(), Client: "c1", Parameters: "a=1&b=%20", JKT: "thumb", CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Minute)}
}

func testPushed(_ *testing.T, b *bench) {
	p := b.pushed()
	b.ok(b.s.AddPushed(ctx(), p))
	b.is(b.s.AddPushed(ctx(), p), problem.Conflict)

	// It is its client's, for a minute, once.
	for _, c := range []struct {
		hash   [32]byte
		client passport.ClientID
		now    time.Time
	}{{p.Hash, "c2", Epoch()}, {b.hash(), "c1", Epoch()}, {p.Hash, "c1", p.ExpiresAt}} {
		_, err := b.s.TakePushed(ctx(), c.hash, c.client, c.now)
		b.is(err, problem.NotFound)
	}
	got, err := b.s.TakePushed(ctx(), p.Hash, "c1", p.ExpiresAt.Add(-time.Millisecond))
	b.ok(err)
	b.equal(got, p)
	_, err = b.s.TakePushed(ctx(), p.Hash, "c1", Epoch())
	b.is(err, problem.NotFound)

	// One whose time has come makes room when the next is added.
	b.ok(b.s.AddPushed(ctx(), p))
	late := b.pushed()
	late.CreatedAt, late.ExpiresAt = p.ExpiresAt, p.ExpiresAt.Add(time.Minute)
	b.ok(b.s.AddPushed(ctx(), late))
	b.reopen()
	_, err = b.s.TakePushed(ctx(), p.Hash, "c1", Epoch())
	b.is(err, problem.NotFound)
	_, err = b.s.TakePushed(ctx(), late.Hash, "c1", late.CreatedAt)
	b.ok(err)
}

// race runs something often at the same time, and says how often it went well; all else must be refused with a kind.
func race(t *testing.T, kind problem.Kind, once func() error) int64 {
	var won atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			switch err := once(); {
			case err == nil:
				won.Add(1)
			case !isKind(err, kind):
				t.Errorf("got %v, want success or %s", err, kind)
			}
		})
	}
	all.Wait()
	return won.Load()
}

func testOnce(t *testing.T, b *bench) {
	p := b.pushed()
	b.ok(b.s.AddPushed(ctx(), p))
	b.equal(race(t, problem.NotFound, func() error {
		_, err := b.s.TakePushed(ctx(), p.Hash, "c1", Epoch())
		return err
	}), int64(1))

	g, code := b.active(Detail(1, 1)), b.hash()
	b.ok(b.s.AddAuthorization(ctx(), b.authorization(g.ID)))
	b.ok(b.s.SetCode(ctx(), g.ID, code, Epoch(), b.event(passport.CodeIssued, g.ID)))
	b.equal(race(t, problem.Conflict, func() error { return b.s.RedeemCode(ctx(), code, Epoch()) }), int64(1))

	// Of rotations at the same time all get the one successor; with different successors one wins.
	old, next := b.hash(), b.hash()
	b.ok(b.s.AddRefresh(ctx(), passport.Refresh{Hash: old, Grant: g.ID, IssuedAt: Epoch()}, [32]byte{}))
	b.equal(race(t, problem.Conflict, func() error { return b.s.RotateRefresh(ctx(), old, next, Epoch()) }), int64(20))
	b.equal(race(t, problem.Conflict, func() error { return b.s.RotateRefresh(ctx(), next, b.hash(), Epoch()) }), int64(1))
}

func (b *bench) authorization(g passport.GrantID) passport.Authorization {
	return passport.Authorization{Grant: g, Client: "c1", RedirectURI: "https://app.example/done?x=1", RedirectSent: true, State: "st ate",
		Challenge: "challenge", JKT: "thumb", Browser: b.hash(), CreatedAt: Epoch(), ExpiresAt: Epoch().Add(10 * time.Minute)}
}

func testAuthorizations(_ *testing.T, b *bench) {
	g, other := b.active(Detail(1, 1)), b.pending(Detail(1, 1))
	a := b.authorization(g.ID)
	b.ok(b.s.AddAuthorization(ctx(), a))
	b.is(b.s.AddAuthorization(ctx(), a), problem.Conflict)
	got, err := b.s.Authorization(ctx(), g.ID)
	b.ok(err)
	b.equal(got, a)
	_, err = b.s.Authorization(ctx(), "nobody")
	b.is(err, problem.NotFound)
	_, err = b.s.AuthorizationByCode(ctx(), [32]byte{})
	b.is(err, problem.NotFound)

	// It gets a code, and another in its place, with an event each. The one before is nobody's.
	first, second := b.hash(), b.hash()
	until := Epoch().Add(time.Minute)
	b.ok(b.s.SetCode(ctx(), g.ID, first, until.Add(-time.Second), b.event(passport.CodeIssued, g.ID)))
	b.ok(b.s.SetCode(ctx(), g.ID, second, until, b.event(passport.CodeIssued, g.ID)))
	events := len(b.events())
	b.is(b.s.SetCode(ctx(), "nobody", b.hash(), until, b.event(passport.CodeIssued, g.ID)), problem.Conflict)
	_, err = b.s.AuthorizationByCode(ctx(), first)
	b.is(err, problem.NotFound)
	b.is(b.s.RedeemCode(ctx(), first, until), problem.Conflict)
	b.is(b.s.RedeemCode(ctx(), [32]byte{}, until), problem.Conflict)
	a.Code, a.CodeUntil = second, until
	got, err = b.s.AuthorizationByCode(ctx(), second)
	b.ok(err)
	b.equal(got, a)

	// Its code is used once, is remembered, and there is no other any more.
	b.ok(b.s.RedeemCode(ctx(), second, until))
	b.is(b.s.RedeemCode(ctx(), second, until), problem.Conflict)
	b.is(b.s.SetCode(ctx(), g.ID, b.hash(), until, b.event(passport.CodeIssued, g.ID)), problem.Conflict)
	b.equal(len(b.events()), events)
	b.ok(b.s.AddRefresh(ctx(), passport.Refresh{Hash: b.hash(), Grant: g.ID, IssuedAt: until}, second))
	a.RedeemedAt, a.GivenAt = until, until
	b.reopen()
	got, err = b.s.AuthorizationByCode(ctx(), second)
	b.ok(err)
	b.equal(got, a)

	// A day after its end it is forgotten when the next comes; and so is one whose grant is gone.
	b.ok(b.s.AddAuthorization(ctx(), b.authorization("gone")))
	next := b.authorization(other.ID)
	next.CreatedAt = a.ExpiresAt.Add(passport.AuthorizedMemory)
	b.ok(b.s.AddAuthorization(ctx(), next))
	for _, id := range []passport.GrantID{g.ID, "gone"} {
		_, err = b.s.Authorization(ctx(), id)
		b.is(err, problem.NotFound)
	}
}

func testRefresh(_ *testing.T, b *bench) {
	g := b.active(Detail(1, 1))
	t1, t2, t3 := b.hash(), b.hash(), b.hash()
	b.is(b.s.AddRefresh(ctx(), passport.Refresh{Hash: t1, Grant: "nobody", IssuedAt: Epoch()}, [32]byte{}), problem.NotFound)
	b.ok(b.s.AddRefresh(ctx(), passport.Refresh{Hash: t1, Grant: g.ID, IssuedAt: Epoch()}, [32]byte{}))
	b.is(b.s.AddRefresh(ctx(), passport.Refresh{Hash: t1, Grant: g.ID, IssuedAt: Epoch()}, [32]byte{}), problem.Conflict)
	b.is(b.s.RotateRefresh(ctx(), t2, t3, Epoch()), problem.NotFound)
	_, err := b.s.Refresh(ctx(), t2)
	b.is(err, problem.NotFound)

	at := Epoch().Add(time.Second)
	b.ok(b.s.RotateRefresh(ctx(), t1, t2, at))
	got, err := b.s.Refresh(ctx(), t1)
	b.ok(err)
	b.equal(got, passport.Refresh{Hash: t1, Grant: g.ID, Seq: 1, IssuedAt: Epoch(), UsedAt: at})
	got, err = b.s.Refresh(ctx(), t2)
	b.ok(err)
	b.equal(got, passport.Refresh{Hash: t2, Grant: g.ID, Seq: 2, IssuedAt: at})

	// The same one again: the same successor within the grace, no other one, not later, and not once the successor was used.
	last := at.Add(passport.RefreshGrace - time.Millisecond)
	b.ok(b.s.RotateRefresh(ctx(), t1, t2, last))
	b.is(b.s.RotateRefresh(ctx(), t1, t3, last), problem.Conflict)
	b.is(b.s.RotateRefresh(ctx(), t1, t2, at.Add(passport.RefreshGrace)), problem.Conflict)
	b.reopen()
	b.ok(b.s.RotateRefresh(ctx(), t2, t3, at.Add(2*time.Second)))
	b.is(b.s.RotateRefresh(ctx(), t1, t2, at.Add(3*time.Second)), problem.Conflict)

	// Of a family the last are remembered, and no more; another's stay, and so does a second one of the grant that nobody has used.
	other := b.active(Detail(1, 1))
	o1, second := b.hash(), b.hash()
	b.ok(b.s.AddRefresh(ctx(), passport.Refresh{Hash: second, Grant: g.ID, IssuedAt: at}, [32]byte{}))
	got, err = b.s.Refresh(ctx(), second)
	b.ok(err)
	b.equal(got, passport.Refresh{Hash: second, Grant: g.ID, Seq: 4, IssuedAt: at})
	b.ok(b.s.AddRefresh(ctx(), passport.Refresh{Hash: o1, Grant: other.ID, IssuedAt: Epoch()}, [32]byte{}))
	var fourth, fifth [32]byte
	for old, seq := t3, int64(3); seq <= passport.MaxRefresh+4; seq++ {
		next := b.hash()
		b.ok(b.s.RotateRefresh(ctx(), old, next, at))
		switch seq {
		case 3:
			fourth = next
		case 4:
			fifth = next
		}
		old = next
	}
	for _, h := range [][32]byte{t1, t2, t3, fourth} {
		_, err = b.s.Refresh(ctx(), h)
		b.is(err, problem.NotFound)
	}
	for _, h := range [][32]byte{fifth, second, o1} {
		_, err = b.s.Refresh(ctx(), h)
		b.ok(err)
	}
}
