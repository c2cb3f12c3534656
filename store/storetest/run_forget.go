package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func (b *bench) forget(now time.Time) int64 {
	b.t.Helper()
	n, err := b.s.Forget(ctx(), now)
	b.ok(err)
	return n
}

// testForget: each thing goes when its time has come and not a microsecond before; a token that was revoked is known until its own end, and
// what grants have and spent stays as it is.
func testForget(_ *testing.T, b *bench) {
	hour, day := time.Hour, 24*time.Hour
	g := b.active(Detail(1, 1000)) // ends in an hour
	lasting := b.change(b.pending(Detail(1, 1000)), func(g *passport.Grant) {
		g.State, g.Owner, g.ApprovedAt, g.ExpiresAt = passport.GrantActive, "p1", Epoch(), Epoch().Add(900*day)
	})
	revoked := b.furnishTokens(g, lasting)
	b.furnishDoors(g)
	b.furnishTold(g, lasting)
	before, events := b.standing(g.ID), b.events()

	b.equal(b.forget(Epoch()), int64(0))
	for _, step := range []struct {
		after time.Duration
		rows  int64
		what  string
	}{
		{time.Minute, 1, "a pushed request"},
		{hour, 3, "a session, an owner token, an invitation"},
		{day + 10*time.Minute, 1, "an authorization"},
		{day + hour, 1, "an access token"},
		{2 * day, 1, "a request for a key"},
		{2*day + passport.DeviceCodeLife, 1, "a device code"},
		{5*day + hour, 1, "a token that was revoked"},
		{30*day + hour, 2, "the refresh tokens of a grant that ended"},
		{60*day + hour, 2, "of a grant that ended: that 80 % is spent, that it was used first"},
		{60*day + 12*hour, 1, "an unusual day"},
		{90*day + time.Minute, 2, "an SDK key with its token"},
		{90*day + 12*hour, 1, "a month of a ceiling"}, // April has 30 days, March 31: the month of sixty days before is April
	} {
		at := Epoch().Add(step.after)
		if step.after == 5*day+hour {
			l, err := b.s.Liveness(ctx(), revoked)
			b.ok(err)
			b.equal(l.Token.RevokedAt, Epoch())
		}
		if n := b.forget(at.Add(-time.Microsecond)); n != 0 {
			b.t.Fatalf("%s: %d rows went before their time", step.what, n)
		}
		if n := b.forget(at); n != step.rows {
			b.t.Fatalf("%s: %d rows went, want %d", step.what, n, step.rows)
		}
	}
	b.reopen()
	_, err := b.s.Liveness(ctx(), revoked)
	b.is(err, problem.NotFound)
	b.equal(b.forget(Epoch().Add(300*day)), int64(0))
	b.equal(b.standing(g.ID), before)
	b.equal(b.events(), events)
	b.sound()

	// More than one transaction takes.
	parallel(501, func(i int) {
		b.ok(b.s.AddToken(ctx(), passport.Token{ID: passport.TokenID(fmt.Sprint("many-", i)), Grant: lasting.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(hour)}, b.event(passport.TokenIssued, lasting.ID)))
	})
	b.equal(b.forget(Epoch().Add(day+hour)), int64(501))
}

// furnishTokens gives tokens to a grant, and returns one of five days that is revoked at once. The other grant has some that stay.
func (b *bench) furnishTokens(g, lasting passport.Grant) passport.TokenID {
	b.t.Helper()
	for id, life := range map[passport.TokenID]time.Duration{"short": time.Hour, "revoked": 97 * time.Hour} {
		b.ok(b.s.AddToken(ctx(), passport.Token{ID: id, Grant: g.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(life)}, b.event(passport.TokenIssued, g.ID)))
	}
	b.ok(b.s.RevokeToken(ctx(), g.ID, "revoked", b.event(passport.TokenRevoked, g.ID)))
	k, hash := b.sdkKey(g.ID) // of a minute
	b.ok(b.addSDKKey(k, hash))
	stays, hash := b.sdkKey(lasting.ID)
	stays.ExpiresAt = lasting.ExpiresAt
	b.ok(b.addSDKKey(stays, hash))
	for _, of := range []passport.GrantID{g.ID, lasting.ID} {
		first := b.hash()
		b.ok(b.s.AddRefresh(ctx(), passport.Refresh{Hash: first, Grant: of, IssuedAt: Epoch()}, [32]byte{}))
		b.ok(b.s.RotateRefresh(ctx(), first, b.hash(), Epoch()))
	}
	return "revoked"
}

// furnishDoors leaves something at each door.
func (b *bench) furnishDoors(g passport.Grant) {
	b.t.Helper()
	b.ok(b.s.AddFirstPerson(ctx(), passport.Person{ID: "p1", Username: "ada", CreatedAt: Epoch()}, b.event(passport.PersonJoined, "")))
	ends := Epoch().Add(time.Hour)
	b.ok(b.s.AddSession(ctx(), passport.Session{Hash: [32]byte{1}, Person: "p1", CreatedAt: Epoch(), ExpiresAt: ends}, b.event(passport.SessionStarted, "")))
	for n, end := range []time.Time{ends, {}} { // one without an end stays
		b.ok(b.s.AddOwnerToken(ctx(), passport.OwnerToken{Hash: [32]byte{2, byte(n)}, Label: "ci", CreatedAt: Epoch(), ExpiresAt: end}, b.event(passport.OwnerTokenMade, ""), Epoch()))
	}
	b.ok(b.s.AddInvitation(ctx(), passport.Invitation{Hash: [32]byte{3}, Label: "Grace", CreatedAt: Epoch(), ExpiresAt: ends}, b.event(passport.PersonInvited, "")))
	b.ok(b.s.AddPushed(ctx(), b.pushed()))
	b.ok(b.s.AddAuthorization(ctx(), b.authorization(g.ID)))
	b.ok(b.s.AddDeviceCode(ctx(), b.deviceCode(Epoch())))
	b.ok(b.s.AddKeyRequest(ctx(), passport.KeyRequest{Grant: g.ID, Callback: "https://notes.example", Challenge: "c", CreatedAt: Epoch()}))
}

// furnishTold has marks passed: of two grants, of which one lasts, of a month of a ceiling, and of a day.
func (b *bench) furnishTold(g, lasting passport.Grant) {
	b.t.Helper()
	b.ok(b.s.SetCeiling(ctx(), passport.PersonCeiling, 20_000, b.event(passport.CeilingSet, "")))
	for _, g := range []passport.Grant{g, lasting} { // 8,000 of 10,000 each, so 16,000 of 20,000
		for range 4 { // one app holds no more than half of what is left of a ceiling
			b.spend(g.ID, 2000, 2000)
		}
		b.ok(b.s.NoteWatched(ctx(), []passport.Found{{Grant: g.ID, Events: []passport.Event{passport.Watched{Grant: g.ID}.FirstUse(Epoch())}}}))
	}
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{{Grant: lasting.ID, Events: []passport.Event{passport.Watched{Grant: lasting.ID}.Spree(1, Epoch())}}}))
	b.equal(b.marks(""), kinds(passport.CeilingNear))
}
