package meter_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex // guards at
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// spy is a ledger that remembers what it was asked, in order.
type spy struct {
	*storetest.Memory
	mu       sync.Mutex // guards all below
	holds    []passport.Hold
	settled  []passport.Settlement
	contexts []context.Context // of settled
	ends     []time.Time       // of contexts, as who waits for a place sees them
}

func (s *spy) Hold(ctx context.Context, h passport.Hold) (passport.Held, error) {
	s.mu.Lock()
	s.holds = append(s.holds, h)
	s.mu.Unlock()
	return s.Memory.Hold(ctx, h)
}

func (s *spy) Settle(ctx context.Context, x passport.Settlement) error {
	s.mu.Lock()
	end, _ := ctx.Deadline()
	s.settled, s.contexts, s.ends = append(s.settled, x), append(s.contexts, ctx), append(s.ends, end)
	s.mu.Unlock()
	return s.Memory.Settle(ctx, x)
}

// desk is a meter over a ledger in memory with one grant in it.
type desk struct {
	*meter.Meter
	t      testing.TB
	ledger *spy
	clock  *clock
	grant  passport.Grant
	config meter.Config

	mu     sync.Mutex // guards all below
	frozen []passport.GrantID
	errs   []error
}

// The desk's model: a micro-dollar for each model token in, two for each out. Its window is known, its longest answer too.
var plain = meter.ModelPrice{Provider: passport.OpenAI, Model: "plain", Input: 1_000_000, CacheRead: 500_000, CacheWrite: 1_000_000,
	CacheWrite1h: 1_000_000, Output: 2_000_000, Context: 100_000, MaxOutput: 10_000}

// ask is a call whose input is bounded by 1,080 model tokens, so that it costs at worst 1,080 and 2 for each token of output.
func ask(maxOutput passport.Limit) passport.Call {
	return passport.Call{Provider: passport.OpenAI, Kind: passport.KindChat, Model: "plain", Uses: []passport.Capability{passport.Chat}, BodyBytes: 1000, Parts: 1,
		Choices: 1, MaxOutput: maxOutput}
}

func open(t testing.TB, change ...func(*meter.Config, *passport.Detail)) *desk {
	t.Helper()
	d := &desk{t: t, clock: &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}, ledger: &spy{Memory: storetest.NewMemory()}}
	var ids atomic.Int64
	d.config = meter.Config{
		Ledger: d.ledger, Tariff: tariff(t).With(plain), Now: d.clock.Now, MaxInFlight: 64,
		NewID:         func() string { return fmt.Sprintf("r%06d", ids.Add(1)) },
		OnFreeze:      func(g passport.GrantID) { d.mu.Lock(); d.frozen = append(d.frozen, g); d.mu.Unlock() },
		OnSettleError: func(err error) { d.mu.Lock(); d.errs = append(d.errs, err); d.mu.Unlock() },
		OnTellError:   func(err error) { d.mu.Lock(); d.errs = append(d.errs, err); d.mu.Unlock() },
	}
	detail := passport.Detail{Provider: passport.OpenAI, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(1_000_000), RateLimit: passport.LimitOf(passport.MaxRate)}
	for _, f := range change {
		f(&d.config, &detail)
	}
	var err error
	if d.Meter, err = meter.New(d.config); err != nil {
		t.Fatal(err)
	}
	d.grant = d.addGrant("g", detail)
	return d
}

// addGrant puts an approved grant into the ledger.
func (d *desk) addGrant(id passport.GrantID, details ...passport.Detail) passport.Grant {
	d.t.Helper()
	now := d.clock.Now()
	g := passport.Grant{ID: id, RequestID: passport.RequestID("q" + id), State: passport.GrantPending, Version: 1, AppName: "app", Asked: details,
		Details: slices.Clone(details), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := d.ledger.AddGrant(d.t.Context(), g, passport.Event{ID: passport.EventID(id + ":asked"), Grant: id, At: now}); err != nil {
		d.t.Fatal(err)
	}
	g, err := g.Approve(passport.Approval{Owner: "p", Lifetime: 24 * time.Hour}, now)
	if err != nil {
		d.t.Fatal(err)
	}
	d.change(g)
	return g
}

func (d *desk) change(g passport.Grant) {
	d.t.Helper()
	ev := passport.Event{ID: passport.EventID(fmt.Sprint(g.ID, g.Version)), Grant: g.ID, At: d.clock.Now()}
	if err := d.ledger.ChangeGrant(d.t.Context(), g, ev); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) reserve(c passport.Call) (*meter.Reservation, error) {
	return d.Reserve(d.t.Context(), d.grant, 0, c)
}

func (d *desk) mustReserve(c passport.Call) *meter.Reservation {
	d.t.Helper()
	r, err := d.reserve(c)
	if err != nil {
		d.t.Fatalf("reserve %+v: %v", c, err)
	}
	return r
}

func (d *desk) standing() passport.Standing {
	d.t.Helper()
	s, err := d.ledger.Standing(d.t.Context(), d.grant.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// balanced checks what the ledger holds against its own reservations.
func (d *desk) balanced() {
	d.t.Helper()
	if wrong, err := d.ledger.VerifyLedger(d.t.Context()); err != nil || len(wrong) > 0 {
		d.t.Errorf("the ledger does not add up: %v, %v", wrong, err)
	}
}
