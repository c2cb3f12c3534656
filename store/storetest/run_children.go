package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// narrowed is a grant below another; at says for each of its details which one of the parent's it is.
func (b *bench) narrowed(parent passport.Grant, at []int, details ...passport.Detail) passport.Grant {
	g := passport.Grant{ID: passport.GrantID(b.next("gr")), RequestID: "rq", Version: 1, State: passport.GrantActive, AppName: "Helper",
		Asked: details, Details: details, Owner: "p1", Payer: parent.Payer, CreatedAt: Epoch(), ApprovedAt: Epoch(), ExpiresAt: parent.ExpiresAt, Parent: parent.ID, Actor: `{"sub":"h"}`}
	up := passport.Above{ID: parent.ID, Details: at}
	for _, i := range at {
		up.Rates = append(up.Rates, parent.Details[i].RateLimit.Or(0))
	}
	g.Above = []passport.Above{up}
	for _, a := range parent.Above {
		higher := passport.Above{ID: a.ID}
		for _, i := range at {
			higher.Details, higher.Rates = append(higher.Details, a.Details[i]), append(higher.Rates, a.Rates[i])
		}
		g.Above = append(g.Above, higher)
	}
	return g
}

// child adds a grant below another.
func (b *bench) child(parent passport.Grant, at []int, details ...passport.Detail) passport.Grant {
	b.t.Helper()
	g := b.narrowed(parent, at, details...)
	b.ok(b.s.AddChild(ctx(), g, b.event(passport.GrantDelegated, g.ID)))
	return g
}

func google(d passport.Detail) passport.Detail {
	d.Provider = passport.Google
	return d
}

// family is a grant of two details, one below it of the second of them, and one below that.
func (b *bench) family() (root, mid, leaf passport.Grant) {
	b.t.Helper()
	root = b.active(Detail(2, 100), google(Detail(1, 50)))
	mid = b.child(root, []int{1}, google(Detail(5, 40)))
	leaf = b.child(mid, []int{0}, google(Detail(5, 30)))
	return root, mid, leaf
}

func balance(cents, calls int64, settled, held passport.Money, made int64) passport.Balance {
	return passport.Balance{Cap: passport.Money(cents) * passport.Cent, CallsCap: calls, Settled: settled, Held: held, Calls: made}
}

func testChildHold(_ *testing.T, b *bench) {
	root, mid, leaf := b.family()
	b.equal(b.standing(leaf.ID).Grant, leaf)
	all, err := b.s.Standings(ctx(), passport.OwnerPays, time.Time{}, 100)
	b.ok(err)
	b.equal(all, []passport.Standing{b.standing(root.ID)})
	h := b.ask(leaf.ID, 1000)
	h.Provider = passport.Google
	held, err := b.s.Hold(ctx(), h)
	b.ok(err)
	b.equal(held, passport.Held{Amount: 1000, Total: balance(5, 30, 0, 1000, 1), Detail: balance(5, 30, 0, 1000, 1), Left: 9000})
	for _, settled := range []bool{false, true} {
		spent, open := passport.Money(0), passport.Money(1000)
		if settled {
			b.settle(settlement(h, 600))
			spent, open = 600, 0
		}
		b.total(leaf.ID, balance(5, 30, spent, open, 1))
		b.total(mid.ID, balance(5, 40, spent, open, 1))
		b.total(root.ID, balance(3, 150, spent, open, 1))
		b.equal(b.standing(root.ID).Details, []passport.Balance{balance(2, 100, 0, 0, 0), balance(1, 50, spent, open, 1)})
	}
	h = b.ask(leaf.ID, 1000)
	h.Provider = passport.Google
	_, err = b.s.Hold(ctx(), h)
	b.ok(err)
	z := settlement(h, 0)
	z.Reached = false
	b.settle(z)
	b.total(root.ID, balance(3, 150, 600, 0, 1))
	b.reopen()
	b.total(mid.ID, balance(5, 40, 600, 0, 1))
	list, err := b.s.Children(ctx(), root.ID, 10)
	b.ok(err)
	b.equal([]any{len(list), list[0].Grant.ID, list[0].Total.Settled}, []any{1, mid.ID, passport.Money(600)})
}

func testChildRefusals(_ *testing.T, b *bench) {
	root, mid, leaf := b.family()
	ask := func(amount, least passport.Money) error {
		b.t.Helper()
		h := b.ask(leaf.ID, amount)
		h.Provider, h.Least = passport.Google, least
		_, err := b.s.Hold(ctx(), h)
		return err
	}
	says := func(err error, kind problem.Kind, words string) {
		b.t.Helper()
		b.is(err, kind)
		b.equal(problem.From(err).Detail, words)
	}
	err := ask(10_001, 10_001)
	says(err, problem.BudgetSpent, "a grant that this one's was passed on from for Google has less left than the call could cost at worst, $0.010001")
	short, ok := errors.AsType[passport.Short](err)
	b.equal([]any{short.Left, ok}, []any{passport.Money(10_000), true})
	b.total(leaf.ID, balance(5, 30, 0, 0, 0))
	b.ok(ask(20_000, 1)) // takes what the smallest leaves
	b.total(leaf.ID, balance(5, 30, 0, 10_000, 1))
	b.total(root.ID, balance(3, 150, 0, 10_000, 1))
	mid = b.change(b.standing(mid.ID).Grant, func(g *passport.Grant) { g.Details[0].MaxRequests = passport.LimitOf(1) })
	says(ask(0, 0), problem.CallsSpent, "all calls of the grant that this one was passed on from are used up")

	root = b.change(b.standing(root.ID).Grant, to(passport.GrantPaused))
	says(ask(0, 0), problem.GrantPaused, "a grant that this one was passed on from is paused by its owner")
	b.is(b.s.AddChild(ctx(), b.narrowed(mid, []int{0}, google(Detail(1, 1))), b.event(passport.GrantDelegated, "")), problem.GrantPaused)
	root = b.change(root, to(passport.GrantActive))
	root = b.change(root, func(g *passport.Grant) { g.ExpiresAt = Epoch().Add(30 * time.Second) })
	says(ask(0, 0), problem.GrantEnded, "a grant that this one was passed on from has ended")
	b.equal(b.standing(leaf.ID).Grant.State, passport.GrantActive)
}

func testChildRates(_ *testing.T, b *bench) {
	root, mid, leaf := b.family()
	stale := b.narrowed(mid, []int{0}, google(Detail(1, 1)))
	slower := func(by int64) func(*passport.Grant) {
		return func(g *passport.Grant) { g.Details[len(g.Details)-1].RateLimit = passport.LimitOf(by) }
	}
	root = b.change(root, slower(7))
	rates := func(id passport.GrantID) (out []int64) {
		for _, a := range b.standing(id).Grant.Above {
			out = append(out, a.Rates...)
		}
		return out
	}
	b.equal([][]int64{rates(mid.ID), rates(leaf.ID)}, [][]int64{{7}, {60, 7}})
	b.change(mid, slower(5)) // its version is the one that it was made with: the change was none of it
	b.ok(b.s.AddChild(ctx(), stale, b.event(passport.GrantDelegated, stale.ID)))
	b.equal([][]int64{rates(mid.ID), rates(leaf.ID), rates(stale.ID)}, [][]int64{{7}, {5, 7}, {5, 7}})
	b.change(root, slower(50)) // more reaches them as well: what they were narrowed to holds them
	b.reopen()
	b.equal([][]int64{rates(mid.ID), rates(leaf.ID), rates(stale.ID)}, [][]int64{{50}, {5, 50}, {5, 50}})
}

func testChildEnds(_ *testing.T, b *bench) {
	root, mid, leaf := b.family()
	other := b.child(root, []int{0}, Detail(1, 1))
	token := passport.Token{ID: "tk-leaf", Grant: leaf.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}
	b.ok(b.s.AddToken(ctx(), token, b.event(passport.TokenIssued, leaf.ID)))
	mid = b.change(b.standing(mid.ID).Grant, to(passport.GrantRevoked))
	b.equal([]any{b.standing(leaf.ID).Grant.State, b.standing(other.ID).Grant.State}, []any{passport.GrantRevoked, passport.GrantActive})
	l, err := b.s.Liveness(ctx(), token.ID)
	b.ok(err)
	if l.Token.RevokedAt.IsZero() || l.Standing.Grant.RevokedAt.IsZero() {
		b.t.Fatalf("got %+v, want a revoked token of a revoked grant", l)
	}
	b.equal(b.kinds(leaf.ID), kinds(passport.GrantDelegated, passport.TokenIssued, passport.GrantApproved))
	b.change(b.standing(root.ID).Grant, to(passport.GrantRevoked))
	b.equal(b.standing(other.ID).Grant.State, passport.GrantRevoked)
	h := b.ask(other.ID, 0)
	_, err = b.s.Hold(ctx(), h)
	b.is(err, problem.GrantEnded)
	b.is(b.s.AddChild(ctx(), b.narrowed(root, []int{0}, Detail(1, 1)), b.event(passport.GrantDelegated, "")), problem.GrantEnded)
	b.sound()
}

func testChildBreach(_ *testing.T, b *bench) {
	root, mid, leaf := b.family()
	h := b.ask(leaf.ID, 100)
	h.Provider = passport.Google
	_, err := b.s.Hold(ctx(), h)
	b.ok(err)
	late := b.ask(leaf.ID, 100)
	late.Provider = passport.Google
	_, err = b.s.Hold(ctx(), late)
	b.ok(err)
	n, sum, err := b.s.ChargeOrphans(ctx(), Epoch().Add(time.Minute))
	b.ok(err)
	b.equal([]any{n, sum}, []any{2, passport.Money(200)})
	b.total(root.ID, balance(3, 150, 200, 0, 2))
	b.settle(settlement(late, 40))
	b.total(root.ID, balance(3, 150, 140, 0, 2))
	b.settle(settlement(h, 300))
	b.total(root.ID, balance(3, 150, 340, 0, 2))
	b.total(mid.ID, balance(5, 40, 340, 0, 2))
	for _, g := range []passport.Grant{root, mid, leaf} {
		b.equal(b.standing(g.ID).Grant.State, passport.GrantPaused)
		all := b.kinds(g.ID)
		b.equal(all[len(all)-1], passport.GrantFrozen)
	}
}

func testChildPasses(_ *testing.T, b *bench) {
	root := b.active(Detail(1, 100))
	g := b.child(root, []int{0}, Detail(2, 100))
	b.spend(g.ID, 7999, 7999)
	b.equal(b.marks(root.ID), kinds())
	b.spend(g.ID, 1, 1)
	b.equal(b.marks(root.ID), kinds(passport.GrantNearCap))
	for _, ev := range b.events() {
		if ev.Kind == passport.GrantNearCap && ev.At.Before(Epoch()) {
			b.t.Fatalf("got the time %v, want that of the settlement", ev.At)
		}
	}
	b.spend(g.ID, 2000, 2000)
	b.equal(b.marks(root.ID), kinds(passport.GrantNearCap, passport.GrantSpent))
	b.equal(b.marks(g.ID), kinds())
}

// Three children, each of whose caps is above the parent's, and the parent itself, all at once: what they hold together is the cap.
func testChildRace(_ *testing.T, b *bench) {
	root := b.active(Detail(1, 1000))
	users := []passport.GrantID{root.ID}
	for range 3 {
		users = append(users, b.child(root, []int{0}, Detail(5, 1000)).ID)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	held := passport.Money(0)
	for i := range 100 {
		wg.Go(func() {
			h := b.ask(users[i%len(users)], 300)
			got, err := b.s.Hold(ctx(), h)
			if err != nil && !isKind(err, problem.BudgetSpent) {
				b.t.Errorf("hold: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			held += got.Amount
		})
	}
	wg.Wait()
	b.equal(held, passport.Money(9900)) // 33 of 300
	b.total(root.ID, balance(1, 1000, 0, 9900, 33))
}

// A revoke beside new children leaves none that lives.
func testChildRevokeRace(_ *testing.T, b *bench) {
	root := b.active(Detail(1, 1000))
	mid := b.child(root, []int{0}, Detail(1, 100))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			g := b.narrowed(mid, []int{0}, Detail(1, 10))
			err := b.s.AddChild(ctx(), g, b.event(passport.GrantDelegated, g.ID))
			if err != nil && !isKind(err, problem.GrantEnded) {
				b.t.Errorf("add a child: %v", err)
			}
		})
	}
	wg.Go(func() { b.change(b.standing(root.ID).Grant, to(passport.GrantRevoked)) })
	wg.Wait()
	list, err := b.s.Children(ctx(), mid.ID, 100)
	b.ok(err)
	for _, s := range list {
		b.equal(s.Grant.State, passport.GrantRevoked)
	}
	b.sound()
}

func testChildBounds(_ *testing.T, b *bench) {
	root := b.active(Detail(1, 1000))
	add := func(parent passport.Grant, edit func(*passport.Grant)) error {
		g := b.narrowed(parent, []int{0}, Detail(1, 1))
		edit(&g)
		return b.s.AddChild(ctx(), g, b.event(passport.GrantDelegated, g.ID))
	}
	b.is(add(root, func(g *passport.Grant) { g.Above = nil }), problem.Invalid)
	b.is(add(root, func(g *passport.Grant) { g.Above[0].Details = []int{1} }), problem.Invalid)
	b.is(add(root, func(g *passport.Grant) { g.State = passport.GrantPending }), problem.Invalid)
	b.is(add(root, func(g *passport.Grant) { g.Parent, g.Above[0].ID = "nobody", "nobody" }), problem.NotFound)
	b.is(add(root, func(g *passport.Grant) { g.Above = append(g.Above, g.Above[0]) }), problem.Invalid)
	first := b.child(root, []int{0}, Detail(1, 1))
	b.is(add(first, func(g *passport.Grant) { g.Above = g.Above[:1] }), problem.Invalid) // it hides what is above
	for range passport.MaxChildren - 1 {
		b.child(root, []int{0}, Detail(1, 1))
	}
	b.is(add(root, func(*passport.Grant) {}), problem.Conflict)
	b.change(b.standing(first.ID).Grant, to(passport.GrantRevoked))
	b.ok(add(root, func(*passport.Grant) {}))
}
