package client_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const issuer = "https://broker.example"

// world is clients with their parts; its clock stands still until it is moved.
type world struct {
	t       *testing.T
	store   *storetest.Memory
	control *authority.Control
	clients *client.Clients
	cfg     client.Config
	at      atomic.Int64 // nanoseconds since storetest's epoch
	n       atomic.Int64
}

type owner struct{}

func (owner) Who(r *http.Request) (passport.Person, error) {
	if r.Header.Get("Authorization") != "Bearer owner" {
		return passport.Person{}, problem.New(problem.Unauthenticated, "the owner's bearer is expected")
	}
	return passport.Person{ID: "me", Role: passport.RoleOwner}, nil
}

func (w *world) now() time.Time { return storetest.Epoch().Add(time.Duration(w.at.Load())) }

func (w *world) wait(d time.Duration) { w.at.Add(int64(d)) }

func newWorld(t *testing.T, edit func(*client.Config)) *world {
	t.Helper()
	w := &world{t: t, store: storetest.NewMemory()}
	id := func() string { return fmt.Sprint("id-", w.n.Add(1)) }
	w.control = &authority.Control{Store: w.store, Ceilings: w.store, SDKKeys: w.store, Recall: recall.New(w.now), Now: w.now, NewID: id, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar}
	w.cfg = client.Config{Store: w.store, Lists: w.store, Once: w.store, Grants: w.control, Owner: owner{}, Issuer: issuer, Now: w.now, NewID: id,
		ClientAddr: func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() }}
	if edit != nil {
		edit(&w.cfg)
	}
	w.clients = w.again()
	return w
}

// again is another instance over the same store.
func (w *world) again() *client.Clients {
	w.t.Helper()
	c, err := client.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// site is an https server on loopback, and the authority of its certificate.
func site(t *testing.T, h http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return srv, pool
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func (w *world) client(id string) (passport.Client, error) {
	return w.clients.Client(context.Background(), passport.ClientID(id))
}

// code is the OAuth code of an error, and its description.
func code(err error) string {
	if err == nil {
		return ""
	}
	e := wire.From(err)
	return string(e.Code) + ": " + e.Description
}

func wants(t *testing.T, name string, err error, want string) {
	t.Helper()
	if got := code(err); (want == "") != (err == nil) || !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}
