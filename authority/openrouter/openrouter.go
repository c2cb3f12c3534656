package openrouter

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds.
const (
	codeLife    = 60 * time.Second // as of every code here; OpenRouter tells none
	answerLife  = 10 * time.Minute // after the decision, in which the page still sends the person back to the app
	maxCallback = 2000             // bytes
	maxLabel    = 200              // bytes of a name that is shown
	maxVerifier = 256              // bytes; RFC 7636 §4.1 wants 43 to 128, but apps made for OpenRouter send shorter and longer ones
	maxBody     = 16 << 10         // bytes of a request for a key
	askLife     = 10 * time.Minute // of a request
	asksAMinute = 30               // requests for consent, of one address
	keysAMinute = 60               // codes that are shown, of one address
)

// Control asks for grants and reads them; authority.Control does.
type Control interface {
	// Ask stores a pending grant.
	Ask(ctx context.Context, r authority.Request) (passport.Grant, string, error)
	// Standing reads a grant as it stands now. Error: NotFound.
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
}

// Keys makes SDK keys; guard/token does.
type Keys interface {
	// NewKey makes a key that ends with its grant. Errors: GrantEnded, GrantPaused, NotFound.
	NewKey(ctx context.Context, g passport.Grant, name string, ends time.Time, actor string) (string, passport.SDKKey, error)
}

// People says who is signed in with a browser. Error: Unauthenticated if nobody is.
type People interface {
	Visitor(r *http.Request) (web.Visitor, error)
}

// Config is what the door needs. All but Registered are required.
type Config struct {
	Control Control
	Keys    Keys
	Store   Store
	Pages   *web.Pages
	People  People
	// Offered are the providers that have a key, or need none, in the order in which they are asked for.
	Offered    func(ctx context.Context) ([]passport.Provider, error)
	ClientAddr func(*http.Request) netip.Addr
	Now        func() time.Time
	// Registered says whether the owner has registered an app with this https redirect URI, letter by letter: at the same origin there may be
	// a page that sends the code on to somebody else (RFC 9700 §2.1, §4.11.1). nil: there is none.
	Registered func(ctx context.Context, callback string) bool
}

// Door serves both ends of it. Use New.
type Door struct {
	cfg  Config
	asks *flood.Limit
	keys *flood.Limit
}

// New checks that nothing is missing.
func New(cfg Config) (*Door, error) {
	if cfg.Control == nil || cfg.Keys == nil || cfg.Store == nil || cfg.Pages == nil || cfg.People == nil || cfg.Offered == nil || cfg.ClientAddr == nil || cfg.Now == nil {
		return nil, errors.New("the OpenRouter door needs control, keys, a store, pages, people, providers, addresses and a clock")
	}
	return &Door{cfg: cfg, asks: &flood.Limit{PerMinute: asksAMinute, Now: cfg.Now}, keys: &flood.Limit{PerMinute: keysAMinute, Now: cfg.Now}}, nil
}

// Ask answers GET /auth: it stores the request and leads to its consent page.
func (d *Door) Ask(w http.ResponseWriter, r *http.Request) {
	g, err := d.ask(w, r)
	if err != nil {
		record.From(r.Context()).Err = err
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			d.cfg.Pages.Error(w, r, web.Visitor{}, err)
			return
		}
		fail(w, r, err)
		return
	}
	record.From(r.Context()).Grant = g.ID
	d.cfg.Pages.Redirect(w, r, "/consent/"+url.PathEscape(string(g.ID)))
}

// The order is the security property: nothing is stored for a request that is not whole.
func (d *Door) ask(w http.ResponseWriter, r *http.Request) (passport.Grant, error) {
	// 1. Not too often.
	if wait := d.asks.Allow(flood.Network(d.cfg.ClientAddr(r)).String()); wait > 0 {
		return passport.Grant{}, problem.New(problem.RateExceeded, "too many requests; try again later").After(wait)
	}
	// 2. Each parameter once, and all that is needed.
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return passport.Grant{}, problem.New(problem.Invalid, "the query cannot be read")
	}
	for _, name := range []string{"callback_url", "code_challenge", "code_challenge_method", "key_label"} {
		if len(q[name]) > 1 {
			return passport.Grant{}, problem.New(problem.Invalid, "%s was sent more than once", name).In(name)
		}
	}
	back, err := callback(q.Get("callback_url"))
	if err != nil {
		return passport.Grant{}, err
	}
	if err := challenge(q.Get("code_challenge"), q.Get("code_challenge_method")); err != nil {
		return passport.Grant{}, err
	}
	// 3. What is asked for: any model, to chat, of all providers that can be used.
	details, err := d.details(r.Context())
	if err != nil {
		return passport.Grant{}, err
	}
	// 4. The grant, then where its answer goes. If we die between the two, nobody can use the request, and it lapses.
	origin := back.Scheme + "://" + back.Host
	label := strings.ToValidUTF8(q.Get("key_label"), "")
	checked := back.Scheme == "https" && d.cfg.Registered != nil && d.cfg.Registered(r.Context(), q.Get("callback_url"))
	g, _, err := d.cfg.Control.Ask(r.Context(), authority.Request{AppName: label[:min(len(label), maxLabel)], AppURL: origin,
		Site: strings.ToLower(back.Hostname()), Checked: checked, Details: details, For: askLife})
	if err != nil {
		return passport.Grant{}, err
	}
	return g, d.cfg.Store.AddKeyRequest(r.Context(), passport.KeyRequest{Grant: g.ID, Callback: q.Get("callback_url"),
		Challenge: q.Get("code_challenge"), Browser: d.mark(w, r), CreatedAt: d.cfg.Now().UTC()})
}

// callback reads where the person is to go back to: https anywhere, http on this computer only. Errors name callback_url.
func callback(raw string) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) {
		return nil, problem.New(problem.Invalid, "callback_url %s", why).In("callback_url")
	}
	if raw == "" {
		return bad("is missing")
	}
	if len(raw) > maxCallback {
		return bad("is longer than 2,000 bytes")
	}
	u, err := url.Parse(raw)
	site, ok := names.Address(raw)
	switch {
	case err != nil || !ok || u.Host == "":
		return bad("is not an http or https address")
	case site.UserInfo:
		return bad("has user info")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return bad("has a fragment")
	case u.Scheme != "https" && !site.Loopback:
		return bad("must be https, or http on localhost")
	}
	if q, err := url.ParseQuery(u.RawQuery); err != nil || q.Has("code") || q.Has("error") {
		return bad("has a code or an error in its query, or a query that cannot be read")
	}
	return u, nil
}

// challenge takes S256 only (RFC 7636 §4.2): without one whoever sees the code could use it, and plain is no proof to who saw the request.
func challenge(text, method string) error {
	if text == "" {
		return problem.New(problem.Invalid, "code_challenge is missing: this broker wants one, by S256").In("code_challenge")
	}
	if method != "S256" {
		return problem.New(problem.Invalid, "Invalid code_challenge_method: this broker takes S256 only").In("code_challenge_method")
	}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(b) != sha256.Size {
		return problem.New(problem.Invalid, "code_challenge is not the base64url of a SHA-256, without padding").In("code_challenge")
	}
	return nil
}

// details are what such an app asks for, since its request has no words for it. The person lowers it: no limit is named, so the page
// starts at its own low ones.
func (d *Door) details(ctx context.Context) ([]passport.Detail, error) {
	list, err := d.cfg.Offered(ctx)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, problem.New(problem.Conflict, "this broker has no provider key yet, so there is nothing to give")
	}
	var out []passport.Detail
	for _, p := range list[:min(len(list), passport.MaxDetails)] {
		out = append(out, passport.Detail{Provider: p, Models: []string{}, Capabilities: []passport.Capability{passport.Chat}})
	}
	return out, nil
}
