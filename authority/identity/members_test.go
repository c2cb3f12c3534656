package identity_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/web"
)

// house is a broker with an owner.
type house struct {
	t     *testing.T
	store *storetest.Memory
	id    *identity.Identity
	mux   *http.ServeMux
	now   time.Time
}

func newHouse(t *testing.T, with ...func(*identity.Config)) *house {
	t.Helper()
	h := &house{t: t, store: storetest.NewMemory(), now: storetest.Epoch(), mux: http.NewServeMux()}
	pages, err := web.New(web.Options{PublicURL: "http://localhost:3001"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	cfg := identity.Config{Store: h.store, Pages: pages, PublicURL: "http://localhost:3001", Now: func() time.Time { return h.now },
		NewID: func() string { n++; return fmt.Sprint("id-", n) },
		Hash:  func(p, s []byte) []byte { sum := sha256.Sum256(append(append([]byte{}, p...), s...)); return sum[:] }}
	for _, more := range with {
		more(&cfg)
	}
	h.id, err = identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for p, f := range h.id.Routes() {
		h.mux.HandleFunc(p, f)
	}
	if err := h.store.AddFirstPerson(t.Context(), passport.Person{ID: "ada", Name: "Ada", Username: "ada", CreatedAt: h.now}, passport.Event{ID: "e1"}); err != nil {
		t.Fatal(err)
	}
	return h
}

// guest is a browser.
type guest struct {
	h   *house
	jar map[string]string
}

func (h *house) guest() *guest { return &guest{h, map[string]string{}} }

func (g *guest) send(method, target string, form url.Values) *httptest.ResponseRecorder {
	g.h.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:3001"+target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for k, v := range g.jar {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	rec := httptest.NewRecorder()
	g.h.mux.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		g.jar[c.Name] = c.Value
	}
	return rec
}

func (g *guest) who() (passport.Person, error) {
	r := httptest.NewRequest("GET", "http://localhost:3001/grants", nil)
	for k, v := range g.jar {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	return g.h.id.Who(r)
}

// join opens an invitation and sends its form.
func (g *guest) join(link, username, pw string) *httptest.ResponseRecorder {
	path := strings.TrimPrefix(link, "http://localhost:3001")
	page := g.send("GET", path, nil).Body.String()
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if csrf == nil {
		return g.send("POST", "/join", url.Values{})
	}
	return g.send("POST", "/join", url.Values{"csrf": {csrf[1]}, "token": {path[strings.Index(path, "=")+1:]}, "name": {"Grace"}, "username": {username}, "password": {pw}})
}

func (h *house) invite(label string) string {
	h.t.Helper()
	link, err := h.id.Invite(h.t.Context(), label, "owner:ada")
	if err != nil {
		h.t.Fatal(err)
	}
	return link
}

const long = "a password that is long enough"

func TestAnInvitationMakesOneMember(t *testing.T) {
	h := newHouse(t)
	link := h.invite("Grace")
	if list, err := h.id.Invitations(t.Context()); err != nil || len(list) != 1 || list[0].Label != "Grace" || strings.Contains(link, list[0].ID()) {
		t.Fatalf("%v %v", list, err)
	}
	g := h.guest()
	if rec := g.join(link, "grace", "short"); rec.Code != 422 {
		t.Errorf("a short password: %d", rec.Code)
	}
	if rec := g.join(link, "ada", long); rec.Code != 422 || !strings.Contains(rec.Body.String(), "Somebody signs in with this name") {
		t.Errorf("the owner's name: %d", rec.Code)
	}
	if rec := g.join(link, "grace", long); rec.Code != 303 || rec.Header().Get("Location") != "/keys" {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	p, err := g.who()
	if err != nil || p.Role != passport.RoleMember || p.Payer() != passport.Payer(p.ID) || p.May(passport.RunServer) || !p.May(passport.OwnApps) {
		t.Errorf("got %+v %v", p, err)
	}
	if rec := h.guest().join(link, "joan", long); rec.Code == 303 || len(must(h.id.People(t.Context()))) != 2 {
		t.Errorf("used twice: %d", rec.Code)
	}
	other := h.guest() // signs in like anybody
	page := other.send("GET", "/login", nil).Body.String()
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)[1]
	if rec := other.send("POST", "/login", url.Values{"csrf": {csrf}, "username": {"grace"}, "password": {long}}); rec.Code != 303 {
		t.Errorf("sign-in: %d", rec.Code)
	}
	if q, err := other.who(); err != nil || q.ID != p.ID {
		t.Errorf("got %v %v", q, err)
	}
}

func must[T any](v T, _ error) T { return v }

func TestInvitationsEndAndAreBounded(t *testing.T) {
	h := newHouse(t)
	first, second := h.invite("first"), h.invite("second")
	for _, v := range must(h.id.Invitations(t.Context())) {
		if v.Label == "first" {
			if err := h.id.EndInvitation(t.Context(), v.ID(), "owner:ada"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, id := range []string{"", "x", strings.Repeat("0", 64)} {
		if err := h.id.EndInvitation(t.Context(), id, "owner:ada"); problem.KindOf(err) != problem.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
	h.now = h.now.Add(passport.InvitationLife)
	for _, link := range []string{first, second, "http://localhost:3001/join?token=" + strings.Repeat("a", 43), "http://localhost:3001/join?token=a", "http://localhost:3001/join"} {
		if rec := h.guest().send("GET", strings.TrimPrefix(link, "http://localhost:3001"), nil); rec.Code != 404 || !strings.Contains(rec.Body.String(), "This invitation does nothing") {
			t.Errorf("%s: %d", link, rec.Code)
		}
		if rec := h.guest().join(link, "grace", long); rec.Code == 303 {
			t.Errorf("%s lets somebody in", link)
		}
	}
	for range passport.MaxInvitations {
		h.invite("somebody")
	}
	if _, err := h.id.Invite(t.Context(), "one more", "owner:ada"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("got %v", err)
	}
	for _, label := range []string{"", " ", strings.Repeat("x", 61), "a\u202eb"} {
		if _, err := h.id.Invite(t.Context(), label, "owner:ada"); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%q: %v", label, err)
		}
	}
}

// TestWhoIsSuspendedIsNobody at once, with the session and the bearer that they had, and comes back only when let in again.
func TestWhoIsSuspendedIsNobody(t *testing.T) {
	h := newHouse(t)
	g := h.guest()
	g.join(h.invite("Grace"), "grace", long)
	p, err := g.who()
	if err != nil {
		t.Fatal(err)
	}
	token := "aipo_" + strings.Repeat("b", 43)
	bearer := func() (passport.Person, error) {
		r := httptest.NewRequest("GET", "http://localhost:3001/grants", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return h.id.Who(r)
	}
	add := func() {
		o := passport.OwnerToken{Hash: sha256.Sum256([]byte(token)), Person: p.ID, Label: "cli", CreatedAt: h.now}
		if err := h.store.AddOwnerToken(t.Context(), o, passport.Event{ID: passport.EventID(hex.EncodeToString(o.Hash[:4]))}, h.now); err != nil {
			t.Fatal(err)
		}
	}
	add()
	if q, err := bearer(); err != nil || q.ID != p.ID {
		t.Fatalf("a member's bearer stands for %v, %v", q, err)
	}
	if err := h.id.Suspend(t.Context(), p.ID, "owner:ada"); err != nil {
		t.Fatal(err)
	}
	add() // that one was made while they were suspended makes no difference
	if _, err := bearer(); problem.KindOf(err) != problem.Unauthenticated {
		t.Errorf("a bearer: %v", err)
	}
	late := passport.Session{Hash: sha256.Sum256([]byte(g.jar["aipassport"])), Person: p.ID, CreatedAt: h.now, ExpiresAt: h.now.Add(time.Hour)}
	for range 2 { // the session that they had, and one that began in the same moment
		if _, err := g.who(); problem.KindOf(err) != problem.Unauthenticated {
			t.Errorf("a session: %v", err)
		}
		_ = h.store.AddSession(t.Context(), late, passport.Event{ID: "late"})
	}
	if err := h.store.EndSession(t.Context(), late.Hash, passport.Event{ID: "over"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []passport.PersonID{"ada", "nobody"} {
		if err := h.id.Suspend(t.Context(), id, "owner:ada"); problem.KindOf(err) != problem.NotFound {
			t.Errorf("%s: %v", id, err)
		}
		if err := h.id.Forget(t.Context(), id, "owner:ada"); problem.KindOf(err) != problem.NotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := h.id.Restore(t.Context(), p.ID, "owner:ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.who(); err == nil {
		t.Error("the old session works again")
	}
	if err := h.id.Forget(t.Context(), p.ID, "owner:ada"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("forgotten without being suspended: %v", err)
	}
}

// TestTheOwnerMakesALinkForAMembersPassword: nothing changes until it is used, once and within an hour; then other browsers are signed out.
// The member's log tells who made it, and a link of somebody else goes on.
func TestTheOwnerMakesALinkForAMembersPassword(t *testing.T) {
	h := newHouse(t)
	g, other := h.guest(), h.guest()
	g.join(h.invite("Grace"), "grace", long)
	other.join(h.invite("Joan"), "joan", long)
	p, joan := must(g.who()), must(other.who())
	link, until, err := h.id.ResetMember(t.Context(), p.ID, "owner:ada")
	if err != nil || !until.Equal(h.now.Add(time.Hour)) {
		t.Fatalf("%s %v", until, err)
	}
	for _, id := range []passport.PersonID{"ada", "nobody"} {
		if _, _, err := h.id.ResetMember(t.Context(), id, "owner:ada"); problem.KindOf(err) != problem.NotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, _, err := h.id.ResetMember(t.Context(), joan.ID, "owner:ada"); err != nil {
		t.Fatal(err)
	}
	told := map[passport.PersonID]int{}
	for _, who := range []passport.Person{p, joan, {ID: "ada", Role: passport.RoleOwner}} {
		list, _, err := h.store.Activity(t.Context(), who.ID, who.Payer(), "", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range list {
			if ev.Kind == passport.ResetMade {
				told[who.ID]++
			}
		}
	}
	if told[p.ID] != 1 || told[joan.ID] != 1 || told["ada"] != 2 {
		t.Errorf("told %v", told)
	}
	path := strings.TrimPrefix(link, "http://localhost:3001")
	fresh := h.guest()
	page := fresh.send("GET", path, nil).Body.String()
	if _, err := g.who(); err != nil {
		t.Error("looking at it signs out")
	}
	form := url.Values{"csrf": {csrf(page)}, "token": {path[strings.Index(path, "=")+1:]}, "password": {"quite another password"}}
	if rec := fresh.send("POST", "/reset", form); rec.Code != 303 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	if q, err := fresh.who(); err != nil || q.ID != p.ID {
		t.Errorf("got %v %v", q, err)
	}
	if _, err := g.who(); err == nil {
		t.Error("the browser from before is signed in")
	}
	if _, err := other.who(); err != nil {
		t.Error("another member is signed out")
	}
	if rec := h.guest().send("GET", path, nil); rec.Code != 404 {
		t.Errorf("the link works twice: %d", rec.Code)
	}
	if err := h.id.Suspend(t.Context(), p.ID, "owner:ada"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.id.ResetMember(t.Context(), p.ID, "owner:ada"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("of who is suspended: %v", err)
	}
}
