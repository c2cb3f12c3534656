//go:build unix

package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/pgtest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func TestDatabasesAreEmptyAndDurable(t *testing.T) {
	first := connect(t, pgtest.Database(t))
	if _, err := first.Exec(t.Context(), `CREATE TABLE t ()`); err != nil {
		t.Fatal(err)
	}
	c := connect(t, pgtest.Database(t))
	var tables int
	if err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables != 0 {
		t.Fatalf("got %d tables, %v, want none", tables, err)
	}
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := c.QueryRow(t.Context(), `SHOW `+name).Scan(&value); err != nil || value != "on" {
			t.Errorf("got %s=%s, %v, want it on", name, value, err)
		}
	}
	var super bool
	if err := c.QueryRow(t.Context(), `SELECT rolsuper FROM pg_roles WHERE rolname = current_user`).Scan(&super); err != nil || super {
		t.Fatalf("got superuser %v, %v, want a plain role", super, err)
	}
}

func TestWhatIsCommittedOutlivesEveryStop(t *testing.T) {
	s := pgtest.New(t)
	url := s.Database(t)
	if _, err := connect(t, url).Exec(t.Context(), `CREATE TABLE t (n int)`); err != nil {
		t.Fatal(err)
	}
	for i, stop := range []func(){
		func() { s.Stop(t, pgtest.Fast) }, func() { s.Stop(t, pgtest.Immediate) }, func() { s.Kill(t) },
	} {
		if _, err := connect(t, url).Exec(t.Context(), `INSERT INTO t VALUES (1)`); err != nil {
			t.Fatal(err)
		}
		stop()
		if _, err := pgx.Connect(t.Context(), url); err == nil {
			t.Fatal("got a connection, want the server stopped")
		}
		s.Start(t)
		var n int
		if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM t`).Scan(&n); err != nil || n != i+1 {
			t.Fatalf("got %d rows, %v, want %d", n, err, i+1)
		}
	}
}
