package storetest

import (
	"fmt"
	"sync"
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
	b.member("m1")
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

// member adds one, behind the owner.
func (b *bench) member(id passport.PersonID) {
	b.t.Helper()
	if _, err := b.s.Owner(ctx()); err != nil {
		b.ok(b.s.AddFirstPerson(ctx(), passport.Person{ID: "o", Username: "o", CreatedAt: Epoch()}, b.event(passport.PersonJoined, "")))
	}
	b.ok(b.s.AddMember(ctx(), passport.Person{ID: id, Name: "n", Username: "u-" + string(id), CreatedAt: Epoch()}, nil, nil, b.event(passport.PersonJoined, "")))
}

func testInvitations(_ *testing.T, b *bench) {
	b.is(b.s.AddMember(ctx(), passport.Person{ID: "m0", Username: "m0"}, nil, nil, b.event(passport.PersonJoined, "")), problem.NotFound) // no owner
	b.member("m1")
	invite := func(n byte, ends time.Duration) error {
		return b.s.AddInvitation(ctx(), passport.Invitation{Hash: [32]byte{n}, Label: fmt.Sprint(n), CreatedAt: Epoch(), ExpiresAt: Epoch().Add(ends)}, b.event(passport.PersonInvited, ""))
	}
	b.ok(invite(1, time.Hour))
	b.ok(invite(2, time.Hour))
	got, err := b.s.Invitation(ctx(), [32]byte{1})
	b.ok(err)
	b.equal(got, passport.Invitation{Hash: [32]byte{1}, Label: "1", CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)})
	b.ok(b.s.EndInvitation(ctx(), [32]byte{2}, b.event(passport.InvitationEnded, "")))
	b.is(b.s.EndInvitation(ctx(), [32]byte{2}, b.event(passport.InvitationEnded, "")), problem.NotFound)
	join := func(id passport.PersonID, name string, n byte) error {
		hash := [32]byte{n}
		return b.s.AddMember(ctx(), passport.Person{ID: id, Name: "n", Username: name, PasswordHash: "p", CreatedAt: Epoch()}, &hash, nil, b.event(passport.PersonJoined, ""))
	}
	b.is(join("m2", "m2", 2), problem.NotFound)
	b.is(join("m2", "u-m1", 1), problem.Conflict) // and the invitation is not used up
	var mu sync.Mutex
	joined := 0
	parallel(8, func(i int) {
		if join(passport.PersonID(fmt.Sprint("p", i)), fmt.Sprint("p", i), 1) == nil {
			mu.Lock()
			joined++
			mu.Unlock()
		}
	})
	b.equal(joined, 1)
	for n := range byte(passport.MaxInvitations) {
		b.ok(invite(10+n, 2*time.Hour))
	}
	b.is(invite(99, time.Hour), problem.Conflict)
	late := b.event(passport.PersonInvited, "")
	late.At = Epoch().Add(3 * time.Hour)
	b.ok(b.s.AddInvitation(ctx(), passport.Invitation{Hash: [32]byte{100}, Label: "late", CreatedAt: late.At, ExpiresAt: late.At.Add(time.Hour)}, late))
	list, err := b.s.Invitations(ctx())
	b.ok(err)
	b.equal(len(list), 1)
}

// testMembersEnd: from a suspension on nothing becomes active in a member's name, however it races with an approval.
func testMembersEnd(_ *testing.T, b *bench) {
	b.member("m1")
	b.member("m2")
	g := b.pay("m1", Detail(500, 1000))
	b.ok(b.s.AddSession(ctx(), passport.Session{Hash: [32]byte{1}, Person: "m1", CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}, b.event(passport.SessionStarted, "")))
	b.ok(b.s.AddOwnerToken(ctx(), passport.OwnerToken{Hash: [32]byte{2}, Person: "m1", Label: "l", CreatedAt: Epoch()}, b.event(passport.OwnerTokenMade, ""), Epoch()))
	b.ok(b.s.AddOwnerToken(ctx(), passport.OwnerToken{Hash: [32]byte{3}, Label: "the owner's", CreatedAt: Epoch()}, b.event(passport.OwnerTokenMade, ""), Epoch()))
	b.is(b.s.RemovePerson(ctx(), "m1", b.event(passport.PersonRemoved, "")), problem.Conflict)
	b.is(b.s.SuspendPerson(ctx(), "o", Epoch(), b.event(passport.PersonSuspended, "")), problem.NotFound)

	asked := make([]passport.Grant, 6)
	for i := range asked {
		asked[i] = b.pending(Detail(500, 1000))
	}
	active := make([]bool, len(asked))
	parallel(len(asked)+1, func(i int) {
		if i == len(asked) {
			b.ok(b.s.SuspendPerson(ctx(), "m1", Epoch(), b.event(passport.PersonSuspended, "")))
			return
		}
		n := asked[i]
		n.Version, n.State, n.ApprovedAt, n.Owner, n.Payer = n.Version+1, passport.GrantActive, Epoch(), "m1", "m1"
		err := b.s.ChangeGrant(ctx(), n, b.event(passport.GrantApproved, n.ID))
		if active[i] = err == nil; err != nil && problem.KindOf(err) != problem.Forbidden {
			b.t.Errorf("got %v", err)
		}
	})
	// What is active now was so before the suspension: whoever lists after it finds all.
	list, err := b.s.Standings(ctx(), "m1", time.Time{}, 20)
	b.ok(err)
	n := 1
	for _, on := range active {
		if on {
			n++
		}
	}
	b.equal(len(list), n)
	late := b.pending(Detail(500, 1000))
	late.Version, late.State, late.ApprovedAt, late.Owner, late.Payer = 2, passport.GrantActive, Epoch(), "m1", "m1"
	b.is(b.s.ChangeGrant(ctx(), late, b.event(passport.GrantApproved, late.ID)), problem.Forbidden)
	late.Owner, late.Payer = "gone", "gone"
	b.is(b.s.ChangeGrant(ctx(), late, b.event(passport.GrantApproved, late.ID)), problem.Forbidden)
	_, err = b.s.Session(ctx(), [32]byte{1})
	b.is(err, problem.NotFound)
	_, err = b.s.OwnerToken(ctx(), [32]byte{2})
	b.is(err, problem.NotFound)
	_, err = b.s.OwnerToken(ctx(), [32]byte{3})
	b.ok(err)

	b.spend(g.ID, 1000, 700)
	sums, err := b.s.MemberSums(ctx(), Epoch(), Epoch())
	b.ok(err)
	b.equal(sums, map[passport.Payer]passport.MemberSum{"m1": {Apps: int64(n), Calls: 1, Settled: 700}})
	b.ok(b.s.RemovePerson(ctx(), "m1", b.event(passport.PersonRemoved, "")))
	_, err = b.s.Person(ctx(), "m1")
	b.is(err, problem.NotFound)
	people, err := b.s.People(ctx())
	b.ok(err)
	b.equal([]any{len(people), people[0].Role}, []any{2, passport.RoleOwner})
}

// testMembersKeys: no provider key is kept for who is suspended or gone meanwhile: its test takes a while.
func testMembersKeys(_ *testing.T, b *bench) {
	b.member("m1")
	key := passport.Credential{ID: "late", Payer: "m1", Provider: passport.OpenAI, Label: "l", Sealed: []byte{1}, CreatedAt: Epoch(), Version: 1}
	b.ok(b.s.SuspendPerson(ctx(), "m1", Epoch(), b.event(passport.PersonSuspended, "")))
	b.is(b.s.AddCredential(ctx(), key, b.event(passport.CredentialAdded, "")), problem.Forbidden)
	b.ok(b.s.RemovePerson(ctx(), "m1", b.event(passport.PersonRemoved, "")))
	b.is(b.s.AddCredential(ctx(), key, b.event(passport.CredentialAdded, "")), problem.Forbidden)
	keys, err := b.s.Credentials(ctx())
	b.ok(err)
	b.equal(len(keys), 0)
}

// testMembersWebhook: the webhook is the owner's, and what a member gave is not told to it.
func testMembersWebhook(_ *testing.T, b *bench) {
	b.member("m1")
	b.ok(b.s.SetWebhook(ctx(), passport.Webhook{Site: "hook.example", Sealed: []byte{1}, CreatedAt: Epoch()}, b.event(passport.WebhookSet, "")))
	theirs := b.pay("m1", Detail(1, 1000))
	b.spend(theirs.ID, 10_000, 9000)
	b.change(theirs, func(g *passport.Grant) { g.State = passport.GrantPaused })
	b.flush()
	w, err := b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w.Waiting, int64(0))
	mine := b.pay(passport.OwnerPays, Detail(1, 1000))
	b.spend(mine.ID, 10_000, 9000)
	b.flush()
	w, err = b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w.Waiting > 0, true)
}

// who is one at an OpenID provider.
func who(subject string) *passport.Identity {
	return &passport.Identity{Issuer: "https://accounts.example.com", Subject: subject, Email: "g@example.com", LinkedAt: Epoch()}
}

// joinAs adds a member who is somebody elsewhere, by an invitation that is made for it if a number is given.
func (b *bench) joinAs(id string, as *passport.Identity, by ...byte) error {
	var hash *[32]byte
	for _, n := range by {
		hash = &[32]byte{n}
		v := passport.Invitation{Hash: *hash, Label: "l", CreatedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}
		b.ok(b.s.AddInvitation(ctx(), v, b.event(passport.PersonInvited, "")))
	}
	return b.s.AddMember(ctx(), passport.Person{ID: passport.PersonID(id), Name: "n", Username: "u-" + id, CreatedAt: Epoch()}, hash, as, b.event(passport.PersonJoined, ""))
}

// testJoinAs: who a person is at an OpenID provider comes with them or not at all; what was somebody's once takes an invitation.
func testJoinAs(_ *testing.T, b *bench) {
	b.member("m1")
	join := b.joinAs
	before := len(b.events())
	b.ok(join("m2", who("s1")))
	b.equal(len(b.events()), before+1)
	got, err := b.s.Identity(ctx(), who("s1").Hash())
	b.ok(err)
	b.equal(got.Person, passport.PersonID("m2"))
	refused := func(id string, as *passport.Identity, by ...byte) {
		b.t.Helper()
		b.is(join(id, as, by...), problem.Conflict)
		_, err := b.s.Person(ctx(), passport.PersonID(id))
		b.is(err, problem.NotFound)
	}
	refused("m3", who("s1"))
	refused("m3", who("s1"), 7)
	b.is(join("m3", &passport.Identity{Issuer: "i"}), problem.Invalid)
	_, err = b.s.Person(ctx(), "m3")
	b.is(err, problem.NotFound)
	_, err = b.s.Invitation(ctx(), [32]byte{7}) // it is not used up
	b.ok(err)

	gone := func(subject string, want bool) {
		b.t.Helper()
		got, err := b.s.IdentityGone(ctx(), who(subject).Hash())
		b.ok(err)
		b.equal(got, want)
	}
	gone("s1", false)
	b.ok(b.s.SuspendPerson(ctx(), "m2", Epoch(), b.event(passport.PersonSuspended, "")))
	refused("m3", who("s1"))
	b.ok(b.s.RemovePerson(ctx(), "m2", b.event(passport.PersonRemoved, "")))
	gone("s1", true)
	refused("m3", who("s1"))
	b.reopen()
	refused("m3", who("s1"))
	b.ok(join("m3", who("s1"), 8))
	gone("s1", false)
	b.ok(b.s.SetPassword(ctx(), "m3", "p", [32]byte{}, b.event(passport.PasswordChanged, "")))
	b.ok(b.s.RemoveIdentity(ctx(), "m3", who("s1").Hash(), b.event(passport.IdentityUnlinked, "")))
	refused("m4", who("s1"))
	again := *who("s1")
	again.Person = "m3"
	b.ok(b.s.AddIdentity(ctx(), again, b.event(passport.IdentityLinked, "")))
	gone("s1", false)
	joined, mu := 0, sync.Mutex{}
	parallel(8, func(i int) {
		if join(fmt.Sprint("p", i), who("s2")) == nil {
			mu.Lock()
			joined++
			mu.Unlock()
		}
	})
	b.equal(joined, 1)
}
