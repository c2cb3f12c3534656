package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// sdkKey is a key for a grant, made at the epoch, with a hash of its own.
func (b *bench) sdkKey(g passport.GrantID) (passport.SDKKey, [32]byte) {
	n := b.n.Add(1)
	k := passport.SDKKey{ID: passport.TokenID(fmt.Sprintf("key-%06d", n)), Grant: g, Name: "laptop", Start: "aip_Ab3dEf",
		CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Minute)}
	return k, [32]byte{byte(n >> 8), byte(n), 31: 7}
}

func (b *bench) addSDKKey(k passport.SDKKey, hash [32]byte) error {
	return b.s.AddSDKKey(ctx(), k, hash, b.event(passport.SDKKeyMade, k.Grant))
}

func (b *bench) revokeSDKKey(g passport.GrantID, id passport.TokenID, at time.Time) error {
	ev := b.event(passport.SDKKeyRevoked, g)
	ev.At = at
	return b.s.RevokeSDKKey(ctx(), g, id, ev)
}

func (b *bench) sdkKeys(g passport.GrantID) []passport.SDKKey {
	b.t.Helper()
	list, err := b.s.SDKKeys(ctx(), g, 100)
	b.ok(err)
	return list
}

func testSDKKeys(_ *testing.T, b *bench) {
	g, other := b.active(Detail(100, 10)), b.active(Detail(100, 10))
	k1, h1 := b.sdkKey(g.ID)
	k2, h2 := b.sdkKey(g.ID)
	k3, h3 := b.sdkKey(other.ID)
	b.ok(b.addSDKKey(k1, h1))
	b.ok(b.addSDKKey(k2, h2))
	b.ok(b.addSDKKey(k3, h3))
	events := len(b.events())

	// Refused, and nothing is left behind: the same id, the same hash, no grant, a grant that waits.
	b.is(b.addSDKKey(k1, [32]byte{99}), problem.Conflict)
	k4, _ := b.sdkKey(g.ID)
	b.is(b.addSDKKey(k4, h1), problem.Conflict)
	k5, h5 := b.sdkKey("nobody")
	b.is(b.addSDKKey(k5, h5), problem.NotFound)
	k6, h6 := b.sdkKey(b.pending(Detail(1, 1)).ID)
	events++ // the request
	b.is(b.addSDKKey(k6, h6), problem.GrantEnded)
	b.equal(len(b.events()), events)
	_, err := b.s.Liveness(ctx(), k4.ID)
	b.is(err, problem.NotFound)

	// A key is found by its hash, and its token lives as any other.
	tok := passport.Token{ID: k1.ID, Grant: g.ID, IssuedAt: k1.CreatedAt, ExpiresAt: k1.ExpiresAt}
	got, err := b.s.TokenOfSDKKey(ctx(), h1)
	b.ok(err)
	b.equal(got, tok)
	_, err = b.s.TokenOfSDKKey(ctx(), [32]byte{42})
	b.is(err, problem.NotFound)
	l, err := b.s.Liveness(ctx(), k1.ID)
	b.ok(err)
	b.equal(l, passport.Liveness{Token: tok, Standing: b.standing(g.ID)})
	b.equal(b.sdkKeys(g.ID), []passport.SDKKey{k2, k1})
	first, err := b.s.SDKKeys(ctx(), g.ID, 1)
	b.ok(err)
	b.equal(first, []passport.SDKKey{k2})

	b.sdkKeyUsedAndRevoked(g, other.ID, k1, k2, k3)
	b.tokenRevoked(b.active(Detail(100, 10)), other.ID)
}

// tokenRevoked: an access token of a grant ends by itself, once, and not by the name of another grant; the others go on.
func (b *bench) tokenRevoked(g passport.Grant, other passport.GrantID) {
	t := passport.Token{ID: "access-1", Grant: g.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}
	also := t
	also.ID = "access-2"
	b.ok(b.s.AddToken(ctx(), t, b.event(passport.TokenIssued, g.ID)))
	b.ok(b.s.AddToken(ctx(), also, b.event(passport.TokenIssued, g.ID)))
	revoke := func(g passport.GrantID, id passport.TokenID, at time.Time) error {
		ev := b.event(passport.TokenRevoked, g)
		ev.At = at
		return b.s.RevokeToken(ctx(), g, id, ev)
	}
	b.is(revoke(other, t.ID, Epoch()), problem.NotFound)
	b.is(revoke(g.ID, "none", Epoch()), problem.NotFound)
	live := func(now time.Time, limit int) (out []passport.TokenID) {
		all, err := b.s.LiveTokens(ctx(), g.ID, now, limit)
		b.ok(err)
		for _, t := range all {
			b.equal([]any{t.Grant, t.IssuedAt}, []any{g.ID, Epoch()})
			out = append(out, t.ID)
		}
		return out
	}
	late := t
	late.ID, late.ExpiresAt = "access-0", t.ExpiresAt.Add(-time.Second)
	b.ok(b.s.AddToken(ctx(), late, b.event(passport.TokenIssued, g.ID)))
	b.equal(live(Epoch(), 9), []passport.TokenID{"access-2", "access-1", "access-0"}) // and no SDK key
	b.equal(live(Epoch(), 2), []passport.TokenID{"access-2", "access-1"})
	b.equal(live(late.ExpiresAt, 9), []passport.TokenID{"access-2", "access-1"})
	b.ok(revoke(g.ID, t.ID, Epoch().Add(time.Second)))
	b.equal(live(Epoch(), 9), []passport.TokenID{"access-2", "access-0"})
	events := len(b.events())
	b.ok(revoke(g.ID, t.ID, Epoch().Add(time.Minute)))
	b.equal(len(b.events()), events)
	for id, at := range map[passport.TokenID]time.Time{t.ID: Epoch().Add(time.Second), also.ID: {}} {
		l, err := b.s.Liveness(ctx(), id)
		b.ok(err)
		b.equal(l.Token.RevokedAt, at)
	}
}

// sdkKeyUsedAndRevoked is the rest of their lives: k1 and k2 of g, k3 of another.
func (b *bench) sdkKeyUsedAndRevoked(g passport.Grant, other passport.GrantID, k1, k2, k3 passport.SDKKey) {
	// When it was used moves forward only. One that there is not is passed over.
	at := Epoch().Add(30 * time.Second)
	b.ok(b.s.UsedSDKKeys(ctx(), map[passport.TokenID]time.Time{k1.ID: at, k3.ID: at, "gone": at}))
	b.ok(b.s.UsedSDKKeys(ctx(), map[passport.TokenID]time.Time{k1.ID: at.Add(-time.Second)}))
	k1.UsedAt, k3.UsedAt = at, at
	b.equal(b.sdkKeys(g.ID), []passport.SDKKey{k2, k1})

	// One is revoked, at once for whoever asks, once, and for its own grant only.
	b.is(b.revokeSDKKey(other, k1.ID, at), problem.NotFound)
	b.is(b.revokeSDKKey(g.ID, "gone", at), problem.NotFound)
	plain := passport.Token{ID: "t1", Grant: g.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(time.Minute)}
	b.ok(b.s.AddToken(ctx(), plain, b.event(passport.TokenIssued, g.ID)))
	b.is(b.revokeSDKKey(g.ID, "t1", at), problem.NotFound)
	b.ok(b.revokeSDKKey(g.ID, k1.ID, at))
	events := len(b.events())
	b.ok(b.revokeSDKKey(g.ID, k1.ID, at.Add(time.Hour)))
	b.equal(len(b.events()), events)
	tok := passport.Token{ID: k1.ID, Grant: g.ID, IssuedAt: k1.CreatedAt, ExpiresAt: k1.ExpiresAt, RevokedAt: at}
	k1.RevokedAt = at
	l, err := b.s.Liveness(ctx(), k1.ID)
	b.ok(err)
	b.equal(l.Token, tok)
	l, err = b.s.Liveness(ctx(), k2.ID)
	b.ok(err)
	b.equal(l.Token.RevokedAt, time.Time{})
	b.equal(b.sdkKeys(g.ID), []passport.SDKKey{k2, k1})

	// With the grant all go. After a restart all is as it was.
	b.change(g, func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, at.Add(time.Second) })
	k2.RevokedAt = at.Add(time.Second)
	b.reopen()
	b.equal(b.sdkKeys(g.ID), []passport.SDKKey{k2, k1})
	b.equal(b.sdkKeys(other), []passport.SDKKey{k3})
}

func testSDKKeysRace(t *testing.T, b *bench) {
	g := b.active(Detail(100, 10))
	var made atomic.Int64
	var all sync.WaitGroup
	for range passport.MaxSDKKeys + 10 {
		k, h := b.sdkKey(g.ID)
		all.Go(func() {
			switch err := b.addSDKKey(k, h); {
			case err == nil:
				made.Add(1)
			case !isKind(err, problem.Conflict):
				t.Errorf("got %v, want a key or Conflict", err)
			}
		})
	}
	all.Wait()
	b.equal(made.Load(), int64(passport.MaxSDKKeys))
	b.equal(len(b.sdkKeys(g.ID)), passport.MaxSDKKeys)

	// One that is revoked makes room for one, and so do those that have ended.
	b.ok(b.revokeSDKKey(g.ID, b.sdkKeys(g.ID)[0].ID, Epoch()))
	k, h := b.sdkKey(g.ID)
	b.ok(b.addSDKKey(k, h))
	k, h = b.sdkKey(g.ID)
	b.is(b.addSDKKey(k, h), problem.Conflict)
	k.CreatedAt, k.ExpiresAt = Epoch().Add(time.Minute), Epoch().Add(2*time.Minute)
	b.ok(b.addSDKKey(k, h))
}
