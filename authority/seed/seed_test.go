package seed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/seed"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const (
	issuer     = "https://broker.example"
	hmacSecret = "0123456789abcdef0123456789abcdef"
	ownerKey   = "the-owner"
	goodScope  = `{"provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":100,"rateLimit":60}`
)

// desk is the REST API on a store in memory, with the real control of grants and the real tokens, and a clock that the test moves.
type desk struct {
	t      *testing.T
	store  *storetest.Memory
	ctl    *authority.Control
	tokens *token.Service
	flood  *flood.Limit
	from   string // the client's address
	now    time.Time
	ids    int
	mux    *http.ServeMux
}

type quiet struct{}

func (quiet) End(passport.GrantID, error) int { return 0 }
func (quiet) EndAll(error) int                { return 0 }

func (quiet) EndKey(passport.TokenID, error) int { return 0 }

func (quiet) Quiet(context.Context, passport.GrantID) {}

type owner struct{}

func (owner) Who(r *http.Request) (passport.Person, error) {
	if r.Header.Get("Authorization") != "Bearer "+ownerKey {
		return passport.Person{}, problem.New(problem.Unauthenticated, "sign in first")
	}
	return passport.Person{ID: "person", Role: passport.RoleOwner}, nil
}

const tokensPerMinute = 60

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: storetest.NewMemory(), now: time.Date(2026, 11, 23, 12, 0, 0, 7_000_000, time.UTC)}
	clock := func() time.Time { return d.now }
	d.ctl = &authority.Control{Store: d.store, Ceilings: d.store, SDKKeys: d.store, Family: d.store, Recall: quiet{}, Now: clock, NewID: d.newID, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar,
		Defaults: passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(10_000), RateLimit: passport.LimitOf(600)}}
	d.tokens, d.from = d.service(d.store), "192.0.2.1"
	d.flood = &flood.Limit{PerMinute: 1 << 20, Now: clock}
	api := &seed.API{
		Control: d.ctl, Providers: func() []passport.Provider { return append(slices.Clone(passport.Providers), "mistral") }, Tokens: d.tokens, Owner: owner{}, Flood: d.flood, Issues: &flood.Limit{PerMinute: tokensPerMinute, Now: clock}, Now: clock,
		ClientAddr: func(*http.Request) netip.Addr { return netip.MustParseAddr(d.from) },
		ConsentURL: func(g passport.GrantID) string { return issuer + "/consent/" + string(g) },
	}
	d.mux = http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"POST /grant-requests": api.CreateRequest, "GET /grants": api.List, "GET /grants/{id}": api.Read,
		"POST /grants/{id}/approve": api.Approve, "POST /grants/{id}/deny": api.Deny, "POST /grants/{id}/revoke": api.Revoke,
		"POST /grants/{id}/pause": api.Pause, "POST /grants/{id}/resume": api.Resume,
		"GET /grants/{id}/keys": api.ListKeys, "POST /grants/{id}/keys": api.MakeKey, "POST /grants/{id}/keys/{key}/revoke": api.RevokeKey,
		"POST /tokens": api.IssueToken, "GET /tokens/{token}/inspect": api.Inspect,
	} {
		d.mux.HandleFunc(pattern, h)
	}
	return d
}

func (d *desk) newID() string {
	d.ids++
	return fmt.Sprintf("id-%d", d.ids)
}

// Fresh is false: the tests have a bearer.
func (owner) Fresh(*http.Request) bool { return false }

// service signs with JWT_SECRET; two of them trust each other's tokens and know their own store's only.
func (d *desk) service(store token.Store) *token.Service {
	d.t.Helper()
	box, err := seal.Open(filepath.Join(d.t.TempDir(), "kek"))
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := token.New(d.t.Context(), token.Config{
		Box:   box,
		Store: store, Issuer: issuer, Audience: issuer, TTL: time.Hour, HMACSecret: secret.New(hmacSecret),
		Now: func() time.Time { return d.now }, NewID: d.newID,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// answer is what came back; body is nil if it is no JSON object.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.text) }

// get is a member by its path.
func (a answer) get(path string) any {
	var v any = a.body
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (a answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// failed says whether an answer is an error of the seed's, with exactly its one member and its words.
func (a answer) failed(status int, text string) bool {
	return a.status == status && len(a.body) == 1 && a.body["error"] == text
}

// send makes a request; a body that is not empty is JSON unless the headers say otherwise ("Name: value").
func (d *desk) send(method, path, body string, headers ...string) answer {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	json.Unmarshal(w.Body.Bytes(), &a.body)
	if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "application/json") || !json.Valid(w.Body.Bytes()) {
		d.t.Errorf("%s %s: %s is %q, not JSON", method, path, w.Body, ct)
	}
	return a
}

func (d *desk) owner(method, path, body string, headers ...string) answer {
	d.t.Helper()
	return d.send(method, path, body, append(headers, "Authorization: Bearer "+ownerKey)...)
}

// asked is a pending grant as its app knows it.
type asked struct{ id, secret string }

func (a asked) body() string { return fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, a.id, a.secret) }

func (d *desk) ask() asked {
	d.t.Helper()
	a := d.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example","reason":"why","scope":`+goodScope+`}`)
	if a.status != 201 {
		d.t.Fatal(a)
	}
	return asked{a.str("grant.id"), a.str("grantSecret")}
}

// in is a grant in a state, by its name on the wire.
func (d *desk) in(state string) asked {
	d.t.Helper()
	g := d.ask()
	for _, step := range map[string][]string{"pending": {}, "approved": {"approve"}, "denied": {"deny"}, "revoked": {"approve", "revoke"},
		"paused": {"approve", "pause"}, "expired": {"approve"}}[state] {
		if a := d.owner("POST", "/grants/"+g.id+"/"+step, ""); a.status != 200 {
			d.t.Fatal(a)
		}
	}
	if state == "expired" {
		d.now = d.now.Add(time.Hour)
	}
	if a := d.owner("GET", "/grants/"+g.id, ""); a.str("status") != state {
		d.t.Fatalf("got %s, want status %s", a, state)
	}
	return g
}

// iso is a time as the seed writes it.
func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
