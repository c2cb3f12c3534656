// Package sqlite keeps all that the broker remembers in one SQLite file. It owns the file, the order of writes and the hot path
// of hold and settle. It may not touch policy, HTTP or who calls it: it returns nouns or a problem.
//
// All writes go through one queue to one goroutine, which commits what is waiting together: one fsync for many callers. The
// order of the queue is the order of commits, so what a crash leaves is a prefix of it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"

	"github.com/devrelopers/aipassport/store/migrations"
	"github.com/devrelopers/aipassport/store/query"
)

// Options say where the file is. One process at a time may have it open: another one's start would charge the holds of this one.
type Options struct {
	Path    string       // of the database; its directory is the caller's, and must be there
	VFS     string       // name of a registered SQLite file layer; empty: the operating system's
	Readers int          // connections for Liveness, and as many for the other reads; 0: as many as a broker needs
	Log     *slog.Logger // told what could not be committed and is tried again, or lost; nil: nobody is
}

// Bounds of the machinery.
const (
	readers    = 4         // where Options says nothing
	cacheKiB   = 32 * 1024 // page cache of the writer
	busyMillis = 5000
	walPages   = 8000 // pages of 4 KiB in the log before a commit copies them to the file
)

// Store is an open database. It satisfies meter.Ledger, token.Store, vault.Sealed, authority.Store, authority.History and
// identity.Store.
type Store struct {
	writes  *sql.DB
	reads   *sql.DB
	readers chan *prepared
	live    chan *liveReader
	known   *committed
	writer  *writer

	mu     sync.RWMutex // guards closed: a job enters the queue under the read lock
	closed bool
}

// Open opens the file, makes it (mode 0600) where there is none, and brings its schema up to date.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	return s, nil
}

func open(ctx context.Context, o Options) (_ *Store, err error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	// 1. The files are there with their mode before SQLite opens them, whatever the umask is.
	if err := private(path, path+"-shm"); err != nil {
		return nil, err
	}
	if o.Readers < 1 {
		o.Readers = readers
	}
	o.VFS = inRuns(o.VFS)
	s := &Store{live: make(chan *liveReader, o.Readers), readers: make(chan *prepared, o.Readers), known: newCommitted()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	// 2. The writer's connection, and the schema.
	if s.writes, err = driver.Open(uri(path, o.VFS), forWriting); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.writes); err != nil {
		return nil, err
	}
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// 3. Readers, each with a snapshot of its own.
	if s.reads, err = driver.Open(uri(path, o.VFS), forReading); err != nil {
		return nil, err
	}
	s.reads.SetMaxOpenConns(o.Readers)
	s.reads.SetMaxIdleConns(o.Readers)
	for range o.Readers {
		r, err := openLive(uri(path, o.VFS))
		if err != nil {
			return nil, err
		}
		s.live <- r
		other, err := openPrepared(ctx, s.reads)
		if err != nil {
			return nil, err
		}
		s.readers <- other
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if s.writer, err = startWriter(conn, s.known, o.Log); err != nil {
		return nil, err
	}
	return s, nil
}

// private makes files that only their owner may read, or takes the others' rights away from those that are there.
func private(paths ...string) error {
	for _, p := range paths {
		f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// uri names the file for SQLite. modeof gives the write-ahead log and journals the mode of the database file
// (sqlite.org/uri.html, "modeof").
func uri(path, vfs string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "modeof=" + escaped(path)}
	if vfs != "" {
		u.RawQuery += "&vfs=" + escaped(vfs)
	}
	return u.String()
}

// escaped is a query's value as SQLite reads it: it knows no + for a space.
func escaped(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// forWriting sets up a connection that writes. FULL: a commit is on disk when it returns (sqlite.org/pragma.html#pragma_synchronous).
func forWriting(c *sqlite3.Conn) error {
	return c.Exec(fmt.Sprintf(`PRAGMA busy_timeout=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;
		PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d`,
		busyMillis, cacheKiB, walPages, 2*walPages*4096))
}

func forReading(c *sqlite3.Conn) error {
	return c.Exec(fmt.Sprintf(`PRAGMA busy_timeout=%d; PRAGMA query_only=ON`, busyMillis))
}

func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Close commits what is queued, then lets go of the file. Error: settlements that could not be committed; their holds stay,
// and are charged in full at the next start.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	close(s.writer.queue)
	<-s.writer.done
	return errors.Join(s.writer.lost, s.release())
}

// release closes what is open.
func (s *Store) release() error {
	var errs []error
	for range len(s.live) {
		errs = append(errs, (<-s.live).close())
	}
	for range len(s.readers) {
		errs = append(errs, (<-s.readers).close())
	}
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.Close())
	}
	return errors.Join(errs...)
}

// change runs a step of the control plane in the writer's transaction, and waits until it is committed.
func (s *Store) change(ctx context.Context, step func(context.Context, *query.Queries) error) error {
	return s.do(ctx, &job{step: step, done: make(chan error, 1)})
}

// add is change for a step that changes no token, grant, budget or setting that is there.
func (s *Store) add(ctx context.Context, step func(context.Context, *query.Queries) error) error {
	return s.do(ctx, &job{step: step, keeps: true, done: make(chan error, 1)})
}
