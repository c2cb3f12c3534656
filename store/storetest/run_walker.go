package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// walker drives a store and its paper side by side.
type walker struct {
	b      *bench
	p      paper
	begins time.Time // of this walk's two months, which no other walk on the store has
}

// walkers are the people who pay in a walk.
var walkers = []passport.Payer{passport.OwnerPays, "w1"}

// walkCeilings are the ceilings that a walk sets and removes.
var walkCeilings = []passport.CeilingID{passport.PersonCeiling, passport.KeyCeiling(passport.OpenAI), passport.KeyCeiling(passport.Google),
	passport.CredentialCeiling("key-1"), passport.CredentialCeiling("key-2"), passport.PersonCeilingOf("w1"), passport.KeyCeilingOf("w1", passport.OpenAI)}

// testWalk does the same random steps to the store and to the paper, and compares after each (BUDGET's I1 and I2).
func testWalk(t *testing.T, b *bench) {
	walks := 0
	b.member("w1")
	rapid.Check(t, func(t *rapid.T) {
		walks++
		w := &walker{b: b, begins: time.Date(2030, time.Month(1+2*walks), 1, 0, 0, 0, 0, time.UTC),
			p: paper{limits: map[passport.CeilingID]store.Limits{}, earlier: map[monthKey]passport.Money{}}}
		w.clear() // what the walk before has left, which may not have come to its end
		for range 2 {
			w.start(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"hold":    w.hold,
			"hold2":   w.hold,
			"child":   w.child,
			"settle":  w.settle,
			"gone":    w.gone,
			"twice":   w.twice,
			"change":  w.change,
			"caps":    w.caps,
			"reopen":  w.reopen,
			"ceiling": w.ceiling,
			"most":    w.most,
			"stop":    w.stop,
			"orphans": w.orphans,
			"":        w.compare,
		})
	})
	b.sound()
	b.reopen()
	b.sound()
}

// clear ends what is in the way of a walk on a store that others have walked on.
func (w *walker) clear() {
	w.b.ok(w.b.s.Stop(ctx(), false, w.b.event(passport.AppsResumed, "")))
	for _, id := range walkCeilings {
		w.b.ok(w.b.s.RemoveCeiling(ctx(), id, w.b.event("", "")))
	}
	w.b.ok(w.b.s.LimitMember(ctx(), "w1", passport.Limit{}, w.b.event("", "")))
	_, _, err := w.b.s.ChargeOrphans(ctx(), w.begins)
	w.b.ok(err)
}

func (w *walker) start(t *rapid.T) {
	g := &paperGrant{state: passport.GrantActive}
	var details []passport.Detail
	for i := range rapid.IntRange(1, 3).Draw(t, "details") {
		d := Detail(rapid.Int64Range(0, 3).Draw(t, "cents"), rapid.Int64Range(0, 12).Draw(t, "calls"))
		d.Provider = providerOf(i)
		details = append(details, d)
		g.add(d)
	}
	g.payer = rapid.SampledFrom(walkers).Draw(t, "payer")
	g.grant = w.b.change(w.b.pay(g.payer, details...), func(g *passport.Grant) { g.ExpiresAt = w.begins.AddDate(1, 0, 0) })
	w.issue(g)
}

func (w *walker) issue(g *paperGrant) {
	g.token = passport.Token{ID: passport.TokenID(w.b.next("walk")), Grant: g.grant.ID, IssuedAt: Epoch(), ExpiresAt: Epoch().Add(time.Hour)}
	if !w.p.stopped && g.state == passport.GrantActive {
		w.b.ok(w.b.s.AddToken(ctx(), g.token, w.b.event(passport.TokenIssued, g.grant.ID)))
	}
	w.p.grants = append(w.p.grants, g)
}

func (g *paperGrant) add(d passport.Detail) {
	g.providers = append(g.providers, d.Provider)
	g.caps = append(g.caps, passport.Balance{Cap: d.Cap(), CallsCap: d.MaxRequests.Or(0)})
}

// child narrows a grant to some of its details, with caps that may be above its own.
func (w *walker) child(t *rapid.T) {
	if w.p.stopped || len(w.p.grants) > 8 || rapid.IntRange(0, 2).Draw(t, "narrow") > 0 {
		t.Skip("no child")
	}
	parent := w.one(t)
	line, _ := parent.line(0)
	for _, on := range line {
		if on.state != passport.GrantActive {
			t.Skip("it cannot have one")
		}
	}
	g := &paperGrant{state: passport.GrantActive, payer: parent.payer}
	places := rapid.Permutation([]int{0, 1, 2}[:len(parent.caps)]).Draw(t, "details")
	places = places[:rapid.IntRange(1, len(places)).Draw(t, "count")]
	var details []passport.Detail
	for _, at := range places {
		d := Detail(rapid.Int64Range(0, 4).Draw(t, "cents"), rapid.Int64Range(0, 12).Draw(t, "calls"))
		d.Provider = parent.providers[at]
		details = append(details, d)
		g.add(d)
	}
	g.grant = w.b.child(w.b.standing(parent.grant.ID).Grant, places, details...)
	g.above = []paperUp{{parent, places}}
	for _, up := range parent.above {
		higher := paperUp{paperGrant: up.paperGrant}
		for _, at := range places {
			higher.details = append(higher.details, up.details[at])
		}
		g.above = append(g.above, higher)
	}
	w.issue(g)
}

// one draws a grant.
func (w *walker) one(t *rapid.T) *paperGrant { return rapid.SampledFrom(w.p.grants).Draw(t, "grant") }

// when draws a moment of one of the two months, which are not always in order: clocks differ.
func (w *walker) when(t *rapid.T) time.Time {
	if rapid.IntRange(0, 3).Draw(t, "month") == 0 {
		return w.begins.AddDate(0, 1, 0)
	}
	return w.begins.AddDate(0, 1, 0).Add(-time.Microsecond)
}

func (w *walker) hold(t *rapid.T) {
	g := w.one(t)
	h := w.b.ask(g.grant.ID, passport.Money(rapid.Int64Range(0, 15_000).Draw(t, "amount")))
	h.Least = passport.Money(rapid.Int64Range(0, int64(h.Amount)).Draw(t, "least"))
	h.Detail = rapid.IntRange(0, len(g.caps)-1).Draw(t, "detail")
	h.Provider, h.At = g.providers[h.Detail], w.when(t)
	h.Credential = rapid.SampledFrom([]passport.CredentialID{"", "key-1", "key-2"}).Draw(t, "key")
	month := passport.MonthOf(h.At)
	want, kind, ok := w.p.hold(g, h.Detail, h.Ceilings(g.payer), month, h.Amount, h.Least)
	held, err := w.b.s.Hold(ctx(), h)
	if !ok {
		if !isKind(err, kind) {
			t.Fatalf("hold %+v: got %v, want a problem of kind %d", h, err, kind)
		}
		return
	}
	if err != nil || held.Amount != want {
		t.Fatalf("hold %+v: got %+v, %v, want %v", h, held, err, want)
	}
	c := &paperCall{id: h.ID, over: h.Ceilings(g.payer), grant: g, detail: h.Detail, amount: want, month: month, on: map[passport.CeilingID]bool{}, state: passport.ReservationHeld}
	w.p.calls = append(w.p.calls, c)
	left := passport.Money(passport.MaxMoney)
	line, details := g.line(h.Detail)
	for i, on := range line {
		left = min(left, w.p.sum(on, -1).Left(), w.p.sum(on, details[i]).Left())
	}
	for _, id := range w.p.path(h.Ceilings(g.payer)) {
		c.on[id] = true
		row, _ := w.p.month(monthKey{id, month})
		left = min(left, row.Left())
	}
	if total, detail := w.p.sum(g, -1), w.p.sum(g, h.Detail); held.Total != total || held.Detail != detail || held.Left != left {
		t.Fatalf("hold %+v: got %+v, want %+v, %+v and %v left", h, held, total, detail, left)
	}
}

func (w *walker) settle(t *rapid.T) {
	if len(w.p.calls) == 0 {
		t.Skip("nothing to settle")
	}
	c := rapid.SampledFrom(w.p.calls).Draw(t, "call")
	s := settlement(passport.Hold{ID: c.id, Grant: c.grant.grant.ID, At: w.begins.AddDate(0, 1, 0)}, 0)
	switch rapid.IntRange(0, 9).Draw(t, "outcome") {
	case 0:
		s.Reached = false
	case 1:
		s.Actual = c.amount + 1
	default:
		s.Actual = passport.Money(rapid.Int64Range(0, int64(c.amount)).Draw(t, "actual"))
	}
	if c.state == passport.ReservationSwept && s.Actual > c.amount && !w.p.opened(c.beside()) {
		s.Actual = c.amount // what the months have then depends on whether another hold has opened them
	}
	w.b.settle(s)
	w.p.settle(c, s.Actual, s.Reached)
}

func (w *walker) change(t *rapid.T) {
	g := w.one(t)
	now := w.b.standing(g.grant.ID).Grant
	next := rapid.SampledFrom([]passport.GrantState{passport.GrantActive, passport.GrantActive, passport.GrantPaused,
		passport.GrantRevoked}).Draw(t, "state")
	if now.State == passport.GrantRevoked {
		next = passport.GrantRevoked
	}
	w.b.change(now, to(next))
	g.state = next
	for _, below := range w.p.grants {
		line, _ := below.line(0)
		if next == passport.GrantRevoked && slices.Contains(line, g) {
			below.state = next // even if it was paused
		}
	}
}

// caps raises or lowers the caps of a detail: below what is used already, too.
func (w *walker) caps(t *rapid.T) {
	g := w.one(t)
	i := rapid.IntRange(0, len(g.caps)-1).Draw(t, "detail")
	cents, calls := rapid.Int64Range(0, 4).Draw(t, "cents"), rapid.Int64Range(0, 15).Draw(t, "calls")
	w.b.change(w.b.standing(g.grant.ID).Grant, func(g *passport.Grant) {
		g.Details[i].MaxBudgetCents, g.Details[i].MaxRequests = passport.LimitOf(cents), passport.LimitOf(calls)
	})
	g.caps[i] = passport.Balance{Cap: passport.Money(cents) * passport.Cent, CallsCap: calls}
	g.breach = true // lowered caps may be below what is used
}

// gone is a caller that has left before its hold is answered, and whose meter gives back what there may be.
func (w *walker) gone(t *rapid.T) {
	g := w.one(t)
	h := w.b.ask(g.grant.ID, passport.Money(rapid.Int64Range(0, 5_000).Draw(t, "amount")))
	h.Provider, h.At = g.providers[0], w.when(t)
	left, leave := context.WithCancel(ctx())
	leave()
	w.b.s.Hold(left, h) // whatever it says
	w.b.settle(passport.Settlement{ID: h.ID, Grant: g.grant.ID, Why: passport.NotSent, At: h.At})
}

// twice asks for a hold under a name that is taken, and after the grant's end.
func (w *walker) twice(t *rapid.T) {
	if len(w.p.calls) == 0 {
		t.Skip("nothing was held")
	}
	c := rapid.SampledFrom(w.p.calls).Draw(t, "call")
	h := w.b.ask(c.grant.grant.ID, 1)
	h.ID, h.Provider, h.At = c.id, c.grant.providers[0], w.when(t)
	if held, err := w.b.s.Hold(ctx(), h); !isKind(err, problem.Conflict) {
		t.Fatalf("hold %+v again: got %+v, %v, want a conflict", h, held, err)
	}
	h = w.b.ask(c.grant.grant.ID, 1)
	h.Provider, h.At = c.grant.providers[0], w.begins.AddDate(1, 0, 0)
	if held, err := w.b.s.Hold(ctx(), h); !isKind(err, problem.GrantEnded) && !isKind(err, problem.GrantPaused) {
		t.Fatalf("hold %+v at its grant's end: got %+v, %v, want none", h, held, err)
	}
}

// reopen closes the store and opens it again: what it had acknowledged is there.
func (w *walker) reopen(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "stop") > 0 {
		t.Skip("no stop")
	}
	w.b.reopen()
}

func (w *walker) ceiling(t *rapid.T) {
	id := rapid.SampledFrom(walkCeilings).Draw(t, "ceiling")
	ev := w.b.event("", "")
	ev.At = w.when(t)
	if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
		w.b.ok(w.b.s.RemoveCeiling(ctx(), id, ev))
		w.p.setLimits(monthKey{id, passport.MonthOf(ev.At)}, store.Limits{Most: w.p.limits[id].Most})
		return
	}
	most := passport.Money(rapid.Int64Range(0, 40_000).Draw(t, "most"))
	w.b.ok(w.b.s.SetCeiling(ctx(), id, most, ev))
	w.p.setLimits(monthKey{id, passport.MonthOf(ev.At)}, store.Limits{Own: passport.LimitOf(int64(most)), Most: w.p.limits[id].Most})
}

// most is the owner who limits a member, whatever they have set.
func (w *walker) most(t *rapid.T) {
	id, most := passport.PersonCeilingOf("w1"), passport.Limit{}
	ev := w.b.event("", "")
	ev.At = w.when(t)
	if rapid.IntRange(0, 2).Draw(t, "remove") > 0 {
		most = passport.LimitOf(rapid.Int64Range(0, 40_000).Draw(t, "most"))
	}
	w.b.ok(w.b.s.LimitMember(ctx(), "w1", most, ev))
	w.p.setLimits(monthKey{id, passport.MonthOf(ev.At)}, store.Limits{Own: w.p.limits[id].Own, Most: most})
}

func (w *walker) stop(t *rapid.T) {
	w.p.stopped = rapid.IntRange(0, 3).Draw(t, "stopped") == 0
	w.b.ok(w.b.s.Stop(ctx(), w.p.stopped, w.b.event(passport.AppsStopped, "")))
}

func (w *walker) orphans(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "crash") > 0 {
		t.Skip("no crash")
	}
	want, sum := 0, passport.Money(0)
	for _, c := range w.p.calls {
		if c.state == passport.ReservationHeld {
			want, sum = want+1, sum+c.amount
			c.state, c.actual = passport.ReservationSwept, c.amount
		}
	}
	n, charged, err := w.b.s.ChargeOrphans(ctx(), w.begins.AddDate(0, 1, 0))
	if err != nil || n != want || charged != sum {
		t.Fatalf("got %d orphans, %v, %v, want %d and %v", n, charged, err, want, sum)
	}
}

func (w *walker) compare(t *rapid.T) {
	for _, g := range w.p.grants {
		s := w.b.standing(g.grant.ID)
		if s.Total != w.p.sum(g, -1) || s.Grant.State != g.state {
			t.Fatalf("got %+v %s, want %+v %s", s.Total, s.Grant.State, w.p.sum(g, -1), g.state)
		}
		for i, d := range s.Details {
			if d != w.p.sum(g, i) {
				t.Fatalf("detail %d: got %+v, want %+v", i, d, w.p.sum(g, i))
			}
		}
		for range 2 { // what every call looks at is the same, whether it was read or kept
			l, err := w.b.s.Liveness(ctx(), g.token.ID)
			l.Token.RevokedAt = time.Time{}
			w.b.ok(err)
			w.b.equal(l, passport.Liveness{Token: g.token, Standing: s, Stopped: w.p.stopped})
		}
		if !g.breach && (s.Total.Settled+s.Total.Held > s.Total.Cap || s.Total.Calls > s.Total.CallsCap) {
			t.Fatalf("%+v passes its cap", s.Total)
		}
	}
	for _, month := range []passport.Month{passport.MonthOf(w.begins), passport.MonthOf(w.begins.AddDate(0, 1, 0))} {
		var all []passport.Ceiling
		for _, of := range walkers {
			rows, err := w.b.s.Ceilings(ctx(), of, month)
			w.b.ok(err)
			for _, c := range rows {
				if c.ID.Credential() == "" && c.ID.Payer() != of {
					t.Fatalf("%s is among those of %s", c.ID, of)
				}
			}
			all = append(all, rows...)
		}
		if len(all) != len(w.p.limits) {
			t.Fatalf("got %v, want %d ceilings", all, len(w.p.limits))
		}
		for _, got := range all {
			if want, _ := w.p.month(monthKey{got.ID, month}); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	}
}
