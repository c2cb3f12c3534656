package ledgersim_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
)

// TestEveryBrokenLedgerIsFound breaks, one at a time, what the promise rests on. A simulator that finds nothing wrong with
// any of these would find nothing at all.
func TestEveryBrokenLedgerIsFound(t *testing.T) {
	const most = 300 // seeds, each from 1 up
	for name, b := range map[string]bend{
		"holds are answered before they are committed": {ledger: func(w *world, l meter.Ledger) meter.Ledger { return hasty{l, w} }},
		"recovery gives back":                          {ledger: func(w *world, l meter.Ledger) meter.Ledger { return generous{l, w} }},
		"an unknown outcome is free":                   {ledger: func(_ *world, l meter.Ledger) meter.Ledger { return trusting{l} }},
		"a settle is forgotten now and then":           {ledger: func(w *world, l meter.Ledger) meter.Ledger { return forgetful{l, w} }},
		"a settle stands before its hold":              {ledger: func(_ *world, l meter.Ledger) meter.Ledger { return swapped{l} }},
		"a charge of recovery is taken back":           {ledger: func(_ *world, l meter.Ledger) meter.Ledger { return lenient{l} }},
		"a late bill above its hold is dropped":        {ledger: func(w *world, l meter.Ledger) meter.Ledger { return capping{l, w} }},
		"the log is not synced (synchronous=NORMAL)":   {noSync: []string{"-wal"}},
		"nothing is synced (synchronous=OFF)":          {noSync: []string{"-wal", ".db"}},
		"callers do not wait for their hold":           {dials: true},
		"the owner is answered before the commit":      {promises: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for seed := uint64(1); seed <= most; seed++ {
				if err := run(t, seed, b); err != nil {
					if err := run(t, seed, bend{}); err != nil {
						t.Fatalf("seed %d finds something wrong without it: %v", seed, err)
					}
					t.Logf("found by seed %d after %s: %.120s", seed, time.Since(began).Round(time.Millisecond), err)
					return
				}
			}
			t.Errorf("%d seeds found nothing wrong", most)
		})
	}
}

type hasty struct {
	meter.Ledger
	w *world
}

func (l hasty) Hold(ctx context.Context, h passport.Hold) (passport.Held, error) {
	go l.Ledger.Hold(ctx, h)
	return passport.Held{Amount: h.Amount}, nil
}

type generous struct {
	meter.Ledger
	w *world
}

func (l generous) ChargeOrphans(ctx context.Context, at time.Time) (int, passport.Money, error) {
	for _, a := range l.w.accounts {
		all, _ := l.w.store.Reservations(ctx, a.grant, "", 1000)
		for _, r := range all {
			if r.State == passport.ReservationHeld {
				l.Settle(ctx, passport.Settlement{ID: r.ID, Grant: r.Grant, Why: passport.NotSent, At: at})
			}
		}
	}
	synctest.Wait()
	return l.Ledger.ChargeOrphans(ctx, at)
}

type trusting struct{ meter.Ledger }

func (l trusting) Settle(ctx context.Context, s passport.Settlement) error {
	if s.Why != passport.Finished && s.Why != passport.NotSent {
		s.Actual = 0
	}
	return l.Ledger.Settle(ctx, s)
}

type forgetful struct {
	meter.Ledger
	w *world
}

func (l forgetful) Settle(ctx context.Context, s passport.Settlement) error {
	if l.w.chance(0.05) {
		return nil
	}
	return l.Ledger.Settle(ctx, s)
}

type swapped struct{ meter.Ledger }

func (l swapped) Hold(ctx context.Context, h passport.Hold) (passport.Held, error) {
	held, err := l.Ledger.Hold(ctx, h)
	if err == nil { // the money is free again before the call has begun
		err = l.Ledger.Settle(ctx, passport.Settlement{ID: h.ID, Grant: h.Grant, Reached: true, Why: passport.Finished, At: h.At})
	}
	return held, err
}

type capping struct {
	meter.Ledger
	w *world
}

func (l capping) Settle(ctx context.Context, s passport.Settlement) error {
	for _, c := range l.w.calls {
		if s.Why == passport.Finished && c.life < l.w.life && c.final.ID == s.ID && s.Actual > c.rsv.Amount {
			return nil
		}
	}
	return l.Ledger.Settle(ctx, s)
}

type lenient struct{ meter.Ledger }

func (l lenient) Settle(ctx context.Context, s passport.Settlement) error {
	if s.Why == passport.Finished {
		s.Actual -= s.Actual / 10
	}
	return l.Ledger.Settle(ctx, s)
}
