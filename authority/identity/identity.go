// Package identity says who the person is: setup, sign-in, session, owner bearer. It never decides on grants.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Lifetimes, and the tries that strangers have.
const (
	SessionLife     = 12 * time.Hour
	SetupLife       = 24 * time.Hour
	signInTries     = 10  // a minute and address
	signInTriesAll  = 100 // a minute, of all addresses
	bearerTries     = 30  // wrong owner bearers a minute and address
	knownAddresses  = 1024
	sessionCookie   = "aipassport"
	doorCookie      = "aipassport-door"
	ownerTokenStart = "aipo_"
)

// Automation is the person whom an owner bearer stands for as long as nobody has set up the broker.
const Automation passport.PersonID = "owner"

// Config is what identity needs. Store, Pages and NewID are required.
type Config struct {
	Store      Store
	Pages      *web.Pages
	PublicURL  string
	OwnerToken secret.Text                    // AIPASSPORT_OWNER_TOKEN; empty: none
	Now        func() time.Time               // required
	NewID      func() string                  // UUIDv7
	Random     io.Reader                      // nil: crypto/rand
	ClientAddr func(*http.Request) netip.Addr // nil: the address of the connection
	Box        Sealer                         // nil: no command line can sign in
	Issuer     Issuer                         // nil: nobody signs in elsewhere
	// IssuerAllowed are the addresses, and the domains as @example.com, of those who may sign in there. Empty: all that are linked.
	IssuerAllowed []string
	IssuerJoin    bool                               // who is allowed there and nobody here may become a member; takes IssuerAllowed
	Hash          func(password, salt []byte) []byte // nil: argon2id as OWASP's password storage cheat sheet has it; tests set a quick one
}

// Identity knows the owner's browser and bearers. It is safe for use by several goroutines.
type Identity struct {
	cfg     Config
	signIns *flood.Limit
	guesses *flood.Limit
	hashing chan struct{} // a place for each password that is being hashed

	webauthn   *webauthn.WebAuthn // nil: no passkeys, and noPasskeys says why
	noPasskeys string

	mu         sync.Mutex // guards setup, known
	setup      string     // the token of the setup link; empty: there is none
	setupUntil time.Time
	known      map[netip.Addr]bool // addresses that have shown a right owner bearer
}

// New reads whether there is an owner, to know that it can. OpenSetup makes the setup link.
func New(cfg Config) (*Identity, error) {
	if cfg.Store == nil || cfg.Pages == nil || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("identity needs a store, pages, a clock and ids")
	}
	if cfg.IssuerJoin && len(cfg.IssuerAllowed) == 0 {
		return nil, errors.New("identity lets nobody join who is not on a list")
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.ClientAddr == nil {
		cfg.ClientAddr = peer
	}
	if cfg.Hash == nil {
		cfg.Hash = argon
	}
	i := &Identity{cfg: cfg, hashing: make(chan struct{}, maxHashing), known: map[netip.Addr]bool{},
		signIns: &flood.Limit{PerMinute: signInTries, Overall: signInTriesAll, Now: cfg.Now},
		guesses: &flood.Limit{PerMinute: bearerTries, Now: cfg.Now}}
	var err error
	if i.webauthn, i.noPasskeys, err = ceremonies(cfg.PublicURL); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := cfg.Store.Owner(ctx); err != nil && problem.KindOf(err) != problem.NotFound {
		return nil, fmt.Errorf("read who the owner is: %w", err)
	}
	return i, nil
}

// OpenSetup makes the setup link, if there is no owner. Of the link a hash is stored, so that it works at every instance.
func (i *Identity) OpenSetup(ctx context.Context) error {
	_, err := i.cfg.Store.Owner(ctx)
	if err == nil {
		return nil
	}
	if problem.KindOf(err) != problem.NotFound {
		return fmt.Errorf("read who the owner is: %w", err)
	}
	token, err := i.random()
	if err != nil {
		return err
	}
	until := i.now().Add(SetupLife)
	err = i.cfg.Store.AddSetup(ctx, sha256.Sum256([]byte(token)), until, i.now())
	if problem.KindOf(err) == problem.Conflict && err != nil {
		return nil // somebody became the owner meanwhile
	}
	if err != nil {
		return fmt.Errorf("store the setup link: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.setup, i.setupUntil = token, until
	return nil
}

// SetupLink is the link by which the first person becomes the owner, as long as there is none and for SetupLife, if OpenSetup has
// made one. It works once.
func (i *Identity) SetupLink() (string, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.setup == "" || !i.cfg.Now().Before(i.setupUntil) {
		return "", false
	}
	return strings.TrimSuffix(i.cfg.PublicURL, "/") + "/setup?token=" + i.setup, true
}

// Routes are the pages of sign-in by pattern.
func (i *Identity) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /setup/passkey": i.PasskeyStep,
		"GET /setup":         i.SetupPage, "POST /setup": i.SetUp,
		"GET /join": i.JoinPage, "POST /join": i.Join,
		"POST /join/oidc": i.JoinForeign, "GET /join/as": i.JoinAsPage, "POST /join/as": i.JoinAs,
		"GET /login": i.LoginPage, "POST /login": i.Login,
		"POST /logout":            i.Logout,
		"POST /settings/sessions": i.EndSessions,
		"GET /settings/password":  i.PasswordPage, "POST /settings/password": i.ChangePassword,
		"POST /login/oidc": i.ForeignLogin, "GET /login/oidc/callback": i.ForeignBack, "POST /settings/identities": i.LinkIdentity,
		"GET /reset": i.ResetPage, "POST /reset": i.ResetPassword,
		"POST /login/passkey/options": i.AskSignIn, "POST /login/passkey": i.PasskeyLogin,
		"POST /settings/passkeys/options": i.AskPasskey, "POST /settings/passkeys": i.AddPasskey, "POST /settings/passkeys/change": i.ChangePasskey,
		"GET /login/cli": i.LinePage, "POST /login/cli": i.AnswerLine, "POST /login/cli/token": i.LineToken,
	}
}

// Who says who sends a request: by owner bearer if there is an Authorization header, else by the session cookie. With the cookie,
// a request that may change something counts only if the browser says that it comes from our own pages. Errors:
// Unauthenticated; Forbidden; RateExceeded after too many wrong bearers from one address.
func (i *Identity) Who(r *http.Request) (passport.Person, error) {
	if len(r.Header.Values("Authorization")) > 0 {
		return i.byBearer(r)
	}
	p, _, _, err := i.signedIn(r)
	if err != nil {
		return passport.Person{}, err
	}
	if safe(r.Method) || i.cfg.Pages.SameOrigin(r) {
		return p, nil
	}
	return passport.Person{}, problem.New(problem.Forbidden, "a session counts only for requests from this broker's own pages")
}

// Visitor says who is signed in with this browser. It does not check where a form came from: web.Pages.Posted does.
// Error: Unauthenticated if nobody is.
func (i *Identity) Visitor(r *http.Request) (web.Visitor, error) {
	v, _, err := i.session(r)
	return v, err
}

// session is Visitor, with the session.
func (i *Identity) session(r *http.Request) (web.Visitor, passport.Session, error) {
	p, s, value, err := i.signedIn(r)
	if err != nil {
		return web.Visitor{}, s, err
	}
	return web.NewVisitor(p.ID, p.Name, p.Role, []byte(value)), s, nil
}

// signedIn reads whose session a browser has, and its cookie. Who is suspended or removed is nobody, at once.
func (i *Identity) signedIn(r *http.Request) (p passport.Person, s passport.Session, value string, err error) {
	nobody := problem.New(problem.Unauthenticated, "sign in first")
	c, err := r.Cookie(i.cfg.Pages.CookieName(sessionCookie))
	if err != nil || len(c.Value) != tokenLength {
		return p, passport.Session{}, "", nobody
	}
	s, err = i.cfg.Store.Session(r.Context(), sha256.Sum256([]byte(c.Value)))
	if problem.KindOf(err) == problem.NotFound {
		return p, passport.Session{}, "", nobody
	}
	if err != nil {
		return p, passport.Session{}, "", fmt.Errorf("read the session: %w", err)
	}
	if !i.cfg.Now().Before(s.ExpiresAt) {
		return p, passport.Session{}, "", nobody
	}
	p, err = i.cfg.Store.Person(r.Context(), s.Person)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return passport.Person{}, passport.Session{}, "", fmt.Errorf("read who is signed in: %w", err)
	}
	if err != nil || !p.May(passport.OwnSignIn) {
		return passport.Person{}, passport.Session{}, "", nobody
	}
	i.see(r.Context(), s)
	return p, s, c.Value, nil
}

// tokenLength is 256 bits in base64url.
const tokenLength = 43

func (i *Identity) random() (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(i.cfg.Random, b); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func (i *Identity) event(kind passport.EventKind, actor, note string) passport.Event {
	return passport.Event{ID: passport.EventID(i.cfg.NewID()), Kind: kind, At: i.now(), Actor: actor, Note: note}
}

// now is the time as it is stored: UTC, whole milliseconds.
func (i *Identity) now() time.Time { return i.cfg.Now().UTC().Truncate(time.Millisecond) }

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// peer is the address of the connection; the zero Addr if it cannot be read, which all such requests share.
func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
