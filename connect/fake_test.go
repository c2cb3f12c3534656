package connect_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/connect"
)

// fake is a broker: what a client sees of one. It believes no proof that it has not checked.
type fake struct {
	t   *testing.T
	srv *httptest.Server

	mu       sync.Mutex // guards what follows
	issuer   string     // empty: its address
	typ      string     // of tokens; empty: DPoP
	life     int64      // of tokens, in seconds
	nonce    string     // that proofs need; empty: none
	key      string     // thumbprint of the one key that it knows
	jtis     map[string]bool
	pushed   url.Values // the last
	access   string     // the token that works
	refresh  string     // that works once
	ended    bool       // refresh is invalid_grant
	n        int        // tokens given
	refreshs int
	wrong    []string // what a proof or a call lacked
	calls    []*http.Request
	bodies   []string
	answer   func(w http.ResponseWriter, r *http.Request, body string)
	revoked  string
	pending  int // device polls that are answered "pending"
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, life: 3600, jtis: map[string]bool{}}
	f.srv = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.srv.Close)
	return f
}

func (f *fake) url() *url.URL { u, _ := url.Parse(f.srv.URL); return u }

// proven checks the proof of a request (RFC 9449 §4.3); not ok: it has answered.
func (f *fake) proven(w http.ResponseWriter, r *http.Request, token string) bool {
	jws, err := jose.ParseSignedCompact(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return f.lacks("a proof", err)
	}
	h := jws.Signatures[0].Protected
	if h.JSONWebKey == nil || !h.JSONWebKey.IsPublic() || h.ExtraHeaders[jose.HeaderType] != "dpop+jwt" {
		return f.lacks("a public key or a type", nil)
	}
	text, err := jws.Verify(h.JSONWebKey)
	var c struct{ Jti, Htm, Htu, Ath, Nonce string }
	if err != nil || json.Unmarshal(text, &c) != nil {
		return f.lacks("a good signature", err)
	}
	sum, ath := sha256.Sum256([]byte(token)), ""
	if token != "" {
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	thumb, _ := h.JSONWebKey.Thumbprint(5) // crypto.SHA256
	switch at := f.name() + r.URL.Path; {
	case c.Htm != r.Method || c.Htu != at || c.Ath != ath || len(c.Jti) < 20 || f.jtis[c.Jti]:
		return f.lacks(fmt.Sprintf("htm %s %s, htu %s %s, ath %t, a new jti", c.Htm, r.Method, c.Htu, at, c.Ath == ath), nil)
	case f.key != "" && f.key != string(thumb):
		return f.lacks("the key that it is bound to", nil)
	case f.nonce != "" && c.Nonce != f.nonce:
		w.Header().Set("DPoP-Nonce", f.nonce)
		if token != "" {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}
		fail(w, "use_dpop_nonce")
		return false
	}
	f.jtis[c.Jti], f.key = true, string(thumb)
	return true
}

func (f *fake) lacks(what string, err error) bool {
	f.wrong = append(f.wrong, fmt.Sprint(what, " ", err))
	return false
}

func (f *fake) name() string {
	if f.issuer != "" {
		return f.issuer
	}
	return f.srv.URL
}

func fail(w http.ResponseWriter, code string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"error":%q,"error_description":"because"}`, code)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":%q}`, f.name())
	case "/oauth/par":
		if f.proven(w, r, "") {
			f.pushed = form
			fmt.Fprint(w, `{"request_uri":"urn:x:1","expires_in":60}`)
		}
	case "/oauth/device_authorization":
		if f.proven(w, r, "") {
			fmt.Fprint(w, `{"device_code":"dc","user_code":"WDJB-MJHT","verification_uri":"http://b/device","expires_in":60,"interval":1}`)
		}
	case "/oauth/token":
		if f.proven(w, r, "") {
			f.token(w, form)
		}
	case "/oauth/revoke":
		if f.proven(w, r, "") {
			f.revoked, f.ended = form.Get("token"), true
		}
	default:
		f.call(w, r, string(body))
	}
}

func (f *fake) token(w http.ResponseWriter, form url.Values) {
	if form.Get("client_id") != "aipassport-cli" {
		f.lacks("the client", nil)
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if form.Get("code") != "c0de" || base64.RawURLEncoding.EncodeToString(sum[:]) != f.pushed.Get("code_challenge") || form.Get("redirect_uri") != f.pushed.Get("redirect_uri") {
			fail(w, "invalid_grant")
			return
		}
	case "refresh_token":
		f.refreshs++
		if f.ended || form.Get("refresh_token") != f.refresh {
			fail(w, "invalid_grant")
			return
		}
	default:
		if f.pending--; f.pending >= 0 {
			fail(w, "authorization_pending")
			return
		}
	}
	f.n++
	f.access, f.refresh = fmt.Sprint("access-", f.n), fmt.Sprint("refresh-", f.n)
	typ := "DPoP"
	if f.typ != "" {
		typ = f.typ
	}
	fmt.Fprintf(w, `{"access_token":%q,"token_type":%q,"expires_in":%d,"refresh_token":%q,"grant_id":"g1"}`, f.access, typ, f.life, f.refresh)
}

// call is called with mu held, and lets go of it to answer.
func (f *fake) call(w http.ResponseWriter, r *http.Request, body string) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
	if !ok {
		f.lacks("a token of its scheme", nil)
		return
	}
	if token != f.access {
		w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !f.proven(w, r, token) {
		return
	}
	f.calls, f.bodies = append(f.calls, r), append(f.bodies, body)
	answer := f.answer
	f.mu.Unlock()
	defer f.mu.Lock()
	if answer == nil {
		w.Header().Set("DPoP-Nonce", "next")
		w.Header().Set("X-Request-Id", "of the broker")
		fmt.Fprint(w, `{"ok":true}`)
		return
	}
	answer(w, r, body)
}

func (f *fake) set(do func()) { f.mu.Lock(); defer f.mu.Unlock(); do() }

// keeper keeps in memory.
type keeper struct {
	mu   sync.Mutex // guards what follows
	kept connect.Kept
	bad  error
}

func (k *keeper) Keep(v connect.Kept) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bad == nil {
		k.kept = v
	}
	return k.bad
}

// side is a sidecar that runs.
type side struct {
	*connect.Sidecar
	t      *testing.T
	f      *fake
	keeper *keeper
	said   chan string
	pages  chan string
}

func (f *fake) sidecar(kept connect.Kept, more ...func(*connect.Config)) (*side, error) {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	s := &side{t: f.t, f: f, keeper: &keeper{}, said: make(chan string, 100), pages: make(chan string, 100)}
	cfg := connect.Config{Broker: f.url(), Listener: l, Kept: kept, Keeper: s.keeper, Details: `[{"type":"ai_access"}]`, Now: time.Now,
		Open: func(page string) { s.pages <- page }, Code: func(at, code string) { s.pages <- at + " " + code }, Say: func(text string) { s.said <- text }}
	for _, do := range more {
		do(&cfg)
	}
	if s.Sidecar, err = connect.New(f.t.Context(), cfg); err != nil {
		l.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Serve(ctx); close(done) }()
	f.t.Cleanup(func() { stop(); <-done })
	return s, nil
}

// approves is a person with a browser, who comes back with an answer.
func (s *side) approves(change func(url.Values)) (status int, text string) {
	s.t.Helper()
	page, err := url.Parse(<-s.pages)
	if err != nil || page.Path != "/oauth/authorize" || page.Query().Get("request_uri") != "urn:x:1" || page.Query().Get("client_id") != "aipassport-cli" {
		s.t.Errorf("the browser was sent to %s", page)
	}
	return s.comesBack(change)
}

func (s *side) comesBack(change func(url.Values)) (status int, text string) {
	s.t.Helper()
	var v url.Values
	var to string
	s.f.set(func() {
		v = url.Values{"code": {"c0de"}, "state": {s.f.pushed.Get("state")}, "iss": {s.f.name()}}
		to = s.f.pushed.Get("redirect_uri")
	})
	if change != nil {
		change(v)
	}
	res, err := http.Get(to + "?" + v.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// signedIn is a sidecar with access.
func (f *fake) signedIn(more ...func(*connect.Config)) *side {
	f.t.Helper()
	s, err := f.sidecar(connect.Kept{}, more...)
	if err != nil {
		f.t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() { got <- s.SignIn(f.t.Context(), false) }()
	s.approves(nil)
	if err := <-got; err != nil {
		f.t.Fatal(err)
	}
	return s
}

// call makes a call as an SDK does.
func (s *side) call(path, body string, h http.Header) (int, string) {
	s.t.Helper()
	res := s.open(path, body, h)
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func (s *side) open(path, body string, h http.Header) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.Base().String()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, v := range h {
		req.Header[name] = v
	}
	if host := h.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

func (s *side) bearer() http.Header { return http.Header{"Authorization": {"Bearer " + s.Key()}} }
