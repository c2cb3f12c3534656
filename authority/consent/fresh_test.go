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

// TestASignInIsToldBeforehand: where all that is asked is above the amount in all and the session is old, whatever is chosen now; by the
// button, and not where nothing will be asked.
func TestASignInIsToldBeforehand(t *testing.T) {
	limit := func(cents int64) passport.Detail {
		d := openai()
		d.MaxBudgetCents = passport.LimitOf(cents)
		return d
	}
	for name, c := range map[string]struct {
		asked []passport.Detail
		fresh bool
		told  bool
	}{
		"up to it":             {[]passport.Detail{limit(2000)}, false, false},
		"above it":             {[]passport.Detail{limit(2001)}, false, true},
		"above it, freshly":    {[]passport.Detail{limit(2001)}, true, false},
		"several up to it":     {[]passport.Detail{limit(1000), {Provider: passport.Anthropic, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(1000)}}, false, false},
		"several above it":     {[]passport.Detail{limit(1000), {Provider: passport.Anthropic, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(1001)}}, false, true},
		"it did not say a sum": {[]passport.Detail{{Provider: passport.OpenAI, Capabilities: []passport.Capability{passport.Chat}}}, false, true},
	} {
		w := newWorld(t, c.asked...)
		w.stale = !c.fresh
		told(t, name, w.get().Body.String(), "approving", c.told)
	}
	for name, c := range map[string]struct {
		had, asked    int64
		client, bound bool
		told          bool
	}{
		"more, up to it":                         {1000, 2000, false, false, false},
		"more, above it in all":                  {1999, 2001, false, false, true},
		"no more money":                          {3000, 3000, false, false, false},
		"no more money, but new tokens":          {3000, 3000, true, false, true},
		"no more money, new tokens with its key": {3000, 3000, true, true, false},
	} {
		w := newMore(t)
		w.raised.Grant.Details[0].MaxBudgetCents, w.grant.Asked[0].MaxBudgetCents = passport.LimitOf(c.had), passport.LimitOf(c.asked)
		if c.client {
			w.raised.Grant.Client = "an app"
		}
		if c.bound {
			w.raised.Grant.JKT = "its key"
		}
		w.stale = true
		told(t, name, w.get().Body.String(), "adding", c.told)
	}
}

// told says whether a page says, just before its buttons, that what they do asks for a sign-in first.
func told(t *testing.T, name, page, doing string, want bool) {
	t.Helper()
	line := strings.Index(page, "<p class=\"small\">Above $20.00 in all, "+doing+" asks you to sign in once more first.</p>")
	if got := line >= 0; got != want {
		t.Errorf("%s: told %v", name, got)
	} else if got && strings.TrimSpace(page[line+strings.Index(page[line:], "</p>")+4:][:40])[:20] != `<div class="choice">` {
		t.Errorf("%s: it does not stand by the buttons", name)
	}
}
