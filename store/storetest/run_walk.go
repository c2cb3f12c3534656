package storetest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// model is a ledger as one would write it on paper: one grant of some details, and what was held of each. It keeps no
// balances: all are sums.
type model struct {
	caps    []passport.Balance // cap and calls cap of each detail
	state   passport.GrantState
	stopped bool
	calls   []*modelCall
}

type modelCall struct {
	id             passport.ReservationID
	detail         int
	amount, actual passport.Money
	state          passport.ReservationState
	given          bool // back: it did not reach the provider
}

// sum is the balance of a detail, or of all for -1.
func (m *model) sum(detail int) (b passport.Balance) {
	for i, c := range m.caps {
		if detail == -1 || detail == i {
			b.Cap, b.CallsCap = b.Cap+c.Cap, b.CallsCap+c.CallsCap
		}
	}
	for _, c := range m.calls {
		if detail != -1 && detail != c.detail {
			continue
		}
		if c.state == passport.ReservationHeld {
			b.Held += c.amount
		} else {
			b.Settled += c.actual
		}
		if !c.given {
			b.Calls++
		}
	}
	return b
}

// hold says what a hold must get: an amount, or a refusal.
func (m *model) hold(detail int, amount, least passport.Money) (passport.Money, problem.Kind, bool) {
	switch {
	case m.stopped || m.state == passport.GrantPaused:
		return 0, problem.GrantPaused, false
	case m.state != passport.GrantActive:
		return 0, problem.GrantEnded, false
	}
	for _, b := range []passport.Balance{m.sum(-1), m.sum(detail)} {
		if b.Calls >= b.CallsCap {
			return 0, problem.CallsSpent, false
		}
		room := max(0, b.Cap-b.Settled-b.Held)
		if room < least || room == 0 && amount > 0 {
			return 0, problem.BudgetSpent, false
		}
		amount = min(amount, room)
	}
	return amount, 0, true
}

func (m *model) settle(c *modelCall, actual passport.Money, reached bool) {
	switch {
	case c.state == passport.ReservationHeld && actual > c.amount && m.state == passport.GrantActive:
		m.state = passport.GrantPaused
	case c.state == passport.ReservationHeld:
	case c.state == passport.ReservationSwept && actual < c.amount:
	default:
		return
	}
	c.state, c.actual, c.given = passport.ReservationSettled, actual, !reached
}

// walker drives a store and its model side by side.
type walker struct {
	b      *bench
	g      passport.Grant
	m      model
	breach bool // a bill above its hold has happened: from then on settled + held may pass the cap
}

// testWalk does the same random steps to the store and to the model, and compares after each (BUDGET's I1 and I2).
func testWalk(t *testing.T, b *bench) {
	rapid.Check(t, func(t *rapid.T) {
		w := &walker{b: b}
		w.start(t)
		t.Repeat(map[string]func(*rapid.T){
			"hold":    w.hold,
			"hold2":   w.hold,
			"settle":  w.settle,
			"change":  w.change,
			"stop":    w.stop,
			"orphans": w.orphans,
			"":        w.compare,
		})
		b.ok(b.s.Stop(ctx(), false, b.event(passport.AppsResumed, "")))
		_, _, err := b.s.ChargeOrphans(ctx(), Epoch())
		b.ok(err)
	})
	b.sound()
	b.reopen()
	b.sound()
}

func (w *walker) start(t *rapid.T) {
	var details []passport.Detail
	for range rapid.IntRange(1, 3).Draw(t, "details") {
		d := Detail(rapid.Int64Range(0, 3).Draw(t, "cents"), rapid.Int64Range(0, 12).Draw(t, "calls"))
		details = append(details, d)
		w.m.caps = append(w.m.caps, passport.Balance{Cap: d.Cap(), CallsCap: d.MaxRequests.Or(0)})
	}
	w.g, w.m.state = w.b.active(details...), passport.GrantActive
}

func (w *walker) hold(t *rapid.T) {
	h := w.b.ask(w.g.ID, passport.Money(rapid.Int64Range(0, 15_000).Draw(t, "amount")))
	h.Least = passport.Money(rapid.Int64Range(0, int64(h.Amount)).Draw(t, "least"))
	h.Detail = rapid.IntRange(0, len(w.m.caps)-1).Draw(t, "detail")
	want, kind, ok := w.m.hold(h.Detail, h.Amount, h.Least)
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
	w.m.calls = append(w.m.calls, &modelCall{id: h.ID, detail: h.Detail, amount: want, state: passport.ReservationHeld})
	if held.Total != w.m.sum(-1) || held.Detail != w.m.sum(h.Detail) {
		t.Fatalf("hold %+v: got %+v, want %+v and %+v", h, held, w.m.sum(-1), w.m.sum(h.Detail))
	}
}

func (w *walker) settle(t *rapid.T) {
	if len(w.m.calls) == 0 {
		t.Skip("nothing to settle")
	}
	c := rapid.SampledFrom(w.m.calls).Draw(t, "call")
	s := settlement(passport.Hold{ID: c.id, Grant: w.g.ID, At: Epoch()}, 0)
	switch rapid.IntRange(0, 9).Draw(t, "outcome") {
	case 0:
		s.Reached = false
	case 1:
		s.Actual = c.amount + 1
		w.breach = w.breach || c.state == passport.ReservationHeld
	default:
		s.Actual = passport.Money(rapid.Int64Range(0, int64(c.amount)).Draw(t, "actual"))
	}
	w.b.settle(s)
	w.m.settle(c, s.Actual, s.Reached)
}

func (w *walker) change(t *rapid.T) {
	now := w.b.standing(w.g.ID).Grant
	next := rapid.SampledFrom([]passport.GrantState{passport.GrantActive, passport.GrantActive, passport.GrantPaused,
		passport.GrantRevoked}).Draw(t, "state")
	if now.State == passport.GrantRevoked {
		next = passport.GrantRevoked
	}
	w.b.change(now, to(next))
	w.m.state = next
}

func (w *walker) stop(t *rapid.T) {
	w.m.stopped = rapid.IntRange(0, 3).Draw(t, "stopped") == 0
	w.b.ok(w.b.s.Stop(ctx(), w.m.stopped, w.b.event(passport.AppsStopped, "")))
}

func (w *walker) orphans(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "crash") > 0 {
		t.Skip("no crash")
	}
	want, sum := 0, passport.Money(0)
	for _, c := range w.m.calls {
		if c.state == passport.ReservationHeld {
			want, sum = want+1, sum+c.amount
			c.state, c.actual = passport.ReservationSwept, c.amount
		}
	}
	n, charged, err := w.b.s.ChargeOrphans(ctx(), Epoch().Add(time.Hour))
	if err != nil || n != want || charged != sum {
		t.Fatalf("got %d orphans, %v, %v, want %d and %v", n, charged, err, want, sum)
	}
}

func (w *walker) compare(t *rapid.T) {
	s := w.b.standing(w.g.ID)
	if s.Total != w.m.sum(-1) || s.Grant.State != w.m.state {
		t.Fatalf("got %+v %s, want %+v %s", s.Total, s.Grant.State, w.m.sum(-1), w.m.state)
	}
	for i, d := range s.Details {
		if d != w.m.sum(i) {
			t.Fatalf("detail %d: got %+v, want %+v", i, d, w.m.sum(i))
		}
	}
	if !w.breach && (s.Total.Settled+s.Total.Held > s.Total.Cap || s.Total.Calls > s.Total.CallsCap) {
		t.Fatalf("%+v passes its cap", s.Total)
	}
}
