package postgres_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/storetest"
)

// ledger is a database with a grant and a call of each state, and a store on it.
func ledger(t *testing.T) (url string) {
	t.Helper()
	url = database(t)
	s := open(t, options(url))
	d := storetest.Detail(2, 10)
	g := passport.Grant{ID: "g", RequestID: "rq", Version: 1, State: passport.GrantPending, Asked: []passport.Detail{d}, Details: []passport.Detail{d},
		CreatedAt: storetest.Epoch(), ExpiresAt: storetest.Epoch().AddDate(1, 0, 0)}
	must(t, s.AddGrant(t.Context(), g, passport.Event{ID: "ev1", At: storetest.Epoch()}))
	g.Version, g.State = 2, passport.GrantActive
	must(t, s.ChangeGrant(t.Context(), g, passport.Event{ID: "ev2", At: storetest.Epoch()}))
	hold := func(id string, amount passport.Money) {
		_, err := s.Hold(t.Context(), passport.Hold{ID: passport.ReservationID(id), Grant: "g", Provider: passport.OpenAI, Model: "gpt-4o",
			Amount: amount, Least: amount, Tariff: "2026-03", At: storetest.Epoch()})
		must(t, err)
	}
	hold("swept", 3000)
	_, _, err := s.ChargeOrphans(t.Context(), storetest.Epoch())
	must(t, err)
	hold("settled", 2000)
	must(t, s.Settle(t.Context(), passport.Settlement{ID: "settled", Grant: "g", Actual: 500, Reached: true, Why: passport.Finished, At: storetest.Epoch()}))
	hold("held", 1000)
	return url
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyAddsUpBesideRunningInstances(t *testing.T) {
	v, err := postgres.Verify(t.Context(), ledger(t))
	if err != nil || len(v.Wrong) > 0 || v.Grants != 1 || v.Events != 3 {
		t.Fatalf("got %+v, %v", v, err)
	}
	if got := fmt.Sprint(v.Calls); got != "[{held 1 $0.001 $0.00} {settled 1 $0.002 $0.0005} {swept 1 $0.003 $0.003}]" {
		t.Errorf("got %s", got)
	}
}

func TestVerifyFindsWhatWasChanged(t *testing.T) {
	url := ledger(t)
	db, err := sql.Open("pgx", url)
	must(t, err)
	defer db.Close()
	for _, c := range []struct{ do, undo, want string }{
		{`UPDATE budget SET settled = settled - 1`, `UPDATE budget SET settled = settled + 1`, "held 1000 settled 3499"},
		{`UPDATE reservation SET actual = 499 WHERE id = 'settled'`, `UPDATE reservation SET actual = 500 WHERE id = 'settled'`, "its reservations say 1000, 3499"},
		{`UPDATE reservation SET ended_at = 0 WHERE id = 'settled'`, `UPDATE reservation SET ended_at = 1 WHERE id = 'settled'`, "call settled of grant g cannot be"},
		{`UPDATE budget SET status = 'paused'`, `UPDATE budget SET status = 'active'`, "its budget says paused"},
		{`UPDATE reservation SET id = 'other' WHERE id = 'swept'`, `UPDATE reservation SET id = 'swept' WHERE id = 'other'`, "event swept:charged tells of a call that is not there"},
	} {
		if _, err := db.Exec(c.do); err != nil {
			t.Fatalf("%s: %v", c.do, err)
		}
		v, err := postgres.Verify(t.Context(), url)
		if err != nil || !strings.Contains(strings.Join(v.Wrong, "\n"), c.want) {
			t.Errorf("%s: got %v, %q, want %q", c.do, err, v.Wrong, c.want)
		}
		if _, err := db.Exec(c.undo); err != nil {
			t.Fatalf("%s: %v", c.undo, err)
		}
	}
	if v, err := postgres.Verify(t.Context(), url); err != nil || len(v.Wrong) > 0 {
		t.Errorf("all is as it was: got %+v, %v", v, err)
	}
}

func TestVerifyOfNothingIsAnError(t *testing.T) {
	if v, err := postgres.Verify(t.Context(), pgtest.Database(t)); err == nil {
		t.Errorf("got %+v, want an error: there is no ledger", v)
	}
}
