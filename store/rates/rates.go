// Package rates is what the shared counters of calls do alike: a queue in front of one goroutine, which takes what waits, has it
// counted in one round trip, and takes what came meanwhile. How a round trip counts is the counter's (store/postgres,
// store/valkey). It has no clock but a test's, and no opinion on limits.
package rates

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of who counts calls.
const (
	maxQueue   = 4096            // calls that wait to be counted
	maxBatch   = 512             // calls of one round trip
	deadline   = 2 * time.Second // of one round trip, a new connection included
	sweepEvery = time.Minute     // how often what has passed is dropped
)

// Counter counts at one place for all instances.
type Counter interface {
	// Count counts jobs, which are sorted by detail, in their order, and answers each. After an error some may have been counted.
	Count(ctx context.Context, jobs []*Job, now *time.Time) error
	// Sweep drops details of which nothing counts any more.
	Sweep(ctx context.Context, now *time.Time) error
	// Close ends the connection, if there is one.
	Close()
}

// Job is a call to count, or one to give back.
type Job struct {
	At    passport.RatePlace // where it was counted; the answer to a call, Batch 0 if it is refused
	Limit int64              // calls a minute; Back: this gives a call back
	Wait  time.Duration      // until a refused one may be made

	err  error
	done chan struct{} // nil: nobody waits
}

// Back is the limit of what is no call but gives one back.
const Back = -1

// Rates is meter.Rates over a counter that several instances share. It is safe for use by several goroutines.
type Rates struct {
	counter Counter
	now     func() time.Time // nil: the counter's clock
	log     *slog.Logger
	queue   chan *Job
	sweeps  chan chan error
	done    chan struct{}

	mu     sync.RWMutex // guards closed: a job enters the queue under the read lock
	closed bool
}

// New begins to count. now is for tests; nil is the counter's clock, which is one for all instances.
func New(c Counter, now func() time.Time, log *slog.Logger) *Rates {
	r := &Rates{counter: c, now: now, log: log, queue: make(chan *Job, maxQueue), sweeps: make(chan chan error), done: make(chan struct{})}
	go r.run()
	return r
}

// Close answers what waits and ends.
func (r *Rates) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	<-r.done
}

// Take implements meter.Rates.
func (r *Rates) Take(ctx context.Context, g passport.GrantID, detail int, limit int64) (passport.RatePlace, error) {
	if limit <= 0 {
		return passport.RatePlace{}, passport.RateExceeded(limit, 0)
	}
	j := &Job{At: passport.RatePlace{Grant: g, Detail: detail}, Limit: limit, done: make(chan struct{})}
	if !r.enter(j) {
		return passport.RatePlace{}, unknown(errors.New("the queue is full or closed"))
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return passport.RatePlace{}, unknown(context.Cause(ctx)) // it may be counted, for nothing: that is the safe side
	}
	switch {
	case j.err != nil:
		return passport.RatePlace{}, unknown(j.err)
	case j.At.Batch == 0:
		return passport.RatePlace{}, passport.RateExceeded(limit, j.Wait)
	}
	return j.At, nil
}

// GiveBack implements meter.Rates. What finds no place in the queue stays counted for its minute.
func (r *Rates) GiveBack(at passport.RatePlace) { r.enter(&Job{At: at, Limit: Back}) }

// SweepNow drops what has passed, as happens every minute anyway, and returns when that is done.
func (r *Rates) SweepNow(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case r.sweeps <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.done:
		return errors.New("closed")
	}
	return <-done
}

// unknown refuses a call whose rate nobody can tell: money would be safe without it, but a limit is a promise too.
func unknown(cause error) error {
	return problem.Wrap(cause, problem.Unavailable, "the rate of this grant cannot be asked")
}

func (r *Rates) enter(j *Job) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return false
	}
	select {
	case r.queue <- j:
		return true
	default:
		return false
	}
}

// run is the one goroutine that counts.
func (r *Rates) run() {
	defer close(r.done)
	defer r.counter.Close()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := r.sweep(); err != nil {
				r.log.Warn("drop the rates that have passed", "error", err.Error())
			}
		case done := <-r.sweeps:
			done <- r.sweep()
		case j, ok := <-r.queue:
			if !ok {
				return
			}
			r.count(r.gather(j))
		}
	}
}

func (r *Rates) sweep() error {
	return r.bounded(func(ctx context.Context) error { return r.counter.Sweep(ctx, r.clock()) })
}

// gather takes what waits behind a job.
func (r *Rates) gather(first *Job) []*Job {
	jobs := []*Job{first}
	for len(jobs) < maxBatch {
		select {
		case j, ok := <-r.queue:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// count runs a batch and answers it. Details are sorted, so that two instances lock them in one order; the calls of one keep
// the order in which they came.
func (r *Rates) count(jobs []*Job) {
	slices.SortStableFunc(jobs, func(a, b *Job) int {
		return cmp.Or(cmp.Compare(a.At.Grant, b.At.Grant), cmp.Compare(a.At.Detail, b.At.Detail))
	})
	err := r.bounded(func(ctx context.Context) error { return r.counter.Count(ctx, jobs, r.clock()) })
	for _, j := range jobs {
		j.err = err
		if j.done != nil {
			close(j.done)
		}
	}
}

func (r *Rates) bounded(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return do(ctx)
}

func (r *Rates) clock() *time.Time {
	if r.now == nil {
		return nil
	}
	now := r.now()
	return &now
}
