// Package token is the sole owner of the signing keys: nothing else signs or verifies an access token. It may not touch provider
// keys, money or HTTP.
package token

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of a token.
const (
	MaxToken         = 8 << 10          // bytes; a longer one is not looked at
	DefaultCacheSize = 131_072          // verified tokens kept, about 200 bytes each
	minHMACSecret    = 32               // bytes: RFC 7518 §3.2 wants a key as long as the hash
	clockSkew        = 10 * time.Second // how far in the future iat may lie
	lookEvery        = time.Second      // how often unknown keys of tokens may make us read ours again
	rotateEvery      = 90 * 24 * time.Hour
	keepRetired      = 24 * time.Hour // beyond the life of the last token: other instances and a changed TTL
)

// Config is what a Service needs.
type Config struct {
	Store      Store
	Box        *seal.Box
	Issuer     string        // iss: the public URL (RFC 8414 §2)
	Audience   string        // aud: whom the tokens are for, here the public URL too
	TTL        time.Duration // the longest life of a token
	HMACSecret secret.Text   // JWT_SECRET: sign HS256 with it; empty: ES256 with keys of our own
	Now        func() time.Time
	NewID      func() string
	CacheSize  int // verified tokens kept; 0: DefaultCacheSize
}

// Service issues and verifies access tokens. It is safe for use by several goroutines.
type Service struct {
	cfg   Config
	cache *cache

	rotating sync.Mutex           // held while keys are read and changed; guards looked
	looked   time.Time            // when keys were last read because a token's was unknown
	ring     atomic.Pointer[ring] // the keys in force
}

// Passport is a verified access token.
type Passport struct {
	Token     passport.TokenID
	Grant     passport.GrantID
	Subject   string // the person who owns the grant; with HS256 the grant, as in the seed
	ExpiresAt time.Time
}

// New reads the signing keys and makes the first two where there are none. Errors: Invalid if the configuration cannot be,
// Unavailable if the stored keys do not open.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Now == nil || cfg.NewID == nil {
		panic("token: a part of Config is missing")
	}
	if cfg.Issuer == "" || cfg.Audience == "" {
		return nil, problem.New(problem.Invalid, "tokens need an issuer and an audience")
	}
	if cfg.TTL < time.Second {
		return nil, problem.New(problem.Invalid, "tokens must live for at least a second")
	}
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = DefaultCacheSize
	}
	s := &Service{cfg: cfg, cache: newCache(cfg.CacheSize)}
	if !cfg.HMACSecret.Empty() {
		r, err := hmacRing(cfg.HMACSecret)
		if err != nil {
			return nil, err
		}
		s.ring.Store(r)
		return s, nil
	}
	if cfg.Box == nil {
		panic("token: a part of Config is missing")
	}
	s.rotating.Lock()
	defer s.rotating.Unlock()
	return s, s.load(ctx)
}

// Identify verifies a token and asks the store whether it and its grant still live; nothing of that is cached. The details of
// its errors are the seed's reasons, in the seed's order. Errors: Unauthenticated for the token; GrantEnded or GrantPaused for
// its grant; GrantPaused too while all apps are stopped.
func (s *Service) Identify(ctx context.Context, access string) (Passport, passport.Standing, error) {
	p, err := s.Verify(access)
	if errors.Is(err, errUnknownKey) {
		p, err = s.verifyAnew(ctx, access, err)
	}
	if err != nil {
		return Passport{}, passport.Standing{}, err
	}
	l, err := s.cfg.Store.Liveness(ctx, p.Token)
	if err == nil {
		err = alive(l, p, s.cfg.Now())
	} else if e, ok := errors.AsType[*problem.Error](err); ok && e.Kind == problem.NotFound {
		err = problem.Wrap(err, problem.Unauthenticated, "Token not found")
		if e.Field == "grant" {
			err = problem.Wrap(e, problem.Unauthenticated, "Associated grant not found")
		}
	}
	if err != nil {
		return Passport{}, passport.Standing{}, err
	}
	return p, l.Standing, nil
}

// verifyAnew reads the keys again and verifies once more, because another instance may have made the key of this token. Tokens
// that strangers make up cause a read a second at most; what comes sooner hears unknown.
func (s *Service) verifyAnew(ctx context.Context, access string, unknown error) (Passport, error) {
	before := s.ring.Load()
	s.rotating.Lock()
	defer s.rotating.Unlock()
	if s.ring.Load() == before {
		now := s.cfg.Now()
		if since := now.Sub(s.looked); since >= 0 && since < lookEvery || !s.cfg.HMACSecret.Empty() {
			return Passport{}, unknown
		}
		s.looked = now
		if err := s.load(ctx); err != nil {
			return Passport{}, err
		}
	}
	return s.Verify(access)
}

// Reload takes over what other instances have done to the keys. It does nothing with HS256.
func (s *Service) Reload(ctx context.Context) error {
	if !s.cfg.HMACSecret.Empty() {
		return nil
	}
	s.rotating.Lock()
	defer s.rotating.Unlock()
	return s.load(ctx)
}

// alive says why a token that verified does not work now.
func alive(l passport.Liveness, p Passport, now time.Time) error {
	g := l.Standing.Grant
	switch {
	case l.Token.ID != p.Token || l.Token.Grant != p.Grant || g.ID != p.Grant:
		return problem.New(problem.Unauthenticated, "Token not found")
	case !l.Token.RevokedAt.IsZero():
		return problem.New(problem.Unauthenticated, "Token has been revoked")
	case !now.Before(l.Token.ExpiresAt):
		return problem.New(problem.Unauthenticated, "Invalid or expired JWT")
	}
	switch g.State {
	case passport.GrantActive, passport.GrantPaused, passport.GrantExpired:
	default:
		return problem.New(problem.GrantEnded, "Grant status is '%s'", g.State.Wire())
	}
	switch g.At(now).State {
	case passport.GrantActive:
	case passport.GrantPaused:
		return problem.New(problem.GrantPaused, "Grant status is '%s'", g.State.Wire())
	default:
		return problem.New(problem.GrantEnded, "Associated grant has expired")
	}
	if l.Stopped {
		return problem.New(problem.GrantPaused, "All apps are stopped by the owner")
	}
	return nil
}
