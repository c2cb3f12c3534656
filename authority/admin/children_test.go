package admin_test

import (
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestPassedOnIsBelowItsApp: what an app passed on is on its page, with what it spent and a way to end it, and not among the apps.
func TestPassedOnIsBelowItsApp(t *testing.T) {
	w := newWorld(t)
	w.add("agent", passport.GrantActive, passport.Balance{Cap: passport.Dollar, CallsCap: 10})
	w.add("helper", passport.GrantActive, passport.Balance{Cap: passport.Dollar / 2, Settled: passport.Dollar / 4, CallsCap: 10})
	w.list[1].Grant.Parent = "agent"
	if body := w.get("/").Body.String(); strings.Contains(body, "helper.example.com") || !strings.Contains(body, "agent.example.com") {
		t.Error("the list of apps shows what was passed on, or not the app")
	}
	body := w.get("/grants/agent").Body.String()
	for _, want := range []string{"Passed on to", "helper.example.com", "$0.25 of $0.50 spent", `href="/grants/helper/revoke"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page of the app has no %q", want)
		}
	}
	if body := w.get("/grants/helper").Body.String(); !strings.Contains(body, `href="/grants/agent"`) || strings.Contains(body, "Passed on to") {
		t.Error("the page of what was passed on does not lead back, or has some of its own")
	}
}
