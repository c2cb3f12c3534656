package ledgersim_test

import (
	"context"
	"time"

	"testing/synctest"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// call is one call of an app: it asks for its hold, goes to the provider, ends.
type call struct {
	n      int
	a      *account
	detail int
	ask    passport.Call
	life   int // of the broker that it was made in
	cancel context.CancelFunc

	// What its goroutine says.
	back bool
	rsv  *meter.Reservation
	err  error

	refuse bool // it was asked after an order that was carried out and ended the grant
	orders int  // given before it was asked

	sent   bool
	bill   bill
	owed   passport.Money // what the provider bills: all of it from the moment the call is sent
	ended  bool
	final  passport.Settlement // what its end told the ledger
	toldIn int                 // the life in which it did; 0: not, or it was refused
	looked bool                // its reservation was final at the last look; actual is what it cost
	actual passport.Money
}

// bill is what becomes of a call at the provider, decided when it is sent.
type bill struct {
	usage passport.Usage
	cost  passport.Money
	why   passport.Outcome
}

// held says whether the broker that lives now holds money for c, as far as c knows.
func (w *world) held(c *call) bool {
	return c.back && c.rsv != nil && !c.ended && c.life == w.life
}

// pick is a call for which fits is true, or nil.
func (w *world) pick(fits func(*call) bool) *call {
	var of []*call
	for _, c := range w.calls {
		if fits(c) {
			of = append(of, c)
		}
	}
	if len(of) == 0 {
		return nil
	}
	return of[w.rng.IntN(len(of))]
}

// begin lets an app make a call, which waits for its hold.
func (w *world) begin(ctx context.Context) {
	a := w.accounts[w.rng.IntN(len(w.accounts))]
	ds := a.terms[0].details()
	detail := w.rng.IntN(len(ds))
	c := w.call(a, detail, ds[detail].Provider)
	if w.chance(0.5) {
		c.ask.MaxOutput = passport.LimitOf(1 + w.rng.Int64N(2000))
	}
	patience := 10 * time.Second
	if w.chance(0.1) {
		patience = time.Duration(w.rng.Int64N(int64(3 * time.Millisecond)))
	}
	w.ask(ctx, c, patience)
}

func (w *world) call(a *account, detail int, p passport.Provider) *call {
	model := map[passport.Provider][]string{passport.OpenAI: {"gpt-4o", "gpt-4o-mini"},
		passport.Anthropic: {"claude-sonnet-4-5", "claude-haiku-4-5"}}[p][w.rng.IntN(2)]
	return &call{n: len(w.calls), a: a, detail: detail, life: w.life, ask: passport.Call{Provider: p, Kind: passport.KindChat, Model: model,
		Uses: []passport.Capability{passport.Chat}, Stream: w.chance(0.5), BodyBytes: w.rng.Int64N(4000), Parts: 1 + w.rng.Int64N(4), Choices: 1 + w.rng.Int64N(2)}}
}

// ask sends c for its hold. Its answer is there once everything waits.
func (w *world) ask(ctx context.Context, c *call, patience time.Duration) {
	w.calls = append(w.calls, c)
	c.orders, c.refuse = c.a.orders, w.ended(c.a)
	t := c.a.terms[0]
	t.state = passport.GrantActive
	g := passport.Grant{ID: c.a.grant, State: passport.GrantActive, Details: t.details(), ExpiresAt: c.a.ends}
	ctx, c.cancel = context.WithTimeout(ctx, patience)
	w.say("call %d asks: grant %s detail %d, %d bytes to %s, output %s", c.n, g.ID, c.detail, c.ask.BodyBytes, c.ask.Model, c.ask.MaxOutput)
	m := w.meter
	go func() {
		c.rsv, c.err = m.Reserve(ctx, g, c.detail, c.ask)
		c.back = true
	}()
	if w.bend.dials {
		c.sent, c.owed = true, 1000
	}
	synctest.Wait()
}

// ended says whether no call on a may be held any more, for all that the owner was told.
func (w *world) ended(a *account) bool {
	for _, o := range w.owner {
		if o.a == nil || o.a == a {
			return false // it may be carried out by now
		}
	}
	if len(w.stopped) == 1 && w.stopped[0] {
		return true
	}
	for _, t := range a.terms {
		if t.state == passport.GrantActive {
			return false
		}
	}
	return true
}

// answers looks at the holds that were answered since the last step.
func (w *world) answers() {
	for _, c := range w.calls {
		if !c.back || c.orders < 0 {
			continue
		}
		switch {
		case c.rsv == nil:
			w.say("call %d is refused: %v", c.n, c.err)
		case c.life == w.life && c.refuse && c.orders == c.a.orders:
			w.fail("call %d got a hold after its grant was ended", c.n)
		default:
			w.say("call %d holds %s as %s, output %d", c.n, c.rsv.Amount, c.rsv.ID, c.rsv.MaxOutput)
		}
		c.orders = -1
		c.cancel()
	}
}

// leave is a caller that does not wait for its hold any more.
func (w *world) leave() {
	if c := w.pick(func(c *call) bool { return !c.back && c.life == w.life }); c != nil {
		w.say("call %d leaves before its hold is answered", c.n)
		c.cancel()
		synctest.Wait()
	}
}

// send is a call going to the provider, which bills it from here on, whatever becomes of it.
func (w *world) send() {
	c := w.pick(func(c *call) bool { return w.held(c) && !c.sent })
	if c == nil {
		return
	}
	c.sent = true
	c.bill = w.billed(c)
	c.owed = c.bill.cost
	w.say("call %d is sent: the provider bills %s, it will be %s", c.n, c.owed, c.bill.why)
}

// billed decides what a provider makes of a call: within what BUDGET's I4 assumes, but for one in fifty.
func (w *world) billed(c *call) bill {
	price, _ := tariff().Price(c.ask.Provider, c.ask.Model)
	u := passport.Usage{Known: true, Input: w.rng.Int64N(c.ask.BodyBytes + 65), Output: w.rng.Int64N(c.rsv.MaxOutput*c.ask.Choices + 1)}
	if w.chance(0.2) {
		u = passport.Usage{Known: true, Input: c.ask.BodyBytes + 64 + 16*c.ask.Parts, Output: c.rsv.MaxOutput * c.ask.Choices}
	}
	why := []passport.Outcome{passport.Finished, passport.Finished, passport.Finished, passport.NoUsage, passport.Broken,
		passport.ClientLeft, passport.Recalled, passport.ProviderError}[w.rng.IntN(8)]
	if why == passport.ProviderError {
		return bill{why: why}
	}
	if why == passport.Finished && w.chance(0.06) {
		return w.above(c)
	}
	if cost := price.Cost(u); cost > c.rsv.Amount {
		w.fail("call %d: a usage within its bounds (%+v) costs %s, %s are held", c.n, u, cost, c.rsv.Amount)
	}
	return bill{usage: u, cost: price.Cost(u), why: why}
}

// above is a bill above the hold.
func (w *world) above(c *call) bill {
	price, _ := tariff().Price(c.ask.Provider, c.ask.Model)
	u := passport.Usage{Known: true, Input: c.ask.BodyBytes, Output: 3*c.rsv.MaxOutput*c.ask.Choices + 100}
	return bill{usage: u, cost: price.Cost(u), why: passport.Finished}
}

// finish ends a call that was sent, as its bill says.
func (w *world) finish(ctx context.Context) {
	if c := w.pick(func(c *call) bool { return w.held(c) && c.sent }); c != nil {
		w.settle(ctx, c, c.bill.why)
	}
}

// giveBack ends a call that never left.
func (w *world) giveBack(ctx context.Context) {
	if c := w.pick(func(c *call) bool { return w.held(c) && !c.sent }); c != nil {
		w.settle(ctx, c, passport.NotSent)
	}
}

// cut ends a call as a broker that stops does.
func (w *world) cut(ctx context.Context, c *call) {
	switch {
	case !w.held(c):
	case c.sent:
		w.settle(ctx, c, passport.Recalled)
	default:
		w.settle(ctx, c, passport.NotSent)
	}
}

func (w *world) settle(ctx context.Context, c *call, why passport.Outcome) {
	u := passport.Usage{}
	if why == passport.Finished {
		u = c.bill.usage
	}
	c.ended = true
	charged := c.rsv.Settle(ctx, why, u)
	c.final = passport.Settlement{ID: c.rsv.ID, Grant: c.a.grant, Actual: charged, Reached: why != passport.NotSent, Usage: u, Why: why, At: w.now()}
	c.toldIn = w.life
	w.say("call %d ends, %s: charged %s", c.n, why, charged)
	if charged < min(c.owed, c.rsv.Amount) || why == passport.Finished && charged != c.owed {
		w.fail("call %d is charged %s, the provider bills %s", c.n, charged, c.owed)
	}
	if charged > c.rsv.Amount {
		c.a.excess += charged - c.rsv.Amount
		c.a.mayFreeze()
	}
	synctest.Wait()
}

// mayFreeze: the ledger freezes the grant of a bill above its hold, if that gets to the disk.
func (a *account) mayFreeze() {
	for _, t := range a.terms {
		if t.state == passport.GrantActive {
			t.state = passport.GrantPaused
			a.terms.add(t)
		}
	}
}

// again tells the ledger of a call's end once more: the same, or, once it is known to be final, that it was free.
func (w *world) again(ctx context.Context) {
	c := w.pick(func(c *call) bool { return c.ended && c.final.ID != "" })
	if c == nil {
		return
	}
	s := c.final
	if c.looked && c.life == w.life && w.chance(0.5) {
		s.Actual, s.Reached, s.Why = 0, false, passport.NotSent
	}
	w.say("call %d: its end comes again, %s", c.n, s.Actual)
	w.late(ctx, c, s)
}

// afterTheFact is a settle that comes when recovery has charged its hold already: it corrects the charge to what it was, a bill above the
// hold among them.
func (w *world) afterTheFact(ctx context.Context) {
	c := w.pick(func(c *call) bool { return c.rsv != nil && c.sent && !c.ended && c.life < w.life && c.bill.why != "" })
	if c == nil {
		return
	}
	c.ended = true
	if w.chance(0.5) {
		c.bill = w.above(c)
		c.owed = c.bill.cost
	}
	c.final = passport.Settlement{ID: c.rsv.ID, Grant: c.a.grant, Actual: c.owed, Reached: true, Why: passport.Finished, Usage: c.bill.usage, At: w.now()}
	w.say("call %d: its end comes after the crash, %s", c.n, c.owed)
	if c.owed > c.rsv.Amount {
		c.a.excess += c.owed - c.rsv.Amount
	}
	w.late(ctx, c, c.final)
}

func (w *world) late(ctx context.Context, c *call, s passport.Settlement) {
	if s.Actual > c.rsv.Amount {
		c.a.mayFreeze()
	}
	err := w.ledger.Settle(ctx, s)
	if err != nil && problem.KindOf(err) != problem.Unavailable {
		w.fail("settle %s: %w", s.ID, err)
	}
	if err == nil && s == c.final {
		c.toldIn = w.life
	}
	synctest.Wait()
}
