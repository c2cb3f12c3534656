package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// testIdentities: an identity is one person's, by issuer and subject; its e-mail address counts for nothing.
func testIdentities(_ *testing.T, b *bench) {
	b.person("hash")
	one := passport.Identity{Issuer: "https://accounts.example.com", Subject: "s1", Email: "ada@example.com", Person: "p1", LinkedAt: Epoch()}
	two := one
	two.Subject, two.LinkedAt = "s2", Epoch().Add(time.Minute)
	add := func(i passport.Identity) error {
		return b.s.AddIdentity(ctx(), i, b.event(passport.IdentityLinked, ""))
	}
	b.ok(add(two))
	b.ok(add(one))
	b.is(add(one), problem.Conflict)
	other := one
	other.Person, other.Subject = "p2", "s3"
	b.is(add(other), problem.NotFound)
	for _, bad := range []passport.Identity{{Person: "p1", Issuer: "i"}, {Person: "p1", Subject: "s"}, {Person: "p1", Issuer: "i", Subject: strings.Repeat("s", passport.MaxSubject+1)}} {
		b.is(add(bad), problem.Invalid)
	}
	b.reopen()
	got, err := b.s.Identity(ctx(), one.Hash())
	b.ok(err)
	b.equal(got, one)
	list, err := b.s.Identities(ctx(), "p1")
	b.ok(err)
	b.equal(list, []passport.Identity{one, two})
	_, err = b.s.Identity(ctx(), other.Hash())
	b.is(err, problem.NotFound)

	before := len(b.events())
	b.is(b.s.RemoveIdentity(ctx(), "p2", one.Hash(), b.event(passport.IdentityUnlinked, "")), problem.NotFound)
	b.ok(b.s.RemoveIdentity(ctx(), "p1", one.Hash(), b.event(passport.IdentityUnlinked, "")))
	b.is(b.s.RemoveIdentity(ctx(), "p1", one.Hash(), b.event(passport.IdentityUnlinked, "")), problem.NotFound)
	b.equal(len(b.events()), before+1)
	for n := range passport.MaxIdentities - 1 {
		i := one
		i.Subject = "t" + strings.Repeat("t", n)
		b.ok(add(i))
	}
	b.is(add(one), problem.Conflict)

	// The last way in stays.
	b.ok(b.s.SetPassword(ctx(), "p1", "", [32]byte{}, b.event(passport.PasswordChanged, "")))
	b.is(b.s.RemoveIdentity(ctx(), "p1", two.Hash(), b.event(passport.IdentityUnlinked, "")), problem.Conflict)
	b.ok(b.addPasskey(passkey(1)))
	b.ok(b.s.RemoveIdentity(ctx(), "p1", two.Hash(), b.event(passport.IdentityUnlinked, "")))
}
