package postgres_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/rates"
	"github.com/devrelopers/aipassport/store/storetest"
)

func openRates(t *testing.T, url string, now func() time.Time) *rates.Rates {
	t.Helper()
	r := open(t, options(url)).Rates(now, slog.New(slog.DiscardHandler))
	t.Cleanup(r.Close)
	return r
}

func TestRatesKeepTheContract(t *testing.T) {
	t.Parallel()
	storetest.RunRates(t, func(t *testing.T) func(func() time.Time) meter.Rates {
		url := database(t)
		return func(now func() time.Time) meter.Rates { return openRates(t, url, now) }
	})
}

// A connection that broke is made anew without a word; a server that is gone refuses.
func TestRatesOutliveTheirConnection(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	url := server.Database(t)
	r := openRates(t, url, nil)
	take := func() error {
		_, err := r.Take(t.Context(), "g", 0, 100)
		return err
	}
	if err := take(); err != nil {
		t.Fatal(err)
	}
	server.Stop(t, pgtest.Fast)
	if err := take(); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("without a server: %v", err)
	}
	server.Start(t)
	if err := take(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// Details of which nothing counts are dropped, those that count are not.
func TestRatesArePutAway(t *testing.T) {
	url := database(t)
	now := time.Now()
	r := openRates(t, url, func() time.Time { return now })
	for _, step := range []struct {
		grant string
		after time.Duration
	}{{"old", 0}, {"new", time.Minute}} {
		now = now.Add(step.after)
		if _, err := r.Take(t.Context(), passport.GrantID("grant "+step.grant), 0, 5); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SweepNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT grant_id FROM rate`)
	left, err2 := pgx.CollectRows(rows, pgx.RowTo[string])
	if err := errors.Join(err, err2); err != nil || len(left) != 1 || left[0] != "grant new" {
		t.Errorf("left %q, %v", left, err)
	}
}
