package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// document writes a good metadata document of its own address, with more members.
func document(rw http.ResponseWriter, r *http.Request, more string) {
	rw.Header().Set("Content-Type", "application/json")
	id := "https://" + r.Host + r.URL.Path
	fmt.Fprintf(rw, `{"client_id":%q,"redirect_uris":["https://%s/cb"],"client_name":"Notes"%s}`, id, r.Host, more)
}

// TestThreat21DocumentsOfClients: no address that is not open to everyone is dialled, whatever its name; nothing is followed, and what
// is too long, too slow, of another type or badly certified is not read.
func TestThreat21DocumentsOfClients(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	srv, pool := site(t, func(rw http.ResponseWriter, r *http.Request) {
		served.Add(1)
		switch r.URL.Path {
		case "/good":
			document(rw, r, "")
		case "/redirect":
			http.Redirect(rw, r, "/good", http.StatusFound)
		case "/huge":
			document(rw, r, `,"x":"`+strings.Repeat("y", client.MaxDocument)+`"`)
		case "/html":
			rw.Header().Set("Content-Type", "text/html")
			rw.Write([]byte(`{"client_id":"x"}`))
		case "/encoded":
			rw.Header().Set("Content-Encoding", "gzip")
			document(rw, r, "")
		case "/slow":
			rw.Header().Set("Content-Type", "application/json")
			rw.Write([]byte(`{`))
			rw.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/gone":
			http.NotFound(rw, r)
		}
	})
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())

	closed := newWorld(t, func(c *client.Config) { c.Roots = pool })
	for _, id := range []string{"https://127.0.0.1:" + port + "/good", "https://localhost:" + port + "/good", "https://inside.example:" + port + "/good", "https://[::ffff:127.0.0.1]:" + port + "/good",
		"https://[::1]:" + port + "/good", "https://169.254.169.254/latest", "https://10.0.0.1/x", "https://[fd00:ec2::254]/x", "https://0.0.0.0:" + port + "/good", "https://2130706433:" + port + "/good",
		"https://0x7f.1:" + port + "/good"} {
		_, err := closed.client(id)
		wants(t, id, err, "invalid_request: client_id: its metadata document could not be fetched")
	}
	if n := served.Load(); n != 0 {
		t.Errorf("%d requests reached this machine", n)
	}

	open := newWorld(t, func(c *client.Config) { c.Roots, c.Allow = pool, loopback })
	for path, want := range map[string]string{
		"/good": "", "/redirect": "status 302", "/huge": "longer than 5120 bytes", "/html": "must be application/json", "/encoded": "without an encoding",
		"/slow": "broke off, or took longer than 3s", "/gone": "status 404",
	} {
		before := served.Load()
		_, err := open.client(srv.URL + path)
		wants(t, path, err, want)
		if n := served.Load() - before; n != 1 {
			t.Errorf("%s: %d requests, want 1", path, n)
		}
	}
	strange := newWorld(t, func(c *client.Config) { c.Allow = loopback }) // the system's authorities do not know this one
	_, err := strange.client(srv.URL + "/good")
	wants(t, "certificate", err, "could not be fetched")
}

// TestMain makes names lead to this machine, by a name server of its own, before anything dials.
func TestMain(m *testing.M) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	server := conn.LocalAddr().String()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server)
	}}
	go answerNames(conn)
	m.Run()
}

func answerNames(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Additionals = true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
		}
		if out, err := m.Pack(); err == nil {
			conn.WriteTo(out, from)
		}
	}
}

// TestADocument: what a document must be, and what it may not say.
func TestADocument(t *testing.T) {
	t.Parallel()
	var body atomic.Pointer[string]
	srv, pool := site(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/cimd+json; charset=utf-8")
		rw.Write([]byte(*body.Load()))
	})
	id := srv.URL + "/app/client.json"
	const redirect = `"redirect_uris":["http://127.0.0.1/cb","https://app.example/cb"]`
	for _, c := range []struct{ text, wrong string }{
		{`{"client_id":"ID",` + redirect + `}`, ""},
		{`{"client_id":"ID",` + redirect + `,"client_name":"A","client_uri":"https://a.example/","logo_uri":"http://10.0.0.1/","grant_types":["authorization_code"],"dpop_bound_access_tokens":true}`, ""},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://a.example/keys"}`, ""},
		{`{"client_id":"ID","grant_types":["urn:ietf:params:oauth:grant-type:device_code"]}`, ""},
		{`{` + redirect + `}`, "must name its own address"},
		{`{"client_id":"ID/",` + redirect + `}`, "must name its own address"},
		{`{"client_id":"ID"}`, "redirect_uris"},
		{`{"client_id":"ID","redirect_uris":[]}`, "redirect_uris"},
		{`{"client_id":"ID","redirect_uris":["http://app.example/cb"]}`, "redirect_uris: entry 1: must begin with https"},
		{`{"client_id":"ID","redirect_uris":["https://app.example/#x"]}`, "fragment"},
		{`{"client_id":"ID","redirect_uris":"https://app.example/"}`, "redirect_uris"},
		{`{"client_id":"ID",` + redirect + `,"client_secret":"s"}`, "must have no client_secret"},
		{`{"client_id":"ID",` + redirect + `,"client_secret_expires_at":0}`, "must have no client_secret"},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"client_secret_basic"}`, "client_secret_basic needs a secret"},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"client_secret_post"}`, "must be none"},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"private_key_jwt"}`, "needs jwks or jwks_uri"},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"http://a.example/"}`, "jwks_uri: must begin with https"},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}`, "private or a symmetric key"},
		{`{"client_id":"ID",` + redirect + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]}}`, "has no key for"},
		{`{"client_id":"ID",` + redirect + `,"response_types":["token"]}`, "response_types"},
		{`{"client_id":"ID","client_id":"ID",` + redirect + `}`, "whose members come once"},
		{`{"client_id":"ID","Redirect_uris":["https://evil.example/"],` + redirect + `}`, "whose members come once"},
		{`[]`, "is not a JSON object"}, {``, "is not a JSON object"}, {`{"client_id":"ID",` + redirect + `} x`, "is not a JSON object"},
	} {
		text := strings.ReplaceAll(c.text, `"ID`, `"`+id)
		body.Store(&text)
		w := newWorld(t, func(c *client.Config) { c.Roots, c.Allow = pool, loopback })
		found, err := w.client(id)
		wants(t, c.text, err, c.wrong)
		if err == nil && (found.Kind != passport.ClientDocument || found.ID != passport.ClientID(id) || found.Auth == passport.ClientBasic) {
			t.Errorf("%s: got %+v", c.text, found)
		}
	}
}

// TestDocumentAddresses: what a client id of this kind may be.
func TestDocumentAddresses(t *testing.T) {
	w := newWorld(t, nil)
	for id, want := range map[string]string{
		"http://app.example/c": "no such client", "https://app.example": "must have a path", "https://app.example/": "must have a path", "https://app.example/a/../b": "no dots", "https://app.example/a/%2e%2e/b": "no dots",
		"https://app.example/./b": "no dots", "https://app.example/c?x=1": "no user name, query", "https://app.example/c#f": "no user name, query", "https://app.example/c#": "no user name, query",
		"https://u:p@app.example/c": "no user name", "https://App.example/c": "small letters", "https://app.example./c": "small letters", "https:///c": "not an https address", "https://app.example/\tc": "not an https address",
		"https://app.example/a b": "cannot have", "https://bücher.example/c": "cannot have", "https://app.example/" + strings.Repeat("c", 600): "no such client", "": "no such client",
	} {
		_, err := w.client(id)
		wants(t, id, err, want)
	}
}

// TestDocumentsAreKept: as long as their headers say, a minute to a day; failures are not kept, and many who ask at once cause one fetch.
func TestDocumentsAreKept(t *testing.T) {
	t.Parallel()
	var header atomic.Pointer[string]
	var fail atomic.Bool
	var served atomic.Int64
	srv, pool := site(t, func(rw http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if fail.Load() {
			http.Error(rw, "{}", http.StatusInternalServerError)
			return
		}
		if name, value, ok := strings.Cut(*header.Load(), ": "); ok {
			rw.Header().Set(name, value)
		}
		document(rw, r, "")
	})
	for _, c := range []struct {
		header string
		keeps  time.Duration
	}{
		{"", 5 * time.Minute}, {"Cache-Control: max-age=3600", time.Hour}, {"Cache-Control: public, max-age=1", time.Minute}, {"Cache-Control: no-store", time.Minute},
		{"Cache-Control: max-age=31536000", 24 * time.Hour}, {"Cache-Control: max-age=x", time.Minute}, {"Expires: 0", time.Minute},
	} {
		w := newWorld(t, func(c *client.Config) { c.Roots, c.Allow = pool, loopback })
		header.Store(&c.header)
		fail.Store(true)
		served.Store(0)
		if _, err := w.client(srv.URL + "/c"); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%q: got %v", c.header, err)
		}
		fail.Store(false)
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if _, err := w.client(srv.URL + "/c"); err != nil {
					t.Errorf("%q: %v", c.header, err)
				}
			})
		}
		wait.Wait()
		w.wait(c.keeps - time.Second)
		w.client(srv.URL + "/c")
		if n := served.Load(); n != 2 {
			t.Errorf("%q: %d fetches before its time was over, want 2", c.header, n)
		}
		w.wait(time.Second)
		w.client(srv.URL + "/c")
		if n := served.Load(); n != 3 {
			t.Errorf("%q: %d fetches after it, want 3", c.header, n)
		}
	}
}

// TestFetchesAreBounded: of one host in a minute, and of all at one time.
func TestFetchesAreBounded(t *testing.T) {
	t.Parallel()
	gate, waiting := make(chan struct{}), make(chan struct{}, 20)
	srv, pool := site(t, func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/slow") {
			waiting <- struct{}{}
			<-gate
		}
		document(rw, r, "")
	})
	w := newWorld(t, func(c *client.Config) { c.Roots, c.Allow = pool, loopback })
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() { w.client(fmt.Sprint(srv.URL, "/slow", i)) })
	}
	for range 8 {
		<-waiting
	}
	_, err := w.client(srv.URL + "/one-more")
	if problem.KindOf(err) != problem.Busy {
		t.Errorf("the ninth at one time: got %v, want busy", err)
	}
	close(gate)
	wait.Wait()
	limited := 0
	for i := range 20 {
		if _, err := w.client(fmt.Sprint(srv.URL, "/n", i)); problem.KindOf(err) == problem.RateExceeded {
			limited++
		}
	}
	if limited != 9 {
		t.Errorf("%d of 20 more were refused, want 9", limited)
	}
	if _, err := w.client(srv.URL + "/n0"); err != nil {
		t.Errorf("one that is kept: %v", err)
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
