package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestMetadataKeepsItsWord: each endpoint that the metadata names answers at that address to its method, and issuer and resources are exact
// (RFC 8414 §3.3, RFC 9728 §3.3).
func TestMetadataKeepsItsWord(t *testing.T) {
	b := start(t, nil)
	issuer := strings.Replace(b.url, "127.0.0.1", "localhost", 1)
	a := b.send("GET", "/.well-known/oauth-authorization-server", "", nil)
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.str("issuer") != issuer {
		t.Fatalf("got %s, want the issuer %s", a, issuer)
	}
	var doc map[string]any
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	endpoints := 0
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		url, ok := doc[name].(string)
		if !ok || name == "issuer" {
			continue
		}
		endpoints++
		path, inside := strings.CutPrefix(url, issuer+"/")
		if !inside {
			t.Errorf("%s: %s is not below the issuer", name, url)
			continue
		}
		method := "POST"
		if name == "jwks_uri" || name == "authorization_endpoint" {
			method = "GET"
		}
		if r := b.send(method, "/"+path, "", nil); r.status == 404 || r.status == 405 || r.status >= 500 {
			t.Errorf("%s: %s %s answers %s", name, method, url, r)
		}
	}
	if endpoints < 2 || doc["token_endpoint"] == nil || doc["jwks_uri"] == nil {
		t.Errorf("the metadata names %d endpoints: %s", endpoints, a)
	}
	for _, path := range []string{"", "/v1", "/anthropic", "/google"} {
		a := b.send("GET", "/.well-known/oauth-protected-resource"+path, "", http.Header{"Origin": {"https://app.example"}})
		var doc struct {
			Resource string
			Servers  []string `json:"authorization_servers"`
		}
		if err := json.Unmarshal(a.body, &doc); err != nil || a.status != 200 || doc.Resource != issuer+path || !slices.Equal(doc.Servers, []string{issuer}) || a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("resource %q: got %s", path, a)
		}
	}
	// The way that a client takes: from a refusal to the resource's metadata to the server's.
	r := b.send("POST", "/anthropic/v1/messages", `{}`, nil)
	_, rest, _ := strings.Cut(r.header.Get("WWW-Authenticate"), `resource_metadata="`+issuer)
	path, _, found := strings.Cut(rest, `"`)
	if a := b.send("GET", path, "", nil); !found || r.status != 401 || a.str("resource") != issuer+"/anthropic" {
		t.Errorf("from %q: got %s", r.header.Get("WWW-Authenticate"), a)
	}
}
