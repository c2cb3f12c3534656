package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

func testActivity(_ *testing.T, b *bench) {
	list, next, err := b.s.Activity(ctx(), "p1", "p1", "", 0, 10)
	b.ok(err)
	b.equal([]any{len(list), next}, []any{0, int64(0)})

	b.member("p2")
	// 1. A grant of the owner's, p1, one of p2's, a request that is nobody's yet, and what has no grant.
	own, other := b.active(Detail(1, 9)), b.active(Detail(1, 9))
	own = b.change(own, func(g *passport.Grant) { g.Owner, g.Payer = "p1", passport.OwnerPays })
	other = b.change(other, func(g *passport.Grant) { g.Owner, g.Payer = "p2", "p2" })
	asked := b.pending(Detail(1, 1))
	b.ok(b.s.AddToken(ctx(), passport.Token{ID: "access", Grant: own.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}, b.event(passport.TokenIssued, own.ID)))
	for i, actor := range []string{"owner:p1", "owner:p2", "broker", "owner:p2"} {
		b.ok(b.s.Stop(ctx(), i%2 == 0, passport.Event{ID: passport.EventID(fmt.Sprint("stop", i)), Kind: passport.AppsStopped, At: own.CreatedAt.Add(time.Minute), Actor: actor}))
	}
	var owners, members []passport.Event
	for _, ev := range slices.Backward(b.events()) {
		switch {
		case ev.Kind == passport.TokenIssued:
		case ev.Grant == other.ID || ev.Grant == "" && ev.Actor == "owner:p2":
			members = append(members, ev)
		default:
			owners = append(owners, ev)
		}
	}
	if len(members) < 4 || !slices.ContainsFunc(owners, func(ev passport.Event) bool { return ev.Grant == asked.ID }) {
		b.t.Fatalf("the case is not one: %v, %v", owners, members)
	}
	b.activity("p1", passport.OwnerPays, owners)
	b.activity("p2", "p2", members)
	b.activity("p3", "p3", nil)
	b.activity("p3", "", nil)

	// 2. Of one grant; of another's nothing.
	list, next, err = b.s.Activity(ctx(), "p1", passport.OwnerPays, own.ID, 0, 100)
	b.ok(err)
	b.equal(list, slices.DeleteFunc(slices.Clone(owners), func(ev passport.Event) bool { return ev.Grant != own.ID }))
	b.equal(next, int64(0))
	list, _, err = b.s.Activity(ctx(), "p1", passport.OwnerPays, other.ID, 0, 100)
	b.ok(err)
	b.equal(len(list), 0)
}

// activity reads what a person sees, in pages of any size: each event once and in order.
func (b *bench) activity(of passport.PersonID, payer passport.Payer, want []passport.Event) {
	b.t.Helper()
	for limit := 1; limit <= len(want)+1; limit++ {
		var all []passport.Event
		for before := int64(0); ; {
			list, next, err := b.s.Activity(ctx(), of, payer, "", before, limit)
			b.ok(err)
			if len(list) > limit {
				b.t.Fatalf("got %d of at most %d", len(list), limit)
			}
			all = append(all, list...)
			if next == 0 {
				break
			}
			if before != 0 && next >= before {
				b.t.Fatalf("goes on from %d after %d", next, before)
			}
			before = next
		}
		b.equal(all, want)
	}
}
