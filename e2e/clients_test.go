package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
)

var formHeader = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

// TestThreat21ClientDocumentsGoNowhereInside: a client_id that leads to this machine is not dialled, and the person is sent nowhere. Where
// the operator lists the network, the same document is read, and its address counts as checked.
func TestThreat21ClientDocumentsGoNowhereInside(t *testing.T) {
	var accepted atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"client_id":"https://%s/app.json","client_name":"Notes","redirect_uris":["https://%s/cb"]}`, r.Host, r.Host)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			accepted.Add(1)
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(b *broker, host string) answer {
		verifier := sha256.Sum256([]byte("verifier"))
		return b.send("GET", "/oauth/authorize?"+url.Values{"response_type": {"code"}, "client_id": {"https://" + host + "/app.json"}, "redirect_uri": {"https://" + host + "/cb"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(verifier[:])}, "code_challenge_method": {"S256"}, "state": {"s"},
			"authorization_details": {`[{"type":"ai_access","provider":"openai","capabilities":["chat"],"models":["gpt-4o-mini"]}]`}}.Encode(), "", nil)
	}
	b := start(t, env{"AIPASSPORT_CLIENT_CA": ca})
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "[::ffff:127.0.0.1]:" + port, "169.254.169.254", "10.0.0.1"} {
		if a := ask(b, host); a.status/100 != 4 || a.header.Get("Location") != "" {
			t.Errorf("%s: got %s", host, a)
		}
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections were made to this machine", n)
	}
	open := start(t, env{"AIPASSPORT_CLIENT_CA": ca, "AIPASSPORT_CLIENT_ALLOW": "127.0.0.0/8"})
	if a := ask(open, "127.0.0.1:"+port); a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/consent/") {
		t.Errorf("where it is allowed: got %s, %s", a, a.header.Get("Location"))
	}
}

// TestThreat13AnAssertionWorksOnceAtTwoInstances: the second use is refused, whichever instance sees it.
func TestThreat13AnAssertionWorksOnceAtTwoInstances(t *testing.T) {
	a, b := two(t, pgtest.Database(t), nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y (SEC 1 §2.3.3)
	if err != nil {
		t.Fatal(err)
	}
	part := func(p []byte) string { return base64.RawURLEncoding.EncodeToString(p) }
	made := a.owner("POST", "/clients", `{"name":"Backend","redirectUris":["https://app.example/cb"],"auth":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"`+part(point[1:33])+`","y":"`+part(point[33:])+`"}]}}`)
	if made.status != 201 {
		t.Fatalf("got %s", made)
	}
	id, issuer := made.str("clientId"), a.send("GET", "/.well-known/oauth-authorization-server", "", nil).str("issuer")
	assertion := func(jti string) string {
		claims, err := json.Marshal(map[string]any{"iss": id, "sub": id, "aud": issuer, "jti": jti, "exp": time.Now().Add(time.Minute).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		text := part([]byte(`{"alg":"ES256"}`)) + "." + part(claims)
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + part(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	try := func(at *broker, text string) answer {
		return at.send("POST", "/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "code_verifier": {strings.Repeat("v", 43)}, "redirect_uri": {"https://app.example/cb"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {text}}.Encode(), formHeader)
	}
	for _, order := range [][2]*broker{{a, b}, {b, a}} {
		text := assertion(rand.Text())
		// The client is known, and only then is the code wrong.
		if r := try(order[0], text); r.str("error") != "invalid_grant" {
			t.Errorf("first: got %s", r)
		}
		if r := try(order[1], text); r.status != 401 || r.str("error") != "invalid_client" || !strings.Contains(r.str("error_description"), "was used already") {
			t.Errorf("again at the other: got %s", r)
		}
	}
}

// TestClientsOfAllKinds: one registers itself and ends itself; the owner registers one, whose secret works in one way alone.
func TestClientsOfAllKinds(t *testing.T) {
	b := start(t, nil)
	self := b.send("POST", "/oauth/register", `{"redirect_uris":["https://app.example/cb"]}`, nil)
	if self.status != 201 || self.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %s", self)
	}
	owned := b.owner("POST", "/clients", `{"name":"Mine","redirectUris":["https://mine.example/cb"],"auth":"client_secret_basic"}`)
	if owned.status != 201 {
		t.Fatalf("got %s", owned)
	}
	if r := b.send("POST", "/clients", `{"name":"x"}`, bearer(self.str("client_secret"))); r.status != 401 {
		t.Errorf("a client registers as the owner: got %s", r)
	}
	body := url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "code_verifier": {strings.Repeat("v", 43)}, "redirect_uri": {"https://app.example/cb"}}
	for _, c := range [][2]string{{self.str("client_id"), self.str("client_secret")}, {owned.str("clientId"), owned.str("clientSecret")}} {
		b.keepSecret(c[1])
		h := formHeader.Clone()
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c[0])+":"+url.QueryEscape(c[1]))))
		if r := b.send("POST", "/oauth/token", body.Encode(), h); r.str("error") != "invalid_grant" {
			t.Errorf("by Basic: got %s", r)
		}
		for name, form := range map[string]string{"in the body": body.Encode() + "&client_id=" + c[0] + "&client_secret=" + c[1], "without it": body.Encode() + "&client_id=" + c[0]} {
			if r := b.send("POST", "/oauth/token", form, formHeader); r.status != 401 || r.str("error") != "invalid_client" || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic") {
				t.Errorf("%s: got %s", name, r)
			}
		}
	}
	path := "/oauth/register/" + self.str("client_id")
	if r := b.send("DELETE", path, "", bearer(self.str("registration_access_token"))); r.status != 204 {
		t.Errorf("removed: got %s", r)
	}
	if r := b.send("GET", path, "", bearer(self.str("registration_access_token"))); r.status != 401 {
		t.Errorf("read after its end: got %s", r)
	}
	closed := start(t, env{"AIPASSPORT_CLIENT_REGISTRATION": "off"})
	meta := closed.send("GET", "/.well-known/oauth-authorization-server", "", nil)
	if r := closed.send("POST", "/oauth/register", `{"redirect_uris":["https://app.example/cb"]}`, nil); r.status != 405 && r.status != 404 || strings.Contains(string(meta.body), "registration_endpoint") {
		t.Errorf("closed: got %s, and the metadata %s", r, meta)
	}
}
