package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// exchanger is a token endpoint that exchanges, with real tokens and grants on a store in memory. Clients are whoever client_id says, and
// the key that is proved is what the header DPoP says: both are others' to check.
type exchanger struct {
	t      *testing.T
	store  *storetest.Memory
	tokens *token.Service
	ctl    *authority.Control
	server oauth.Endpoint
	now    time.Time
	ids    atomic.Int64
}

type subjects struct{ *token.Service }

func (s subjects) Subject(ctx context.Context, access string) (passport.Grant, time.Time, string, error) {
	p, standing, err := s.Look(ctx, access)
	if err == nil && p.Key {
		err = problem.New(problem.Unauthenticated, "an SDK key is no access token")
	}
	return standing.Grant, p.ExpiresAt, p.Confirm, err
}

type anyone struct{}

func (anyone) Authenticate(_ *http.Request, f wire.Form) (passport.Client, error) {
	return passport.Client{ID: passport.ClientID(f.Get("client_id")), Name: "Client " + f.Get("client_id")}, nil
}

type header struct{}

func (header) Prove(r *http.Request) (string, error) { return r.Header.Get("DPoP"), nil }

func newExchanger(t *testing.T) *exchanger {
	e := &exchanger{t: t, store: storetest.NewMemory(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return e.now }
	newID := func() string { return fmt.Sprintf("id-%d", e.ids.Add(1)) }
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	e.must(err)
	e.tokens, err = token.New(t.Context(), token.Config{Store: e.store, Box: box, Issuer: issuer, Audience: issuer, TTL: 15 * time.Minute, Now: clock, NewID: newID})
	e.must(err)
	e.ctl = &authority.Control{Store: e.store, Ceilings: e.store, SDKKeys: e.store, Family: e.store, Recall: recall.New(clock), Now: clock, NewID: newID, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar}
	x := &oauth.Exchange{Tokens: subjects{e.tokens}, Grants: e.ctl, Public: issuer, Resources: []string{"", "/v1"}, Now: clock, Flood: &flood.Limit{PerMinute: 60, Now: clock}}
	e.server = oauth.Endpoint{Clients: anyone{}, Proofs: header{}, Types: map[string]wire.GrantType{oauth.ExchangeType: x.Token}}
	return e
}

func (e *exchanger) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// grant is an active grant of a client, bound to a key if jkt is not empty, that may be passed on twice; with its token.
func (e *exchanger) grant(client passport.ClientID, jkt string) (passport.Grant, string) {
	e.t.Helper()
	d := passport.Detail{Provider: passport.OpenAI, Models: []string{"gpt-4o-mini"}, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(10), RateLimit: passport.LimitOf(60), MaxDelegationDepth: passport.LimitOf(2)}
	g := passport.Grant{ID: passport.GrantID(fmt.Sprintf("g-%d", e.ids.Add(1))), Version: 1, State: passport.GrantPending, AppName: "App of " + string(client), Client: client, JKT: jkt,
		Asked: []passport.Detail{d}, Details: []passport.Detail{d}, CreatedAt: e.now, ExpiresAt: e.now.Add(time.Hour)}
	e.must(e.store.AddGrant(e.t.Context(), g, passport.Event{ID: passport.EventID(g.ID), At: e.now, Grant: g.ID}))
	g, err := e.ctl.Approve(e.t.Context(), g.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays, Lifetime: time.Hour})
	e.must(err)
	access, _, err := e.tokens.Issue(e.t.Context(), g, "test")
	e.must(err)
	return g, access
}

// exchanged is what the token endpoint says.
type exchanged struct {
	wire.Answer
	Error       wire.Code `json:"error"`
	Description string    `json:"error_description"`
}

// exchange asks for an exchange of a token by a client; edit changes the request. An empty value takes a parameter away.
func (e *exchanger) exchange(client, subject, proof string, edit ...string) (a exchanged) {
	e.t.Helper()
	const kind = "urn:ietf:params:oauth:token-type:access_token"
	v := url.Values{"grant_type": {oauth.ExchangeType}, "client_id": {client}, "subject_token": {subject}, "subject_token_type": {kind}}
	for i := 0; i+1 < len(edit); i += 2 {
		v.Set(edit[i], edit[i+1])
	}
	r := httptest.NewRequest("POST", issuer+"/oauth/token", strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proof != "" {
		r.Header.Set("DPoP", proof)
	}
	w := httptest.NewRecorder()
	e.server.Token(w, r)
	e.must(json.Unmarshal(w.Body.Bytes(), &a))
	if (w.Code == http.StatusOK) != (a.Error == "" && a.AccessToken != "") {
		e.t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return a
}

// TestExchangeGivesANarrowerGrant: its own grant and token, without a refresh token, for no longer than the token that was exchanged.
func TestExchangeGivesANarrowerGrant(t *testing.T) {
	e := newExchanger(t)
	parent, access := e.grant("agent", "")
	e.now = e.now.Add(5 * time.Minute)
	a := e.exchange("agent", access, "", "authorization_details", `[{"type":"ai_access","provider":"openai","maxBudgetCents":7}]`, "resource", issuer+"/v1", "audience", issuer)
	if a.Error != "" || a.TokenType != "Bearer" || a.RefreshToken != "" || a.ExpiresIn != 600 || a.IssuedType != "urn:ietf:params:oauth:token-type:access_token" ||
		len(a.Details) != 1 || a.Details[0].MaxBudgetCents != passport.LimitOf(7) || a.Details[0].MaxDelegationDepth != passport.LimitOf(1) {
		t.Fatalf("got %+v", a)
	}
	_, s, err := e.tokens.Identify(t.Context(), a.AccessToken)
	if err != nil || s.Grant.ID != a.GrantID || s.Grant.Parent != parent.ID || s.Grant.Actor != `{"sub":"agent"}` || s.Total.Cap != 7*passport.Cent || s.Grant.AppName != "Client agent" {
		t.Errorf("got %+v, %v", s, err)
	}
	// A helper with a grant of its own is who acts then, with its own key; the next one nests.
	_, helper := e.grant("helper", "key-of-helper")
	a = e.exchange("agent", access, "", "actor_token", helper, "actor_token_type", "urn:ietf:params:oauth:token-type:access_token")
	if a.Error != "" || a.TokenType != "DPoP" {
		t.Fatalf("got %+v", a)
	}
	if b := e.exchange("helper", a.AccessToken, ""); b.Error != wire.InvalidDPoP {
		t.Errorf("got %+v, want a proof asked for", b)
	}
	b := e.exchange("helper", a.AccessToken, "key-of-helper")
	got, err := e.ctl.Standing(t.Context(), b.GrantID)
	if err != nil || got.Grant.Actor != `{"sub":"helper","act":{"sub":"helper"}}` || got.Grant.JKT != "key-of-helper" || len(got.Grant.Above) != 2 {
		t.Errorf("got %+v of %+v, %v", got.Grant, b, err)
	}
	if c := e.exchange("helper", b.AccessToken, "key-of-helper"); c.Error != wire.InvalidDetails || !strings.Contains(c.Description, "maxDelegationDepth") {
		t.Errorf("a third time: got %+v", c)
	}
	if _, _, err := e.ctl.Revoke(t.Context(), parent.ID, "owner:p"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.tokens.Identify(t.Context(), helper); problem.KindOf(err) != problem.Unauthenticated || problem.From(err).Field == "" {
		t.Errorf("the helper's own token: got %v, want it to live and ask for its proof", err)
	}
	for _, access := range []string{a.AccessToken, b.AccessToken} {
		if _, _, err := e.tokens.Look(t.Context(), access); err == nil {
			t.Error("a token below lives on after the revoke")
		}
	}
}

// TestExchangeRefuses: what is wrong is named, and nothing is granted.
func TestExchangeRefuses(t *testing.T) {
	e := newExchanger(t)
	g, access := e.grant("agent", "")
	bound, boundAccess := e.grant("agent", "a-key")
	ended, endedAccess := e.grant("agent", "")
	paused, pausedAccess := e.grant("agent", "")
	_, _, err := e.ctl.Revoke(t.Context(), ended.ID, "owner:p")
	e.must(err)
	_, _, err = e.ctl.Pause(t.Context(), paused.ID, "owner:p")
	e.must(err)
	key, _, err := e.tokens.NewKey(t.Context(), g, "k", g.ExpiresAt, "owner:p")
	e.must(err)
	details := func(members string) []string {
		return []string{"authorization_details", `[{"type":"ai_access","provider":"openai",` + members + `}]`}
	}
	for _, c := range []struct {
		name, client, subject, proof string
		edit                         []string
		code                         wire.Code
		says                         string
	}{
		{"another client", "thief", access, "", nil, wire.InvalidRequest, "another client"},
		{"no token", "agent", "", "", nil, wire.InvalidRequest, "subject_token"},
		{"no type", "agent", access, "", []string{"subject_token_type", ""}, wire.InvalidRequest, "subject_token_type"},
		{"a foreign type", "agent", access, "", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"}, wire.InvalidRequest, "subject_token_type"},
		{"no token of ours", "agent", "x.y.z", "", nil, wire.InvalidRequest, "subject_token"},
		{"an SDK key", "agent", key, "", nil, wire.InvalidRequest, "subject_token"},
		{"one that ended", "agent", endedAccess, "", nil, wire.InvalidRequest, "subject_token"},
		{"one that is paused", "agent", pausedAccess, "", nil, wire.TemporarilyUnavailable, ""},
		{"a bound one without its proof", "agent", boundAccess, "", nil, wire.InvalidDPoP, "bound to a key"},
		{"a bound one with another proof", "agent", boundAccess, "b-key", nil, wire.InvalidDPoP, "bound to a key"},
		{"another kind asked for", "agent", access, "", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, wire.InvalidRequest, "requested_token_type"},
		{"a scope", "agent", access, "", []string{"scope", "all"}, wire.InvalidScope, "scope"},
		{"another audience", "agent", access, "", []string{"audience", "https://other.example"}, wire.InvalidTarget, "audience"},
		{"a longer name of ours", "agent", access, "", []string{"resource", issuer + ".evil.example"}, wire.InvalidTarget, "resource"},
		{"an actor without its type", "agent", access, "", []string{"actor_token", access}, wire.InvalidRequest, "actor_token_type"},
		{"a type without its actor", "agent", access, "", []string{"actor_token_type", "urn:ietf:params:oauth:token-type:access_token"}, wire.InvalidRequest, "actor_token"},
		{"an actor of nobody", "agent", access, "", []string{"actor_token", "x", "actor_token_type", "urn:ietf:params:oauth:token-type:access_token"}, wire.InvalidRequest, "actor_token"},
		{"more money", "agent", access, "", details(`"maxBudgetCents":101`), wire.InvalidDetails, "maxBudgetCents"},
		{"more calls", "agent", access, "", details(`"maxRequests":11`), wire.InvalidDetails, "maxRequests"},
		{"more a minute", "agent", access, "", details(`"rateLimit":61`), wire.InvalidDetails, "rateLimit"},
		{"another model", "agent", access, "", details(`"models":["gpt-4o"]`), wire.InvalidDetails, "models"},
		{"any model", "agent", access, "", details(`"models":[]`), wire.InvalidDetails, "models"},
		{"another capability", "agent", access, "", details(`"capabilities":["images"]`), wire.InvalidDetails, "capabilities"},
		{"deeper", "agent", access, "", details(`"maxDelegationDepth":2`), wire.InvalidDetails, "maxDelegationDepth"},
		{"an unknown member", "agent", access, "", details(`"color":"red"`), wire.InvalidDetails, "color"},
		{"another provider", "agent", access, "", []string{"authorization_details", `[{"type":"ai_access","provider":"google"}]`}, wire.InvalidDetails, "provider"},
	} {
		a := e.exchange(c.client, c.subject, c.proof, c.edit...)
		if a.Error != c.code || !strings.Contains(a.Description, c.says) {
			t.Errorf("%s: got %s %q, want %s with %q", c.name, a.Error, a.Description, c.code, c.says)
		}
	}
	for _, parent := range []passport.GrantID{g.ID, bound.ID, ended.ID, paused.ID} {
		if list, err := e.ctl.Children(t.Context(), parent); err != nil || len(list) > 0 {
			t.Errorf("%s was passed on: %v, %v", parent, list, err)
		}
	}
	if a := e.exchange("agent", boundAccess, "a-key"); a.Error != "" || a.TokenType != "DPoP" {
		t.Errorf("a bound one with its proof: got %+v", a)
	}
	for n := 0; ; n++ {
		if a := e.exchange("agent", access, ""); a.Error != "" {
			if n != passport.MaxChildren || a.Error != wire.InvalidRequest {
				t.Errorf("got %+v after %d", a, n)
			}
			return
		}
	}
}

// TestExchangesOfAFamilyAreCountedTogether: what was passed on is no fresh start, or each helper would be as many rows again; another grant is.
func TestExchangesOfAFamilyAreCountedTogether(t *testing.T) {
	e := newExchanger(t)
	_, access := e.grant("app", "")
	_, other := e.grant("app", "")
	child := e.exchange("app", access, "")
	n := 1
	for _, subject := range []string{child.AccessToken, access} { // the child's first: its children are others than the parent's
		for range 31 {
			if a := e.exchange("app", subject, ""); a.Error == "" {
				n++
			}
		}
	}
	if n != 60 {
		t.Errorf("%d were passed on in a minute, want 60", n)
	}
	if a := e.exchange("app", other, ""); a.Error != "" {
		t.Errorf("another grant: %+v", a)
	}
}
