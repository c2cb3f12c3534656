package connect_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/connect"
)

const chat = "/v1/chat/completions"

// TestCallsAreProven: each has a token and a proof that fits it, the local key stays here, and a nonce costs one more try with the same body.
func TestCallsAreProven(t *testing.T) {
	f := newFake(t)
	s := f.signedIn()
	f.set(func() { f.nonce = "n1" })
	h := s.bearer()
	h.Set("Connection", "X-Hop")
	h.Set("X-Hop", "stays")
	h.Set("Cookie", "stays=1")
	h.Set("Anthropic-Version", "2023-06-01")
	if status, body := s.call(chat+"?alt=sse&key="+s.Key(), "the body", h); status != 200 || body != `{"ok":true}` {
		t.Fatalf("%d %s", status, body)
	}
	f.set(func() { f.nonce = "next" }) // that the answer brought
	if status, _ := s.call(chat, "again", s.bearer()); status != 200 {
		t.Errorf("with the nonce of the answer before: %d", status)
	}
	f.set(func() {
		got := f.calls[0]
		if f.bodies[0] != "the body" || got.URL.RawQuery != "alt=sse" || got.Header.Get("Anthropic-Version") != "2023-06-01" || len(f.wrong) != 0 || len(f.calls) != 2 {
			t.Errorf("got %q with %q, wrong: %q", f.bodies, got.URL.RawQuery, f.wrong)
		}
		for _, name := range []string{"X-Hop", "Cookie", "X-Api-Key"} {
			if got.Header.Get(name) != "" {
				t.Errorf("%s was sent on", name)
			}
		}
		if all := fmt.Sprint(got.Header, got.URL); strings.Contains(all, s.Key()) {
			t.Errorf("the local key was sent on: %s", all)
		}
	})
	if k := s.keeper.kept; k.Refresh != "refresh-1" || k.Grant != "g1" || k.Key == "" {
		t.Errorf("kept %+v", k)
	}
}

// TestOnlyTheLocalKeyOpens, shown to a name of loopback, and not by a web page; in the words of each dialect, and nothing leaves.
func TestOnlyTheLocalKeyOpens(t *testing.T) {
	f := newFake(t)
	s := f.signedIn(func(c *connect.Config) { c.Origins = []string{"https://good.example"} })
	key, port := s.Key(), s.Base().Port()
	for _, c := range []struct {
		path   string
		h      http.Header
		status int
		says   string
	}{
		{chat, nil, 401, `"code":"invalid_api_key"`},
		{chat, http.Header{"Authorization": {"Bearer x" + key}}, 401, `"error":{`},
		{chat, http.Header{"Authorization": {"Basic " + key}}, 401, `"error":{`},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "X-Api-Key": {"sk-another"}}, 401, `"error":{`},
		{chat + "?key=" + key + "&key=x", nil, 401, `"error":{`},
		{"/anthropic/v1/messages", http.Header{"X-Api-Key": {"wrong"}}, 401, `"type":"authentication_error"`},
		{"/google/v1beta/models/m:generateContent", http.Header{"X-Goog-Api-Key": {"wrong"}}, 401, `"status":"UNAUTHENTICATED"`},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Host": {"evil.example:" + port}}, 421, "on loopback"},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Host": {"127.0.0.1.evil.example:" + port}}, 421, "on loopback"},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Host": {"127.0.0.1:1"}}, 421, "on loopback"},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Host": {"127.0.0.1"}}, 421, "on loopback"},
		{"/callback", http.Header{"Host": {"evil.example:" + port}}, 421, "on loopback"},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Origin": {"https://evil.example"}}, 403, "--allow-origin"},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Origin": {"null"}}, 403, "--allow-origin"},
		{chat, http.Header{"Authorization": {"Bearer " + key}, "Origin": {s.Base().String()}}, 403, "--allow-origin"},
		{"/grants", http.Header{"Authorization": {"Bearer " + key}}, 404, "nothing at this address"},
		{"/oauth/token", http.Header{"Authorization": {"Bearer " + key}}, 404, "nothing at this address"},
		{"/v1/%2e%2e/grants", http.Header{"Authorization": {"Bearer " + key}}, 404, "nothing at this address"},
		{"/more?ask=x", nil, 404, "nothing to ask"},
		{"/callback?state=x&code=c0de", nil, 404, "Nothing waits"},
	} {
		if status, body := s.call(c.path, "{}", c.h); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %v: %d %s", c.path, c.h, status, body)
		}
	}
	f.set(func() {
		if len(f.calls) != 0 {
			t.Errorf("%d calls left", len(f.calls))
		}
	})
	for _, h := range []http.Header{s.bearer(), {"X-Api-Key": {key}}, {"X-Goog-Api-Key": {key}}, {"Authorization": {"bearer " + key}, "Host": {"LOCALHOST:" + port}},
		{"Authorization": {"Bearer " + key}, "Origin": {"https://good.example"}}} {
		if status, body := s.call(chat, "{}", h); status != 200 {
			t.Errorf("%v: %d %s", h, status, body)
		}
	}
}

// TestTokensAreReplacedInTime: once for many calls, and once more if the broker says that one is no good; the refresh token is kept first.
func TestTokensAreReplacedInTime(t *testing.T) {
	f := newFake(t)
	f.life = 30 // less than refreshEarly: used to its end
	s := f.signedIn()
	if status, _ := s.call(chat, "{}", s.bearer()); status != 200 {
		t.Fatal(status)
	}
	f.set(func() { f.access, f.life = "revoked meanwhile", 3600 })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, body := s.call(chat, "{}", s.bearer()); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	f.set(func() {
		if f.refreshs != 1 || len(f.wrong) != 0 || s.keeper.kept.Refresh != "refresh-2" {
			t.Errorf("refreshed %d times, kept %s, wrong %q", f.refreshs, s.keeper.kept.Refresh, f.wrong)
		}
		f.access = "again"
	})
	s.keeper.mu.Lock()
	s.keeper.bad = errors.New("the disk is full")
	s.keeper.mu.Unlock()
	if status, body := s.call(chat, "{}", s.bearer()); status != 502 || !strings.Contains(body, "keep the refresh token") {
		t.Errorf("a refresh token that cannot be kept: %d %s", status, body)
	}
	s.keeper.mu.Lock()
	s.keeper.bad = nil
	s.keeper.mu.Unlock()
	f.set(func() { f.ended = true })
	if status, body := s.call(chat, "{}", s.bearer()); status != 401 || !strings.Contains(body, "the access has ended") {
		t.Errorf("ended: %d %s", status, body)
	}
	if !strings.Contains(<-s.said, "the access has ended") {
		t.Error("nobody was told")
	}
}

// TestWhatIsKeptIsUsed by the next run, unless something else is asked for; another key is worth nothing.
func TestWhatIsKeptIsUsed(t *testing.T) {
	f := newFake(t)
	first := f.signedIn()
	kept := first.keeper.kept
	again := func(k connect.Kept, more ...func(*connect.Config)) *side {
		t.Helper()
		s, err := f.sidecar(k, more...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := again(kept)
	if err := s.SignIn(t.Context(), false); err != nil || s.Key() != first.Key() {
		t.Fatalf("with what was kept: %v", err)
	}
	if status, _ := s.call(chat, "{}", s.bearer()); status != 200 {
		t.Errorf("a call: %d", status)
	}
	kept = s.keeper.kept
	stolen := kept
	stolen.Key, _ = connect.NewKey()
	thief := again(stolen)
	if err := thief.SignIn(t.Context(), false); err == nil {
		t.Error("a stolen refresh token works without its key")
	}
	f.set(func() {
		if len(f.wrong) == 0 || !strings.Contains(f.wrong[0], "bound to") || f.refresh != kept.Refresh {
			t.Errorf("the broker saw %q", f.wrong)
		}
		f.wrong = nil
	})
	other := again(kept, func(c *connect.Config) { c.Details = `[{"type":"ai_access","provider":"openai"}]` })
	got := make(chan error, 1)
	go func() { got <- other.SignIn(t.Context(), false) }()
	other.approves(nil)
	if err := <-got; err != nil {
		t.Errorf("something else is asked for: %v", err)
	}
	if err := other.End(t.Context()); err != nil || other.keeper.kept.Refresh != "" || other.keeper.kept.Local != kept.Local {
		t.Errorf("ended: %v, kept %+v", err, other.keeper.kept)
	}
	f.set(func() {
		if f.revoked != f.refresh {
			t.Errorf("%q was revoked", f.revoked)
		}
	})
}

// TestAnswersOfOthersAreNone: another issuer, another state, a denial, a bearer token, a broker that calls itself something else.
func TestAnswersOfOthersAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(url.Values)
		set    func(*fake)
		says   string
	}{
		"another issuer": {func(v url.Values) { v.Set("iss", "https://evil.example") }, nil, "not of this broker"},
		"no issuer":      {func(v url.Values) { v.Del("iss") }, nil, "not of this broker"},
		"denied":         {func(v url.Values) { v.Del("code"); v.Set("error", "access_denied") }, nil, "access_denied"},
		"another code":   {func(v url.Values) { v.Set("code", "x") }, nil, "invalid_grant"},
		"a bearer token": {nil, func(f *fake) { f.typ = "Bearer" }, "bound to our key"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if c.set != nil {
				c.set(f)
			}
			s, err := f.sidecar(connect.Kept{})
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan error, 1)
			go func() { got <- s.SignIn(t.Context(), false) }()
			page := <-s.pages
			if status, _ := s.comesBack(func(v url.Values) { v.Set("state", "x") }); status != 404 {
				t.Errorf("another state: %d", status)
			}
			s.pages <- page
			s.approves(c.change)
			if err := <-got; err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if status, _ := s.call(chat, "{}", s.bearer()); status != 503 {
				t.Errorf("a call: %d", status)
			}
			if status, _ := s.comesBack(nil); status != 404 {
				t.Errorf("the answer twice: %d", status)
			}
		})
	}
	f := newFake(t)
	f.issuer = "https://another.example"
	if _, err := f.sidecar(connect.Kept{}); err == nil || !strings.Contains(err.Error(), "calls itself https://another.example") {
		t.Errorf("another name: %v", err)
	}
	if _, err := newFake(t).sidecar(connect.Kept{}, func(c *connect.Config) { c.Listener = everywhere{c.Listener} }); err == nil || !strings.Contains(err.Error(), "not loopback") {
		t.Errorf("a listener for all: %v", err)
	}
}

// everywhere is a listener that others reach.
type everywhere struct{ net.Listener }

func (everywhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 1} }

// TestAnswersPassAsTheyCome: a piece is there before the next is sent, a caller that hangs up ends the broker's call, a cut answer does not
// look whole.
func TestAnswersPassAsTheyCome(t *testing.T) {
	f := newFake(t)
	s := f.signedIn()
	next, gone := make(chan struct{}), make(chan struct{})
	f.set(func() {
		f.answer = func(w http.ResponseWriter, r *http.Request, body string) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Set-Cookie", "stays=1")
			fmt.Fprint(w, "data: 1\n\n")
			http.NewResponseController(w).Flush()
			switch body {
			case "cut":
				panic(http.ErrAbortHandler)
			case "hang up":
				<-r.Context().Done()
				close(gone)
			default:
				<-next
				fmt.Fprint(w, "data: 2\n\n")
			}
		}
	})
	res := s.open(chat, "{}", s.bearer())
	piece := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, piece); err != nil || string(piece) != "data: 1\n\n" || res.Header.Get("Set-Cookie") != "" {
		t.Fatalf("%q %v", piece, err)
	}
	close(next)
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "data: 2\n\n" {
		t.Errorf("%q %v", rest, err)
	}
	res = s.open(chat, "cut", s.bearer())
	if all, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a cut answer looks whole: %q", all)
	}
	res = s.open(chat, "hang up", s.bearer())
	io.ReadFull(res.Body, piece)
	res.Body.Close()
	<-gone
	if status, body := s.call(chat, strings.Repeat("x", 32<<20+1), s.bearer()); status != 413 || !strings.Contains(body, "32 MiB") {
		t.Errorf("a body that is too long: %d %s", status, body)
	}
}

// TestMoreCanBeAskedFor by a link that works once: what the refusal says, for the grant that it names.
func TestMoreCanBeAskedFor(t *testing.T) {
	f := newFake(t)
	s := f.signedIn()
	f.set(func() {
		f.answer = func(w http.ResponseWriter, _ *http.Request, _ string) {
			wants := base64.RawURLEncoding.EncodeToString([]byte(`{"authorization_details":[{"type":"ai_access","models":["m"]}],"grant_id":"g1"}`))
			w.Header().Set("WWW-Authenticate", `Bearer realm="aipassport", error="insufficient_authorization_details", authorization_remediation="`+wants+`"`)
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "the broker's words")
		}
	})
	for range 3 {
		if status, body := s.call(chat, "{}", s.bearer()); status != 403 || body != "the broker's words" {
			t.Errorf("%d %s", status, body)
		}
	}
	_, link, _ := strings.Cut(<-s.said, "open ")
	if len(s.said) != 0 {
		t.Errorf("it was told again: %s", <-s.said)
	}
	follow := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := follow.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	s.pages <- res.Header.Get("Location")
	f.set(func() {
		if f.pushed.Get("grant_id") != "g1" || f.pushed.Get("authorization_details") != `[{"type":"ai_access","models":["m"]}]` {
			t.Errorf("asked for %v", f.pushed)
		}
	})
	if res, err = follow.Get(link); err != nil || res.StatusCode != 404 {
		t.Errorf("the link works twice: %v", err)
	}
	res.Body.Close()
	if status, text := s.approves(nil); status != 200 || !strings.Contains(text, "more was added") || !strings.Contains(<-s.said, "more was added") {
		t.Errorf("%d %s", status, text)
	}
	f.set(func() { f.answer = nil })
	if status, _ := s.call(chat, "{}", s.bearer()); status != 200 || s.keeper.kept.Refresh != "refresh-2" {
		t.Errorf("a call after it: %d, kept %s", status, s.keeper.kept.Refresh)
	}
}

// TestOnAnotherDevice: the person is shown where to type which code, and the answer is polled for.
func TestOnAnotherDevice(t *testing.T) {
	f := newFake(t)
	f.pending = 1
	s, err := f.sidecar(connect.Kept{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SignIn(t.Context(), true); err != nil || <-s.pages != "http://b/device WDJB-MJHT" {
		t.Fatal(err)
	}
	if status, _ := s.call(chat, "{}", s.bearer()); status != 200 {
		t.Errorf("a call: %d", status)
	}
}
