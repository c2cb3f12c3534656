package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

func pages(t *testing.T, public string) *web.Pages {
	t.Helper()
	p, err := web.New(web.Options{PublicURL: public})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublicURLMustBeHTTP(t *testing.T) {
	for _, u := range []string{"", "localhost:3001", "ftp://x.example", "https://", "://"} {
		if _, err := web.New(web.Options{PublicURL: u}); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestEveryAnswerHasTheSafeHeaders(t *testing.T) {
	p := pages(t, "https://passport.example")
	answers := map[string]http.HandlerFunc{
		"page": func(w http.ResponseWriter, r *http.Request) {
			p.Error(w, r, web.Visitor{}, problem.New(problem.NotFound, "x"))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { p.Redirect(w, r, "/keys") },
	}
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; " +
			"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
	}
	for name, h := range answers {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest("GET", "/", nil))
		for k, v := range want {
			if got := w.Header().Get(k); got != v {
				t.Errorf("%s: %s is %q, want %q", name, k, got, v)
			}
		}
		if w.Header().Get("Permissions-Policy") == "" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", name, w.Header())
		}
	}
}

func TestErrorPagesTellOnlyWhatTheVisitorMayKnow(t *testing.T) {
	var log bytes.Buffer
	p, err := web.New(web.Options{PublicURL: "https://passport.example", Log: slog.New(slog.NewTextHandler(&log, nil)),
		RequestID: func(*http.Request) string { return "req-17" }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err    error
		status int
		logged bool
	}{
		{fmt.Errorf("read: disk canary-cause"), 500, true},
		{problem.Wrap(fmt.Errorf("canary-cause"), problem.Unavailable, "full"), 503, true},
		{problem.New(problem.NotFound, "x"), 404, false},
		{problem.New(problem.Forbidden, "x"), 403, false},
		{problem.New(problem.RateExceeded, "x").After(1500 * time.Millisecond), 429, false},
		{problem.New(problem.Kind(999), "x"), 500, true},
	} {
		log.Reset()
		w := httptest.NewRecorder()
		p.Error(w, httptest.NewRequest("GET", "/x", nil), web.Visitor{}, c.err)
		if w.Code != c.status {
			t.Errorf("%v: status %d, want %d", c.err, w.Code, c.status)
		}
		if strings.Contains(w.Body.String(), "canary-cause") {
			t.Errorf("%v: the page tells the cause", c.err)
		}
		if got := log.Len() > 0; got != c.logged {
			t.Errorf("%v: logged %v, want %v", c.err, got, c.logged)
		}
		if got := strings.Contains(w.Body.String(), "req-17"); got != c.logged {
			t.Errorf("%v: number shown %v, want %v", c.err, got, c.logged)
		}
		if c.status == 429 && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After is %q, want 2: rounded up", w.Header().Get("Retry-After"))
		}
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/keys": "/keys", "/consent/a?b=c": "/consent/a?b=c", "": "/", "keys": "/", "//evil.example": "/", `/\evil.example`: "/",
		`\/evil.example`: "/", "https://evil.example": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "/\n/evil": "/", "/\x00": "/",
		"/ü": "/", " /keys": "/", "/" + strings.Repeat("a", 1000): "/", "/%2F/evil.example": "/%2F/evil.example",
	} {
		if got := web.LocalPath(in); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPostedTakesOnlyOurOwnForms(t *testing.T) {
	p := pages(t, "https://passport.example")
	v, other := web.NewVisitor("p1", "a", passport.RoleOwner, []byte("one session")), web.NewVisitor("p1", "a", passport.RoleOwner, []byte("another"))
	for _, c := range []struct {
		name   string
		header map[string]string
		csrf   string
		v      web.Visitor
		body   string
		want   problem.Kind
		ok     bool
	}{
		{name: "own page", header: map[string]string{"Sec-Fetch-Site": "same-origin"}, csrf: v.CSRF(), v: v, ok: true},
		{name: "old browser with the token", csrf: v.CSRF(), v: v, ok: true},
		{name: "own origin", header: map[string]string{"Origin": "https://passport.example"}, csrf: v.CSRF(), v: v, ok: true},
		{name: "no token", header: map[string]string{"Sec-Fetch-Site": "same-origin"}, v: v, want: problem.Forbidden},
		{name: "token of another session", csrf: other.CSRF(), v: v, want: problem.Forbidden},
		{name: "nobody", csrf: v.CSRF(), want: problem.Forbidden},
		{name: "nobody, empty token", want: problem.Forbidden},
		{name: "cross-site with the token", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, csrf: v.CSRF(), v: v, want: problem.Forbidden},
		{name: "sibling site with the token", header: map[string]string{"Sec-Fetch-Site": "same-site"}, csrf: v.CSRF(), v: v, want: problem.Forbidden},
		{name: "foreign origin", header: map[string]string{"Origin": "https://evil.example"}, csrf: v.CSRF(), v: v, want: problem.Forbidden},
		{name: "null origin", header: map[string]string{"Origin": "null"}, csrf: v.CSRF(), v: v, want: problem.Forbidden},
		{name: "JSON", header: map[string]string{"Content-Type": "application/json"}, csrf: v.CSRF(), v: v, want: problem.UnsupportedMedia},
		{name: "plain text", header: map[string]string{"Content-Type": "text/plain"}, csrf: v.CSRF(), v: v, want: problem.UnsupportedMedia},
		{name: "too large", csrf: v.CSRF(), v: v, body: "&x=" + strings.Repeat("a", web.MaxForm), want: problem.TooLarge},
	} {
		r := httptest.NewRequest("POST", "https://passport.example/x", strings.NewReader("csrf="+url.QueryEscape(c.csrf)+c.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, h := range c.header {
			r.Header.Set(k, h)
		}
		err := p.Posted(httptest.NewRecorder(), r, c.v)
		if (err == nil) != c.ok || (err != nil && problem.KindOf(err) != c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestVisitorDoesNotPrintItsSecret(t *testing.T) {
	v := web.NewVisitor("p1", "a", passport.RoleOwner, []byte("canary-session"))
	if s := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(s, "canary") || strings.Contains(s, hex.EncodeToString([]byte("canary"))) {
		t.Errorf("printed: %s", s)
	}
}

func TestCookiesAreBoundToHTTPS(t *testing.T) {
	c := pages(t, "https://passport.example").Cookie("aipassport", "v", 5)
	if c.Name != "__Host-aipassport" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("https: %+v", c)
	}
	c = pages(t, "http://localhost:3001").Cookie("aipassport", "v", 5)
	if c.Name != "aipassport" || c.Secure || !c.HttpOnly {
		t.Errorf("http: %+v", c)
	}
}

func TestSaidIsSaidOnce(t *testing.T) {
	p := pages(t, "http://localhost")
	w := httptest.NewRecorder()
	p.Say(w, "revoked", 3)
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	if word, n := p.Said(w, r); word != "revoked" || n != 3 {
		t.Errorf("got %q %d", word, n)
	}
	if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge != -1 {
		t.Errorf("the cookie was not cleared: %v", c)
	}
	for _, bad := range []string{"", "revoked", "revoked.", "revoked.-1", "revoked.x", "revoked.99999999999999999999"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: "aipassport-said", Value: bad})
		if word, _ := p.Said(httptest.NewRecorder(), r); word != "" {
			t.Errorf("%q was taken as %q", bad, word)
		}
	}
}

func TestStaticFilesAreNamedByTheirContent(t *testing.T) {
	p := pages(t, "http://localhost")
	w := httptest.NewRecorder()
	p.Error(w, httptest.NewRequest("GET", "/", nil), web.Visitor{}, problem.New(problem.NotFound, "x"))
	paths := regexp.MustCompile(`/static/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)`).FindAllString(w.Body.String(), -1)
	if len(paths) != 3 {
		t.Fatalf("the page asks for %v, want three files", paths)
	}
	for _, path := range paths {
		w := httptest.NewRecorder()
		p.Static(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	for _, path := range []string{"/static/", "/static/app.css", "/static/../web.go", "/static/app.000000000000.css"} {
		w := httptest.NewRecorder()
		p.Static(w, &http.Request{Method: "GET", URL: &url.URL{Path: path}})
		if w.Code != 404 || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestUPlotIsAsPublished: what is vendored is what the page on dependencies says that the package has, which make browser compares with the
// package itself.
func TestUPlotIsAsPublished(t *testing.T) {
	told, err := os.ReadFile("../docs/design/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uplot.js", "uplot.css", "uplot.txt"} {
		b, err := os.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if row := fmt.Sprintf("| %s | %x |", name, sha256.Sum256(b)); !strings.Contains(string(told), row) {
			t.Errorf("docs/design/dependencies.md has no row %q", row)
		}
	}
}

func TestTemplatesHaveNothingInline(t *testing.T) {
	entries, err := os.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	bad := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|<style|<script>|javascript:|template\.(HTML|JS|CSS|URL)|https?://|<img|@import|placeholder=`)
	for _, e := range entries {
		b, err := os.ReadFile("templates/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if m := bad.FindString(string(b)); m != "" {
			t.Errorf("%s has %q", e.Name(), m)
		}
		for _, f := range regexp.MustCompile(`(?s)<form[^>]*method="post".*?</form>`).FindAllString(string(b), -1) {
			if !strings.Contains(f, `{{template "csrf"`) {
				t.Errorf("%s has a form without a token: %.80s", e.Name(), f)
			}
		}
	}
	css, err := os.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`url\(|@import|@font-face`).Match(css) {
		t.Error("app.css loads something")
	}
}

func TestMoneyWords(t *testing.T) {
	for _, c := range []struct {
		m           passport.Money
		spent, left string
	}{
		{0, "$0.00", "$0.00"}, {-5, "$0.00", "$0.00"}, {1, "< $0.0001", "< $0.0001"}, {99, "< $0.0001", "< $0.0001"}, {100, "$0.0001", "$0.0001"},
		{101, "$0.0002", "$0.0001"}, {13200, "$0.0132", "$0.0132"}, {13201, "$0.0133", "$0.0132"}, {500000, "$0.50", "$0.50"}, {999999, "$1.00", "$0.9999"},
		{1000000, "$1.00", "$1.00"}, {1000001, "$1.01", "$1.00"}, {3184999, "$3.19", "$3.18"}, {1234560000, "$1,234.56", "$1,234.56"},
		{passport.MaxMoney, "$1,000,000,000.00", "$1,000,000,000.00"},
	} {
		if got := web.USD(c.m); got != c.spent {
			t.Errorf("USD(%d) = %s, want %s", c.m, got, c.spent)
		}
		if got := web.USDLeft(c.m); got != c.left {
			t.Errorf("USDLeft(%d) = %s, want %s", c.m, got, c.left)
		}
	}
	for n, want := range map[int64]string{0: "less than one", 1: "about 1", 99: "about 99", 119: "about 110", 11999: "about 11,000", 2222: "about 2,200"} {
		if got := web.About(n); got != want {
			t.Errorf("About(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567"} {
		if got := web.Num(n); got != want {
			t.Errorf("Num(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		b           passport.Balance
		class       string
		spent, held string
	}{
		{passport.Balance{Cap: 5e6}, "", "0.0", "0.0"},
		{passport.Balance{Cap: 5e6, Settled: 3180000, Held: 40000}, "", "63.6", "0.8"},
		{passport.Balance{Cap: 5e6, Settled: 3999999}, "", "79.9", "0.0"},
		{passport.Balance{Cap: 5e6, Settled: 4e6}, "hot", "80.0", "0.0"},
		{passport.Balance{Cap: 5e6, Settled: 5e6}, "full", "100.0", "0.0"},
		{passport.Balance{Cap: 5e6, Settled: 9e6, Held: 1}, "full", "100.0", "0.0"},
		{passport.Balance{}, "full", "0.0", "0.0"},
	} {
		got := web.NewBar(c.b)
		if got.Class != c.class || got.Spent != c.spent || got.Held != c.held {
			t.Errorf("%+v: %+v", c.b, got)
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	pages(t, "http://localhost").Error(w, httptest.NewRequest("HEAD", "/", nil), web.Visitor{}, problem.New(problem.NotFound, "x"))
	if b, _ := io.ReadAll(w.Body); len(b) != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("%d bytes, Content-Length %s", len(b), w.Header().Get("Content-Length"))
	}
}
