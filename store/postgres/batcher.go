package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/failpoint"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of the batches.
const (
	queueSize   = 4096
	batchSize   = 512
	lateSize    = queueSize              // settlements that wait to be tried again
	attemptTime = 10 * time.Second       // of one try of a batch; then the connection is given up, and the outcome unknown
	retryFirst  = 20 * time.Millisecond  // before a batch is sent again, doubled each time
	retryMost   = 500 * time.Millisecond // up to this
	undoneTries = 4                      // of a batch that was undone for certain: then its callers are told
	lateTime    = time.Second            // between tries of late settlements while nothing else is written
	poisonTries = 3                      // of a settlement that fails alone
	waitMost    = 5 * time.Second        // for the answer to a hold, and for what stands in the queue before a read
	closeMost   = 10 * time.Second       // for the queue to be written at the end
)

// job is one thing for the ledger. Of hold and settle at most one is set; neither: it only waits for what is before it.
type job struct {
	hold   *passport.Hold
	held   passport.Held
	settle *passport.Settlement

	state atomic.Int32 // queued, then taken or left, whoever is first
	tries int          // of a settlement that failed alone
	done  chan error   // has room for the one answer; nil: nobody waits
}

// States of a job.
const (
	queued int32 = iota
	taken        // by the batcher: it may be committed
	left         // by the caller, who does not wait any more: it is not run
)

func (j *job) id() passport.ReservationID {
	switch {
	case j.hold != nil:
		return j.hold.ID
	case j.settle != nil:
		return j.settle.ID
	default:
		return ""
	}
}

// batcher is the one goroutine that sends batches: what is waiting, run, repeat. There is no timer: while one batch is on its way the
// next one gathers. Only it touches line, late, carry and family after the start.
type batcher struct {
	queue chan *job
	done  chan struct{} // closed when the batcher has ended
	stop  context.Context
	end   context.CancelFunc // ends stop: a batch whose outcome is unknown is not asked for any more
	line  *link
	lease *lease
	late  []*job // settlements of failed batches, in their order, before all that is queued
	// family: a grant that was narrowed from another has called here. Until then no batch looks for what is above its grants.
	family bool
	carry  *job // taken from the queue, but its id is in the batch already
	log    *slog.Logger
	lost   error // for close, when done is closed
}

func startBatcher(o Options, line *link, l *lease) *batcher {
	b := &batcher{queue: make(chan *job, queueSize), done: make(chan struct{}), line: line, lease: l, log: o.Log}
	b.stop, b.end = context.WithCancel(context.Background())
	go b.run()
	return b
}

// close writes what is queued. The queue gets nothing more: the store is closed.
func (b *batcher) close() error {
	close(b.queue)
	timer := time.AfterFunc(closeMost, b.end)
	defer timer.Stop()
	<-b.done
	b.end()
	b.line.close()
	return b.lost
}

// do queues a job and waits for its answer. If ctx ends or waitMost is over while it is queued, it is not run and notHeld; once it is
// on its way, its outcome is unknown.
func (s *Store) do(ctx context.Context, j *job) error {
	if err := s.enqueue(ctx, j); err != nil {
		return err
	}
	timer := time.NewTimer(waitMost)
	defer timer.Stop()
	cause := errors.New("the database did not answer in time")
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		cause = context.Cause(ctx)
	case <-timer.C:
	}
	if j.state.CompareAndSwap(queued, left) {
		if ctx.Err() != nil {
			return problem.Wrap(errors.Join(passport.ErrNotHeld, cause), problem.ClientGone, "the call was given up")
		}
		return notHeld(cause)
	}
	select { // the answer may have come at the same moment
	case err := <-j.done:
		return err
	default:
		return unknown(cause)
	}
}

// enqueue waits only while the queue is full.
func (s *Store) enqueue(ctx context.Context, j *job) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	select {
	case s.batch.queue <- j:
		return nil
	default:
	}
	select {
	case s.batch.queue <- j:
		return nil
	case <-ctx.Done():
		return problem.Wrap(errors.Join(passport.ErrNotHeld, context.Cause(ctx)), problem.Busy, "too much is waiting to be written").After(lateTime)
	}
}

// run sends batch after batch until the queue is closed and empty.
func (b *batcher) run() {
	defer close(b.done)
	for open := true; open || b.carry != nil; {
		var jobs []*job
		jobs, open = b.gather(open)
		b.commit(jobs)
	}
	// One more try for what failed: then the holds stay, and a peer or the next start charges them in full.
	if b.commit(b.takeLate()); len(b.late) > 0 {
		b.lost = errors.Join(b.lost, fmt.Errorf("%d settlements are lost, their holds stay", len(b.late)))
	}
}

func (b *batcher) takeLate() []*job {
	jobs := b.late
	b.late = nil
	return jobs
}

// gather waits for a job, or for the time to try late settlements again, and takes what is there, with the late ones first. It stops
// before a job whose id is in the batch already: the outcome of the first decides about the second.
func (b *batcher) gather(open bool) ([]*job, bool) {
	jobs := b.takeLate()
	ids := map[passport.ReservationID]bool{}
	for _, j := range jobs {
		ids[j.id()] = true
	}
	add := func(j *job) bool {
		if id := j.id(); id != "" && ids[id] {
			b.carry = j
			return false
		} else if id != "" {
			ids[id] = true
		}
		jobs = append(jobs, j)
		return len(jobs) < batchSize
	}
	if j := b.carry; j != nil {
		b.carry = nil
		if !add(j) {
			return jobs, open
		}
	} else if open {
		j, more, timeout := b.first(len(jobs) > 0)
		if timeout {
			return jobs, open
		}
		if open = more; open && !add(j) {
			return jobs, open
		}
	}
	for open {
		select {
		case j, more := <-b.queue:
			if open = more; open && !add(j) {
				return jobs, open
			}
		default:
			return jobs, open
		}
	}
	return jobs, open
}

// first waits for a job; with late settlements only for so long.
func (b *batcher) first(late bool) (j *job, open, timeout bool) {
	if !late {
		j, open = <-b.queue
		return j, open, false
	}
	timer := time.NewTimer(lateTime)
	defer timer.Stop()
	select {
	case j, open = <-b.queue:
		return j, open, false
	case <-timer.C:
		return nil, true, true
	}
}

// commit runs jobs as one batch and answers them. Settlements that could not be written become late. One that failed alone before
// goes alone again, so that it cannot spoil a batch for others.
func (b *batcher) commit(jobs []*job) {
	var together []*job
	for _, j := range jobs {
		switch {
		case j.state.Load() != taken && !j.state.CompareAndSwap(queued, taken): // its caller has left
		case j.tries > 0:
			b.send([]*job{j}, false)
		default:
			together = append(together, j)
		}
	}
	b.send(together, false)
}

// send runs jobs as one batch, again and again until their outcome is known. retry: they may have been committed before.
func (b *batcher) send(jobs []*job, retry bool) {
	if len(jobs) == 0 {
		return
	}
	bt := batchOf(jobs)
	undoneTimes, pause := 0, retryFirst
	for {
		err := b.attempt(bt, retry)
		if err == nil {
			b.answer(jobs, bt)
			return
		}
		if !b.family && isFamily(err) {
			b.family = true
			continue
		}
		v := judge(err)
		switch {
		case v == wrong && len(jobs) > 1:
			b.log.Error("database: a batch was refused, its jobs are run one by one", "jobs", len(jobs), "err", err)
			for _, j := range jobs {
				b.send([]*job{j}, retry)
			}
			return
		case v == wrong:
			told := error(problem.Wrap(err, problem.Internal, "internal error"))
			if retry { // what is wrong with this sending says nothing of the one before
				told = unknown(err)
			}
			b.fail(jobs, told, true)
			return
		case v == lost:
			retry = true
		case v == undone:
			undoneTimes++
		}
		b.log.Error("database: a batch is sent again", "jobs", len(jobs), "unknown", retry, "err", err)
		if !retry && undoneTimes >= undoneTries {
			b.fail(jobs, notHeld(err), false)
			return
		}
		if !b.sleep(pause) {
			b.fail(jobs, unknown(err), false)
			return
		}
		pause = min(2*pause, retryMost)
	}
}

func (b *batcher) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.stop.Done():
		return false
	}
}

func batchOf(jobs []*job) *batch {
	var holds []passport.Hold
	var settles []passport.Settlement
	for _, j := range jobs {
		if j.hold != nil {
			holds = append(holds, *j.hold)
		}
		if j.settle != nil {
			settles = append(settles, *j.settle)
		}
	}
	return newBatch(holds, settles)
}

// attempt sends a batch once. The epoch is that of now: after a peer took over, holds of the one before are refused or found.
func (b *batcher) attempt(bt *batch, retry bool) error {
	if len(bt.grants) == 0 {
		return nil
	}
	bt.family = b.family
	return b.line.do(b.stop, attemptTime, func(ctx context.Context, conn *pgx.Conn) error {
		run := bt.run
		if bt.keyed() {
			run = func(ctx context.Context, _ querier, owner string, epoch int64, retry bool) error {
				return bt.runKeyed(ctx, conn, owner, epoch, retry)
			}
		}
		if retry && len(bt.holds) > 0 {
			if err := b.lease.raise(ctx, conn); err != nil {
				return err
			}
		}
		failpoint.Here() // then nothing of it is in the database
		err := run(ctx, conn, b.lease.id, b.lease.epoch.Load(), retry)
		failpoint.Here() // then all of it is, and nobody knows
		return err
	})
}

// answer tells each job's caller its outcome.
func (b *batcher) answer(jobs []*job, bt *batch) {
	var holds []*job
	for _, j := range jobs {
		switch {
		case j.hold != nil:
			holds = append(holds, j)
		case j.done != nil:
			j.done <- nil
		}
	}
	bt.each(func(i int, held passport.Held, err error) {
		holds[i].held = held
		holds[i].done <- err
	})
}

// fail tells each job's caller that it was not done, or that nobody knows, and keeps settlements for another try.
func (b *batcher) fail(jobs []*job, err error, alone bool) {
	for _, j := range jobs {
		if j.settle == nil {
			j.done <- err
			continue
		}
		if alone {
			j.tries++
		}
		if j.tries >= poisonTries || len(b.late) >= lateSize {
			b.log.Error("database: a settlement is lost, its hold stays", "reservation", j.settle.ID, "err", err)
			b.lost = errors.Join(b.lost, fmt.Errorf("the settlement of %s", j.settle.ID))
			continue
		}
		b.late = append(b.late, j)
	}
}
