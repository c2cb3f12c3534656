package sqlite_test

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/migrations"
)

// Calls from before they named the one before them are listed with those after.
func TestCallsFromBeforeTheChain(t *testing.T) {
	o := path(t.TempDir())
	db, err := driver.Open(o.Path)
	must(t, err)
	steps, err := fs.Sub(migrations.SQLite, "sqlite")
	must(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
	must(t, err)
	_, err = p.UpTo(t.Context(), 15)
	must(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`PRAGMA foreign_keys=OFF`) // budgets without the rest of their grants will do
	must(t, err)
	for _, g := range []string{"g", "other"} {
		_, err = db.Exec(`INSERT INTO budget VALUES ($1, 0, 'active', 4000000000000000, 1000, 0, 30, 100, 3)`, g)
		must(t, err)
	}
	for i, g := range []string{"g", "other", "g", "g", "other", "other"} {
		_, err = db.Exec(`INSERT INTO reservation (id, grant_id, detail, provider, model, stream, tariff, state, amount, created_at)
			VALUES ($1, $2, 0, 'openai', 'gpt-4o', 0, '', 'held', 10, 1)`, fmt.Sprint("a", i), g)
		must(t, err)
	}
	must(t, db.Close())

	s := open(t, o)
	if _, err := s.Hold(t.Context(), ask("g", "b6", 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		g      passport.GrantID
		before passport.ReservationID
		limit  int
		want   string
	}{
		{"g", "", 9, "[b6 a3 a2 a0]"}, {"g", "", 2, "[b6 a3]"}, {"g", "a3", 9, "[a2 a0]"}, {"g", "a0", 9, "[]"}, {"g", "a1", 9, "[]"},
		{"other", "", 9, "[a5 a4 a1]"}, {"nobody", "", 9, "[]"},
	} {
		all, err := s.Reservations(t.Context(), c.g, c.before, c.limit)
		ids := []passport.ReservationID{}
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		if got := fmt.Sprint(ids); got != c.want || err != nil {
			t.Errorf("%s before %q, %d: got %s, %v, want %s", c.g, c.before, c.limit, got, err, c.want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
