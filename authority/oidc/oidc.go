// Package oidc signs people in at an OpenID provider that the operator names: the code flow of OpenID Connect Core 1.0 with PKCE. It says who
// the provider says that somebody is, and decides nothing. It knows no sessions; its door leads to that provider only.
package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds.
const (
	askTime   = 10 * time.Second // for all that is asked at one step
	foundLife = time.Hour        // of what discovery told
	maxAnswer = 1 << 20          // bytes of a document, a key set or a token answer
	maxAge    = 300              // seconds: a fresh sign-in is at most that old
)

// Config is what a provider is. All are required; Secret may be empty for a public client.
type Config struct {
	Issuer      string
	ClientID    string
	Secret      secret.Text
	RedirectURL string
	UserAgent   string
	Now         func() time.Time
}

// Provider is one that the operator has named. Use New.
type Provider struct {
	cfg    Config
	host   string
	client *http.Client

	mu    sync.Mutex // guards found
	found *found
}

// found is what discovery told (OpenID Connect Discovery 1.0 §3).
type found struct {
	oauth  oauth2.Config
	verify *oidc.IDTokenVerifier
	until  time.Time
}

// New asks nobody yet. Error: the issuer is no https address, or http on loopback, without query and fragment.
func New(cfg Config) (*Provider, error) {
	if cfg.ClientID == "" || cfg.RedirectURL == "" || cfg.Now == nil {
		return nil, errors.New("an OpenID provider needs a client id, where it sends people back to, and a clock")
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(cfg.Issuer) > passport.MaxIssuer {
		return nil, fmt.Errorf("%q is not an issuer: an https address without query and fragment", cfg.Issuer)
	}
	if ip, _ := netip.ParseAddr(u.Hostname()); u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "localhost" || ip.IsLoopback())) {
		return nil, fmt.Errorf("%q must be https unless it is loopback", cfg.Issuer)
	}
	return &Provider{cfg: cfg, host: u.Host, client: newClient(cfg.UserAgent)}, nil
}

// Issuer names the provider, Host is what a person knows it by.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Host is the issuer's host.
func (p *Provider) Host() string { return p.host }

// Begin is where a browser goes to sign in there. state and nonce come back, verifier stays here (PKCE S256, RFC 7636). fresh: they are to
// show there once more who they are. Error: UpstreamFailed if the provider cannot be asked.
func (p *Provider) Begin(ctx context.Context, state, nonce, verifier string, fresh bool) (string, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), askTime)
	defer cancel()
	f, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	more := []oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}
	if fresh { // OpenID Connect Core 1.0 §3.1.2.1
		more = append(more, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", fmt.Sprint(maxAge)))
	}
	return f.oauth.AuthCodeURL(state, more...), nil
}

// Finish trades a code for an ID token and checks it (OpenID Connect Core 1.0 §3.1.3.7): its signature by a key of the issuer's and an
// asymmetric algorithm, issuer, audience, authorized party, time and nonce. Errors: Unauthenticated for what is wrong with it;
// UpstreamFailed if the provider cannot be asked.
func (p *Provider) Finish(ctx context.Context, code, verifier, nonce string) (passport.Identity, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), askTime)
	defer cancel()
	f, err := p.discover(ctx)
	if err != nil {
		return passport.Identity{}, err
	}
	// 1. The code, once.
	answer, err := f.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if _, refused := errors.AsType[*oauth2.RetrieveError](err); refused {
		return passport.Identity{}, no(err)
	}
	if err != nil {
		return passport.Identity{}, p.away(err)
	}
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return passport.Identity{}, no(errors.New("no ID token"))
	}
	// 2. Signature, issuer, audience, time.
	t, err := f.verify.Verify(ctx, raw)
	if err != nil {
		return passport.Identity{}, no(err)
	}
	// 3. What the library leaves to its caller.
	var said struct {
		Azp           string `json:"azp"`
		Email         string `json:"email"`
		EmailVerified any    `json:"email_verified"` // some say it as a text
		AuthTime      int64  `json:"auth_time"`
	}
	if err := t.Claims(&said); err != nil {
		return passport.Identity{}, no(err)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1 || nonce == "":
		return passport.Identity{}, no(errors.New("another nonce"))
	case said.Azp != "" && said.Azp != p.cfg.ClientID, said.Azp == "" && len(t.Audience) != 1:
		return passport.Identity{}, no(errors.New("for another party"))
	case t.Subject == "" || len(t.Subject) > passport.MaxSubject || strings.Contains(t.Subject, "\x00"):
		return passport.Identity{}, no(errors.New("no subject that can be kept"))
	}
	id := passport.Identity{Issuer: p.cfg.Issuer, Subject: t.Subject}
	if len(said.Email) <= passport.MaxEmail {
		id.Email, id.EmailVerified = said.Email, said.EmailVerified == true || said.EmailVerified == "true"
	}
	if said.AuthTime > 0 {
		id.AuthTime = time.Unix(said.AuthTime, 0).UTC()
	}
	return id, nil
}

// no tells a person the same whatever is wrong; the cause is for the log.
func no(cause error) error {
	return problem.Wrap(cause, problem.Unauthenticated, "what the provider said of you was not good")
}

func (p *Provider) away(cause error) error {
	return problem.Wrap(cause, problem.UpstreamFailed, "%s could not be asked", p.host)
}

// discover reads what the provider tells of itself, once an hour. Two that ask at the same time both ask.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	p.mu.Lock()
	f := p.found
	p.mu.Unlock()
	now := p.cfg.Now()
	if f != nil && now.Before(f.until) {
		return f, nil
	}
	op, err := oidc.NewProvider(ctx, p.cfg.Issuer) // it compares the issuer (Discovery 1.0 §4.3)
	if err != nil {
		return nil, p.away(err)
	}
	var said struct {
		Ways []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := op.Claims(&said); err != nil {
		return nil, p.away(err)
	}
	to := op.Endpoint()
	to.AuthStyle = oauth2.AuthStyleInHeader // the default of OpenID Connect Core 1.0 §9; trying both would show a code twice
	if p.cfg.Secret.Empty() || len(said.Ways) > 0 && !slices.Contains(said.Ways, "client_secret_basic") {
		to.AuthStyle = oauth2.AuthStyleInParams
	}
	// Algorithms: of those that the provider lists the asymmetric ones, else RS256; never none, never one of a shared secret.
	keys := context.WithoutCancel(oidc.ClientContext(ctx, p.client))
	f = &found{until: now.Add(foundLife), verify: op.VerifierContext(keys, &oidc.Config{ClientID: p.cfg.ClientID, Now: p.cfg.Now}),
		oauth: oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: reveal(p.cfg.Secret), RedirectURL: p.cfg.RedirectURL, Endpoint: to,
			Scopes: []string{oidc.ScopeOpenID, "email"}}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = f
	return f, nil
}

func reveal(t secret.Text) string {
	if t.Empty() {
		return ""
	}
	return t.Reveal()
}
