package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/server"
)

var update = flag.Bool("update", false, "write testdata/routes.txt")

func testBroker(t *testing.T) *broker {
	t.Helper()
	s := plain(t)
	s.Listen, s.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	cfg, err := s.parse()
	if err != nil {
		t.Fatal(err)
	}
	cfg.ownerToken = secret.New("the-owner-of-this-test")
	b, err := open(context.Background(), cfg, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// TestRoutes: a change of the attack surface is a visible diff.
func TestRoutes(t *testing.T) {
	const file = "testdata/routes.txt"
	got := routesTable(testBroker(t).routes())
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("routes (-want +got), go test -update writes the file:\n%s", diff)
	}
}

// TestOwnersRoutesRefuseStrangers: each route of the owner, without and with a wrong credential, as a program and as a browser,
// with every header that is said to open doors.
func TestOwnersRoutesRefuseStrangers(t *testing.T) {
	b := testBroker(t)
	h := b.server.Handler()
	tricks := []map[string]string{
		{}, {"Authorization": "Bearer wrong-wrong-wrong-wrong"}, {"Authorization": "Basic b3duZXI6b3duZXI="}, {"Cookie": "aipassport=wrong"},
		{"Accept": "text/html"}, {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"},
		{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "owner", "X-Original-URL": "/health", "X-Rewrite-URL": "/health", "X-HTTP-Method-Override": "GET"},
		{"Host": "x/#@y"},
	}
	n := 0
	for _, rt := range b.routes() {
		if rt.Auth != server.Owner && rt.Auth != server.OwnerOrApp {
			continue
		}
		method, path, _ := strings.Cut(rt.Pattern, " ")
		path = strings.NewReplacer("{id}", "01a20000-0000-7000-8000-000000000000", "{$}", "").Replace(path)
		for _, trick := range tricks {
			r := httptest.NewRequest(method, path, nil)
			r.RemoteAddr = "192.0.2.7:999"
			for k, v := range trick {
				r.Header.Set(k, v)
			}
			if host := trick["Host"]; host != "" {
				r.Host = host
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			login := w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/login")
			if w.Code != 401 && w.Code != 403 && w.Code != 429 && !login {
				t.Errorf("%s with %v: got %d %s", rt.Pattern, trick, w.Code, w.Body)
			}
			n++
		}
	}
	if n < 100 {
		t.Errorf("only %d requests were tried", n)
	}
}
