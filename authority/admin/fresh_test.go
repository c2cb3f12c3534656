package admin_test

import (
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

func TestRaisingACapAboveTheAmountTakesAFreshSignIn(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	d := &w.list[0].Grant.Details[0]
	d.MaxBudgetCents, d.MaxRequests, d.RateLimit = passport.LimitOf(500), passport.LimitOf(100), passport.LimitOf(60)
	w.stale = true
	sure := limitsForm("0", "20.01", "50", "60", "7d")
	sure.Set("sure", "yes")
	if rec := w.post("/grants/a/limits", sure); rec.Header().Get("Location") != "/login" || w.again != "/grants/a" || w.list[0].Grant.Version != 0 {
		t.Fatalf("%d, back to %q, version %d", rec.Code, w.again, w.list[0].Grant.Version)
	}
	page := w.get("/grants/a").Body.String()
	says(t, page, "signed in freshly", `<details open>`, `value="20.01"`, `value="50"`, `value="7d" selected`)
	w.stale = false
	w.after("/grants/a/limits", sure)
	if g := w.list[0].Grant; g.Cap() != 2001*passport.Cent {
		t.Errorf("freshly: %+v", g)
	}
}
