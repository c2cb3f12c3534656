package oauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/web"
)

const (
	issuer   = "https://ai.example"
	callback = "https://app.example/done?from=ai"
	verifier = "a-verifier-of-43-characters-at-the-very-least~"
	details  = `[{"type":"ai_access","provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500}]`
)

// bench is the endpoints over a store in memory, with real tokens. Clients name themselves; a DPoP header is its own thumbprint.
type bench struct {
	*testing.T
	*oauth.OAuth
	control *authority.Control
	store   *storetest.Memory
	tokens  *token.Service
	mux     *http.ServeMux
	now     atomic.Int64 // ms after the start
	signed  bool         // somebody is signed in
	member  bool         // and that is not who gives
	from    string       // address
	clients map[passport.ClientID]passport.Client
}

var start = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func (b *bench) clock() time.Time        { return start.Add(time.Duration(b.now.Load()) * time.Millisecond) }
func (b *bench) advance(d time.Duration) { b.now.Add(int64(d / time.Millisecond)) }

func (b *bench) Client(_ context.Context, id passport.ClientID) (passport.Client, error) {
	c, ok := b.clients[id]
	if !ok {
		return c, problem.New(problem.NotFound, "there is no such client")
	}
	return c, nil
}

func (b *bench) Authenticate(r *http.Request, f wire.Form) (passport.Client, error) {
	c, ok := b.clients[passport.ClientID(f.Get("client_id"))]
	if !ok {
		return c, wire.Bad(wire.InvalidClient, "client_id: there is no such client")
	}
	return c, nil
}

func (b *bench) Prove(r *http.Request) (string, error) { return r.Header.Get("DPoP"), nil }

func (b *bench) Visitor(*http.Request) (web.Visitor, error) {
	if !b.signed {
		return web.Visitor{}, problem.New(problem.Unauthenticated, "sign in first")
	}
	if b.member {
		return web.NewVisitor("p2", "Bob", passport.RoleMember, []byte("another session")), nil
	}
	return web.NewVisitor("p1", "Ada", passport.RoleOwner, []byte("session")), nil
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, store: storetest.NewMemory(), mux: http.NewServeMux(), signed: true, from: "192.0.2.1", clients: map[passport.ClientID]passport.Client{
		"app":   {ID: "app", Kind: passport.ClientOwned, Name: "Notes", URI: "https://app.example", RedirectURIs: []string{callback, "http://127.0.0.1/cb"}},
		"other": {ID: "other", Kind: passport.ClientRegistered, Name: "Other", RedirectURIs: []string{callback}},
		"one":   {ID: "one", Kind: passport.ClientRegistered, Name: "One", RedirectURIs: []string{"com.example.app:/done"}},
		"proof": {ID: "proof", Kind: passport.ClientOwned, Name: "Proof", RedirectURIs: []string{callback}, DPoP: true},
	}}
	var n atomic.Int64
	newID := func() string { return "id-" + strconv.FormatInt(n.Add(1), 10) }
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	b.ok(err)
	b.tokens, err = token.New(t.Context(), token.Config{Store: b.store, Box: box, Issuer: issuer, Audience: issuer, TTL: 15 * time.Minute, Now: b.clock, NewID: newID})
	b.ok(err)
	b.control = &authority.Control{Store: b.store, Ceilings: b.store, SDKKeys: b.store, Family: b.store, Recall: recall.New(b.clock), Now: b.clock, NewID: newID, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar,
		Defaults: passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(100), RateLimit: passport.LimitOf(60)}}
	pages, err := web.New(web.Options{PublicURL: issuer})
	b.ok(err)
	b.OAuth, err = oauth.New(oauth.Config{Clients: b, Proofs: b, Tokens: b.tokens, People: b, Control: b.control, Store: b.store, MAC: box, Pages: pages, Now: b.clock,
		NewID: newID, Issuer: issuer, Resources: []string{"", "/v1", "/anthropic"}, Providers: func() []passport.Provider { return passport.Providers },
		ClientAddr: func(*http.Request) netip.Addr { return netip.MustParseAddr(b.from) }, PerMinute: 1000})
	b.ok(err)
	for pattern, h := range b.Routes() {
		b.mux.HandleFunc(pattern, h)
	}
	for pattern, h := range b.Pages() {
		b.mux.HandleFunc(pattern, h)
	}
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// set copies parameters and changes some, name and value in turn; an empty value takes one away.
func set(v url.Values, changes ...string) url.Values {
	out := url.Values{}
	for name, list := range v {
		out[name] = list
	}
	for i := 0; i < len(changes); i += 2 {
		if out.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			out.Del(changes[i])
		}
	}
	return out
}

// request is a good authorization request, changed.
func request(changes ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return set(url.Values{"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"st/a te"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "authorization_details": {details}}, changes...)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) code() string { s, _ := a.json["error"].(string); return s }

func (a answer) text(name string) string { s, _ := a.json[name].(string); return s }

func (b *bench) do(r *http.Request) answer {
	b.Helper()
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	b.ok(err)
	a := answer{status: w.Code, header: w.Result().Header, body: string(body)}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		b.ok(json.Unmarshal(body, &a.json))
	}
	return a
}

func (b *bench) post(path string, v url.Values, dpop string) answer {
	b.Helper()
	r := httptest.NewRequest("POST", issuer+path, strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if dpop != "" {
		r.Header.Set("DPoP", dpop)
	}
	return b.do(r)
}

func (b *bench) get(path string, cookies ...*http.Cookie) answer {
	b.Helper()
	r := httptest.NewRequest("GET", issuer+path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return b.do(r)
}

// opened is a grant that was asked for, with the cookie of the browser that opened it.
type opened struct {
	id     passport.GrantID
	cookie *http.Cookie
}

func (b *bench) authorize(v url.Values) opened {
	b.Helper()
	a := b.get("/oauth/authorize?" + v.Encode())
	id, ok := strings.CutPrefix(a.header.Get("Location"), "/consent/")
	if a.status != 303 || !ok {
		b.Fatalf("got %d %q %s", a.status, a.header.Get("Location"), a.body)
	}
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	b.ok(err)
	return opened{passport.GrantID(id), cookie}
}

func (b *bench) approve(o opened) {
	b.Helper()
	_, err := b.control.Approve(b.Context(), o.id, passport.Approval{Owner: "p1", Payer: passport.OwnerPays, Lifetime: time.Hour})
	b.ok(err)
}

// back is where the browser is sent at the end: the parameters that the app gets.
func (b *bench) back(o opened) url.Values {
	b.Helper()
	a := b.get("/oauth/return/"+string(o.id), o.cookie)
	if a.status != 303 {
		b.Fatalf("got %d %s", a.status, a.body)
	}
	u, err := url.Parse(a.header.Get("Location"))
	b.ok(err)
	return u.Query()
}

// code is one for a grant that was approved.
func (b *bench) code(v url.Values) (string, passport.GrantID) {
	b.Helper()
	o := b.authorize(v)
	b.approve(o)
	q := b.back(o)
	if q.Get("code") == "" {
		b.Fatalf("got %v", q)
	}
	return q.Get("code"), o.id
}

func redeem(code string, changes ...string) url.Values {
	return set(url.Values{"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {callback}}, changes...)
}

func refresh(text string, changes ...string) url.Values {
	return set(url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {text}}, changes...)
}

func (b *bench) works(access string) error {
	_, _, err := b.tokens.Identify(context.Background(), access)
	return err
}

func (b *bench) given(a answer) (access, next string) {
	b.Helper()
	if a.status != 200 {
		b.Fatalf("got %d %s", a.status, a.body)
	}
	return fmt.Sprint(a.json["access_token"]), fmt.Sprint(a.json["refresh_token"])
}
