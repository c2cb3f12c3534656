package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var comparedLetters = regexp.MustCompile(`[B-Z]{4}-[B-Z]{4}`)

// signs starts a command of somebody who has no bearer and no data of the broker, only what login got them.
func (b *broker) signs(home string, args ...string) *command {
	return b.types(env{"HOME": home, "XDG_CONFIG_HOME": "", "AIPASSPORT_OWNER_TOKEN": "", "PATH": "/nonexistent", "AIPASSPORT_BROKER_URL": ""}, args...)
}

// page reads the address of the page, and the letters to compare.
func (c *command) page() (path, letters string) {
	c.b.t.Helper()
	lines := c.until(c.err, "/login/cli?")
	u, err := url.Parse(strings.TrimSpace(lines[len(lines)-1]))
	if err != nil {
		c.b.t.Fatal(err)
	}
	return u.RequestURI(), comparedLetters.FindString(strings.Join(lines, " "))
}

// TestLoginSignsTheCommandLineIn by the browser: the page shows the same letters, the answer comes to the listener, commands act as the
// owner then, and after logout the bearer is worth nothing.
func TestLoginSignsTheCommandLineIn(t *testing.T) {
	b := start(t, nil)
	p, home := b.setUp(), t.TempDir()
	c := b.signs(home, "login", b.url)
	path, letters := c.page()
	p.open(path)
	if letters == "" || !strings.Contains(p.text(), letters) || !strings.Contains(p.text(), "This is not an app") {
		t.Fatalf("%q is not on the page: %s", letters, p.text())
	}
	p.submit("/login/cli", url.Values{"decision": {"approve"}})
	back := strings.TrimPrefix(p.page.header.Get("Refresh"), "0;url=")
	// What does not have the state, or comes by another name, is no answer.
	for _, forged := range []string{strings.Replace(back, "state=", "state=x", 1), strings.Replace(back, "code=", "coda=", 1)} {
		if status := get(t, forged, ""); status != 404 {
			t.Errorf("a forged answer: %d", status)
		}
	}
	if status := get(t, back, "evil.example"); status != 404 {
		t.Errorf("by another name: %d", status)
	}
	if status := get(t, back, ""); status != 200 {
		t.Errorf("the answer: %d", status)
	}
	if code, said := c.ends(); code != 0 || !strings.Contains(said, "Signed in to "+b.url) {
		t.Fatalf("exit %d: %s", code, said)
	}
	file := filepath.Join(home, ".config", "aipassport", "logins.json")
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", st, err)
	}
	text, _ := os.ReadFile(file)
	bearerText := regexp.MustCompile(`aipo_[A-Za-z0-9_-]{43}`).FindString(string(text))
	b.keepSecret(bearerText)

	// It is used without being named, for the broker that was signed in to last.
	g := b.give(native[0].scope(500, 100))
	c = b.signs(home, "key", "create", "--grant", g.id)
	c.out.Scan()
	b.keepSecret(c.out.Text())
	if code, said := c.ends(); code != 0 {
		t.Errorf("key create: exit %d: %s", code, said)
	}
	c = b.signs(home, "token", "list")
	line := c.until(c.out, "command line on ")
	if code, _ := c.ends(); code != 0 || strings.Contains(strings.Join(line, ""), bearerText) {
		t.Errorf("token list: exit %d: %s", code, line)
	}
	p.open("/settings")
	if !strings.Contains(p.text(), "command line on ") {
		t.Errorf("the page Settings: %s", p.text())
	}
	os.Chmod(file, 0o644)
	if code, said := b.signs(home, "key", "list", "--grant", g.id).ends(); code != 1 || !strings.Contains(said, "can be read by others") {
		t.Errorf("a file that others can read: exit %d: %s", code, said)
	}
	os.Chmod(file, 0o600)
	if code, said := b.signs(home, "logout").ends(); code != 0 || !strings.Contains(said, "Signed out of "+b.url) {
		t.Errorf("logout: exit %d: %s", code, said)
	}
	if a := b.send("GET", "/grants", "", bearer(bearerText)); a.status != 401 {
		t.Errorf("after logout: %s", a)
	}
	if code, said := b.signs(home, "logout").ends(); code != 1 || !strings.Contains(said, "not signed in") {
		t.Errorf("logout again: exit %d: %s", code, said)
	}
}

// get sends a GET as a browser would, by a name of the host; empty: its own.
func get(t *testing.T, address, host string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestLoginWithoutABrowser: the person carries the code; denied or wrong, nothing is got.
func TestLoginWithoutABrowser(t *testing.T) {
	b := start(t, nil)
	p, home := b.setUp(), t.TempDir()
	shown := regexp.MustCompile(`aria-label="Code" readonly value="([^"]+)"`)
	c := b.signs(home, "login", "--no-browser", b.url)
	path, _ := c.page()
	p.open(path)
	p.submit("/login/cli", url.Values{"decision": {"approve"}})
	code := shown.FindStringSubmatch(string(p.page.body))
	if code == nil || p.page.header.Get("Refresh") != "" {
		t.Fatalf("no code is shown: %s", p.text())
	}
	other := b.signs(t.TempDir(), "login", "--no-browser", b.url)
	other.page()
	other.in.Write([]byte(code[1] + "\n"))
	if exit, said := other.ends(); exit != 1 || !strings.Contains(said, "the code is wrong, or too late") {
		t.Errorf("another command line with the code: exit %d: %s", exit, said)
	}
	c.in.Write([]byte(" " + code[1] + "\n"))
	if exit, said := c.ends(); exit != 0 || !strings.Contains(said, "Signed in") {
		t.Fatalf("exit %d: %s", exit, said)
	}
	if exit, said := b.signs(home, "run", "--yes", "--", "sh", "-c", "true").ends(); exit != 1 || !strings.Contains(said, "executable") {
		t.Errorf("run: exit %d: %s", exit, said)
	}
	d := b.signs(home, "login", b.url)
	path, _ = d.page()
	p.open(path)
	p.submit("/login/cli", url.Values{"decision": {"deny"}})
	get(t, strings.TrimPrefix(p.page.header.Get("Refresh"), "0;url="), "")
	if exit, said := d.ends(); exit != 1 || !strings.Contains(said, "denied") {
		t.Errorf("denied: exit %d: %s", exit, said)
	}
	if exit, said := b.signs(home, "login", "--wait", "1s", b.url).ends(); exit != 1 || !strings.Contains(said, "nobody answered within 1s") {
		t.Errorf("unanswered: exit %d: %s", exit, said)
	}
}
