package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
)

func TestCloseWritesWhatIsQueued(t *testing.T) {
	url := database(t)
	s := open(t, options(url))
	active(t, s, "g", 100, 1000)
	for i := range 30 {
		hold(t, s, ask("g", fmt.Sprint(i), 10))
		if err := s.Settle(t.Context(), settlement(ask("g", fmt.Sprint(i), 10), 3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, hold := s.Hold(t.Context(), ask("g", "late", 1))
	_, live := s.Liveness(t.Context(), "t")
	_, read := s.Standing(t.Context(), "g")
	for _, err := range []error{hold, live, read, s.Settle(t.Context(), settlement(ask("g", "late", 1), 1)), s.Stop(t.Context(), true, passport.Event{})} {
		if problem.KindOf(err) != problem.Unavailable {
			t.Errorf("got %v, want it to be unavailable", err)
		}
	}
	want := passport.Balance{Cap: 100 * passport.Cent, Settled: 90, CallsCap: 1000, Calls: 30}
	if got := total(t, open(t, options(url)), "g"); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// One job that the database refuses for ever does not take the others with it; it is given up after some tries, and its hold stays.
func TestOneBadJobFailsAlone(t *testing.T) {
	url := database(t)
	s, err := postgres.Open(t.Context(), options(url))
	if err != nil {
		t.Fatal(err)
	}
	active(t, s, "g", 1, 1000)
	active(t, s, "other", 1, 1000)
	hold(t, s, ask("g", "bad", 10))
	hold(t, s, ask("other", "good", 10))
	sqlOn(t, url, `UPDATE reservation SET amount = 10000 WHERE id = 'bad'`) // more than its budget holds: held cannot go below 0
	for _, h := range []passport.Hold{ask("g", "bad", 10), ask("other", "good", 10)} {
		if err := s.Settle(t.Context(), settlement(h, 5)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 { // each takes a batch, and each batch tries the bad one again
		hold(t, s, ask("other", fmt.Sprint("more", i), 1))
	}
	st, err := s.Standing(t.Context(), "other")
	if err != nil || st.Total.Settled != 5 || st.Total.Held != 4 {
		t.Errorf("got %+v, %v, want the good ones done", st.Total, err)
	}
	st, err = s.Standing(t.Context(), "g")
	if err != nil || st.Total.Held != 10 || st.Total.Settled != 0 {
		t.Errorf("got %+v, %v, want the bad one undone whole", st.Total, err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("got %v, want Close to name the settlement that is lost", err)
	}
}

func TestEventsAreNotChanged(t *testing.T) {
	url := database(t)
	s := open(t, options(url))
	active(t, s, "g", 1, 1)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, sql := range []string{`UPDATE event SET note = 'nothing happened'`, `DELETE FROM event`, `DELETE FROM event WHERE seq = 1`, `TRUNCATE event`} {
		if _, err := c.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "an event is not") {
			t.Errorf("%s: got %v, want a refusal", sql, err)
		}
	}
	_, err = c.Exec(t.Context(), `UPDATE budget SET held = -1`)
	if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "23514" {
		t.Errorf("got %v, want that less than nothing cannot be held", err)
	}
}

// The notes of events are written in SQL; amounts in them read as everywhere else.
func TestDollarsAreWrittenAsMoneyIs(t *testing.T) {
	url := database(t)
	open(t, options(url))
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	all := []int64{0, 1, 10, 99, 100, 9_999, 10_000, 10_001, 123_456, 500_000, 999_999, 1_000_000, 1_000_001, 1_200_000, 12_340_000, int64(passport.MaxMoney) + 1}
	for n := int64(7); n < int64(passport.MaxMoney); n *= 3 {
		all = append(all, n)
	}
	for _, n := range all {
		var got string
		if err := c.QueryRow(t.Context(), `SELECT dollars($1)`, n).Scan(&got); err != nil || got != passport.Money(n).String() {
			t.Errorf("%d: got %s, %v, want %s", n, got, err, passport.Money(n))
		}
	}
}

// What Postgres cannot keep is refused by name, and spoils no batch.
func TestTextsThatCannotBeKept(t *testing.T) {
	s := open(t, options(database(t)))
	active(t, s, "g", 1, 10)
	for _, bad := range []string{"a\x00b", "a\xffb"} {
		h := ask("g", "r1", 1)
		h.Model = bad
		_, hold := s.Hold(t.Context(), h)
		settle := settlement(ask("g", bad, 1), 1)
		if _, err := s.Liveness(t.Context(), passport.TokenID(bad)); problem.KindOf(err) != problem.NotFound {
			t.Errorf("%q: got %v, want no such token", bad, err)
		}
		for _, err := range []error{hold, s.Settle(t.Context(), settle)} {
			if problem.KindOf(err) != problem.Invalid {
				t.Errorf("%q: got %v, want it to be invalid", bad, err)
			}
		}
	}
	g := passport.Grant{ID: "odd", Version: 1, State: passport.GrantPending, AppName: "a\x00b"}
	if err := s.AddGrant(t.Context(), g, passport.Event{Grant: "odd"}); problem.KindOf(err) != problem.Invalid {
		t.Errorf("got %v, want it to be invalid", err)
	}
}

// What sqlc read must be what is there.
func TestSchemasAgree(t *testing.T) {
	url := database(t)
	open(t, options(url))
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	text, err := os.ReadFile("../queries/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	tables := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`).FindAllStringSubmatch(string(text), -1)
	if len(tables) < 15 {
		t.Fatalf("got %d tables, want all of them", len(tables))
	}
	for _, table := range tables {
		want := map[string]string{}
		for _, col := range regexp.MustCompile(`(?m)^  ([a-z]\w*) +([A-Z]+)`).FindAllStringSubmatch(table[2], -1) {
			want[col[1]] = strings.ToLower(col[2])
		}
		rows, err := c.Query(t.Context(), `SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1`, table[1])
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for rows.Next() {
			var name, kind string
			if err := rows.Scan(&name, &kind); err != nil {
				t.Fatal(err)
			}
			got[name] = kind
		}
		if d := cmp.Diff(want, got); d != "" || rows.Err() != nil {
			t.Errorf("%s: got (+), want (-), %v:\n%s", table[1], rows.Err(), d)
		}
	}
}

func TestAnAddressIsCheckedWithoutRepeatingIt(t *testing.T) {
	for _, url := range []string{"", "canary", "mysql://canary@x/y", "postgres://u:canary%zz@x/y", "postgres://u:canary@x:port/y", "postgres://u:canary@x/y?sslmode=canary"} {
		err := postgres.Check(url)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want a refusal that does not repeat it", url, err)
		}
		if _, err := postgres.Open(t.Context(), options(url)); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want Open to say the same", url, err)
		}
	}
	if err := postgres.Check("postgresql://u:p%40ss@db.example:6432/aipassport?sslmode=require"); err != nil {
		t.Errorf("got %v, want it taken", err)
	}
}
