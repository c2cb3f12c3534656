package passport_test

import (
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

func TestRedirects(t *testing.T) {
	c := passport.Client{RedirectURIs: []string{"https://app.example/done", "http://127.0.0.1/cb", "http://[::1]:9/cb?x=1", "http://localhost:3000/cb", "com.example.app:/done"}}
	for uri, want := range map[string]bool{
		"https://app.example/done":         true,
		"https://app.example/done/":        false,
		"https://app.example/done?x":       false,
		"https://app.example:443/done":     false,
		"https://app.example/done#x":       false,
		"https://APP.example/done":         false,
		"https://app.example/x/../done":    false,
		"https://u@app.example/done":       false,
		"http://app.example/done":          false,
		"http://127.0.0.1/cb":              true,
		"http://127.0.0.1:4711/cb":         true,
		"http://127.0.0.1:/cb":             false,
		"http://127.0.0.1:47x/cb":          false,
		"http://127.0.0.1:1@evil.test/cb":  false,
		"http://127.0.0.1.evil.test/cb":    false,
		"http://127.0.0.1:4711/cb2":        false,
		"http://127.0.0.1:4711/cb?x":       false,
		"https://127.0.0.1:4711/cb":        false,
		"http://127.0.0.2/cb":              false,
		"http://[::1]:4711/cb?x=1":         true,
		"http://[::1]/cb?x=1":              true,
		"http://[::1]:4711/cb":             false,
		"http://localhost:3000/cb":         true,
		"http://localhost:3001/cb":         false,
		"com.example.app:/done":            true,
		"com.example.app:/other":           false,
		"":                                 false,
		"https://app.example/done\n":       false,
		"https://app.example\\@evil/done":  false,
		"https://app.example/done/../done": false,
	} {
		if got := c.Redirects(uri); got != want {
			t.Errorf("%q: got %v, want %v", uri, got, want)
		}
	}
	if (passport.Client{RedirectURIs: []string{""}}).Redirects("") {
		t.Error("no address at all is taken for a registered one")
	}
}

func TestSiteOfARedirect(t *testing.T) {
	const here, port, other, loop, scheme = "https://app.example/cb", "https://app.example:8443/cb", "https://evil.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"
	all := []string{here, port, other, loop, "http://localhost/cb", scheme}
	document := passport.Client{ID: "https://app.example/client.json", Kind: passport.ClientDocument, RedirectURIs: all}
	owned := passport.Client{ID: "c", Kind: passport.ClientOwned, RedirectURIs: all}
	self := passport.Client{ID: "c", Kind: passport.ClientRegistered, RedirectURIs: all}
	for _, c := range []struct {
		client  passport.Client
		uri     string
		site    string
		checked bool
	}{
		{document, here, "app.example", true},
		{document, port, "app.example", false}, // another origin
		{document, other, "evil.example", false},
		{document, loop, "localhost", false},
		{document, "http://127.0.0.1:5/cb", "localhost", false},
		{document, scheme, "com.example.app:", false},
		{document, "https://app.example/other", "", false},
		{owned, here, "app.example", true},
		{owned, other, "evil.example", true},
		{owned, loop, "localhost", false},
		{owned, scheme, "com.example.app:", false},
		{owned, "https://third.example/", "", false},
		{self, here, "app.example", false},
		{self, loop, "localhost", false},
		{passport.Client{RedirectURIs: all}, here, "app.example", false},
		{passport.Client{ID: "https://app.example/c", RedirectURIs: all}, here, "app.example", false},
		{passport.Client{}, here, "", false},
	} {
		site, checked := c.client.Site(c.uri)
		if site != c.site || checked != c.checked {
			t.Errorf("%s client at %s: got %q, %v; want %q, %v", c.client.Kind, c.uri, site, checked, c.site, c.checked)
		}
	}
}

func TestCheckRedirect(t *testing.T) {
	for _, ok := range []string{"https://app.example", "https://app.example/", "https://app.example:8443/a/b?c=d%20e", "http://127.0.0.1", "http://[::1]:1/", "http://localhost:3000/cb",
		"com.example.app:/cb", "com.example.app:cb", "https://xn--bcher-kva.example/"} {
		if err := passport.CheckRedirect(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "/cb", "app.example", "https:", "https:///cb", "https:app.example", "http://app.example/", "http://10.0.0.1/cb", "https://*.app.example/", "https://app.example/*",
		"https://app.example/#", "https://u:p@app.example/", "https://@app.example/", "HTTPS://app.example/", "https://App.example/", "https://app.example./", "https://app.example/a/../b", "https://app.example/%2e%2e/b",
		"javascript:alert(1)", "data:text/html,x", "myapp:/cb", "myapp://cb", "com.example.app://cb", "file:///etc/passwd", "https://bücher.example/", "https://app.example/ x", "https://app.example\\x", "https://a.example/" + string(make([]byte, 2000))} {
		if passport.CheckRedirect(bad) == nil {
			t.Errorf("%q may be registered", bad)
		}
	}
}
