package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// rateClock is a clock that a test moves.
type rateClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *rateClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *rateClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// RunRates tests meter.Rates that several instances share. open gives an instance with a clock, or its own clock for nil; all
// instances of one test share what they count.
func RunRates(t *testing.T, open func(t *testing.T) (instance func(now func() time.Time) meter.Rates)) {
	t.Run("AnswersLikeMemory", func(t *testing.T) { ratesLikeMemory(t, open(t)) })
	t.Run("OneLimitForAllInstances", func(t *testing.T) { ratesAreShared(t, open(t)) })
	t.Run("ItsOwnClock", func(t *testing.T) { ratesOwnClock(t, open(t)(nil)) })
}

// Whatever is taken and given back at two instances, whatever the clock does, the answers are those of one memory: what is
// proved of that (guard/meter) is true here.
func ratesLikeMemory(t *testing.T, instance func(func() time.Time) meter.Rates) {
	clock := &rateClock{now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	shared := []meter.Rates{instance(clock.Now), instance(clock.Now)}
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 9))
		model := meter.NewMemoryRates(clock.Now)
		limit := []int64{1, 5, 64, 100, 200, 1280}[seed]
		grant := passport.GrantID(fmt.Sprint("seed ", seed))
		var places [2][]passport.RatePlace
		take := func(step, detail int, limit int64) {
			want, wantErr := model.Take(t.Context(), grant, detail, limit)
			got, err := shared[rng.IntN(2)].Take(t.Context(), grant, detail, limit)
			if g, w := said(err), said(wantErr); g != w {
				t.Fatalf("seed %d, step %d, limit %d: got %s, memory says %s", seed, step, limit, g, w)
			}
			if err == nil {
				places[0], places[1] = append(places[0], want), append(places[1], got)
			}
		}
		for step := range 250 {
			switch rng.IntN(12) {
			case 0:
				// A detail notices the time when it is asked; memory, which sweeps, sometimes before. So all are asked, before the
				// clock goes back and after.
				take(step, 0, limit)
				take(step, 1, limit)
				clock.add(-time.Duration(rng.Int64N(90_000)) * time.Millisecond)
				take(step, 0, limit)
				take(step, 1, limit)
			case 1, 2, 3:
				clock.add(time.Duration(rng.Int64N(120_000/min(limit, 20))) * time.Millisecond)
			case 4:
				if n := len(places[0]); n > 0 {
					i := rng.IntN(n)
					model.GiveBack(places[0][i])
					one := shared[step%2]
					one.GiveBack(places[1][i])
					one.Take(t.Context(), "another", 0, 1) // stands behind it
					for k := range places {
						places[k] = append(places[k][:i], places[k][i+1:]...)
					}
				}
			}
			ask := limit
			if rng.IntN(20) == 0 {
				ask = 1 + rng.Int64N(2*limit)
			}
			take(step, rng.IntN(2), ask)
		}
	}
}

// said is what a caller hears.
func said(err error) string {
	if err == nil {
		return "yes"
	}
	p := problem.From(err)
	return fmt.Sprint(p.Kind, " ", p.Detail, " ", p.RetryAfter)
}

// Of many calls at once, at several instances, exactly the limit passes.
func ratesAreShared(t *testing.T, instance func(func() time.Time) meter.Rates) {
	const limit, calls = 100, 400
	many := []meter.Rates{instance(nil), instance(nil), instance(nil)}
	passed := make(chan bool, calls)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			_, err := many[i%len(many)].Take(t.Context(), "g", 0, limit)
			if err != nil && problem.KindOf(err) != problem.RateExceeded {
				t.Errorf("call %d: %v", i, err)
			}
			passed <- err == nil
		})
	}
	all.Wait()
	n := 0
	for range calls {
		if <-passed {
			n++
		}
	}
	if n != limit {
		t.Errorf("%d calls passed, the limit is %d", n, limit)
	}
}

func ratesOwnClock(t *testing.T, r meter.Rates) {
	at, err := r.Take(t.Context(), "g", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Take(t.Context(), "g", 0, 1)
	if p := problem.From(err); p.Kind != problem.RateExceeded || p.RetryAfter < 30*time.Second || p.RetryAfter > time.Minute {
		t.Errorf("a second call: %v, wait %s", err, p.RetryAfter)
	}
	if _, err := r.Take(t.Context(), "g", 1, 1); err != nil {
		t.Errorf("another detail: %v", err)
	}
	for _, limit := range []int64{0, -1} {
		if _, err := r.Take(t.Context(), "never", 0, limit); problem.KindOf(err) != problem.RateExceeded || problem.From(err).RetryAfter != 0 {
			t.Errorf("a rate of %d: %v", limit, err)
		}
	}
	r.GiveBack(at)
	if _, err := r.Take(t.Context(), "g", 0, 1); err != nil {
		t.Errorf("after its place came back: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Take(ctx, "gone", 0, 1); err != nil && problem.KindOf(err) != problem.Unavailable {
		t.Errorf("a caller that has left: %v", err)
	}
}
