package device_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/device"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/web"
)

const (
	public  = "https://passport.example"
	details = `[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500}]`
)

// desk is the device flow on a store in memory, with the real control of grants and the real token endpoint. Clients are whom they say
// they are, a proof is the text of the DPoP header, tokens are counted, and the clock is the test's.
type desk struct {
	t     *testing.T
	store *storetest.Memory
	ctl   *authority.Control
	pages *web.Pages
	mux   *http.ServeMux
	mu    sync.Mutex // guards now
	now   time.Time
	from  string // the caller's address
	who   web.Visitor
	given atomic.Int64
	ids   atomic.Int64
}

type quiet struct{}

func (quiet) End(passport.GrantID, error) int         { return 0 }
func (quiet) EndAll(error) int                        { return 0 }
func (quiet) EndKey(passport.TokenID, error) int      { return 0 }
func (quiet) Quiet(context.Context, passport.GrantID) {}

func (d *desk) Authenticate(_ *http.Request, f wire.Form) (passport.Client, error) {
	if id := f.Get("client_id"); strings.HasPrefix(id, "app") {
		return passport.Client{ID: passport.ClientID(id), Name: "A terminal", URI: "https://terminal.example", Auth: passport.PublicClient}, nil
	}
	return passport.Client{}, wire.Bad(wire.InvalidClient, "client_id: there is no such client")
}

func (d *desk) Prove(r *http.Request) (string, error) { return r.Header.Get("DPoP"), nil }

func (d *desk) Visitor(*http.Request) (web.Visitor, error) {
	if d.who.ID == "" {
		return web.Visitor{}, problem.New(problem.Unauthenticated, "sign in first")
	}
	return d.who, nil
}

func (d *desk) clock() time.Time { d.mu.Lock(); defer d.mu.Unlock(); return d.now }
func (d *desk) wait(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: storetest.NewMemory(), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), from: "192.0.2.44",
		who: web.NewVisitor("person", "Ada", passport.RoleOwner, []byte("session one"))}
	d.ctl = &authority.Control{Store: d.store, Ceilings: d.store, SDKKeys: d.store, Family: d.store, Recall: quiet{}, Now: d.clock,
		NewID: func() string { return fmt.Sprintf("id-%04d", d.ids.Add(1)) }, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar,
		Defaults: passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(100), RateLimit: passport.LimitOf(60)}}
	var err error
	if d.pages, err = web.New(web.Options{PublicURL: public}); err != nil {
		t.Fatal(err)
	}
	dev, err := device.New(device.Config{Clients: d, Proofs: d, Control: d.ctl, Codes: d.store, Shown: d.store, Pages: d.pages, People: d,
		Give: func(_ context.Context, g passport.Grant, _ wire.Call) (wire.Answer, error) {
			return wire.Answer{AccessToken: fmt.Sprint("token-", d.given.Add(1)), TokenType: wire.Bearer, GrantID: g.ID}, nil
		},
		Providers: func() []passport.Provider { return passport.Providers }, PublicURL: public, Resources: []string{"", "/v1"},
		ClientAddr: func(*http.Request) netip.Addr { return netip.MustParseAddr(d.from) }, Now: d.clock})
	if err != nil {
		t.Fatal(err)
	}
	as := oauth.Endpoint{Clients: d, Proofs: d, Types: map[string]wire.GrantType{device.GrantType: dev.Token}}
	d.mux = http.NewServeMux()
	d.mux.HandleFunc("POST /oauth/device_authorization", dev.Authorize)
	d.mux.HandleFunc("POST /oauth/token", as.Token)
	for pattern, h := range dev.Routes() {
		d.mux.HandleFunc(pattern, h)
	}
	return d
}

// answer is what an endpoint says.
type answer struct {
	status int
	body   map[string]any
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }

func (d *desk) post(path string, form url.Values, proof string) answer {
	d.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proof != "" {
		r.Header.Set("DPoP", proof)
	}
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	a := answer{status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
		d.t.Errorf("%s: %v in %s", path, err, w.Body)
	}
	return a
}

func (d *desk) ask(client, proof string) answer {
	d.t.Helper()
	a := d.post("/oauth/device_authorization", url.Values{"client_id": {client}, "authorization_details": {details}}, proof)
	if a.status != 200 {
		d.t.Fatalf("device_authorization: got %d %v", a.status, a.body)
	}
	return a
}

func (d *desk) poll(client, code, proof string) answer {
	d.t.Helper()
	return d.post("/oauth/token", url.Values{"grant_type": {device.GrantType}, "client_id": {client}, "device_code": {code}}, proof)
}

// grant is the grant that a user code leads to.
func (d *desk) grant(userCode string) passport.GrantID {
	d.t.Helper()
	dc, err := d.store.DeviceCodeOfUser(d.t.Context(), strings.ReplaceAll(userCode, "-", ""))
	if err != nil {
		d.t.Fatal(err)
	}
	return dc.Grant
}

func (d *desk) approve(userCode string) {
	d.t.Helper()
	if _, err := d.ctl.Approve(d.t.Context(), d.grant(userCode), passport.Approval{Owner: "person", Payer: passport.OwnerPays, Lifetime: time.Hour}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) want(a answer, code string) {
	d.t.Helper()
	if a.text("error") != code || a.status != 400 {
		d.t.Errorf("got %d %v, want 400 %s", a.status, a.body, code)
	}
}

func TestADeviceGetsWhatThePersonGave(t *testing.T) {
	d := newDesk(t)
	a := d.ask("app-1", "")
	user := a.text("user_code")
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(user) || len(a.text("device_code")) != 43 {
		t.Fatalf("got codes %v", a.body)
	}
	if a.text("verification_uri") != public+"/device" || a.text("verification_uri_complete") != public+"/device?user_code="+user ||
		a.body["expires_in"] != 600.0 || a.body["interval"] != 5.0 {
		t.Errorf("got %v", a.body)
	}
	s, err := d.ctl.Standing(t.Context(), d.grant(user))
	if g := s.Grant; err != nil || g.Client != "app-1" || g.JKT != "" || g.Site != "" || g.Checked || g.ExpiresAt.Sub(g.CreatedAt) != passport.DeviceCodeLife {
		t.Errorf("the grant that waits is %+v, %v", g, err)
	}
	d.want(d.poll("app-1", a.text("device_code"), ""), "authorization_pending")
	d.approve(user)
	d.wait(5 * time.Second)
	got := d.poll("app-1", a.text("device_code"), "")
	if got.status != 200 || got.text("access_token") != "token-1" {
		t.Fatalf("got %d %v", got.status, got.body)
	}
	d.wait(5 * time.Second)
	d.want(d.poll("app-1", a.text("device_code"), ""), "invalid_grant") // it is used once
}

func TestEveryAnswerIsTold(t *testing.T) {
	d := newDesk(t)
	denied := d.ask("app-1", "")
	if _, err := d.ctl.Deny(t.Context(), d.grant(denied.text("user_code")), "owner:person"); err != nil {
		t.Fatal(err)
	}
	d.want(d.poll("app-1", denied.text("device_code"), ""), "access_denied")

	late := d.ask("app-1", "")
	d.wait(passport.DeviceCodeLife - time.Second)
	d.want(d.poll("app-1", late.text("device_code"), ""), "authorization_pending")
	d.wait(time.Second)
	d.want(d.poll("app-1", late.text("device_code"), ""), "slow_down")
	d.wait(9 * time.Second)
	d.want(d.poll("app-1", late.text("device_code"), ""), "expired_token")

	// Approved in time and fetched a little later, and much later.
	a, b := d.ask("app-1", ""), d.ask("app-1", "")
	d.approve(a.text("user_code"))
	d.approve(b.text("user_code"))
	d.wait(passport.DeviceCodeLife + time.Minute - time.Second)
	if got := d.poll("app-1", a.text("device_code"), ""); got.status != 200 {
		t.Errorf("within a minute: got %v", got.body)
	}
	d.wait(time.Second)
	d.want(d.poll("app-1", b.text("device_code"), ""), "expired_token")

	// A grant that ended or waits before the device came.
	gone := d.ask("app-1", "")
	d.approve(gone.text("user_code"))
	if _, _, err := d.ctl.Revoke(t.Context(), d.grant(gone.text("user_code")), "owner:person"); err != nil {
		t.Fatal(err)
	}
	d.want(d.poll("app-1", gone.text("device_code"), ""), "access_denied")
	if d.given.Load() != 1 {
		t.Errorf("%d tokens were given, want 1", d.given.Load())
	}
}

// TestTooFastIsSlowedDown: each early poll costs five seconds from then on (RFC 8628 §3.5), an approval changes nothing in that.
func TestTooFastIsSlowedDown(t *testing.T) {
	d := newDesk(t)
	a := d.ask("app-1", "")
	poll := func(after time.Duration, want string) {
		t.Helper()
		d.wait(after)
		d.want(d.poll("app-1", a.text("device_code"), ""), want)
	}
	poll(0, "authorization_pending")
	poll(3900*time.Millisecond, "slow_down") // 10 s from now on
	poll(5*time.Second, "slow_down")         // 15 s
	poll(15*time.Second, "authorization_pending")
	poll(13900*time.Millisecond, "slow_down") // 20 s: what was learned stays
	d.approve(a.text("user_code"))
	poll(10*time.Second, "slow_down") // 25 s
	d.wait(25 * time.Second)
	if got := d.poll("app-1", a.text("device_code"), ""); got.status != 200 {
		t.Errorf("got %v", got.body)
	}
}

// TestACodeIsItsClientsAndItsKeys: in no other hands is it worth anything, and all are told the same.
func TestACodeIsItsClientsAndItsKeys(t *testing.T) {
	d := newDesk(t)
	a := d.ask("app-1", "key-one")
	d.approve(a.text("user_code"))
	first := d.poll("app-2", a.text("device_code"), "key-one")
	d.want(first, "invalid_grant")
	for name, got := range map[string]answer{
		"no proof":    d.poll("app-1", a.text("device_code"), ""),
		"another key": d.poll("app-1", a.text("device_code"), "key-two"),
		"made up":     d.poll("app-1", strings.Repeat("A", 43), "key-one"),
		"user code":   d.poll("app-1", a.text("user_code"), "key-one"),
	} {
		if d.want(got, "invalid_grant"); got.text("error_description") != first.text("error_description") {
			t.Errorf("%s: got %v, want the words of another client's", name, got.body)
		}
	}
	if got := d.poll("app-1", a.text("device_code"), "key-one"); got.status != 200 {
		t.Errorf("the right one: got %v", got.body)
	}
	d.want(d.poll("app-1", "", ""), "invalid_request")
	d.want(d.poll("app-1", strings.Repeat("A", 200), ""), "invalid_request")
}

// TestManyPollsGiveOneToken: twenty at once, one token.
func TestManyPollsGiveOneToken(t *testing.T) {
	d := newDesk(t)
	a := d.ask("app-1", "")
	d.approve(a.text("user_code"))
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 20 {
		wg.Go(func() {
			if d.poll("app-1", a.text("device_code"), "").status == 200 {
				good.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 || d.given.Load() != 1 {
		t.Errorf("%d polls were answered and %d tokens given, want one", good.Load(), d.given.Load())
	}
}

func TestWhatADeviceAsksIsChecked(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		form url.Values
		code string
		text string
	}{
		"a stranger":      {url.Values{"client_id": {"who"}, "authorization_details": {details}}, "invalid_client", "client_id"},
		"nothing":         {url.Values{"client_id": {"app-1"}}, "invalid_request", "authorization_details: is missing"},
		"no JSON":         {url.Values{"client_id": {"app-1"}, "authorization_details": {"{"}}, "invalid_authorization_details", "authorization_details"},
		"another type":    {url.Values{"client_id": {"app-1"}, "authorization_details": {`[{"type":"x","provider":"openai","models":[],"capabilities":["chat"]}]`}}, "invalid_authorization_details", "type"},
		"a lost provider": {url.Values{"client_id": {"app-1"}, "authorization_details": {`[{"type":"ai_access","provider":"x","models":[],"capabilities":["chat"]}]`}}, "invalid_authorization_details", "provider"},
		"more of a grant": {url.Values{"client_id": {"app-1"}, "authorization_details": {details}, "grant_id": {"g"}}, "invalid_request", "grant_id"},
		"another server":  {url.Values{"client_id": {"app-1"}, "authorization_details": {details}, "resource": {public + "/v1", public + ".evil.example"}}, "invalid_target", "resource"},
	} {
		got := d.post("/oauth/device_authorization", c.form, "")
		if got.text("error") != c.code || !strings.Contains(got.text("error_description"), c.text) {
			t.Errorf("%s: got %d %v, want %s with %q", name, got.status, got.body, c.code, c.text)
		}
	}
	if list, err := d.ctl.Standings(t.Context(), passport.OwnerPays, time.Time{}, 10); err != nil || len(list) != 0 {
		t.Errorf("refused requests left %d grants, %v", len(list), err)
	}
	for range 40 {
		d.post("/oauth/device_authorization", url.Values{"client_id": {"app-1"}, "authorization_details": {details}}, "")
	}
	if list, err := d.ctl.Standings(t.Context(), passport.OwnerPays, time.Time{}, 100); err != nil || len(list) > 30 {
		t.Errorf("one address made %d requests within a minute, %v", len(list), err)
	}
}

// TestLettersAreEquallyLikely: of 400,000 letters each of the 20 comes about 20,000 times, with a standard deviation of 138. A plain
// remainder of a byte would bring four of them 18,750 times.
func TestLettersAreEquallyLikely(t *testing.T) {
	seen := map[rune]int{}
	for range 50_000 {
		for _, c := range device.NewUserCode() {
			seen[c]++
		}
	}
	if len(seen) != 20 {
		t.Errorf("got %d letters, want 20", len(seen))
	}
	for c, n := range seen {
		if n < 19_200 || n > 20_800 {
			t.Errorf("%c came %d times of 400,000", c, n)
		}
	}
}
