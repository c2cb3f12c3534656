package admin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

func TestWhoActsAsTheOwnerIsListedAndEnded(t *testing.T) {
	w := newWorld(t)
	says(t, w.get("/settings").Body.String(), "Who acts as you", "There is none.")
	w.bearers = []passport.OwnerToken{{Hash: [32]byte{1}, Label: "command line on <laptop>", CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}, {Hash: [32]byte{2}, Label: "ci", CreatedAt: w.now}}
	says(t, w.get("/settings").Body.String(), "command line on &lt;laptop&gt;", "ci", "without an end")
	path := "/owner-tokens/" + w.bearers[0].ID() + "/revoke"
	if rec := w.post(path, nil); rec.Code != http.StatusSeeOther || len(w.bearers) != 1 || len(w.who) != 1 {
		t.Errorf("ended: %d, %d are left", rec.Code, len(w.bearers))
	}
	says(t, w.get("/settings").Body.String(), "Ended. It can do nothing any more.")
	if rec := w.post(path, nil); rec.Code != http.StatusNotFound {
		t.Errorf("ended twice: %d", rec.Code)
	}
}
