package consent_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/google/go-cmp/cmp"
)

// TestMuchTakesAFreshSignIn: above the amount nothing is given by a session that is old, what was chosen stands there afterwards, and nothing
// is given by coming back.
func TestMuchTakesAFreshSignIn(t *testing.T) {
	d := openai()
	d.MaxBudgetCents = passport.LimitOf(9000)
	w := newWorld(t, d)
	w.stale = true
	f := w.ready()
	f.Set("budget.0", "20.00")
	if rec := w.post(f); rec.Code != 303 || w.given == nil || w.given.Fresh {
		t.Fatalf("up to the amount: %d %+v", rec.Code, w.given)
	}

	w = newWorld(t, d)
	w.stale = true
	f = w.ready()
	f.Set("budget.0", "20.01")
	f.Set("life", "2592000")
	f.Add("cap.0", "1")
	f["model.0"] = []string{"0"}
	if rec := w.post(f); rec.Code != 303 || rec.Header().Get("Location") != "/login" || w.given != nil || w.again != "/consent/019abc" {
		t.Fatalf("above the amount: %d, given %+v, back to %q", rec.Code, w.given, w.again)
	}
	w.visitor.Name = "the owner"
	page := w.get().Body.String()
	got := form(page)
	for _, gone := range []string{"csrf", "stamp"} {
		got.Del(gone)
	}
	want := url.Values{"cap.0": {"0", "1"}, "model.0": {"0"}, "budget.0": {"20.01"}, "calls.0": {"5000"}, "rate.0": {"60"}, "life": {"2592000"}, "sure": {"yes"}}
	if d := cmp.Diff(want, got); d != "" || !strings.Contains(page, "signed in freshly") || w.given != nil {
		t.Errorf("after it: %s", d)
	}
	w.stale = false
	f = form(page)
	f.Set("decision", "approve")
	if rec := w.post(f); rec.Code != 422 || w.given != nil {
		t.Errorf("at once: %d", rec.Code)
	}
	w.now = w.now.Add(3 * time.Second)
	if rec := w.post(f); rec.Code != 303 || w.given == nil || w.grant.Cap() != 2001*passport.Cent {
		t.Errorf("decided: %d %+v", rec.Code, w.given)
	}
}

// TestWhatWasKeptIsReadLikeAnyForm: what it holds that was not asked is said at its field.
func TestWhatWasKeptIsReadLikeAnyForm(t *testing.T) {
	w := newWorld(t, openai())
	w.again, w.kept = "/consent/019abc", url.Values{"cap.0": {"0"}, "model.0": {"0"}, "budget.0": {"20.01"}, "calls.0": {"1"}, "rate.0": {"1"}, "life": {"3600"}}
	if rec := w.get(); rec.Code != 422 || !strings.Contains(rec.Body.String(), "Money must be between") {
		t.Errorf("more than was asked: %d", rec.Code)
	}
}

func TestMoreTakesAFreshSignInAboveTheAmountInAll(t *testing.T) {
	w := newMore(t)
	w.raised.Grant.Details[0].MaxBudgetCents, w.grant.Asked[0].MaxBudgetCents = passport.LimitOf(1900), passport.LimitOf(5000)
	w.stale = true
	f := w.moreReady()
	f.Set("add.0", "1.01")
	if rec := w.post(f); rec.Header().Get("Location") != "/login" || w.given != nil || w.again != "/consent/019abc" {
		t.Fatalf("above it: %d, given %+v", rec.Code, w.given)
	}
	if page := w.get().Body.String(); !strings.Contains(page, `value="1.01"`) || !strings.Contains(page, "signed in freshly") {
		t.Error("what was entered is lost")
	}
	f = w.moreReady()
	f.Set("add.0", "1.00")
	if rec := w.post(f); rec.Code != 303 || w.given == nil {
		t.Errorf("up to it: %d %s", rec.Code, rec.Body)
	}
}
