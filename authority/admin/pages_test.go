package admin_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var allRoutes = []string{"GET /", "GET /grants", "GET /grants/a", "POST /grants/a/pause", "GET /grants/a/resume", "POST /grants/a/resume", "GET /grants/a/revoke", "POST /grants/a/revoke",
	"POST /stop", "POST /notices/dismiss", "POST /grants/a/tokens/t0/revoke", "GET /resume", "POST /resume", "GET /keys", "POST /keys", "POST /keys/cr0/test", "GET /keys/cr0/remove", "POST /keys/cr0/remove", "GET /keys/cr0", "POST /keys/cr0/rotate", "POST /keys/cr0/default", "POST /keys/cr0/limit", "GET /limits",
	"GET /providers/openai", "POST /providers/openai/models", "POST /limits/all", "POST /limits/openai", "GET /grants/a/keys", "POST /grants/a/keys", "GET /grants/a/keys/k0/revoke", "POST /grants/a/keys/k0/revoke",
	"GET /activity", "GET /activity.json", "GET /clients", "POST /clients", "POST /clients/app_1/secret", "GET /clients/app_1/remove", "POST /clients/app_1/remove"}

func TestNobodySeesOrChangesAnything(t *testing.T) {
	for _, route := range allRoutes {
		w := newWorld(t)
		w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
		w.keys = []vault.Entry{{Credential: passport.Credential{ID: "cr0", Provider: passport.OpenAI, Label: "personal"}}}
		w.sdk = []passport.SDKKey{{ID: "k0", Grant: "a"}}
		w.nobody = true
		method, path, _ := strings.Cut(route, " ")
		rec := w.get(path)
		if method == "POST" {
			rec = w.post(path, nil)
		}
		if rec.Code != 303 || !strings.HasPrefix(rec.Header().Get("Location"), "/login") || strings.Contains(rec.Body.String(), "example.com") {
			t.Errorf("%s: %d %s", route, rec.Code, rec.Header().Get("Location"))
		}
		if w.list[0].Grant.State != passport.GrantActive || !w.stopped.IsZero() || len(w.keys) != 1 || len(w.limits) != 0 || len(w.sdk) != 1 || !w.sdk[0].RevokedAt.IsZero() || len(w.asked) != 0 {
			t.Errorf("%s changed something", route)
		}
	}
	a, err := admin.New(admin.Config{})
	if a != nil || err == nil {
		t.Error("pages without parts were made")
	}
}

func TestEveryPostNeedsTheToken(t *testing.T) {
	for _, route := range allRoutes {
		method, path, _ := strings.Cut(route, " ")
		if method != "POST" {
			continue
		}
		w := newWorld(t)
		w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
		w.keys = []vault.Entry{{Credential: passport.Credential{ID: "cr0", Provider: passport.OpenAI, Label: "personal"}}}
		w.sdk = []passport.SDKKey{{ID: "k0", Grant: "a"}}
		if rec := w.post(path, url.Values{"name": {"x"}, "life": {""}, "csrf": {"x"}, "provider": {"openai"}, "label": {"x"}, "key": {"x"}, "do": {"set"}, "money": {"1"}}); rec.Code != 403 {
			t.Errorf("%s: %d", route, rec.Code)
		}
		if w.list[0].Grant.State != passport.GrantActive || !w.stopped.IsZero() || len(w.keys) != 1 || len(w.limits) != 0 || len(w.sdk) != 1 || !w.sdk[0].RevokedAt.IsZero() || len(w.asked) != 0 {
			t.Errorf("%s changed something", route)
		}
	}
}

func TestRevokePauseResumeSayWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 3180000, Held: 40000, Calls: 812, CallsCap: 2000})
	w.live["a"] = 3
	if page := w.get("/grants/a/revoke").Body.String(); !strings.Contains(page, "3 running calls end within a second") || !strings.Contains(page, "can&#39;t be undone") {
		t.Error("the question does not say what will happen")
	}
	if page := w.after("/grants/a/pause", url.Values{"from": {"list"}}); !strings.Contains(page, "Paused: 3 running calls ended.") || !strings.Contains(page, "Resume") {
		t.Error("pause is not told")
	}
	if page := w.get("/").Body.String(); strings.Contains(page, "Paused: 3") {
		t.Error("it is told twice")
	}
	if page := w.after("/grants/a/resume", nil); !strings.Contains(page, "Resumed: it goes on") {
		t.Error("resume is not told")
	}
	w.live["a"] = 1
	page := w.after("/grants/a/revoke", nil)
	if !strings.Contains(page, "Revoked: 1 running call ended. Nothing more can be spent by this app.") || w.list[0].Grant.State != passport.GrantRevoked {
		t.Error("revoke is not told")
	}
	if strings.Contains(page, "/grants/a/pause") || strings.Contains(page, "/grants/a/revoke") {
		t.Error("an ended grant offers to be ended")
	}
	if rec := w.get("/grants/a/revoke"); rec.Code != 409 {
		t.Errorf("asking about an ended grant: %d", rec.Code)
	}
	if rec := w.post("/grants/a/resume", nil); rec.Code != 409 {
		t.Errorf("resuming a revoked grant: %d", rec.Code)
	}
}

func TestStopIsOnePressAndStartingTwo(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	page := w.after("/stop", nil)
	if !strings.Contains(page, "All apps stopped: 3 running calls ended.") || !strings.Contains(page, "All apps are stopped</strong> since") {
		t.Error("stop is not told")
	}
	for _, path := range []string{"/", "/keys", "/grants/a"} {
		if !strings.Contains(w.get(path).Body.String(), "Let apps run again") {
			t.Errorf("%s does not say that all is stopped", path)
		}
	}
	if page := w.get("/resume").Body.String(); !strings.Contains(page, `action="/resume"`) || w.stopped.IsZero() {
		t.Error("looking at the question already starts")
	}
	if page := w.after("/resume", nil); !strings.Contains(page, "Apps run again") || !w.stopped.IsZero() {
		t.Error("start is not told")
	}
	if rec := w.get("/resume"); rec.Code != 303 {
		t.Errorf("nothing to start: %d", rec.Code)
	}
}

func TestTheListShowsMoneyRightly(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 3184999, Held: 40001, Calls: 812, CallsCap: 2000})
	w.add("hot", passport.GrantActive, passport.Balance{Cap: 20e6, Settled: 16420000, Calls: 1, CallsCap: 2})
	w.add("full", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 5e6, Calls: 1, CallsCap: 2})
	w.add("spent", passport.GrantActive, passport.Balance{Cap: 5e6, Calls: 2, CallsCap: 2})
	page := w.get("/").Body.String()
	for _, s := range []string{"$3.19", "of $5.00", "$1.77</span> left", "812", "of 2,000 calls", "82 % used", "Cap reached", "Calls used up", "$25.22", "$0.11", "1,284", "Spent in November", "4 apps may use your keys."} {
		if !strings.Contains(page, s) {
			t.Errorf("the list does not say %q", s)
		}
	}
	if strings.Contains(page, "style=") || strings.Contains(page, "Address checked") {
		t.Error("style or a check that nobody made")
	}
}

// TestTheListDoesNotDenyWhatItHasNotRead: behind more ended grants than are read there may be an app that can spend.
func TestTheListDoesNotDenyWhatItHasNotRead(t *testing.T) {
	w := newWorld(t)
	for i := range 2500 {
		w.add(passport.GrantID(fmt.Sprintf("ended%d", i)), passport.GrantDenied, passport.Balance{})
	}
	w.add("mine", passport.GrantActive, passport.Balance{Cap: 5e6})
	page := w.get("/").Body.String()
	if strings.Contains(page, "/grants/mine/") {
		t.Fatal("it read further than expected: this test shows nothing")
	}
	if strings.Contains(page, "No app may use your keys") || !strings.Contains(page, "/grants?before=") {
		t.Error("the page says that no app may use the keys, and one may")
	}
}

func TestAFloodOfRequestsHidesNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 900 {
		w.add(passport.GrantID(fmt.Sprintf("flood%d", i)), passport.GrantPending, passport.Balance{})
	}
	w.add("mine", passport.GrantActive, passport.Balance{Cap: 5e6})
	page := w.get("/").Body.String()
	if !strings.Contains(page, "/grants/mine/pause") || !strings.Contains(page, "890 more, not shown") {
		t.Error("the app that can spend is hidden")
	}
	if len(page) > 60_000 {
		t.Errorf("%d bytes", len(page))
	}
	for i := range 3000 {
		w.add(passport.GrantID(fmt.Sprintf("more%d", i)), passport.GrantActive, passport.Balance{Cap: 5e6})
	}
	w.read = 0
	page = w.get("/").Body.String()
	if n := strings.Count(page, "/pause\""); n != 50 || w.read > 2200 {
		t.Errorf("%d rows, %d read", n, w.read)
	}
	next := regexp.MustCompile(`href="(/grants\?before=[^"]+)"`).FindStringSubmatch(page)
	if next == nil {
		t.Fatal("no older page")
	}
	older := w.get(strings.ReplaceAll(next[1], "&amp;", "&")).Body.String()
	if !strings.Contains(older, "/grants/more49/pause") || strings.Contains(older, "/grants/mine/pause") || strings.Contains(older, "/grants/more48/pause") {
		t.Error("the older page does not go on where the first ended")
	}
	for i := range 5000 {
		w.list[i%len(w.list)].Grant.State = passport.GrantDenied
	}
	w.read = 0
	w.get("/?before=nonsense")
	if w.get("/"); w.read > 2*2200 {
		t.Errorf("%d grants were read for two pages", w.read)
	}
}

func TestCallsAreShownWithoutWords(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 87, Held: 20000, Calls: 120, CallsCap: 2000})
	for i := range 120 {
		w.calls = append(w.calls, passport.Reservation{ID: passport.ReservationID(fmt.Sprintf("rv%03d", 500-i)), Model: "gpt-4o", State: passport.ReservationSettled, Actual: 26700,
			Why: passport.Finished, Usage: passport.Usage{Known: true, Input: 8120, Output: 640}, CreatedAt: w.now})
	}
	w.calls[0].State, w.calls[0].Amount = passport.ReservationHeld, 20000
	w.calls[1].Why, w.calls[1].Usage = passport.ClientLeft, passport.Usage{}
	w.calls[2].Model = "<script>\u202e"
	page := w.get("/grants/a").Body.String()
	for _, s := range []string{"$0.02 held", "Running", "App hung up, charged in full", "8,120 → 640", "$0.0267", "a model with a strange name", "$0.02 is held for running calls", "< $0.0001"} {
		if !strings.Contains(page, strings.ReplaceAll(s, "<", "&lt;")) {
			t.Errorf("the page does not say %q", s)
		}
	}
	if n := strings.Count(page[strings.Index(page, "<h2>Calls</h2>"):], "<tr>"); n != 51 {
		t.Errorf("%d rows", n)
	}
	if !strings.Contains(page, "/grants/a?before=rv451") {
		t.Error("no older calls")
	}
	last := w.get("/grants/a?before=rv401").Body.String()
	if n := strings.Count(last, "<tr>"); n != 21 || strings.Contains(last, "Older calls") {
		t.Errorf("the last page: %d rows", n)
	}
}

// TestABillAboveItsHoldIsSeen: on the list and on the app's page, until the owner has paused or resumed it.
func TestABillAboveItsHoldIsSeen(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantPaused, passport.Balance{Cap: 5e6, Settled: 6e6, CallsCap: 2000})
	w.events = []passport.Event{{Kind: passport.GrantSpent}, {Kind: passport.GrantFrozen, Note: "the provider billed $6.00 for a call that held $0.01"}, {Kind: passport.GrantResumed}}
	list, page := w.get("/").Body.String(), w.get("/grants/a").Body.String()
	for _, s := range []string{"A provider billed more than was held", "Billed above its hold", `href="/grants/a"`} {
		if !strings.Contains(list, s) {
			t.Errorf("the list does not say %q", s)
		}
	}
	for _, s := range []string{"A bill was above what was held for the call", "the provider billed $6.00 for a call that held $0.01", "Billed above its hold"} {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q", s)
		}
	}
	w.events = append([]passport.Event{{Kind: passport.GrantWasPaused}}, w.events...)
	for _, path := range []string{"/", "/grants/a"} {
		if strings.Contains(w.get(path).Body.String(), "Billed above its hold") {
			t.Errorf("%s goes on about a pause of the owner's", path)
		}
	}
}

// TestWhatWasUsedIsToldApart: images, sound and searches beside the model tokens.
func TestWhatWasUsedIsToldApart(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, CallsCap: 2000})
	w.calls = append(w.calls, passport.Reservation{ID: "rv1", Model: "gpt-audio", State: passport.ReservationSettled, Why: passport.Finished, CreatedAt: w.now,
		Usage: passport.Usage{Known: true, Input: 9000, InputImage: 1700, InputAudio: 300, Output: 640, OutputAudio: 600, Searches: 1, FileSearches: 2}})
	if page := w.get("/grants/a").Body.String(); !strings.Contains(page, "9,000 (1,700 of images, 300 of sound) → 640 (600 of sound, 1 search, 2 searches of files)") {
		t.Error("the page does not tell them apart")
	}
}

func TestKeysNeverComeBack(t *testing.T) {
	const canary = "sk-canary-0123456789"
	for _, c := range []struct {
		label, key string
		test       error
		code       int
		kept       int
		say        string
	}{
		{"personal", canary, nil, 303, 1, "The key is kept. Its provider accepted it."},
		{"personal", canary, problem.New(problem.CredentialRefused, "bad "+canary), 422, 0, "OpenAI refused it (401), so it was not kept."},
		{"personal", canary, problem.New(problem.UpstreamTimeout, "slow"), 303, 1, "The key is kept, but not tested"},
		{"personal", canary, errors.New("network " + canary), 303, 1, "The key is kept, but not tested"},
		{"", canary, nil, 422, 0, "Your name for the key: needs 1 to 60 characters."},
		{"personal", "", nil, 422, 0, "The key: needs 8 to 500 characters."},
	} {
		w := newWorld(t)
		w.test = c.test
		rec := w.post("/keys", url.Values{"provider": {"openai"}, "label": {c.label}, "key": {c.key}})
		page := rec.Body.String()
		if rec.Code == 303 {
			page = w.get(rec.Header().Get("Location")).Body.String()
		}
		if rec.Code != c.code || len(w.keys) != c.kept || !strings.Contains(page, c.say) {
			t.Errorf("%+v: %d, %d kept", c, rec.Code, len(w.keys))
		}
		for _, k := range []string{canary, "sk-", "6789"} {
			if strings.Contains(page, k) || strings.Contains(fmt.Sprint(rec.Header(), w.keys), k) {
				t.Errorf("%+v: the key came back", c)
			}
		}
	}
}

func TestKeysAreTestedAndRemoved(t *testing.T) {
	w := newWorld(t)
	w.keys = []vault.Entry{{Credential: passport.Credential{ID: "cr0", Provider: passport.OpenAI, Label: "<b>mine</b>", CreatedAt: w.now}, Used: true},
		{Credential: passport.Credential{ID: "env:GOOGLE_API_KEY", Provider: passport.Google, Label: "GOOGLE_API_KEY"}, FromEnv: true, EnvName: "GOOGLE_API_KEY"}}
	page := w.get("/keys").Body.String()
	if !strings.Contains(page, "Never written to disk") || strings.Contains(page, "env:GOOGLE_API_KEY/remove") || strings.Contains(page, "<b>mine") {
		t.Error("the list is wrong")
	}
	w.test = problem.New(problem.CredentialRefused, "no")
	if page := w.after("/keys/cr0/test", nil); !strings.Contains(page, "the provider refused the key") || !strings.Contains(page, "Refused by OpenAI") {
		t.Error("a refused key is not told")
	}
	w.test = nil
	if page := w.after("/keys/cr0/test", nil); !strings.Contains(page, "Works") {
		t.Error("a good key is not told")
	}
	if rec := w.get("/keys/env:GOOGLE_API_KEY/remove"); rec.Code != 404 {
		t.Errorf("a key of the environment can be removed: %d", rec.Code)
	}
	if page := w.get("/keys/cr0/remove").Body.String(); !strings.Contains(page, `action="/keys/cr0/remove"`) || len(w.keys) != 2 {
		t.Error("the question is wrong")
	}
	if page := w.after("/keys/cr0/remove", nil); !strings.Contains(page, "The key is removed") || len(w.keys) != 1 {
		t.Error("removal is not told")
	}
	if rec := w.post("/keys/cr0/remove", nil); rec.Code != 404 {
		t.Errorf("twice: %d", rec.Code)
	}
}

func TestBrokenStorageIsNotSuccess(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	w.broken = errors.New("disk canary")
	for _, rec := range []*httptest.ResponseRecorder{w.get("/"), w.get("/keys"), w.get("/grants/a"), w.post("/grants/a/revoke", nil), w.post("/stop", nil)} {
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "canary") {
			t.Errorf("%d", rec.Code)
		}
	}
}

func TestPagesHaveNoDeadLinks(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	w.add("p", passport.GrantPaused, passport.Balance{Cap: 5e6})
	w.add("w", passport.GrantPending, passport.Balance{})
	w.keys = []vault.Entry{{Credential: passport.Credential{ID: "cr0", Provider: passport.OpenAI, Label: "personal"}, Used: true}}
	w.sdk = []passport.SDKKey{{ID: "k0", Grant: "a", Name: "laptop", ExpiresAt: w.now.Add(time.Hour)}}
	for _, from := range []string{"/", "/keys", "/grants/a", "/grants/p", "/grants/w", "/grants/a/revoke", "/grants/a/keys/k0/revoke", "/grants/p/resume", "/keys/cr0/remove", "/providers/openai"} {
		page := w.get(from).Body.String()
		for _, m := range regexp.MustCompile(`(href|action)="(/[^"]*)"`).FindAllStringSubmatch(page, -1) {
			if strings.HasPrefix(m[2], "/static/") || strings.HasPrefix(m[2], "/consent/") || m[2] == "/logout" {
				continue
			}
			method := map[string]string{"href": "GET", "action": "POST"}[m[1]]
			path, place, _ := strings.Cut(m[2], "#") // a browser keeps the place to itself
			if place != "" && !strings.Contains(page, `id="`+place+`"`) {
				t.Errorf("%s leads to %s, a place that is not there", from, m[2])
			}
			if _, pattern := w.mux.Handler(httptest.NewRequest(method, path, nil)); pattern == "" {
				t.Errorf("%s leads to %s %s, which is nowhere", from, method, m[2])
			}
		}
		if len(page) > 25_000 {
			t.Errorf("%s has %d bytes", from, len(page))
		}
	}
}
