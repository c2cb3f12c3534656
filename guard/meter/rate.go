package meter

import (
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// rateWindow is the time over which a rate limit counts.
const rateWindow = time.Minute

// maxBatches bounds what is remembered of one detail's calls.
const maxBatches = 64

// rates keeps the promise that people read into "10 calls a minute": never more than 10 in any 60 seconds, wherever they
// start, and 10 at once if nothing came before. A token bucket (GCRA) breaks it or halves the limit: with a full burst it
// lets nearly twice the limit into one minute. Instead the calls of the last minute are remembered in batches, at most
// maxBatches of them. A batch counts until a minute after its last call, so the count is never too low. Up to maxBatches
// calls a minute each batch is one call and the limit is exact; above, at most the share of one batch (1/64 of the limit)
// is given late. So the memory of a detail does not grow with its limit.
//
// Times are spans since the meter was made. It is not safe for use by several goroutines: the meter's mutex guards it.
type rates struct {
	details map[rateKey]*batches
	swept   time.Duration // when what has passed was last dropped
}

type rateKey struct {
	grant  passport.GrantID
	detail int
}

// batches are the calls of one detail that still count, oldest first.
type batches struct {
	list []batch
	sum  int64
	next uint64 // id of the next batch
}

type batch struct {
	id    uint64
	last  time.Duration // of its last call
	calls int64
}

// place is where a call was counted, to give it back.
type place struct {
	key rateKey
	id  uint64
}

// take counts a call if fewer than limit were made in the minute before now. If not, wait says how long until one may be
// made; a wait of 0 means never.
func (r *rates) take(key rateKey, limit int64, now time.Duration) (at place, wait time.Duration, ok bool) {
	r.sweep(now)
	if limit <= 0 {
		return place{}, 0, false
	}
	b := r.details[key]
	if b == nil {
		b = &batches{}
		r.details[key] = b
	}
	b.forget(now)
	if b.sum >= limit {
		return place{}, b.waitFor(limit, now), false
	}
	return place{key, b.add(limit, now)}, 0, true
}

// giveBack uncounts a call. It does nothing if the call has passed already.
func (r *rates) giveBack(at place) {
	b := r.details[at.key]
	if b == nil {
		return
	}
	for i := range b.list {
		if b.list[i].id != at.id {
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

// sweep drops, once a minute, the details of which nothing counts any more.
func (r *rates) sweep(now time.Duration) {
	if now < r.swept {
		r.swept = now // the clock went back
	}
	if now-r.swept < rateWindow {
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
	for n < len(b.list) && now-b.list[n].last >= rateWindow {
		b.sum -= b.list[n].calls
		n++
	}
	b.list = append(b.list[:0], b.list[n:]...)
}

// add counts a call: in the newest batch while that has room, and when there is no place for another.
func (b *batches) add(limit int64, now time.Duration) (id uint64) {
	b.sum++
	size := (limit + maxBatches - 1) / maxBatches
	if n := len(b.list); n > 0 && (b.list[n-1].calls < size || n == maxBatches) {
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
			return old.last + rateWindow - now
		}
	}
	return rateWindow
}
