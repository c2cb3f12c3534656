package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

func testGrants(_ *testing.T, b *bench) {
	d := Detail(100, 10)
	d.Models, d.ExpiresAt, d.MaxDelegationDepth = []string{}, passport.LimitOf(0), passport.LimitOf(2)
	g := b.pending(d, passport.Detail{Provider: passport.Google})
	b.equal(b.standing(g.ID), passport.Standing{Grant: g})
	b.is(b.s.AddGrant(ctx(), g, b.event(passport.GrantRequested, g.ID)), problem.Conflict)
	active := g
	active.ID, active.State = "other", passport.GrantActive
	b.is(b.s.AddGrant(ctx(), active, b.event(passport.GrantRequested, active.ID)), problem.Invalid)

	next := g
	next.Version, next.State, next.Notes, next.Details = 2, passport.GrantDenied, "no", nil
	stale, ahead, missing := next, next, next
	stale.Version, ahead.Version, missing.ID = 1, 3, "nobody"
	b.is(b.s.ChangeGrant(ctx(), stale, b.event(passport.GrantWasDenied, g.ID)), problem.Conflict)
	b.is(b.s.ChangeGrant(ctx(), ahead, b.event(passport.GrantWasDenied, g.ID)), problem.Conflict)
	b.is(b.s.ChangeGrant(ctx(), missing, b.event(passport.GrantWasDenied, g.ID)), problem.NotFound)
	b.ok(b.s.ChangeGrant(ctx(), next, b.event(passport.GrantWasDenied, g.ID)))
	b.equal(b.standing(g.ID), passport.Standing{Grant: next})
	b.equal(b.kinds(g.ID), []passport.EventKind{passport.GrantRequested, passport.GrantWasDenied})
	_, err := b.s.Standing(ctx(), "nobody")
	b.is(err, problem.NotFound)

	huge := b.pending(Detail(1, 1))
	huge.Version, huge.State = 2, passport.GrantActive
	huge.Details = []passport.Detail{Detail(passport.MaxCents+1, 1)}
	b.is(b.s.ChangeGrant(ctx(), huge, b.event(passport.GrantApproved, huge.ID)), problem.Invalid)
}

// testOldRequests: strangers cannot fill the disk with requests, and what a person has answered stays.
func testOldRequests(_ *testing.T, b *bench) {
	active, oldest := b.active(Detail(100, 10)), b.pending(Detail(100, 10))
	denied := b.change(b.pending(Detail(100, 10)), func(g *passport.Grant) { g.State = passport.GrantDenied })
	errs := make(chan error)
	const others = 8
	for i := range others {
		go func() {
			var err error
			for n := i; n < store.MaxPending && err == nil; n += others {
				g := oldest
				g.ID, g.CreatedAt = passport.GrantID(b.next("gr")), Epoch().Add(time.Duration(1+n)*time.Millisecond)
				err = b.s.AddGrant(ctx(), g, b.event(passport.GrantRequested, g.ID))
			}
			errs <- err
		}()
	}
	for range others {
		b.ok(<-errs)
	}
	_, err := b.s.Standing(ctx(), oldest.ID)
	b.is(err, problem.NotFound)
	list, err := b.s.Standings(ctx(), passport.OwnerPays, time.Time{}, 2*store.MaxPending)
	b.ok(err)
	b.equal(len(list), store.MaxPending+2)
	b.equal(b.standing(active.ID).Grant, active)
	b.equal(b.standing(denied.ID).Grant, denied)
}

func testSwapRace(t *testing.T, b *bench) {
	g := b.active(Detail(100, 10))
	var won, lost atomic.Int64
	parallel(50, func(i int) {
		next := g
		next.Version, next.Notes = g.Version+1, fmt.Sprint(i)
		switch err := b.s.ChangeGrant(ctx(), next, b.event(passport.GrantResumed, g.ID)); {
		case err == nil:
			won.Add(1)
		case isKind(err, problem.Conflict):
			lost.Add(1)
		default:
			t.Errorf("got %v, want a conflict", err)
		}
	})
	if won.Load() != 1 || lost.Load() != 49 {
		t.Fatalf("got %d winners and %d losers, want 1 and 49", won.Load(), lost.Load())
	}
	if n := len(b.kinds(g.ID)); n != 3 {
		t.Fatalf("got %d events, want 3: losers tell nothing", n)
	}
}

// parallel runs n of f at the same time and waits for them.
func parallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func testStandings(_ *testing.T, b *bench) {
	var ids []passport.GrantID
	for i := range 5 {
		g := b.pending(Detail(int64(i), 10))
		g.Version, g.State, g.CreatedAt = 2, passport.GrantActive, Epoch().Add(time.Duration(i)*time.Microsecond)
		b.ok(b.s.ChangeGrant(ctx(), g, b.event(passport.GrantApproved, g.ID)))
		ids = append(ids, g.ID)
	}
	slices.Reverse(ids)
	list := func(before time.Time, limit int) (out []passport.GrantID) {
		b.t.Helper()
		all, err := b.s.Standings(ctx(), passport.OwnerPays, before, limit)
		b.ok(err)
		for _, s := range all {
			out = append(out, s.Grant.ID)
			b.equal(s, b.standing(s.Grant.ID))
		}
		return out
	}
	b.equal(list(time.Time{}, 100), ids)
	b.equal(list(time.Time{}, 2), ids[:2])
	b.equal(list(Epoch().Add(3*time.Microsecond), 2), ids[2:4])
	b.equal(list(Epoch(), 100), []passport.GrantID(nil))
	b.equal(list(time.Time{}, 0), []passport.GrantID(nil))
	b.equal(list(time.Time{}, -1), []passport.GrantID(nil))
}

func testBudgets(_ *testing.T, b *bench) {
	google := Detail(30, 5)
	google.Provider = passport.Google
	g := b.active(Detail(100, 10), google)
	cap1, cap2 := passport.Balance{Cap: 100 * passport.Cent, CallsCap: 10}, passport.Balance{Cap: 30 * passport.Cent, CallsCap: 5}
	b.equal(b.standing(g.ID).Total, passport.Balance{Cap: 130 * passport.Cent, CallsCap: 15})
	b.equal(b.standing(g.ID).Details, []passport.Balance{cap1, cap2})

	// A raised cap reaches its balance; what was held stays.
	b.hold(g.ID, 40*passport.Cent)
	g = b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(200, 20), google} })
	b.equal(b.standing(g.ID).Details[0], passport.Balance{Cap: 200 * passport.Cent, Held: 40 * passport.Cent, CallsCap: 20, Calls: 1})
	b.total(g.ID, passport.Balance{Cap: 230 * passport.Cent, Held: 40 * passport.Cent, CallsCap: 25, Calls: 1})

	one := g
	one.Version, one.Details = g.Version+1, g.Details[:1]
	b.is(b.s.ChangeGrant(ctx(), one, b.event(passport.GrantResumed, g.ID)), problem.Invalid)
	b.equal(b.standing(g.ID).Grant, g)

	single := b.active(Detail(5, 1))
	total := passport.Balance{Cap: 5 * passport.Cent, CallsCap: 1}
	b.equal(b.standing(single.ID), passport.Standing{Grant: single, Total: total, Details: []passport.Balance{total}})

	// The end of the hour may move, too.
	longer := b.change(single, func(g *passport.Grant) { g.ExpiresAt = Epoch().Add(2 * time.Hour) })
	h := b.ask(longer.ID, 1)
	h.At = Epoch().Add(90 * time.Minute)
	_, err := b.s.Hold(ctx(), h)
	b.ok(err)
}

func testTokens(_ *testing.T, b *bench) {
	g := b.active(Detail(100, 10), Detail(50, 5))
	tok := passport.Token{ID: "t1", Grant: g.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(time.Minute)}
	add := func(t passport.Token) error { return b.s.AddToken(ctx(), t, b.event(passport.TokenIssued, t.Grant)) }
	b.ok(add(tok))
	b.is(add(tok), problem.Conflict)
	b.is(add(passport.Token{ID: "t2", Grant: "nobody", IssuedAt: Epoch()}), problem.NotFound)
	b.is(add(passport.Token{ID: "t3", Grant: g.ID, IssuedAt: g.ExpiresAt}), problem.GrantEnded)
	b.is(add(passport.Token{ID: "t4", Grant: b.pending(Detail(1, 1)).ID, IssuedAt: Epoch()}), problem.GrantEnded)

	b.hold(g.ID, passport.Cent)
	l, err := b.s.Liveness(ctx(), "t1")
	b.ok(err)
	b.equal(l, passport.Liveness{Token: tok, Standing: b.standing(g.ID)})
	_, err = b.s.Liveness(ctx(), "t9")
	b.is(err, problem.NotFound)
	b.equal(problem.From(err).Field, "token")

	b.ok(b.s.Stop(ctx(), true, b.event(passport.AppsStopped, "")))
	b.is(add(passport.Token{ID: "t5", Grant: g.ID, IssuedAt: Epoch()}), problem.GrantPaused)
	l, err = b.s.Liveness(ctx(), "t1")
	b.ok(err)
	b.equal(l.Stopped, true)
	b.ok(b.s.Stop(ctx(), false, b.event(passport.AppsResumed, "")))

	g = b.change(g, to(passport.GrantPaused))
	b.is(add(passport.Token{ID: "t6", Grant: g.ID, IssuedAt: Epoch()}), problem.GrantPaused)
	at := Epoch().Add(time.Minute)
	g = b.change(g, func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, at })
	tok.RevokedAt = at
	l, err = b.s.Liveness(ctx(), "t1")
	b.ok(err)
	b.equal(l, passport.Liveness{Token: tok, Standing: b.standing(g.ID)})

	// Revoking again does not move the time of a token's end.
	b.change(g, func(g *passport.Grant) { g.RevokedAt = at.Add(time.Hour) })
	l, err = b.s.Liveness(ctx(), "t1")
	b.ok(err)
	b.equal(l.Token, tok)
}

func testSigningKeys(_ *testing.T, b *bench) {
	key := func(id string, age int) *passport.SigningKey {
		return &passport.SigningKey{ID: id, State: passport.KeyNext, Sealed: []byte("s" + id), Public: []byte("{}"), CreatedAt: Epoch().Add(time.Duration(age))}
	}
	rotate := func(add *passport.SigningKey, move map[string]passport.KeyState) error {
		return b.s.RotateSigningKeys(ctx(), add, move, b.event(passport.KeyRotated, ""))
	}
	k1, k2 := key("k1", 0), key("k2", 1000)
	b.ok(rotate(k1, nil))
	b.ok(rotate(k2, map[string]passport.KeyState{"k1": passport.KeyCurrent}))
	k1.State = passport.KeyCurrent
	keys := func() []passport.SigningKey {
		all, err := b.s.SigningKeys(ctx())
		b.ok(err)
		return all
	}
	b.equal(keys(), []passport.SigningKey{*k2, *k1})
	events := len(b.events())
	b.is(rotate(key("k3", 2000), map[string]passport.KeyState{"k1": passport.KeyRetired, "gone": passport.KeyRetired}), problem.Conflict)
	b.is(rotate(key("k1", 0), nil), problem.Conflict)
	b.equal(keys(), []passport.SigningKey{*k2, *k1})
	b.equal(len(b.events()), events)
	b.ok(rotate(nil, map[string]passport.KeyState{"k1": "", "k2": passport.KeyCurrent}))
	k2.State = passport.KeyCurrent
	b.equal(keys(), []passport.SigningKey{*k2})
	b.is(rotate(nil, map[string]passport.KeyState{"k1": ""}), problem.Conflict)
}

func testCredentials(_ *testing.T, b *bench) {
	c1 := passport.Credential{ID: "c1", Provider: passport.OpenAI, Label: "mine", Sealed: []byte{0, 1, 255}, CreatedAt: Epoch(), Version: 1}
	c2 := passport.Credential{ID: "c2", Provider: passport.Google, Sealed: []byte{}, CreatedAt: Epoch().Add(time.Second), Version: 1, ChosenAt: Epoch().Add(time.Minute)}
	b.ok(b.s.AddCredential(ctx(), c2, b.event(passport.CredentialAdded, "")))
	b.ok(b.s.AddCredential(ctx(), c1, b.event(passport.CredentialAdded, "")))
	b.is(b.s.AddCredential(ctx(), c1, b.event(passport.CredentialAdded, "")), problem.Conflict)
	c1.Label, c1.Sealed, c1.TestedAt, c1.TestError = "work", []byte{2}, Epoch(), "refused"
	c1.ChosenAt, c1.RotatedAt, c1.RefusedAt = Epoch().Add(1), Epoch().Add(2*time.Hour), Epoch().Add(3*time.Hour)
	wrong := c1
	wrong.Provider, wrong.CreatedAt = passport.Google, Epoch().Add(time.Hour) // of which nothing is taken
	b.ok(b.s.ChangeCredential(ctx(), wrong, b.event(passport.CredentialTested, "")))
	events := len(b.events())
	b.is(b.s.ChangeCredential(ctx(), c1, b.event(passport.CredentialTested, "")), problem.Conflict)
	wrong.ID = "c9"
	b.is(b.s.ChangeCredential(ctx(), wrong, b.event(passport.CredentialTested, "")), problem.NotFound)
	b.equal(len(b.events()), events)
	c1.Version, c1.ChosenAt = 2, Epoch() // to the microsecond
	all, err := b.s.Credentials(ctx())
	b.ok(err)
	b.equal(all, []passport.Credential{c1, c2})
	b.ok(b.s.RemoveCredential(ctx(), "c1", b.event(passport.CredentialGone, "")))
	b.is(b.s.RemoveCredential(ctx(), "c1", b.event(passport.CredentialGone, "")), problem.NotFound)
	all, err = b.s.Credentials(ctx())
	b.ok(err)
	b.equal(all, []passport.Credential{c2})
	b.equal(len(b.events()), 4)
}

func testOwner(t *testing.T, b *bench) {
	for hash, until := range map[[32]byte]time.Duration{{1}: time.Hour, {2}: 2 * time.Hour} { // two instances
		b.ok(b.s.AddSetup(ctx(), hash, Epoch().Add(until), Epoch()))
	}
	b.ok(b.s.AddSetup(ctx(), [32]byte{3}, Epoch().Add(3*time.Hour), Epoch().Add(time.Hour)))
	_, err := b.s.Setup(ctx(), [32]byte{1})
	b.is(err, problem.NotFound) // its time had come
	until, err := b.s.Setup(ctx(), [32]byte{2})
	b.ok(err)
	b.equal(until, Epoch().Add(2*time.Hour))
	_, err = b.s.Owner(ctx())
	b.is(err, problem.NotFound)
	var won atomic.Int64
	parallel(20, func(i int) {
		p := passport.Person{ID: passport.PersonID(fmt.Sprint(i)), Name: "Ada", Username: fmt.Sprint("ada", i), PasswordHash: "$argon2id$", CreatedAt: Epoch()}
		switch err := b.s.AddFirstPerson(ctx(), p, b.event(passport.PersonJoined, "")); {
		case err == nil:
			won.Add(1)
		case !isKind(err, problem.Conflict):
			t.Errorf("got %v, want a conflict", err)
		}
	})
	b.equal(won.Load(), int64(1))
	p, err := b.s.Owner(ctx())
	b.ok(err)
	b.equal(p, passport.Person{ID: p.ID, Name: "Ada", Username: "ada" + string(p.ID), PasswordHash: "$argon2id$", CreatedAt: Epoch(), Role: passport.RoleOwner})
	b.equal(len(b.events()), 1)
	for i := range byte(4) {
		_, err := b.s.Setup(ctx(), [32]byte{i})
		b.is(err, problem.NotFound)
	}
	b.is(b.s.AddSetup(ctx(), [32]byte{4}, Epoch().Add(time.Hour), Epoch()), problem.Conflict)
}

func testSessions(_ *testing.T, b *bench) {
	b.ok(b.s.AddFirstPerson(ctx(), passport.Person{ID: "p1", Username: "ada", CreatedAt: Epoch()}, b.event(passport.PersonJoined, "")))
	add := func(s passport.Session) error { return b.s.AddSession(ctx(), s, b.event(passport.SessionStarted, "")) }
	s1 := passport.Session{Hash: [32]byte{1}, Person: "p1", CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}
	s2 := passport.Session{Hash: [32]byte{2}, Person: "p1", CreatedAt: Epoch().Add(time.Hour), ExpiresAt: Epoch().Add(2 * time.Hour)}
	b.ok(add(s1))
	b.is(add(s1), problem.Conflict)
	b.is(add(passport.Session{Hash: [32]byte{3}, Person: "nobody", CreatedAt: Epoch(), ExpiresAt: Epoch()}), problem.NotFound)
	got, err := b.s.Session(ctx(), s1.Hash)
	b.ok(err)
	s1.SeenAt = s1.CreatedAt
	b.equal(got, s1)
	b.ok(add(s2)) // begins as s1 ends
	_, err = b.s.Session(ctx(), s1.Hash)
	b.is(err, problem.NotFound)
	before := len(b.events())
	b.ok(b.s.EndSession(ctx(), s2.Hash, b.event(passport.SessionEnded, "")))
	b.ok(b.s.EndSession(ctx(), s2.Hash, b.event(passport.SessionEnded, "")))
	b.equal(len(b.events()), before+1)
	_, err = b.s.Session(ctx(), s2.Hash)
	b.is(err, problem.NotFound)

	o1 := passport.OwnerToken{Hash: [32]byte{4}, Label: "ci", CreatedAt: Epoch()}
	o2 := passport.OwnerToken{Hash: [32]byte{5}, Label: "cron", CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}
	o3 := passport.OwnerToken{Hash: [32]byte{6}, Label: "late", CreatedAt: Epoch().Add(time.Hour)}
	for _, o := range []passport.OwnerToken{o1, o2} {
		b.ok(b.s.AddOwnerToken(ctx(), o, b.event(passport.OwnerTokenMade, ""), o.CreatedAt))
		got, err := b.s.OwnerToken(ctx(), o.Hash)
		b.ok(err)
		b.equal(got, o)
	}
	b.is(b.s.AddOwnerToken(ctx(), o1, b.event(passport.OwnerTokenMade, ""), Epoch()), problem.Conflict)
	b.ok(b.s.AddOwnerToken(ctx(), o3, b.event(passport.OwnerTokenMade, ""), o3.CreatedAt))
	_, err = b.s.OwnerToken(ctx(), o2.Hash)
	b.is(err, problem.NotFound)
	_, err = b.s.OwnerToken(ctx(), o1.Hash)
	b.ok(err)
	b.ownerTokensEnd(o1, o3)
}

// ownerTokensEnd: listed newest first, and each ends once.
func (b *bench) ownerTokensEnd(older, newer passport.OwnerToken) {
	list, err := b.s.OwnerTokens(ctx(), "", 10)
	b.ok(err)
	b.equal(list, []passport.OwnerToken{newer, older})
	list, err = b.s.OwnerTokens(ctx(), "", 1)
	b.ok(err)
	b.equal(list, []passport.OwnerToken{newer})
	before := len(b.events())
	b.ok(b.s.EndOwnerToken(ctx(), "", newer.Hash, b.event(passport.OwnerTokenEnded, "")))
	b.is(b.s.EndOwnerToken(ctx(), "", newer.Hash, b.event(passport.OwnerTokenEnded, "")), problem.NotFound)
	b.equal(len(b.events()), before+1)
	_, err = b.s.OwnerToken(ctx(), newer.Hash)
	b.is(err, problem.NotFound)
	_, err = b.s.OwnerToken(ctx(), older.Hash)
	b.ok(err)
}
