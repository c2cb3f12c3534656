package e2e_test

import (
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// age makes all sign-ins an hour older, in the database of a broker that runs.
func (b *broker) age() {
	b.t.Helper()
	db := must(driver.Open(filepath.Join(b.data, "aipassport.db")))
	must(db.Exec(`PRAGMA busy_timeout=5000; UPDATE session SET created_at = created_at - 3600000000`))
	if err := db.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// gives presses Approve on a page of consent until the page takes it: it was on the screen long enough.
func (p *person) gives(id string, with url.Values) {
	p.b.t.Helper()
	form := url.Values{"decision": {"approve"}}
	maps.Copy(form, with)
	for ctx := testutil.Context(p.b.t); ctx.Err() == nil && p.path == "/consent/"+id && p.b.standing(id).Status == "pending"; {
		p.submit("/consent/"+id, form)
	}
}

// TestMuchTakesAFreshSignIn: above the amount neither a bearer nor an old session gives anything, and what the person entered waits for them.
func TestMuchTakesAFreshSignIn(t *testing.T) {
	b := start(t, env{"AIPASSPORT_FRESH_ABOVE": "20"})
	p := b.setUp()
	g := b.ask(native[0].scope(5000, 100))
	if a := b.owner("POST", "/grants/"+g.id+"/approve", ""); a.status != 403 || !strings.Contains(a.str("error"), "AIPASSPORT_FRESH_ABOVE") {
		t.Errorf("a bearer: %s", a)
	}
	b.age()
	p.open("/consent/" + g.id)
	p.gives(g.id, url.Values{"budget.0": {"25.50"}, "calls.0": {"7"}, "sure": {"yes"}})
	if p.path != "/login" || !strings.Contains(p.text(), "Show once more that it is you") {
		t.Fatalf("an old session is at %s: %s", p.path, p.text())
	}
	if a := b.owner("GET", "/grants/"+g.id, ""); a.str("status") != "pending" {
		t.Fatalf("it was given: %s", a)
	}
	p.submit("/login", url.Values{"username": {"ada"}, "password": {password}})
	if p.path != "/consent/"+g.id || !strings.Contains(string(p.page.body), `value="25.50"`) || !strings.Contains(p.text(), "signed in freshly") {
		t.Fatalf("afterwards at %s: %s", p.path, p.text())
	}
	p.gives(g.id, nil)
	if a := b.owner("GET", "/grants/"+g.id, ""); a.str("status") != "approved" || a.num("scope.maxBudgetCents") != 2550 || a.num("scope.maxRequests") != 7 {
		t.Errorf("given: %s", a)
	}
	if a := b.owner("POST", "/grants/"+g.id+"/keys", `{"name":"laptop"}`); a.status != 403 || !strings.Contains(a.str("error"), "AIPASSPORT_FRESH_ABOVE") {
		t.Errorf("a bearer makes a key of it: %s", a)
	}
	b.age()
	p.open("/grants/" + g.id)
	form := p.form("/grants/" + g.id + "/keys#keys")
	form.Set("name", "laptop")
	p.take("/grants/"+g.id+"/keys", b.send("POST", "/grants/"+g.id+"/keys", form.Encode(), p.headers(false)))
	if a := b.owner("GET", "/grants/"+g.id+"/keys", ""); p.path != "/login" || string(a.body) != "[]" {
		t.Fatalf("an old session makes a key of it, at %s: %s", p.path, a)
	}
	p.submit("/login", url.Values{"username": {"ada"}, "password": {password}})
	if !strings.HasPrefix(p.path, "/grants/"+g.id) || !strings.Contains(string(p.page.body), `value="laptop"`) || !strings.Contains(p.text(), "there is no key yet") {
		t.Errorf("afterwards at %s: %s", p.path, p.text())
	}
}

// TestTheOwnerResetsAForgottenPassword by a link that a command on the broker's machine prints, while the broker runs.
func TestTheOwnerResetsAForgottenPassword(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	c := b.types(env{"AIPASSPORT_DATA": b.data, "AIPASSPORT_PUBLIC_URL": "http://localhost:3001"}, "owner", "reset")
	link := ""
	for c.out.Scan() {
		if at := strings.Index(c.out.Text(), "/reset?token="); at >= 0 {
			link = c.out.Text()[at:]
		}
	}
	if code, said := c.ends(); code != 0 || link == "" {
		t.Fatalf("exit code %d, %s", code, said)
	}
	fresh := &person{b: b, cookies: map[string]string{}}
	fresh.open(link)
	fresh.submit("/reset", url.Values{"password": {"quite another password"}})
	if fresh.path != "/settings" || !strings.Contains(fresh.text(), "The new password counts from now on.") {
		t.Fatalf("at %s: %s", fresh.path, fresh.text())
	}
	if p.open("/settings"); p.path != "/login" {
		t.Errorf("the browser from before is at %s", p.path)
	}
	if p.open(link); p.page.status != 404 {
		t.Errorf("the link works twice: %d", p.page.status)
	}
	if strings.Contains(b.log.tail(-1), strings.TrimPrefix(link, "/reset?token=")) {
		t.Error("the link is in the log")
	}
}

// TestAPersonSignsInAtAnOpenIDProvider: linked in Settings, then by the button of the sign-in page. Who is nobody here becomes a
// member by an invitation, or because the operator lets in who is on the list, and then only on a page that asks; who is not on it stays outside.
func TestAPersonSignsInAtAnOpenIDProvider(t *testing.T) {
	op, stop, err := fakeprovider.NewOpenID("broker", "the secret of this client: long enough")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(op.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, env{"AIPASSPORT_OIDC_ISSUER": op.Origin, "AIPASSPORT_OIDC_CLIENT_ID": "broker", "AIPASSPORT_OIDC_CLIENT_SECRET_FILE": file, "AIPASSPORT_OIDC_ALLOWED": "@example.com", "AIPASSPORT_OIDC_JOIN": "on"})
	b.keepSecret(op.Secret)
	p := b.setUp()
	p.open("/settings")
	p.submit("/settings/identities", url.Values{"do": {"link"}})
	p.returns(op)
	if p.path != "/settings" || !strings.Contains(p.text(), "ada@example.com") {
		t.Fatalf("linked, at %s: %s", p.path, p.text())
	}
	p.open("/people")
	p.submit("/people", url.Values{"label": {"Grace"}})
	link := regexp.MustCompile(`/join\?token=[\w-]+`).FindString(string(p.page.body))
	for _, c := range []struct{ subject, email, at string }{
		{"subject-1", "ada@example.com", "/usage"}, {"subject-2", "joan@example.org", "/login/oidc/callback"},
		{"subject-3", "joan@example.com", "/join/as"}, {"subject-4", "grace@example.com", "/join/as"},
	} {
		op.Says("ES256", map[string]any{"sub": c.subject, "email": c.email})
		p = &person{b: b, cookies: map[string]string{}}
		next := "/usage"
		if c.subject == "subject-4" {
			p.open(link)
			p.submit("/join/oidc", nil)
			next = "/keys"
		} else {
			p.open("/login?next=/usage")
			p.submit("/login/oidc", nil)
		}
		p.returns(op)
		if p.path != c.at || (c.at == "/login/oidc/callback") != strings.Contains(p.text(), "does not let in who you are there") {
			t.Errorf("%s is at %s: %s", c.subject, p.path, p.text())
		}
		if c.at != "/join/as" {
			continue
		}
		if !strings.Contains(p.text(), "You are "+c.email) {
			t.Errorf("the page does not say who %s is: %s", c.subject, p.text())
		}
		if p.submit("/join/as", url.Values{"name": {c.subject}}); p.path != next {
			t.Errorf("%s joined at %s: %s", c.subject, p.path, p.text())
		}
		if p.open("/settings"); !strings.Contains(p.text(), c.email) || strings.Contains(p.text(), "Webhook") {
			t.Errorf("%s is no member who is linked: %s", c.subject, p.text())
		}
	}
	if p.open(link); p.page.status != 404 {
		t.Errorf("the invitation works twice: %d", p.page.status)
	}
}

// returns goes to the provider, as the page that is open says, and comes back.
func (p *person) returns(op *fakeprovider.OpenID) {
	p.b.t.Helper()
	to, ok := strings.CutPrefix(p.page.header.Get("Refresh"), "0;url="+op.Origin)
	if !ok {
		p.b.t.Fatalf("the page does not lead to the provider: %s", p.page)
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res := must(c.Get(op.Origin + to))
	res.Body.Close()
	back := must(url.Parse(res.Header.Get("Location")))
	p.open(back.RequestURI())
}
