package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
	"github.com/devrelopers/aipassport/store/storetest"
)

// TestASettlementSeesTheChangeBeforeItInItsCommit: a ceiling that is set takes in the open holds of the month, and the settlement that
// stands behind it in the same commit gives back what it took.
func TestASettlementSeesTheChangeBeforeItInItsCommit(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "aipassport.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := passport.Grant{ID: "g", Version: 1, State: passport.GrantPending, CreatedAt: storetest.Epoch(), ExpiresAt: storetest.Epoch().AddDate(0, 0, 1)}
	g.Asked = []passport.Detail{storetest.Detail(100, 10)}
	if err := s.AddGrant(t.Context(), g, passport.Event{Grant: "g"}); err != nil {
		t.Fatal(err)
	}
	g.Version, g.State, g.Details = 2, passport.GrantActive, g.Asked
	if err := s.ChangeGrant(t.Context(), g, passport.Event{Grant: "g"}); err != nil {
		t.Fatal(err)
	}
	h := passport.Hold{ID: "r", Grant: "g", Provider: passport.OpenAI, Model: "m", Amount: 100, Least: 100, Tariff: "t", At: storetest.Epoch()}
	if _, err := s.Hold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	// The writer is kept busy while the two enter the queue, so that its next commit has both.
	busy, free := make(chan struct{}), make(chan struct{})
	jobs := []*job{
		{step: func(context.Context, *query.Queries) error { close(busy); <-free; return nil }, keeps: true, done: make(chan error, 1)},
		{step: func(ctx context.Context, q *query.Queries) error {
			return store.SetCeiling(ctx, q, passport.PersonCeiling, passport.Dollar, passport.Event{At: storetest.Epoch()})
		}, done: make(chan error, 1)},
		{settle: &passport.Settlement{ID: "r", Grant: "g", Actual: 40, Reached: true, Why: passport.Finished, At: storetest.Epoch()}},
	}
	for i, j := range jobs {
		if err := s.enqueue(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-busy
		}
	}
	close(free)
	rows, err := s.Ceilings(t.Context(), passport.OwnerPays, passport.MonthOf(storetest.Epoch()))
	if err != nil || len(rows) != 1 || rows[0].Held != 0 {
		t.Errorf("got %+v, %v, want one ceiling that holds nothing", rows, err)
	}
}
