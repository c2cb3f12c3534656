// Package oauth is the authorization server's spine (OAuth 2.1): what an app asks for becomes a pending grant, a person answers it on the
// consent page, and the app gets tokens for it. It decides nothing about money or lifetimes: grants do. Clients, proofs of keys, tokens and
// people are others' to know. It may not touch providers, the gateway or SQL.
package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Clients knows the apps; authority/client does.
type Clients interface {
	// Client is the one that an id names. Error: NotFound, or what kept its metadata document from being read.
	Client(ctx context.Context, id passport.ClientID) (passport.Client, error)
	Authenticator
}

// Tokens issues access tokens; guard/token does.
type Tokens interface {
	// Issue makes one for a grant that is live. Errors: GrantEnded, GrantPaused.
	Issue(ctx context.Context, g passport.Grant, actor string) (string, passport.Token, error)
}

// People says who is signed in with a browser. Error: Unauthenticated if nobody is.
type People interface {
	Visitor(r *http.Request) (web.Visitor, error)
}

// MAC is a keyed hash that only this broker can make; internal/seal does.
type MAC interface {
	MAC(purpose string, parts ...[]byte) ([sha256.Size]byte, error)
}

// Config is what the endpoints need. All but Proofs and GrantTypes are required.
type Config struct {
	Clients Clients
	Proofs  Proofs // nil: a request with a DPoP header is refused
	Tokens  Tokens
	People  People
	Control *authority.Control
	Store   Store
	MAC     MAC
	Pages   *web.Pages
	Now     func() time.Time
	NewID   func() string

	Issuer     string                     // the public URL, without a slash at its end
	Resources  []string                   // paths below it that a token is for (RFC 8707), the empty one among them
	Providers  func() []passport.Provider // that can be asked for, the built-in ones first
	ClientAddr func(*http.Request) netip.Addr
	PerMinute  int // requests for access that one address may make, as for grant requests; pushed ones are counted by themselves

	GrantTypes map[string]wire.GrantType // of other packages, by grant_type
}

// Bounds of tries, a minute.
const (
	wrongTries  = 30  // wrong codes and refresh tokens of one client from one address
	tokensGiven = 120 // to one grant: each is a row on disk
)

// OAuth serves the endpoints. Use New.
type OAuth struct {
	Endpoint
	cfg    Config
	asks   *flood.Limit // by client address
	pushes *flood.Limit // by client address
	wrong  *flood.Limit // by client and address
	given  *flood.Limit // by grant
}

// New checks that nothing is missing, and that no grant_type is had twice.
func New(cfg Config) (*OAuth, error) {
	if cfg.Clients == nil || cfg.Tokens == nil || cfg.People == nil || cfg.Control == nil || cfg.Store == nil || cfg.MAC == nil || cfg.Pages == nil {
		return nil, errors.New("oauth needs clients, tokens, people, the control of grants, a store, a MAC and pages")
	}
	if cfg.Now == nil || cfg.NewID == nil || cfg.Providers == nil || cfg.ClientAddr == nil || cfg.Issuer == "" {
		return nil, errors.New("oauth needs a clock, ids, providers, addresses of clients and its issuer")
	}
	o := &OAuth{cfg: cfg, Endpoint: Endpoint{Clients: cfg.Clients, Proofs: cfg.Proofs, Types: map[string]wire.GrantType{}}}
	o.asks, o.pushes = &flood.Limit{PerMinute: cfg.PerMinute, Now: cfg.Now}, &flood.Limit{PerMinute: cfg.PerMinute, Now: cfg.Now}
	o.wrong, o.given = &flood.Limit{PerMinute: wrongTries, Now: cfg.Now}, &flood.Limit{PerMinute: tokensGiven, Now: cfg.Now}
	maps.Copy(o.Types, map[string]wire.GrantType{"authorization_code": o.byCode, "refresh_token": o.byRefresh})
	for name, h := range cfg.GrantTypes {
		if o.Types[name] != nil {
			return nil, errors.New("grant_type " + name + " has two handlers")
		}
		o.Types[name] = h
	}
	return o, nil
}

// GrantTypes are the names of all grant types, in alphabetical order, for the metadata (RFC 8414 §2).
func (o *OAuth) GrantTypes() []string { return slices.Sorted(maps.Keys(o.Types)) }

// Routes are the endpoints that clients call, from any origin.
func (o *OAuth) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"POST /oauth/token": o.Token, "POST /oauth/par": o.Push}
}

// Pages are the addresses that browsers are sent to. No origin may call them with a script.
func (o *OAuth) Pages() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET /oauth/authorize": o.Authorize, "GET " + returnPath + "{id}": o.Return}
}

// now is the time as it is stored: UTC, whole milliseconds.
func (o *OAuth) now() time.Time { return o.cfg.Now().UTC().Truncate(time.Millisecond) }

func (o *OAuth) event(kind passport.EventKind, actor string, g passport.GrantID, note string) passport.Event {
	return passport.Event{ID: passport.EventID(o.cfg.NewID()), Kind: kind, At: o.now(), Actor: actor, Grant: g, Note: note[:min(len(note), passport.MaxNote)]}
}

// random is 256 bits of text, which has secretLength characters.
func random() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails, or the process ends (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw)
}

const secretLength = 43 // of 256 bits in base64url

// slow counts one try by a key, and refuses too many.
func slow(l *flood.Limit, key string) error {
	if wait := l.Allow(key); wait > 0 {
		return problem.New(problem.RateExceeded, "too many requests; try again later").After(wait)
	}
	return nil
}

func (o *OAuth) address(r *http.Request) string { return flood.Network(o.cfg.ClientAddr(r)).String() }
