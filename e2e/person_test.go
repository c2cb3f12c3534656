package e2e_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// person is a browser without scripts: it keeps cookies, reads forms and posts them as browsers do.
type person struct {
	b       *broker
	cookies map[string]string
	path    string // of the page that is open
	page    answer
}

const password = "correct horse battery staple"

var setupLink = regexp.MustCompile(`/setup\?token=[^\s"]+`)

// setUp becomes the owner by the link that the first start prints.
func (b *broker) setUp() *person {
	b.t.Helper()
	if !b.log.awaitText(testutil.Patience, "/setup?token=") {
		b.t.Fatal("no setup link was printed")
	}
	p := &person{b: b, cookies: map[string]string{}}
	p.open(setupLink.FindString(b.log.tail(-1)))
	p.submit("/setup", url.Values{"name": {"Ada"}, "username": {"ada"}, "password": {password}})
	if p.page.status != 200 || p.path == "/setup" || p.path == "/login" {
		b.t.Fatalf("after setup at %s: %s", p.path, p.page)
	}
	return p
}

// headers are what a browser says of itself.
func (p *person) headers(navigates bool) http.Header {
	h := http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}}
	var jar []string
	for name, value := range p.cookies {
		jar = append(jar, name+"="+value)
	}
	if len(jar) > 0 {
		h.Set("Cookie", strings.Join(jar, "; "))
	}
	if !navigates {
		h.Set("Origin", p.b.url)
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return h
}

// take keeps the cookies of an answer and follows its redirects.
func (p *person) take(path string, a answer) {
	p.b.t.Helper()
	for range 5 {
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			if p.cookies[c.Name] = c.Value; c.MaxAge < 0 {
				delete(p.cookies, c.Name)
			}
		}
		if a.status != 302 && a.status != 303 {
			break
		}
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			p.b.t.Fatal(err)
		}
		path = u.RequestURI()
		a = p.b.send("GET", path, "", p.headers(true))
	}
	p.path, p.page = strings.SplitN(path, "?", 2)[0], a
}

func (p *person) open(path string) {
	p.b.t.Helper()
	p.take(path, p.b.send("GET", path, "", p.headers(true)))
}

// form is the values of the form on the open page that posts to a path: as rendered, with ticks and choices as they stand.
func (p *person) form(action string) url.Values {
	p.b.t.Helper()
	doc, err := html.Parse(strings.NewReader(string(p.page.body)))
	if err != nil {
		p.b.t.Fatal(err)
	}
	for f := range doc.Descendants() {
		if f.Type == html.ElementNode && f.Data == "form" && attr(f, "action") == action {
			return inputs(f)
		}
	}
	p.b.t.Fatalf("no form for %s on %s: %d %.3000s", action, p.path, p.page.status, p.page.body)
	return nil
}

func inputs(f *html.Node) url.Values {
	v := url.Values{}
	for n := range f.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" || attr(n, "name") == "" {
			continue
		}
		if kind := attr(n, "type"); (kind == "checkbox" || kind == "radio") && !has(n, "checked") {
			continue
		}
		v.Add(attr(n, "name"), attr(n, "value"))
	}
	return v
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// submit fills a form of the open page and posts it.
func (p *person) submit(action string, with url.Values) {
	p.b.t.Helper()
	v := p.form(action)
	for name, values := range with {
		v[name] = values
	}
	p.take(action, p.b.send("POST", action, v.Encode(), p.headers(false)))
}

// text is what a reader sees of the open page, in one line.
func (p *person) text() string {
	doc, err := html.Parse(strings.NewReader(string(p.page.body)))
	if err != nil {
		p.b.t.Fatal(err)
	}
	var sb strings.Builder
	var read func(*html.Node)
	read = func(n *html.Node) {
		for c := range n.ChildNodes() {
			switch {
			case c.Type == html.TextNode && n.Data != "script" && n.Data != "style":
				sb.WriteString(c.Data)
			case c.Type == html.ElementNode && slices.ContainsFunc(c.Attr, func(a html.Attribute) bool { return a.Key == "hidden" }): // until it is so
			case c.Type == html.ElementNode && !slices.Contains([]string{"wbr", "b", "bdi", "span", "strong", "small", "time"}, c.Data):
				sb.WriteByte(' ')
				read(c)
			default:
				read(c)
			}
		}
	}
	read(doc)
	return strings.Join(strings.Fields(sb.String()), " ")
}

// TestPersonDecidesOnPages: setup, sign-in, a narrowed approval, a denial, grants, revoke, sign-out, all without scripts.
func TestPersonDecidesOnPages(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	used := setupLink.FindString(b.log.tail(-1))
	if other := (&person{b: b, cookies: map[string]string{}}); true {
		other.open(used)
		if other.page.status != 404 {
			t.Errorf("the setup link works twice: %d", other.page.status)
		}
	}

	// Who is signed out is asked to sign in first, and comes back to the request.
	g := b.ask(`{"provider":"openai","models":["gpt-4o-mini","gpt-4o"],"capabilities":["chat"],"maxBudgetCents":80,"maxRequests":50}`)
	p.open("/")
	p.submit("/logout", nil)
	p.open("/consent/" + g.id)
	if p.path != "/login" {
		t.Fatalf("signed out, at %s", p.path)
	}
	p.submit("/login", url.Values{"username": {"ada"}, "password": {"wrong wrong wrong wrong"}})
	if p.page.status != 401 || p.path != "/login" {
		t.Errorf("wrong password: %d at %s", p.page.status, p.path)
	}
	p.submit("/login", url.Values{"username": {"ada"}, "password": {password}})
	action := "/consent/" + g.id
	if p.path != action {
		t.Fatalf("signed in, at %s", p.path)
	}
	for _, w := range []string{"notes.example.com", "Notes", "to summarise", "gpt-4o-mini", "gpt-4o", "$0.80", "Not checked"} {
		if !strings.Contains(p.text(), w) {
			t.Errorf("%q is not on the consent page: %s", w, p.text())
		}
	}

	// Without the statement, and too quick, it is not taken. Widening is not taken.
	p.submit(action, url.Values{"decision": {"approve"}})
	if s := b.standing(g.id); s.Status != "pending" || p.page.status == 200 && !strings.Contains(string(p.page.body), "alert") {
		t.Errorf("approved without the statement: %s", s.Status)
	}
	shown := time.Now()
	p.submit(action, url.Values{"decision": {"approve"}, "sure": {"yes"}})
	if s := b.standing(g.id); s.Status != "pending" && time.Since(shown) < 2*time.Second {
		t.Errorf("approved before anyone can have read it: %s", s.Status)
	}
	p.submit(action, url.Values{"decision": {"approve"}, "sure": {"yes"}, "budget.0": {"100"}})
	if s := b.standing(g.id); s.Status != "pending" {
		t.Errorf("approved with more than was asked: %s", s.Status)
	}

	// Enter in a field recomputes; then the person approves less. The page takes it once it was on the screen long enough.
	p.submit(action, url.Values{"budget.0": {"0.25"}, "decision": {"update"}})
	if s := b.standing(g.id); s.Status != "pending" || !strings.Contains(p.text(), "$0.25") {
		t.Errorf("after an update the grant is %s: %s", s.Status, p.text())
	}
	models := p.form(action)["model.0"]
	for ctx := testutil.Context(t); b.standing(g.id).Status == "pending" && ctx.Err() == nil; {
		p.submit(action, url.Values{"decision": {"approve"}, "sure": {"yes"}, "budget.0": {"0.25"}, "model.0": models[:1]})
	}
	a := b.owner("GET", "/grants/"+g.id, "")
	if a.str("status") != "approved" || a.num("scope.maxBudgetCents") != 25 || len(a.get("scope.models").([]any)) != 1 {
		t.Fatalf("approved from the page: %s", a)
	}
	if a := b.call(native[0], b.token(g), "x"); a.status != 200 && a.status != 403 {
		t.Errorf("the app's call: %s", a)
	}

	// Deny.
	d := b.ask(goodScope)
	p.open("/consent/" + d.id)
	p.submit("/consent/"+d.id, url.Values{"decision": {"deny"}})
	if s := b.standing(d.id); s.Status != "denied" || !strings.Contains(p.text(), "Denied") {
		t.Errorf("denied from the page: %s", s.Status)
	}

	// The list of apps, and revoke, which asks once.
	p.open("/grants")
	if !strings.Contains(p.text(), "notes.example.com") || !strings.Contains(p.text(), "$0.25") {
		t.Errorf("the list: %s", p.text())
	}
	p.open("/grants/" + g.id + "/revoke")
	p.submit("/grants/"+g.id+"/revoke", nil)
	if s := b.standing(g.id); s.Status != "revoked" || !strings.Contains(p.text(), "Revoked") {
		t.Errorf("revoked from the page: %s %s", s.Status, p.text())
	}

	// Stop all is one press, starting again is two.
	p.open("/")
	p.submit("/stop", nil)
	if !strings.Contains(p.text(), "All apps are stopped") {
		t.Errorf("stopped: %s", p.text())
	}
	p.open("/resume")
	p.submit("/resume", nil)
	if strings.Contains(p.text(), "All apps are stopped") {
		t.Errorf("running again: %s", p.text())
	}

	// Signed out, the old cookie is worth nothing.
	old := p.headers(true)
	p.submit("/logout", nil)
	if a := b.send("GET", "/grants", "", old); a.status == 200 {
		t.Errorf("a cookie after sign-out: %d", a.status)
	}
}

// newestKey is the path of the key that stands first on the page of keys.
func (p *person) newestKey() string {
	p.b.t.Helper()
	p.open("/keys")
	found := regexp.MustCompile(`href="(/keys/[^/"]+)"`).FindSubmatch(p.page.body)
	if found == nil {
		p.b.t.Fatalf("there is no key: %s", p.text())
	}
	return string(found[1])
}

// TestKeysPage: a key is tested, kept sealed, used, and never shown again.
func TestKeysPage(t *testing.T) {
	const key = "sk-canary-openai-typed-in-5c5c5c5c5c5c5c5c5c5c5c5c"
	b := start(t, env{"OPENAI_API_KEY": ""})
	b.keepSecret(key)
	p := b.setUp()
	p.open("/keys")
	p.submit("/keys", url.Values{"provider": {"openai"}, "label": {"mine"}, "key": {key}})
	if strings.Contains(p.text(), "Works") || p.page.status == 200 && !strings.Contains(string(p.page.body), "alert") {
		t.Errorf("a key that the provider refuses was kept: %d %s", p.page.status, p.text())
	}
	g := b.give(native[0].scope(500, 100))
	if a := b.call(native[0], g.token, "x"); a.status != 502 {
		t.Errorf("without a key: %s", a)
	}
	p.open("/keys")
	b.keepSecret(openAIKey)
	p.submit("/keys", url.Values{"provider": {"openai"}, "label": {"mine"}, "key": {openAIKey}})
	if !strings.Contains(p.text(), "mine") {
		t.Fatalf("the key is not listed: %d %s", p.page.status, p.text())
	}
	if a := b.call(native[0], g.token, "x"); a.status != 200 {
		t.Errorf("with the key: %s", a)
	}
	b.kill()
	b.run()
	if a := b.call(native[0], g.token, "x"); a.status != 200 {
		t.Errorf("after a restart: %s", a)
	}
	remove := p.newestKey() + "/remove"
	p.open(remove)
	p.submit(remove, nil)
	if a := b.call(native[0], g.token, "x"); a.status != 502 {
		t.Errorf("after removal: %s", a)
	}
}
