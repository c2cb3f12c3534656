package meter_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"pgregory.net/rapid"
)

// generous is a ledger that holds whatever is asked.
type generous struct{}

func (generous) Hold(_ context.Context, h passport.Hold) (passport.Held, error) {
	return passport.Held{Amount: h.Amount}, nil
}
func (generous) Settle(context.Context, passport.Settlement) error { return nil }
func (generous) TellSpent(context.Context, passport.GrantID, passport.Money, time.Time) error {
	return nil
}
func (generous) ChargeOrphans(context.Context, time.Time) (int, passport.Money, error) {
	return 0, 0, nil
}

// gate is a meter of which only the rate matters.
type gate struct {
	m *meter.Meter
	clock
}

func newGate(t interface{ Fatal(...any) }, tf *meter.Tariff) *gate {
	g := &gate{clock: clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}}
	var err error
	g.m, err = meter.New(meter.Config{Ledger: generous{}, Tariff: tf.With(plain), Now: g.Now, NewID: func() string { return "r" }, MaxInFlight: 1})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// call makes a call and ends it, or says how long to wait.
func (g *gate) call(t interface{ Fatalf(string, ...any) }, id passport.GrantID, detail int, limit int64) (wait time.Duration, ok bool) {
	ds := make([]passport.Detail, detail+1)
	ds[detail].RateLimit = passport.LimitOf(limit)
	r, err := g.m.Reserve(context.Background(), passport.Grant{ID: id, Details: ds}, detail, ask(passport.LimitOf(1)))
	if err == nil {
		r.Settle(context.Background(), passport.Finished, passport.Usage{Known: true})
		return 0, true
	}
	if problem.KindOf(err) != problem.RateExceeded {
		t.Fatalf("refused: %v", err)
	}
	return problem.From(err).RetryAfter, false
}

// A limit holds in any 60 seconds, wherever they start. Up to 64 calls a minute nothing is refused that would keep it; above,
// no more than the share of one batch.
func TestNeverMoreThanTheRateInAnyMinute(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		g := newGate(t, tf)
		limit := rapid.OneOf(rapid.Int64Range(1, 64), rapid.Int64Range(65, 300)).Draw(rt, "limit")
		late := (limit+63)/64 - 1
		// Steps are around what the limit allows, with pauses and bursts.
		step := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 2*60_000/limit), rapid.Int64Range(0, 70_000))
		var made []time.Time
		for i := range rapid.IntRange(1, 600).Draw(rt, "calls") {
			g.add(time.Duration(step.Draw(rt, "ms")) * time.Millisecond)
			now := g.Now()
			n := int64(0)
			for j := len(made) - 1; j >= 0 && now.Sub(made[j]) < time.Minute; j-- {
				n++
			}
			wait, ok := g.call(rt, "g", 0, limit)
			if ok && n >= limit {
				rt.Fatalf("call %d: %d calls within a minute, of at most %d", i, n+1, limit)
			}
			if !ok && n < limit-late {
				rt.Fatalf("call %d: refused after %d calls of %d", i, n, limit)
			}
			if ok {
				made = append(made, now)
				continue
			}
			if wait <= 0 || wait > time.Minute {
				rt.Fatalf("call %d: told to wait %s", i, wait)
			}
			if rapid.Bool().Draw(rt, "obey") {
				g.add(wait - time.Millisecond)
				if _, ok := g.call(rt, "g", 0, limit); ok {
					rt.Fatalf("call %d: told to wait %s, and a millisecond less would have done", i, wait)
				}
				g.add(time.Millisecond)
				if again, ok := g.call(rt, "g", 0, limit); !ok {
					rt.Fatalf("call %d: told to wait %s, then %s more", i, wait, again)
				}
				made = append(made, g.Now())
			}
		}
	})
}

func TestAMinutesWorthMayComeAtOnce(t *testing.T) {
	for _, limit := range []int64{1, 10, 64, 65, 1000, 100_000} {
		g := newGate(t, tariff(t))
		for i := range limit {
			if _, ok := g.call(t, "g", 0, limit); !ok {
				t.Fatalf("limit %d: call %d was refused", limit, i+1)
			}
		}
		if wait, ok := g.call(t, "g", 0, limit); ok || wait != time.Minute {
			t.Errorf("limit %d: one more: %v, wait %s", limit, ok, wait)
		}
	}
}

func TestAnEvenRateIsNeverRefused(t *testing.T) {
	for _, limit := range []int64{1, 7, 60} {
		g := newGate(t, tariff(t))
		for i := range 3 * limit {
			if _, ok := g.call(t, "g", 0, limit); !ok {
				t.Fatalf("limit %d: call %d was refused", limit, i+1)
			}
			g.add((time.Minute + time.Duration(limit) - 1) / time.Duration(limit))
		}
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	g := newGate(t, tariff(t))
	g.call(t, "g", 0, 1)
	g.add(1500 * time.Microsecond)
	if wait, ok := g.call(t, "g", 0, 1); ok || wait != 59_999*time.Millisecond {
		t.Errorf("wait %s, want 59.999s", wait)
	}
}

func TestRateOfNothingRefusesAll(t *testing.T) {
	g := newGate(t, tariff(t))
	for range 2 {
		if wait, ok := g.call(t, "g", 0, 0); ok || wait != 0 {
			t.Errorf("%v, wait %s: want never", ok, wait)
		}
		g.add(time.Hour)
	}
	_, err := g.m.Reserve(t.Context(), passport.Grant{ID: "g", Details: make([]passport.Detail, 1)}, 0, ask(passport.LimitOf(1)))
	if problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("without a rate: %v", err)
	}
}

func TestEachDetailHasItsRate(t *testing.T) {
	g := newGate(t, tariff(t))
	for _, at := range []struct {
		grant  passport.GrantID
		detail int
	}{{"a", 0}, {"a", 1}, {"b", 0}} {
		if _, ok := g.call(t, at.grant, at.detail, 1); !ok {
			t.Errorf("%v: the first call was refused", at)
		}
		if _, ok := g.call(t, at.grant, at.detail, 1); ok {
			t.Errorf("%v: a second call passed", at)
		}
	}
}

func TestALoweredRateHoldsAtOnce(t *testing.T) {
	g := newGate(t, tariff(t))
	for range 5 {
		g.call(t, "g", 0, 10)
		g.add(time.Second)
	}
	if wait, ok := g.call(t, "g", 0, 2); ok || wait != 58*time.Second { // the fourth of the five was made at 3 s, now is 5 s
		t.Errorf("%v, wait %s", ok, wait)
	}
	if _, ok := g.call(t, "g", 0, 6); !ok {
		t.Error("and a raised one too")
	}
	g = newGate(t, tariff(t))
	for range 6 {
		g.call(t, "g", 0, 128) // two calls a batch
		g.add(time.Second)
	}
	if wait, ok := g.call(t, "g", 0, 2); ok || wait != 59*time.Second {
		t.Errorf("%v, wait %s", ok, wait)
	}
}

// A clock that goes back opens the gate for nobody, and shuts it for no longer than a minute of its own time.
func TestAClockThatGoesBack(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		g := newGate(t, tf)
		limit := rapid.Int64Range(1, 100).Draw(rt, "limit")
		var truly time.Duration // time as it passes, whatever the clock says
		var made []time.Duration
		for i := range rapid.IntRange(1, 300).Draw(rt, "calls") {
			d := time.Duration(rapid.Int64Range(0, 2*60_000/limit).Draw(rt, "ms")) * time.Millisecond
			truly += d
			g.add(d)
			if rapid.IntRange(0, 9).Draw(rt, "jump") == 0 {
				g.add(-time.Duration(rapid.Int64Range(0, 3*3600_000).Draw(rt, "back ms")) * time.Millisecond)
			}
			if wait, ok := g.call(rt, "g", 0, limit); !ok {
				if wait <= 0 || wait > time.Minute {
					rt.Fatalf("call %d: told to wait %s", i, wait)
				}
				continue
			}
			made = append(made, truly)
			if n := len(made) - 1 - int(limit); n >= 0 && truly-made[n] < time.Minute {
				rt.Fatalf("call %d: more than %d calls within a minute", i, limit)
			}
		}
		g.add(time.Minute)
		if _, ok := g.call(rt, "g", 0, limit); !ok {
			rt.Fatal("still shut after a minute")
		}
	})
}

func TestRatesOfThePastAreForgotten(t *testing.T) {
	g := newGate(t, tariff(t))
	for i := range 1000 {
		g.call(t, passport.GrantID(fmt.Sprint(i)), 0, 5)
	}
	if n := g.m.RatesKept(); n != 1000 {
		t.Fatalf("%d details are remembered, want all", n)
	}
	g.add(time.Minute)
	g.call(t, "another", 0, 5)
	if n := g.m.RatesKept(); n != 1 {
		t.Errorf("%d details are remembered, want the last", n)
	}
	g.add(-time.Hour)
	g.call(t, "in the past", 0, 5)
	g.add(time.Minute)
	g.call(t, "a minute later", 0, 5)
	g.add(time.Minute)
	g.call(t, "now", 0, 5)
	if n := g.m.RatesKept(); n != 1 {
		t.Errorf("%d details are remembered after the clock went back", n)
	}
	g.call(t, "refused", 0, 0)
	if n := g.m.RatesKept(); n != 1 {
		t.Errorf("%d details are remembered: a rate of nothing takes room", n)
	}
}

func TestARefusalOfTheLedgerGivesTheRateBack(t *testing.T) {
	d := open(t, func(_ *meter.Config, p *passport.Detail) { p.RateLimit = passport.LimitOf(2) })
	first := d.mustReserve(ask(passport.LimitOf(10)))
	for range 5 {
		if _, err := d.reserve(ask(passport.LimitOf(1_000_000))); problem.KindOf(err) != problem.BudgetSpent {
			t.Fatalf("got %v, want BudgetSpent", err)
		}
	}
	d.mustReserve(ask(passport.LimitOf(10)))
	if _, err := d.reserve(ask(passport.LimitOf(10))); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("got %v, want RateExceeded", err)
	}
	first.Settle(t.Context(), passport.Finished, passport.Usage{})
	if _, err := d.reserve(ask(passport.LimitOf(10))); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("a call that ended has given its rate back: %v", err)
	}
}

// late is a ledger that refuses a hold after something else has happened.
type late struct {
	generous
	meanwhile func(passport.Hold) error
}

func (l *late) Hold(_ context.Context, h passport.Hold) (passport.Held, error) {
	return passport.Held{Amount: h.Amount}, l.meanwhile(h)
}

// Of two calls that overlap, the first is refused when the second has its place already.
func TestThePlaceGivenBackIsTheOneTaken(t *testing.T) {
	ledger := &late{}
	spent := problem.New(problem.BudgetSpent, "spent")
	d := open(t, func(c *meter.Config, p *passport.Detail) { c.Ledger, p.RateLimit = ledger, passport.LimitOf(2) })
	call := func() error {
		_, err := d.reserve(ask(passport.LimitOf(1)))
		return err
	}
	// Both refused, often: nothing may stay of them.
	inner := false
	ledger.meanwhile = func(passport.Hold) error {
		if inner = !inner; inner {
			if err := call(); problem.KindOf(err) != problem.BudgetSpent {
				t.Errorf("the second call: %v", err)
			}
		}
		return spent
	}
	for range 200 {
		if err := call(); problem.KindOf(err) != problem.BudgetSpent {
			t.Fatalf("the first call: %v", err)
		}
	}
	ledger.meanwhile = func(passport.Hold) error { return nil }
	for range 3 {
		if err := call(); err != nil {
			t.Errorf("two calls in each minute: %v", err)
		}
		d.clock.add(30 * time.Second)
	}
	d.clock.add(time.Minute)
	// The first refused, the second made half a minute later: it is the second that counts.
	begun := false
	ledger.meanwhile = func(passport.Hold) error {
		if begun {
			return nil
		}
		begun = true
		d.clock.add(30 * time.Second)
		if err := call(); err != nil {
			t.Errorf("the second call: %v", err)
		}
		return spent
	}
	if err := call(); problem.KindOf(err) != problem.BudgetSpent {
		t.Fatalf("the first call: %v", err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{40 * time.Second, nil}, {0, problem.New(problem.RateExceeded, "")}, {20 * time.Second, nil}, {0, problem.New(problem.RateExceeded, "")}, {40 * time.Second, nil}} {
		d.clock.add(tt.after)
		if err := call(); problem.KindOf(err) != problem.KindOf(tt.want) {
			t.Errorf("%s later: %v", tt.after, err)
		}
	}
}

// Calls that are given back from the middle leave batches with room in them. What is remembered stays bounded, and the limit holds.
func TestWhatIsRememberedOfADetailIsBounded(t *testing.T) {
	const limit = 1280 // batches of 20
	ledger := &late{}
	d := open(t, func(c *meter.Config, p *passport.Detail) {
		c.Ledger, p.RateLimit, c.MaxInFlight = ledger, passport.LimitOf(limit), limit
	})
	made, depth := 0, 0
	ledger.meanwhile = func(passport.Hold) error {
		if depth++; depth > 1 {
			made++
			return nil
		}
		for range 40 {
			if r, err := d.reserve(ask(passport.LimitOf(1))); err == nil {
				r.Settle(t.Context(), passport.Finished, passport.Usage{})
			}
		}
		return problem.New(problem.BudgetSpent, "spent")
	}
	for range 100 {
		depth = 0
		if r, err := d.reserve(ask(passport.LimitOf(1))); err == nil {
			t.Fatalf("the first call was made: %v", r.ID)
		}
		if n := d.BatchesKept(); n > 64 {
			t.Fatalf("%d batches are remembered after %d calls", n, made)
		}
	}
	if made != limit-1 { // the last place is the first call's, each time
		t.Errorf("%d calls in a minute, want %d", made, limit-1)
	}
}

// A place that comes back is the one that was taken, also among batches of several calls.
func TestPlacesGivenBackNeverOpenTheGate(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.SampledFrom([]int64{1, 5, 64, 100, 200}).Draw(rt, "limit")
		d := open(t, func(c *meter.Config, p *passport.Detail) {
			p.RateLimit, c.Tariff = passport.LimitOf(limit), tf.With(plain)
		})
		var made []time.Time
		for i := range rapid.IntRange(1, 400).Draw(rt, "calls") {
			d.clock.add(time.Duration(rapid.Int64Range(0, 2*60_000/limit).Draw(rt, "ms")) * time.Millisecond)
			cap := passport.LimitOf(1)
			if rapid.Bool().Draw(rt, "refuse") {
				cap = passport.LimitOf(1 << 40)
			}
			r, err := d.reserve(ask(cap))
			if err != nil {
				continue
			}
			r.Settle(t.Context(), passport.NotSent, passport.Usage{})
			now := d.clock.Now()
			made = append(made, now)
			if n := len(made) - 1 - int(limit); n >= 0 && now.Sub(made[n]) < time.Minute {
				rt.Fatalf("call %d: more than %d calls within a minute", i, limit)
			}
		}
	})
}
