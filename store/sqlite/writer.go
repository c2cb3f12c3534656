package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/internal/failpoint"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Bounds of the group commit.
const (
	queueSize   = 4096
	batchSize   = 512
	lateSize    = queueSize            // settlements that wait to be tried again
	gatherTurns = 8                    // times that others in flight are let run, to join a commit that somebody waits for
	settleTime  = 2 * time.Millisecond // for somebody to wait for a commit of settlements alone
	openSize    = 32_768               // open holds that are remembered; settlements of others read them
	retryTime   = time.Second          // between tries while nothing else is written
	poisonTries = 3                    // of a settlement that fails alone
)

// job is one write. Exactly one of step, hold and settle is set.
type job struct {
	step   func(context.Context, *query.Queries) error
	keeps  bool // the step changes no token, grant, budget or setting that is there
	hold   *passport.Hold
	held   passport.Held
	opened *opened // what the hold opened, for its settlement
	settle *passport.Settlement
	moved  []move // what the settlement did; nil: more than move tells, or nothing

	state atomic.Int32 // queued, then taken or left, whoever is first
	err   error
	tries int        // of a settlement that failed alone
	done  chan error // has room for the one answer; nil: nobody waits
}

// States of a job.
const (
	queued int32 = iota
	taken        // by the writer: its answer will come
	left         // by the caller, who does not wait any more: it is not run
)

// writer is the one goroutine that writes. Only it touches conn, raw, queries, hot and watch and late after the start.
type writer struct {
	queue   chan *job
	done    chan struct{} // closed when the writer has ended
	open    atomic.Int64  // holds granted and not settled: calls that will come back
	conn    *prepared
	raw     *sqlite3.Conn // the same connection as conn, without database/sql in between
	queries *query.Queries
	hot     *hot
	watch   watch // grants that may soon pass a mark
	known   *committed
	opened  map[passport.ReservationID]*opened // holds that are committed and open, lately: their settlements need not read them
	late    []*job                             // settlements of failed commits, in their order, before all that is queued
	log     *slog.Logger
	lost    error // for Close, when done is closed
}

func startWriter(conn *sql.Conn, known *committed, log *slog.Logger) (*writer, error) {
	w := &writer{queue: make(chan *job, queueSize), done: make(chan struct{}), conn: newPrepared(conn), watch: newWatch(), known: known,
		opened: map[passport.ReservationID]*opened{}, log: log}
	err := conn.Raw(func(c any) error {
		w.raw = c.(driver.Conn).Raw()
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	w.queries = query.New(w.conn)
	if w.hot, err = prepareHot(w.raw); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go w.run()
	return w, nil
}

func (w *writer) close() error { return errors.Join(w.hot.close(), w.conn.close()) }

// do queues a job and waits until it is committed or refused. If ctx ends while the job is still queued, it is not run; once
// the writer has taken it, its outcome is waited for, so that the caller knows it.
func (s *Store) do(ctx context.Context, j *job) error {
	if err := s.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	if j.state.CompareAndSwap(queued, left) {
		return failed(ctx, ctx.Err())
	}
	return <-j.done
}

// enqueue waits only while the queue is full.
func (s *Store) enqueue(ctx context.Context, j *job) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	select {
	case s.writer.queue <- j:
		return nil
	default:
	}
	select {
	case s.writer.queue <- j:
		return nil
	case <-ctx.Done():
		return problem.Wrap(context.Cause(ctx), problem.Busy, "too much is waiting to be written").After(retryTime)
	}
}

// run commits batch after batch until the queue is closed and empty.
func (w *writer) run() {
	defer close(w.done)
	for open := true; open; {
		b := w.gather()
		open = b.open
		w.commit(append(w.late, b.jobs...))
	}
	if len(w.late) == 0 {
		return
	}
	// One more try: then the holds stay, and recovery charges them in full.
	if w.commit(w.late); len(w.late) > 0 {
		w.lost = fmt.Errorf("%d settlements are lost, their holds stay", len(w.late))
	}
}

// commit runs jobs in order in one transaction and answers them. Settlements that it could not commit become late.
func (w *writer) commit(jobs []*job) {
	w.late = nil
	run := jobs[:0:0]
	for _, j := range jobs {
		if j.state.Load() == taken || j.state.CompareAndSwap(queued, taken) {
			run = append(run, j)
		}
	}
	if len(run) == 0 {
		return
	}
	w.known.begin()
	err := w.attempt(run, false)
	if errors.Is(err, errHalfDone) {
		err = w.attempt(run, true)
	}
	w.known.end(run, err == nil)
	w.remember(run, err == nil)
	if err != nil {
		w.log.Error("database: commit", "jobs", len(run), "err", err)
	}
	for _, j := range run {
		w.answer(j, err)
	}
}

// remember keeps the holds of a commit for their settlements and lets those go that are settled. After any other change, and after a
// commit whose outcome is unknown, what is open is read again.
func (w *writer) remember(jobs []*job, done bool) {
	if !done || len(w.opened) > openSize {
		clear(w.opened)
		return
	}
	for _, j := range jobs {
		switch {
		case j.err != nil:
		case j.hold != nil:
			w.opened[j.hold.ID] = j.opened
		case j.settle != nil:
			delete(w.opened, j.settle.ID)
		case !j.keeps:
			clear(w.opened)
		}
	}
}

// answer tells a job's caller its outcome. failure is that of the whole commit.
func (w *writer) answer(j *job, failure error) {
	if failure != nil {
		j.err = unknown(failure)
	}
	if j.settle != nil {
		w.retry(j, failure == nil)
		return
	}
	if j.hold != nil && j.err == nil {
		w.open.Add(1)
	}
	j.done <- j.err
}

// retry keeps a settlement that was not committed, unless it fails by itself again and again or too many wait.
func (w *writer) retry(j *job, alone bool) {
	if j.err == nil {
		return
	}
	if alone && broken(j.err) {
		j.tries++
	}
	if j.tries >= poisonTries || len(w.late) >= lateSize {
		w.log.Error("database: a settlement is lost, its hold stays", "reservation", j.settle.ID, "err", j.err)
		return
	}
	w.late = append(w.late, j)
}

// errHalfDone says that a job without a savepoint failed after it may have written: the transaction is undone and run again
// with a savepoint for each.
var errHalfDone = errors.New("a job failed half done")

// attempt runs all jobs in one transaction. A refusal of one leaves the others alone. Error: nothing of it is committed, or
// nobody knows.
func (w *writer) attempt(jobs []*job, careful bool) (err error) {
	if err := w.hot.begin.Exec(); err != nil {
		return err
	}
	w.watch.begin()
	w.hot.sheet.trim()
	defer func() {
		if err == nil {
			return
		}
		w.hot.sheet.forget()
		if !w.raw.GetAutocommit() {
			err = errors.Join(err, w.raw.Exec(`ROLLBACK`))
		}
	}()
	for _, j := range jobs {
		if j.step == nil && !careful {
			j.err = w.apply(j)
			if j.err != nil && !refused(j.err) {
				return errors.Join(errHalfDone, j.err)
			}
			continue
		}
		if err := w.guarded(j); err != nil {
			return err
		}
	}
	if err := w.hot.flush(); err != nil {
		return errors.Join(errHalfDone, err)
	}
	failpoint.Here() // then nothing of it is in the file
	if err := w.hot.commit.Exec(); err != nil {
		return err
	}
	failpoint.Here() // then all of it is, and nobody knows
	w.watch.committed()
	return nil
}

// guarded runs a job in a savepoint and undoes it alone if it fails. Error: the transaction is gone.
func (w *writer) guarded(j *job) error {
	if err := w.hot.flush(); err != nil { // of the jobs before it, outside its savepoint
		return errors.Join(errHalfDone, err)
	}
	if err := w.raw.Exec(`SAVEPOINT job`); err != nil {
		return err
	}
	if j.err = w.apply(j); j.err == nil {
		j.err = w.hot.flush()
	}
	w.hot.sheet.forget()
	if w.raw.GetAutocommit() {
		return errors.Join(errors.New("the transaction is gone"), j.err)
	}
	if j.err == nil {
		return w.raw.Exec(`RELEASE job`)
	}
	j.err = failed(context.Background(), j.err)
	return w.raw.Exec(`ROLLBACK TO job; RELEASE job`)
}

// apply runs one job. A refusal has written nothing where hold and settle are concerned: they check before they write.
func (w *writer) apply(j *job) (err error) {
	switch {
	case j.hold != nil:
		if j.held, j.opened, err = w.hold(*j.hold); err == nil {
			w.watch.see(j.hold.Grant, j.held.Total)
			w.watchAbove(j.opened.above)
		}
		return err
	case j.settle != nil:
		if j.moved, err = w.settle(*j.settle); err != nil {
			return err
		}
		if j.moved != nil { // what changed nothing passes nothing; what did more than move has looked by itself
			if err := w.passed(*j.settle, j.moved); err != nil {
				return err
			}
		}
		return store.FreeClaim(context.Background(), w.queries, *j.settle)
	default:
		if !j.keeps {
			clear(w.opened) // a settlement behind it in this commit must see what it changes
		}
		return j.step(context.Background(), w.queries)
	}
}
