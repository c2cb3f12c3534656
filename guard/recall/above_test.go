package recall_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/passport"
)

// TestAnEndReachesWhatIsBelow: the end of a grant ends the calls of all that was narrowed from it, and of nothing beside or above.
func TestAnEndReachesWhatIsBelow(t *testing.T) {
	b := recall.New(time.Now)
	in := map[passport.GrantID]context.Context{}
	release := map[passport.GrantID]func(){}
	for g, above := range map[passport.GrantID][]passport.GrantID{"root": nil, "mid": {"root"}, "leaf": {"mid", "root"}, "beside": {"root"}, "other": nil} {
		in[g], release[g] = b.WatchKey(t.Context(), g, "", time.Now().Add(time.Hour), above...)
	}
	live(t, b, "mid", 2, 5)
	live(t, b, "root", 4, 5)
	if n := b.End("mid", errRevoked); n != 2 {
		t.Errorf("ended %d, want 2", n)
	}
	for g, want := range map[passport.GrantID]bool{"root": false, "mid": true, "leaf": true, "beside": false, "other": false} {
		if got := in[g].Err() != nil; got != want {
			t.Errorf("%s ended: got %v, want %v", g, got, want)
		}
	}
	over, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if b.Quiet(over, "root"); over.Err() == nil {
		t.Error("quiet above before the calls below are over")
	}
	release["mid"]()
	release["leaf"]()
	b.Quiet(t.Context(), "root")
	release["root"]()
	got := b.Grants()
	slices.Sort(got)
	if want := []passport.GrantID{"beside", "other", "root"}; !slices.Equal(got, want) {
		t.Errorf("got %v on the board, want %v: the end of root is to be heard", got, want)
	}
	release["beside"]()
	release["beside"]()
	if got := b.Grants(); !slices.Equal(got, []passport.GrantID{"other"}) || b.Live("root") != 0 {
		t.Errorf("got %v on the board, %d below root", got, b.Live("root"))
	}
}
