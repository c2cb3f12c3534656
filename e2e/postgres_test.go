package e2e_test

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// onPostgres is the environment of a broker that keeps its state in a database, and the password that must be found nowhere.
func onPostgres(t *testing.T, address string) (env, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return env{"AIPASSPORT_DATABASE_URL": address}, password
}

// TestPostgresKeepsAll: a story on Postgres. Nothing is written to a data directory, a restart knows all, and so do the commands.
func TestPostgresKeepsAll(t *testing.T) {
	e, password := onPostgres(t, pgtest.Database(t))
	b := start(t, e)
	b.keepSecret(password)
	g := b.give(native[0].scope(500, 7))
	if a := b.call(native[0], g.token, "hello"); a.status != 200 {
		t.Fatal(a)
	}
	before := b.settled(g.id)
	if before.SettledMicroUsd != b.fake.Billed() || before.SettledMicroUsd == 0 {
		t.Errorf("settled %d, billed %d", before.SettledMicroUsd, b.fake.Billed())
	}
	if _, err := os.Stat(b.data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no data directory", err)
	}
	code, out := runOnce(t, b.env, "token", "create", "--label", "ci", "--for", "1h")
	if code != 0 {
		t.Fatalf("token create: %s", out)
	}
	text := strings.TrimSpace(out)
	b.keepSecret(text)
	if a := b.send("GET", "/grants", "", bearer(text)); a.status != 200 {
		t.Errorf("the token does not work: %s", a)
	}
	b.kill()
	b.run()
	if after := b.standing(g.id); after != before {
		t.Errorf("got %+v after a restart, want %+v", after, before)
	}
	if a := b.call(native[0], g.token, "hello again"); a.status != 200 {
		t.Error(a)
	}
	if _, out := runOnce(t, b.env, "config", "check"); strings.Contains(out, password) || !strings.Contains(out, "AIPASSPORT_DATABASE_URL=(set)") {
		t.Errorf("config check says:\n%s", out)
	}
}

// TestPostgresAbsent: without a database there is one line that names the setting, and no password in it.
func TestPostgresAbsent(t *testing.T) {
	dir := t.TempDir()
	wrong, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword("broker", "canary-password")
	for name, address := range map[string]string{
		"nobody listens": "postgres://broker:canary-password@127.0.0.1:" + freePort(t) + "/x", "another kind": "mysql://broker:canary-password@127.0.0.1/x", "wrong password": wrong.String()} {
		e := env{"PATH": os.Getenv("PATH"), "HOME": dir, "AIPASSPORT_LISTEN": "127.0.0.1:0", "AIPASSPORT_KEK_FILE": filepath.Join(dir, "kek"),
			"AIPASSPORT_DATABASE_URL": address}
		code, out := runOnce(t, e, "serve")
		if code == 0 || !strings.HasPrefix(out, "aipassport: AIPASSPORT_DATABASE_URL: ") || strings.Count(strings.TrimSpace(out), "\n") > 0 ||
			strings.Contains(out, "canary-password") {
			t.Errorf("%s: got %d:\n%s", name, code, out)
		}
	}
}

// TestPostgresGoesAway: while there is no database nothing leaves for a provider, and callers are told so in their dialect; when it is
// back, so is the broker, by itself.
func TestPostgresGoesAway(t *testing.T) {
	server := pgtest.New(t)
	e, password := onPostgres(t, server.Database(t))
	b := start(t, e)
	b.keepSecret(password)
	grants := map[string]grant{}
	for _, s := range native {
		grants[s.name] = b.give(s.scope(500, 1000))
		if a := b.call(s, grants[s.name].token, "before"); a.status != 200 {
			t.Fatal(a)
		}
	}
	for _, mode := range []pgtest.Mode{pgtest.Fast, pgtest.Immediate} {
		server.Stop(t, mode)
		calls := len(b.fake.Requests())
		for _, s := range native {
			if a := b.call(s, grants[s.name].token, "while it is away"); a.status != 503 || a.get("error") == nil {
				t.Errorf("%s: got %s, want 503 in its dialect", s.name, a)
			}
		}
		if n := len(b.fake.Requests()); n != calls {
			t.Errorf("%d calls went upstream without a hold", n-calls)
		}
		server.Start(t)
		ctx := testutil.Context(t)
		for b.call(native[0], grants[native[0].name].token, "is it back").status != 200 {
			if ctx.Err() != nil {
				t.Fatal("the broker does not come back")
			}
		}
	}
	var settled int64
	for _, s := range native {
		settled += b.settled(grants[s.name].id).SettledMicroUsd
	}
	if settled != b.fake.Billed() {
		t.Errorf("settled %d, billed %d", settled, b.fake.Billed())
	}
}
