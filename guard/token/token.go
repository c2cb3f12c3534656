// Package token is the sole owner of the signing keys: nothing else signs or verifies an access token, or makes or finds an SDK key. It may not touch provider
// keys, money or HTTP.
package token

import (
	"context"
	"errors"
	"strings"
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

	base          base                   // of addresses in proofs
	nonce         atomic.Pointer[nonces] // those in force
	shown, proved tally                  // proofs with a token, and without

	lookups chan struct{} // has one for each SDK key that is being looked up

	using sync.Mutex                     // guards uses
	uses  map[passport.TokenID]time.Time // of SDK keys, not written yet
}

// Passport is a verified access token, or an SDK key that was found.
type Passport struct {
	Token     passport.TokenID
	Grant     passport.GrantID
	IssuedAt  time.Time
	Subject   string // of a token: the person who owns the grant; with HS256 the grant, as in the seed
	ExpiresAt time.Time
	Key       bool   // it is an SDK key: it can be revoked by itself
	Confirm   string // RFC 7638 thumbprint of the key that a token is bound to (cnf.jkt, RFC 9449 §6.1); empty: a bearer
}

// New reads the signing keys and makes the first two where there are none. Errors: Invalid if the configuration cannot be,
// Unavailable if the stored keys do not open.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Box == nil || cfg.Now == nil || cfg.NewID == nil {
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
	s := &Service{cfg: cfg, cache: newCache(cfg.CacheSize), lookups: make(chan struct{}, maxKeyLookups), uses: map[passport.TokenID]time.Time{},
		shown: tally{most: maxShown, ofOne: maxOfKey}, proved: tally{most: maxProved, ofOne: maxOfFrom}}
	public := false
	if s.base, public = newBase(cfg.Issuer); !public {
		return nil, problem.New(problem.Invalid, "the issuer must be an http address")
	}
	if !cfg.HMACSecret.Empty() {
		r, err := hmacRing(cfg.HMACSecret)
		if err != nil {
			return nil, err
		}
		s.ring.Store(r)
		return s, nil
	}
	s.rotating.Lock()
	defer s.rotating.Unlock()
	return s, s.load(ctx)
}

// Identify verifies a token, or finds an SDK key, and asks the store whether it and its grant still live; nothing of that is cached. The
// details of its errors are the seed's reasons, in the seed's order. A token that is bound to a key is refused: see Admit. Errors:
// Unauthenticated for the token; GrantEnded or GrantPaused for its grant; GrantPaused too while all apps are stopped; Busy while too many
// unknown SDK keys are looked up.
func (s *Service) Identify(ctx context.Context, access string) (Passport, passport.Standing, error) {
	return s.Admit(ctx, Shown{Access: access})
}

// Look is Identify without a proof, for those who have shown that they may ask about the tokens of others (RFC 7662 §2.1). What it
// says may never let a call through.
func (s *Service) Look(ctx context.Context, access string) (Passport, passport.Standing, error) {
	p, err := s.either(ctx, access)
	if err != nil {
		return Passport{}, passport.Standing{}, err
	}
	standing, err := s.live(ctx, p)
	if err != nil {
		return Passport{}, passport.Standing{}, err
	}
	return p, standing, nil
}

// live asks the store whether a token that verified works now, and what its grant stands at.
func (s *Service) live(ctx context.Context, p Passport) (passport.Standing, error) {
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
		return passport.Standing{}, err
	}
	if p.Key {
		s.used(p.Token)
	}
	return l.Standing, nil
}

// Find verifies a token, or finds an SDK key, and does not ask whether it or its grant still live: for who wants to end it. Errors: as
// Identify has them for the token.
func (s *Service) Find(ctx context.Context, access string) (Passport, error) {
	return s.either(ctx, access)
}

// either tells an SDK key from a token by how it begins: no token begins so, which is base64url of "{".
func (s *Service) either(ctx context.Context, access string) (Passport, error) {
	if strings.HasPrefix(access, KeyPrefix) {
		return s.verifyKey(ctx, access)
	}
	p, err := s.Verify(access)
	if errors.Is(err, errUnknownKey) {
		return s.verifyAnew(ctx, access, err)
	}
	return p, err
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
	case !now.Before(l.Token.ExpiresAt) && p.Key:
		return problem.New(problem.Unauthenticated, "SDK key has expired")
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
