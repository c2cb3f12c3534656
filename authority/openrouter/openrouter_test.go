package openrouter_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/openrouter"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/web"
)

const (
	public   = "https://passport.example"
	callback = "https://notes.example/back?x=1"
	verifier = "a-verifier-of-the-app-that-nobody-else-knows"
)

// desk is the door on a store in memory, with the real control of grants, the real maker of keys, and a clock that the test moves.
type desk struct {
	t       *testing.T
	store   *storetest.Memory
	ctl     *authority.Control
	keys    *token.Service
	door    *openrouter.Door
	offered []passport.Provider
	jar     map[string]string // cookies of the browser
	nobody  bool              // is signed in
	known   string            // the redirect URI that the owner registered
	from    string
	now     time.Time
	ids     atomic.Int64
}

type quiet struct{}

func (quiet) End(passport.GrantID, error) int         { return 0 }
func (quiet) EndAll(error) int                        { return 0 }
func (quiet) EndKey(passport.TokenID, error) int      { return 0 }
func (quiet) Quiet(context.Context, passport.GrantID) {}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: storetest.NewMemory(), offered: []passport.Provider{passport.OpenAI, passport.Anthropic}, jar: map[string]string{}, from: "192.0.2.1",
		now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return d.now }
	id := func() string { return fmt.Sprintf("id-%04d", d.ids.Add(1)) }
	d.ctl = &authority.Control{Store: d.store, Ceilings: d.store, SDKKeys: d.store, Family: d.store, Recall: quiet{}, Now: clock, NewID: id, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar,
		Defaults: passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(100), RateLimit: passport.LimitOf(60)}}
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	if d.keys, err = token.New(t.Context(), token.Config{Store: d.store, Box: box, Issuer: public, Audience: public, TTL: time.Hour,
		HMACSecret: secret.New("0123456789abcdef0123456789abcdef"), Now: clock, NewID: id}); err != nil {
		t.Fatal(err)
	}
	pages, err := web.New(web.Options{PublicURL: public})
	if err != nil {
		t.Fatal(err)
	}
	d.door, err = openrouter.New(openrouter.Config{Control: d.ctl, Keys: d.keys, Store: d.store, Pages: pages, People: d,
		Registered: func(_ context.Context, uri string) bool { return d.known != "" && uri == d.known },
		Offered:    func(context.Context) ([]passport.Provider, error) { return d.offered, nil },
		ClientAddr: func(*http.Request) netip.Addr { return netip.MustParseAddr(d.from) }, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) Visitor(*http.Request) (web.Visitor, error) {
	if d.nobody {
		return web.Visitor{}, problem.New(problem.Unauthenticated, "sign in first")
	}
	return web.NewVisitor("person", "Ada", passport.RoleOwner, []byte("session")), nil
}

// browse is the door as the browser sees it.
func (d *desk) browse(h http.HandlerFunc, path, id string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.SetPathValue("id", id)
	for name, value := range d.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	h(w, r)
	for _, c := range w.Result().Cookies() {
		d.jar[c.Name] = c.Value
	}
	return w
}

// back is where a person goes who presses on at the page after the decision; empty: nowhere.
func (d *desk) back(id passport.GrantID) string {
	d.t.Helper()
	r := httptest.NewRequest("GET", "/consent/"+string(id), nil)
	for name, value := range d.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	next, link, ok := d.door.Answer(r, d.standing(id))
	w := d.browse(d.door.Return, "/auth/return/"+string(id), string(id))
	if ok != (w.Code == 303) || ok && (next != "/auth/return/"+string(id) || link) {
		d.t.Errorf("the page leads to %q %v %v, and that answers %d %s", next, link, ok, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func good() url.Values {
	return url.Values{"callback_url": {callback}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}}
}

func (d *desk) auth(q url.Values) *httptest.ResponseRecorder {
	return d.browse(d.door.Ask, "/auth?"+q.Encode(), "")
}

// asked sends a person to the door and returns the grant that waits.
func (d *desk) asked() passport.GrantID {
	d.t.Helper()
	w := d.auth(good())
	id, ok := strings.CutPrefix(w.Header().Get("Location"), "/consent/")
	if w.Code != 303 || !ok {
		d.t.Fatalf("got %d %s %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	return passport.GrantID(id)
}

func (d *desk) standing(id passport.GrantID) passport.Grant {
	d.t.Helper()
	s, err := d.ctl.Standing(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return s.Grant
}

func (d *desk) approve(id passport.GrantID) {
	d.t.Helper()
	if _, err := d.ctl.Approve(d.t.Context(), id, passport.Approval{Owner: "person", Payer: passport.OwnerPays, Lifetime: 24 * time.Hour}); err != nil {
		d.t.Fatal(err)
	}
}

// code is the code that the person brings back to the app.
func (d *desk) code(id passport.GrantID) string {
	d.t.Helper()
	next := d.back(id)
	u, err := url.Parse(next)
	if err != nil || u.Host != "notes.example" || u.Path != "/back" || u.Query().Get("x") != "1" || u.Query().Get("code") == "" {
		d.t.Fatalf("the person goes to %q, %v", next, err)
	}
	return u.Query().Get("code")
}

type reply struct {
	Key   string `json:"key"`
	User  string `json:"user_id"`
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (d *desk) redeem(body string) (int, reply) {
	w := httptest.NewRecorder()
	d.door.Key(w, httptest.NewRequest("POST", "/api/v1/auth/keys", strings.NewReader(body)))
	var r reply
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		d.t.Errorf("%v in %s", err, w.Body)
	}
	if w.Code != 200 && r.Error.Code != w.Code {
		d.t.Errorf("got %d and %s", w.Code, w.Body)
	}
	return w.Code, r
}

func body(code, verifier string) string {
	return fmt.Sprintf(`{"code":%q,"code_verifier":%q,"code_challenge_method":"S256"}`, code, verifier)
}

func TestAnAppGetsItsKey(t *testing.T) {
	d := newDesk(t)
	id := d.asked()
	g := d.standing(id)
	if g.State != passport.GrantPending || g.AppURL != "https://notes.example" || len(g.Asked) != 2 || g.Asked[1].Provider != passport.Anthropic ||
		len(g.Asked[0].Models) != 0 || len(g.Asked[0].Capabilities) != 1 || g.Asked[0].Capabilities[0] != passport.Chat {
		t.Fatalf("got %+v", g)
	}
	if d.back(id) != "" {
		t.Error("a person was sent back before the answer")
	}
	d.approve(id)
	status, r := d.redeem(body(d.code(id), verifier))
	if status != 200 || !strings.HasPrefix(r.Key, token.KeyPrefix) || !strings.HasPrefix(r.User, "user_") {
		t.Fatalf("got %d %+v", status, r)
	}
	p, s, err := d.keys.Identify(t.Context(), r.Key)
	if err != nil || !p.Key || s.Grant.ID != id {
		t.Errorf("the key is %+v of %s, %v", p, s.Grant.ID, err)
	}
	if d.back(id) != "" {
		t.Error("after the key there is another code")
	}
	if strings.Contains(r.User, "person") {
		t.Errorf("the user is told by id: %s", r.User)
	}
}

// TestWhatIsNotTaken: no challenge, plain and what is no SHA-256 are refused before anything is stored, and so is a callback that leads elsewhere
// than an https site or this computer. The answer names the parameter.
func TestWhatIsNotTaken(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct{ name, value, says string }{
		{"code_challenge", "", "code_challenge is missing"},
		{"code_challenge", "short", "code_challenge is not"},
		{"code_challenge", challengeOf(verifier) + "=", "code_challenge is not"},
		{"code_challenge_method", "plain", "Invalid code_challenge_method"},
		{"code_challenge_method", "", "Invalid code_challenge_method"},
		{"code_challenge_method", "s256", "Invalid code_challenge_method"},
		{"callback_url", "", "callback_url is missing"},
		{"callback_url", "/back", "callback_url is not"},
		{"callback_url", "javascript:alert(1)", "callback_url is not"},
		{"callback_url", "notes:back", "callback_url is not"},
		{"callback_url", "http://notes.example/back", "callback_url must be https"},
		{"callback_url", "https://bank@notes.example/", "callback_url has user info"},
		{"callback_url", "https://notes.example/#x", "callback_url has a fragment"},
		{"callback_url", "https://notes.example/#", "callback_url has a fragment"},
		{"callback_url", `https://notes.example\@evil.example/`, "callback_url is not"},
		{"callback_url", "https://notes.example/?code=1", "callback_url has a code"},
		{"callback_url", "https://notes.example/?error=1", "callback_url has a code"},
		{"callback_url", "https://notes.example/" + strings.Repeat("x", 2000), "callback_url is longer"},
	} {
		q := good()
		q.Set(c.name, c.value)
		w := d.auth(q)
		var r reply
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != 400 || !strings.Contains(r.Error.Message, c.says) {
			t.Errorf("%s=%q: got %d %s %v, want 400 %q", c.name, c.value, w.Code, w.Body, err, c.says)
		}
		d.now = d.now.Add(time.Minute)
	}
	q := good()
	q.Add("callback_url", "https://evil.example/")
	if w := d.auth(q); w.Code != 400 || !strings.Contains(w.Body.String(), "callback_url was sent more than once") {
		t.Errorf("two callbacks: got %d %s", w.Code, w.Body)
	}
	d.offered = nil
	if w := d.auth(good()); w.Code != 409 || !strings.Contains(w.Body.String(), "no provider key") {
		t.Errorf("without a provider: got %d %s", w.Code, w.Body)
	}
	if list, err := d.ctl.Standings(t.Context(), passport.OwnerPays, time.Time{}, 10); err != nil || len(list) != 0 {
		t.Errorf("refused requests left %d grants, %v", len(list), err)
	}
	d.offered = []passport.Provider{passport.OpenAI}
	for _, local := range []string{"http://localhost:3000/cb", "http://127.0.0.1:8080", "http://[::1]:1/x"} {
		q := good()
		q.Set("callback_url", local)
		if w := d.auth(q); w.Code != 303 {
			t.Errorf("%s: got %d %s", local, w.Code, w.Body)
		}
	}
}

// TestACodeIsWorthNothingInOtherHands: without the verifier, late, twice, replaced, after the grant ended; and all are told the same.
func TestACodeIsWorthNothingInOtherHands(t *testing.T) {
	d := newDesk(t)
	id := d.asked()
	d.approve(id)
	wrong := func(name, b string) {
		t.Helper()
		if status, r := d.redeem(b); status != 403 || r.Error.Message != "Invalid code or code_verifier" || r.Key != "" {
			t.Errorf("%s: got %d %+v", name, status, r)
		}
	}
	first := d.code(id)
	wrong("another verifier", body(first, "another"))
	wrong("the challenge", body(first, challengeOf(verifier)))
	wrong("made up", body("made-up", verifier))
	second := d.code(id)
	wrong("replaced", body(first, verifier))
	d.now = d.now.Add(time.Minute)
	wrong("late", body(second, verifier))
	third := d.code(id)
	d.now = d.now.Add(time.Minute - time.Millisecond)
	if status, r := d.redeem(body(third, verifier)); status != 200 {
		t.Errorf("in time: got %d %+v", status, r)
	}
	wrong("twice", body(third, verifier))

	ended := d.asked()
	d.approve(ended)
	code := d.code(ended)
	if _, _, err := d.ctl.Revoke(t.Context(), ended, "owner:person"); err != nil {
		t.Fatal(err)
	}
	wrong("revoked", body(code, verifier))
	if d.back(ended) != "" {
		t.Error("a revoked grant sends a person back")
	}
	old := d.asked()
	d.approve(old)
	d.now = d.now.Add(11 * time.Minute)
	if d.back(old) != "" {
		t.Error("eleven minutes after the decision there is still a code")
	}
}

func TestARefusalIsTold(t *testing.T) {
	d := newDesk(t)
	id := d.asked()
	if _, err := d.ctl.Deny(t.Context(), id, "owner:person"); err != nil {
		t.Fatal(err)
	}
	if next := d.back(id); next != callback+"&error=access_denied" {
		t.Errorf("the person goes to %q", next)
	}
	other, _, err := d.ctl.Ask(t.Context(), authority.Request{AppName: "x", Details: d.standing(id).Asked})
	if err != nil {
		t.Fatal(err)
	}
	if d.back(other.ID) != "" || d.door.Mine(httptest.NewRequest("GET", "/", nil), other) != nil {
		t.Error("the grant of another door is answered here")
	}
}

// TestBodies: what is wrong is named, in OpenRouter's shape.
func TestBodies(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		body   string
		status int
		says   string
	}{
		{`{`, 400, ""}, {`[]`, 400, ""}, {``, 400, ""},
		{`{"code_verifier":"v"}`, 400, "code: Required"},
		{`{"code":"c"}`, 400, "code_verifier: Required"},
		{`{"code":"c","code":"d","code_verifier":"v"}`, 400, "code"},
		{`{"Code":"c","code":"d","code_verifier":"v"}`, 400, "Code"},
		{`{"code":"c","code_verifier":"v","code_challenge_method":"plain"}`, 400, "Invalid code_challenge_method"},
		{`{"code":"c","code_verifier":"` + strings.Repeat("v", 257) + `"}`, 400, "code_verifier"},
		{`{"code":"` + strings.Repeat("c", 16<<10) + `","code_verifier":"v"}`, 413, "bytes"},
		{`{"code":"c","code_verifier":"v","redirect_uri":"x"}`, 403, "Invalid code or code_verifier"},
	} {
		status, r := d.redeem(c.body)
		if status != c.status || !strings.Contains(r.Error.Message, c.says) {
			t.Errorf("%.60s: got %d %q, want %d %q", c.body, status, r.Error.Message, c.status, c.says)
		}
	}
}

// TestTwentyRedemptionsGiveOneKey: at once, with the right verifier.
func TestTwentyRedemptionsGiveOneKey(t *testing.T) {
	d := newDesk(t)
	id := d.asked()
	d.approve(id)
	b := body(d.code(id), verifier)
	var wg sync.WaitGroup
	var keys atomic.Int64
	for range 20 {
		wg.Go(func() {
			if status, _ := d.redeem(b); status == 200 {
				keys.Add(1)
			} else if status != 403 {
				t.Errorf("got %d", status)
			}
		})
	}
	wg.Wait()
	list, err := d.store.SDKKeys(t.Context(), id, 100)
	if err != nil || keys.Load() != 1 || len(list) != 1 {
		t.Errorf("%d answers and %d keys, want one; %v", keys.Load(), len(list), err)
	}
}

// TestAFailingStoreTellsNothing: what cannot be read is no wrong code, and what cannot be written gives no key.
func TestAFailingStoreTellsNothing(t *testing.T) {
	for _, method := range []string{"KeyRequestOfCode", "TakeKeyCode", "Standing", "AddSDKKey"} {
		d := newDesk(t)
		id := d.asked()
		d.approve(id)
		b := body(d.code(id), verifier)
		d.store.Fail(method, storetest.Before, errors.New("the disk burns"))
		if status, r := d.redeem(b); status != 500 || r.Error.Message != "internal error" {
			t.Errorf("%s: got %d %+v", method, status, r)
		}
	}
}

func TestTheUserIsTheSameAtOneSite(t *testing.T) {
	d := newDesk(t)
	users := map[string]string{}
	for _, back := range []string{"https://notes.example/a", "https://notes.example/b", "https://other.example/a"} {
		q := good()
		q.Set("callback_url", back)
		id := passport.GrantID(strings.TrimPrefix(d.auth(q).Header().Get("Location"), "/consent/"))
		d.approve(id)
		u, err := url.Parse(d.back(id))
		if err != nil {
			t.Fatal(err)
		}
		_, r := d.redeem(body(u.Query().Get("code"), verifier))
		users[back] = r.User
	}
	if a := users["https://notes.example/a"]; a == "" || a != users["https://notes.example/b"] || a == users["https://other.example/a"] {
		t.Errorf("got %v", users)
	}
}

func TestFloodsAreHeldBack(t *testing.T) {
	d := newDesk(t)
	asked := 0
	for range 40 {
		if d.auth(good()).Code == 303 {
			asked++
		}
	}
	redeemed := 0
	for range 80 {
		if status, _ := d.redeem(body("c", "v")); status == 403 {
			redeemed++
		}
	}
	if asked != 30 || redeemed != 60 {
		t.Errorf("an address asked %d times and brought %d codes in a minute, want 30 and 60", asked, redeemed)
	}
}

// TestOnlyTheBrowserThatAskedAnswers: a request that was opened in one browser is answered in no other, and a code goes out to nobody else.
func TestOnlyTheBrowserThatAskedAnswers(t *testing.T) {
	d := newDesk(t)
	id := d.asked()
	mine := d.jar
	see := func() error {
		r := httptest.NewRequest("GET", "/consent/"+string(id), nil)
		for name, value := range d.jar {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		return d.door.Mine(r, d.standing(id))
	}
	if see() != nil {
		t.Error("the browser that asked may not answer")
	}
	d.approve(id)
	for _, jar := range []map[string]string{{}, {"__Host-aipassport-auth": strings.Repeat("A", 43)}, {"__Host-aipassport-auth": ""}} {
		d.jar = jar
		if err := see(); problem.KindOf(err) != problem.Forbidden || d.back(id) != "" {
			t.Errorf("with %v: got %v", jar, err)
		}
	}
	d.jar, d.nobody = mine, true
	if w := d.browse(d.door.Return, "/auth/return/"+string(id), string(id)); w.Code != 401 || w.Header().Get("Location") != "" {
		t.Errorf("signed out: got %d %s", w.Code, w.Header().Get("Location"))
	}
	d.nobody = false
	if d.code(id) == "" {
		t.Error("the browser that asked gets no code")
	}
}

// TestTheSiteIsCheckedWhereItIsRegistered: the grant names the host that the person goes back to, checked if the owner registered just that
// address: another page of the same origin may send the code on to somebody who has the verifier.
func TestTheSiteIsCheckedWhereItIsRegistered(t *testing.T) {
	d := newDesk(t)
	for _, known := range []string{"", "https://other.example/back?x=1", "http://notes.example/back?x=1", "https://notes.example", "https://notes.example/back", callback} {
		d.known = known
		if g := d.standing(d.asked()); g.Site != "notes.example" || g.Checked != (known == callback) || g.ExpiresAt.Sub(g.CreatedAt) != 10*time.Minute {
			t.Errorf("with %q registered: got %q %v until %s", known, g.Site, g.Checked, g.ExpiresAt)
		}
	}
}
