package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// sidecar is aipassport connect beside a broker, as somebody types it.
type sidecar struct {
	*command
	home, base, key string
}

// connects starts a sidecar whose request a person approves in the browser.
func (b *broker) connects(p *person, home string, args ...string) *sidecar {
	b.t.Helper()
	s := &sidecar{home: home}
	s.command = b.types((&sidecar{command: &command{b: b}, home: home}).env(), append([]string{"connect", "--no-browser"}, args...)...)
	lines := s.until(s.err, "/oauth/authorize?")
	u, err := url.Parse(strings.TrimSpace(lines[len(lines)-1]))
	if err != nil {
		b.t.Fatal(err)
	}
	p.approves(u.RequestURI())
	s.ready()
	return s
}

// ready reads the variables that the sidecar prints when it has access.
func (s *sidecar) ready() {
	s.b.t.Helper()
	for _, line := range s.until(s.out, "GEMINI_API_KEY=") {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		switch name {
		case "OPENAI_BASE_URL":
			s.base = strings.TrimSuffix(value, "/v1")
		case "OPENAI_API_KEY":
			s.key = value
		}
	}
	if s.base == "" || !strings.HasPrefix(s.key, "aipl_") {
		s.b.t.Fatalf("printed %q, %q", s.base, s.key)
	}
	s.b.keepSecret(s.key)
}

// approves opens a page of consent and approves what is there, as soon as the page takes it, and follows the browser to where it is sent.
func (p *person) approves(path string) {
	p.b.t.Helper()
	p.open(path)
	action, back := p.path, ""
	for ctx := testutil.Context(p.b.t); back == ""; {
		if ctx.Err() != nil || !strings.HasPrefix(action, "/consent/") {
			p.b.t.Fatalf("not approved at %s: %s", action, p.text())
		}
		p.submit(action, url.Values{"decision": {"approve"}, "sure": {"yes"}})
		back = wayBack.FindString(string(p.page.body))
	}
	a := p.b.send("GET", back, "", p.headers(true))
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "http://127.0.0.1:") || get(p.b.t, to, "") != 200 {
		p.b.t.Fatalf("sent to %q: %s", to, a)
	}
}

var wayBack = regexp.MustCompile(`/oauth/return/[0-9a-f-]+`)

// file is what the sidecar keeps.
func (s *sidecar) file() (path string, kept map[string]string) {
	s.b.t.Helper()
	found, _ := filepath.Glob(filepath.Join(s.home, ".config", "aipassport", "connect", "*", "access.json"))
	if len(found) != 1 {
		s.b.t.Fatalf("files %q", found)
	}
	text, err := os.ReadFile(found[0])
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		s.b.t.Fatal(err)
	}
	s.b.keepSecret(kept["refresh"])
	return found[0], kept
}

// call makes a call by the sidecar, as an SDK does.
func (s *sidecar) call(key, prompt string, stream bool, h http.Header) (*http.Response, string, error) {
	s.b.t.Helper()
	req, err := http.NewRequestWithContext(testutil.Context(s.b.t), "POST", s.base+native[0].path, strings.NewReader(native[0].body(native[0].model, prompt, 20, stream)))
	if err != nil {
		s.b.t.Fatal(err)
	}
	req.Header = bearer(key)
	req.Header.Set("Content-Type", "application/json")
	req.Host = h.Get("Host")
	if o := h.Get("Origin"); o != "" {
		req.Header.Set("Origin", o)
	}
	res, err := s.b.http.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	if stream {
		return res, "", nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, string(s.b.received(text)), err
}

// TestConnectBindsEverySDKToAKey: a person approves in the browser; calls go through whole, in pieces, and end when the caller hangs up; nobody
// without the local key, and no page, gets through; the next run asks nobody; what is stolen is worth nothing without the DPoP key.
func TestConnectBindsEverySDKToAKey(t *testing.T) {
	b := start(t, nil)
	p, home := b.setUp(), t.TempDir()
	s := b.connects(p, home, "--budget", "2.00", "--calls", "50")
	id := b.newest()
	if a := b.owner("GET", "/grants/"+id, ""); a.str("status") != "approved" || !strings.Contains(string(a.body), `"maxRequests":50`) {
		t.Fatalf("given: %s", a)
	}
	if res, text, err := s.call(s.key, "hello", false, nil); err != nil || res.StatusCode != 200 || !strings.Contains(text, "piece-0") {
		t.Fatalf("a call: %v %s", err, text)
	}
	for name, c := range map[string]struct {
		key    string
		h      http.Header
		status int
	}{
		"another key": {"aipl_wrong", nil, 401}, "a name that leads here": {s.key, http.Header{"Host": {"evil.example"}}, 421}, "a page": {s.key, http.Header{"Origin": {"https://evil.example"}}, 403},
	} {
		if res, text, err := s.call(c.key, "refused", false, c.h); err != nil || res.StatusCode != c.status || !strings.Contains(text, `"error":{`) {
			t.Errorf("%s: %v %v %s", name, res.StatusCode, err, text)
		}
	}
	gate := make(chan struct{})
	b.fake.When("in pieces", fakeprovider.Behaviour{Chunks: 100, Gate: gate})
	res, _, err := s.call(s.key, "in pieces", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	testutil.Open(t, gate)
	piece := make([]byte, 16)
	if _, err := io.ReadFull(res.Body, piece); err != nil || !strings.HasPrefix(string(piece), "data: ") {
		t.Fatalf("the first piece: %q %v", piece, err)
	}
	res.Body.Close() // the provider is told
	if err := b.fake.Await(testutil.Context(t), func(rs []*fakeprovider.Request) bool { return living(rs) == 0 }); err != nil {
		t.Error(err)
	}
	if n := len(b.fake.With("refused")); n != 0 {
		t.Errorf("%d refused calls went upstream", n)
	}

	// The refresh token alone, in a hand that has another key, or none.
	_, kept := s.file()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {kept["refresh"]}, "client_id": {"aipassport-cli"}}
	a := b.send("POST", "/oauth/token", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if a.status != 400 || a.str("access_token") != "" {
		t.Errorf("a stolen refresh token: %s", a)
	}
	s.cmd.Process.Signal(syscall.SIGINT)
	if code, said := s.ends(); code != 0 || strings.Contains(said, "has ended") || b.standing(id).Status != "approved" {
		t.Errorf("interrupted: exit %d: %s", code, said)
	}

	// The next run asks nobody, gives its command the variables.
	args := []string{"connect", "--no-browser", "--budget", "2.00", "--calls", "50", "--revoke", "--", "sh", "-c", shows}
	next := &sidecar{home: home, command: b.types(s.env(), args...)}
	got := next.environment()
	if next.base, next.key = strings.TrimSuffix(got["OPENAI_BASE_URL"], "/v1"), got["OPENAI_API_KEY"]; next.key != s.key || got["OPENAI_ORG_ID"] != "" {
		t.Errorf("the next run has the key %.8s, wanted the one before", next.key)
	}
	if res, text, err := next.call(next.key, "again", false, nil); err != nil || res.StatusCode != 200 {
		t.Errorf("the next run: %v %s", err, text)
	}
	next.in.Close()
	if code, said := next.ends(); code != 7 || !strings.Contains(said, "the access has ended") || b.standing(id).Status != "revoked" {
		t.Errorf("the command's end: exit %d, the grant is %s: %s", code, b.standing(id).Status, said)
	}
}

// env is that of somebody who has no bearer of the owner.
func (s *sidecar) env() env {
	return env{"HOME": s.home, "XDG_CONFIG_HOME": "", "AIPASSPORT_OWNER_TOKEN": "", "AIPASSPORT_BROKER_URL": strings.Replace(s.b.url, "127.0.0.1", "localhost", 1)}
}

// TestConnectRefusesWhatItCannotDo, before it asks anybody.
func TestConnectRefusesWhatItCannotDo(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		args []string
		said string
	}{
		{[]string{"--listen", "0.0.0.0:0"}, "not a loopback address"}, {[]string{"--listen", "localhost"}, "not a loopback address"},
		{[]string{"--budget", "1.005"}, "--budget"}, {[]string{"--for", "0.1s"}, "--for"}, {[]string{"--", "no-such-command"}, "no-such-command"},
	} {
		if code, said := b.types(env{"HOME": t.TempDir()}, append([]string{"connect"}, c.args...)...).ends(); code != 1 || !strings.Contains(said, c.said) {
			t.Errorf("%v: exit %d, want %q: %s", c.args, code, c.said, said)
		}
	}
	if a := b.owner("GET", "/grants", ""); string(a.body) != "[]" {
		t.Errorf("somebody was asked: %s", a)
	}
}
