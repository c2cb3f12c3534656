package status_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/authority/status"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const issuer = "https://ai.example"

// bench is the endpoints over a store in memory, with real tokens. A client named confidential proves itself by Basic, others by their name.
type bench struct {
	*testing.T
	store   *storetest.Memory
	control *authority.Control
	board   *recall.Board
	tokens  *token.Service
	mux     *http.ServeMux
	now     time.Time
	ids     int
}

func (b *bench) Authenticate(r *http.Request, f wire.Form) (passport.Client, error) {
	if id, pass, ok := r.BasicAuth(); ok && pass == "secret" {
		return passport.Client{ID: passport.ClientID(id), Auth: passport.ClientBasic}, nil
	}
	if f.Has("client_id") && r.Header.Get("Authorization") == "" {
		return passport.Client{ID: passport.ClientID(f.Get("client_id")), Auth: passport.PublicClient}, nil
	}
	return passport.Client{}, wire.Bad(wire.InvalidClient, "who are you")
}

func (b *bench) Who(r *http.Request) (passport.Person, error) {
	if r.Header.Get("Authorization") == "Bearer the-owner" {
		return passport.Person{ID: "p", Role: passport.RoleOwner}, nil
	}
	return passport.Person{}, problem.New(problem.Unauthenticated, "sign in first")
}

func open(t *testing.T, hmac string) *bench {
	t.Helper()
	b := &bench{T: t, store: storetest.NewMemory(), now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return b.now }
	newID := func() string { b.ids++; return fmt.Sprintf("id-%d", b.ids) }
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	b.board = recall.New(clock)
	b.tokens, err = token.New(t.Context(), token.Config{Store: b.store, Box: box, Issuer: issuer, Audience: issuer, TTL: time.Hour, Now: clock, NewID: newID, HMACSecret: secret.New(hmac)})
	if err != nil {
		t.Fatal(err)
	}
	b.control = &authority.Control{Store: b.store, Family: b.store, Ceilings: b.store, SDKKeys: b.store, Recall: b.board, Now: clock, NewID: newID, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar,
		Defaults: passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(100), RateLimit: passport.LimitOf(60)}}
	s, err := status.New(status.Config{Clients: b, Tokens: b.tokens, Refresh: b.store, Control: b.control, Owner: b, Now: clock, Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	b.mux = http.NewServeMux()
	for p, h := range s.Routes() {
		b.mux.HandleFunc(p, h)
	}
	return b
}

// grant is an active grant of a client.
func (b *bench) grant(c passport.ClientID, jkt string) passport.Grant {
	b.Helper()
	g, _, err := b.control.Ask(b.Context(), authority.Request{AppName: "a", AppURL: "https://a.example", Client: c, JKT: jkt,
		Details: []passport.Detail{{Provider: passport.OpenAI, Models: []string{"m"}, Capabilities: []passport.Capability{passport.Chat}}}})
	if err == nil {
		g, err = b.control.Approve(b.Context(), g.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays, Lifetime: 2 * time.Hour})
	}
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func (b *bench) token(g passport.Grant) (string, passport.Token) {
	b.Helper()
	access, t, err := b.tokens.Issue(b.Context(), g, "x")
	if err != nil {
		b.Fatal(err)
	}
	return access, t
}

func (b *bench) refresh(g passport.Grant) string {
	b.Helper()
	text := "aipr_" + string(g.ID)
	if err := b.store.AddRefresh(b.Context(), passport.Refresh{Hash: sha256.Sum256([]byte(text)), Grant: g.ID, IssuedAt: b.now}, [32]byte{}); err != nil {
		b.Fatal(err)
	}
	return text
}

func (b *bench) post(path, form string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	return w
}

func basic(id string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":secret"))
}

func ofToken(text string) string { return url.Values{"token": {text}}.Encode() }

// TestIntrospection: a client, an app and the owner learn of their own tokens what was granted and what is left; RFC 7662 §2.2.
func TestIntrospection(t *testing.T) {
	b := open(t, "")
	g := b.grant("app", "")
	access, tok := b.token(g)
	want := map[string]any{"active": true, "client_id": "app", "sub": "p", "iss": issuer, "aud": issuer, "exp": float64(b.now.Add(time.Hour).Unix()), "iat": float64(b.now.Unix()),
		"jti": string(tok.ID), "token_type": "Bearer", "grant_id": string(g.ID), "remainingMicroUsd": 5e6, "remainingCalls": 100.0}
	for _, who := range []string{basic("app"), "Authorization: Bearer " + access, "Authorization: Bearer the-owner"} {
		w := b.post("/oauth/introspect", ofToken(access), who)
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: got %d %s", who, w.Code, w.Body)
		}
		details, _ := json.Marshal(got["authorization_details"])
		if !strings.Contains(string(details), `"type":"ai_access"`) || !strings.Contains(string(details), `"maxBudgetCents":500`) {
			t.Errorf("%s: the details are %s", who, details)
		}
		delete(got, "authorization_details")
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", who, got, want)
		}
	}
	refresh := b.refresh(g)
	if w := b.post("/oauth/introspect", ofToken(refresh), basic("app")); w.Code != 200 || !strings.Contains(w.Body.String(), `"active":true`) || strings.Contains(w.Body.String(), "token_type") {
		t.Errorf("a refresh token: %d %s", w.Code, w.Body)
	}
}

// TestThreat16ForeignIntrospection: what is not the asker's, does not work or is no token reads exactly {"active":false}; who proves nothing
// is refused.
func TestThreat16ForeignIntrospection(t *testing.T) {
	b := open(t, "")
	g, other, paused := b.grant("app", ""), b.grant("other", ""), b.grant("app", "")
	access, _ := b.token(g)
	foreign, _ := b.token(other)
	waiting, _ := b.token(paused)
	if _, _, err := b.control.Pause(t.Context(), paused.ID, "x"); err != nil {
		t.Fatal(err)
	}
	used := b.refresh(g)
	if err := b.store.RotateRefresh(t.Context(), sha256.Sum256([]byte(used)), sha256.Sum256([]byte("aipr_next")), b.now); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ token, who string }{
		"another client's":            {foreign, basic("app")},
		"another app's":               {foreign, "Authorization: Bearer " + access},
		"another's, refresh":          {b.refresh(other), basic("app")},
		"paused":                      {waiting, basic("app")},
		"used refresh":                {used, basic("app")},
		"unknown refresh":             {"aipr_x", basic("app")},
		"unknown":                     {"x.y.z", basic("app")},
		"unknown key":                 {"aip_x", basic("app")},
		"an introspection answer":     {b.signed(access), basic("app")},
		"unknown, and the owner asks": {"x", "Authorization: Bearer the-owner"},
	} {
		if w := b.post("/oauth/introspect", ofToken(c.token), c.who); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"active":false}` {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	for name, c := range map[string]struct {
		form, who, code string
		status          int
	}{
		"nobody":             {ofToken(access), "X: y", "invalid_client", 401},
		"a public client":    {ofToken(access) + "&client_id=app", "X: y", "invalid_client", 401},
		"a wrong secret":     {ofToken(access), "Authorization: Basic YTpi", "invalid_client", 401},
		"a wrong bearer":     {ofToken(access), "Authorization: Bearer x", "invalid_token", 401},
		"a bearer as DPoP":   {ofToken(access), "Authorization: DPoP " + access, "invalid_token", 401},
		"a paused bearer":    {ofToken(access), "Authorization: Bearer " + waiting, "invalid_token", 401},
		"no token":           {"x=y", basic("app"), "invalid_request", 400},
		"two tokens":         {"token=a&token=b", basic("app"), "invalid_request", 400},
		"a token too long":   {"token=" + strings.Repeat("a", token.MaxToken+1), basic("app"), "invalid_request", 400},
		"a hint too long":    {ofToken(access) + "&token_type_hint=" + strings.Repeat("a", 101), basic("app"), "invalid_request", 400},
		"revoke: nobody":     {ofToken(access), "X: y", "invalid_client", 401},
		"revoke: no bearer":  {ofToken(access), "Authorization: Bearer x", "invalid_token", 401},
		"revoke: another's":  {ofToken(foreign), basic("app"), "invalid_request", 400},
		"revoke: another's.": {ofToken(b.refresh2(other)), basic("app"), "invalid_request", 400},
		"revoke: no token":   {"x=y", basic("app"), "invalid_request", 400},
	} {
		path := "/oauth/introspect"
		if strings.HasPrefix(name, "revoke") {
			path = "/oauth/revoke"
		}
		if w := b.post(path, c.form, c.who); w.Code != c.status || !strings.Contains(w.Body.String(), `"error":"`+c.code+`"`) || w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	if _, _, err := b.tokens.Identify(t.Context(), foreign); err != nil {
		t.Errorf("the foreign token was ended: %v", err)
	}
	if s, err := b.control.Standing(t.Context(), other.ID); err != nil || s.Grant.State != passport.GrantActive {
		t.Errorf("the foreign grant is %s", s.Grant.State)
	}
}

// refresh2 is the refresh token that refresh has made.
func (b *bench) refresh2(g passport.Grant) string { return "aipr_" + string(g.ID) }

func (b *bench) signed(access string) string {
	b.Helper()
	w := b.post("/oauth/introspect", ofToken(access), basic("app"), "Accept: application/token-introspection+jwt")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/token-introspection+jwt" {
		b.Fatalf("got %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestSignedIntrospection: a JWT of its own type for the client that asked (RFC 9701 §5), that is no access token; with a shared secret, none.
func TestSignedIntrospection(t *testing.T) {
	b := open(t, "")
	access, _ := b.token(b.grant("app", ""))
	parts := strings.Split(b.signed(access), ".")
	var header struct{ Typ, Alg, Kid string }
	var claims struct {
		Iss, Aud string
		Iat      int64
		Told     struct {
			Active bool
			Client string `json:"client_id"`
		} `json:"token_introspection"`
	}
	for i, v := range []any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, v) != nil {
			t.Fatal(err)
		}
	}
	if header.Typ != "token-introspection+jwt" || header.Alg != "ES256" || !strings.Contains(string(b.tokens.JWKS()), header.Kid) || header.Kid == "" {
		t.Errorf("the header is %+v", header)
	}
	if claims.Iss != issuer || claims.Aud != "app" || claims.Iat != b.now.Unix() || !claims.Told.Active || claims.Told.Client != "app" {
		t.Errorf("the claims are %+v", claims)
	}
	h := open(t, "0123456789abcdef0123456789abcdef")
	access, _ = h.token(h.grant("app", ""))
	if w := h.post("/oauth/introspect", ofToken(access), basic("app"), "Accept: application/token-introspection+jwt"); w.Code != 415 {
		t.Errorf("with a shared secret: got %d %s", w.Code, w.Body)
	}
}

// TestRevocation: an access token ends alone and with its calls in flight, a refresh token ends its grant, and what nobody knows is a success
// (RFC 7009 §2).
func TestRevocation(t *testing.T) {
	b := open(t, "")
	g := b.grant("app", "")
	access, tok := b.token(g)
	stays, also := b.token(g)
	ctx, release := b.board.WatchKey(t.Context(), g.ID, tok.ID, b.now.Add(time.Hour))
	defer release()
	goes, release2 := b.board.WatchKey(t.Context(), g.ID, also.ID, b.now.Add(time.Hour))
	defer release2()
	w := b.post("/oauth/revoke", ofToken(access)+"&client_id=app")
	if w.Code != 200 || w.Body.Len() != 0 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if problem.KindOf(context.Cause(ctx)) != problem.GrantEnded || goes.Err() != nil {
		t.Errorf("in flight: %v and %v", context.Cause(ctx), goes.Err())
	}
	if _, _, err := b.tokens.Identify(t.Context(), access); problem.KindOf(err) != problem.Unauthenticated {
		t.Errorf("the token: got %v", err)
	}
	if _, _, err := b.tokens.Identify(t.Context(), stays); err != nil {
		t.Errorf("another token of the grant: %v", err)
	}
	for _, text := range []string{access, "x", "aip_x", "aipr_x"} {
		if w := b.post("/oauth/revoke", ofToken(text)+"&token_type_hint=refresh_token", basic("app")); w.Code != 200 {
			t.Errorf("%s: got %d %s", text, w.Code, w.Body)
		}
	}
	if _, _, err := b.control.Pause(t.Context(), g.ID, "x"); err != nil {
		t.Fatal(err)
	}
	if w := b.post("/oauth/revoke", ofToken(b.refresh(g)), basic("app")); w.Code != 200 {
		t.Errorf("a refresh token: got %d %s", w.Code, w.Body)
	}
	s, err := b.control.Standing(t.Context(), g.ID)
	if err != nil || s.Grant.State != passport.GrantRevoked {
		t.Errorf("the grant is %s %v", s.Grant.State, err)
	}
	at := s.Grant.RevokedAt
	b.now = b.now.Add(time.Second)
	if w := b.post("/oauth/revoke", ofToken("aipr_"+string(g.ID)), basic("app")); w.Code != 200 {
		t.Errorf("again: got %d", w.Code)
	}
	if s, err := b.control.Standing(t.Context(), g.ID); err != nil || !s.Grant.RevokedAt.Equal(at) {
		t.Errorf("revoked anew: %v %v", s.Grant.RevokedAt, err)
	}
}
