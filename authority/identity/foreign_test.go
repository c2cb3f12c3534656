package identity_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func (m *memory) AddIdentity(_ context.Context, i passport.Identity, ev passport.Event) error {
	return m.do(&ev, func() error {
		if _, ok := m.linked[i.Hash()]; ok {
			return problem.New(problem.Conflict, "it is somebody's")
		}
		if m.linked == nil {
			m.linked = map[[32]byte]passport.Identity{}
		}
		m.linked[i.Hash()] = i
		return nil
	})
}

func (m *memory) Identity(_ context.Context, h [32]byte) (i passport.Identity, err error) {
	err = m.do(nil, func() error {
		var ok bool
		if i, ok = m.linked[h]; !ok {
			return problem.New(problem.NotFound, "nobody's")
		}
		return nil
	})
	return i, err
}

func (m *memory) IdentityGone(context.Context, [32]byte) (bool, error) { return false, nil }

func (m *memory) Identities(context.Context, passport.PersonID) ([]passport.Identity, error) {
	return nil, nil
}

func (m *memory) RemoveIdentity(_ context.Context, who passport.PersonID, h [32]byte, ev passport.Event) error {
	return m.do(&ev, func() error {
		if i, ok := m.linked[h]; !ok || i.Person != who {
			return problem.New(problem.NotFound, "nobody's")
		}
		delete(m.linked, h)
		return nil
	})
}

// accounts is an OpenID provider; authority/oidc has the tests of its tokens.
type accounts struct {
	w                      *world
	says                   passport.Identity
	state, nonce, verifier string
	fresh                  bool
	err                    error
	asked                  int
}

func (a *accounts) Issuer() string { return "https://accounts.example.com" }
func (a *accounts) Host() string   { return "accounts.example.com" }

func (a *accounts) Begin(_ context.Context, state, nonce, verifier string, fresh bool) (string, error) {
	a.state, a.nonce, a.verifier, a.fresh = state, nonce, verifier, fresh
	return "https://accounts.example.com/authorize?state=" + state, a.err
}

func (a *accounts) Finish(_ context.Context, code, verifier, nonce string) (passport.Identity, error) {
	a.asked++
	if code != "good" || verifier != a.verifier || nonce != a.nonce {
		return passport.Identity{}, problem.New(problem.Unauthenticated, "what the provider said of you was not good")
	}
	return a.says, nil
}

// foreign is a world with a provider, whose owner has linked who they are there if linked is set, and is signed out.
func foreign(t *testing.T, linked bool, allowed ...string) (*world, *accounts) {
	t.Helper()
	w := newWorld(t, "http://localhost:3001")
	a := &accounts{w: w, says: passport.Identity{Issuer: "https://accounts.example.com", Subject: "s1", Email: "ada@example.com", EmailVerified: true, AuthTime: w.now}}
	w.issuer, w.allowed = a, allowed
	w.store = newMemory()
	w.open()
	w.join()
	if linked {
		if rec := w.links(); rec.Code != 200 {
			t.Fatalf("linking: %d %s", rec.Code, rec.Body)
		}
		if rec := w.comes(a, nil); rec.Header().Get("Location") != "/settings" || len(w.store.linked) != 1 {
			t.Fatalf("linked: %d %s", rec.Code, rec.Body)
		}
		w.send("POST", "/logout", url.Values{"csrf": {w.settingsToken()}})
	}
	return w, a
}

func (w *world) links() *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send("POST", "/settings/identities", url.Values{"csrf": {w.settingsToken()}, "do": {"link"}})
}

// leaves presses the button of the sign-in page.
func (w *world) leaves(next, again string) *httptest.ResponseRecorder {
	w.t.Helper()
	page := w.send("GET", "/login?again="+again+"&next="+url.QueryEscape(next), nil).Body.String()
	return w.send("POST", "/login/oidc", url.Values{"csrf": {w.csrf(page)}, "next": {next}, "again": {again}})
}

// comes comes back from the provider, with another query than the right one where that is said.
func (w *world) comes(a *accounts, q url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	if q == nil {
		q = url.Values{"code": {"good"}, "state": {a.state}}
	}
	return w.send("GET", "/login/oidc/callback?"+q.Encode(), nil)
}

func TestAPersonSignsInAtAProvider(t *testing.T) {
	w, a := foreign(t, true)
	if page := w.send("GET", "/login", nil).Body.String(); !strings.Contains(page, "Sign in at accounts.example.com") {
		t.Error("the sign-in page has no button")
	}
	rec := w.leaves("/consent/g1", "")
	if rec.Code != 200 || rec.Header().Get("Refresh") != "0;url=https://accounts.example.com/authorize?state="+a.state || a.fresh || len(a.state) != 43 || a.state == a.nonce || a.nonce == a.verifier {
		t.Fatalf("leaving: %d %v", rec.Code, rec.Header())
	}
	if rec := w.comes(a, nil); rec.Code != 303 || rec.Header().Get("Location") != "/consent/g1" || !w.signedIn(w.jar) {
		t.Errorf("back: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	// Another address of the same subject is the same person; the same address of another subject is nobody.
	for subject, code := range map[string]int{"s1": 303, "s2": 401} {
		w.jar = map[string]*http.Cookie{}
		a.says.Subject, a.says.Email = subject, map[string]string{"s1": "changed@example.com", "s2": "ada@example.com"}[subject]
		w.leaves("/", "")
		if rec := w.comes(a, nil); rec.Code != code || w.signedIn(w.jar) != (code == 303) || code == 401 && !strings.Contains(rec.Body.String(), "Nobody here has linked who you are at accounts.example.com") {
			t.Errorf("%s: %d", subject, rec.Code)
		}
	}
	w.jar = map[string]*http.Cookie{}
	a.says.Issuer, a.says.Subject = "https://other.example.com", "s1"
	w.leaves("/", "")
	if rec := w.comes(a, nil); rec.Code != 401 {
		t.Errorf("the same subject of another issuer: %d", rec.Code)
	}
}

// TestMisusedWaysBackAreRefused: each is right but for one thing.
func TestMisusedWaysBackAreRefused(t *testing.T) {
	right := func(a *accounts) url.Values { return url.Values{"code": {"good"}, "state": {a.state}} }
	with := func(a *accounts, name string, values ...string) url.Values {
		q := right(a)
		q[name] = values
		return q
	}
	for name, misuse := range map[string]func(w *world, a *accounts) url.Values{
		"nothing":           func(_ *world, a *accounts) url.Values { return right(a) },
		"its issuer":        func(_ *world, a *accounts) url.Values { return with(a, "iss", "https://accounts.example.com") },
		"another issuer":    func(_ *world, a *accounts) url.Values { return with(a, "iss", "https://evil.example") },
		"another state":     func(_ *world, a *accounts) url.Values { return with(a, "state", strings.Repeat("A", 43)) },
		"no state":          func(_ *world, a *accounts) url.Values { return with(a, "state") },
		"two states":        func(_ *world, a *accounts) url.Values { return with(a, "state", a.state, a.state) },
		"another code":      func(_ *world, a *accounts) url.Values { return with(a, "code", "bad") },
		"no code":           func(_ *world, a *accounts) url.Values { return with(a, "code") },
		"two codes":         func(_ *world, a *accounts) url.Values { return with(a, "code", "good", "good") },
		"an error":          func(_ *world, a *accounts) url.Values { return with(a, "error", "<script>") },
		"a very long query": func(_ *world, a *accounts) url.Values { return with(a, "x", strings.Repeat("x", 5000)) },
		"too late": func(w *world, a *accounts) url.Values {
			w.now = w.now.Add(10 * time.Minute)
			return right(a)
		},
		"no cookie": func(w *world, a *accounts) url.Values { delete(w.jar, "aipassport-oidc"); return right(a) },
		"another browser": func(w *world, a *accounts) url.Values {
			delete(w.jar, "aipassport-door")
			return right(a)
		},
		"begun anew": func(w *world, a *accounts) url.Values {
			q := right(a)
			w.leaves("/", "")
			return q
		},
		"a way to link": func(w *world, a *accounts) url.Values {
			w.login("owner@example.com", password, "/")
			w.links()
			delete(w.jar, "aipassport")
			return right(a)
		},
	} {
		w, a := foreign(t, true)
		w.leaves("/", "")
		rec := w.comes(a, misuse(w, a))
		if ok := name == "nothing" || name == "its issuer"; ok != (rec.Code == 303) || w.signedIn(w.jar) != ok || !ok && rec.Code != 401 {
			t.Errorf("%s: %d, signed in %v", name, rec.Code, w.signedIn(w.jar))
		}
		if strings.Contains(rec.Body.String(), "<script>") {
			t.Errorf("%s: the provider's text is on the page", name)
		}
	}
	// A way back is gone once, also for who has kept its cookie.
	w, a := foreign(t, true)
	w.leaves("/", "")
	cookie, door := w.jar["aipassport-oidc"], w.jar["aipassport-door"]
	w.comes(a, nil)
	w.jar = map[string]*http.Cookie{cookie.Name: cookie, door.Name: door}
	asked := a.asked
	if rec := w.comes(a, nil); rec.Code != 401 || a.asked != asked {
		t.Errorf("a second time: %d, the provider was asked %d times", rec.Code, a.asked-asked)
	}
}

func TestSignInAtAProviderGoesOnlyToOurselves(t *testing.T) {
	w, a := foreign(t, true)
	for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		w.jar = map[string]*http.Cookie{}
		w.leaves(next, "")
		if rec := w.comes(a, nil); rec.Code != 303 || rec.Header().Get("Location") != "/" {
			t.Errorf("%s: %d %s", next, rec.Code, rec.Header().Get("Location"))
		}
	}
}

// TestWhomTheOperatorLetsIn: where an address decides, the provider must say that it is theirs.
func TestWhomTheOperatorLetsIn(t *testing.T) {
	for name, c := range map[string]struct {
		allowed  []string
		email    string
		verified bool
		code     int
	}{
		"an address":                  {[]string{"bob@example.org", "ada@example.com"}, "ada@example.com", true, 303},
		"a domain":                    {[]string{"@example.com"}, "ADA@Example.com", true, 303},
		"not checked":                 {[]string{"@example.com"}, "ada@example.com", false, 401},
		"another":                     {[]string{"bob@example.com"}, "ada@example.com", true, 401},
		"a domain below":              {[]string{"@example.com"}, "ada@evil.example.com", true, 401},
		"a domain that ends the same": {[]string{"@example.com"}, "ada@evilexample.com", true, 401},
		"two at signs":                {[]string{"@example.com"}, "ada@evil.example@example.com", true, 401},
		"none":                        {[]string{"@example.com"}, "", true, 401},
	} {
		w, a := foreign(t, false, c.allowed...)
		a.says.Email, a.says.EmailVerified = c.email, c.verified
		id := a.says
		id.Person = w.store.person.ID
		if err := w.store.AddIdentity(t.Context(), id, passport.Event{}); err != nil {
			t.Fatal(err)
		}
		w.links()
		if rec := w.comes(a, nil); c.code == 401 && rec.Code != 422 {
			t.Errorf("%s, to link: %d", name, rec.Code)
		}
		w.jar = map[string]*http.Cookie{}
		w.leaves("/", "")
		if rec := w.comes(a, nil); rec.Code != c.code || w.signedIn(w.jar) != (c.code == 303) {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
}

// TestASessionIsAsFreshAsTheSignInThere: what a provider does not tell is not fresh.
func TestASessionIsAsFreshAsTheSignInThere(t *testing.T) {
	for name, c := range map[string]struct {
		ago   time.Duration
		fresh bool
	}{"now": {0, true}, "four minutes": {4 * time.Minute, true}, "five minutes": {5 * time.Minute, false}, "in the future": {-time.Minute, false}, "not told": {1 << 62, false}} {
		w, a := foreign(t, true)
		a.says.AuthTime = w.now.Add(-c.ago)
		if c.ago == 1<<62 {
			a.says.AuthTime = time.Time{}
		}
		w.leaves("/", "")
		if rec := w.comes(a, nil); rec.Code != 303 {
			t.Errorf("%s: %d", name, rec.Code)
		}
		w.play("GET", "/x", nil, func(_ http.ResponseWriter, r *http.Request) {
			if w.id.Fresh(r) != c.fresh {
				t.Errorf("%s: fresh %v", name, w.id.Fresh(r))
			}
		})
		w.leaves("/consent/g1", "yes")
		rec := w.comes(a, nil)
		if code := map[bool]int{true: 303, false: 401}[c.fresh]; rec.Code != code || !a.fresh || code == 401 && !strings.Contains(rec.Body.String(), "in the last five minutes") {
			t.Errorf("%s, once more: %d", name, rec.Code)
		}
	}
}

func TestALinkTakesAFreshSignInAndIsOnePersons(t *testing.T) {
	w, a := foreign(t, false)
	token := w.settingsToken()
	w.now = w.now.Add(5 * time.Minute)
	if rec := w.send("POST", "/settings/identities", url.Values{"csrf": {token}, "do": {"link"}}); !strings.HasPrefix(rec.Header().Get("Location"), "/login?again=yes") || a.state != "" {
		t.Errorf("an old sign-in: %d", rec.Code)
	}
	w.now = w.now.Add(-time.Minute)
	for form, code := range map[string]int{"csrf=x&do=link": 403, "csrf=" + token: 422, "csrf=" + token + "&do=remove&id=zz": 404, "csrf=" + token + "&do=remove&id=" + strings.Repeat("00", 32): 404} {
		f, _ := url.ParseQuery(form)
		if rec := w.send("POST", "/settings/identities", f); rec.Code != code {
			t.Errorf("%s: %d, want %d", form, rec.Code, code)
		}
	}
	w.links()
	session := w.jar["aipassport"]
	w.now = w.now.Add(time.Minute)
	if rec := w.comes(a, nil); !strings.HasPrefix(rec.Header().Get("Location"), "/login?again=yes") || len(w.store.linked) != 0 {
		t.Errorf("back too late: %d", rec.Code)
	}
	delete(w.jar, "aipassport")
	w.login("owner@example.com", password, "/")
	w.links()
	mine := w.jar["aipassport"]
	w.jar["aipassport"] = session
	if rec := w.comes(a, nil); rec.Code != 401 || len(w.store.linked) != 0 {
		t.Errorf("in another session: %d", rec.Code)
	}
	w.jar["aipassport"] = mine
	w.links()
	if rec := w.comes(a, nil); rec.Header().Get("Location") != "/settings" || len(w.store.linked) != 1 || !a.fresh {
		t.Errorf("linked: %d", rec.Code)
	}
	w.links()
	if rec := w.comes(a, nil); rec.Code != 422 {
		t.Errorf("linked twice: %d", rec.Code)
	}
	id := a.says
	w.send("POST", "/settings/identities", url.Values{"csrf": {w.settingsToken()}, "do": {"remove"}, "id": {id.ID()}})
	w.jar = map[string]*http.Cookie{}
	w.leaves("/", "")
	if rec := w.comes(a, nil); rec.Code != 401 || len(w.store.linked) != 0 {
		t.Errorf("after it was removed: %d", rec.Code)
	}
}

func TestWithoutAProviderNobodySignsInThere(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	if rec := w.links(); rec.Code != 404 {
		t.Errorf("linking: %d", rec.Code)
	}
	w.jar = map[string]*http.Cookie{}
	if rec := w.leaves("/", ""); rec.Code != 404 || strings.Contains(w.send("GET", "/login", nil).Body.String(), "/login/oidc") {
		t.Errorf("leaving: %d", rec.Code)
	}
	if rec := w.send("GET", "/login/oidc/callback?code=x&state=y", nil); rec.Code != 404 {
		t.Errorf("back: %d", rec.Code)
	}
}

func TestAProviderThatIsAwayIsSaid(t *testing.T) {
	w, a := foreign(t, true)
	a.err = problem.New(problem.UpstreamFailed, "accounts.example.com could not be asked")
	if rec := w.leaves("/", ""); rec.Code != 502 || rec.Header().Get("Refresh") != "" || !strings.Contains(rec.Body.String(), "could not be asked") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
