package identity_test

import (
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
)

// open is a broker with a provider, at which somebody is who is nobody here.
func open(t *testing.T, join bool, allowed ...string) (*house, *accounts) {
	t.Helper()
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	a := &accounts{}
	h := newHouse(t, func(c *identity.Config) { c.Box, c.Issuer, c.IssuerAllowed, c.IssuerJoin = box, a, allowed, join })
	a.says = passport.Identity{Issuer: a.Issuer(), Subject: "s7", Email: "grace@example.com", EmailVerified: true, AuthTime: h.now}
	return h, a
}

func csrf(page string) string {
	if m := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// brings opens an invitation and presses the button of the provider.
func (g *guest) brings(link string) *httptest.ResponseRecorder {
	path := strings.TrimPrefix(link, "http://localhost:3001")
	page := g.send("GET", path, nil).Body.String()
	return g.send("POST", "/join/oidc", url.Values{"csrf": {csrf(page)}, "token": {path[strings.Index(path, "=")+1:]}})
}

// signs presses the button of the sign-in page.
func (g *guest) signs(next, again string) *httptest.ResponseRecorder {
	page := g.send("GET", "/login?again="+again, nil).Body.String()
	return g.send("POST", "/login/oidc", url.Values{"csrf": {csrf(page)}, "next": {next}, "again": {again}})
}

func (g *guest) comes(a *accounts) *httptest.ResponseRecorder {
	return g.send("GET", "/login/oidc/callback?"+url.Values{"code": {"good"}, "state": {a.state}}.Encode(), nil)
}

// becomes answers the page that asks.
func (g *guest) becomes(name, username string) *httptest.ResponseRecorder {
	page := g.send("GET", "/join/as", nil).Body.String()
	return g.send("POST", "/join/as", url.Values{"csrf": {csrf(page)}, "name": {name}, "username": {username}})
}

func (h *house) people() int { return len(must(h.id.People(h.t.Context()))) }

func TestAnInvitedPersonJoinsAtTheProvider(t *testing.T) {
	h, a := open(t, false)
	link, g := h.invite("Grace"), h.guest()
	if page := g.send("GET", strings.TrimPrefix(link, "http://localhost:3001"), nil).Body.String(); !strings.Contains(page, "Join with accounts.example.com") {
		t.Fatal("the invitation's page has no button")
	}
	if rec := g.brings(link); rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Refresh"), "0;url=https://accounts.example.com/authorize?state=") || a.fresh {
		t.Fatalf("leaving: %d %v", rec.Code, rec.Header())
	}
	if rec := g.comes(a); rec.Code != 303 || rec.Header().Get("Location") != "/join/as" {
		t.Fatalf("back: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	page := g.send("GET", "/join/as", nil).Body.String()
	if h.people() != 1 || len(must(h.id.Invitations(t.Context()))) != 1 {
		t.Fatal("something is made before anybody was asked")
	}
	for _, want := range []string{"grace@example.com", "accounts.example.com", "Ada", "Nothing is made until"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for name, username := range map[string]string{"": "grace", "Grace": "ada", "G\u202er": "grace"} {
		if rec := g.becomes(name, username); rec.Code != 422 || h.people() != 1 {
			t.Errorf("%q %q: %d", name, username, rec.Code)
		}
	}
	if rec := g.becomes("Grace", "grace"); rec.Code != 303 || rec.Header().Get("Location") != "/keys" {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	p, err := g.who()
	if err != nil || p.Role != passport.RoleMember || p.PasswordHash != "" || p.Name != "Grace" || len(must(h.id.Invitations(t.Context()))) != 0 {
		t.Errorf("got %+v %v", p, err)
	}
	if list := must(h.id.Identities(t.Context(), p.ID)); len(list) != 1 || list[0].Subject != "s7" || !list[0].LinkedAt.Equal(h.now) {
		t.Errorf("linked %+v", list)
	}
	other := h.guest()
	other.signs("/usage", "")
	if rec := other.comes(a); rec.Header().Get("Location") != "/usage" {
		t.Errorf("the next sign-in: %d %s", rec.Code, rec.Body)
	}
	if rec := h.guest().brings(link); rec.Code != 403 {
		t.Errorf("the invitation a second time: %d", rec.Code)
	}
}

// TestMisusedWaysToJoinMakeNobody: each is right but for one thing.
func TestMisusedWaysToJoinMakeNobody(t *testing.T) {
	for name, misuse := range map[string]func(h *house, a *accounts, g *guest) *guest{
		"nothing": func(_ *house, a *accounts, g *guest) *guest { g.comes(a); return g },
		"too late": func(h *house, a *accounts, g *guest) *guest {
			g.comes(a)
			h.now = h.now.Add(10 * time.Minute)
			return g
		},
		"late at the way": func(h *house, a *accounts, g *guest) *guest {
			h.now = h.now.Add(10 * time.Minute)
			g.comes(a)
			return g
		},
		"another browser": func(h *house, a *accounts, g *guest) *guest {
			g.comes(a)
			other := h.guest()
			other.send("GET", "/login", nil)
			other.jar["aipassport-joining"] = g.jar["aipassport-joining"]
			return other
		},
		"the way itself": func(_ *house, a *accounts, g *guest) *guest {
			g.jar["aipassport-joining"] = g.jar["aipassport-oidc"]
			return g
		},
		"another state": func(_ *house, a *accounts, g *guest) *guest { a.state = strings.Repeat("A", 43); g.comes(a); return g },
		"the invitation ended": func(h *house, a *accounts, g *guest) *guest {
			g.comes(a)
			for _, v := range must(h.id.Invitations(h.t.Context())) {
				_ = h.id.EndInvitation(h.t.Context(), v.ID(), "owner:ada")
			}
			return g
		},
		"its day is over": func(h *house, a *accounts, g *guest) *guest {
			h.now = h.now.Add(passport.InvitationLife - time.Minute)
			g.brings(must(h.id.Invite(h.t.Context(), "x", "owner:ada")))
			g.comes(a)
			return g
		},
		"not on the list": func(_ *house, a *accounts, g *guest) *guest { a.says.Email = "grace@example.org"; g.comes(a); return g },
		"not checked":     func(_ *house, a *accounts, g *guest) *guest { a.says.EmailVerified = false; g.comes(a); return g },
		"somebody here": func(h *house, a *accounts, g *guest) *guest {
			id := a.says
			id.Person = "ada"
			_ = h.store.AddIdentity(h.t.Context(), id, passport.Event{ID: "e2"})
			g.comes(a)
			return g
		},
		"no invitation": func(_ *house, a *accounts, g *guest) *guest {
			g.signs("/", "")
			g.comes(a)
			return g
		},
	} {
		h, a := open(t, false, "@example.com")
		g := h.guest()
		g.brings(h.invite("Grace"))
		by := misuse(h, a, g)
		ok := name == "nothing" || name == "its day is over" // that one has another invitation, which is new
		rec := by.becomes("Grace", "grace")
		if ok != (rec.Code == 303) || (h.people() == 2) != ok {
			t.Errorf("%s: %d, %d people", name, rec.Code, h.people())
		}
		if _, err := by.who(); (err == nil) != ok {
			t.Errorf("%s: signed in is %v", name, err)
		}
	}
	h, a := open(t, false)
	g := h.guest()
	g.brings(h.invite("Grace"))
	g.comes(a)
	if rec := g.send("POST", "/join/as", url.Values{"csrf": {"x"}, "name": {"G"}, "username": {"g"}}); rec.Code != 403 || h.people() != 1 {
		t.Errorf("a form of another site: %d", rec.Code)
	}
	if rec := h.guest().send("POST", "/join/oidc", url.Values{"csrf": {"x"}}); rec.Code != 403 {
		t.Errorf("to leave by a form of another site: %d", rec.Code)
	}
	kept := g.jar["aipassport-joining"]
	door := g.jar["aipassport-door"]
	g.becomes("Grace", "grace")
	again := h.guest()
	again.jar["aipassport-joining"], again.jar["aipassport-door"] = kept, door
	if rec := again.becomes("Grace", "grace2"); rec.Code == 303 || h.people() != 2 {
		t.Errorf("a second time: %d, %d people", rec.Code, h.people())
	}
}

// TestWhoIsAllowedMayJoinAtSignIn where the operator lets them, after a page that asks; who was here and is not any more takes an invitation.
func TestWhoIsAllowedMayJoinAtSignIn(t *testing.T) {
	h, a := open(t, true, "@example.com")
	g := h.guest()
	g.signs("/consent/g1", "yes")
	if rec := g.comes(a); rec.Code != 401 || h.people() != 1 {
		t.Errorf("to show once more who one is: %d", rec.Code)
	}
	g.signs("/consent/g1", "")
	if rec := g.comes(a); rec.Header().Get("Location") != "/join/as" || h.people() != 1 {
		t.Fatalf("back: %d %s, %d people", rec.Code, rec.Header().Get("Location"), h.people())
	}
	if _, err := g.who(); err == nil {
		t.Error("signed in before anybody was asked")
	}
	if rec := g.becomes("Grace", "grace"); rec.Header().Get("Location") != "/consent/g1" || h.people() != 2 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	p := must(g.who())

	// Not on the list: nobody, and nothing is offered.
	a.says.Subject, a.says.Email = "s8", "mallory@example.org"
	m := h.guest()
	m.signs("/", "")
	if rec := m.comes(a); rec.Code != 401 || m.becomes("M", "m").Code != 403 || h.people() != 2 {
		t.Errorf("not on the list: %d", rec.Code)
	}

	// Suspended, then removed: nobody comes back by it, but by an invitation.
	a.says.Subject, a.says.Email = "s7", "grace@example.com"
	back := func(why string) {
		t.Helper()
		n, x := h.people(), h.guest()
		x.signs("/", "")
		if rec := x.comes(a); rec.Code != 401 || x.becomes("Grace", "grace9").Code != 403 || h.people() != n {
			t.Errorf("%s: %d, %d people", why, rec.Code, h.people())
		}
	}
	ctx := t.Context()
	if err := h.id.Suspend(ctx, p.ID, "owner:ada"); err != nil {
		t.Fatal(err)
	}
	back("suspended")
	if err := h.id.Forget(ctx, p.ID, "owner:ada"); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute) // for the tries that one address has
	back("removed")
	x := h.guest()
	x.brings(h.invite("Grace again"))
	x.comes(a)
	if rec := x.becomes("Grace", "grace"); rec.Code != 303 {
		t.Errorf("invited again: %d", rec.Code)
	}
}

func TestNobodyJoinsWithoutAList(t *testing.T) {
	if _, err := identity.New(identity.Config{Store: newHouse(t).store, IssuerJoin: true}); err == nil {
		t.Error("it opens")
	}
	h, a := open(t, false)
	a.err = problem.New(problem.UpstreamFailed, "accounts.example.com could not be asked")
	if rec := h.guest().brings(h.invite("x")); rec.Code != 502 {
		t.Errorf("a provider that is away: %d", rec.Code)
	}
	without := newHouse(t)
	if rec := without.guest().brings(without.invite("x")); rec.Code != 404 {
		t.Errorf("no provider: %d", rec.Code)
	}
	if rec := without.guest().becomes("x", "y"); rec.Code == 303 || without.people() != 1 {
		t.Errorf("no provider, the page that asks: %d", rec.Code)
	}
}
