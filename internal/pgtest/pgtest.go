//go:build unix

// Package pgtest starts a real Postgres for tests, from Debian's binaries, in a temporary directory on loopback, with the
// durability that Postgres has by default. It ends with the test process however that ends. Only tests import it.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Missing is what a test says where there is no Postgres to start.
const Missing = "this test needs the programs of Postgres 15 or later (initdb, pg_ctl, postgres): install them (Debian: apt-get install postgresql)"

// patience bounds every single thing that is asked of a server.
const patience = 60 * time.Second

// one is the server of this process; it ends with the process.
var one struct {
	sync.Mutex
	server *Server
	err    error
	filled bool // there is a database that Filled copies
}

// Database makes an empty database on the one server of this test process and returns its URL, for a role that owns it and has no
// other right. The database ends with the test. Where Postgres is not installed the test is skipped, or fails if CI is set.
func Database(t testing.TB) string {
	t.Helper()
	return shared(t).Database(t)
}

// Filled makes a database on the server of this test process as Database does, a copy of one that fill was given once, at the first call;
// all calls give the same fill. Nobody may still be connected to that one when fill returns.
func Filled(t testing.TB, fill func(url string)) string {
	t.Helper()
	s := shared(t)
	one.Lock()
	defer one.Unlock()
	if !one.filled {
		if err := s.admin(`CREATE DATABASE filled OWNER broker`); err != nil {
			t.Fatalf("make a database: %v", err)
		}
		fill(s.url("broker", "filled"))
		one.filled = true
	}
	return s.database(t, "filled")
}

// shared is the server of this test process.
func shared(t testing.TB) *Server {
	t.Helper()
	programs(t)
	one.Lock()
	defer one.Unlock()
	if one.server == nil && one.err == nil {
		one.server, one.err = start()
	}
	if one.err != nil {
		t.Fatalf("start Postgres: %v", one.err)
	}
	return one.server
}

// New starts a server of the test's own, which it may stop, kill and start again. It ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	programs(t)
	s, err := start()
	if err != nil {
		t.Fatalf("start Postgres: %v", err)
	}
	t.Cleanup(func() { s.watch.end(t) })
	return s
}

// programs says whether there is a Postgres to start, and ends the test if not.
func programs(t testing.TB) {
	t.Helper()
	if _, err := program("initdb"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal(Missing)
	}
	t.Skip(Missing)
}

// program finds a program of Postgres: in PATH, or where Debian keeps the newest.
func program(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return filepath.EvalSymlinks(p) // beside the others, which pg_ctl looks for
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
	}
	return found[len(found)-1], nil
}

var databases atomic.Int64

// Database makes an empty database, as the function of that name does.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.database(t, "template1")
}

func (s *Server) database(t testing.TB, like string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := s.admin(`CREATE DATABASE ` + name + ` OWNER broker TEMPLATE ` + like); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if s.up.Load() {
			if err := s.admin(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
				t.Logf("drop a database: %v", err)
			}
		}
	})
	return s.url("broker", name)
}

func (s *Server) url(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, s.password), Host: fmt.Sprintf("127.0.0.1:%d", s.port), Path: "/" + database}
	return u.String()
}

// admin runs statements as superuser, each by itself.
func (s *Server) admin(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres", "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, text := range statements {
		if _, err := conn.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// Admin runs statements as superuser in the database of a URL, each by itself: what the role of a broker may not do.
func (s *Server) Admin(t testing.TB, statements ...string) {
	t.Helper()
	if err := s.admin(statements...); err != nil {
		t.Fatal(err)
	}
}

func newPassword() string { return strings.ToLower(rand.Text()) }
