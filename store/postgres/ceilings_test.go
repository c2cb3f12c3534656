package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/storetest"
)

// TestACeilingIsOverAllInstances: calls through two of them, while the owner sets, changes and removes ceilings. What was on its way when
// a ceiling was set is on it, no more is held than it has, and every month is the sum of its reservations.
func TestACeilingIsOverAllInstances(t *testing.T) {
	url := database(t)
	stores := []*postgres.Store{open(t, options(url)), open(t, options(url))}
	for i := range 4 {
		active(t, stores[0], passport.GrantID(fmt.Sprint("g", i)), 1000, 1_000_000)
	}
	const most = 100_000
	person, key := passport.PersonCeiling, passport.KeyCeiling(passport.OpenAI)
	set := func(id passport.CeilingID, most passport.Money) {
		ev := passport.Event{ID: "set", At: storetest.Epoch()}
		if err := stores[1].SetCeiling(t.Context(), id, most, ev); err != nil {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	var billed atomic.Int64
	for n := range 16 {
		all.Go(func() {
			s, g := stores[n%2], passport.GrantID(fmt.Sprint("g", n%4))
			for i := range 40 {
				h := ask(g, fmt.Sprint("r", n, "-", i), 999)
				_, err := s.Hold(t.Context(), h)
				if k := problem.KindOf(err); err != nil && k != problem.BudgetSpent && k != problem.Busy {
					t.Errorf("hold: %v", err)
				}
				if err != nil {
					continue
				}
				billed.Add(900)
				if err := s.Settle(t.Context(), settlement(h, 900)); err != nil {
					t.Errorf("settle: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		for range 10 {
			set(person, 50*most)
			set(key, 50*most)
			if err := stores[0].RemoveCeiling(t.Context(), key, passport.Event{ID: "gone", At: storetest.Epoch()}); err != nil {
				t.Error(err)
			}
		}
		set(person, most)
		set(key, most)
	})
	all.Wait()
	for _, s := range stores { // what was queued is written before this returns
		total(t, s, "g0")
	}
	spent := func() (out [2]passport.Ceiling) {
		rows, err := stores[0].Ceilings(t.Context(), passport.OwnerPays, passport.MonthOf(storetest.Epoch()))
		if err != nil || len(rows) != 2 {
			t.Fatalf("got %+v, %v, want two ceilings", rows, err)
		}
		return [2]passport.Ceiling(rows)
	}
	for _, c := range spent() {
		if c.Spent() != passport.Money(billed.Load()) || c.Held != 0 {
			t.Errorf("got %+v, want %d spent", c, billed.Load())
		}
	}

	// With room for ten more, both at once are given no more than ten.
	room := spent()[0].Spent() + 10*999
	set(person, room)
	set(key, 2*room)
	var given atomic.Int64
	for n := range 100 {
		all.Go(func() {
			if _, err := stores[n%2].Hold(t.Context(), ask(passport.GrantID(fmt.Sprint("g", n%4)), fmt.Sprint("last", n), 999)); err == nil {
				given.Add(1)
			}
		})
	}
	all.Wait()
	total(t, stores[1], "g0")
	if n := given.Load(); n < 5 || n > 10 {
		t.Errorf("%d holds were given of ten", n)
	}
	if c := spent()[1]; c.ID != person || c.Held != passport.Money(given.Load()*999) || c.Spent()+c.Held > room {
		t.Errorf("got %+v, want %d held", c, given.Load()*999)
	}
}
