package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"

	"github.com/google/uuid"
)

const (
	providerKey = "sk-canary-provider-key-1"
	body        = `{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}`
	streamBody  = `{"model":"gpt-4o-mini","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hello"}]}`
)

// desk is a gateway over an in-memory store and a fake provider.
type desk struct {
	gw    *gateway.Gateway
	store *storetest.Memory
	board *recall.Board
	fake  *fakeprovider.Fake
	srv   *httptest.Server
	stop  func() // the provider
	grant passport.Grant
	vault *vault.Vault
}

// tokens takes every token for one of the grant, and reads the grant anew each time, unless it is told what to see.
type tokens struct {
	d     *desk
	stale *passport.Standing
}

func (t tokens) Nonce() (string, error) { return "", nil }

func (t tokens) Look(ctx context.Context, access string) (token.Passport, passport.Standing, error) {
	return t.Admit(ctx, token.Shown{Access: access})
}

func (t tokens) Admit(ctx context.Context, _ token.Shown) (token.Passport, passport.Standing, error) {
	p := token.Passport{Token: "t", Grant: t.d.grant.ID, ExpiresAt: t.d.grant.ExpiresAt}
	if t.stale != nil {
		return p, *t.stale, nil
	}
	s, err := t.d.store.Standing(ctx, t.d.grant.ID)
	return p, s, err
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// setup is what differs between desks.
type setup struct {
	provider passport.Provider
	idle     time.Duration    // a provider may be silent for so long
	stale    bool             // step 1 sees the grant as it is now, for good
	fiveXX   bool             // errors of 500 and above cost the hold
	cutHold  bool             // cut streams cost the hold
	now      func() time.Time // the gateway's clock; nil: the true one
	rates    meter.Rates      // nil: in memory
}

func open(t *testing.T, stale bool) *desk {
	t.Helper()
	return openWith(t, setup{provider: passport.OpenAI, idle: time.Minute, stale: stale})
}

func openWith(t *testing.T, s setup) *desk {
	t.Helper()
	if s.now == nil {
		s.now = time.Now
	}
	ctx := context.Background()
	d := &desk{store: storetest.NewMemory(), board: recall.New(time.Now), fake: fakeprovider.New(fakeprovider.Keys{OpenAI: providerKey})}
	stop, err := d.fake.Start()
	if err != nil {
		t.Fatal(err)
	}
	d.stop = sync.OnceFunc(stop)
	t.Cleanup(d.stop)
	d.approve(t, s.provider)
	box, err := seal.Open(t.TempDir() + "/kek")
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.New(ctx, vault.Config{Sealed: d.store, Box: box, Env: map[string]string{
		"OPENAI_API_KEY": providerKey, "ANTHROPIC_API_KEY": providerKey, "GOOGLE_API_KEY": providerKey}, Now: time.Now, NewID: newID})
	if err != nil {
		t.Fatal(err)
	}
	d.vault = v
	tariff, err := meter.LoadTariff()
	if err != nil {
		t.Fatal(err)
	}
	m, err := meter.New(meter.Config{Ledger: d.store, Rates: s.rates, Tariff: tariff, Now: time.Now, NewID: newID, MaxInFlight: 64, CutCostsHold: s.cutHold})
	if err != nil {
		t.Fatal(err)
	}
	origin, err := url.Parse(d.fake.Origin)
	if err != nil {
		t.Fatal(err)
	}
	versioned := *origin
	versioned.Path = "/v1"
	up := upstream.New(upstream.Config{Bases: map[passport.Provider]*url.URL{passport.OpenAI: &versioned, passport.Anthropic: origin, passport.Google: origin},
		HeaderTimeout: time.Minute, IdleTimeout: s.idle})
	t.Cleanup(up.Close)
	tk := tokens{d: d}
	if s.stale {
		s, err := d.store.Standing(ctx, d.grant.ID)
		if err != nil {
			t.Fatal(err)
		}
		tk.stale = &s
	}
	d.gw = gateway.New(gateway.Config{Tokens: tk, Grants: d.store, Meter: m, Tariff: tariff, Board: d.board, Vault: v, Upstream: up, Repeats: &repeat.Keeper{Store: d.store, Box: box, Now: time.Now}, Now: s.now,
		OpenAI: openai.New(), Anthropic: anthropic.New(), Google: gemini.New(),
		Charge5xx: s.fiveXX, MaxBody: 1 << 20, MaxBodies: 2 << 20, BodyTimeout: time.Minute, WriteTimeout: time.Minute})
	mux := http.NewServeMux()
	for _, rt := range d.gw.Routes() {
		mux.HandleFunc(rt.Pattern, rt.Handler)
	}
	d.srv = httptest.NewServer(mux)
	t.Cleanup(d.srv.Close)
	return d
}

func (d *desk) approve(t *testing.T, p passport.Provider) {
	t.Helper()
	now := time.Now().UTC()
	asked := []passport.Detail{{Provider: p, Models: []string{}, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(1000), RateLimit: passport.LimitOf(1000)}}
	g := passport.Grant{ID: passport.GrantID(newID()), RequestID: "r", Version: 1, State: passport.GrantPending, AppName: "a", AppURL: "https://a.example",
		Asked: asked, Details: asked, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	ev := func() passport.Event { return passport.Event{ID: passport.EventID(newID()), At: now, Grant: g.ID} }
	if err := d.store.AddGrant(context.Background(), g, ev()); err != nil {
		t.Fatal(err)
	}
	g, err := g.Approve(passport.Approval{Owner: "p", Payer: passport.OwnerPays, Lifetime: time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.ChangeGrant(context.Background(), g, ev()); err != nil {
		t.Fatal(err)
	}
	d.grant = g
}

func (d *desk) revoke(t *testing.T) {
	t.Helper()
	g, err := d.grant.To(passport.GrantRevoked, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.ChangeGrant(context.Background(), g, passport.Event{ID: passport.EventID(newID()), At: time.Now(), Grant: g.ID}); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) post(t *testing.T, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("POST", d.srv.URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func (d *desk) balance(t *testing.T) passport.Balance {
	t.Helper()
	s, err := d.store.Standing(context.Background(), d.grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s.Total
}

// TestNothingLeavesWithoutAHold: the ledger says no, whether or not it did it. Nothing goes upstream and nothing stays held.
func TestNothingLeavesWithoutAHold(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		d := open(t, false)
		d.store.Fail("Hold", when, problem.Wrap(errors.New("disk"), problem.Unavailable, "not now"))
		if res := d.post(t, body); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("when %d: got %d, want 503", when, res.StatusCode)
		}
		if n := len(d.fake.Requests()); n != 0 {
			t.Errorf("when %d: %d calls reached the provider", when, n)
		}
		if b := d.balance(t); b.Held != 0 || b.Settled != 0 || b.Calls != 0 {
			t.Errorf("when %d: balance %+v, want nothing held, spent or counted", when, b)
		}
	}
}

// TestRevokeBetweenIdentifyAndReserve: step 1 saw a live grant, the revoke came after it. Step 5 refuses.
func TestRevokeBetweenIdentifyAndReserve(t *testing.T) {
	d := open(t, true)
	d.revoke(t)
	if res := d.post(t, body); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", res.StatusCode)
	}
	if n := len(d.fake.Requests()); n != 0 {
		t.Errorf("%d calls reached the provider after the revoke", n)
	}
}

// silent are rates that a counter never answers.
type silent struct{ asked chan struct{} }

func (s silent) Take(ctx context.Context, _ passport.GrantID, _ int, _ int64) (passport.RatePlace, error) {
	close(s.asked)
	<-ctx.Done()
	return passport.RatePlace{}, problem.Wrap(ctx.Err(), problem.Unavailable, "no answer")
}

func (silent) GiveBack(passport.RatePlace) {}

// TestACallThatIsRecalledWhileItWaitsHearsWhy: the client is there, so it is told of the pause, not that somebody gave up.
func TestACallThatIsRecalledWhileItWaitsHearsWhy(t *testing.T) {
	rates := silent{make(chan struct{})}
	d := openWith(t, setup{provider: passport.OpenAI, idle: time.Minute, rates: rates})
	go func() {
		<-rates.asked
		d.board.End(d.grant.ID, problem.New(problem.GrantPaused, "the grant was paused"))
	}()
	if res := d.post(t, body); res.StatusCode != http.StatusForbidden {
		t.Errorf("got %d, want 403", res.StatusCode)
	}
	if n := len(d.fake.Requests()); n != 0 {
		t.Errorf("%d calls reached the provider", n)
	}
}

// TestRecallCutsAStream: the client sees an error event and no end mark, the provider is cut, the hold is charged.
func TestRecallCutsAStream(t *testing.T) {
	d := open(t, false)
	gate := make(chan struct{})
	d.fake.Next(fakeprovider.Behaviour{Chunks: 5, Gate: gate})
	res := d.post(t, streamBody)
	gate <- struct{}{}
	held := d.balance(t).Held
	if held == 0 {
		t.Fatal("nothing is held while the stream runs")
	}
	if n := d.board.End(d.grant.ID, problem.New(problem.GrantEnded, "the grant was revoked")); n != 1 {
		t.Fatalf("ended %d calls, want 1", n)
	}
	all, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(all), "the grant was revoked") || strings.Contains(string(all), "[DONE]") {
		t.Errorf("got %q %v, want an error event and no end mark", all, err)
	}
	if err := d.fake.AwaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b := d.balance(t); b.Settled != held || b.Held != 0 {
		t.Errorf("balance %+v, want the whole hold of %s charged", b, held)
	}
}

// TestUnusualAnswers: what a provider may do wrong, what the caller gets, and what it costs.
func TestUnusualAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		b      fakeprovider.Behaviour
		body   string
		status int
		free   bool // nothing is charged; else the hold
	}{
		"429":            {fakeprovider.Behaviour{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, body, 429, true},
		"500":            {fakeprovider.Behaviour{Status: 500}, body, 500, true},
		"401":            {fakeprovider.Behaviour{Status: 401}, body, 502, true},
		"redirect":       {fakeprovider.Behaviour{Status: 302, Header: http.Header{"Location": {"/x"}}}, body, 502, true},
		"no usage":       {fakeprovider.Behaviour{NoUsage: true}, body, 200, false},
		"negative usage": {fakeprovider.Behaviour{RawUsage: `{"prompt_tokens":-5,"completion_tokens":1,"total_tokens":1}`}, body, 200, false},
		"html":           {fakeprovider.Behaviour{Body: "<html>hi</html>", Header: http.Header{"Content-Type": {"text/html"}}}, body, 502, false},
		"dropped":        {fakeprovider.Behaviour{Drop: true}, body, 502, false},
		"gzip":           {fakeprovider.Behaviour{Gzip: true}, body, 502, false},
		"cut stream":     {fakeprovider.Behaviour{CutAfter: 1}, streamBody, 200, false},
		"cut at the end": {fakeprovider.Behaviour{CutAtEnd: true}, streamBody, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, false)
			d.fake.Next(c.b)
			res := d.post(t, c.body)
			all, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status {
				t.Errorf("got status %d, want %d: %s", res.StatusCode, c.status, all)
			}
			if strings.Contains(string(all), providerKey) {
				t.Errorf("the provider key is in the answer: %s", all)
			}
			if name == "429" && res.Header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After is %q, want 7", res.Header.Get("Retry-After"))
			}
			if strings.HasPrefix(name, "cut") && strings.Contains(string(all), "[DONE]") {
				t.Errorf("a cut stream ended as if it were whole: %s", all)
			}
			b := d.balance(t)
			if b.Held != 0 || (b.Settled == 0) != c.free || b.Calls != 1 {
				t.Errorf("balance %+v, want free %v, nothing held, one call", b, c.free)
			}
		})
	}
}

// bad is a dialect with a bug of ours in its tap.
type bad struct{ dialect.Dialect }

func (b bad) Read(in dialect.Input) (*dialect.Request, error) {
	r, err := b.Dialect.Read(in)
	if err == nil {
		r.Tap = func() dialect.Tap { panic("our bug") }
	}
	return r, err
}

// TestPanicIsCharged: whatever happens after the call has left, the reservation is settled, and not for nothing.
func TestPanicIsCharged(t *testing.T) {
	d := open(t, false)
	d.gw.OpenAI = bad{d.gw.OpenAI}
	mux := http.NewServeMux()
	for _, rt := range d.gw.Routes() {
		mux.HandleFunc(rt.Pattern, rt.Handler)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		mux.ServeHTTP(w, r)
	}()
	if b := d.balance(t); b.Held != 0 || b.Settled == 0 {
		t.Errorf("balance %+v, want nothing held and the hold charged", b)
	}
}

// faulty is a tap with a bug of ours that shows in mid-stream.
type faulty struct{ dialect.Tap }

func (faulty) Pass([]byte) ([]byte, error) { panic("our bug") }

type badInside struct{ dialect.Dialect }

func (b badInside) Read(in dialect.Input) (*dialect.Request, error) {
	r, err := b.Dialect.Read(in)
	if err == nil {
		tap := r.Tap
		r.Tap = func() dialect.Tap { return faulty{tap()} }
	}
	return r, err
}

// TestAPanicInMidStreamCostsTheHold: what a tap says that did not come to its end is not believed.
func TestAPanicInMidStreamCostsTheHold(t *testing.T) {
	d := open(t, false)
	d.gw.OpenAI = badInside{d.gw.OpenAI}
	mux := http.NewServeMux()
	for _, rt := range d.gw.Routes() {
		mux.HandleFunc(rt.Pattern, rt.Handler)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(strings.Replace(streamBody, "100", "5000", 1)))
	r.Header.Set("Authorization", "Bearer x")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		mux.ServeHTTP(w, r)
	}()
	left, _, _ := told(t, w.Header())
	if b := d.balance(t); b.Held != 0 || b.Settled != b.Cap-passport.Money(left) || b.Settled < 3000 {
		t.Errorf("balance %+v, told %d are left: want the hold charged", b, left)
	}
}

// TestBodiesAreBounded: one body, and all bodies together.
func TestBodiesAreBounded(t *testing.T) {
	d := open(t, false)
	if res := d.post(t, `{"model":"`+strings.Repeat("x", 2<<20)); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", res.StatusCode)
	}
	var slow []*io.PipeWriter
	var n atomic.Int64
	done := make(chan int, 3)
	for range 3 { // each counts by what has arrived, all but its last byte
		r, w := io.Pipe()
		slow = append(slow, w)
		go w.Write(make([]byte, 900<<10-1))
		go func() {
			req, _ := http.NewRequest("POST", d.srv.URL+"/v1/chat/completions", r)
			req.Header.Set("Authorization", "Bearer x")
			req.ContentLength = 900 << 10
			n.Add(1)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				done <- 0
				return
			}
			res.Body.Close()
			done <- res.StatusCode
		}()
	}
	if got := <-done; got != http.StatusTooManyRequests {
		t.Errorf("the body that is too much got %d, want 429", got)
	}
	for _, w := range slow {
		w.CloseWithError(errors.New("enough"))
	}
	<-done
	<-done
}
