package meter_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func TestInFlightIsExactUnderRaces(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) { c.MaxInFlight = 5 })
	for round := range 3 {
		var mu sync.Mutex
		var in []*meter.Reservation
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				r, err := d.reserve(ask(passport.LimitOf(1)))
				if err != nil {
					if p := problem.From(err); p.Kind != problem.Busy || p.RetryAfter <= 0 {
						t.Errorf("refused: %v", err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				in = append(in, r)
			})
		}
		wg.Wait()
		if len(in) != 5 {
			t.Fatalf("round %d: %d in flight, want 5", round, len(in))
		}
		for _, r := range in {
			wg.Go(func() { r.Settle(t.Context(), passport.NotSent, passport.Usage{}) })
			wg.Go(func() { r.Settle(t.Context(), passport.NotSent, passport.Usage{}) })
		}
		wg.Wait()
	}
	other := d.addGrant("h", d.grant.Details...)
	for range 5 {
		d.mustReserve(ask(passport.LimitOf(1)))
	}
	if _, err := d.Reserve(t.Context(), other, 0, ask(passport.LimitOf(1))); err != nil {
		t.Errorf("another grant is kept out: %v", err)
	}
}

// 200 callers on a cap of ten cents: whatever a provider that keeps to its bounds bills, the cap holds at every moment, and
// nearly all of it can be spent.
func TestNeverOverspends(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := open(t, func(c *meter.Config, p *passport.Detail) { p.MaxBudgetCents, c.MaxInFlight = passport.LimitOf(10), 150 })
	var billed atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range 20 {
				out := passport.LimitOf(rng.Int64N(1000) + 1)
				if rng.IntN(4) == 0 {
					out = passport.Limit{}
				}
				r, err := d.reserve(ask(out))
				if err != nil {
					if k := problem.KindOf(err); k != problem.BudgetSpent && k != problem.Busy {
						t.Errorf("refused: %v", err)
					}
					continue
				}
				u := passport.Usage{Known: true, Input: rng.Int64N(1081), Output: rng.Int64N(r.MaxOutput + 1)}
				why := []passport.Outcome{passport.Finished, passport.Finished, passport.Finished, passport.ClientLeft, passport.NotSent, passport.Broken}[rng.IntN(6)]
				if why != passport.NotSent {
					billed.Add(u.Input + 2*u.Output)
				}
				if rng.IntN(10) == 0 {
					u.Known = false
				}
				if s := d.standing().Total; s.Settled+s.Held > s.Cap {
					t.Errorf("%s settled and %s held of %s", s.Settled, s.Held, s.Cap)
				}
				charged := r.Settle(t.Context(), why, u)
				if again := r.Settle(t.Context(), passport.NotSent, passport.Usage{}); again != charged || charged > r.Amount {
					t.Errorf("charged %d, then %d, of %d", charged, again, r.Amount)
				}
			}
		})
	}
	wg.Wait()
	d.balanced()
	s := d.standing().Total
	if s.Held != 0 || passport.Money(billed.Load()) > s.Settled || s.Settled > s.Cap || len(d.frozen)+len(d.errs) > 0 {
		t.Errorf("billed %d, settled %s, held %s of %s; frozen %v; %v", billed.Load(), s.Settled, s.Held, s.Cap, d.frozen, d.errs)
	}
	if s.Settled < s.Cap*9/10 {
		t.Errorf("only %s of %s could be spent", s.Settled, s.Cap)
	}
}

func TestCloseWaitsForOpenReservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		a, b := d.mustReserve(ask(passport.LimitOf(1))), d.mustReserve(ask(passport.LimitOf(1)))
		closed := make(chan struct{})
		go func() { d.Close(context.Background()); close(closed) }()
		still := func() bool {
			synctest.Wait()
			select {
			case <-closed:
				return false
			default:
				return true
			}
		}
		if !still() {
			t.Fatal("did not wait")
		}
		if _, err := d.reserve(ask(passport.LimitOf(1))); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("while closing: got %v, want Unavailable", err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.Close(short)
		if short.Err() == nil {
			t.Error("a close with an end did not wait for it")
		}
		a.Settle(t.Context(), passport.Finished, passport.Usage{})
		a.Settle(t.Context(), passport.Finished, passport.Usage{})
		if !still() {
			t.Fatal("waited for one of two")
		}
		b.Settle(t.Context(), passport.Finished, passport.Usage{})
		if still() {
			t.Fatal("waits for nothing")
		}
		d.Close(t.Context())
		if _, err := d.reserve(ask(passport.LimitOf(1))); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("after closing: got %v, want Unavailable", err)
		}
	})
}

func TestCloseWithNothingOpen(t *testing.T) {
	d := open(t)
	d.mustReserve(ask(passport.LimitOf(1))).Settle(t.Context(), passport.NotSent, passport.Usage{})
	if _, err := d.reserve(passport.Call{}); err == nil {
		t.Fatal("a call of nothing was taken")
	}
	d.Close(context.Background())
	d.Close(context.Background())
}
