package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/rates"
)

// Bounds of who counts calls.
const (
	rateMost   = 2 * time.Second // of one round trip, a new connection included
	sweptRates = 1000            // details of which nothing counts that are dropped at one time
)

// rateCounter counts calls in the table rate (migrations/postgres/00004). One goroutine uses it.
type rateCounter struct{ line *link }

// Rates counts the calls of a minute for all instances on this database. The clock is the server's, unless a test brings its own.
// It has one connection, made when the first call comes.
func (s *Store) Rates(now func() time.Time, log *slog.Logger) *rates.Rates {
	cfg := s.single.Copy()
	// A plan that is made while the table is empty is kept: it must be that of a full one. And nothing here is for ever.
	for _, name := range []string{"enable_seqscan", "jit", "synchronous_commit"} {
		cfg.RuntimeParams[name] = "off"
	}
	return rates.New(&rateCounter{&link{cfg: cfg}}, now, log)
}

// Close implements rates.Counter.
func (c *rateCounter) Close() { c.line.close() }

// Count implements rates.Counter. On a connection that broke, the batch runs again, once: calls are then counted twice at worst,
// which refuses and never permits.
func (c *rateCounter) Count(ctx context.Context, jobs []*rates.Job, now *time.Time) error {
	fresh := c.line.conn == nil
	err := c.count(ctx, jobs, now)
	if err != nil && !fresh && c.line.conn == nil {
		err = c.count(ctx, jobs, now)
	}
	return err
}

func (c *rateCounter) count(ctx context.Context, jobs []*rates.Job, now *time.Time) error {
	n := len(jobs)
	grants, details, limits, batches := make([]string, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, j := range jobs {
		grants[i], details[i], limits[i], batches[i] = string(j.At.Grant), int64(j.At.Detail), j.Limit, j.At.Batch
	}
	var places, waits []int64
	err := c.line.do(ctx, rateMost, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT o_batch, o_wait FROM take_rates($1, $2, $3, $4, $5)`, grants, details, limits, batches,
			microsOf(now)).Scan(&places, &waits)
	})
	if err == nil && (len(places) != n || len(waits) != n) {
		err = errors.New("take_rates answered another number of calls")
	}
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.At.Batch, j.Wait = places[i], time.Duration(waits[i])*time.Microsecond
	}
	return nil
}

// Sweep implements rates.Counter. Rows that somebody is counting in are left for the next time.
func (c *rateCounter) Sweep(ctx context.Context, now *time.Time) error {
	return c.line.do(ctx, rateMost, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `DELETE FROM rate r USING (
			SELECT grant_id, detail FROM rate
			WHERE coalesce(lasts[cardinality(lasts)], 0) <= coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT) - $2::BIGINT
			LIMIT $3 FOR UPDATE SKIP LOCKED) old
			WHERE r.grant_id = old.grant_id AND r.detail = old.detail`, microsOf(now), passport.RateWindow.Microseconds(), sweptRates)
		return err
	})
}

func microsOf(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := t.UnixMicro()
	return &n
}
