package meter_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/google/go-cmp/cmp"
)

// Every outcome of BUDGET section 4, for a call that held 2,000.
func TestOutcomes(t *testing.T) {
	used := passport.Usage{Known: true, Input: 100, CacheRead: 40, Output: 50, Reasoning: 20} // 60 + 20 + 100
	zero := passport.Usage{Known: true}
	unknown := used
	unknown.Known = false
	negative := used
	negative.Output = -50
	huge := used
	huge.Input = math.MaxInt64
	torn := used
	torn.CacheRead = 101
	above := passport.Usage{Known: true, Input: 1000, Output: 600} // 2,200
	modes := used
	modes.InputImage, modes.CacheImage = 30, 10 // priced as text: no price of their own
	heard, spoke, drew, searched := used, used, used, used
	heard.InputAudio, spoke.OutputAudio, drew.OutputImage, searched.Searches = 1, 1, 1, 1
	for _, tt := range []struct {
		name    string
		why     passport.Outcome
		u       passport.Usage
		charged passport.Money
		as      passport.Outcome
		reached bool
		kept    passport.Usage
	}{
		{"finished", passport.Finished, used, 180, passport.Finished, true, used},
		{"finished, said to have used nothing", passport.Finished, zero, 0, passport.Finished, true, zero},
		{"finished without usage", passport.Finished, passport.Usage{}, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with a part of the usage", passport.Finished, unknown, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with less than nothing", passport.Finished, negative, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with what cannot be", passport.Finished, huge, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with more cached than there was", passport.Finished, torn, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished above the hold", passport.Finished, above, 2200, passport.Finished, true, above},
		{"finished with images", passport.Finished, modes, 180, passport.Finished, true, modes},
		{"finished with sound, which has no price", passport.Finished, heard, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with speech, which has none", passport.Finished, spoke, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with a picture, which has none", passport.Finished, drew, 2000, passport.NoUsage, true, passport.Usage{}},
		{"finished with a search, which has none", passport.Finished, searched, 2000, passport.NoUsage, true, passport.Usage{}},
		{"no usage", passport.NoUsage, passport.Usage{}, 2000, passport.NoUsage, true, passport.Usage{}},
		{"not sent", passport.NotSent, passport.Usage{}, 0, passport.NotSent, false, passport.Usage{}},
		{"not sent, whatever is said", passport.NotSent, used, 0, passport.NotSent, false, passport.Usage{}},
		{"the provider's error", passport.ProviderError, passport.Usage{}, 0, passport.ProviderError, true, passport.Usage{}},
		{"the provider's error with usage", passport.ProviderError, used, 0, passport.ProviderError, true, passport.Usage{}},
		{"broken", passport.Broken, passport.Usage{}, 2000, passport.Broken, true, passport.Usage{}},
		{"broken, with usage so far", passport.Broken, used, 2000, passport.Broken, true, used},
		{"broken, with usage above the hold", passport.Broken, above, 2200, passport.Broken, true, above},
		{"broken, with sound, which has no price", passport.Broken, heard, 2000, passport.Broken, true, passport.Usage{}},
		{"broken, with nonsense", passport.Broken, negative, 2000, passport.Broken, true, passport.Usage{}},
		{"the client left", passport.ClientLeft, used, 2000, passport.ClientLeft, true, used},
		{"recalled", passport.Recalled, used, 2000, passport.Recalled, true, used},
		{"an outcome that is not ours to say", passport.Orphaned, used, 2000, passport.Orphaned, true, used},
		{"an unknown outcome", "surprise", used, 2000, "surprise", true, used},
		{"no outcome", "", passport.Usage{}, 2000, "", true, passport.Usage{}},
	} {
		d := open(t)
		r := d.mustReserve(ask(passport.LimitOf(460)))
		d.clock.add(time.Second)
		if got := r.Settle(t.Context(), tt.why, tt.u); got != tt.charged {
			t.Errorf("%s: charged %d, want %d", tt.name, got, tt.charged)
		}
		want := passport.Settlement{ID: r.ID, Grant: "g", Actual: tt.charged, Reached: tt.reached, Usage: tt.kept, Why: tt.as, At: d.clock.Now()}
		if diff := cmp.Diff([]passport.Settlement{want}, d.ledger.settled); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		calls := int64(1)
		if !tt.reached {
			calls = 0
		}
		if s := d.standing().Total; s.Held != 0 || s.Settled != tt.charged || s.Calls != calls {
			t.Errorf("%s: the ledger has %+v", tt.name, s)
		}
		if froze := len(d.frozen) == 1; froze != (tt.charged > 2000) {
			t.Errorf("%s: frozen %v", tt.name, d.frozen)
		}
		d.balanced()
	}
}

func TestSettledOnce(t *testing.T) {
	d := open(t)
	r := d.mustReserve(ask(passport.LimitOf(460)))
	used := passport.Usage{Known: true, Input: 100}
	if got := r.Settle(t.Context(), passport.Finished, used); got != 100 {
		t.Errorf("charged %d, want 100", got)
	}
	var wg sync.WaitGroup
	for _, why := range []passport.Outcome{passport.Broken, passport.NotSent, passport.Finished} {
		wg.Go(func() {
			if got := r.Settle(t.Context(), why, passport.Usage{}); got != 100 {
				t.Errorf("again: charged %d, want the first charge", got)
			}
		})
	}
	wg.Wait()
	if len(d.ledger.settled) != 1 {
		t.Errorf("the ledger was told %d times", len(d.ledger.settled))
	}
}

// Of many that settle at once one wins, and all hear its charge.
func TestSettledOnceUnderRaces(t *testing.T) {
	for range 20 {
		d := open(t)
		r := d.mustReserve(ask(passport.LimitOf(460)))
		var wg sync.WaitGroup
		got := make([]passport.Money, 8)
		for i := range got {
			wg.Go(func() {
				got[i] = r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: int64(i)})
			})
		}
		wg.Wait()
		for _, m := range got {
			if m != got[0] || m != d.standing().Total.Settled {
				t.Fatalf("charges %v, and the ledger has %s", got, d.standing().Total.Settled)
			}
		}
	}
}

func TestABillAboveItsHoldFreezes(t *testing.T) {
	var d *desk
	var atOnce passport.Standing
	d = open(t, func(c *meter.Config, _ *passport.Detail) {
		c.OnFreeze = func(g passport.GrantID) {
			if g != "g" {
				t.Errorf("froze %s", g)
			}
			atOnce = d.standing()
		}
	})
	other := d.mustReserve(ask(passport.LimitOf(1)))
	r := d.mustReserve(ask(passport.LimitOf(460)))
	if got := r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 5_000_000}); got != 5_000_000 {
		t.Errorf("charged %s, want all of it", got)
	}
	if atOnce.Grant.State != passport.GrantPaused || atOnce.Total.Settled != 5*passport.Dollar {
		t.Errorf("when told of it: %s, settled %s", atOnce.Grant.State, atOnce.Total.Settled)
	}
	if _, err := d.reserve(ask(passport.LimitOf(1))); problem.KindOf(err) != problem.GrantPaused {
		t.Errorf("the next call: %v, want GrantPaused", err)
	}
	if got := other.Settle(t.Context(), passport.Recalled, passport.Usage{}); got != 1082 {
		t.Errorf("the call in flight: charged %d", got)
	}
	d.balanced()
}

func TestABillBeyondAllMoneyIsRecordedAtTheMost(t *testing.T) {
	dear := plain
	dear.Output = 1_000_000 * 1_000_000 // a dollar a token
	d := open(t, func(c *meter.Config, p *passport.Detail) {
		c.Tariff, p.MaxBudgetCents = c.Tariff.Now().With(dear), passport.LimitOf(10_000)
	})
	r := d.mustReserve(ask(passport.LimitOf(1)))
	if got := r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Output: 1 << 40}); got != passport.MaxMoney {
		t.Errorf("charged %s, want %s", got, passport.MaxMoney)
	}
	if len(d.frozen) != 1 {
		t.Error("not frozen")
	}
	d.balanced()
}

// The caller hanging up is the most usual time to settle.
func TestSettlingOutlivesItsCaller(t *testing.T) {
	d := open(t)
	r := d.mustReserve(ask(passport.LimitOf(460)))
	type key struct{}
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "kept"))
	cancel(errors.New("hung up"))
	start := time.Now()
	r.Settle(ctx, passport.ClientLeft, passport.Usage{})
	got := d.ledger.contexts[0]
	if end := d.ledger.ends[0]; end.Before(start) || end.After(time.Now().Add(time.Minute)) {
		t.Errorf("the deadline is %v: want one of its own", end)
	}
	if got.Value(key{}) != "kept" {
		t.Error("the caller's values are lost")
	}
	if errors.Is(context.Cause(got), context.Cause(ctx)) {
		t.Error("it ended with the caller")
	}
	if s := d.standing().Total; s.Held != 0 || s.Settled != 2000 {
		t.Errorf("the ledger has %+v", s)
	}
}

// contextual is a ledger that fails as its context does.
type contextual struct{ *spy }

func (c contextual) Settle(ctx context.Context, s passport.Settlement) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.spy.Settle(ctx, s)
}

func TestSettlingDoesNotFailWithItsCaller(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) { c.Ledger = contextual{c.Ledger.(*spy)} })
	r := d.mustReserve(ask(passport.LimitOf(460)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Settle(ctx, passport.Finished, passport.Usage{Known: true, Input: 7})
	if s := d.standing().Total; len(d.errs) > 0 || s.Settled != 7 || s.Held != 0 {
		t.Errorf("%v, the ledger has %+v", d.errs, s)
	}
}

// A settlement that the ledger does not take is told. The hold stays, dear and never free; the place in flight comes back.
func TestAFailedSettlementIsTold(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) { c.MaxInFlight = 1 })
	disk := errors.New("disk full")
	r := d.mustReserve(ask(passport.LimitOf(460)))
	d.ledger.Fail("Settle", storetest.Before, disk)
	if got := r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 7}); got != 7 {
		t.Errorf("charged %d", got)
	}
	if len(d.errs) != 1 || !errors.Is(d.errs[0], disk) {
		t.Errorf("told %v", d.errs)
	}
	if s := d.standing().Total; s.Held != 2000 || s.Settled != 0 {
		t.Errorf("the ledger has %+v", s)
	}
	d.mustReserve(ask(passport.LimitOf(1)))
	if n, sum, err := d.ledger.ChargeOrphans(t.Context(), d.clock.Now()); err != nil || n != 2 || sum != 2000+1082 {
		t.Errorf("orphans: %d, %s, %v", n, sum, err)
	}
}

func TestCallbacksMayBeLeftOut(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) { c.OnFreeze, c.OnSettleError = nil, nil })
	r := d.mustReserve(ask(passport.LimitOf(1)))
	d.ledger.Fail("Settle", storetest.Before, errors.New("disk full"))
	r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 1 << 30})
}
