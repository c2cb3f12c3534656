package postgres_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// The first sending of a batch is held up in the network; the second is refused for lack of money, which the caller hears. When the first
// arrives at last there would be room for it, and nobody who ends what it holds.
func TestALateFirstSendingHoldsNothing(t *testing.T) {
	url := database(t)
	way := newDetour(t, url, "r2-marked", true)
	s := open(t, withLease(options(way.URL), time.Hour))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", passport.Cent)) // all of it
	way.armed.Store(true)
	if _, err := s.Hold(t.Context(), ask("g", "r2-marked", passport.Cent)); problem.KindOf(err) != problem.BudgetSpent {
		t.Errorf("got %v, want the budget spent", err)
	}
	must(t, s.Settle(t.Context(), settlement(ask("g", "r1", 0), 0)))
	want := passport.Balance{Cap: passport.Cent, CallsCap: 10, Calls: 1}
	if got := total(t, s, "g"); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	way.release()
	<-way.came
	if got := total(t, s, "g"); got != want {
		t.Errorf("got %+v, want %+v: what arrived late holds nothing", got, want)
	}
	hold(t, s, ask("g", "r3", passport.Cent))
}

// An epoch that an instance took by itself ends none of its calls, and its lease goes on.
func TestAnOwnEpochIsNoTakeover(t *testing.T) {
	url := database(t)
	way := pgtest.LineTo(t, url)
	o, tale := heard(way.URL)
	o.Lease = 4 * time.Second
	s := open(t, o)
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	way.Deaf.Store(true)
	got := make(chan error, 1)
	go func() {
		_, err := s.Hold(t.Context(), ask("g", "r2", 200))
		got <- err
	}()
	await(t, url, `SELECT count(*) = 2 FROM reservation`)
	way.Deaf.Store(false)
	way.Set(true)
	way.Set(false)
	if err := <-got; err != nil {
		t.Errorf("got %v, want the hold that was committed", err)
	}
	sqlOn(t, url, `UPDATE instance SET lease_until = clock_timestamp() + INTERVAL '2 seconds' WHERE epoch > 1`)
	await(t, url, `SELECT count(*) = 1 FROM instance WHERE epoch > 1 AND lease_until > clock_timestamp() + INTERVAL '3 seconds'`) // it is renewed
	want := passport.Balance{Cap: passport.Cent, Held: 300, CallsCap: 10, Calls: 2}
	if got := total(t, s, "g"); got != want || tale.taken.Load() > 0 {
		t.Errorf("got %+v, taken for dead %d times, want %+v and never", got, tale.taken.Load(), want)
	}
}
