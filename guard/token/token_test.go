package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

func TestIssuedTokenIsAnAccessTokenJWT(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", 30*time.Minute)
	access, tok := b.issue(g)
	kid, _ := b.private(passport.KeyCurrent)
	header, claims := parts(t, access)
	if want := `{"alg":"ES256","kid":"` + kid + `","typ":"at+jwt"}`; header != want {
		t.Errorf("got header %s, want %s", header, want)
	}
	want := map[string]any{
		"iss": issuer, "aud": issuer, "sub": "person-1", "client_id": "g1", "gid": "g1", "grantId": "g1", "jti": string(tok.ID),
		"iat": float64(start.Unix()), "exp": float64(start.Add(30 * time.Minute).Unix()),
		"authorization_details": []any{map[string]any{
			"type": "ai_access", "provider": "openai", "models": []any{"gpt-4o-mini"}, "capabilities": []any{"chat"},
			"maxBudgetCents": 100.0, "maxRequests": 100.0, "rateLimit": 100.0,
		}},
	}
	if d := cmp.Diff(want, claims); d != "" {
		t.Errorf("claims (-want +got):\n%s", d)
	}
	p, err := b.Verify(access)
	if err != nil {
		t.Fatal(err)
	}
	wantP := token.Passport{Token: tok.ID, Grant: "g1", Subject: "person-1", IssuedAt: start, ExpiresAt: start.Add(30 * time.Minute)}
	if p != wantP {
		t.Errorf("got %+v, want %+v", p, wantP)
	}
}

func TestHMACTokenIsTheSeeds(t *testing.T) {
	b := newBench(t, withHMAC)
	access, tok := b.issue(b.grant("g1", time.Hour))
	header, claims := parts(t, access)
	if want := `{"alg":"HS256"}`; header != want {
		t.Errorf("got header %s, want %s", header, want)
	}
	for name, want := range map[string]any{"sub": "g1", "grantId": "g1", "jti": string(tok.ID), "iss": issuer, "iat": float64(start.Unix())} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if p, s, err := b.Identify(t.Context(), access); err != nil || p.Subject != "g1" || s.Grant.ID != "g1" {
		t.Errorf("got %+v, grant %q, %v", p, s.Grant.ID, err)
	}
	if got := string(b.JWKS()); got != `{"keys":[]}` {
		t.Errorf("got %s, want an empty set", got)
	}
	if keys, _ := b.store.SigningKeys(t.Context()); len(keys) != 0 {
		t.Errorf("%d keys were made that nobody needs", len(keys))
	}
	if err := b.RotateIfDue(t.Context()); err != nil {
		t.Errorf("RotateIfDue: got %v, want nothing", err)
	}
	if err := b.Rotate(t.Context()); problem.KindOf(err) != problem.Conflict {
		t.Errorf("Rotate: got %v, want a Conflict", err)
	}
}

func TestConfigurationThatCannotBeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*token.Config){
		"short secret": func(c *token.Config) { c.HMACSecret = secret.New(hmacSecret[:31]) },
		"no issuer":    func(c *token.Config) { c.Issuer = "" },
		"no audience":  func(c *token.Config) { c.Audience = "" },
		"no life":      func(c *token.Config) { c.TTL = 0 },
		"negative":     func(c *token.Config) { c.TTL = -time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newBench(t, nil).cfg
			change(&cfg)
			s, err := token.New(t.Context(), cfg)
			if problem.KindOf(err) != problem.Invalid {
				t.Errorf("got %v, %v; want Invalid", s, err)
			}
			if err != nil && strings.Contains(err.Error(), hmacSecret[:31]) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestTokenEndsWithItsGrant(t *testing.T) {
	b := newBench(t, nil)
	b.now = start.Add(300 * time.Millisecond)
	_, tok := b.issue(b.grant("g1", 90*time.Second))
	if want := start.Add(90 * time.Second); !tok.ExpiresAt.Equal(want) {
		t.Errorf("got %v, want %v", tok.ExpiresAt, want)
	}
	_, tok = b.issue(b.grant("g2", 48*time.Hour))
	if want := start.Add(time.Hour); !tok.ExpiresAt.Equal(want) {
		t.Errorf("got %v, want %v", tok.ExpiresAt, want)
	}
	g := b.grant("g3", time.Second) // ends 1.3 s after start, in whole seconds 1 s: 0.1 s before now
	b.now = start.Add(1100 * time.Millisecond)
	_, _, err := b.Issue(t.Context(), g, "app:g3")
	if problem.KindOf(err) != problem.GrantEnded {
		t.Errorf("got %v, want GrantEnded", err)
	}
}

func TestNoTokenForAGrantThatIsNotLive(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	paused, _ := g.To(passport.GrantPaused, b.now)
	revoked, _ := g.To(passport.GrantRevoked, b.now)
	for _, c := range []struct {
		g    passport.Grant
		want problem.Kind
	}{
		{passport.Grant{}, problem.GrantEnded}, {paused, problem.GrantPaused}, {revoked, problem.GrantEnded},
		{passport.Grant{ID: "nowhere", State: passport.GrantActive, ExpiresAt: start.Add(time.Hour)}, problem.NotFound},
	} {
		access, _, err := b.Issue(t.Context(), c.g, "app:x")
		if access != "" || problem.KindOf(err) != c.want {
			t.Errorf("grant %q %s: got %q, %v; want kind %d", c.g.ID, c.g.State, access, err, c.want)
		}
	}
	b.change(revoked) // the caller's copy is older than what is stored
	if access, _, err := b.Issue(t.Context(), g, "app:g1"); access != "" || problem.KindOf(err) != problem.GrantEnded {
		t.Errorf("stale copy: got %q, %v; want GrantEnded", access, err)
	}
}

// A token that is not recorded is not shown, also where the store says no and did it anyway.
func TestNoTokenWithoutItsRecord(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		b := newBench(t, nil)
		g := b.grant("g1", time.Hour)
		broken := errors.New("disk full")
		b.store.Fail("AddToken", when, broken)
		if access, tok, err := b.Issue(t.Context(), g, "app:g1"); access != "" || tok.ID != "" || !errors.Is(err, broken) {
			t.Errorf("when %v: got %q, %+v, %v", when, access, tok, err)
		}
	}
}

func TestIssueIsRecordedWithoutTheToken(t *testing.T) {
	b := newBench(t, nil)
	access, tok := b.issue(b.grant("g1", time.Hour))
	events, _, err := b.store.Events(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e passport.Event) bool { return e.Kind == passport.TokenIssued })
	if i < 0 {
		t.Fatalf("no event of kind %s in %v", passport.TokenIssued, events)
	}
	if e := events[i]; e.Grant != "g1" || e.Actor != "app:g1" || !strings.Contains(e.Note, string(tok.ID)) {
		t.Errorf("got %+v", e)
	}
	signature := access[strings.LastIndex(access, ".")+1:]
	for _, e := range events {
		if strings.Contains(fmt.Sprintf("%+v", e), signature) {
			t.Errorf("event %+v holds the token", e)
		}
	}
}

// Hundreds of named models do not fit a token: they are left out of it, and it still works.
func TestTokenOfABigGrantStaysWithinItsBound(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	g.Details = slices.Clone(g.Details)
	for i := range passport.MaxModels {
		g.Details[0].Models = append(g.Details[0].Models, fmt.Sprintf("%0*d", passport.MaxModelName, i))
	}
	access, _ := b.issue(g)
	if len(access) > token.MaxToken {
		t.Errorf("got %d bytes, want at most %d", len(access), token.MaxToken)
	}
	if _, claims := parts(t, access); claims["authorization_details"] != nil {
		t.Error("authorization_details are in it")
	}
	if _, _, err := b.Identify(t.Context(), access); err != nil {
		t.Error(err)
	}
}

// The reasons are the seed's, in the seed's order: each row has all that the rows below it have wrong too.
func TestReasonsOfRefusalInOrder(t *testing.T) {
	b := newBench(t, nil)
	access, tok := b.issue(b.grant("g1", 30*time.Minute))
	good, err := b.store.Liveness(t.Context(), tok.ID)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name   string
		change func(*canned)
		kind   problem.Kind
		detail string
	}
	state := func(s passport.GrantState) func(*canned) {
		return func(c *canned) { c.l.Standing.Grant.State = s }
	}
	late := func(c *canned) { c.l.Standing.Grant.ExpiresAt = start.Add(-time.Second) }
	stop := func(c *canned) { c.l.Stopped = true }
	both := func(fs ...func(*canned)) func(*canned) {
		return func(c *canned) {
			for _, f := range fs {
				f(c)
			}
		}
	}
	fails := func(err error) func(*canned) { return func(c *canned) { c.l, c.err = passport.Liveness{}, err } }
	for _, r := range []row{
		{"token unknown", fails(problem.New(problem.NotFound, "no").In("token")), problem.Unauthenticated, "Token not found"},
		{"not found, nothing named", fails(problem.New(problem.NotFound, "no")), problem.Unauthenticated, "Token not found"},
		{"nothing answered", fails(nil), problem.Unauthenticated, "Token not found"},
		{"another token answered", func(c *canned) { c.l.Token.ID = "other" }, problem.Unauthenticated, "Token not found"},
		{"token of another grant", func(c *canned) { c.l.Token.Grant = "g2" }, problem.Unauthenticated, "Token not found"},
		{"another grant answered", func(c *canned) { c.l.Standing.Grant.ID = "g2" }, problem.Unauthenticated, "Token not found"},
		{"token revoked", both(func(c *canned) { c.l.Token.RevokedAt = start }, state(passport.GrantRevoked), late, stop), problem.Unauthenticated, "Token has been revoked"},
		{"token over by the record", func(c *canned) { c.l.Token.ExpiresAt = start }, problem.Unauthenticated, "Invalid or expired JWT"},
		{"grant unknown", fails(problem.New(problem.NotFound, "no").In("grant")), problem.Unauthenticated, "Associated grant not found"},
		{"pending", both(state(passport.GrantPending), late, stop), problem.GrantEnded, "Grant status is 'pending'"},
		{"denied", both(state(passport.GrantDenied), late, stop), problem.GrantEnded, "Grant status is 'denied'"},
		{"revoked", both(state(passport.GrantRevoked), late, stop), problem.GrantEnded, "Grant status is 'revoked'"},
		{"no state", both(state(""), stop), problem.GrantEnded, "Grant status is ''"},
		{"paused", both(state(passport.GrantPaused), stop), problem.GrantPaused, "Grant status is 'paused'"},
		{"paused and over", both(state(passport.GrantPaused), late), problem.GrantEnded, "Associated grant has expired"},
		{"stored as expired", both(state(passport.GrantExpired), stop), problem.GrantEnded, "Associated grant has expired"},
		{"over", both(late, stop), problem.GrantEnded, "Associated grant has expired"},
		{"all stopped", stop, problem.GrantPaused, "All apps are stopped by the owner"},
	} {
		t.Run(r.name, func(t *testing.T) {
			c := &canned{Store: b.store, l: good}
			r.change(c)
			cfg := b.cfg
			cfg.Store = c
			s, err := token.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			p, standing, err := s.Identify(t.Context(), access)
			refused(t, err, r.kind, r.detail)
			if p != (token.Passport{}) || standing.Grant.ID != "" {
				t.Errorf("a refusal gave %+v, %+v", p, standing)
			}
		})
	}
	t.Run("store broken", func(t *testing.T) {
		cfg := b.cfg
		cfg.Store = &canned{Store: b.store, err: errors.New("disk")}
		s, err := token.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Identify(t.Context(), access)
		refused(t, err, problem.Internal, "internal error")
	})
}

// Liveness is never cached: what the owner does counts at the very next call.
func TestRevokeCountsAtTheNextCall(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	access, _ := b.issue(g)
	for range 3 {
		if _, _, err := b.Identify(t.Context(), access); err != nil {
			t.Fatal(err)
		}
	}
	paused, _ := g.To(passport.GrantPaused, b.now)
	b.change(paused)
	_, _, err := b.Identify(t.Context(), access)
	refused(t, err, problem.GrantPaused, "Grant status is 'paused'")
	resumed, _ := paused.To(passport.GrantActive, b.now)
	b.change(resumed)
	if _, _, err := b.Identify(t.Context(), access); err != nil {
		t.Errorf("resumed: %v", err)
	}
	if err := b.store.Stop(t.Context(), true, b.event()); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Identify(t.Context(), access)
	refused(t, err, problem.GrantPaused, "All apps are stopped by the owner")
	revoked, _ := resumed.To(passport.GrantRevoked, b.now)
	b.change(revoked)
	_, _, err = b.Identify(t.Context(), access)
	refused(t, err, problem.Unauthenticated, "Token has been revoked")
}

func TestVerifiedTokenStillExpires(t *testing.T) {
	b := newBench(t, nil)
	access, tok := b.issue(b.grant("g1", time.Hour))
	b.now = tok.ExpiresAt.Add(-time.Nanosecond)
	if _, err := b.Verify(access); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from memory, and again once it has been dropped
		b.now = tok.ExpiresAt
		_, err := b.Verify(access)
		refused(t, err, problem.Unauthenticated, "Invalid or expired JWT")
	}
}

// The memory is bounded, and what it pushed out verifies again.
func TestCacheKeepsTheLatestOnly(t *testing.T) {
	b := newBench(t, func(c *token.Config) { c.CacheSize = 3 })
	g := b.grant("g1", 24*time.Hour)
	var all []string
	for range 8 {
		access, _ := b.issue(g)
		all = append(all, access)
	}
	for i := range 200 {
		access := all[(i*i+i/7)%len(all)]
		want := "g1"
		if p, err := b.Verify(access); err != nil || string(p.Grant) != want {
			t.Fatalf("round %d: got %+v, %v", i, p, err)
		}
		_, claims := parts(t, access)
		if p, _ := b.Verify(access); string(p.Token) != claims["jti"] {
			t.Fatalf("round %d: got token %s, want %v", i, p.Token, claims["jti"])
		}
		if got := b.Cached(); got > 3 {
			t.Fatalf("round %d: %d tokens are kept, want at most 3", i, got)
		}
	}
	b.now = start.Add(2 * time.Hour)
	for i, access := range all {
		if _, err := b.Verify(access); err == nil {
			t.Errorf("token %d works after its end", i)
		}
	}
	if got := b.Cached(); got != 0 {
		t.Errorf("%d tokens are kept after their end", got)
	}
}

func TestVerifyByManyAtOnce(t *testing.T) {
	b := newBench(t, func(c *token.Config) { c.CacheSize = 2 })
	g := b.grant("g1", time.Hour)
	want := map[string]passport.TokenID{}
	for range 5 {
		access, tok := b.issue(g)
		want[access] = tok.ID
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				for access, id := range want {
					if p, err := b.Verify(access); err != nil || p.Token != id {
						t.Errorf("got %s, %v; want %s", p.Token, err, id)
					}
				}
				b.JWKS()
			}
		})
	}
	wg.Go(func() {
		if err := b.Rotate(t.Context()); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}

// kids are the key ids of the published set.
func kids(t *testing.T, s *token.Service) []string {
	t.Helper()
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(s.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range set.Keys {
		if got, want := slices.Sorted(maps.Keys(k)), []string{"alg", "crv", "kid", "kty", "use", "x", "y"}; !slices.Equal(got, want) {
			t.Fatalf("a published key has %v, want %v", got, want) // no "d": RFC 7518 §6.2.2
		}
		if k["alg"] != "ES256" || k["use"] != "sig" || k["crv"] != "P-256" {
			t.Errorf("got %v", k)
		}
		out = append(out, k["kid"])
	}
	return out
}
