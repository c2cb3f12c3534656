package consent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
	"github.com/google/go-cmp/cmp"
)

var limits = passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(10000), RateLimit: passport.LimitOf(600)}

// world is a consent page with one request, and the control behind it.
type world struct {
	t       *testing.T
	now     time.Time
	visitor web.Visitor
	nobody  bool
	grant   passport.Grant
	raised  *passport.Standing // the grant that the request extends
	given   *passport.Approval
	denied  int
	first   func()          // happens just before an approval
	device  *consent.Device // that the request came from
	lost    error           // why nobody knows
	mux     *http.ServeMux
	stale   bool       // the person signed in a while ago
	again   string     // where a fresh sign-in was asked to lead back to
	kept    url.Values // what was posted then
}

func (w *world) Fresh(*http.Request) bool { return !w.stale }

func (w *world) Again(rec http.ResponseWriter, r *http.Request, _ web.Visitor, path string) {
	w.again, w.kept = path, r.PostForm
	http.Redirect(rec, r, "/login", http.StatusSeeOther)
}

func (w *world) Kept(_ http.ResponseWriter, _ *http.Request, _ web.Visitor, path string) (url.Values, bool) {
	f := w.kept
	w.kept = nil
	return f, f != nil && path == w.again
}

// proved is the rule of the control of grants.
func proved(before, after passport.Grant, fresh bool) error {
	if fresh || after.Cap() <= 20*passport.Dollar || after.Cap() <= before.Cap() {
		return nil
	}
	return problem.New(problem.SignInStale, "sign in")
}

func (w *world) Visitor(*http.Request) (web.Visitor, error) {
	if w.nobody {
		return web.Visitor{}, problem.New(problem.Unauthenticated, "sign in")
	}
	return w.visitor, nil
}

func (w *world) Asked(_ context.Context, id passport.GrantID) (passport.Standing, error) {
	if w.raised != nil && id == w.raised.Grant.ID {
		return *w.raised, nil
	}
	if id != w.grant.ID {
		return passport.Standing{}, problem.New(problem.NotFound, "no such grant")
	}
	return passport.Standing{Grant: w.grant}, nil
}

func (w *world) Approve(_ context.Context, _ passport.GrantID, a passport.Approval) (passport.Grant, error) {
	if w.first != nil {
		w.first()
	}
	if w.raised != nil {
		raised, answered, err := w.raised.Grant.Extend(w.grant, a, w.now)
		if err == nil {
			err = proved(w.raised.Grant, raised, a.Fresh)
		}
		if err == nil {
			w.given, w.grant, w.raised.Grant = &a, answered, raised
		}
		return answered, err
	}
	g, err := w.grant.Approve(a, w.now)
	if err == nil {
		err = proved(passport.Grant{}, g, a.Fresh)
	}
	if err == nil {
		w.given, w.grant = &a, g
	}
	return g, err
}

func (w *world) Deny(context.Context, passport.GrantID, string) (passport.Grant, error) {
	g, err := w.grant.To(passport.GrantDenied, w.now)
	if err == nil {
		w.denied++
		w.grant = g
	}
	return g, err
}

func (w *world) Waiting(*http.Request, passport.GrantID) (*consent.Device, error) {
	return w.device, w.lost
}

func (w *world) Models(p passport.Provider) []consent.ModelInfo {
	if p == passport.Anthropic {
		return []consent.ModelInfo{{Name: "claude-small", ShortChat: 3500}, {Name: "claude-big", ShortChat: 52500}}
	}
	return []consent.ModelInfo{{Name: "gpt-4o-mini", ShortChat: 450}, {Name: "gpt-4o", ShortChat: 7500}, {Name: "free-of-chat"}}
}

func newWorld(t *testing.T, details ...passport.Detail) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 15, 4, 0, 0, time.UTC), visitor: web.NewVisitor("p1", "the owner", passport.RoleOwner, []byte("session"))}
	w.grant = passport.Grant{ID: "019abc", State: passport.GrantPending, AppName: "Field Notes", AppURL: "https://notes.example.com/x", Reason: "To summarise.",
		Asked: details, Details: details, CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}
	pages, err := web.New(web.Options{PublicURL: "https://passport.example"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := consent.New(consent.Config{Pages: pages, People: w, Grants: func(passport.Payer) consent.Grants { return w }, Prices: w, Devices: w, Limits: limits, FreshAbove: 20 * passport.Dollar, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	for p, h := range c.Routes() {
		w.mux.HandleFunc(p, h)
	}
	return w
}

func (w *world) clock() time.Time { return w.now }

func openai() passport.Detail {
	return passport.Detail{Provider: passport.OpenAI, Models: []string{"gpt-4o-mini", "gpt-4o"}, Capabilities: []passport.Capability{passport.Chat, passport.Code, passport.Images},
		MaxBudgetCents: passport.LimitOf(2000), MaxRequests: passport.LimitOf(5000), RateLimit: passport.LimitOf(60)}
}

func (w *world) get() *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, httptest.NewRequest("GET", "https://passport.example/consent/"+string(w.grant.ID), nil))
	return rec
}

func (w *world) post(f url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://passport.example/consent/"+string(w.grant.ID), strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec
}

var (
	inputs  = regexp.MustCompile(`<input[^>]*>`)
	attr    = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
	buttons = regexp.MustCompile(`<button[^>]*>`)
)

// form is what a browser would send of a page as it is, without a button.
func form(page string) url.Values {
	f := url.Values{}
	for _, tag := range inputs.FindAllString(page, -1) {
		a := map[string]string{}
		for _, m := range attr.FindAllStringSubmatch(tag, -1) {
			a[m[1]] = strings.NewReplacer("&#43;", "+", "&amp;", "&").Replace(m[2])
		}
		box := a["type"] == "checkbox" || a["type"] == "radio"
		if a["name"] != "" && (!box || strings.Contains(tag, " checked")) {
			f.Add(a["name"], a["value"])
		}
	}
	return f
}

// ready is a form that would be approved: read long enough, statement ticked.
func (w *world) ready() url.Values {
	f := form(w.get().Body.String())
	w.now = w.now.Add(3 * time.Second)
	f.Set("sure", "yes")
	f.Set("decision", "approve")
	return f
}

func TestNobodyIsSentToSignInFirst(t *testing.T) {
	w := newWorld(t, openai())
	w.nobody = true
	for _, rec := range []*httptest.ResponseRecorder{w.get(), w.post(url.Values{"decision": {"approve"}})} {
		if rec.Code != 303 || rec.Header().Get("Location") != "/login?next=%2Fconsent%2F019abc" || strings.Contains(rec.Body.String(), "notes.example") {
			t.Errorf("%d %s", rec.Code, rec.Header().Get("Location"))
		}
	}
}

func TestNothingRiskyIsChosenAtTheStart(t *testing.T) {
	w := newWorld(t, openai())
	f := form(w.get().Body.String())
	f.Del("csrf")
	f.Del("stamp")
	want := url.Values{"cap.0": {"0"}, "model.0": {"0", "1"}, "budget.0": {"1.00"}, "calls.0": {"5000"}, "rate.0": {"60"}, "life": {"86400"}}
	if d := cmp.Diff(want, f); d != "" {
		t.Error(d)
	}
}

func TestApproveGivesExactlyWhatIsShown(t *testing.T) {
	w := newWorld(t, openai())
	if rec := w.post(w.ready()); rec.Code != 303 || rec.Header().Get("Location") != "/consent/019abc" {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	want := []passport.Detail{{Provider: passport.OpenAI, Models: []string{"gpt-4o-mini", "gpt-4o"}, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(5000), RateLimit: passport.LimitOf(60)}}
	if d := cmp.Diff(want, w.grant.Details, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if w.grant.Owner != "p1" || !w.grant.ExpiresAt.Equal(w.now.Add(24*time.Hour)) {
		t.Errorf("owner %s, ends %s", w.grant.Owner, w.grant.ExpiresAt)
	}
	if rec := w.get(); rec.Code != 200 || !strings.Contains(rec.Body.String(), "You gave up to $1.00") || strings.Contains(rec.Body.String(), "Field Notes") {
		t.Errorf("done page: %d", rec.Code)
	}
}

// TestShorterAnswersAreThePersonsToChoose: ticked if the app asked for them, and the tick decides.
func TestShorterAnswersAreThePersonsToChoose(t *testing.T) {
	yes := true
	for _, asked := range []*bool{nil, &yes} {
		for _, tick := range []bool{false, true} {
			detail := openai()
			detail.ClampOutput = asked
			w := newWorld(t, detail)
			if got := w.ready().Get("clamp.0") == "yes"; got != detail.Clamps() {
				t.Errorf("asked %v: ticked %v at the start", detail.Clamps(), got)
			}
			f := w.ready()
			f.Del("clamp.0")
			if tick {
				f.Set("clamp.0", "yes")
			}
			if rec := w.post(f); rec.Code != 303 || w.grant.Details[0].Clamps() != tick {
				t.Errorf("asked %v, ticked %v: %d %+v", detail.Clamps(), tick, rec.Code, w.grant.Details)
			}
		}
	}
}

func TestThePersonMayRaiseUpToWhatWasAsked(t *testing.T) {
	w := newWorld(t, openai())
	f := w.ready()
	f.Set("budget.0", "20")
	f.Set("life", "2592000")
	f.Add("cap.0", "1")
	f["model.0"] = []string{"0"}
	if rec := w.post(f); rec.Code != 303 {
		t.Fatalf("%d", rec.Code)
	}
	got := w.grant.Details[0]
	if got.Cap() != 20*passport.Dollar || len(got.Capabilities) != 2 || len(got.Models) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsWrongIsSaidAtTheField(t *testing.T) {
	for _, c := range []struct {
		field string
		set   func(url.Values)
	}{
		{"budget-0", func(f url.Values) { f.Set("budget.0", "20.01") }}, {"budget-0", func(f url.Values) { f.Set("budget.0", "0.09") }}, {"budget-0", func(f url.Values) { f.Set("budget.0", "-1") }},
		{"budget-0", func(f url.Values) { f.Set("budget.0", "1e3") }}, {"budget-0", func(f url.Values) { f.Set("budget.0", "1.001") }}, {"budget-0", func(f url.Values) { f.Set("budget.0", "") }},
		{"budget-0", func(f url.Values) { f.Set("budget.0", "99999999999999999999") }}, {"budget-0", func(f url.Values) { f.Set("budget.0", "NaN") }},
		{"calls-0", func(f url.Values) { f.Set("calls.0", "5001") }}, {"calls-0", func(f url.Values) { f.Set("calls.0", "0") }}, {"calls-0", func(f url.Values) { f.Del("calls.0") }},
		{"rate-0", func(f url.Values) { f.Set("rate.0", "61") }}, {"rate-0", func(f url.Values) { f.Set("rate.0", "1.5") }},
		{"caps-0", func(f url.Values) { f.Del("cap.0") }}, {"caps-0", func(f url.Values) { f["cap.0"] = []string{"3", "-1", "x"} }},
		{"models-0", func(f url.Values) { f.Del("model.0") }}, {"models-0", func(f url.Values) { f["model.0"] = []string{"2", "gpt-4o"} }},
		{"lives", func(f url.Values) { f.Del("life") }}, {"lives", func(f url.Values) { f.Set("life", "99999999") }},
		{"sure", func(f url.Values) { f.Del("sure") }}, {"sure", func(f url.Values) { f.Set("sure", "on") }},
		{"main", func(f url.Values) { f.Del("stamp") }}, {"main", func(f url.Values) { f.Set("stamp", "0."+strings.Repeat("A", 43)) }},
	} {
		w := newWorld(t, openai())
		f := w.ready()
		c.set(f)
		rec := w.post(f)
		if rec.Code != 422 || !strings.Contains(rec.Body.String(), `<a href="#`+c.field+`">`) || !strings.Contains(rec.Body.String(), `id="`+c.field+`"`) || w.given != nil {
			t.Errorf("%s with %v: %d", c.field, f, rec.Code)
		}
		if !strings.HasPrefix(title(rec.Body.String()), "There is a problem") {
			t.Errorf("%s: title %q", c.field, title(rec.Body.String()))
		}
	}
}

func title(page string) string {
	m := regexp.MustCompile(`<title>([^<]*)`).FindStringSubmatch(page)
	return m[1]
}

func TestApprovingTakesThreeSeconds(t *testing.T) {
	w := newWorld(t, openai())
	f := form(w.get().Body.String())
	f.Set("sure", "yes")
	f.Set("decision", "approve")
	w.now = w.now.Add(3*time.Second - time.Millisecond)
	rec := w.post(f)
	if rec.Code != 422 || w.given != nil {
		t.Fatalf("too soon: %d", rec.Code)
	}
	w.now = w.now.Add(time.Millisecond) // the answer keeps the time of the first look
	again := form(rec.Body.String())
	again.Set("decision", "approve")
	if rec := w.post(again); rec.Code != 303 {
		t.Errorf("after three seconds: %d", rec.Code)
	}
}

func TestTheTimeOfTheFirstLookCannotBeBorrowed(t *testing.T) {
	w := newWorld(t, openai())
	f := w.ready()
	w.grant.ID = "another"
	f.Set("csrf", w.visitor.CSRF())
	if rec := w.post(f); rec.Code != 422 || w.given != nil {
		t.Errorf("stamp of another request: %d", rec.Code)
	}
	w = newWorld(t, openai())
	f = w.ready()
	w.visitor = web.NewVisitor("p1", "the owner", passport.RoleOwner, []byte("another session"))
	f.Set("csrf", w.visitor.CSRF())
	if rec := w.post(f); rec.Code != 422 || w.given != nil {
		t.Errorf("stamp of another session: %d", rec.Code)
	}
}

func TestDenyNeedsNothing(t *testing.T) {
	w := newWorld(t, openai())
	f := url.Values{"csrf": {w.visitor.CSRF()}, "decision": {"deny"}}
	if rec := w.post(f); rec.Code != 303 || w.denied != 1 {
		t.Fatalf("%d", rec.Code)
	}
	if rec := w.get(); !strings.Contains(rec.Body.String(), "Denied. Nothing was given") {
		t.Error("no denied page")
	}
	if rec := w.post(w.approveAnyway()); w.given != nil || strings.Contains(rec.Body.String(), "You gave") {
		t.Error("an answered request was approved")
	}
}

func (w *world) approveAnyway() url.Values {
	return url.Values{"csrf": {w.visitor.CSRF()}, "decision": {"approve"}, "sure": {"yes"}}
}

func TestOnlyTheApproveButtonApproves(t *testing.T) {
	for _, d := range []string{"", "update", "Approve", "yes"} {
		w := newWorld(t, openai())
		f := w.ready()
		f.Set("decision", d)
		f.Set("budget.0", "7.50")
		if rec := w.post(f); rec.Code != 200 || w.given != nil || !strings.Contains(rec.Body.String(), "$7.50") {
			t.Errorf("%q: %d", d, rec.Code)
		}
	}
}

func TestSeveralProviders(t *testing.T) {
	anthropic := passport.Detail{Provider: passport.Anthropic, Capabilities: []passport.Capability{passport.Chat}}
	w := newWorld(t, openai(), anthropic)
	page := w.get().Body.String()
	for _, s := range []string{"$2.00", "Any Anthropic model that has a price: 2 today.", "The dearest now is claude-big.", "Give it OpenAI", "Anthropic: about 19 short chats with claude-big, the dearest.", ">any<"} {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q", s)
		}
	}
	f := w.ready()
	f.Del("keep.0")
	f.Set("budget.0", "nonsense") // what is not given is not looked at
	f.Set("budget.1", "3")
	if rec := w.post(f); rec.Code != 303 {
		t.Fatalf("%d", rec.Code)
	}
	if len(w.grant.Details) != 1 || w.grant.Details[0].Provider != passport.Anthropic || w.grant.Details[0].Cap() != 3*passport.Dollar || len(w.grant.Details[0].Models) != 0 {
		t.Errorf("%+v", w.grant.Details)
	}
	w = newWorld(t, openai(), anthropic)
	f = w.ready()
	f.Del("keep.0")
	f.Del("keep.1")
	if rec := w.post(f); rec.Code != 422 || w.given != nil {
		t.Errorf("no provider: %d", rec.Code)
	}
}

func TestZeroStaysZeroAndLeftOutIsThePersons(t *testing.T) {
	zero := openai()
	zero.MaxBudgetCents, zero.MaxRequests, zero.RateLimit = passport.LimitOf(0), passport.LimitOf(0), passport.LimitOf(0)
	w := newWorld(t, zero)
	if rec := w.post(w.ready()); rec.Code != 303 || w.grant.Details[0].Cap() != 0 || w.grant.Details[0].MaxRequests.Or(9) != 0 {
		t.Errorf("zero: %d %+v", rec.Code, w.grant.Details)
	}
	open := openai()
	open.MaxBudgetCents, open.MaxRequests, open.RateLimit = passport.Limit{}, passport.Limit{}, passport.Limit{}
	w = newWorld(t, open)
	f := w.ready()
	if f.Get("budget.0") != "1.00" || f.Get("calls.0") != "10000" || f.Get("rate.0") != "600" {
		t.Errorf("start: %v", f)
	}
	f.Set("budget.0", "250")
	if rec := w.post(f); rec.Code != 303 || w.grant.Details[0].Cap() != 250*passport.Dollar {
		t.Errorf("the person's own number: %d %+v", rec.Code, w.grant.Details)
	}
}

func TestUnpricedModelsAreOff(t *testing.T) {
	d := openai()
	d.Models = []string{"gpt-4o", "unheard-of", "free-of-chat"}
	w := newWorld(t, d)
	page := w.get().Body.String()
	if got := form(page)["model.0"]; !cmp.Equal(got, []string{"0", "2"}) || !strings.Contains(page, "No price is known for it") {
		t.Errorf("ticked %v", got)
	}
}

func TestAskedEndComesFirst(t *testing.T) {
	d := openai()
	w := newWorld(t, d)
	w.grant.Asked[0].ExpiresAt = passport.LimitOf(w.now.Add(2 * time.Hour).Unix())
	if page := w.get().Body.String(); !strings.Contains(page, `<strong data-out="end">23 Nov 2026, 17:04 UTC</strong>`) {
		t.Error("the earlier end is not shown")
	}
}

// TestPassingOnIsSaid: that an app may hand on what it gets is on the page, and nothing of helpers where it may not.
func TestPassingOnIsSaid(t *testing.T) {
	w := newWorld(t, openai())
	if page := w.get().Body.String(); strings.Contains(page, "helpers") {
		t.Error("an app that may pass on nothing is shown with helpers")
	}
	for depth, want := range map[int64]string{1: "pass on part of this to up to 50 helpers.", 3: "to up to 200 helpers, and they to others, 3 times in a row."} {
		w.grant.Asked[0].MaxDelegationDepth = passport.LimitOf(depth)
		if page := w.get().Body.String(); !strings.Contains(page, want) {
			t.Errorf("depth %d: the page does not say %q", depth, want)
		}
	}
}

func TestAnswersAreShownByState(t *testing.T) {
	for state, want := range map[passport.GrantState]string{passport.GrantExpired: "no longer open", passport.GrantRevoked: "was revoked", passport.GrantPaused: "You gave"} {
		w := newWorld(t, openai())
		w.grant.State = state
		if rec := w.get(); !strings.Contains(rec.Body.String(), want) || strings.Contains(rec.Body.String(), `value="approve"`) {
			t.Errorf("%s: %d", state, rec.Code)
		}
		if w.post(w.approveAnyway()); w.given != nil {
			t.Errorf("%s was approved", state)
		}
	}
	w := newWorld(t, openai())
	w.now = w.grant.ExpiresAt
	if rec := w.get(); rec.Code != 410 {
		t.Errorf("at its end: %d", rec.Code)
	}
	w = newWorld(t, openai())
	w.grant.ID = "x"
	r := httptest.NewRecorder()
	w.mux.ServeHTTP(r, httptest.NewRequest("GET", "/consent/y", nil))
	if r.Code != 404 {
		t.Errorf("unknown: %d", r.Code)
	}
}
