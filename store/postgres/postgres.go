// Package postgres keeps all that the broker remembers in a Postgres database, which several instances may share. It owns the
// connections, the batches of hold and settle, and this instance's lease. It may not touch policy, HTTP or who calls it: it returns
// nouns or a problem.
//
// What decides about money runs in the database (apply_batch, in store/migrations/postgres): one batch at a time from each instance, in one
// round trip. The steps of the control plane are transactions of their own, READ COMMITTED, with the locks that changes.go names.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/devrelopers/aipassport/internal/failpoint"
	"github.com/devrelopers/aipassport/store/migrations"
	"github.com/devrelopers/aipassport/store/query"
)

// Options say where the database is, and who this instance is.
type Options struct {
	URL   string           // postgres://...; it holds a password, and is in no error and no log
	Now   func() time.Time // with a monotonic reading: the lease goes by it
	NewID func() string    // unique for ever: the name of this instance, from its start to its end
	Lease time.Duration    // how long this instance lives for the others after it was last heard; 0: leaseTime
	Log   *slog.Logger     // told what could not be written and is tried again, or lost; nil: nobody is
}

// Bounds of the machinery. An instance has poolSize connections and two more, for batches and for the lease.
const (
	poolSize     = 8
	connectTime  = 5 * time.Second
	statementMax = 30 * time.Second // of one statement of the control plane
	lockMax      = 5 * time.Second  // that it waits for a row
	idleMax      = 5 * time.Second  // that an instance which stands still may keep a transaction, and its locks, open
	stepTries    = 5                // of a step that met a deadlock
)

// Store is an open database. It satisfies meter.Ledger, token.Store, vault.Sealed, authority.Store, authority.History and
// identity.Store.
type Store struct {
	pool  *pgxpool.Pool
	db    *sql.DB // the same connections as pool, for the statements that both engines share
	batch *batcher
	lease *lease
	now   func() time.Time

	single *pgx.ConnConfig       // of connections outside the pool
	watch  atomic.Pointer[Watch] // nil until Watch

	mu     sync.RWMutex // guards closed: a job enters the queue under the read lock
	closed bool
}

// Check says what is wrong with a URL, without repeating any of it: it holds a password.
func Check(url string) error {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return errors.New("must begin with postgres:// (leave it empty for SQLite in the data directory)")
	}
	if _, err := pgx.ParseConfig(url); err != nil {
		return errors.New("is not an address of Postgres, postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full: special characters of a password " +
			"are written as %XX, sslmode is one of disable, allow, prefer, require, verify-ca, verify-full, and files that it names must be there")
	}
	return nil
}

// Open connects, brings the schema up to date, one instance at a time, and takes a lease.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := Check(o.URL); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Lease == 0 {
		o.Lease = leaseTime
	}
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errors.New("is not an address of Postgres") // Check has said more
	}
	single := cfg.ConnConfig.Copy()
	single.ConnectTimeout = connectTime
	setParams(single.RuntimeParams, map[string]time.Duration{"idle_in_transaction_session_timeout": idleMax})
	if err := migrate(ctx, single); err != nil {
		return nil, err
	}
	s, err := open(ctx, o, cfg, single)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, o Options, cfg *pgxpool.Config, single *pgx.ConnConfig) (*Store, error) {
	cfg.MaxConns, cfg.MinConns = poolSize, 1
	cfg.ConnConfig.ConnectTimeout = connectTime
	setParams(cfg.ConnConfig.RuntimeParams, map[string]time.Duration{
		"statement_timeout": statementMax, "lock_timeout": lockMax, "idle_in_transaction_session_timeout": idleMax})
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{pool: pool, db: stdlib.OpenDBFromPool(pool), now: o.Now, single: single}
	if s.lease, err = startLease(ctx, o, &link{cfg: single}); err != nil {
		return nil, errors.Join(err, s.db.Close(), closePool(pool))
	}
	s.batch = startBatcher(o, &link{cfg: single}, s.lease)
	return s, nil
}

func closePool(p *pgxpool.Pool) error {
	p.Close()
	return nil
}

// setParams sets what a session begins with. A URL that names a parameter itself wins.
func setParams(params map[string]string, spans map[string]time.Duration) {
	if params["application_name"] == "" {
		params["application_name"] = "aipassport"
	}
	for name, d := range spans {
		if params[name] == "" {
			params[name] = strconv.FormatInt(d.Milliseconds(), 10)
		}
	}
}

// migrate runs the steps that are missing. Instances that start together wait for each other.
func migrate(ctx context.Context, cfg *pgx.ConnConfig) error {
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("reach Postgres: %s", strings.Join(strings.Fields(err.Error()), " ")) // pgx says it in several lines
	}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::INT / 10000`).Scan(&version); err != nil {
		return fmt.Errorf("ask Postgres for its version: %w", err)
	}
	if version < leastVersion {
		return fmt.Errorf("needs Postgres %d or later, and this is %d", leastVersion, version)
	}
	steps, err := fs.Sub(migrations.Postgres, "postgres")
	if err != nil {
		return err
	}
	turns, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120)) // tries a second apart
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, steps, goose.WithSessionLocker(turns))
	if err != nil {
		return err
	}
	if _, err = p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// leastVersion is the oldest Postgres that the tests were run on.
const leastVersion = 15

// Close commits what is queued, gives the lease back, and lets go of the connections. Error: settlements that could not be committed;
// their holds stay, and are charged in full by a peer or at the next start.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	if w := s.watch.Load(); w != nil {
		w.close()
	}
	lost := s.batch.close()
	return errors.Join(lost, s.lease.close(), s.db.Close(), closePool(s.pool))
}

// change runs a step of the control plane in a transaction, after the locks that it needs. A step that met a deadlock is run again:
// it wrote nothing.
func (s *Store) change(ctx context.Context, locks func(context.Context, *sql.Tx) error, step func(context.Context, *query.Queries) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	for try := 1; ; try++ {
		err := s.attempt(ctx, locks, step)
		if err == nil || refused(err) {
			return err
		}
		if !again(err) || try == stepTries {
			return failed(ctx, err)
		}
	}
}

func (s *Store) attempt(ctx context.Context, locks func(context.Context, *sql.Tx) error, step func(context.Context, *query.Queries) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil && judge(err) == lost && ctx.Err() == nil { // as in look; nothing has begun
		s.pool.Reset()
		tx, err = s.db.BeginTx(ctx, nil)
	}
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if locks != nil {
		if err := locks(ctx, tx); err != nil {
			return err
		}
	}
	if err := step(ctx, query.New(tx)); err != nil {
		return err
	}
	failpoint.Here() // then nothing of it is in the database
	if err := tx.Commit(); err != nil {
		if again(err) {
			return err
		}
		return unknown(err)
	}
	failpoint.Here() // then all of it is, and nobody knows
	return nil
}

// read runs a step on a snapshot.
func (s *Store) read(ctx context.Context, step func(*query.Queries) error) error {
	return s.look(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
		if err != nil {
			return err
		}
		err = step(query.New(tx))
		if end := tx.Rollback(); err == nil {
			err = end
		}
		return err
	})
}

// look runs what changes nothing, and again if the connection was gone: one that broke while it lay idle is found out only so, and the
// others are as old as it.
func (s *Store) look(ctx context.Context, f func() error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	err := f()
	if err != nil && !refused(err) && judge(err) == lost && ctx.Err() == nil {
		s.pool.Reset()
		err = f()
	}
	return failed(ctx, err)
}
