package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func (b *bench) person(hash string) {
	b.t.Helper()
	b.ok(b.s.AddFirstPerson(ctx(), passport.Person{ID: "p1", Username: "ada", PasswordHash: hash, CreatedAt: Epoch()}, b.event(passport.PersonJoined, "")))
}

func passkey(id byte) passport.Passkey {
	return passport.Passkey{ID: []byte{id}, Person: "p1", PublicKey: []byte{9, id}, SignCount: 4, Transports: "internal,hybrid", Eligible: true,
		Label: "laptop", CreatedAt: Epoch().Add(time.Duration(id) * time.Second)}
}

func (b *bench) addPasskey(k passport.Passkey) error {
	return b.s.AddPasskey(ctx(), k, b.event(passport.PasskeyAdded, ""))
}

func (b *bench) usePasskey(id byte, count uint32) bool {
	b.t.Helper()
	ok, err := b.s.UsePasskey(ctx(), passport.Passkey{ID: []byte{id}, SignCount: count, BackedUp: true, UsedAt: Epoch().Add(time.Hour)}, b.event(passport.PasskeyRefused, ""))
	b.ok(err)
	return ok
}

func testPasskeys(_ *testing.T, b *bench) {
	b.person("hash")
	has, err := b.s.HasPasskeys(ctx())
	b.ok(err)
	b.equal(has, false)
	k1, k2 := passkey(1), passkey(2)
	b.ok(b.addPasskey(k2))
	b.ok(b.addPasskey(k1))
	b.is(b.addPasskey(k1), problem.Conflict)
	for _, bad := range []passport.Passkey{{}, {ID: []byte{3}, Person: "p1", PublicKey: []byte{1}}, {ID: make([]byte, 1024), Person: "p1", PublicKey: []byte{1}, Label: "x"}} {
		b.is(b.addPasskey(bad), problem.Invalid)
	}
	b.reopen()
	list, err := b.s.Passkeys(ctx(), "p1")
	b.ok(err)
	b.equal(list, []passport.Passkey{k1, k2})
	other, err := b.s.Passkeys(ctx(), "p2")
	b.ok(err)
	b.equal(len(other), 0)

	// The counter goes on, or is 0 for ever.
	before := len(b.events())
	b.equal([]bool{b.usePasskey(1, 4), b.usePasskey(1, 0), b.usePasskey(1, 5), b.usePasskey(1, 5), b.usePasskey(7, 5)}, []bool{false, false, true, false, false})
	b.equal(len(b.events()), before+4)
	none := passkey(3)
	none.SignCount = 0
	b.ok(b.addPasskey(none))
	b.equal([]bool{b.usePasskey(3, 0), b.usePasskey(3, 0), b.usePasskey(3, 2), b.usePasskey(3, 0)}, []bool{true, true, true, false})

	b.is(b.s.RenamePasskey(ctx(), "p2", k1.ID, "x", b.event(passport.PasskeyRenamed, "")), problem.NotFound)
	b.ok(b.s.RenamePasskey(ctx(), "p1", k1.ID, "phone", b.event(passport.PasskeyRenamed, "")))
	b.is(b.s.RemovePasskey(ctx(), "p2", k2.ID, b.event(passport.PasskeyRemoved, "")), problem.NotFound)
	b.ok(b.s.RemovePasskey(ctx(), "p1", k2.ID, b.event(passport.PasskeyRemoved, "")))
	b.ok(b.s.RemovePasskey(ctx(), "p1", none.ID, b.event(passport.PasskeyRemoved, "")))
	list, err = b.s.Passkeys(ctx(), "p1")
	b.ok(err)
	k1.Label, k1.SignCount, k1.BackedUp, k1.UsedAt = "phone", 5, true, Epoch().Add(time.Hour)
	b.equal(list, []passport.Passkey{k1})
	for i := range byte(passport.MaxPasskeys - 1) {
		b.ok(b.addPasskey(passkey(20 + i)))
	}
	b.is(b.addPasskey(passkey(200)), problem.Conflict)
	b.ok(b.s.RemovePasskey(ctx(), "p1", []byte{20}, b.event(passport.PasskeyRemoved, "")))
	b.ok(b.addPasskey(passkey(200)))
}

// testPasskeyRace: of many that bring the same count, one gets in.
func testPasskeyRace(t *testing.T, b *bench) {
	b.person("hash")
	b.ok(b.addPasskey(passkey(1)))
	var first atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		ev := b.event(passport.PasskeyRefused, "")
		all.Go(func() {
			ok, err := b.s.UsePasskey(ctx(), passport.Passkey{ID: []byte{1}, SignCount: 9, UsedAt: Epoch()}, ev)
			if err != nil {
				t.Errorf("got %v", err)
			}
			if ok {
				first.Add(1)
			}
		})
	}
	all.Wait()
	b.equal(first.Load(), int64(1))
}

func testLastWayIn(_ *testing.T, b *bench) {
	b.person("")
	b.ok(b.addPasskey(passkey(1)))
	b.ok(b.addPasskey(passkey(2)))
	b.ok(b.s.RemovePasskey(ctx(), "p1", []byte{1}, b.event(passport.PasskeyRemoved, "")))
	before := len(b.events())
	b.is(b.s.RemovePasskey(ctx(), "p1", []byte{2}, b.event(passport.PasskeyRemoved, "")), problem.Conflict)
	b.equal(len(b.events()), before)
	list, err := b.s.Passkeys(ctx(), "p1")
	b.ok(err)
	b.equal(list, []passport.Passkey{passkey(2)})
}

func testSessionList(_ *testing.T, b *bench) {
	b.person("hash")
	var all []passport.Session
	for i := range byte(4) {
		at := Epoch().Add(time.Duration(i) * time.Minute)
		s := passport.Session{Hash: [32]byte{i + 1}, Person: "p1", CreatedAt: at, ExpiresAt: at.Add(time.Hour), Agent: "Firefox", Address: "192.0.2.1", SeenAt: at}
		b.ok(b.s.AddSession(ctx(), s, b.event(passport.SessionStarted, "")))
		all = append([]passport.Session{s}, all...)
	}
	b.ok(b.s.SeeSession(ctx(), all[0].Hash, Epoch().Add(time.Hour)))
	b.ok(b.s.SeeSession(ctx(), all[0].Hash, Epoch()))
	all[0].SeenAt = Epoch().Add(time.Hour)
	list, err := b.s.Sessions(ctx(), "p1", 3)
	b.ok(err)
	b.equal(list, all[:3])
	b.is(b.s.EndSessionOf(ctx(), "p2", all[1].Hash, b.event(passport.SessionEnded, "")), problem.NotFound)
	b.ok(b.s.EndSessionOf(ctx(), "p1", all[1].Hash, b.event(passport.SessionEnded, "")))
	b.is(b.s.EndSessionOf(ctx(), "p1", all[1].Hash, b.event(passport.SessionEnded, "")), problem.NotFound)
	for _, want := range []int64{2, 0} {
		before := len(b.events())
		n, err := b.s.EndOtherSessions(ctx(), "p1", all[0].Hash, b.event(passport.SessionEnded, ""))
		b.ok(err)
		b.equal(n, want)
		b.equal(len(b.events()), before+int(min(want, 1)))
	}
	list, err = b.s.Sessions(ctx(), "p1", 9)
	b.ok(err)
	b.equal(list, all[:1])
}
