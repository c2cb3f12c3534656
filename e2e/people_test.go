package e2e_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// joins opens an invitation of the owner's in another browser.
func (p *person) joins(name string) *person {
	p.b.t.Helper()
	p.open("/people")
	p.submit("/people", url.Values{"label": {name}})
	link := regexp.MustCompile(`/join\?token=[\w-]+`).FindString(string(p.page.body))
	m := &person{b: p.b, cookies: map[string]string{}}
	m.open(link)
	m.submit("/join", url.Values{"name": {name}, "username": {strings.ToLower(name)}, "password": {password}})
	if m.page.status != 200 || m.path != "/keys" {
		p.b.t.Fatalf("joined at %s: %s", m.path, m.page)
	}
	return m
}

// puts adds a provider key of one's own.
func (p *person) puts(key string) {
	p.b.t.Helper()
	p.b.keepSecret(key)
	p.open("/keys")
	p.submit("/keys", url.Values{"provider": {"openai"}, "label": {"mine"}, "key": {key}})
	if p.page.status != 200 {
		p.b.t.Fatalf("the key was not kept: %s", p.page)
	}
}

// takes asks for access as an app, gives it as this person and returns the grant with its token.
func (p *person) takes(cents, calls int) grant {
	p.b.t.Helper()
	g := p.b.ask(native[0].scope(cents, calls))
	p.open("/consent/" + g.id)
	for ctx := testutil.Context(p.b.t); ctx.Err() == nil && p.b.state(g) == "pending"; {
		p.submit("/consent/"+g.id, url.Values{"decision": {"approve"}, "sure": {"yes"}})
	}
	return grant{g, p.b.token(g)}
}

// state is how a grant stands, as its app sees it.
func (b *broker) state(g asked) string {
	b.t.Helper()
	return b.send("GET", "/grants/"+g.id, "", bearer(g.secret)).str("status")
}

// TestThreat41TwoPeopleOnOneBroker attack each other: every route of the owner's table with what is another's is not there, and tells nothing;
// calls go out with the key of who approved; who is suspended or removed is out at once, their streams too.
func TestThreat41TwoPeopleOnOneBroker(t *testing.T) {
	b := startWith(t, testutil.Provider(t, fakeprovider.Keys{}), env{"OPENAI_API_KEY": ""}) // a provider that takes any key
	ada := b.setUp()
	ada.puts("sk-ada-0123456789abcdef")
	grace := ada.joins("Grace")

	// 1. Without a key of her own her apps have none: neither the owner's nor the environment's.
	empty := grace.takes(100, 10)
	if a := b.call(native[0], empty.token, "hello"); a.status == 200 || len(b.fake.With("hello")) != 0 {
		t.Fatalf("a member's app has the owner's key: %s", a)
	}
	grace.puts("sk-grace-0123456789abcdef")
	hers, his := empty, ada.takes(100, 10)
	for g, key := range map[grant]string{hers: "sk-grace-0123456789abcdef", his: "sk-ada-0123456789abcdef"} {
		if a := b.call(native[0], g.token, "hello"); a.status != 200 {
			t.Fatalf("a call: %s", a)
		}
		if got := b.last().Header.Get("Authorization"); got != "Bearer "+key {
			t.Fatalf("another's key left")
		}
	}

	// 2. Each route, with what is another's.
	for _, x := range []struct {
		who  *person
		not  grant
		mine grant
	}{{ada, hers, his}, {grace, his, hers}} {
		x.who.attacks(t, x.not, x.mine)
	}
	for _, g := range []grant{hers, his} {
		if got := b.state(g.asked); got != "approved" {
			t.Errorf("after the attacks it is %s", got)
		}
	}
	// 3. What is the whole broker's is the owner's.
	for _, path := range []string{"/people", "/clients", "/providers", "/people/x/limit", "/clients/x/remove", "/people/x/remove"} {
		if grace.open(path); grace.page.status != 404 {
			t.Errorf("GET %s: %d for a member", path, grace.page.status)
		}
	}
	if a := b.send("POST", "/resume", "", grace.headers(false)); a.status != 404 && a.status != 403 {
		t.Errorf("a member lets all run again: %s", a)
	}
	ada.open("/people")
	if text := ada.text(); !strings.Contains(text, "1 app") || !strings.Contains(text, "1 call") || strings.Contains(string(ada.page.body), hers.id) || strings.Contains(text, native[0].model) {
		t.Errorf("the owner sees sums and nothing else: %s", text)
	}
	member := regexp.MustCompile(`/people/[^/"]+/remove`).FindString(string(ada.page.body))
	months{ada, grace, his, hers, strings.TrimSuffix(member, "/remove")}.areEachTheirOwn(t)
	// 4. Suspended, and then removed, while a stream runs.
	streams := b.live(native[0], hers, 1)
	ada.open(strings.Replace(member, "remove", "suspend", 1))
	ada.submit(strings.Replace(member, "remove", "suspend", 1), nil)
	if !strings.Contains(ada.text(), "1 running call ended") {
		t.Errorf("suspended: %s", ada.text())
	}
	streams[0].close()
	if a := b.call(native[0], hers.token, "again"); a.status == 200 {
		t.Error("an app of a suspended member runs")
	}
	if grace.open("/"); grace.path != "/login" {
		t.Errorf("a suspended member is at %s", grace.path)
	}
	grace.submit("/login", url.Values{"username": {"grace"}, "password": {password}})
	if grace.path != "/login" || grace.page.status != 401 {
		t.Errorf("a suspended member signs in: %s", grace.path)
	}
	ada.open(member)
	ada.submit(member, nil)
	if ada.path != "/people" || strings.Contains(ada.text(), "Grace") {
		t.Errorf("removed: %s", ada.text())
	}
	if a := b.send("POST", "/tokens", `{"grantId":"`+hers.id+`","grantSecret":"`+hers.secret+`"}`, nil); a.status == 201 {
		t.Error("an app of who was removed gets a token")
	}
	if a := b.call(native[0], his.token, "still"); a.status != 200 {
		t.Errorf("the owner's app: %s", a)
	}
	b.verify()
}

// months are two people's, each with an app.
type months struct {
	ada, grace *person
	his, hers  grant
	at         string // where the owner finds the member
}

// areEachTheirOwn: who is at their limit is refused and the other goes on; what the owner lets the member spend holds at the next call, and the member
// does not lift it.
func (m months) areEachTheirOwn(t *testing.T) {
	t.Helper()
	b, s := m.ada.b, native[0]
	try := func(when string, g grant, want int, words string) {
		t.Helper()
		a := b.call(s, g.token, "hello")
		if a.status != want || !strings.Contains(a.str("error.message"), words) || want == 429 && a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %s", when, a)
		}
	}
	m.ada.limit("all", "0")
	try("the owner is at their limit", m.his, 429, "the owner's limit for this month")
	try("the member is not", m.hers, 200, "")
	m.ada.limit("all", "100")
	m.grace.limit("all", "0")
	try("the owner may again", m.his, 200, "")
	try("the member is at their limit", m.hers, 429, "the person's limit for this month")
	m.grace.limit("all", "100")
	m.grace.limit("openai", "0")
	try("the member's keys", m.hers, 429, "the person's limit for OpenAI for this month")
	m.grace.limit("openai", "")
	try("the member may again", m.hers, 200, "")

	m.ada.open(m.at + "/limit")
	m.ada.submit(m.at+"/limit", url.Values{"do": {"set"}, "money": {"0.00"}})
	if !strings.Contains(m.ada.text(), "of $0.00 a month") {
		t.Errorf("the owner does not see what holds: %s", m.ada.text())
	}
	try("the owner lets them spend nothing", m.hers, 429, "the person's limit for this month")
	m.grace.limit("all", "50")
	m.grace.limit("all", "")
	try("they cannot lift it", m.hers, 429, "the person's limit for this month")
	if m.grace.open("/limits"); !strings.Contains(m.grace.text(), "lets you spend $0.00 a month at most") {
		t.Errorf("the member does not see it: %s", m.grace.text())
	}
	if a := b.owner("POST", m.at+"/limit", `{"monthlyLimitCents":1000}`); a.status != 200 || !strings.Contains(string(a.body), `"capMicroUsd":10000000`) {
		t.Errorf("as a program: %s", a)
	}
	if a := b.owner("POST", m.at+"/limit", `{"monthlyLimitCents":-1}`); a.status != 400 || !strings.Contains(string(a.body), "monthlyLimitCents") {
		t.Errorf("a limit that is none: %s", a)
	}
	if a := b.owner("GET", "/limits", ""); strings.Contains(string(a.body), `"ownersMicroUsd":1`) {
		t.Errorf("the owner's list has what is another's: %s", a)
	}
	try("from the next call on", m.hers, 200, "")
	m.ada.open("/limits")
	if want := tenThousandths(b.settled(m.his.id).SettledMicroUsd) + "spent of $100.00"; !strings.Contains(m.ada.text(), want) {
		t.Errorf("the owner's month is not what their apps cost, %q: %s", want, m.ada.text())
	}
	m.grace.open("/activity")
	if text := m.grace.text(); !strings.Contains(text, "the most that the owner lets you spend a month") || !strings.Contains(text, "the monthly limit of your OpenAI keys") || strings.Contains(text, "person:") {
		t.Errorf("the member reads %s", text)
	}
	m.ada.open("/activity")
	if text := m.ada.text(); !strings.Contains(text, "the most that Grace may spend a month") || strings.Contains(text, "$50.00") {
		t.Errorf("the owner reads %s", text)
	}
}

// attacks tries every route with a grant, and all that hangs on it, that is another person's.
func (p *person) attacks(t *testing.T, not, mine grant) {
	t.Helper()
	table, err := os.ReadFile(filepath.Join("..", "cmd", "aipassport", "testdata", "routes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, line := range strings.Split(string(table), "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "owner" || !strings.Contains(f[1], "{id}") {
			continue
		}
		tried++
		path := strings.NewReplacer("{id}", not.id, "{key}", not.id, "{token}", not.id).Replace(f[1])
		p.open("/grants/" + mine.id)
		form := url.Values{"csrf": p.form("/logout")["csrf"], "keep": {"yes"}, "name": {"x"}, "life": {"keep"}, "money-0": {"1"}, "calls-0": {"1"}, "rate-0": {"1"}, "decision": {"deny"}, "do": {"set"}}
		for kind, h := range map[string]map[string]string{"page": {"Accept": "text/html"}, "program": {"Accept": "application/json", "Content-Type": "application/json"}} {
			head, body := p.headers(f[0] == "GET"), form.Encode()
			for k, v := range h {
				head.Set(k, v)
			}
			if f[0] == "GET" {
				body = ""
			} else if kind == "program" {
				body = `{"name":"x"}`
			}
			a := p.b.send(f[0], path, body, head)
			if a.status == 303 && a.header.Get("Location") == "/grants/"+not.id || a.status == 400 && kind == "program" {
				continue // the same for every id: to a page that is missing, or a form is expected
			}
			if a.status != 404 && a.status != 403 && a.status != 415 || strings.Contains(string(a.body), "notes.example.com") {
				t.Errorf("%s %s as a %s: %s", f[0], path, kind, a)
			}
			if f[0] == "GET" && a.status != 404 {
				t.Errorf("%s %s as a %s is not just missing: %d", f[0], path, kind, a.status)
			}
		}
	}
	if tried < 20 {
		t.Errorf("%d routes were tried", tried)
	}
	for _, path := range []string{"/", "/grants", "/usage", "/usage.json", "/usage.csv", "/settings", "/keys", "/live?grant=" + not.id, "/grants/" + not.id} {
		for _, accept := range []string{"text/html", "application/json"} {
			head := p.headers(true)
			head.Set("Accept", accept)
			if a := p.b.send("GET", path, "", head); strings.Contains(string(a.body), not.id) || strings.Contains(path, not.id) && a.status != 404 {
				t.Errorf("GET %s (%s): %d, tells of another's", path, accept, a.status)
			}
		}
	}
}
