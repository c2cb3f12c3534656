package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestThreat14PagesAreGuarded: headers against framing and scripts, cookies, and posts that other sites make a browser send.
func TestThreat14PagesAreGuarded(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	g := b.ask(goodScope)
	for _, path := range []string{"/consent/" + g.id, "/login", "/", "/grants", "/keys", "/grants/" + g.id, "/nothing", "/setup?token=x"} {
		a := b.send("GET", path, "", p.headers(true))
		csp := a.header.Get("Content-Security-Policy")
		for _, w := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if a.status < 300 && !strings.Contains(csp, w) {
				t.Errorf("%s: %q is not in the policy %q", path, w, csp)
			}
		}
		if strings.Contains(csp, "unsafe-inline") || strings.Contains(csp, "*") || a.header.Get("Access-Control-Allow-Origin") != "" && !strings.HasPrefix(path, "/grants/") {
			t.Errorf("%s: %v", path, a.header)
		}
		if a.status < 300 && (a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "no-referrer") {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	login := b.send("GET", "/login", "", http.Header{"Accept": {"text/html"}})
	for _, c := range (&http.Response{Header: login.header}).Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.Path != "/" {
			t.Errorf("cookie %s", c.Raw)
		}
	}

	// The forms as rendered, but sent from elsewhere.
	p.open("/consent/" + g.id)
	form := p.form("/consent/" + g.id)
	form.Set("decision", "approve")
	form.Set("sure", "yes")
	p.open("/")
	stop := p.form("/stop")
	say := func(origin, fetch string) func(http.Header) {
		return func(h http.Header) {
			h.Set("Origin", origin)
			h.Set("Sec-Fetch-Site", fetch)
			for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
				if h.Get(name) == "" {
					h.Del(name)
				}
			}
		}
	}
	foreign := map[string]func(http.Header){
		"foreign origin":        say("https://evil.example", "cross-site"),
		"foreign origin alone":  say("https://evil.example", ""),
		"null origin":           say("null", "cross-site"),
		"same site, not origin": say("http://localhost:1", "same-site"),
		"fetch says cross-site": say("", "cross-site"),
	}
	for name, change := range foreign {
		for path, v := range map[string]url.Values{"/consent/" + g.id: form, "/stop": stop, "/grants/" + g.id + "/revoke": stop, "/keys": stop, "/logout": stop} {
			h := p.headers(false)
			change(h)
			// With the form's own token: another origin cannot read it, but the origin alone must be enough to refuse.
			if a := b.send("POST", path, v.Encode(), h); a.status < 400 {
				t.Errorf("%s: POST %s: %d %v", name, path, a.status, a.header)
			}
			h.Set("Content-Type", "application/json")
			if a := b.send("POST", path, "{}", h); a.status < 400 {
				t.Errorf("%s: POST %s as JSON: %d", name, path, a.status)
			}
			h.Set("Content-Type", "text/plain")
			if a := b.send("POST", path, "{}", h); a.status < 400 {
				t.Errorf("%s: POST %s as text: %d", name, path, a.status)
			}
		}
		for _, m := range management(g.id)[2:] {
			h := p.headers(false)
			h.Set("Content-Type", "application/json")
			h.Del("Accept")
			change(h)
			if a := b.send(m.method, m.path, m.body, h); a.status < 400 {
				t.Errorf("%s: %s %s with the session: %s", name, m.method, m.path, a)
			}
		}
	}
	// The right origin, but a form that was not rendered for this session.
	for _, csrf := range []string{"", "x", stop.Get("csrf") + "x"} {
		if a := b.send("POST", "/stop", url.Values{"csrf": {csrf}}.Encode(), p.headers(false)); a.status < 400 {
			t.Errorf("csrf %q: %d", csrf, a.status)
		}
	}
	// A name that an attacker points at us makes its pages same-origin, but the cookie is not theirs.
	for path, v := range map[string]url.Values{"/consent/" + g.id: form, "/stop": stop, "/grants/" + g.id + "/revoke": stop} {
		h := p.headers(false)
		h.Del("Cookie")
		h.Set("Host", "evil.example")
		h.Set("Origin", "http://evil.example")
		if a := b.send("POST", path, v.Encode(), h); a.status < 300 {
			t.Errorf("rebound name: POST %s: %d", path, a.status)
		}
	}
	if s := b.standing(g.id); s.Status != "pending" {
		t.Errorf("the grant is %s", s.Status)
	}
	p.open("/")
	if strings.Contains(p.text(), "All apps are stopped") || p.path == "/login" {
		t.Error("another site stopped the apps or signed the owner out")
	}
}

// TestThreat15HostileNames: what the consent page says of apps that pretend.
func TestThreat15HostileNames(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	for _, c := range []struct {
		name, url, reason string
		want              []string // on the page
		never             []string
	}{
		{`<script>alert(1)</script>`, "https://a.example/<script>alert(2)</script>", `<img src=x onerror=alert(3)>"'><b>`, []string{"a.example"}, []string{"<script>alert", "<img src=x", `"'><b>`}},
		{"Notes ✓ Verified", "https://evil.example", "r", []string{"a name that AIPassport does not show", "evil.example"}, []string{"✓ Verified"}},
		{"PayP\u0430l", "https://evil.example", "r", []string{"a name that AIPassport does not show"}, []string{"PayP\u0430l"}},
		{"safe\u202egpj.exe", "https://evil.example", "a\u202eb", []string{"a name that AIPassport does not show"}, []string{"\u202e"}},
		{"AIPassport", "https://evil.example", "r", []string{"a name that AIPassport does not show"}, nil},
		{"OpenAI", "https://evil.example", "r", []string{"a name that AIPassport does not show"}, nil},
		{"Plain", "https://xn--pple-43d.com", "r", []string{"xn--pple-43d.com"}, []string{"\u0430pple.com"}},
		{"Plain", "https://\u0430pple.com", "r", []string{"xn--pple-43d.com"}, []string{"\u0430pple.com"}},
		{"Plain", "https://www.bank.example.evil.example/login?x=bank.example", "r", []string{"evil.example"}, []string{"?x=", "/login?"}},
		{"Plain", "https://paypa1.com", "r", []string{"not that site"}, nil},
		{"Plain", "http://localhost:5173", "r", []string{"this computer"}, nil},
		{"Plain", "https://93.184.216.34/", "r", []string{"93.184.216.34"}, nil},
	} {
		body := `{"appName":` + quoted(c.name) + `,"appUrl":` + quoted(c.url) + `,"reason":` + quoted(c.reason) + `,"scope":` + goodScope + `}`
		a := b.send("POST", "/grant-requests", body, nil)
		if a.status == 400 {
			continue // refused at the door is as good
		}
		b.keepSecret(a.str("grantSecret"))
		p.open("/consent/" + a.str("grant.id"))
		if p.page.status != 200 {
			t.Fatalf("%s: %s", body, p.page)
		}
		for _, w := range append(c.want, "Not checked") {
			if !strings.Contains(p.text(), w) {
				t.Errorf("%q at %q: %q is not on the page: %.900s", c.name, c.url, w, p.text())
			}
		}
		for _, n := range c.never {
			if strings.Contains(string(p.page.body), n) {
				t.Errorf("%q at %q: %q is on the page", c.name, c.url, n)
			}
		}
		p.open("/")
		for _, n := range c.never {
			if strings.Contains(string(p.page.body), n) {
				t.Errorf("%q at %q: %q is in the list", c.name, c.url, n)
			}
		}
	}
}

func quoted(s string) string { return string(mustJSON(s)) }
