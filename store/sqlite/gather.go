package sqlite

import (
	"runtime"
	"time"
)

// batch is what one commit takes of the queue.
type batch struct {
	jobs   []*job
	waited bool // somebody waits for one of them
	open   bool // more may come
}

func (b *batch) add(j *job, open bool) {
	if b.open = open; !open {
		return
	}
	b.jobs = append(b.jobs, j)
	b.waited = b.waited || j.done != nil
}

func (b *batch) full() bool { return len(b.jobs) >= batchSize || !b.open }

// gather takes what is waiting; nothing when only late settlements are to be tried again.
func (w *writer) gather() batch {
	b := batch{open: true}
	w.first(&b)
	if len(b.jobs) == 0 {
		return b
	}
	w.drain(&b)
	// 1. Settlements alone: nobody waits for this commit, so somebody may join it and spare one.
	if !b.waited {
		w.collect(&b, settleTime, func() bool { return b.waited })
		w.drain(&b)
	}
	// 2. With calls in flight others are about to come. Without, the caller is alone: don't keep it waiting.
	if b.waited && w.open.Load() > 0 {
		w.letJoin(&b)
	}
	return b
}

// letJoin lets those run who are about to come, as long as some do. It does not wait by a clock: half a millisecond of nothing to do
// costs more than a commit that is smaller.
func (w *writer) letJoin(b *batch) {
	for range gatherTurns {
		n := len(b.jobs)
		runtime.Gosched()
		if w.drain(b); len(b.jobs) == n {
			return
		}
	}
}

// drain takes what is there.
func (w *writer) drain(b *batch) {
	for !b.full() {
		select {
		case j, open := <-w.queue:
			b.add(j, open)
		default:
			return
		}
	}
}

// collect takes what comes until the time is over or it is enough.
func (w *writer) collect(b *batch, patience time.Duration, enough func() bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !b.full() && !enough() {
		select {
		case j, open := <-w.queue:
			b.add(j, open)
		case <-timer.C:
			return
		}
	}
}

// first waits for a job, or for the time to try late settlements again.
func (w *writer) first(b *batch) {
	if len(w.late) == 0 {
		j, open := <-w.queue
		b.add(j, open)
		return
	}
	timer := time.NewTimer(retryTime)
	defer timer.Stop()
	select {
	case j, open := <-w.queue:
		b.add(j, open)
	case <-timer.C:
	}
}
