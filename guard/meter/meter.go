// Package meter is the sole owner of money and limits: the tariff, the worst case of a call, the hold before it leaves, the
// settling after, the rate. Nothing else writes an amount. It may not touch HTTP or provider formats.
package meter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/patience"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// settleDeadline bounds the wait for a place in the ledger's queue, when a call has ended.
const settleDeadline = 10 * time.Second

// busyRetry is what a grant with too many calls open is told to wait. When one of them ends is not known.
const busyRetry = time.Second

// Config is what a Meter works with.
type Config struct {
	Ledger        Ledger
	Rates         Rates // nil: of this instance alone, in memory
	Tariff        Prices
	Now           func() time.Time
	NewID         func() string          // UUIDv7
	MaxInFlight   int                    // calls of one grant that may be open at once; at least 1
	CutCostsHold  bool                   // a stream that was cut is charged its hold, whatever was seen of it
	OnSettled     func(passport.GrantID) // a call of a grant that a person gave has ended, or of one below it; may be nil
	OnFreeze      func(passport.GrantID) // a bill above its hold was recorded, which pauses the grant; may be nil
	OnSettleError func(error)            // the ledger did not take what a call cost: its hold stays, to be charged in full; may be nil
	OnTellError   func(error)            // the ledger did not tell that a grant is spent: the next refusal tries again; may be nil
}

// Meter holds money for calls and settles it. It is safe for use by several goroutines.
type Meter struct {
	c Config

	// mu guards what follows. It is not held over I/O.
	mu     sync.Mutex
	open   map[passport.GrantID]int       // reservations that are not settled, those of grants below included
	spent  map[passport.GrantID]time.Time // when a grant that is refused was looked at last; at most spentSize
	total  int                            // all of them, each once
	closed bool
	idle   chan struct{} // closed when closed is set and total is 0
}

// New makes a Meter. It refuses a Config that lacks something or would let nothing through.
func New(c Config) (*Meter, error) {
	switch {
	case c.Ledger == nil, c.Tariff == nil, c.Now == nil, c.NewID == nil:
		return nil, errors.New("meter: a ledger, a tariff, a clock and ids are needed")
	case c.MaxInFlight < 1:
		return nil, fmt.Errorf("meter: %d calls in flight is not at least 1", c.MaxInFlight)
	}
	if c.OnFreeze == nil {
		c.OnFreeze = func(passport.GrantID) {}
	}
	if c.OnSettled == nil {
		c.OnSettled = func(passport.GrantID) {}
	}
	if c.OnSettleError == nil {
		c.OnSettleError = func(error) {}
	}
	if c.OnTellError == nil {
		c.OnTellError = func(error) {}
	}
	if c.Rates == nil {
		c.Rates = NewMemoryRates(c.Now)
	}
	return &Meter{c: c, open: map[passport.GrantID]int{}, spent: map[passport.GrantID]time.Time{}, idle: make(chan struct{})}, nil
}

// Reserve holds the worst case of a call, on a detail of a grant, before anything of the call may leave: durable on nil.
// Whether the grant permits the call is the caller's to check; whether it is still active, the ledger's. Errors, in the
// order of the checks: Unpriced; Invalid (an output cap of 0); BudgetSpent (dearer than any budget); Unavailable (shutting
// down); Busy (too many calls open); RateExceeded (a RetryAfter of 0 means never) or Unavailable (the rate cannot be asked);
// then the ledger's GrantEnded, GrantPaused, BudgetSpent, CallsSpent, NotFound, KeyUsed, KeyReused, and Unavailable if its answer
// is unknown, in which case the hold is voided. After an error the rate has its place back.
func (m *Meter) Reserve(ctx context.Context, g passport.Grant, detail int, c passport.Call) (*Reservation, error) {
	if detail < 0 || detail >= len(g.Details) {
		return nil, problem.New(problem.Internal, "grant %s has no detail %d", g.ID, detail)
	}
	// 1. What can it cost?
	tariff := m.c.Tariff.Now()
	price, err := tariff.of(c, m.c.Now())
	if err != nil {
		return nil, err
	}
	wish, least, err := outputBounds(price, c)
	if err != nil {
		return nil, err
	}
	amount, fewest := price.WorstCase(c, wish), price.WorstCase(c, least)
	if fewest > passport.MaxMoney {
		return nil, problem.New(problem.BudgetSpent, "the call could cost more at worst than any budget can be")
	}
	// 2. Is there room, and is it time?
	above := g.Line()
	if err := m.enter(g.ID, above); err != nil {
		return nil, err
	}
	places, err := m.takeRates(ctx, g, detail)
	if err != nil {
		m.leave(g.ID, above)
		return nil, err
	}
	// 3. The hold is durable before a byte leaves. If we die after this line, recovery charges all of it.
	h := passport.Hold{
		ID: passport.ReservationID(m.c.NewID()), Grant: g.ID, Detail: detail, Provider: c.Provider, Credential: c.Credential, Model: c.Model, Stream: c.Stream,
		Amount: min(amount, passport.MaxMoney), Least: fewest, Tariff: tariff.Version(), Claim: c.Claim, At: m.c.Now(),
	}
	held, err := m.c.Ledger.Hold(ctx, h)
	if err == nil && held.Amount < h.Least {
		err = fmt.Errorf("the ledger held %s where %s is the least", held.Amount, h.Least)
	}
	if err != nil {
		err = m.refused(ctx, h, err)
		m.giveBack(places)
		m.leave(g.ID, above)
		m.tellSpent(ctx, g, err)
		return nil, err
	}
	if least < wish {
		wish = price.outputFor(c, held.Amount, wish)
	}
	return &Reservation{ID: h.ID, Amount: held.Amount, MaxOutput: wish, Held: held, m: m, grant: g.ID, above: above, call: c, price: price}, nil
}

// takeRates counts a call against the rate of its detail, and of what that was narrowed from on every grant above. Errors: as Rates.Take
// has them; then nothing is counted.
func (m *Meter) takeRates(ctx context.Context, g passport.Grant, detail int) ([]passport.RatePlace, error) {
	at, err := m.c.Rates.Take(ctx, g.ID, detail, g.Details[detail].RateLimit.Or(0))
	if err != nil {
		return nil, err
	}
	places := append(make([]passport.RatePlace, 0, 1+len(g.Above)), at)
	for _, up := range g.Above {
		if detail >= len(up.Details) || detail >= len(up.Rates) {
			m.giveBack(places)
			return nil, problem.New(problem.Internal, "grant %s does not fit what is above it", g.ID)
		}
		at, err := m.c.Rates.Take(ctx, up.ID, up.Details[detail], up.Rates[detail])
		if err != nil {
			m.giveBack(places)
			return nil, err
		}
		places = append(places, at)
	}
	return places, nil
}

func (m *Meter) giveBack(places []passport.RatePlace) {
	for _, at := range places {
		m.c.Rates.GiveBack(at)
	}
}

// Look counts a question that goes to no provider, and so is no call, against the rate of a grant's first detail. Errors: as Rates.Take has them;
// NotFound for a grant of nothing.
func (m *Meter) Look(ctx context.Context, g passport.Grant) error {
	if len(g.Details) == 0 {
		return problem.New(problem.NotFound, "grant %s covers nothing", g.ID)
	}
	_, err := m.takeRates(ctx, g, 0)
	return err
}

// Close lets no new call in and waits until none is open, or ctx ends.
func (m *Meter) Close(ctx context.Context) {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		m.markIdle()
	}
	m.mu.Unlock()
	select {
	case <-m.idle:
	case <-ctx.Done():
	}
}

// of is what the model of a call costs at a time, if all that the call uses is in that price and can be bounded.
func (t *Tariff) of(c passport.Call, now time.Time) (ModelPrice, error) {
	p, ok := t.Price(c.Provider, c.Model)
	p = p.At(now)
	if !ok {
		return ModelPrice{}, problem.New(problem.Unpriced, "Model '%s' has no known price, so its cost cannot be capped", c.Model).In("model")
	}
	if c.Kind == passport.KindCount && p.Kind == passport.KindChat {
		p = p.counting()
	}
	if p.Kind != c.Kind {
		return ModelPrice{}, problem.New(problem.Unpriced, "Model '%s' has a price for %s only", c.Model, p.Kind).In("model")
	}
	if len(c.Uses) == 0 {
		return ModelPrice{}, problem.New(problem.Unpriced, "a call that uses no capability has no price")
	}
	for _, u := range c.Uses {
		if !p.prices(u) {
			return ModelPrice{}, problem.New(problem.Unpriced, "Capability '%s' has no known price with model '%s', so its cost cannot be capped", u, c.Model)
		}
	}
	if p.AudioSecond > 0 && slices.ContainsFunc(c.Clips, func(clip passport.Clip) bool { return clip.Seconds.IsZero() }) {
		return ModelPrice{}, problem.New(problem.Unpriced, "Model '%s' is billed by the second, and how long the sound lasts cannot be told from it: send it as WAV or MP3", c.Model).In("file")
	}
	if !p.bounds(c) {
		return ModelPrice{}, problem.New(problem.Unpriced, "what model '%s' can cost for such a call has no known bound, so it cannot be capped", c.Model).In("model")
	}
	return p, nil
}

// prices says whether a capability is in the price.
func (p ModelPrice) prices(c passport.Capability) bool {
	switch c {
	case passport.Chat:
		return p.Kind == passport.KindChat || p.Kind == passport.KindCount
	case passport.Embeddings:
		return p.Kind == passport.KindEmbedding
	case passport.Images:
		return p.Kind == passport.KindImage
	case passport.Audio:
		return p.Kind == passport.KindTranscription || p.Kind == passport.KindSpeech || p.Kind == passport.KindChat && p.InputAudio > 0
	case passport.Search:
		return p.Kind == passport.KindChat && p.Search > 0
	default: // code: the time that a program runs at the provider has no bound
		return false
	}
}

// outputBounds are the output cap to hold money for and the smallest that will do: both what the caller asked for, if that
// was said and it did not ask for less where the money is short, or what the model makes at most, where a call cannot set a cap. More
// than the model can give is held as asked: whether the provider clips or refuses it is not ours to guess.
func outputBounds(p ModelPrice, c passport.Call) (wish, least int64, err error) {
	if most, fixed, _ := p.fixedOutput(); fixed {
		return most, most, nil
	}
	asked, ok := c.MaxOutput.Get()
	if !ok {
		wish = p.wishedOutput()
		return wish, min(wish, max(leastOutput, c.MinOutput)), nil
	}
	if asked < 1 {
		return 0, 0, problem.New(problem.Invalid, "must be at least 1").In("max_tokens")
	}
	if c.Clamp {
		return asked, min(asked, max(leastOutput, c.MinOutput)), nil
	}
	return asked, asked, nil
}

// enter takes a place in flight, of a grant and of all above it.
func (m *Meter) enter(g passport.GrantID, above []passport.GrantID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return problem.New(problem.Unavailable, "the broker is shutting down")
	}
	if m.open[g] >= m.c.MaxInFlight {
		return problem.New(problem.Busy, "%d calls of this grant are in flight, which is as many as there may be", m.c.MaxInFlight).After(busyRetry)
	}
	for _, up := range above {
		if m.open[up] >= m.c.MaxInFlight {
			return problem.New(problem.Busy, "%d calls of a grant that this one was passed on from are in flight, which is as many as there may be", m.c.MaxInFlight).After(busyRetry)
		}
	}
	m.open[g]++
	for _, up := range above {
		m.open[up]++
	}
	m.total++
	return nil
}

// leave gives the place in flight back.
func (m *Meter) leave(g passport.GrantID, above []passport.GrantID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total--
	if m.open[g]--; m.open[g] == 0 {
		delete(m.open, g)
	}
	for _, up := range above {
		if m.open[up]--; m.open[up] == 0 {
			delete(m.open, up)
		}
	}
	m.markIdle()
}

// markIdle is called with mu held, after total or closed has changed.
func (m *Meter) markIdle() {
	if m.closed && m.total == 0 {
		close(m.idle)
	}
}

// refused turns an error of Ledger.Hold into the caller's. Nothing has left for the provider, which is what it takes to void a
// hold that may exist after all. A Conflict is different: the reservation of that name is another call's.
func (m *Meter) refused(ctx context.Context, h passport.Hold, err error) error {
	switch problem.KindOf(err) {
	case problem.GrantEnded, problem.GrantPaused, problem.BudgetSpent, problem.CallsSpent, problem.NotFound, problem.Busy, problem.KeyUsed, problem.KeyReused:
		return err
	case problem.Conflict:
		return problem.Wrap(err, problem.Internal, "internal error")
	default:
		if errors.Is(err, passport.ErrNotHeld) {
			return err
		}
		m.settle(ctx, passport.Settlement{ID: h.ID, Grant: h.Grant, Why: passport.NotSent, Claim: h.Claim, At: m.c.Now()})
		return problem.Wrap(err, problem.Unavailable, "the money for this call could not be set aside")
	}
}

// settle queues s, whether or not the caller is still there. If the ledger does not take it the hold stays, and recovery
// charges it in full: dear, never free.
func (m *Meter) settle(ctx context.Context, s passport.Settlement) {
	wait := patience.For(ctx, settleDeadline)
	defer wait.Over()
	if err := m.c.Ledger.Settle(wait, s); err != nil {
		m.c.OnSettleError(fmt.Errorf("settle %s of grant %s: %w", s.ID, s.Grant, err))
	}
}
