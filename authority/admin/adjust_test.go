package admin_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

func limitsForm(version, money, calls, rate, life string) url.Values {
	return url.Values{"version": {version}, "money-0": {money}, "calls-0": {calls}, "rate-0": {rate}, "life": {life}}
}

// Less holds at once; more is asked once more, and only the answer to that changes anything.
func TestLimitsOfAnAppGoDownAtOnceAndUpAfterAQuestion(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 3e6, CallsCap: 100})
	d := &w.list[0].Grant.Details[0]
	d.MaxBudgetCents, d.MaxRequests, d.RateLimit = passport.LimitOf(500), passport.LimitOf(100), passport.LimitOf(60)
	says(t, w.get("/grants/a").Body.String(), `action="/grants/a/limits#limits"`, `name="money-0"`, `value="5.00"`, `name="version" value="0"`)
	says(t, w.after("/grants/a/limits", limitsForm("0", "2.00", "50", "60", "keep")), "Its limits are changed.", `value="2.00"`, `value="50"`)

	was := w.list[0].Grant
	rec := w.post("/grants/a/limits", limitsForm("1", "9", "50", "60", "7d"))
	if rec.Code != 200 || w.list[0].Grant.Version != was.Version {
		t.Fatalf("more without a question: %d, %+v", rec.Code, w.list[0].Grant)
	}
	says(t, rec.Body.String(), "Give this app more?", "OpenAI, $2.00 to $9.00", "It may run until 30 Nov 2026, 15:04 UTC", "It has spent $3.00", `name="sure" value="yes"`, `name="money-0" value="9"`, `name="version" value="1"`)
	sure := limitsForm("1", "9", "50", "60", "7d")
	sure.Set("sure", "yes")
	w.after("/grants/a/limits", sure)
	if g := w.list[0].Grant; g.Details[0].Cap() != 9*passport.Dollar || !g.ExpiresAt.Equal(w.now.Add(7*24*time.Hour)) || len(w.who) != 2 {
		t.Errorf("got %+v by %v", g, w.who)
	}
	if rec := w.post("/grants/a/limits", sure); rec.Code != 409 {
		t.Errorf("a page that was out of date: %d", rec.Code)
	}
}

func TestLimitsOfAnAppThatAreNoneAreSaidAtTheirField(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantPaused, passport.Balance{Cap: 5e6})
	w.add("b", passport.GrantRevoked, passport.Balance{Cap: 5e6})
	for _, f := range []url.Values{limitsForm("0", "-1", "1", "1", "keep"), limitsForm("0", "1", "1.5", "1", "keep"), limitsForm("0", "1", "1", "1000001", "keep"),
		limitsForm("0", "1e3", "1", "1", "keep"), limitsForm("0", "1000000001", "1", "1", "keep"), limitsForm("0", "", "1", "1", "keep")} {
		rec := w.post("/grants/a/limits", f)
		if rec.Code != 422 || strings.Count(rec.Body.String(), `aria-invalid="true"`) != 1 {
			t.Errorf("%v: %d, %d fields", f, rec.Code, strings.Count(rec.Body.String(), `aria-invalid="true"`))
		}
	}
	if rec := w.post("/grants/a/limits", limitsForm("0", "1", "1", "1", "forever")); rec.Code != 422 || !strings.Contains(rec.Body.String(), "Choose when it ends.") {
		t.Errorf("an end that is none: %d", rec.Code)
	}
	if rec := w.post("/grants/b/limits", limitsForm("0", "1", "1", "1", "keep")); rec.Code != 409 {
		t.Errorf("a revoked one: %d", rec.Code)
	}
	if len(w.who) != 0 {
		t.Errorf("something was changed: %+v", w.list)
	}
}
