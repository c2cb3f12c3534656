package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const (
	issuer     = "https://broker.example"
	hmacSecret = "0123456789abcdef0123456789abcdef"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a token service on a store in memory, with a clock that the test moves.
type bench struct {
	*token.Service
	t     testing.TB
	store *storetest.Memory
	box   *seal.Box
	cfg   token.Config
	now   time.Time
	ids   atomic.Int64
}

func newBench(t testing.TB, change func(*token.Config)) *bench {
	t.Helper()
	b := &bench{t: t, store: storetest.NewMemory(), now: start}
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	b.box = box
	b.cfg = token.Config{
		Store: b.store, Box: box, Issuer: issuer, Audience: issuer, TTL: time.Hour,
		Now: func() time.Time { return b.now }, NewID: b.newID,
	}
	if change != nil {
		change(&b.cfg)
	}
	b.Service = b.again()
	return b
}

// again starts another service on the same store and key file, as a restart does.
func (b *bench) again() *token.Service {
	b.t.Helper()
	s, err := token.New(b.t.Context(), b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *bench) newID() string { return fmt.Sprintf("id-%d", b.ids.Add(1)) }

// grant stores an active grant that ends after life.
func (b *bench) grant(id string, life time.Duration) passport.Grant {
	b.t.Helper()
	g := passport.Grant{
		ID: passport.GrantID(id), RequestID: "rq", Version: 1, State: passport.GrantPending, AppName: "App", AppURL: "https://app.example",
		CreatedAt: b.now, ExpiresAt: b.now.Add(time.Hour), SecretHash: [32]byte{byte(len(id)), id[len(id)-1]},
		Asked: []passport.Detail{{Provider: passport.OpenAI, Models: []string{"gpt-4o-mini"}, Capabilities: []passport.Capability{passport.Chat}}},
	}
	g.Details = g.Asked
	if err := b.store.AddGrant(b.t.Context(), g, b.event()); err != nil {
		b.t.Fatal(err)
	}
	one := passport.LimitOf(100)
	active, err := g.Approve(passport.Approval{Owner: "person-1", Lifetime: life, Defaults: passport.Limits{MaxBudgetCents: one, MaxRequests: one, RateLimit: one}}, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	b.change(active)
	return active
}

func (b *bench) change(g passport.Grant) {
	b.t.Helper()
	if err := b.store.ChangeGrant(b.t.Context(), g, b.event()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) event() passport.Event {
	return passport.Event{ID: passport.EventID(b.newID()), Kind: passport.GrantApproved, At: b.now}
}

func (b *bench) issue(g passport.Grant) (string, passport.Token) {
	b.t.Helper()
	access, tok, err := b.Issue(b.t.Context(), g, "app:"+string(g.ID))
	if err != nil {
		b.t.Fatal(err)
	}
	return access, tok
}

// private opens the stored signing keys by state.
func (b *bench) private(state passport.KeyState) (kid string, key *ecdsa.PrivateKey) {
	b.t.Helper()
	keys, err := b.store.SigningKeys(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, k := range keys {
		if k.State != state {
			continue
		}
		raw, err := b.box.Open("signing-key", k.ID, k.Sealed)
		if err != nil {
			b.t.Fatal(err)
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		if err != nil {
			b.t.Fatal(err)
		}
		return k.ID, key
	}
	b.t.Fatalf("no %s key", state)
	return "", nil
}

// parts decodes a token's header and claims.
func parts(t testing.TB, access string) (header string, claims map[string]any) {
	t.Helper()
	p := strings.Split(access, ".")
	if len(p) != 3 {
		t.Fatalf("got %d parts, want 3", len(p))
	}
	h, err := base64.RawURLEncoding.DecodeString(p[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := base64.RawURLEncoding.DecodeString(p[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(c, &claims); err != nil {
		t.Fatal(err)
	}
	return string(h), claims
}

// refused checks an error's kind and its detail.
func refused(t *testing.T, err error, kind problem.Kind, detail string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %q", detail)
	}
	p := problem.From(err)
	if p.Kind != kind || p.Detail != detail {
		t.Errorf("got kind %d, detail %q; want kind %d, detail %q", p.Kind, p.Detail, kind, detail)
	}
}

func withHMAC(c *token.Config) { c.HMACSecret = secret.New(hmacSecret) }

// canned is a store that answers Liveness as told.
type canned struct {
	token.Store
	l   passport.Liveness
	err error
}

func (c *canned) Liveness(context.Context, passport.TokenID) (passport.Liveness, error) {
	return c.l, c.err
}
