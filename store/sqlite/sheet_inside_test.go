package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
	"github.com/devrelopers/aipassport/store/storetest"
)

// TestAHoldSeesWhatCameBeforeItInItsCommit: budgets are read once and written once a commit, and yet each job finds what those
// before it have left: money that was held or freed, a grant that was frozen by a bill, paused, or given another cap.
func TestAHoldSeesWhatCameBeforeItInItsCommit(t *testing.T) {
	hold := func(id passport.ReservationID, amount passport.Money) *job {
		return &job{hold: &passport.Hold{ID: id, Grant: "g", Provider: passport.OpenAI, Model: "m", Amount: amount, Least: amount, Tariff: "t",
			At: storetest.Epoch()}, done: make(chan error, 1)}
	}
	settle := func(id passport.ReservationID, actual passport.Money) *job {
		return &job{settle: &passport.Settlement{ID: id, Grant: "g", Actual: actual, Reached: true, Why: passport.Finished, At: storetest.Epoch()}}
	}
	change := func(g passport.Grant, edit func(*passport.Grant)) *job {
		g.Version++
		edit(&g)
		return &job{done: make(chan error, 1), step: func(ctx context.Context, q *query.Queries) error {
			return store.ChangeGrant(ctx, q, g, passport.Event{Grant: "g"})
		}}
	}
	limit := func(cents int64) func(*passport.Grant) {
		return func(g *passport.Grant) { g.Details = []passport.Detail{storetest.Detail(cents, 10)} }
	}
	const none problem.Kind = -1
	for name, c := range map[string]struct {
		jobs func(g passport.Grant) []*job // behind a hold "r" of 6,000 of 10,000 that is committed
		last problem.Kind
	}{
		"money that is held":   {func(passport.Grant) []*job { return []*job{hold("a", 3000), hold("b", 2000)} }, problem.BudgetSpent},
		"money that is freed":  {func(passport.Grant) []*job { return []*job{settle("r", 1000), hold("b", 9000)} }, none},
		"a bill above a hold":  {func(passport.Grant) []*job { return []*job{hold("a", 1), settle("r", 7000), hold("b", 1)} }, problem.GrantPaused},
		"a bill, settled late": {func(passport.Grant) []*job { return []*job{settle("r", 1000), settle("r", 1000), hold("b", 9000)} }, none},
		"a pause": {func(g passport.Grant) []*job {
			return []*job{hold("a", 1), change(g, func(g *passport.Grant) { g.State = passport.GrantPaused }), hold("b", 1)}
		}, problem.GrantPaused},
		"a lower cap":  {func(g passport.Grant) []*job { return []*job{hold("a", 1), change(g, limit(1)), hold("b", 4000)} }, problem.BudgetSpent},
		"a higher cap": {func(g passport.Grant) []*job { return []*job{hold("a", 4000), change(g, limit(2)), hold("b", 10_000)} }, none},
	} {
		t.Run(name, func(t *testing.T) {
			s, g := oneGrant(t)
			jobs := c.jobs(g)
			together(t, s, jobs)
			last := jobs[len(jobs)-1]
			if err := <-last.done; (err == nil) != (c.last == none) || err != nil && problem.KindOf(err) != c.last {
				t.Errorf("got %v, want kind %v", err, c.last)
			}
			if wrong, err := s.VerifyLedger(t.Context()); err != nil || len(wrong) > 0 {
				t.Errorf("the ledger does not add up: %v, %v", wrong, err)
			}
		})
	}
}

// oneGrant opens a store with a grant of a cent that holds 6,000 micro-dollars of it.
func oneGrant(t *testing.T) (*Store, passport.Grant) {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "aipassport.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	g := passport.Grant{ID: "g", Version: 1, State: passport.GrantPending, CreatedAt: storetest.Epoch(), ExpiresAt: storetest.Epoch().AddDate(0, 0, 1)}
	g.Asked = []passport.Detail{storetest.Detail(1, 10)}
	if err := s.AddGrant(t.Context(), g, passport.Event{Grant: "g"}); err != nil {
		t.Fatal(err)
	}
	g.Version, g.State, g.Details = 2, passport.GrantActive, g.Asked
	if err := s.ChangeGrant(t.Context(), g, passport.Event{Grant: "g"}); err != nil {
		t.Fatal(err)
	}
	h := passport.Hold{ID: "r", Grant: "g", Provider: passport.OpenAI, Model: "m", Amount: 6000, Least: 6000, Tariff: "t", At: storetest.Epoch()}
	if _, err := s.Hold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	return s, g
}

// together has jobs run in one commit: the writer is kept busy while they enter the queue.
func together(t *testing.T, s *Store, jobs []*job) {
	t.Helper()
	busy, free := make(chan struct{}), make(chan struct{})
	first := &job{step: func(context.Context, *query.Queries) error { close(busy); <-free; return nil }, keeps: true, done: make(chan error, 1)}
	if err := s.enqueue(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	<-busy
	for _, j := range jobs {
		if err := s.enqueue(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	close(free)
}
