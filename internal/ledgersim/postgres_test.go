package ledgersim_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/testutil"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
)

var pgRuns = flag.Int("sim.postgres", 16, "how many seeds to run on Postgres")

const (
	pgSteps = 80                     // of one run, before the faults stop
	pgLease = 900 * time.Millisecond // of an instance
)

// TestSimulationOnPostgres runs seeds with two instances on one real database. What happens is the seed's: calls, bills, orders, instances
// that die, stand apart and come back, answers that are lost. When it happens is the machine's, so a seed that fails may not fail again;
// what must hold must hold in every order. A seed alone: -sim.seed N.
func TestSimulationOnPostgres(t *testing.T) {
	server := pgtest.New(t)
	first, runs := uint64(time.Now().UnixNano()), *pgRuns
	if *oneSeed != 0 {
		first, runs = *oneSeed, 1
	}
	t.Logf("seeds %d to %d", first, first+uint64(runs)-1)
	const together = 8 // most of a run is waiting; two instances of each have some twelve connections
	var next atomic.Int64
	var all sync.WaitGroup
	for range together {
		all.Go(func() {
			for n := next.Add(1) - 1; n < int64(runs) && !t.Failed(); n = next.Add(1) - 1 {
				seed := first + uint64(n)
				if err := runOnPostgres(t, server, seed, nil); err != nil {
					t.Errorf("-sim.seed %d: %v", seed, err)
				}
			}
		})
	}
	all.Wait()
}

// TestBrokenLedgersAreFoundOnPostgres: what breaks the promise there is found within some seeds.
func TestBrokenLedgersAreFoundOnPostgres(t *testing.T) {
	server := pgtest.New(t)
	var all sync.WaitGroup
	for name, bend := range map[string]func(meter.Ledger) meter.Ledger{
		"an unknown outcome is free":           func(l meter.Ledger) meter.Ledger { return trusting{l} },
		"a settle stands before its hold":      func(l meter.Ledger) meter.Ledger { return swapped{l} },
		"a call is charged less than its bill": func(l meter.Ledger) meter.Ledger { return lenient{l} },
	} {
		all.Go(func() {
			for seed := uint64(1); seed <= 10; seed++ {
				if err := runOnPostgres(t, server, seed, bend); err != nil {
					t.Logf("%s: found by seed %d: %.120s", name, seed, err)
					return
				}
			}
			t.Errorf("%s: 10 seeds found nothing wrong", name)
		})
	}
	all.Wait()
}

// pgWorld is one run.
type pgWorld struct {
	t        *testing.T
	ctx      context.Context
	rng      *rand.Rand
	bend     func(meter.Ledger) meter.Ledger
	url      string
	accounts []*account
	all      []*pgInstance
	slots    [2]*pgInstance
	calls    []*pgCall
	names    atomic.Int64
	trace    []string
	wrong    error
}

// pgInstance is a broker's ledger and meter, behind a line that can be cut.
type pgInstance struct {
	name   string
	line   *pgtest.Line
	store  *postgres.Store
	ledger meter.Ledger
	meter  *meter.Meter
	dead   bool
	away   bool // cut off, or without answers
}

// pgCall is a call at an instance. Its goroutine writes rsv and err before it closes back.
type pgCall struct {
	n      int
	a      *account
	detail int
	ask    passport.Call
	at     *pgInstance
	back   chan struct{}
	rsv    *meter.Reservation
	err    error

	sent, ended bool
	owed        passport.Money
	bill        bill
	final       passport.Settlement
	told        *pgInstance // took final last; nil: none did
}

func runOnPostgres(t *testing.T, server *pgtest.Server, seed uint64, bend func(meter.Ledger) meter.Ledger) error {
	t.Helper()
	w := &pgWorld{t: t, ctx: testutil.Context(t), rng: rand.New(rand.NewPCG(seed, 1)), bend: bend, url: server.Database(t), accounts: accounts()}
	for i := range w.slots {
		if w.start(i); w.wrong != nil {
			return w.wrong
		}
	}
	for _, a := range w.accounts {
		a.ends = time.Now().Add(24 * time.Hour)
		if err := a.open(w.ctx, w.slots[0].store); err != nil {
			return err
		}
	}
	for i := 0; i < pgSteps && w.wrong == nil; i++ {
		w.step()
	}
	if w.wrong == nil {
		w.calm()
	}
	for _, in := range w.all {
		in.line.Deaf.Store(false)
		in.line.Set(false) // the dead too: they need not wait for an end that says nothing any more
		in.store.Close()
	}
	if w.wrong != nil {
		return fmt.Errorf("%w\nwhat happened:\n  %s", w.wrong, joined(w.trace))
	}
	return nil
}

func joined(lines []string) (out string) {
	for _, l := range lines {
		out += l + "\n  "
	}
	return out
}

func (w *pgWorld) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *pgWorld) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

// start puts a new instance into a slot.
func (w *pgWorld) start(slot int) {
	in := &pgInstance{name: fmt.Sprint("i", w.names.Add(1)), line: pgtest.LineTo(w.t, w.url)}
	var err error
	in.store, err = postgres.Open(w.ctx, postgres.Options{URL: in.line.URL, Now: time.Now, NewID: func() string { return in.name }, Lease: pgLease})
	if err != nil {
		w.fail("start: %w", err)
		return
	}
	w.all = append(w.all, in)
	if in.ledger = in.store; w.bend != nil {
		in.ledger = w.bend(in.store)
	}
	if _, _, err := in.ledger.ChargeOrphans(w.ctx, time.Now()); err != nil {
		w.fail("start: %w", err)
	}
	in.meter, err = meter.New(meter.Config{Ledger: in.ledger, Tariff: tariff(), Now: time.Now, MaxInFlight: 6,
		NewID: func() string { return fmt.Sprintf("rv_%06d", w.names.Add(1)) }})
	if err != nil {
		w.fail("start: %w", err)
	}
	w.slots[slot] = in
}

func (w *pgWorld) chance(p float64) bool { return w.rng.Float64() < p }

// step does one thing and looks at the money.
func (w *pgWorld) step() {
	slot := w.rng.IntN(len(w.slots))
	in := w.slots[slot]
	switch n := w.rng.IntN(100); {
	case n < 30:
		w.begin(in)
	case n < 48:
		w.send()
	case n < 62:
		w.end()
	case n < 66:
		w.again()
	case n < 71:
		w.order(in)
	case n < 75:
		w.say("%s is cut off", in.name)
		in.away = true
		in.line.Set(true)
	case n < 82:
		w.say("%s is heard again", in.name)
		in.away = false
		in.line.Deaf.Store(false)
		in.line.Set(true) // what waits for an answer that is lost hears that
		in.line.Set(false)
	case n < 86:
		w.say("%s gets no answers", in.name)
		in.away = true
		in.line.Deaf.Store(true)
	case n < 89:
		w.say("%s dies", in.name)
		in.dead = true
		in.line.Set(true)
		w.start(slot)
	case n < 97:
		w.late(in)
	default:
		w.pause(pgLease)
	}
	w.pause(3 * time.Millisecond)
	w.look()
}

// pause lets others run, for up to so long.
func (w *pgWorld) pause(most time.Duration) { time.Sleep(time.Duration(w.rng.Int64N(int64(most)))) }

// begin lets an app ask for a hold.
func (w *pgWorld) begin(in *pgInstance) {
	a := w.accounts[w.rng.IntN(len(w.accounts))]
	ds := a.terms[0].details()
	detail := w.rng.IntN(len(ds))
	model := map[passport.Provider][]string{passport.OpenAI: {"gpt-4o", "gpt-4o-mini"},
		passport.Anthropic: {"claude-sonnet-4-5", "claude-haiku-4-5"}}[ds[detail].Provider][w.rng.IntN(2)]
	c := &pgCall{n: len(w.calls), a: a, detail: detail, at: in, back: make(chan struct{}), ask: passport.Call{Provider: ds[detail].Provider,
		Kind: passport.KindChat, Model: model, Uses: []passport.Capability{passport.Chat}, BodyBytes: w.rng.Int64N(4000), Parts: 1 + w.rng.Int64N(4), Choices: 1}}
	if w.chance(0.5) {
		c.ask.MaxOutput = passport.LimitOf(1 + w.rng.Int64N(2000))
	}
	w.calls = append(w.calls, c)
	w.say("call %d asks %s: grant %s detail %d", c.n, in.name, a.grant, detail)
	g := passport.Grant{ID: a.grant, State: passport.GrantActive, Details: ds, ExpiresAt: a.ends}
	ctx, cancel := context.WithTimeout(w.ctx, time.Duration(1+w.rng.Int64N(400))*time.Millisecond)
	go func() {
		defer cancel()
		c.rsv, c.err = in.meter.Reserve(ctx, g, detail, c.ask)
		close(c.back)
	}()
}

// pick is an answered call with a hold for which fits is true, or nil.
func (w *pgWorld) pick(fits func(*pgCall) bool) *pgCall {
	var of []*pgCall
	for _, c := range w.calls {
		select {
		case <-c.back:
			if c.rsv != nil && fits(c) {
				of = append(of, c)
			}
		default:
		}
	}
	if len(of) == 0 {
		return nil
	}
	return of[w.rng.IntN(len(of))]
}

// send is a call going to the provider, which bills it from here on.
func (w *pgWorld) send() {
	c := w.pick(func(c *pgCall) bool { return !c.sent && !c.ended && !c.at.dead })
	if c == nil {
		return
	}
	b := (&world{rng: w.rng}).billed(&call{ask: c.ask, rsv: c.rsv})
	c.sent, c.bill, c.owed = true, b, b.cost
	w.say("call %d is sent: the provider bills %s of %s, it will be %s", c.n, c.owed, c.rsv.Amount, b.why)
}

// end ends a call, as its bill says, or as one that never left.
func (w *pgWorld) end() {
	if c := w.pick(func(c *pgCall) bool { return !c.ended && !c.at.dead }); c != nil {
		why := passport.NotSent
		if c.sent {
			why = c.bill.why
		}
		w.settle(c, why)
	}
}

func (w *pgWorld) settle(c *pgCall, why passport.Outcome) {
	u := passport.Usage{}
	if why == passport.Finished {
		u = c.bill.usage
	}
	c.ended = true
	actual := c.rsv.Settle(w.ctx, why, u)
	c.final = passport.Settlement{ID: c.rsv.ID, Grant: c.a.grant, Actual: actual, Reached: why != passport.NotSent, Usage: u, Why: why, At: time.Now()}
	c.told = c.at
	w.say("call %d ends at %s, %s: charged %s", c.n, c.at.name, why, actual)
	w.over(c, actual)
}

// over notes what is billed above a hold.
func (w *pgWorld) over(c *pgCall, actual passport.Money) {
	if actual > c.rsv.Amount {
		c.a.excess += actual - c.rsv.Amount
	}
}

// again tells of an end once more, at any instance: it must change nothing, or what was lost.
func (w *pgWorld) again() {
	c := w.pick(func(c *pgCall) bool { return c.ended })
	in := w.slots[w.rng.IntN(len(w.slots))]
	if c == nil {
		return
	}
	w.say("call %d: its end comes again at %s", c.n, in.name)
	if in.store.Settle(w.ctx, c.final) == nil && (c.told == nil || c.told.dead) {
		c.told = in
	}
}

// late is the end of a call whose instance has died, told by another: before or after that one was charged for it.
func (w *pgWorld) late(in *pgInstance) {
	c := w.pick(func(c *pgCall) bool { return c.sent && !c.ended && c.at.dead })
	if c == nil {
		return
	}
	if w.chance(0.3) {
		c.bill = (&world{rng: w.rng}).above(&call{ask: c.ask, rsv: c.rsv})
		c.owed = c.bill.cost
	}
	c.ended = true
	c.final = passport.Settlement{ID: c.rsv.ID, Grant: c.a.grant, Actual: c.owed, Reached: true, Why: passport.Finished, Usage: c.bill.usage, At: time.Now()}
	w.say("call %d of the dead %s: its end comes at %s, %s", c.n, c.at.name, in.name, c.owed)
	w.over(c, c.owed)
	if in.store.Settle(w.ctx, c.final) == nil {
		c.told = in
	}
}

// order is the owner pausing and resuming a grant.
func (w *pgWorld) order(in *pgInstance) {
	if in.away {
		return
	}
	a := w.accounts[w.rng.IntN(len(w.accounts))]
	ctx, cancel := context.WithTimeout(w.ctx, 300*time.Millisecond)
	defer cancel()
	s, err := in.store.Standing(ctx, a.grant)
	if err != nil {
		return
	}
	g := s.Grant
	if g.State = passport.GrantActive; w.chance(0.4) {
		g.State = passport.GrantPaused
	}
	g.Version++
	w.say("the owner wants grant %s to be %s", a.grant, g.State)
	if err := in.store.ChangeGrant(ctx, g, passport.Event{ID: passport.EventID(fmt.Sprint("ev", w.names.Add(1))), Grant: a.grant, At: time.Now()}); err != nil {
		w.say("the owner is told: %v", err)
	}
}

// look checks I1, I5 and I6 from an instance that answers: what was sent before the question is settled or held at the answer.
func (w *pgWorld) look() {
	in := w.slots[w.rng.IntN(len(w.slots))]
	if in.away {
		return
	}
	for _, a := range w.accounts {
		owed := make([]passport.Money, 3)
		sent := int64(0)
		for _, c := range w.calls {
			if c.a == a && c.sent {
				most := min(c.owed, c.rsv.Amount)
				owed[0], owed[1+c.detail], sent = owed[0]+most, owed[1+c.detail]+most, sent+1
			}
		}
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		l, err := in.store.Liveness(ctx, a.token)
		cancel()
		if err != nil {
			continue
		}
		for i, b := range path(l.Standing) {
			if b.Settled+b.Held > b.Cap+a.excess || b.Settled < 0 || b.Held < 0 {
				w.fail("I1: grant %s budget %d: %s settled and %s held of %s", a.grant, i, b.Settled, b.Held, b.Cap)
			}
			if owed[i] > b.Settled+b.Held {
				w.fail("I6: grant %s budget %d: the provider bills %s, %s is settled and %s held", a.grant, i, owed[i], b.Settled, b.Held)
			}
			if b.Calls > b.CallsCap || i == 0 && sent > b.Calls {
				w.fail("I5: grant %s budget %d: %d calls of %d, %d were sent", a.grant, i, b.Calls, b.CallsCap, sent)
			}
		}
	}
}

// calm: the faults stop. Every hold resolves, each call costs what it must, the sums add up, and what is left can be spent.
func (w *pgWorld) calm() {
	var back sync.WaitGroup
	for _, in := range w.slots {
		in.away = false
		in.line.Deaf.Store(false)
		in.line.Set(true)
		in.line.Set(false)
	}
	for _, c := range w.calls {
		back.Go(func() { <-c.back })
	}
	back.Wait()
	for _, c := range w.calls {
		if c.rsv != nil && !c.ended && !c.at.dead {
			w.settle(c, map[bool]passport.Outcome{true: passport.Recalled, false: passport.NotSent}[c.sent])
		}
	}
	if w.wrong != nil {
		return
	}
	for _, a := range w.accounts {
		w.resolved(a)
		w.costs(a)
		w.usable(a)
	}
	for _, in := range w.slots {
		if wrong, err := in.store.VerifyLedger(w.ctx); err != nil || len(wrong) > 0 {
			w.fail("I2: %v %w", wrong, err)
		}
	}
	w.look()
}

// resolved waits until nothing of a grant is held: what the dead held is charged by those who live.
func (w *pgWorld) resolved(a *account) {
	for _, in := range w.slots {
		for w.wrong == nil {
			s, err := in.store.Standing(w.ctx, a.grant)
			if err == nil && s.Total.Held == 0 {
				break
			}
			if w.ctx.Err() != nil {
				w.fail("grant %s still holds %s at %s: %w", a.grant, s.Total.Held, in.name, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// costs compares each call's charge with its bill and with what was told of its end.
func (w *pgWorld) costs(a *account) {
	all, err := w.slots[0].store.Reservations(w.ctx, a.grant, "", 1000)
	if err != nil {
		w.fail("list the calls of grant %s: %w", a.grant, err)
	}
	for _, c := range w.calls {
		if c.a != a || c.rsv == nil || w.wrong != nil {
			continue
		}
		i := slices.IndexFunc(all, func(r passport.Reservation) bool { return r.ID == c.rsv.ID })
		switch {
		case i < 0:
			w.fail("I3: call %d got its hold %s, and it is gone", c.n, c.rsv.ID)
		case c.sent && all[i].Actual < min(c.owed, c.rsv.Amount):
			w.fail("I6: call %d costs %s, the provider bills %s", c.n, all[i].Actual, c.owed)
		case c.told != nil && !c.told.dead && all[i].Actual != c.final.Actual:
			w.fail("I4: call %d was told to cost %s, and costs %s (%s)", c.n, c.final.Actual, all[i].Actual, all[i].State)
		case c.told != nil && all[i].Actual != c.final.Actual && all[i].State != passport.ReservationSwept:
			w.fail("call %d of a dead instance costs %s, which is neither its end %s nor its hold %s", c.n, all[i].Actual, c.final.Actual, c.rsv.Amount)
		}
	}
}

// usable: what is left of a grant that is active can be held at either instance, all of it.
func (w *pgWorld) usable(a *account) {
	s, err := w.slots[0].store.Standing(w.ctx, a.grant)
	if err != nil || s.Grant.State != passport.GrantActive || s.Total.CallsLeft() == 0 || s.Details[0].CallsLeft() == 0 {
		return
	}
	h := passport.Hold{ID: passport.ReservationID(fmt.Sprint("rest-", a.grant)), Grant: a.grant, Provider: s.Grant.Details[0].Provider, Model: "m",
		Amount: left(s, 0), Least: left(s, 0), Tariff: "t", At: time.Now()}
	for held := false; !held && w.wrong == nil; {
		_, err := w.slots[1].store.Hold(w.ctx, h)
		switch {
		case err == nil:
			held = true
			err = w.slots[1].store.Settle(w.ctx, passport.Settlement{ID: h.ID, Grant: a.grant, Why: passport.NotSent, At: time.Now()})
			if err != nil {
				w.fail("give back: %w", err)
			}
		case errors.Is(err, passport.ErrNotHeld) && w.ctx.Err() == nil: // its lease is not renewed yet
		case problem.KindOf(err) == problem.Unavailable:
			return // nobody knows: then the next seed will
		default:
			w.fail("grant %s: the %s that are left cannot be held: %w", a.grant, h.Amount, err)
		}
	}
}
