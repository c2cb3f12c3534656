package identity_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// memory is a store in memory.
type memory struct {
	mu       sync.Mutex // guards what follows
	person   *passport.Person
	sessions map[[32]byte]passport.Session
	tokens   map[[32]byte]passport.OwnerToken
	passkeys []passport.Passkey
	seen     map[[32]byte]time.Time
	events   []passport.Event
	setups   map[[32]byte]time.Time
	broken   error
	readOnly bool
	reset    *resetLink
	linked   map[[32]byte]passport.Identity
}

func newMemory() *memory {
	return &memory{sessions: map[[32]byte]passport.Session{}, tokens: map[[32]byte]passport.OwnerToken{}, setups: map[[32]byte]time.Time{}, seen: map[[32]byte]time.Time{}}
}

func (m *memory) do(ev *passport.Event, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	err := f()
	if err == nil && ev != nil {
		m.events = append(m.events, *ev)
	}
	return err
}

func (m *memory) AddFirstPerson(_ context.Context, p passport.Person, ev passport.Event) error {
	return m.do(&ev, func() error {
		if m.person != nil {
			return problem.New(problem.Conflict, "there is an owner")
		}
		m.person = &p
		clear(m.setups)
		return nil
	})
}

func (m *memory) AddSetup(_ context.Context, h [32]byte, until, _ time.Time) error {
	return m.do(nil, func() error { m.setups[h] = until; return nil })
}

func (m *memory) Setup(_ context.Context, h [32]byte) (until time.Time, err error) {
	err = m.do(nil, func() error {
		var ok bool
		if until, ok = m.setups[h]; !ok {
			return problem.New(problem.NotFound, "no setup link")
		}
		return nil
	})
	return until, err
}

func (m *memory) Owner(context.Context) (p passport.Person, err error) {
	err = m.do(nil, func() error {
		if m.person == nil {
			return problem.New(problem.NotFound, "no owner")
		}
		p = *m.person
		return nil
	})
	return p, err
}

func (m *memory) Person(ctx context.Context, id passport.PersonID) (passport.Person, error) {
	p, err := m.Owner(ctx)
	if err == nil && p.ID != id {
		return passport.Person{}, problem.New(problem.NotFound, "no person")
	}
	return p, err
}

func (m *memory) PersonNamed(ctx context.Context, username string) (passport.Person, error) {
	p, err := m.Owner(ctx)
	if err == nil && p.Username != username {
		return passport.Person{}, problem.New(problem.NotFound, "no person")
	}
	return p, err
}

// Members are tested on a store that has several people: members_test.go.
func (m *memory) AddInvitation(context.Context, passport.Invitation, passport.Event) error {
	return problem.New(problem.Internal, "one person")
}
func (m *memory) Invitation(context.Context, [32]byte) (passport.Invitation, error) {
	return passport.Invitation{}, problem.New(problem.NotFound, "no invitation")
}
func (m *memory) Invitations(context.Context) ([]passport.Invitation, error) { return nil, nil }
func (m *memory) EndInvitation(context.Context, [32]byte, passport.Event) error {
	return problem.New(problem.NotFound, "no invitation")
}
func (m *memory) AddMember(context.Context, passport.Person, *[32]byte, *passport.Identity, passport.Event) error {
	return problem.New(problem.Internal, "one person")
}
func (m *memory) People(ctx context.Context) ([]passport.Person, error) {
	p, err := m.Owner(ctx)
	return []passport.Person{p}, err
}
func (m *memory) SuspendPerson(context.Context, passport.PersonID, time.Time, passport.Event) error {
	return problem.New(problem.NotFound, "no member")
}
func (m *memory) RemovePerson(context.Context, passport.PersonID, passport.Event) error {
	return problem.New(problem.NotFound, "no member")
}

func (m *memory) AddSession(_ context.Context, s passport.Session, ev passport.Event) error {
	return m.do(&ev, func() error { m.sessions[s.Hash] = s; return nil })
}

func (m *memory) Session(_ context.Context, h [32]byte) (s passport.Session, err error) {
	err = m.do(nil, func() error {
		var ok bool
		if s, ok = m.sessions[h]; !ok {
			return problem.New(problem.NotFound, "no session")
		}
		return nil
	})
	return s, err
}

func (m *memory) EndSession(_ context.Context, h [32]byte, ev passport.Event) error {
	return m.do(&ev, func() error { delete(m.sessions, h); return nil })
}

func (m *memory) OwnerToken(_ context.Context, h [32]byte) (o passport.OwnerToken, err error) {
	err = m.do(nil, func() error {
		var ok bool
		if o, ok = m.tokens[h]; !ok {
			return problem.New(problem.NotFound, "no token")
		}
		return nil
	})
	return o, err
}

func (m *memory) AddOwnerToken(_ context.Context, o passport.OwnerToken, ev passport.Event, _ time.Time) error {
	return m.do(&ev, func() error {
		if _, ok := m.tokens[o.Hash]; ok {
			return problem.New(problem.Conflict, "there is one")
		}
		m.tokens[o.Hash] = o
		return nil
	})
}

func (m *memory) OwnerTokens(_ context.Context, _ passport.PersonID, limit int) (out []passport.OwnerToken, err error) {
	err = m.do(nil, func() error {
		for _, o := range m.tokens {
			out = append(out, o)
		}
		return nil
	})
	return out[:min(limit, len(out))], err
}

func (m *memory) EndOwnerToken(_ context.Context, _ passport.PersonID, h [32]byte, ev passport.Event) error {
	return m.do(&ev, func() error {
		if _, ok := m.tokens[h]; !ok {
			return problem.New(problem.NotFound, "no token")
		}
		delete(m.tokens, h)
		return nil
	})
}

// world is a broker's door with a browser in front of it.
type world struct {
	t      *testing.T
	store  *memory
	id     *identity.Identity
	mux    *http.ServeMux
	now    time.Time
	from   string
	public string
	jar    map[string]*http.Cookie
	hashed int

	issuer  identity.Issuer
	allowed []string
}

const ownerToken = "owner-token-of-the-environment"

func newWorld(t *testing.T, public string) *world {
	t.Helper()
	w := &world{t: t, store: newMemory(), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), from: "192.0.2.10:1", public: public, jar: map[string]*http.Cookie{}}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	pages, err := web.New(web.Options{PublicURL: w.public})
	if err != nil {
		w.t.Fatal(err)
	}
	box, err := seal.Open(filepath.Join(w.t.TempDir(), "kek"))
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	w.id, err = identity.New(identity.Config{Store: w.store, Pages: pages, PublicURL: w.public, OwnerToken: secret.New(ownerToken),
		Box: box, Issuer: w.issuer, IssuerAllowed: w.allowed, Now: func() time.Time { return w.now }, NewID: func() string { n++; return "id-" + string(rune('a'+n)) },
		ClientAddr: func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() },
		Hash: func(p, salt []byte) []byte {
			w.hashed++
			s := sha256.Sum256(append(append([]byte{}, salt...), p...))
			return s[:]
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.id.OpenSetup(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	for pattern, h := range w.id.Routes() {
		w.mux.HandleFunc(pattern, h)
	}
}

// send is one request of the browser, cookies kept.
func (w *world) send(method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.RemoteAddr = w.from
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, c := range w.jar {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(w.jar, c.Name)
			continue
		}
		w.jar[c.Name] = c
	}
	return rec
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (w *world) csrf(body string) string {
	w.t.Helper()
	m := csrfField.FindStringSubmatch(body)
	if m == nil {
		w.t.Fatalf("no token in the page: %.200s", body)
	}
	return m[1]
}

func (w *world) setupToken() string {
	w.t.Helper()
	link, ok := w.id.SetupLink()
	u, err := url.Parse(link)
	if !ok || err != nil {
		w.t.Fatalf("no setup link: %q %v", link, err)
	}
	return u.Query().Get("token")
}

const password = "a long enough password"

// join sets the owner up through the link.
func (w *world) join() {
	w.t.Helper()
	token := w.setupToken()
	page := w.send("GET", "/setup?token="+token, nil)
	rec := w.send("POST", "/setup", url.Values{"csrf": {w.csrf(page.Body.String())}, "token": {token}, "name": {"the owner"}, "username": {"owner@example.com"}, "password": {password}})
	want := "/setup/passkey"
	if w.id.NoPasskeys() != "" {
		want = "/keys"
	}
	if rec.Code != 303 || rec.Header().Get("Location") != want {
		w.t.Fatalf("setup: %d %s %s", rec.Code, rec.Header().Get("Location"), rec.Body)
	}
}

func (w *world) login(username, pw, next string) *httptest.ResponseRecorder {
	w.t.Helper()
	page := w.send("GET", "/login?next="+url.QueryEscape(next), nil)
	return w.send("POST", "/login", url.Values{"csrf": {w.csrf(page.Body.String())}, "username": {username}, "password": {pw}, "next": {next}})
}

func (w *world) who(method string, header ...string) (passport.PersonID, error) {
	r := httptest.NewRequest(method, w.public+"/grants", nil)
	r.RemoteAddr = w.from
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	for _, c := range w.jar {
		r.AddCookie(c)
	}
	p, err := w.id.Who(r)
	return p.ID, err
}
