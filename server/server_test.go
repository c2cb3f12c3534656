package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/server"
)

func newServer(log io.Writer, routes ...server.Route) http.Handler {
	return server.New(server.Config{
		Routes: routes, DialectOf: func(string) dialect.Dialect { return nil }, Log: slog.New(slog.NewJSONHandler(log, nil)),
		Now: time.Now, NewID: func() string { return "req-1" }, BodyTimeout: time.Minute,
		BehindProxy: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}).Handler()
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }
}

// TestOnlyCanonicalPaths: what is checked is what is served.
func TestOnlyCanonicalPaths(t *testing.T) {
	srv := httptest.NewServer(newServer(io.Discard,
		server.Route{Pattern: "GET /grants", Handler: say("grants")}, server.Route{Pattern: "GET /grants/{id}", Handler: say("grant")}))
	defer srv.Close()
	for target, want := range map[string]int{
		"/grants": 200, "/grants/1": 200, "/grants?x=%20": 200, "/nothing": 404,
		"//grants": 400, "/./grants": 400, "/x/../grants": 400, "/%67rants": 400, "/grants%2f1": 400, "/grants/..": 400, "/grants//1": 400,
		"http://localhost/grants": 400, "*": 400,
	} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if got := string(answer[9:12]); got != itoa(want) {
			t.Errorf("%s: got %s, want %d", target, got, want)
		}
		if want >= 400 && !bytes.Contains(answer, []byte(`{"error":`)) && target != "*" {
			t.Errorf("%s: no JSON error in %q", target, answer)
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestMethodNotAllowed(t *testing.T) {
	h := newServer(io.Discard, server.Route{Pattern: "POST /tokens", Handler: say("")})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/tokens", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Body.String() != `{"error":"Method not allowed"}` {
		t.Errorf("got %d, Allow %q, %s", w.Code, w.Header().Get("Allow"), w.Body)
	}
}

func TestCORSOnlyWhereARouteSaysSo(t *testing.T) {
	h := newServer(io.Discard,
		server.Route{Pattern: "POST /tokens", CORS: true, Handler: say("")},
		server.Route{Pattern: "GET /grants/{id}", CORS: true, Handler: say("")},
		server.Route{Pattern: "POST /grants/{id}", Handler: say("")},
		server.Route{Pattern: "POST /grants/{id}/approve", Handler: say("")},
		server.Route{Pattern: "GET /grants", Handler: say("")})
	for _, c := range []struct {
		method, path string
		code         int
		open         bool
	}{
		{"OPTIONS", "/tokens", 204, true}, {"POST", "/tokens", 200, true}, {"GET", "/grants/1", 200, true}, {"OPTIONS", "/grants/1", 204, true}, {"POST", "/grants/1", 200, false},
		{"OPTIONS", "/grants/1/approve", 405, false}, {"POST", "/grants/1/approve", 200, false}, {"GET", "/grants", 200, false}, {"OPTIONS", "/grants", 405, false},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Access-Control-Request-Headers", "authorization")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if open := w.Header().Get("Access-Control-Allow-Origin") == "*"; w.Code != c.code || open != c.open {
			t.Errorf("%s %s: got %d open %v, want %d %v", c.method, c.path, w.Code, open, c.code, c.open)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s allows credentials", c.method, c.path)
		}
	}
}

// TestRecord: one record a request, with the pattern and never the path, the query or a header.
func TestRecord(t *testing.T) {
	var log bytes.Buffer
	h := newServer(&log, server.Route{Pattern: "GET /tokens/{token}/inspect", Handler: func(w http.ResponseWriter, r *http.Request) {
		record.From(r.Context()).Model = "m"
	}}, server.Route{Pattern: "GET /panic", Handler: func(http.ResponseWriter, *http.Request) { panic("our bug") }})
	r := httptest.NewRequest("GET", "/tokens/canary-path/inspect?key=canary-query", nil)
	r.Header.Set("Authorization", "Bearer canary-header")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "canary") || !strings.Contains(log.String(), `"route":"GET /tokens/{token}/inspect"`) {
		t.Errorf("got %d records: %s", n, &log)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/panic", nil))
	if w.Code != 500 || w.Body.String() != `{"error":"internal error"}` {
		t.Errorf("panic: got %d %s", w.Code, w.Body)
	}
}

// TestForwardedOnlyFromListedProxies: nobody else can choose the address under which they are counted.
func TestForwardedOnlyFromListedProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:1", "198.51.100.1", "192.0.2.1"},
		{"10.1.1.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.1.1.1:1", "203.0.113.9, 198.51.100.1, 10.2.2.2", "198.51.100.1"},
		{"10.1.1.1:1", "", "10.1.1.1"},
		{"10.1.1.1:1", "nonsense", "10.1.1.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := server.ClientAddr(r, proxies).String(); got != c.want {
			t.Errorf("%s forwarded %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}
