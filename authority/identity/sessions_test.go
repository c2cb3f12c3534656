package identity_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func (m *memory) Sessions(_ context.Context, who passport.PersonID, limit int) (out []passport.Session, err error) {
	err = m.do(nil, func() error {
		for _, s := range m.sessions {
			if s.Person == who {
				out = append(out, s)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b passport.Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out[:min(limit, len(out))], err
}

func (m *memory) SeeSession(_ context.Context, h [32]byte, at time.Time) error {
	return m.do(nil, func() error {
		if m.readOnly {
			return problem.New(problem.Unavailable, "the disk is full")
		}
		s := m.sessions[h]
		s.SeenAt = at
		m.sessions[h] = s
		return nil
	})
}

func (m *memory) EndSessionOf(_ context.Context, who passport.PersonID, h [32]byte, ev passport.Event) error {
	return m.do(&ev, func() error {
		if s, ok := m.sessions[h]; !ok || s.Person != who {
			return problem.New(problem.NotFound, "no session")
		}
		delete(m.sessions, h)
		return nil
	})
}

func (m *memory) EndOtherSessions(_ context.Context, who passport.PersonID, keep [32]byte, ev passport.Event) (n int64, err error) {
	err = m.do(&ev, func() error {
		was := len(m.sessions)
		maps.DeleteFunc(m.sessions, func(h [32]byte, s passport.Session) bool { return s.Person == who && h != keep })
		n = int64(was - len(m.sessions))
		return nil
	})
	return n, err
}

// browsers signs the owner in with n browsers and returns their jars; the last is the one in use.
func (w *world) browsers(n int) (jars []map[string]*http.Cookie) {
	for range n {
		w.jar = map[string]*http.Cookie{}
		w.now = w.now.Add(time.Second)
		w.login("owner@example.com", password, "/")
		jars = append(jars, w.jar)
	}
	return jars
}

func (w *world) signedIn(jar map[string]*http.Cookie) bool {
	was := w.jar
	defer func() { w.jar = was }()
	w.jar = jar
	_, err := w.who("GET")
	return err == nil
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	setup := w.jar
	jars := w.browsers(3)
	who, csrf := w.store.person.ID, w.settingsToken()
	list, err := w.id.Sessions(t.Context(), who)
	if err != nil || len(list) != 4 {
		t.Fatalf("%d sessions %v", len(list), err)
	}
	end := func(form url.Values) int {
		form.Set("csrf", csrf)
		return w.send("POST", "/settings/sessions", form).Code
	}
	id := list[1].ID() // of the second newest
	for name, c := range map[string]struct {
		form url.Values
		code int
	}{
		"nothing":        {url.Values{}, 422},
		"another word":   {url.Values{"do": {"all"}, "id": {id}}, 422},
		"no id":          {url.Values{"do": {"end"}}, 404},
		"half an id":     {url.Values{"do": {"end"}, "id": {id[:32]}}, 404},
		"another's id":   {url.Values{"do": {"end"}, "id": {"00" + id[2:]}}, 404},
		"the one in use": {url.Values{"do": {"end"}, "id": {list[0].ID()}}, 422},
	} {
		if code := end(c.form); code != c.code || len(w.store.sessions) != 4 {
			t.Errorf("%s: %d, %d are left", name, code, len(w.store.sessions))
		}
	}
	if rec := w.send("POST", "/settings/sessions", url.Values{"do": {"others"}, "csrf": {"x"}}); rec.Code != 403 {
		t.Errorf("a form of another page: %d", rec.Code)
	}
	if code := end(url.Values{"do": {"end"}, "id": {id}}); code != 303 || w.signedIn(jars[1]) || !w.signedIn(jars[0]) || !w.signedIn(jars[2]) {
		t.Errorf("one ended: %d", code)
	}
	if ev := w.store.events[len(w.store.events)-1]; ev.Kind != passport.SessionEnded || ev.Actor != "owner:"+string(who) {
		t.Errorf("event %+v", ev)
	}
	if code := end(url.Values{"do": {"end"}, "id": {id}}); code != 404 {
		t.Errorf("ended twice: %d", code)
	}
	if code := end(url.Values{"do": {"others"}}); code != 303 || w.signedIn(jars[0]) || w.signedIn(setup) || !w.signedIn(jars[2]) {
		t.Errorf("all others ended: %d", code)
	}
	w.now = w.now.Add(12 * time.Hour)
	if list, err = w.id.Sessions(t.Context(), who); err != nil || len(list) != 0 {
		t.Errorf("%d that are over are listed, %v", len(list), err)
	}
}

// TestASessionSaysWhenItWasSeen once a minute, and a store that cannot write keeps nobody out.
func TestASessionSaysWhenItWasSeen(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	begun := w.now
	seen := func(after time.Duration) time.Time {
		w.now = begun.Add(after)
		if !w.signedIn(w.jar) {
			t.Fatal("signed out")
		}
		list, err := w.id.Sessions(t.Context(), w.store.person.ID)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].SeenAt
	}
	for after, want := range map[time.Duration]time.Duration{59 * time.Second: 0, 150 * time.Second: 2 * time.Minute} {
		if got := seen(after); !got.Equal(begun.Add(want)) {
			t.Errorf("after %s: seen %s", after, got)
		}
		w.store.sessions = map[[32]byte]passport.Session{}
		w.now = begun
		w.login("owner@example.com", password, "/")
	}
	w.store.readOnly = true
	w.now = begun.Add(time.Hour)
	if !w.signedIn(w.jar) {
		t.Error("a store that cannot write keeps the owner out")
	}
}

// become makes another person of the owner, with the same sessions.
func (m *memory) become(id passport.PersonID) {
	m.person.ID = id
	for h, s := range m.sessions {
		s.Person = id
		m.sessions[h] = s
	}
}
