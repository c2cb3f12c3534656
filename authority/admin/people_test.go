package admin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// members is who there is beside the owner, and what was done to them.
type members struct {
	list    []passport.Person
	waiting []passport.Invitation
	done    []string
}

func (m *members) Member(_ context.Context, id passport.PersonID) (passport.Person, error) {
	for _, p := range m.list {
		if p.ID == id && p.Role == passport.RoleMember {
			return p, nil
		}
	}
	return passport.Person{}, problem.New(problem.NotFound, "no member")
}
func (m *members) People(context.Context) ([]passport.Person, error) { return m.list, nil }
func (m *members) did(what string, id passport.PersonID) error {
	m.done = append(m.done, what+" "+string(id))
	return nil
}
func (m *members) Suspend(_ context.Context, id passport.PersonID, _ string) error {
	return m.did("suspend", id)
}
func (m *members) Restore(_ context.Context, id passport.PersonID, _ string) error {
	return m.did("restore", id)
}
func (m *members) Forget(_ context.Context, id passport.PersonID, _ string) error {
	return m.did("forget", id)
}
func (m *members) ResetMember(_ context.Context, id passport.PersonID, _ string) (string, time.Time, error) {
	return "https://passport.example/reset?token=once", time.Time{}, m.did("reset", id)
}
func (m *members) Invite(_ context.Context, label, _ string) (string, error) {
	if label == "" {
		return "", problem.New(problem.Invalid, "needs 1 to 60 characters").In("label")
	}
	return "https://passport.example/join?token=once", nil
}
func (m *members) Invitations(context.Context) ([]passport.Invitation, error) { return m.waiting, nil }
func (m *members) EndInvitation(_ context.Context, id, _ string) error {
	return m.did("uninvite", passport.PersonID(id))
}

func (w *world) EndAll(_ context.Context, to passport.GrantState, _ string) (int, int, error) {
	w.members.done = append(w.members.done, "end all "+string(to))
	return 2, 1, nil
}

func (w *world) MemberSums(context.Context, time.Time, time.Time) (map[passport.Payer]passport.MemberSum, error) {
	return map[passport.Payer]passport.MemberSum{"m1": {Apps: 2, Calls: 7, Settled: 1234567}}, w.broken
}

func (w *world) grace() {
	w.members.list = []passport.Person{{ID: "p1", Name: "the owner", Username: "ada", Role: passport.RoleOwner, CreatedAt: w.now},
		{ID: "m1", Name: "Grace <b>", Username: "grace", Role: passport.RoleMember, CreatedAt: w.now}}
}

// TestPagesOfTheBrokerAreTheOwners: what is not listed as each person's own is not there for a member, on every route, and what is listed is.
func TestPagesOfTheBrokerAreTheOwners(t *testing.T) {
	w := newWorld(t)
	w.add("g1", passport.GrantActive, passport.Balance{Cap: 1000})
	w.visitor = web.NewVisitor("m1", "Grace", passport.RoleMember, []byte("session"))
	member := 0
	for pattern := range w.routes {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{$}", "", "{id}", "g1", "{name}", "openai", "{key}", "k1", "{token}", "t1").Replace(path)
		if path == "/live" {
			continue // it does not end
		}
		form := url.Values{"csrf": {w.visitor.CSRF()}}
		rec := w.as(method, path, form)
		own := admin.Own(pattern)
		if gone := rec.Code == http.StatusNotFound; gone == own && !strings.Contains(path, "/k1/") && !strings.Contains(path, "/t1/") && !strings.HasPrefix(path, "/keys/") && !strings.HasPrefix(path, "/owner-tokens/") {
			t.Errorf("%s: a member got %d, and it is their own: %v", pattern, rec.Code, own)
		}
		if own {
			member++
		}
	}
	if member < 20 {
		t.Errorf("a member has %d pages", member)
	}
	for _, p := range []string{"/settings", "/", "/keys"} {
		page := w.as("GET", p, nil).Body.String()
		for _, no := range []string{"Webhook", "/clients", "/people", `"/resume"`, "everybody"} {
			if strings.Contains(page, no) {
				t.Errorf("%s has %q for a member", p, no)
			}
		}
	}
}

func (w *world) as(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://passport.example"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec
}

func TestPeopleAreInvitedSuspendedAndRemoved(t *testing.T) {
	w := newWorld(t)
	w.grace()
	w.members.waiting = []passport.Invitation{{Hash: [32]byte{1}, Label: "for Joan", CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}}
	page := w.as("GET", "/people", nil).Body.String()
	for _, want := range []string{"Grace &lt;b&gt;", "$1.24", "7 calls", "2 apps", "for Joan", "/people/m1/suspend", "Owner, you"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, "/people/p1/") {
		t.Error("the owner can be suspended")
	}
	csrf := url.Values{"csrf": {w.visitor.CSRF()}}
	rec := w.as("POST", "/people", url.Values{"csrf": csrf["csrf"], "label": {"Joan"}})
	if !strings.Contains(rec.Body.String(), "join?token=once") || strings.Contains(w.as("GET", "/people", nil).Body.String(), "token=once") {
		t.Error("the link is shown once")
	}
	if rec := w.as("POST", "/people", csrf); rec.Code != 422 || strings.Contains(rec.Body.String(), "token=") {
		t.Errorf("nobody is invited: %d", rec.Code)
	}
	if rec := w.as("POST", "/people", url.Values{"label": {"Joan"}}); rec.Code != 403 {
		t.Errorf("a form of nobody's: %d", rec.Code)
	}
	ask := w.as("GET", "/people/m1/remove", nil).Body.String()
	if !strings.Contains(ask, "2 apps of theirs lose access for good") || !strings.Contains(ask, "undone") {
		t.Errorf("the question has no numbers: %s", ask)
	}
	for _, path := range []string{"/people/m1/suspend", "/people/m1/restore", "/people/m1/remove", "/people/p1/remove", "/people/nobody/suspend"} {
		w.as("POST", path, csrf)
	}
	want := []string{"suspend m1", "end all paused", "restore m1", "suspend m1", "end all revoked", "forget m1"}
	if !slices.Equal(w.members.done, want) {
		t.Errorf("got %q, want %q", w.members.done, want)
	}
	w.members.done = nil
	w.as("POST", "/stop", url.Values{"csrf": csrf["csrf"], "whose": {"mine"}})
	if len(w.members.done) != 0 || !w.stopped.IsZero() || w.stoppedOwn.IsZero() {
		t.Errorf("stopping one's own: %q, stopped %v, own %v", w.members.done, w.stopped, w.stoppedOwn)
	}
}

// TestAMemberHasOneSwitchOfTheirOwn, whatever their form says, and the owner has it beside that of everybody's apps.
func TestAMemberHasOneSwitchOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.grace()
	owner := w.visitor
	w.visitor = web.NewVisitor("m1", "Grace", passport.RoleMember, []byte("session"))
	csrf := url.Values{"csrf": {w.visitor.CSRF()}}
	w.as("POST", "/stop", csrf)
	if !w.stopped.IsZero() || w.stoppedOwn.IsZero() {
		t.Fatalf("a member's press: everybody's %v, own %v", w.stopped, w.stoppedOwn)
	}
	page := w.as("GET", "/", nil).Body.String()
	if !strings.Contains(page, "<strong>All your apps are stopped</strong> since") || !strings.Contains(page, `data-all="running" hidden><input`) && !strings.Contains(page, `action="/stop" data-all="running" hidden`) {
		t.Error("the page does not say that they are stopped")
	}
	if ask := w.as("GET", "/resume", nil).Body.String(); !strings.Contains(ask, "Let your apps run again?") || !strings.Contains(ask, `name="whose" value="mine"`) {
		t.Errorf("the question: %s", ask)
	}
	w.stopped = w.now // by the owner
	if ask := w.as("GET", "/resume", nil).Body.String(); !strings.Contains(ask, "Let your apps run again?") {
		t.Error("the question is not of their own")
	}
	w.as("POST", "/resume", csrf)
	if w.stopped.IsZero() || !w.stoppedOwn.IsZero() {
		t.Errorf("a member lets run again: everybody's %v, own %v", w.stopped, w.stoppedOwn)
	}
	if page := w.as("GET", "/", nil).Body.String(); !strings.Contains(page, "<strong>All apps are stopped</strong> since") || strings.Contains(page, `"/resume"`) {
		t.Error("a member lets everybody's apps run")
	}
	w.visitor, w.stopped = owner, time.Time{}
	w.as("POST", "/stop", url.Values{"csrf": {owner.CSRF()}, "whose": {"mine"}})
	w.as("POST", "/stop", url.Values{"csrf": {owner.CSRF()}})
	w.as("POST", "/resume", url.Values{"csrf": {owner.CSRF()}, "whose": {"mine"}})
	if w.stopped.IsZero() || !w.stoppedOwn.IsZero() {
		t.Errorf("the owner's two: everybody's %v, own %v", w.stopped, w.stoppedOwn)
	}
}

// TestALinkForAMembersPasswordTakesAFreshSignIn and is shown once; there is none for the owner.
func TestALinkForAMembersPasswordTakesAFreshSignIn(t *testing.T) {
	w := newWorld(t)
	w.grace()
	csrf := url.Values{"csrf": {w.visitor.CSRF()}}
	w.stale = true
	if rec := w.as("POST", "/people/m1/reset", csrf); rec.Code != 303 || rec.Header().Get("Location") != "/login?again=yes&next=/people" || len(w.members.done) != 0 {
		t.Errorf("an old session: %d %q", rec.Code, w.members.done)
	}
	w.stale = false
	for path, code := range map[string]int{"/people/p1/reset": 404, "/people/nobody/reset": 404} {
		if rec := w.as("POST", path, csrf); rec.Code != code || len(w.members.done) != 0 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if rec := w.as("POST", "/people/m1/reset", url.Values{}); rec.Code != 403 {
		t.Errorf("a form of nobody's: %d", rec.Code)
	}
	rec := w.as("POST", "/people/m1/reset", csrf)
	if !strings.Contains(rec.Body.String(), "reset?token=once") || !strings.Contains(rec.Body.String(), "Grace &lt;b&gt;") || strings.Contains(w.as("GET", "/people", nil).Body.String(), "token=once") {
		t.Errorf("the link is shown once: %d", rec.Code)
	}
}
