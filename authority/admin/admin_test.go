package admin_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/guard/roster"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/web"
)

// world is the owner's pages over a broker in memory.
type world struct {
	passkeys   []passport.Passkey
	noPasskeys string

	clients    registered
	spent      []passport.Spent
	marks      []passport.Mark
	notices    []passport.Notice // newest first
	tokens     []passport.Token
	t          *testing.T
	now        time.Time
	nobody     bool
	broken     error
	visitor    web.Visitor
	list       []passport.Standing // newest first
	calls      []passport.Reservation
	keys       []vault.Entry
	stopped    time.Time
	stoppedOwn time.Time
	live       map[passport.GrantID]int
	test       error // what a provider says of a key
	read       int   // grants that were read for a page
	limits     []passport.Ceiling
	events     []passport.Event
	hook       hook
	sdk        []passport.SDKKey
	tooMany    bool
	who        []string // set or removed a limit
	mux        *http.ServeMux
	jar        map[string]*http.Cookie
	roster     *roster.Roster
	found      []authority.Found
	asked      []passport.Provider // for their models
	bearers    []passport.OwnerToken
	linked     []passport.Identity
	provider   string
	stale      bool       // the person signed in a while ago
	again      string     // where a fresh sign-in was asked to lead back to
	kept       url.Values // what was posted then
	sessions   []passport.Session
	members    members
	routes     map[string]http.HandlerFunc

	mu         sync.Mutex       // guards what a test changes while somebody looks
	clock      func() time.Time // nil: now
	used       map[passport.GrantID]time.Time
	breakAfter int // readings of what happened, the last of which fails; 0: none does

	before, today passport.Money           // what the month has cost until today, and today; no today: something
	sumTakes      time.Duration            // of a month
	sums          int                      // of months
	there         map[passport.GrantID]int // calls at other instances
	stopping      chan struct{}
	reads         int           // of standings
	slow          time.Duration // that each takes
}

// do changes something while pages are looked at.
func (w *world) do(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// reading counts a read, which takes its time, until what it returns is called.
func (w *world) reading() func() {
	w.mu.Lock()
	w.reads++
	slow := w.slow
	w.mu.Unlock()
	time.Sleep(slow)
	w.mu.Lock()
	return w.mu.Unlock
}

func (w *world) time() time.Time {
	if w.clock != nil {
		return w.clock()
	}
	return w.now
}

func (w *world) OwnerTokens(context.Context, passport.Payer) ([]passport.OwnerToken, error) {
	return w.bearers, nil
}

func (w *world) EndOwnerToken(_ context.Context, _ passport.Payer, id, who string) error {
	n := len(w.bearers)
	w.bearers = slices.DeleteFunc(w.bearers, func(t passport.OwnerToken) bool { return t.ID() == id })
	if len(w.bearers) == n {
		return problem.New(problem.NotFound, "no such bearer")
	}
	w.who = append(w.who, who)
	return nil
}

func (w *world) Visitor(*http.Request) (web.Visitor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nobody {
		return web.Visitor{}, problem.New(problem.Unauthenticated, "sign in")
	}
	return w.visitor, nil
}

func (w *world) Fresh(*http.Request) bool { return !w.stale }

func (w *world) Again(rec http.ResponseWriter, r *http.Request, _ web.Visitor, path string) {
	w.again, w.kept = path, r.PostForm
	http.Redirect(rec, r, "/login", http.StatusSeeOther)
}

func (w *world) Kept(_ http.ResponseWriter, _ *http.Request, _ web.Visitor, path string) (url.Values, bool) {
	if w.kept == nil || path != w.again {
		return nil, false
	}
	f := w.kept
	w.kept = nil
	return f, true
}

func (w *world) at(id passport.GrantID) (*passport.Standing, error) {
	for i := range w.list {
		if w.list[i].Grant.ID == id {
			return &w.list[i], w.broken
		}
	}
	return nil, problem.New(problem.NotFound, "no such grant")
}

func (w *world) Standing(_ context.Context, id passport.GrantID) (passport.Standing, error) {
	defer w.reading()()
	s, err := w.at(id)
	if err != nil {
		return passport.Standing{}, err
	}
	return *s, nil
}

func (w *world) Standings(_ context.Context, before time.Time, limit int) ([]passport.Standing, error) {
	defer w.reading()()
	var out []passport.Standing
	for _, s := range w.list {
		if (before.IsZero() || s.Grant.CreatedAt.Before(before)) && len(out) < limit {
			out = append(out, s)
		}
	}
	w.read += len(out)
	return out, w.broken
}

func (w *world) Children(_ context.Context, parent passport.GrantID) (out []passport.Standing, err error) {
	for _, s := range w.list {
		if s.Grant.Parent == parent {
			out = append(out, s)
		}
	}
	return out, w.broken
}

func (w *world) move(id passport.GrantID, to passport.GrantState) (passport.Grant, int, error) {
	s, err := w.at(id)
	if err != nil {
		return passport.Grant{}, 0, err
	}
	g, err := s.Grant.To(to, w.now)
	if err != nil {
		return passport.Grant{}, 0, err
	}
	s.Grant = g
	n := w.live[id]
	delete(w.live, id)
	return g, n, nil
}

func (w *world) Pause(_ context.Context, id passport.GrantID, _ string) (passport.Grant, int, error) {
	return w.move(id, passport.GrantPaused)
}
func (w *world) Revoke(_ context.Context, id passport.GrantID, _ string) (passport.Grant, int, error) {
	return w.move(id, passport.GrantRevoked)
}
func (w *world) Resume(_ context.Context, id passport.GrantID, _ string) (passport.Grant, error) {
	g, _, err := w.move(id, passport.GrantActive)
	return g, err
}
func (w *world) Stop(context.Context, string) (int, error) {
	w.stopped = w.now
	return 3, w.broken
}
func (w *world) ResumeAll(context.Context, string) error { w.stopped = time.Time{}; return nil }
func (w *world) StopOwn(context.Context, string) (int, error) {
	w.stoppedOwn = w.now
	return 2, w.broken
}
func (w *world) RunOwn(context.Context, string) error { w.stoppedOwn = time.Time{}; return nil }
func (w *world) Stops(context.Context, passport.Payer) (passport.Stops, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return passport.Stops{All: w.stopped, Own: w.stoppedOwn}, nil
}
func (w *world) List(context.Context, passport.Payer) ([]vault.Entry, error) { return w.keys, w.broken }
func (w *world) Totals(_ context.Context, _ passport.Payer, since time.Time) (passport.Money, passport.Money, int64, error) {
	if w.today == 0 {
		return 25215400, 110000, 1284, nil
	}
	if since.Day() != w.time().Day() {
		time.Sleep(w.sumTakes)
		w.sums++
		return w.before + w.today, 0, 0, nil
	}
	return w.today, 0, 0, nil
}

func (w *world) Reservations(_ context.Context, _ passport.GrantID, before passport.ReservationID, limit int) ([]passport.Reservation, error) {
	var out []passport.Reservation
	for _, c := range w.calls {
		if (before == "" || c.ID < before) && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, nil
}

func (w *world) Add(_ context.Context, _ passport.Payer, p passport.Provider, label string, key secret.Text, _ string) (passport.Credential, error) {
	if key.Empty() {
		return passport.Credential{}, problem.New(problem.Invalid, "needs 8 to 500 characters").In("key")
	}
	if label == "" {
		return passport.Credential{}, problem.New(problem.Invalid, "needs 1 to 60 characters").In("label")
	}
	if err := w.tried(p); err != nil {
		return passport.Credential{}, err
	}
	c := passport.Credential{ID: "cr1", Provider: p, Label: label, CreatedAt: w.now, TestedAt: w.now}
	if w.test != nil {
		c.TestError = passport.KeyNotReached
	}
	w.keys = append(w.keys, vault.Entry{Credential: c, Used: len(w.keys) == 0})
	return c, nil
}

// tried is what a provider says of a key; other errors than its refusal are for who asks.
func (w *world) tried(p passport.Provider) error {
	if problem.KindOf(w.test) == problem.CredentialRefused {
		return problem.New(problem.CredentialRefused, "%s refused it (401)", p.Title()).In("key")
	}
	return nil
}

func (w *world) keyAt(id passport.CredentialID) (*passport.Credential, error) {
	for i := range w.keys {
		if w.keys[i].Credential.ID == id {
			return &w.keys[i].Credential, w.broken
		}
	}
	return nil, problem.New(problem.NotFound, "no such key")
}

func (w *world) Rename(_ context.Context, _ passport.Payer, id passport.CredentialID, label string, _ string) error {
	c, err := w.keyAt(id)
	if err == nil && strings.TrimSpace(label) == "" {
		err = problem.New(problem.Invalid, "must have 1 to 60 characters").In("label")
	}
	if err == nil {
		c.Label = label
	}
	return err
}

func (w *world) Rotate(_ context.Context, _ passport.Payer, id passport.CredentialID, key secret.Text, _ string) error {
	c, err := w.keyAt(id)
	switch {
	case err != nil:
		return err
	case key.Empty():
		return problem.New(problem.Invalid, "needs 8 to 500 characters").In("key")
	case problem.KindOf(w.test) == problem.CredentialRefused:
		return w.tried(c.Provider)
	case w.test != nil:
		return problem.New(problem.UpstreamFailed, "%s could not be asked, so nothing was changed", c.Provider.Title())
	}
	c.RotatedAt, c.TestedAt, c.TestError, c.RefusedAt = w.now, w.now, "", time.Time{}
	return nil
}

func (w *world) Choose(_ context.Context, _ passport.Payer, id passport.CredentialID, _ string) error {
	c, err := w.keyAt(id)
	if err != nil {
		return err
	}
	for i, e := range w.keys {
		if e.Credential.Provider == c.Provider {
			w.keys[i].Used = e.Credential.ID == id
		}
	}
	return nil
}

func (w *world) Models(id passport.CredentialID) ([]authority.Found, time.Time, bool) {
	return w.found, w.now, len(w.found) > 0
}

func (w *world) Remove(_ context.Context, _ passport.Payer, id passport.CredentialID, _ string) error {
	for i, k := range w.keys {
		if k.Credential.ID == id && !k.FromEnv {
			w.keys = append(w.keys[:i], w.keys[i+1:]...)
			return nil
		}
	}
	return problem.New(problem.NotFound, "no such key")
}

func (w *world) Test(_ context.Context, _ passport.Payer, id passport.CredentialID, _ string) (string, error) {
	c, err := w.keyAt(id)
	if err != nil {
		return "", err
	}
	c.TestedAt, c.TestError, c.RefusedAt = w.now, "", time.Time{}
	switch {
	case problem.KindOf(w.test) == problem.CredentialRefused:
		c.TestError, c.RefusedAt = passport.KeyRefused+" (401)", w.now
	case w.test != nil:
		c.TestError = passport.KeyNotReached
	}
	return c.TestError, nil
}

func (w *world) KeepAnswers(_ context.Context, id passport.GrantID, keep bool, _ string) (passport.Grant, error) {
	s, err := w.at(id)
	if err != nil {
		return passport.Grant{}, err
	}
	s.Grant.KeepAnswers = keep
	return s.Grant, nil
}

func (w *world) SpentSince(_ context.Context, _ passport.Payer, since time.Time, _ time.Duration, limit int) (out []passport.Spent, err error) {
	for _, s := range w.spent {
		if !s.Begins.Before(since) && len(out) < limit {
			out = append(out, s)
		}
	}
	return out, w.broken
}

func (w *world) Marks(context.Context, passport.GrantID) ([]passport.Mark, error) {
	return w.marks, w.broken
}

func (w *world) Notices(_ context.Context, payer passport.Payer, limit int) (out []passport.Notice, err error) {
	for _, n := range w.notices {
		if n.Payer == payer && len(out) < limit {
			out = append(out, n)
		}
	}
	return out, w.broken
}

func (w *world) Dismiss(_ context.Context, payer passport.Payer, id passport.EventID, upTo time.Time) error {
	w.notices = slices.DeleteFunc(w.notices, func(n passport.Notice) bool {
		return n.Payer == payer && (n.ID == id || id == "" && !n.At.After(upTo))
	})
	return w.broken
}

func (w *world) Adjust(_ context.Context, id passport.GrantID, a passport.Adjustment, actor string) (passport.Grant, error) {
	s, err := w.at(id)
	if err != nil {
		return passport.Grant{}, err
	}
	g, err := s.Grant.Adjust(a, w.now)
	if err == nil && !a.Fresh && g.Cap() > 20*passport.Dollar {
		return passport.Grant{}, problem.New(problem.SignInStale, "sign in")
	}
	if err == nil {
		s.Grant, s.Total.Cap = g, g.Details[0].Cap()
		w.who = append(w.who, actor)
	}
	return g, err
}

func (w *world) Activity(_ context.Context, of passport.PersonID, payer passport.Payer, g passport.GrantID, before int64, limit int) (out []passport.Event, next int64, err error) {
	if of != w.visitor.ID || payer != w.visitor.Payer() || payer == "" {
		w.t.Errorf("asked for %q, %q", of, payer)
	}
	if w.breakAfter--; w.breakAfter == 0 {
		return nil, 0, errors.New("disk")
	}
	for i := len(w.events); i > 0; i-- {
		if ev := w.events[i-1]; (before == 0 || int64(i) < before) && (g == "" || ev.Grant == g) {
			if out = append(out, ev); len(out) == limit {
				return out, int64(i), w.broken
			}
		}
	}
	return out, 0, w.broken
}

func (w *world) LastCalls(_ context.Context, of []passport.GrantID) (map[passport.GrantID]time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[passport.GrantID]time.Time{}
	for _, id := range of {
		if at, ok := w.used[id]; ok {
			out[id] = at
		}
	}
	return out, nil
}

func (w *world) EventsOf(context.Context, passport.GrantID, int) ([]passport.Event, error) {
	return w.events, w.broken
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 15, 4, 0, 0, time.UTC), visitor: web.NewVisitor("p1", "the owner", passport.RoleOwner, []byte("session")),
		live: map[passport.GrantID]int{}, jar: map[string]*http.Cookie{}}
	n := 0
	var err error
	w.roster, err = roster.New(t.Context(), roster.Config{Store: storetest.NewMemory(), Own: func(*url.URL) error { return nil }, Now: func() time.Time { return w.now },
		NewID: func() string { n++; return fmt.Sprint("ev", n) }, Keys: func(context.Context) error { return nil }, OnChange: func([]passport.Compatible) {}})
	if err != nil {
		t.Fatal(err)
	}
	w.pages(t)
	return w
}

// pages makes the handlers, anew if a test has changed what they are made with.
func (w *world) pages(t *testing.T) {
	t.Helper()
	pages, err := web.New(web.Options{PublicURL: "https://passport.example"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := admin.New(admin.Config{Pages: pages, People: w, Grants: func(passport.Payer) admin.Grants { return w }, StopAll: w, History: w, Notices: w, Keys: w, KeyMaker: w, Bearers: w, Passkeys: w, Sessions: w, Identities: w, Members: &w.members, Invites: &w.members, Ceilings: w, Webhook: &w.hook, Clients: &w.clients, Providers: func() []passport.Provider { return []passport.Provider{passport.OpenAI, passport.Google} }, Titles: passport.Provider.Title, TakesKey: func(p passport.Provider) bool { return slices.Contains(passport.Providers, p) }, Roster: w.roster, Discover: func(_ context.Context, _ passport.Payer, p passport.Provider) ([]authority.Found, error) {
		w.asked = append(w.asked, p)
		return w.found, w.test
	}, Now: w.time, Stopping: w.stopping,
		Elsewhere: func(context.Context) (map[passport.GrantID]int, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return maps.Clone(w.there), nil
		},
		Live: func(id passport.GrantID) int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.live[id]
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	w.routes = a.Routes()
	for p, h := range w.routes {
		w.mux.HandleFunc(p, h)
	}
}

func (w *world) add(id passport.GrantID, state passport.GrantState, b passport.Balance) {
	d := passport.Detail{Provider: passport.OpenAI, Models: []string{"gpt-4o"}, Capabilities: []passport.Capability{passport.Chat}}
	g := passport.Grant{ID: id, State: state, AppName: "Field Notes", AppURL: "https://" + string(id) + ".example.com", Asked: []passport.Detail{d}, Details: []passport.Detail{d},
		CreatedAt: w.now.Add(-time.Hour - time.Duration(len(w.list))*time.Second), ExpiresAt: w.now.Add(time.Hour)}
	if state != passport.GrantPending {
		g.ApprovedAt = g.CreatedAt
	}
	w.list = append(w.list, passport.Standing{Grant: g, Total: b})
}

func (w *world) send(r *http.Request) *httptest.ResponseRecorder {
	for _, c := range w.jar {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(w.jar, c.Name)
		} else {
			w.jar[c.Name] = c
		}
	}
	return rec
}

func (w *world) get(path string) *httptest.ResponseRecorder {
	return w.send(httptest.NewRequest("GET", "https://passport.example"+path, nil))
}

func (w *world) post(path string, f url.Values) *httptest.ResponseRecorder {
	if f == nil {
		f = url.Values{}
	}
	if !f.Has("csrf") {
		f.Set("csrf", w.visitor.CSRF())
	}
	r := httptest.NewRequest("POST", "https://passport.example"+path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return w.send(r)
}

// after posts and follows the redirect.
func (w *world) after(path string, f url.Values) string {
	w.t.Helper()
	rec := w.post(path, f)
	if rec.Code != 303 {
		w.t.Fatalf("POST %s: %d %s", path, rec.Code, rec.Body)
	}
	return w.get(rec.Header().Get("Location")).Body.String()
}
