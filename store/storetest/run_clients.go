package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func someClient(id passport.ClientID, k passport.ClientKind) passport.Client {
	return passport.Client{ID: id, Kind: k, Name: "Ⓢome app", URI: "https://app.example/", RedirectURIs: []string{"https://app.example/cb", "http://127.0.0.1/cb"},
		Auth: passport.PublicClient, ManageHash: [32]byte{31: 3}, CreatedAt: Epoch()}
}

func (b *bench) client(want passport.Client) {
	b.t.Helper()
	got, err := b.s.Client(ctx(), want.ID)
	b.ok(err)
	b.equal(got, want)
}

func (b *bench) addClient(c passport.Client) error {
	return b.s.AddClient(ctx(), c, b.event(passport.ClientAdded, ""))
}

func testClients(_ *testing.T, b *bench) {
	public, owned := someClient("c1", passport.ClientRegistered), someClient("c2", passport.ClientOwned)
	owned.Auth, owned.JWKS, owned.DPoP, owned.ManageHash = passport.ClientPrivateKey, `{"keys":[]}`, true, [32]byte{}
	owned.RedirectURIs, owned.CreatedAt = nil, Epoch().Add(time.Hour)
	b.ok(b.addClient(public))
	b.ok(b.addClient(owned))
	b.is(b.addClient(public), problem.Conflict)
	bad := someClient("c3", passport.ClientOwned)
	bad.RedirectURIs = []string{"http://app.example/"}
	b.is(b.addClient(bad), problem.Invalid)
	b.client(public)
	b.client(owned)
	_, err := b.s.Client(ctx(), "C1")
	b.is(err, problem.NotFound)

	// Used: it only goes on.
	b.ok(b.s.UseClient(ctx(), "c1", Epoch().Add(2*time.Hour)))
	b.ok(b.s.UseClient(ctx(), "c1", Epoch().Add(time.Hour)))
	b.ok(b.s.UseClient(ctx(), "nobody", Epoch()))
	public.UsedAt = Epoch().Add(2 * time.Hour)
	b.client(public)

	// Changed: age and use stay. Of another kind it is not found.
	change := public
	change.Auth, change.SecretHash, change.Name, change.RedirectURIs = passport.ClientBasic, [32]byte{5}, "x", []string{"com.example.app:/cb"}
	change.CreatedAt, change.UsedAt = time.Time{}, time.Time{}
	b.ok(b.s.ChangeClient(ctx(), change, b.event(passport.ClientChanged, "")))
	change.CreatedAt, change.UsedAt = public.CreatedAt, public.UsedAt
	b.client(change)
	other := change
	other.Kind = passport.ClientOwned
	b.is(b.s.ChangeClient(ctx(), other, b.event(passport.ClientChanged, "")), problem.NotFound)
	b.is(b.s.ChangeClient(ctx(), passport.Client{}, b.event(passport.ClientChanged, "")), problem.Invalid)

	b.is(b.s.RemoveClient(ctx(), "c1", passport.ClientOwned, b.event(passport.ClientRemoved, "")), problem.NotFound)
	b.ok(b.s.RemoveClient(ctx(), "c1", passport.ClientRegistered, b.event(passport.ClientRemoved, "")))
	b.is(b.s.RemoveClient(ctx(), "c1", passport.ClientRegistered, b.event(passport.ClientRemoved, "")), problem.NotFound)
	b.equal(len(b.events()), 4)
	b.reopen()
	b.client(owned)

	// The owner's do not give way.
	for i := 1; i < passport.MaxOwnedClients; i++ {
		b.ok(b.addClient(someClient(passport.ClientID(fmt.Sprintf("o%03d", i)), passport.ClientOwned)))
	}
	b.is(b.addClient(someClient("one-more", passport.ClientOwned)), problem.Conflict)
	list, err := b.s.Clients(ctx(), passport.ClientOwned, 2)
	b.ok(err)
	b.equal([]passport.ClientID{list[0].ID, list[1].ID}, []passport.ClientID{"c2", "o049"})
}

// testClientsGiveWay has grants of all states: those that could still be used or answered keep their client.
func testClientsGiveWay(_ *testing.T, b *bench) {
	name := func(i int) passport.ClientID { return passport.ClientID(fmt.Sprintf("c%04d", i)) }
	for i := range passport.MaxRegisteredClients {
		c := someClient(name(i), passport.ClientRegistered)
		c.CreatedAt = Epoch().Add(time.Duration(i-5000) * time.Second)
		b.ok(b.addClient(c))
	}
	of := func(i int, g passport.Grant) passport.GrantID {
		return b.change(g, func(g *passport.Grant) { g.Client = name(i) }).ID
	}
	pending, active := of(0, b.pending(Detail(1, 1))), of(1, b.active(Detail(1, 1)))
	of(2, b.change(b.active(Detail(1, 1)), func(g *passport.Grant) { g.State = passport.GrantPaused }))
	b.change(b.active(Detail(1, 1)), func(g *passport.Grant) { g.State, g.Client = passport.GrantRevoked, name(3) })
	b.ok(b.s.UseClient(ctx(), name(3), Epoch())) // used later than many were made
	of(4, b.change(b.active(Detail(1, 1)), func(g *passport.Grant) { g.ExpiresAt = Epoch() }))
	for i, gone := range []int{4, 5, 6} {
		b.ok(b.addClient(someClient(passport.ClientID(fmt.Sprint("new", i)), passport.ClientRegistered)))
		_, err := b.s.Client(ctx(), name(gone))
		b.is(err, problem.NotFound)
		events := b.events()
		if note := events[len(events)-1].Note; !strings.Contains(note, string(name(gone))) {
			b.t.Errorf("the event says %q, want that %s gave way", note, name(gone))
		}
	}
	for _, kept := range []int{0, 1, 2, 3, 7} {
		_, err := b.s.Client(ctx(), name(kept))
		b.ok(err)
	}
	for i, want := range map[int]passport.GrantID{0: pending, 1: active} {
		got, err := b.s.GrantsOfClient(ctx(), name(i), 10)
		b.ok(err)
		b.equal(got, []passport.GrantID{want})
	}
	got, err := b.s.GrantsOfClient(ctx(), name(3), 10)
	b.ok(err)
	b.equal(len(got), 0)
	b.pending(Detail(1, 1)) // of no client
	got, err = b.s.GrantsOfClient(ctx(), "", 10)
	b.ok(err)
	b.equal(len(got), 0)
}

func testClientsRace(_ *testing.T, b *bench) {
	for i := 2; i < passport.MaxOwnedClients; i++ {
		b.ok(b.addClient(someClient(passport.ClientID(fmt.Sprint("c", i)), passport.ClientOwned)))
	}
	var wait sync.WaitGroup
	var taken atomic.Int64
	for i := range 12 {
		ev := b.event(passport.ClientAdded, "")
		wait.Go(func() {
			err := b.s.AddClient(ctx(), someClient(passport.ClientID(fmt.Sprint("race", i)), passport.ClientOwned), ev)
			if err == nil {
				taken.Add(1)
			} else if problem.KindOf(err) != problem.Conflict {
				b.t.Errorf("got %v, want a conflict", err)
			}
		})
	}
	wait.Wait()
	b.equal(taken.Load(), int64(2))
}
