package identity_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/web"
)

func TestSetupMakesTheOwnerOnce(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	token := w.setupToken()
	if len(token) != 43 {
		t.Fatalf("the token has %d characters, want 256 bits", len(token))
	}
	for _, bad := range []string{"", "x", token[:42], token + "a", strings.ToUpper(token)} {
		if rec := w.send("GET", "/setup?token="+bad, nil); rec.Code != 404 || strings.Contains(rec.Body.String(), "<form") {
			t.Errorf("token %q: %d", bad, rec.Code)
		}
	}
	first := w.id
	w.open() // another instance: its link works too, and each works at both
	if w.setupToken() == token {
		t.Error("two instances made one link")
	}
	for range 3 { // looking uses nothing up
		if rec := w.send("GET", "/setup?token="+token, nil); rec.Code != 200 || rec.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Fatalf("look: %d", rec.Code)
		}
	}
	w.join()
	w.id = first
	if rec := w.send("GET", "/setup?token="+w.setupToken(), nil); rec.Code != 404 {
		t.Errorf("the other instance's link after use: %d", rec.Code)
	}
	w.open()
	if _, ok := w.id.SetupLink(); ok {
		t.Error("the link is still there")
	}
	if rec := w.send("GET", "/setup?token="+token, nil); rec.Code != 404 {
		t.Errorf("after use: %d", rec.Code)
	}
	if p := w.store.person; p == nil || p.Name != "the owner" || !strings.HasPrefix(p.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(p.PasswordHash, password) {
		t.Errorf("person %+v", w.store.person)
	}
	if id, err := w.who("GET"); err != nil || id != w.store.person.ID {
		t.Errorf("after setup: %q %v", id, err)
	}
	w.open()
	if _, ok := w.id.SetupLink(); ok {
		t.Error("a start with an owner makes a link")
	}
}

func TestSetupLinkEndsAfterADay(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	token := w.setupToken()
	page := w.send("GET", "/setup?token="+token, nil)
	w.now = w.now.Add(identity.SetupLife)
	if _, ok := w.id.SetupLink(); ok {
		t.Error("the link is still told")
	}
	rec := w.send("POST", "/setup", url.Values{"csrf": {w.csrf(page.Body.String())}, "token": {token}, "name": {"a"}, "username": {"a"}, "password": {password}})
	if rec.Code != 404 || w.store.person != nil {
		t.Errorf("%d, person %v", rec.Code, w.store.person)
	}
}

func TestSetupRefusesWeakAndHiddenInput(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	token := w.setupToken()
	csrf := w.csrf(w.send("GET", "/setup?token="+token, nil).Body.String())
	for _, c := range []struct{ name, user, pw, field string }{
		{"", "u", password, "#n"}, {"a\u202eb", "u", password, "#n"}, {strings.Repeat("a", 61), "u", password, "#n"},
		{"a", "", password, "#e"}, {"a", "u\x00", password, "#e"}, {"a", strings.Repeat("u", 101), password, "#e"},
		{"a", "u", "short", "#p"}, {"a", "u", "fourteen chars", "#p"}, {"a", "u", strings.Repeat("a", 20), "#p"}, {"a", "u", strings.Repeat("ab", 200), "#p"},
		{"fifteen letters", "u", "Fifteen Letters", "#p"}, {"a", "u", "bytes that are \xff\xfe not text", "#p"},
	} {
		rec := w.send("POST", "/setup", url.Values{"csrf": {csrf}, "token": {token}, "name": {c.name}, "username": {c.user}, "password": {c.pw}})
		if rec.Code != 422 || !strings.Contains(rec.Body.String(), `href="`+c.field+`"`) {
			t.Errorf("%+v: %d", c, rec.Code)
		}
		if strings.Contains(rec.Body.String(), `value="`+c.pw+`"`) {
			t.Errorf("%+v: the password came back", c)
		}
	}
	if w.store.person != nil {
		t.Error("someone became the owner")
	}
}

func TestSignInSaysTheSameForAllThatIsWrong(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	w.jar = map[string]*http.Cookie{}
	w.hashed = 0
	var bodies []string
	strip := regexp.MustCompile(`value="[^"]*"`)
	for i, c := range [][2]string{{"owner@example.com", "the wrong password"}, {"nobody@example.com", password}, {"nobody@example.com", "x"}, {"owner@example.com", strings.Repeat("y", 5000)}, {"OWNER@example.com", password}} {
		rec := w.login(c[0], c[1], "/")
		if rec.Code != 401 || w.hashed != i+1 {
			t.Errorf("%q: %d, %d hashed", c[0], rec.Code, w.hashed)
		}
		bodies = append(bodies, strip.ReplaceAllString(rec.Body.String(), ""))
	}
	for _, b := range bodies {
		if b != bodies[0] {
			t.Error("the pages differ")
		}
	}
	if rec := w.login("  owner@example.com ", password, "/consent/abc"); rec.Code != 303 || rec.Header().Get("Location") != "/consent/abc" {
		t.Errorf("right: %d %s", rec.Code, rec.Header().Get("Location"))
	}
}

func TestSignInWithoutAnOwner(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	if rec := w.login("", "", "/"); rec.Code != 401 || w.hashed != 1 {
		t.Errorf("%d, %d hashed", rec.Code, w.hashed)
	}
}

func TestSignInGoesOnlyToOurselves(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		w.jar = map[string]*http.Cookie{}
		if rec := w.login("owner@example.com", password, next); rec.Code != 303 || rec.Header().Get("Location") != "/" {
			t.Errorf("%s: %d %s", next, rec.Code, rec.Header().Get("Location"))
		}
	}
}

func TestTriesAreLimited(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	w.jar = map[string]*http.Cookie{}
	csrf := w.csrf(w.send("GET", "/login", nil).Body.String())
	post := func(pw string) *httptest.ResponseRecorder {
		return w.send("POST", "/login", url.Values{"csrf": {csrf}, "username": {"owner@example.com"}, "password": {pw}})
	}
	for range 10 {
		if rec := post("wrong"); rec.Code != 401 {
			t.Fatalf("early: %d", rec.Code)
		}
	}
	hashed := w.hashed
	if rec := post(password); rec.Code != 429 || rec.Header().Get("Retry-After") != "6" || w.hashed != hashed {
		t.Errorf("the 11th: %d, Retry-After %s, hashed %d", rec.Code, rec.Header().Get("Retry-After"), w.hashed-hashed)
	}
	w.from = "192.0.2.11:1"
	if rec := post("wrong"); rec.Code != 401 {
		t.Errorf("another address: %d", rec.Code)
	}
	w.from = "192.0.2.10:1"
	w.now = w.now.Add(6 * time.Second)
	if rec := post(password); rec.Code != 303 {
		t.Errorf("after the wait: %d", rec.Code)
	}
}

func TestOneIPv6NetworkIsOneAddress(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	csrf := w.csrf(w.send("GET", "/login", nil).Body.String())
	last := 0
	for i := range 11 {
		w.from = "[2001:db8:1:2::" + string(rune('a'+i%6)) + string(rune('0'+i%10)) + "]:1"
		last = w.send("POST", "/login", url.Values{"csrf": {csrf}, "username": {"x"}, "password": {"y"}}).Code
	}
	if last != 429 {
		t.Errorf("got %d, want 429", last)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	form := url.Values{"username": {"owner@example.com"}, "password": {password}}
	w.jar = map[string]*http.Cookie{}
	if rec := w.send("POST", "/login", form); rec.Code != 403 {
		t.Errorf("login without a token: %d", rec.Code)
	}
	form.Set("csrf", w.csrf(w.send("GET", "/login", nil).Body.String()))
	if rec := w.send("POST", "/login", form, "Sec-Fetch-Site", "cross-site"); rec.Code != 403 {
		t.Errorf("login from another site: %d", rec.Code)
	}
	if len(w.store.sessions) != 1 {
		t.Errorf("%d sessions, want the one of setup", len(w.store.sessions))
	}
}

func TestSessionEnds(t *testing.T) {
	w := newWorld(t, "https://passport.example")
	w.join()
	c := w.jar["__Host-aipassport"]
	if c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 12*3600 || len(c.Value) != 43 {
		t.Fatalf("cookie %+v", c)
	}
	for h := range w.store.sessions {
		if h != sha256.Sum256([]byte(c.Value)) {
			t.Error("the store has something else than the hash")
		}
	}
	w.now = w.now.Add(identity.SessionLife - time.Millisecond)
	if _, err := w.who("GET"); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	w.now = w.now.Add(time.Millisecond)
	if _, err := w.who("GET"); problem.KindOf(err) != problem.Unauthenticated || err == nil {
		t.Errorf("at its end: %v", err)
	}
}

func TestSigningOutEndsTheSessionOnTheServer(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	old := *w.jar["aipassport"]
	v, err := w.id.Visitor(func() *http.Request { r := httptest.NewRequest("GET", "/", nil); r.AddCookie(&old); return r }())
	if err != nil {
		t.Fatal(err)
	}
	if rec := w.send("POST", "/logout", url.Values{}); rec.Code != 403 || len(w.store.sessions) != 1 {
		t.Errorf("without a token: %d", rec.Code)
	}
	if rec := w.send("POST", "/logout", url.Values{"csrf": {v.CSRF()}}); rec.Code != 303 || len(w.store.sessions) != 0 {
		t.Errorf("%d, %d sessions", rec.Code, len(w.store.sessions))
	}
	w.jar["aipassport"] = &old
	if _, err := w.who("GET"); err == nil {
		t.Error("the old cookie still works")
	}
}

func TestSignInReplacesTheSession(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	old := w.jar["aipassport"].Value
	w.now = w.now.Add(identity.SessionLife)
	w.login("owner@example.com", password, "/")
	if w.jar["aipassport"].Value == old || len(w.store.sessions) != 1 {
		t.Errorf("%d sessions", len(w.store.sessions))
	}
}

func TestSessionCountsOnlyFromOurOwnPages(t *testing.T) {
	w := newWorld(t, "https://passport.example")
	w.join()
	for _, c := range []struct {
		header []string
		ok     bool
	}{
		{nil, false}, {[]string{"Sec-Fetch-Site", "same-origin"}, true}, {[]string{"Origin", "https://passport.example"}, true},
		{[]string{"Sec-Fetch-Site", "none"}, false}, {[]string{"Sec-Fetch-Site", "same-site"}, false}, {[]string{"Sec-Fetch-Site", "cross-site"}, false},
		{[]string{"Origin", "https://evil.example"}, false}, {[]string{"Origin", "null"}, false},
		{[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, false},
	} {
		if _, err := w.who("POST", c.header...); (err == nil) != c.ok {
			t.Errorf("POST %v: %v", c.header, err)
		}
		if _, err := w.who("GET", c.header...); err != nil {
			t.Errorf("GET %v: %v", c.header, err)
		}
	}
}

func TestOwnerBearer(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	if id, err := w.who("POST", "Authorization", "Bearer "+ownerToken); err != nil || id != identity.Automation {
		t.Errorf("before setup: %q %v", id, err)
	}
	w.join()
	owner := w.store.person.ID
	for _, c := range []struct {
		header []string
		ok     bool
	}{
		{[]string{"Authorization", "Bearer " + ownerToken}, true}, {[]string{"Authorization", "bearer " + ownerToken}, true},
		{[]string{"Authorization", "Bearer " + ownerToken + "x"}, false}, {[]string{"Authorization", "Bearer "}, false}, {[]string{"Authorization", ""}, false},
		{[]string{"Authorization", "Basic " + ownerToken}, false}, {[]string{"Authorization", ownerToken}, false},
		{[]string{"Authorization", "Bearer wrong", "Authorization", "Bearer " + ownerToken}, false},
	} {
		id, err := w.who("GET", c.header...) // the browser's session does not help a wrong bearer
		if (err == nil) != c.ok || (c.ok && id != owner) {
			t.Errorf("%v: %q %v", c.header, id, err)
		}
	}
}

func TestStoredOwnerTokenEnds(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	made, err := w.id.NewOwnerToken(context.Background(), "ci", w.now.Add(time.Hour), "operator")
	if err != nil {
		t.Fatal(err)
	}
	text := made.Reveal()
	if !strings.HasPrefix(text, "aipo_") || len(text) != 48 {
		t.Errorf("shape %q", text)
	}
	if _, err := w.who("POST", "Authorization", "Bearer "+text); err != nil {
		t.Error(err)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.who("POST", "Authorization", "Bearer "+text); problem.KindOf(err) != problem.Unauthenticated || err == nil {
		t.Errorf("after its end: %v", err)
	}
	for _, bad := range []struct {
		label string
		ends  time.Time
	}{{"", time.Time{}}, {strings.Repeat("a", 101), time.Time{}}, {"x", w.now}} {
		if _, err := w.id.NewOwnerToken(context.Background(), bad.label, bad.ends, "operator"); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestGuessesAreLimited(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.from = "192.0.2.66:1"
	for i := range 30 {
		if _, err := w.who("GET", "Authorization", "Bearer guess"); problem.KindOf(err) != problem.Unauthenticated {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	_, err := w.who("GET", "Authorization", "Bearer guess")
	if problem.KindOf(err) != problem.RateExceeded || problem.From(err).RetryAfter != 2*time.Second {
		t.Errorf("the 31st: %v after %v", err, problem.From(err).RetryAfter)
	}
	if _, err := w.who("GET", "Authorization", "Bearer "+ownerToken); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("a right guess past the limit is told: %v", err)
	}
	w.from = "192.0.2.10:1"
	if _, err := w.who("GET", "Authorization", "Bearer "+ownerToken); err != nil {
		t.Errorf("another address: %v", err)
	}
	for range 40 {
		w.who("GET", "Authorization", "Bearer guess")
	}
	if _, err := w.who("GET", "Authorization", "Bearer "+ownerToken); err != nil {
		t.Errorf("an address that was right before is shut out: %v", err)
	}
}

// TestGuessesDoNotShutOutAMadeToken: an app on the owner's own machine guesses on and on; the owner can still stop it.
func TestGuessesDoNotShutOutAMadeToken(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	made, err := w.id.NewOwnerToken(context.Background(), "ci", w.now.Add(time.Hour), "operator")
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		w.who("GET", "Authorization", "Bearer guess")
	}
	if _, err := w.who("GET", "Authorization", "Bearer "+made.Reveal()); err != nil {
		t.Errorf("a token of 256 bits is shut out: %v", err)
	}
	w.now = w.now.Add(2 * time.Hour)
	for range 40 {
		w.who("GET", "Authorization", "Bearer guess")
	}
	if _, err := w.who("GET", "Authorization", "Bearer "+made.Reveal()); problem.KindOf(err) != problem.RateExceeded {
		t.Errorf("one that has ended is not like any other wrong one: %v", err)
	}
}

func TestABrokenStoreLetsNobodyIn(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	w.store.broken = errors.New("disk canary")
	if _, err := w.who("GET"); err == nil {
		t.Error("session")
	}
	if _, err := w.who("GET", "Authorization", "Bearer "+ownerToken); err == nil {
		t.Error("bearer")
	}
	if rec := w.send("GET", "/login", nil); rec.Code != 200 && rec.Code != 500 || strings.Contains(rec.Body.String(), "canary") {
		t.Errorf("login: %d", rec.Code)
	}
	if _, err := identity.New(identity.Config{Store: w.store, Pages: mustPages(t), Now: time.Now, NewID: func() string { return "x" }}); err == nil {
		t.Error("it starts, and would make a setup link for a broker that has an owner")
	}
}

func mustPages(t *testing.T) *web.Pages {
	p, err := web.New(web.Options{PublicURL: "http://localhost"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestArgonIsWhatTheHashSays(t *testing.T) {
	w := newWorld(t, "http://127.0.0.1:3001")
	store := newMemory()
	mux := http.NewServeMux()
	id, err := identity.New(identity.Config{Store: store, Pages: mustPages(t), PublicURL: w.public, Now: func() time.Time { return w.now }, NewID: func() string { return "x" }})
	if err != nil {
		t.Fatal(err)
	}
	if err := id.OpenSetup(t.Context()); err != nil {
		t.Fatal(err)
	}
	for pattern, h := range id.Routes() {
		mux.HandleFunc(pattern, h)
	}
	w.store, w.id, w.mux = store, id, mux
	w.join()
	w.jar = map[string]*http.Cookie{}
	if rec := w.login("owner@example.com", password, "/"); rec.Code != 303 {
		t.Errorf("right: %d", rec.Code)
	}
	w.jar = map[string]*http.Cookie{}
	if rec := w.login("owner@example.com", password+"x", "/"); rec.Code != 401 {
		t.Errorf("wrong: %d", rec.Code)
	}
	for _, bad := range []string{"", "$argon2id$v=19$m=19456,t=2,p=1$$", "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA"} {
		store.person.PasswordHash = bad
		w.jar = map[string]*http.Cookie{}
		if rec := w.login("owner@example.com", password, "/"); rec.Code != 401 {
			t.Errorf("hash %q: %d", bad, rec.Code)
		}
	}
}
