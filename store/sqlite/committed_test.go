package sqlite_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
)

// TestLivenessIsWhatIsCommitted: while calls hold and settle, whoever looks after a change was acknowledged sees it, and in the end
// what is kept in memory is what another process reads from the file.
func TestLivenessIsWhatIsCommitted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, path(dir))
	g := active(t, s, "g", 100_000, 1_000_000)
	for i := range 4 {
		tok := passport.Token{ID: passport.TokenID(fmt.Sprint("t", i)), Grant: "g", IssuedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt}
		if err := s.AddToken(t.Context(), tok, passport.Event{Grant: "g"}); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { spend(t, s, passport.TokenID(fmt.Sprint("t", i)), stop) })
	}
	for i := range 60 {
		next := []passport.GrantState{passport.GrantPaused, passport.GrantActive}[i%2]
		g.State, g.Version = next, g.Version+1
		if err := s.ChangeGrant(t.Context(), g, passport.Event{Kind: passport.GrantWasPaused, Grant: "g"}); err != nil {
			t.Fatal(err)
		}
		stopped := i%3 == 0
		if err := s.Stop(t.Context(), stopped, passport.Event{Kind: passport.AppsStopped}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			l, err := s.Liveness(t.Context(), "t0")
			if err != nil || l.Standing.Grant.State != next || l.Stopped != stopped {
				t.Fatalf("got %s, stopped %v, %v, want %s, %v", l.Standing.Grant.State, l.Stopped, err, next, stopped)
			}
		}
	}
	close(stop)
	wg.Wait()
	want, err := s.Standing(t.Context(), "g") // waits for the settlements, and reads the file
	if err != nil {
		t.Fatal(err)
	}
	if want.Total.Calls == 0 {
		t.Error("no call was made")
	}
	for range 2 {
		l, err := s.Liveness(t.Context(), "t1")
		if err != nil || l.Standing.Total != want.Total {
			t.Errorf("got %+v, %v, want %+v", l.Standing.Total, err, want.Total)
		}
	}
}

// spend holds and settles until told to stop, and looks at its grant in between: what is left never passes what was.
func spend(t *testing.T, s *sqlite.Store, id passport.TokenID, stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		l, err := s.Liveness(t.Context(), id)
		if err != nil || l.Standing.Total.Held < 0 || l.Standing.Total.Held > 4*100 {
			t.Errorf("got %+v, %v, want what at most four calls of 100 hold", l.Standing.Total, err)
			return
		}
		h := ask("g", fmt.Sprint(id, ".", n), 100)
		if _, err := s.Hold(t.Context(), h); err != nil {
			continue // paused or stopped
		}
		if err := s.Settle(t.Context(), settlement(h, 40)); err != nil {
			t.Error(err)
			return
		}
	}
}
