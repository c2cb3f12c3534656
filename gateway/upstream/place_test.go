package upstream_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/passport"
)

// TestThreat21NamesOfAddedProvidersAreLookedAtWhenDialled: localhost is a name that leads to this machine on every machine (RFC 6761 §6.3).
func TestThreat21NamesOfAddedProvidersAreLookedAtWhenDialled(t *testing.T) {
	var calls, accepted atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{}`))
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			accepted.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		base  string
		local bool
		taken bool
	}{
		{"https://localhost:" + port, false, false},
		{"http://localhost:" + port, false, false},
		{"http://192.0.2.1:" + port, true, false},
		{"http://8.8.8.8:" + port, true, false},
		{"https://169.254.169.254:" + port, true, false},
		{"http://localhost:" + port, true, true},
	} {
		u, err := url.Parse(c.base + "/v1")
		if err != nil {
			t.Fatal(err)
		}
		client := upstream.New(upstream.Config{HeaderTimeout: time.Minute, IdleTimeout: time.Minute, Added: func(p passport.Provider) (upstream.Place, bool) {
			return upstream.Place{Base: u, Local: c.local, Auth: passport.AuthBearer}, p == "lab"
		}})
		was := accepted.Load()
		ans, err := do(client, upstream.Request{Provider: "lab", Body: []byte(`{}`)})
		if err == nil {
			ans.Body.Close()
		}
		client.Close()
		if c.taken {
			if err != nil || calls.Load() != 1 {
				t.Errorf("%s: %v", c.base, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "may not go") || accepted.Load() != was {
			t.Errorf("%s, local %v: got %v, want that it may not go there, and no connection", c.base, c.local, err)
		}
	}
}
