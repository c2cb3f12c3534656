package identity_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// resetLink is one that waits.
type resetLink struct {
	hash  [32]byte
	who   passport.PersonID
	until time.Time
}

func (m *memory) SetPassword(_ context.Context, who passport.PersonID, phc string, keep [32]byte, ev passport.Event) error {
	return m.do(&ev, func() error {
		m.person.PasswordHash = phc
		maps.DeleteFunc(m.sessions, func(h [32]byte, s passport.Session) bool { return s.Person == who && h != keep })
		return nil
	})
}

func (m *memory) AddReset(_ context.Context, h [32]byte, who passport.PersonID, until time.Time, evs ...passport.Event) error {
	return m.do(&evs[0], func() error { m.reset = &resetLink{h, who, until}; return nil })
}

func (m *memory) Reset(_ context.Context, h [32]byte) (who passport.PersonID, until time.Time, err error) {
	err = m.do(nil, func() error {
		if m.reset == nil || m.reset.hash != h {
			return problem.New(problem.NotFound, "no reset link")
		}
		who, until = m.reset.who, m.reset.until
		return nil
	})
	return who, until, err
}

func (m *memory) UseReset(ctx context.Context, h [32]byte, phc string, ev passport.Event) error {
	who, _, err := m.Reset(ctx, h)
	if err != nil {
		return err
	}
	m.reset = nil
	return m.SetPassword(ctx, who, phc, [32]byte{}, ev)
}

const another = "another long password"

func TestAPasswordIsChangedByAFreshSignIn(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	other := w.jar
	w.browsers(1)
	page := w.send("GET", "/settings/password", nil)
	csrf := w.csrf(page.Body.String())
	if page.Code != 200 || !strings.Contains(page.Body.String(), "owner@example.com") {
		t.Fatalf("the page: %d", page.Code)
	}
	post := func(csrf, pw string) int {
		rec := w.send("POST", "/settings/password", url.Values{"csrf": {csrf}, "password": {pw}})
		if rec.Code == 303 && strings.HasPrefix(rec.Header().Get("Location"), "/login?again=yes") {
			return 401
		}
		return rec.Code
	}
	was := w.store.person.PasswordHash
	if got := [4]int{post("x", another), post(csrf, "short"), post(csrf, "the owner"), post(csrf, "")}; got != [4]int{403, 422, 422, 422} {
		t.Errorf("refused with %v", got)
	}
	w.now = w.now.Add(5 * time.Minute)
	rec := w.send("GET", "/settings/password", nil)
	if code := post(csrf, another); code != 401 || rec.Header().Get("Location") != "/login?again=yes&next=%2Fsettings%2Fpassword" || w.store.person.PasswordHash != was || !w.signedIn(other) {
		t.Fatalf("an old sign-in: %d %s", code, rec.Header().Get("Location"))
	}
	w.now = w.now.Add(-time.Minute)
	if code := post(csrf, another); code != 303 || !w.signedIn(w.jar) || w.signedIn(other) {
		t.Errorf("changed: %d, here %v, elsewhere %v", code, w.signedIn(w.jar), w.signedIn(other))
	}
	if ev := w.store.events[len(w.store.events)-1]; ev.Kind != passport.PasswordChanged || strings.Contains(ev.Note, another) {
		t.Errorf("event %+v", ev)
	}
	w.jar = map[string]*http.Cookie{}
	if old, now := w.login("owner@example.com", password, "/").Code, w.login("owner@example.com", another, "/").Code; old != 401 || now != 303 {
		t.Errorf("the old one %d, the new one %d", old, now)
	}
}

func (w *world) newReset() (token string) {
	w.t.Helper()
	link, until, err := w.id.NewReset(w.t.Context())
	start, token, ok := strings.Cut(link, "/reset?token=")
	if err != nil || !ok || start != w.public || len(token) != 43 || !until.Equal(w.now.Add(identity.ResetLife)) {
		w.t.Fatalf("%q until %s: %v", link, until, err)
	}
	return token
}

func TestAForgottenPasswordIsResetOnce(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	if _, _, err := w.id.NewReset(t.Context()); problem.KindOf(err) != problem.NotFound {
		t.Errorf("without an owner: %v", err)
	}
	w.join()
	other := w.jar
	w.jar = map[string]*http.Cookie{}
	old := w.newReset()
	token := w.newReset()
	for _, bad := range []string{"", "x", old, token[:42], token + "a", strings.ToUpper(token)} {
		if rec := w.send("GET", "/reset?token="+bad, nil); rec.Code != 404 || strings.Contains(rec.Body.String(), "<input") {
			t.Errorf("token %q: %d", bad, rec.Code)
		}
	}
	page := w.send("GET", "/reset?token="+token, nil)
	csrf := w.csrf(page.Body.String())
	post := func(csrf, token, pw string) int {
		return w.send("POST", "/reset", url.Values{"csrf": {csrf}, "token": {token}, "password": {pw}}).Code
	}
	if got := [4]int{post("x", token, another), post(csrf, old, another), post(csrf, token, "short"), page.Code}; got != [4]int{403, 404, 422, 200} || !w.signedIn(other) || len(w.store.sessions) != 1 {
		t.Fatalf("refused with %v, %d sessions", got, len(w.store.sessions))
	}
	if code := post(csrf, token, another); code != 303 || !w.signedIn(w.jar) || w.signedIn(other) {
		t.Errorf("reset: %d, here %v, elsewhere %v", code, w.signedIn(w.jar), w.signedIn(other))
	}
	w.jar = map[string]*http.Cookie{}
	csrf = w.csrf(w.send("GET", "/login", nil).Body.String())
	if code := post(csrf, token, password); code != 404 {
		t.Errorf("a second time: %d", code)
	}
	if rec := w.login("owner@example.com", another, "/"); rec.Code != 303 {
		t.Errorf("the new password: %d", rec.Code)
	}
	token = w.newReset()
	w.now = w.now.Add(identity.ResetLife)
	if rec := w.send("GET", "/reset?token="+token, nil); rec.Code != 404 {
		t.Errorf("an hour later: %d", rec.Code)
	}
}
