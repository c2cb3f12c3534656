package authority_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/passport"
)

// TestEndAllEndsThoseOfOneMoment: more apps than are read at a time, many of them asked for in the same millisecond, and none goes on.
func TestEndAllEndsThoseOfOneMoment(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	mine := d.Of(passport.OwnerPays)
	for n := range 450 {
		if n == 10 || n == 430 {
			d.now = d.now.Add(time.Millisecond)
		}
		g, _, err := d.Ask(ctx, authority.Request{AppName: "Notes", AppURL: "https://notes.example",
			Details: []passport.Detail{{Provider: passport.OpenAI, Models: []string{"m"}, Capabilities: []passport.Capability{passport.Chat}}}})
		if err == nil {
			_, err = mine.Approve(ctx, g.ID, passport.Approval{Owner: "m", Lifetime: time.Hour})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	apps, _, err := mine.EndAll(ctx, passport.GrantPaused, "owner:o")
	if err != nil || apps != 450 {
		t.Errorf("%d apps were paused, want 450: %v", apps, err)
	}
	list, err := mine.Standings(ctx, time.Time{}, 1000)
	for _, s := range list {
		if s.Grant.State != passport.GrantPaused {
			t.Fatalf("%s is %s", s.Grant.ID, s.Grant.State)
		}
	}
	if err != nil || len(list) != 450 {
		t.Errorf("%d are listed: %v", len(list), err)
	}
}
