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

// TestTwoInstancesKeepTheCapAbove: a cap of $1 with three children of the same cap, and 100 calls at once over both instances, by all four.
func TestTwoInstancesKeepTheCapAbove(t *testing.T) {
	url := database(t)
	stores := []*postgres.Store{open(t, options(url)), open(t, options(url))}
	active(t, stores[0], "root", 100, 10_000)
	root, err := stores[0].Standing(t.Context(), "root")
	must(t, err)
	users := []passport.GrantID{"root", "a", "b", "c"}
	for _, id := range users[1:] {
		g := root.Grant
		g.ID, g.Version, g.Parent = id, 1, "root"
		g.Above = []passport.Above{{ID: "root", Details: []int{0}, Rates: []int64{1}}}
		must(t, stores[1].AddChild(t.Context(), g, passport.Event{ID: passport.EventID(id), Kind: passport.GrantDelegated, At: storetest.Epoch(), Grant: id}))
	}
	const each = passport.Dollar / 40
	var given atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			_, err := stores[i%2].Hold(t.Context(), ask(users[i/2%4], fmt.Sprint("r", i), each))
			if err == nil {
				given.Add(1)
			} else if problem.KindOf(err) != problem.BudgetSpent {
				t.Errorf("got %v, want the budget spent", err)
			}
		})
	}
	all.Wait()
	want := passport.Balance{Cap: passport.Dollar, Held: passport.Dollar, CallsCap: 10_000, Calls: 40}
	if got := total(t, stores[0], "root"); got != want || given.Load() != 40 {
		t.Errorf("got %+v and %d given, want %+v", got, given.Load(), want)
	}
	for _, s := range stores {
		wrong, err := s.VerifyLedger(t.Context())
		if must(t, err); len(wrong) > 0 {
			t.Errorf("the ledger does not add up: %v", wrong)
		}
	}
}
