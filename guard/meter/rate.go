package meter

import (
	"context"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Rates counts calls against the rate limits of details. One instance counts in memory; several share what they count, because a
// limit is the grant's and not the instance's.
//
// "10 calls a minute" is the promise that people read into it: never more than 10 in any 60 seconds, wherever they start, and
// 10 at once if nothing came before. A token bucket (GCRA) breaks it or halves the limit: with a full burst it lets nearly
// twice the limit into one minute. Instead the calls of the last minute are remembered in batches, at most
// passport.RateBatches of them. A batch counts until a minute after its last call, so the count is never too low. Up to
// RateBatches calls a minute each batch is one call and the limit is exact; above, at most the share of one batch (1/64 of the
// limit) is given late. So the memory of a detail does not grow with its limit. Who counts reads one clock, its own; if that
// goes back, the newest call is taken to be of this moment: nothing is forgotten, and nothing counts for longer than a minute.
type Rates interface {
	// Take counts a call if fewer than limit were made in the minute before now. Errors: RateExceeded, as passport.RateExceeded
	// has it; Unavailable if the count cannot be asked, and then the call may have been counted.
	Take(ctx context.Context, g passport.GrantID, detail int, limit int64) (passport.RatePlace, error)

	// GiveBack uncounts a call that was not made. It is not waited for, and does nothing if the call has passed already.
	GiveBack(at passport.RatePlace)
}

// memoryRates are the Rates of one instance: a restart forgets them. It is safe for use by several goroutines. Times are spans
// since it was made.
type memoryRates struct {
	now   func() time.Time
	start time.Time

	mu      sync.Mutex // guards what follows
	details map[rateKey]*batches
	swept   time.Duration // when what has passed was last dropped
}

// NewMemoryRates makes Rates of which no other instance knows.
func NewMemoryRates(now func() time.Time) Rates {
	return &memoryRates{now: now, start: now(), details: map[rateKey]*batches{}}
}

type rateKey struct {
	grant  passport.GrantID
	detail int
}

// batches are the calls of one detail that still count, oldest first.
type batches struct {
	list []batch
	sum  int64
	next int64 // id of the next batch
}

type batch struct {
	id    int64
	last  time.Duration // of its last call
	calls int64
}

// Take implements Rates.
func (r *memoryRates) Take(_ context.Context, g passport.GrantID, detail int, limit int64) (passport.RatePlace, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now().Sub(r.start)
	r.sweep(now)
	if limit <= 0 {
		return passport.RatePlace{}, passport.RateExceeded(limit, 0)
	}
	key := rateKey{g, detail}
	b := r.details[key]
	if b == nil {
		b = &batches{next: int64(now)} // ids do not come back: a place of a batch that was dropped is not taken for another's
		r.details[key] = b
	}
	b.forget(now)
	if b.sum >= limit {
		return passport.RatePlace{}, passport.RateExceeded(limit, b.waitFor(limit, now))
	}
	return passport.RatePlace{Grant: g, Detail: detail, Batch: b.add(limit, now)}, nil
}

// GiveBack implements Rates.
func (r *memoryRates) GiveBack(at passport.RatePlace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.details[rateKey{at.Grant, at.Detail}]
	if b == nil {
		return
	}
	for i := range b.list {
		if b.list[i].id != at.Batch {
			continue
		}
		b.sum--
		b.list[i].calls--
		if b.list[i].calls == 0 {
			b.list = append(b.list[:i], b.list[i+1:]...)
		}
		return
	}
}

// sweep drops, once a minute, the details of which nothing counts any more. With mu held.
func (r *memoryRates) sweep(now time.Duration) {
	if now < r.swept {
		r.swept = now // the clock went back
	}
	if now-r.swept < passport.RateWindow {
		return
	}
	r.swept = now
	for key, b := range r.details {
		if b.forget(now); b.sum == 0 {
			delete(r.details, key)
		}
	}
}

// forget drops the batches that no longer count. If the clock went back, the newest batch is taken to be of this moment and
// the others keep their distance to it: what was made within a minute still counts, and nothing counts for longer than a
// minute from now.
func (b *batches) forget(now time.Duration) {
	if len(b.list) == 0 {
		return
	}
	if ahead := b.list[len(b.list)-1].last - now; ahead > 0 {
		for i := range b.list {
			b.list[i].last -= ahead
		}
	}
	n := 0
	for n < len(b.list) && now-b.list[n].last >= passport.RateWindow {
		b.sum -= b.list[n].calls
		n++
	}
	b.list = append(b.list[:0], b.list[n:]...)
}

// add counts a call: in the newest batch while that has room, and when there is no place for another.
func (b *batches) add(limit int64, now time.Duration) (id int64) {
	b.sum++
	size := (limit + passport.RateBatches - 1) / passport.RateBatches
	if n := len(b.list); n > 0 && (b.list[n-1].calls < size || n == passport.RateBatches) {
		b.list[n-1].calls++
		b.list[n-1].last = now
		return b.list[n-1].id
	}
	b.next++
	b.list = append(b.list, batch{b.next, now, 1})
	return b.next
}

// waitFor is the time until fewer than limit calls count.
func (b *batches) waitFor(limit int64, now time.Duration) time.Duration {
	sum := b.sum
	for _, old := range b.list {
		if sum -= old.calls; sum < limit {
			return old.last + passport.RateWindow - now
		}
	}
	return passport.RateWindow
}
