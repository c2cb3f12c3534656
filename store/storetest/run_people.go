package storetest

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// pay makes a grant active that somebody pays for.
func (b *bench) pay(payer passport.Payer, details ...passport.Detail) passport.Grant {
	b.t.Helper()
	return b.change(b.pending(details...), func(g *passport.Grant) {
		g.State, g.ApprovedAt, g.Owner, g.Payer = passport.GrantActive, Epoch(), passport.PersonID(payer), payer
	})
}

// testPayers: what one person gave, spent and put in is in nobody else's lists and sums.
func testPayers(_ *testing.T, b *bench) {
	asked := b.pending(Detail(500, 1000))
	mine, theirs := b.pay(passport.OwnerPays, Detail(500, 1000)), b.pay("m1", Detail(500, 1000))
	b.spend(mine.ID, 1000, 700)
	b.spend(theirs.ID, 1000, 40)
	b.hold(theirs.ID, 300)
	b.flush()
	for payer, want := range map[passport.Payer]struct {
		grants        []passport.GrantID
		settled, held passport.Money
		calls         int64
	}{
		passport.OwnerPays: {[]passport.GrantID{mine.ID, asked.ID}, 700, 0, 1},
		"m1":               {[]passport.GrantID{theirs.ID}, 40, 300, 2},
		"m2":               {}, "": {},
	} {
		list, err := b.s.Standings(ctx(), payer, time.Time{}, 10)
		b.ok(err)
		var got []passport.GrantID
		for _, s := range list {
			got = append(got, s.Grant.ID)
			b.equal(len(s.Details) > 0, s.Grant.State == passport.GrantActive)
		}
		b.equal(got, want.grants)
		settled, held, calls, err := b.s.Totals(ctx(), payer, Epoch())
		b.ok(err)
		b.equal([]any{settled, held, calls}, []any{want.settled, want.held, want.calls})
		spent, err := b.s.SpentSince(ctx(), payer, Epoch(), 24*time.Hour, 10)
		b.ok(err)
		var sum passport.Money
		for _, x := range spent {
			sum += x.Settled
		}
		b.equal(sum, want.settled)
	}
	s, err := b.s.Standing(ctx(), theirs.ID)
	b.ok(err)
	b.equal(s.Grant.Payer, passport.Payer("m1"))

	b.ok(b.s.AddCredential(ctx(), passport.Credential{ID: "c1", Payer: "m1", Provider: passport.OpenAI, Label: "l", Sealed: []byte{1}, CreatedAt: Epoch(), Version: 1}, b.event(passport.CredentialAdded, "")))
	keys, err := b.s.Credentials(ctx())
	b.ok(err)
	b.equal(keys[0].Payer, passport.Payer("m1"))
	o := passport.OwnerToken{Hash: [32]byte{9}, Person: "m1", Label: "cli", CreatedAt: Epoch()}
	b.ok(b.s.AddOwnerToken(ctx(), o, b.event(passport.OwnerTokenMade, ""), Epoch()))
	got, err := b.s.OwnerToken(ctx(), o.Hash)
	b.ok(err)
	b.equal(got, o)
	for _, other := range []passport.PersonID{"", "m2"} {
		list, err := b.s.OwnerTokens(ctx(), other, 10)
		b.ok(err)
		b.equal(len(list), 0)
		b.is(b.s.EndOwnerToken(ctx(), other, o.Hash, b.event(passport.OwnerTokenEnded, "")), problem.NotFound)
	}
	b.ok(b.s.EndOwnerToken(ctx(), "m1", o.Hash, b.event(passport.OwnerTokenEnded, "")))
}
