package sqlite_test

import (
	"crypto/sha256"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/sqlite"
	"github.com/devrelopers/aipassport/store/storetest"
)

// ledger is a file with a call of each state, closed.
func ledger(t *testing.T) sqlite.Options {
	t.Helper()
	o := path(t.TempDir())
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	active(t, s, "g", 2, 10)
	hold(t, s, ask("g", "swept", 3000))
	if _, _, err := s.ChargeOrphans(t.Context(), storetest.Epoch()); err != nil {
		t.Fatal(err)
	}
	hold(t, s, ask("g", "settled", 2000))
	if err := s.Settle(t.Context(), settlement(ask("g", "settled", 0), 500)); err != nil {
		t.Fatal(err)
	}
	hold(t, s, ask("g", "held", 1000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestVerifyAddsUpBesideARunningBroker(t *testing.T) {
	o := ledger(t)
	s := open(t, o)
	hold(t, s, ask("g", "held too", 10)) // in the log, not in the file
	v, err := sqlite.Verify(t.Context(), o)
	want := store.Verification{Grants: 1, Budgets: 1, Events: 3, Calls: []store.CallSum{
		{State: passport.ReservationHeld, Calls: 2, Held: 1010},
		{State: passport.ReservationSettled, Calls: 1, Held: 2000, Actual: 500},
		{State: passport.ReservationSwept, Calls: 1, Held: 3000, Actual: 3000},
	}}
	if d := cmp.Diff(want, v); d != "" || err != nil {
		t.Fatalf("%v, got (+), want (-):\n%s", err, d)
	}
	hold(t, s, ask("g", "held after", 10))
}

func TestVerifyFindsWhatWasChanged(t *testing.T) {
	for sql, want := range map[string]string{
		`UPDATE budget SET settled = settled - 1`:                                         "budget 0: held 1000 settled 3499",
		`UPDATE budget SET held = held + 1`:                                               "budget 0: held 1001",
		`UPDATE budget SET calls = calls - 1`:                                             "calls 2, its reservations say 1000, 3500, 3",
		`UPDATE budget SET status = 'paused'`:                                             "its budget says paused, the grant active",
		`UPDATE budget SET expires_at = expires_at + 1`:                                   "their ends differ",
		`UPDATE reservation SET actual = 499 WHERE id = 'settled'`:                        "its reservations say 1000, 3499",
		`UPDATE reservation SET amount = 999 WHERE id = 'held'`:                           "its reservations say 999",
		`UPDATE reservation SET state = 'gone' WHERE id = 'settled'`:                      "call settled of grant g cannot be",
		`UPDATE reservation SET amount = 2999 WHERE id = 'swept'`:                         "call swept of grant g cannot be",
		`UPDATE reservation SET ended_at = 0 WHERE id = 'settled'`:                        "call settled of grant g cannot be",
		`UPDATE reservation SET grant_id = 'other' WHERE id = 'settled'`:                  "call settled of grant other cannot be",
		`DELETE FROM reservation WHERE id = 'settled'`:                                    "its reservations say 1000, 3000, 2",
		`DELETE FROM reservation WHERE id = 'swept'`:                                      "event swept:charged tells of a call that is not there",
		`DELETE FROM budget`:                                                              "call held of grant g cannot be",
		`DROP TRIGGER event_is_not_removed; DELETE FROM event WHERE id = 'swept:charged'`: "call swept is swept, and the events do not tell so",
		`UPDATE reservation SET state = 'settled', ended_at = 1 WHERE id = 'swept'`:       "call swept is settled, and the events do not tell so",
	} {
		t.Run(sql, func(t *testing.T) {
			o := ledger(t)
			db, err := driver.Open(o.Path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(sql); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before := digest(t, o.Path)
			v, err := sqlite.Verify(t.Context(), o)
			if err != nil || !strings.Contains(strings.Join(v.Wrong, "\n"), want) {
				t.Errorf("got %v, %q, want %q", err, v.Wrong, want)
			}
			if digest(t, o.Path) != before {
				t.Error("the file was written")
			}
		})
	}
}

func digest(t *testing.T, file string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func TestVerifyOfNothingIsAnError(t *testing.T) {
	if v, err := sqlite.Verify(t.Context(), path(t.TempDir())); err == nil {
		t.Errorf("got %+v, want an error: there is no ledger", v)
	}
}
