package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// notices lists what somebody is to see, newest first.
func (b *bench) notices(payer passport.Payer) (out []string) {
	b.t.Helper()
	list, err := b.s.Notices(ctx(), payer, 100)
	b.ok(err)
	for _, n := range list {
		if n.Payer != payer || n.ID == "" || n.Note == "" {
			b.t.Fatalf("got %+v for %s", n, payer)
		}
		out = append(out, fmt.Sprint(n.Subject, " ", n.Kind))
	}
	return out
}

func testNotices(_ *testing.T, b *bench) {
	const owner = passport.OwnerPays
	g := b.active(Detail(1, 1000)) // 10,000 micro-dollars
	at := func(n int) time.Time { return Epoch().Add(time.Duration(n) * time.Minute) }
	spend := func(n int, m passport.Money) {
		s := settlement(b.hold(g.ID, m), m)
		s.At = at(n)
		b.settle(s)
		b.flush()
	}
	is := func(kinds ...passport.EventKind) {
		b.t.Helper()
		var want []string
		for _, k := range kinds {
			want = append(want, fmt.Sprint(g.ID, " ", k))
		}
		b.equal(b.notices(owner), want)
	}
	is()
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{{Grant: g.ID, Events: []passport.Event{passport.Watched{Grant: g.ID}.FirstUse(at(1))}}}))
	spend(2, 8000)
	is(passport.GrantNearCap, passport.GrantFirstUsed)
	b.equal(b.notices("p2"), []string(nil))
	spend(3, 2000) // all of it is spent: that 80 % were says nothing any more
	is(passport.GrantSpent, passport.GrantFirstUsed)

	// Seen is seen, by whoever it was for; the events stay.
	list, err := b.s.Notices(ctx(), owner, 1)
	b.ok(err)
	b.equal([]any{len(list), list[0].At, list[0].Note}, []any{1, at(3), "all of $0.01 is spent"})
	b.ok(b.s.Dismiss(ctx(), "p2", list[0].ID, time.Time{}))
	b.ok(b.s.Dismiss(ctx(), "p2", "", at(9)))
	is(passport.GrantSpent, passport.GrantFirstUsed)
	b.ok(b.s.Dismiss(ctx(), owner, list[0].ID, time.Time{}))
	is(passport.GrantFirstUsed)
	b.ok(b.s.Dismiss(ctx(), owner, "", at(1).Add(-time.Microsecond)))
	is(passport.GrantFirstUsed)
	b.ok(b.s.Dismiss(ctx(), owner, "", at(1)))
	is()
	b.equal(b.marks(g.ID), kinds(passport.GrantNearCap, passport.GrantSpent))

	// Another cap makes an end of what was said of the one before; a revoke of all.
	g = b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(2, 1000)} })
	spend(5, 7000)
	is(passport.GrantNearCap)
	g = b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(4, 1000)} })
	is()
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{{Grant: g.ID, Events: []passport.Event{passport.Watched{Grant: g.ID}.Spree(1, at(6))}}}))
	is(passport.GrantUnusual)
	g = b.change(g, to(passport.GrantRevoked))
	is()

	keyNotices(b)
}

// keyNotices: that a key is refused stands until it is taken again, replaced or removed.
func keyNotices(b *bench) {
	const owner = passport.OwnerPays
	b.member("p2")
	c := passport.Credential{ID: "cr-1", Provider: passport.OpenAI, Label: "mine", Sealed: []byte("x"), CreatedAt: Epoch(), Payer: "p2"}
	b.ok(b.s.AddCredential(ctx(), c, b.event(passport.CredentialAdded, "")))
	c.Version = 1
	mark := func(kind passport.EventKind, refused time.Time) {
		b.t.Helper()
		c.RefusedAt = refused
		b.ok(b.s.ChangeCredential(ctx(), c, b.event(kind, "")))
		c.Version++
	}
	refused := []string{"cr-1 credential.refused"}
	mark(passport.CredentialRefused, Epoch())
	b.equal(b.notices("p2"), refused)
	b.equal(b.notices(owner), []string(nil))
	mark(passport.CredentialChosen, Epoch()) // it is lent all the same
	b.equal(b.notices("p2"), refused)
	mark(passport.CredentialAccepted, time.Time{})
	b.equal(b.notices("p2"), []string(nil))
	mark(passport.CredentialRefused, Epoch())
	b.ok(b.s.RemoveCredential(ctx(), c.ID, b.event(passport.CredentialGone, "")))
	b.equal(b.notices("p2"), []string(nil))
}
