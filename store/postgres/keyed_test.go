package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
)

// Two instances, the same few keys at both, calls that free their key and calls that keep it: at no time do two calls have one key, and
// nobody waits for each other for ever.
func TestTwoInstancesAndOneKey(t *testing.T) {
	url := database(t)
	stores := []*postgres.Store{open(t, options(url)), open(t, options(url))}
	const grants, keys = 3, 4
	for g := range grants {
		active(t, stores[0], passport.GrantID(fmt.Sprint("g", g)), 100, 10_000)
	}
	var open, kept [grants][keys]atomic.Int64
	var all sync.WaitGroup
	for w := range 32 {
		all.Go(func() {
			for i := range 20 {
				g, k := (w+i)%grants, i%keys
				h := ask(passport.GrantID(fmt.Sprint("g", g)), fmt.Sprint("r", w, "-", i), 10)
				h.Claim = passport.Claim{Key: [32]byte{byte(k), 1}, Body: [32]byte{1}}
				_, err := stores[w%2].Hold(t.Context(), h)
				if problem.KindOf(err) == problem.KeyUsed && err != nil {
					continue
				}
				if err != nil {
					t.Errorf("got %v, want that the key is used", err)
					continue
				}
				if n := open[g][k].Add(1); n != 1 {
					t.Errorf("%d calls have the key %d of grant %d", n, k, g)
				}
				s := settlement(h, 0)
				s.Claim, s.Why, s.Reached = h.Claim, passport.NotSent, false
				if i > 15 {
					s.Why, s.Reached = passport.Finished, true
					if kept[g][k].Add(1) > 1 {
						t.Errorf("the key %d of grant %d was charged twice", k, g)
					}
				}
				open[g][k].Add(-1)
				if err := stores[w%2].Settle(t.Context(), s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, s := range stores { // an instance that is asked has settled first
		total(t, s, "g0")
	}
	for g := range grants {
		if b := total(t, stores[g%2], passport.GrantID(fmt.Sprint("g", g))); b.Held != 0 {
			t.Errorf("grant %d: %+v, want nothing held", g, b)
		}
	}
}

// A batch with keys is refused, and then the database says nothing more: the batcher does not wait for ever to hear that all was undone.
func TestAnUnansweredRollbackEnds(t *testing.T) {
	t.Parallel()
	url := database(t)
	way := newDetour(t, url, "rollback", false)
	s := open(t, withLease(options(way.URL), time.Hour))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	way.armed.Store(true)
	sqlOn(t, url, `ALTER TABLE setting RENAME COLUMN name TO gone`)
	h := ask("g", "r2", 200)
	h.Claim = passport.Claim{Key: [32]byte{1}, Body: [32]byte{1}}
	if _, err := s.Hold(t.Context(), h); err == nil {
		t.Error("got a hold, want none")
	}
	sqlOn(t, url, `ALTER TABLE setting RENAME COLUMN gone TO name`)
	if way.armed.Load() {
		t.Error("nothing was rolled back")
	}
	must(t, s.Settle(t.Context(), settlement(ask("g", "r1", 100), 40)))
	await(t, url, `SELECT actual = 40 FROM reservation WHERE id = 'r1'`)
	want := passport.Balance{Cap: passport.Cent, Settled: 40, CallsCap: 10, Calls: 1}
	if got := total(t, s, "g"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
