package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// startTLS is start with a certificate of its own. Clients speak HTTP/2, or HTTP/1.1 over TLS.
func startTLS(t *testing.T, e env, h2 bool) *broker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shape := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, shape, shape, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: cert}, "key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e["AIPASSPORT_TLS_CERT"], e["AIPASSPORT_TLS_KEY"] = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	b := start(t, e)
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(cert)))
	b.url = strings.Replace(b.url, "http://", "https://", 1)
	b.http.TLSClientConfig, b.http.ForceAttemptHTTP2 = &tls.Config{RootCAs: pool}, h2
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestThreat24DeadlinesOverTLS: over HTTP/2 a deadline belongs to a stream and ends it even while nothing is read or written.
// Those of reading a request and of writing one piece must not cut an answer that takes longer.
func TestThreat24DeadlinesOverTLS(t *testing.T) {
	const limit = 500 * time.Millisecond
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			b := startTLS(t, env{"AIPASSPORT_BODY_TIMEOUT": limit.String()}, h2)
			if res, err := b.open("GET", "/health", "", nil); err != nil || res.Proto != map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2] {
				t.Fatalf("got %v %v", res, err)
			}
			for _, s := range []speaker{native[0], native[1], proxied[2]} {
				g := b.give(s.scope(500, 100))
				gate, begin := make(chan struct{}, 1), make(chan struct{})
				time.AfterFunc(2*limit, func() { close(begin) })
				b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: begin, Gate: gate, Chunks: 3})
				st, err := b.stream(s, g.token, "x", 50)
				if err != nil {
					t.Fatal(err)
				}
				gate <- struct{}{}
				if err := st.piece(0); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
				<-time.After(2 * limit)
				close(gate)
				if all, err := st.rest(); err != nil || !strings.Contains(all, "piece-2 ") {
					t.Errorf("%s: a slow answer was cut: %s %v", s.name, all, err)
				}
				st.close()
				if got := b.settled(g.id); got.UsageCount != 1 {
					t.Errorf("%s: %+v", s.name, got)
				}
			}
		})
	}
}

// TestThreat25SlowReadersOverHTTP2AreCut: a stream whose client gives no window is cut as a connection is, and so is a revoked
// one. Other streams of the connection go on.
func TestThreat25SlowReadersOverHTTP2AreCut(t *testing.T) {
	b := startTLS(t, env{"AIPASSPORT_BODY_TIMEOUT": "500ms"}, true)
	g := b.give(native[0].scope(5000, 100))
	b.fake.Next(fakeprovider.Behaviour{Endless: true, Text: []string{strings.Repeat("y", 64<<10)}})
	res, err := b.open("POST", native[0].path, openAIBody("gpt-4o-mini", "slow", 50, true), bearer(g.token))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil { // nothing is read here, and still it ends
		t.Fatalf("the provider is kept busy: %v", err)
	}
	if st := b.settled(g.id); st.SettledMicroUsd == 0 {
		t.Error("a stream that nobody read cost nothing")
	}
	if a := b.call(native[0], g.token, "x"); a.status != 200 {
		t.Errorf("another stream of the connection: %s", a)
	}
}

// TestThreat24SlowBodiesOverHTTP2AreCut: a body that never ends is answered in time.
func TestThreat24SlowBodiesOverHTTP2AreCut(t *testing.T) {
	b := startTLS(t, env{"AIPASSPORT_BODY_TIMEOUT": "500ms"}, true)
	g := b.give(native[0].scope(500, 100))
	for _, path := range []string{"/v1/chat/completions", "/proxy/chat", "/grant-requests", "/tokens"} {
		body, w := io.Pipe()
		req := must(http.NewRequestWithContext(testutil.Context(t), "POST", b.url+path, body))
		req.Header = bearer(g.token)
		req.Header.Set("Content-Type", "application/json")
		go io.WriteString(w, `{"model":`)
		began := time.Now()
		res, err := b.http.RoundTrip(req)
		if err == nil {
			res.Body.Close()
		}
		if d := time.Since(began); d > 5*time.Second || err == nil && res.StatusCode < 400 {
			t.Errorf("%s: %v %v after %s", path, res, err, d)
		}
		w.Close()
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d calls went upstream", n)
	}
}

// TestThreat15AFloodDoesNotHideKnownApps: requests of a stranger push neither the app that has access off the list, nor its address
// out of what others are compared with.
func TestThreat15AFloodDoesNotHideKnownApps(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	p := b.setUp()
	ask := func(url string) string {
		a := b.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"`+url+`","reason":"r","scope":`+native[0].scope(100, 10)+`}`, nil)
		if a.status != 201 {
			t.Fatal(a)
		}
		b.keepSecret(a.str("grantSecret"))
		return a.str("grant.id")
	}
	known := ask("https://heimatmuseum.example")
	b.approve(known, `{"expiresInSeconds":3600}`)
	for i := range 600 {
		ask("https://flood-" + strconv.Itoa(i) + ".example")
	}
	p.open("/consent/" + ask("https://heimatmusuem.example"))
	if !strings.Contains(p.text(), "can be taken for heimatmuseum.example") {
		t.Errorf("the look-alike is not told: %s", p.text())
	}
	p.open("/")
	if !strings.Contains(p.text(), "heimatmuseum.example") {
		t.Errorf("the app is not on the list: %s", p.text())
	}
}
