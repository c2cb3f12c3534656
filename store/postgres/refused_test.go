package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/testutil"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
)

// tale counts what a batcher tells of its troubles.
type tale struct {
	slog.Handler
	again, lost, taken atomic.Int64
}

func (c *tale) Handle(_ context.Context, r slog.Record) error {
	switch {
	case strings.Contains(r.Message, "a batch is sent again"):
		c.again.Add(1)
	case strings.Contains(r.Message, "a settlement is lost"):
		c.lost.Add(1)
	case strings.Contains(r.Message, "took this instance for dead"):
		c.taken.Add(1)
	}
	return nil
}

func (c *tale) Enabled(context.Context, slog.Level) bool { return true }

// refusals waits for so many tries more that came to nothing, or until it is over.
func (c *tale) refusals(t *testing.T, n int64, over func() bool) {
	t.Helper()
	ctx := testutil.Context(t)
	for until := c.again.Load() + n; c.again.Load() < until && !over(); {
		select {
		case <-ctx.Done():
			t.Fatal(context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
}

// heard are options with a tale, and a lease that no outage of a test outlasts.
func heard(url string) (postgres.Options, *tale) {
	o, c := withLease(options(url), time.Hour), &tale{Handler: slog.DiscardHandler}
	o.Log = slog.New(c)
	return o, c
}

const (
	noLogin = `ALTER ROLE broker NOLOGIN`
	login   = `ALTER ROLE broker LOGIN`
	hangUp  = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'broker'`
)

// The connection ends, and another is refused for a while: a password is changed, or the role may not log in. That is no word about what
// waits to be written.
func TestARefusedLoginLosesNoSettlement(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	o, tale := heard(server.Database(t))
	s := open(t, o)
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", passport.Cent))
	server.Admin(t, noLogin, hangUp)
	must(t, s.Settle(t.Context(), settlement(ask("g", "r1", 0), 100)))
	tale.refusals(t, 8, func() bool { return tale.lost.Load() > 0 })
	server.Admin(t, login)
	want := passport.Balance{Cap: passport.Cent, Settled: 100, CallsCap: 10, Calls: 1}
	if got := total(t, s, "g"); got != want || tale.lost.Load() > 0 {
		t.Errorf("got %+v, %d lost, want %+v", got, tale.lost.Load(), want)
	}
}

// A hold is committed, its answer lost, and another connection refused for a while: the hold is asked for until it is found.
func TestARefusedLoginLeavesAHoldInDoubt(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	url := server.Database(t)
	way := pgtest.LineTo(t, url)
	o, tale := heard(way.URL)
	s := open(t, o)
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	way.Deaf.Store(true)
	got := make(chan error, 1)
	go func() {
		_, err := s.Hold(t.Context(), ask("g", "r2", 200))
		got <- err
	}()
	await(t, url, `SELECT count(*) = 2 FROM reservation`)
	server.Admin(t, noLogin)
	way.Deaf.Store(false)
	way.Set(true)
	way.Set(false)
	tale.refusals(t, 3, func() bool { return len(got) > 0 })
	server.Admin(t, login)
	if err := <-got; err != nil {
		t.Errorf("got %v, want the hold that was committed", err)
	}
}

// What is wrong with a batch that is sent again says nothing of the first sending, which was committed.
func TestARefusedRetryLeavesAHoldInDoubt(t *testing.T) {
	url := database(t)
	way := pgtest.LineTo(t, url)
	s := open(t, withLease(options(way.URL), time.Hour))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	way.Deaf.Store(true)
	got := make(chan error, 1)
	go func() {
		_, err := s.Hold(t.Context(), ask("g", "r2", 200))
		got <- err
	}()
	await(t, url, `SELECT count(*) = 2 FROM reservation`)
	sqlOn(t, url, `ALTER TABLE setting RENAME COLUMN name TO gone`)
	way.Deaf.Store(false)
	way.Set(true)
	way.Set(false)
	if err := <-got; problem.KindOf(err) != problem.Unavailable || errors.Is(err, passport.ErrNotHeld) {
		t.Errorf("got %v, want that nobody knows", err)
	}
	sqlOn(t, url, `ALTER TABLE setting RENAME COLUMN gone TO name`)
	unsent := settlement(ask("g", "r2", 0), 0)
	unsent.Reached, unsent.Why = false, passport.NotSent
	must(t, s.Settle(t.Context(), unsent))
	want := passport.Balance{Cap: passport.Cent, Held: 100, CallsCap: 10, Calls: 1}
	if got := total(t, s, "g"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
