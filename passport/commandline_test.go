package passport_test

import (
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestTheCommandLineIsNeverChecked: it waits on loopback, at any port and no other path, and gets no bearer tokens.
func TestTheCommandLineIsNeverChecked(t *testing.T) {
	c := passport.CommandLine()
	if site, checked := c.Site("http://127.0.0.1:4711/callback"); site != "localhost" || checked {
		t.Errorf("site %q, checked %t", site, checked)
	}
	for _, uri := range []string{"http://127.0.0.1:4711/", "http://localhost:4711/callback", "https://127.0.0.1/callback", "http://127.0.0.2/callback"} {
		if c.Redirects(uri) {
			t.Errorf("it may wait at %s", uri)
		}
	}
	if !c.Redirects("http://[::1]:1/callback") || !c.DPoP || c.Auth != passport.PublicClient {
		t.Errorf("%+v", c)
	}
	if err := c.Check(); err == nil {
		t.Error("it can be stored")
	}
}
