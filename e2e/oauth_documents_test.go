package e2e_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// publisher is an https server on loopback where apps publish their metadata documents. The brokers of a fleet may dial it.
func publisher(t *testing.T, e env) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		self := "https://" + r.Host + r.URL.Path
		document := `{"client_id":%q,"client_name":"Published","redirect_uris":["https://` + r.Host + `/callback"],"token_endpoint_auth_method":"none"}`
		switch r.URL.Path {
		case "/app":
			fmt.Fprintf(w, document, self)
		case "/of-another":
			fmt.Fprintf(w, document, "https://"+r.Host+"/app")
		case "/moved":
			http.Redirect(w, r, "/app", http.StatusFound)
		case "/huge":
			fmt.Fprintf(w, strings.Replace(document, "Published", strings.Repeat("x", 6<<10), 1), self)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, document, self)
		case "/secret":
			fmt.Fprintf(w, strings.Replace(document, `"client_name"`, `"client_secret":"x","client_name"`, 1), self)
		case "/post":
			fmt.Fprintf(w, strings.Replace(document, `"none"`, `"client_secret_basic"`, 1), self)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	e["AIPASSPORT_CLIENT_ALLOW"], e["AIPASSPORT_CLIENT_CA"] = "127.0.0.1/32", file
	return s
}

// published is the client whose id is the address of its document.
func (f *fleet) published(path string) *app {
	return &app{f: f, id: f.documents.URL + path, redirect: f.documents.URL + "/callback"}
}

// documentCases are of draft-ietf-oauth-client-id-metadata-document.
var documentCases = []misuse{
	{"a client that is known by its document", func(t *testing.T, f *fleet) {
		a := f.published("/app")
		id := f.asks(a.url())
		if !strings.Contains(f.person.text(), "127.0.0.1") || strings.Contains(f.person.text(), "Not checked") {
			t.Errorf("the page does not say that the address is checked: %s", f.person.text())
		}
		f.approve(id, hour)
		got := f.got(a.redeem(f.sentTo("/consent/"+id).Query().Get("code"), nil))
		if !f.usable(got.access) {
			t.Error("its token does not work")
		}
		if next := f.got(a.refresh(got.refresh, nil)); !f.usable(next.access) {
			t.Error("its refreshed token does not work")
		}
	}},
	{"a document that is not its own, has moved, is too large, no JSON, has a secret, is not there", func(t *testing.T, f *fleet) {
		for _, path := range []string{"/of-another", "/moved", "/huge", "/html", "/secret", "/post", "/nothing"} {
			f.page(f.published(path).url())
		}
		for _, id := range []string{"https://127.0.0.1:1/app", "https://localhost/app", "https://169.254.169.254/app", "https://10.0.0.1/app", "http://127.0.0.1/app",
			f.documents.URL, f.documents.URL + "/app?x=1", f.documents.URL + "/app#x", f.documents.URL + "/./app"} {
			a := f.published("/app")
			a.id = id
			f.page(a.url())
		}
		f.refused(f.published("/of-another").push(nil), 401, "invalid_client")
	}},
}
