package consent_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// newMore is a world in which an app asks for more of what it has: money, a model, a capability, calls and speed.
func newMore(t *testing.T) *world {
	t.Helper()
	return newMoreOf(t, passport.Detail{Models: []string{"gpt-4o"}, Capabilities: []passport.Capability{passport.Images},
		MaxBudgetCents: passport.LimitOf(1000), MaxRequests: passport.LimitOf(200), RateLimit: passport.LimitOf(60)})
}

// newMoreOf is one in which it asks for this.
func newMoreOf(t *testing.T, more passport.Detail) *world {
	t.Helper()
	had := openai()
	had.Models, had.Capabilities = []string{"gpt-4o-mini"}, []passport.Capability{passport.Chat}
	had.MaxBudgetCents, had.MaxRequests, had.RateLimit = passport.LimitOf(500), passport.LimitOf(100), passport.LimitOf(30)
	w := newWorld(t, had)
	of := w.grant
	of.ID, of.State, of.Owner, of.Payer, of.Version, of.ApprovedAt, of.ExpiresAt = "held", passport.GrantActive, "p1", passport.OwnerPays, 2, w.now, w.now.Add(30*24*time.Hour)
	w.raised = &passport.Standing{Grant: of, Total: passport.Balance{Cap: 500 * passport.Cent, Settled: 491 * passport.Cent, CallsCap: 100, Calls: 60},
		Details: []passport.Balance{{Cap: 500 * passport.Cent, Settled: 491 * passport.Cent, CallsCap: 100, Calls: 60}}}
	more.Provider = passport.OpenAI
	asked, before, err := of.Raise([]passport.Detail{more}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	w.grant.Extends, w.grant.Asked, w.grant.Details, w.grant.Version = of.ID, asked, before, 1
	return w
}

// lower is what the owner does meanwhile.
func (w *world) lower(l passport.Limits) {
	w.t.Helper()
	g, err := w.raised.Grant.Adjust(passport.Adjustment{Version: w.raised.Grant.Version, Limits: []passport.Limits{l}}, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.raised.Grant = g
	w.raised.Total.Cap, w.raised.Total.CallsCap = g.Cap(), g.Details[0].MaxRequests.Or(0)
	w.raised.Details[0] = w.raised.Total
}

func (w *world) moreReady() url.Values {
	f := form(w.get().Body.String())
	w.now = w.now.Add(3 * time.Second)
	f.Set("decision", "approve")
	return f
}

// TestMoreShowsTheDifference: what there is, what is spent, what is asked, and that nothing else changes; costly things start unticked.
func TestMoreShowsTheDifference(t *testing.T) {
	w := newMore(t)
	page := w.get().Body.String()
	for _, s := range []string{"An app you already use asks for more", "$5.00", "$4.91 of it is spent", "$10.00", "that is $5.00 more", "Nothing else changes.", "23 Dec 2026",
		"Use the model gpt-4o too", "Make pictures", "Up to 200 calls in all", "Up to 60 calls a minute", "$0.09", "Keep as it is", "Add more", `value="1.00"`} {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q", s)
		}
	}
	f := form(page)
	if f["cap.0"] != nil || !slices.Equal(f["model.0"], []string{"0"}) || f.Get("sure") != "" || f.Get("life") != "" {
		t.Errorf("it starts with %v", f)
	}
	if strings.Contains(page, "style=") || strings.Contains(page, "same calls") {
		t.Errorf("the page says what is not so")
	}
}

// TestMoreIsAdded: what is ticked and typed is added to what there is, at most what was asked, and the end stays.
func TestMoreIsAdded(t *testing.T) {
	w := newMore(t)
	f := w.moreReady()
	f.Set("add.0", "2.50")
	f.Del("calls.0")
	if a := w.post(f); a.Code != 303 {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	d, g := w.raised.Grant.Details[0], w.raised.Grant
	if d.Cap() != 750*passport.Cent || !slices.Equal(d.Models, []string{"gpt-4o-mini", "gpt-4o"}) || !slices.Equal(d.Capabilities, []passport.Capability{passport.Chat}) ||
		d.MaxRequests != passport.LimitOf(100) || d.RateLimit != passport.LimitOf(60) || g.ExpiresAt.Sub(w.grant.CreatedAt) != 30*24*time.Hour {
		t.Errorf("the grant is %+v until %s", d, g.ExpiresAt)
	}
	page := w.get().Body.String()
	if !strings.Contains(page, "up to $7.50") || !strings.Contains(page, `href="/grants/held"`) {
		t.Errorf("after it: %s", page)
	}
}

// TestMoreIsRefused: what cannot be read, too much, nothing, too quick, without the form's token; denying leaves all as it was.
func TestMoreIsRefused(t *testing.T) {
	for name, change := range map[string]func(*world, url.Values){
		"too much":   func(_ *world, f url.Values) { f.Set("add.0", "5.01") },
		"negative":   func(_ *world, f url.Values) { f.Set("add.0", "-1") },
		"no number":  func(_ *world, f url.Values) { f.Set("add.0", "lots") },
		"nothing":    func(_ *world, f url.Values) { f.Set("add.0", "0"); f.Del("model.0"); f.Del("calls.0"); f.Del("rate.0") },
		"too quick":  func(w *world, _ url.Values) { w.now = w.now.Add(-2 * time.Second) },
		"no stamp":   func(_ *world, f url.Values) { f.Del("stamp") },
		"update":     func(_ *world, f url.Values) { f.Set("decision", "update") },
		"no token":   func(_ *world, f url.Values) { f.Del("csrf") },
		"paused":     func(w *world, _ url.Values) { w.raised.Grant.State = passport.GrantPaused },
		"other's":    func(w *world, _ url.Values) { w.raised.Grant.Owner = "p2" },
		"deny":       func(_ *world, f url.Values) { f.Set("decision", "deny") },
		"deny wrong": func(_ *world, f url.Values) { f.Set("decision", "deny"); f.Set("add.0", "x") },
	} {
		w := newMore(t)
		f := w.moreReady()
		change(w, f)
		a := w.post(f)
		if w.given != nil || w.raised.Grant.Details[0].Cap() != 500*passport.Cent {
			t.Errorf("%s: %d, and the grant is %+v", name, a.Code, w.raised.Grant.Details)
		}
		if denied := strings.HasPrefix(name, "deny"); denied != (w.denied == 1) || !denied && name != "update" && a.Code < 400 {
			t.Errorf("%s: got %d", name, a.Code)
		}
	}
}

// TestMoreDoesNotShowWhatWasNotAsked: of what the owner has lowered since an app asked for a model, nothing is shown, and nothing rises.
func TestMoreDoesNotShowWhatWasNotAsked(t *testing.T) {
	for _, early := range []bool{false, true} { // whether the page was shown before
		w := newMoreOf(t, passport.Detail{Models: []string{"gpt-4o"}})
		f := w.moreReady()
		w.lower(passport.Limits{MaxBudgetCents: passport.LimitOf(50), MaxRequests: passport.LimitOf(2), RateLimit: passport.LimitOf(1)})
		if !early {
			f = w.moreReady()
		}
		page := w.get().Body.String()
		for _, s := range []string{"It asks for", "How much more", "calls in all", "Up to 100", "Up to 30", "$5.00"} {
			if strings.Contains(page, s) {
				t.Errorf("the page says %q", s)
			}
		}
		for _, s := range []string{"Use the model gpt-4o too", "same calls (60 of 2 used) and same speed", `<dd>up to <span data-out="total">$0.50</span>`} {
			if !strings.Contains(page, s) {
				t.Errorf("the page does not say %q", s)
			}
		}
		// What the page has no field for is not asked either.
		f.Set("add.0", "4.50")
		f.Set("calls.0", "yes")
		f.Set("rate.0", "yes")
		if a := w.post(f); a.Code != 303 {
			t.Fatalf("got %d %s", a.Code, a.Body)
		}
		if d := w.raised.Grant.Details[0]; d.Cap() != 50*passport.Cent || d.MaxRequests != passport.LimitOf(2) || d.RateLimit != passport.LimitOf(1) || len(d.Models) != 2 {
			t.Errorf("the grant is %+v", d)
		}
	}
}

// TestMoreOfWhatWasLoweredIsChosenAnew: what was asked is shown from what there is now, and nothing of it is chosen at the start where the owner
// has lowered it since; what was left alone starts as ever.
func TestMoreOfWhatWasLoweredIsChosenAnew(t *testing.T) {
	w := newMore(t)
	w.lower(passport.Limits{MaxBudgetCents: passport.LimitOf(50), MaxRequests: passport.LimitOf(2)})
	page := w.get().Body.String()
	for _, s := range []string{`You gave</span><b class="n">$0.50</b>`, `It asks for</span><b class="n">$10.00</b>`, "that is $9.50 more", `value="0.00"`, "Up to 200 calls in all", "Now 2. You have lowered it since the app asked.", "Up to 60 calls a minute", "Now 30.<", "is spent; you have lowered it since the app asked<"} {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q", s)
		}
	}
	f := w.moreReady()
	if f.Has("calls.0") || f.Get("add.0") != "0.00" || f.Get("rate.0") != "yes" || !slices.Equal(f["model.0"], []string{"0"}) {
		t.Errorf("it starts with %v", f)
	}
	if a := w.post(f); a.Code != 303 {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	if d := w.raised.Grant.Details[0]; d.Cap() != 50*passport.Cent || d.MaxRequests != passport.LimitOf(2) || d.RateLimit != passport.LimitOf(60) {
		t.Errorf("as it starts: the grant is %+v", d)
	}

	w = newMore(t)
	w.lower(passport.Limits{MaxBudgetCents: passport.LimitOf(50), MaxRequests: passport.LimitOf(2), RateLimit: passport.LimitOf(1)})
	f = w.moreReady()
	f.Set("add.0", "9.51")
	if a := w.post(f); a.Code != 422 || w.given != nil {
		t.Errorf("more than was asked: %d", a.Code)
	}
	f.Set("add.0", "9.50")
	f.Set("calls.0", "yes")
	if a := w.post(f); a.Code != 303 {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	if d := w.raised.Grant.Details[0]; d.Cap() != 10*passport.Dollar || d.MaxRequests != passport.LimitOf(200) || d.RateLimit != passport.LimitOf(1) {
		t.Errorf("all of the money and the calls: the grant is %+v", d)
	}
}

// TestMoreOfARequestOfBefore: one that holds all details of the grant, as they were stored once, is asked for in full, and nothing is chosen.
func TestMoreOfARequestOfBefore(t *testing.T) {
	w := newMore(t)
	w.grant.Asked = w.grant.Terms()
	w.grant.Details = w.grant.Asked
	f := w.moreReady()
	if f.Has("calls.0") || f.Has("rate.0") || f.Get("add.0") != "0.00" || !slices.Equal(f["model.0"], []string{"1"}) {
		t.Errorf("it starts with %v", f)
	}
	f.Set("add.0", "5.00")
	if a := w.post(f); a.Code != 303 || w.raised.Grant.Details[0].Cap() != 10*passport.Dollar || w.raised.Grant.Details[0].MaxRequests != passport.LimitOf(100) {
		t.Errorf("got %d, and the grant is %+v", a.Code, w.raised.Grant.Details[0])
	}
}

// TestMoreDoesNotUndoALoweringOfThatMoment: between the page's look and the approval the owner lowers all numbers; those of which nothing was
// chosen, asked or not, stay low.
func TestMoreDoesNotUndoALoweringOfThatMoment(t *testing.T) {
	w := newMore(t)
	f := w.moreReady()
	f.Set("add.0", "0")
	f.Del("calls.0")
	f.Del("rate.0")
	w.first = func() {
		w.lower(passport.Limits{MaxBudgetCents: passport.LimitOf(50), MaxRequests: passport.LimitOf(2), RateLimit: passport.LimitOf(1)})
	}
	if a := w.post(f); a.Code != 303 {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	if d := w.raised.Grant.Details[0]; d.Cap() != 50*passport.Cent || d.MaxRequests != passport.LimitOf(2) || d.RateLimit != passport.LimitOf(1) || len(d.Models) != 2 {
		t.Errorf("the grant is %+v", d)
	}
}

// TestMoreOfAnyModel: it is shown where it is asked, unticked, and not where no model is.
func TestMoreOfAnyModel(t *testing.T) {
	const box = `name="any.0"`
	w := newMoreOf(t, passport.Detail{MaxBudgetCents: passport.LimitOf(1000)})
	if page := w.get().Body.String(); strings.Contains(page, box) || !strings.Contains(page, "same models") {
		t.Error("a request for money asks for any model")
	}
	w = newMoreOf(t, passport.Detail{Models: []string{}})
	if page := w.get().Body.String(); !strings.Contains(page, box) || strings.Contains(page, box+` value="yes" checked`) {
		t.Error("a request for any model does not show it, unticked")
	}
	f := w.moreReady()
	f.Set("any.0", "yes")
	if a := w.post(f); a.Code != 303 || len(w.raised.Grant.Details[0].Models) != 0 || w.raised.Grant.Details[0].Cap() != 500*passport.Cent {
		t.Errorf("got %d, and the grant is %+v", a.Code, w.raised.Grant.Details[0])
	}
}
