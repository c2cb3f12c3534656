// Package recall is the sole owner of the calls in flight: a recalled grant has none. It may not touch the reason why a grant
// ended, HTTP or storage: who ends a grant gives the cause.
package recall

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Board is the list of calls in flight, by grant. It is safe for use by several goroutines.
//
// A Watch that races an End is either seen by the End, and cut, or comes after it. Whoever ends a grant commits the new state
// before it calls End, and whoever watches a call does so before the ledger's hold, which tests the state in its own
// transaction: so a Watch that End missed meets a hold that refuses, and no call gets past both.
type Board struct {
	now func() time.Time

	mu    sync.Mutex                                // guards the fields below
	calls map[passport.GrantID]*flight              // the first of each grant; the others hang on it
	below map[passport.GrantID]map[*flight]struct{} // of a grant that others were narrowed from: those others' calls
	total int
	keys  uint64        // how often an SDK key was revoked
	fewer chan struct{} // not nil: somebody waits for a release; then it is closed
}

// flight is one call in flight.
type flight struct {
	grant      passport.GrantID
	above      []passport.GrantID // what the grant was narrowed from, at any remove: an end of one of those ends the call
	key        passport.TokenID   // the token or SDK key that it came with; empty: it cannot be ended by that
	ctx        context.Context
	cancel     context.CancelCauseFunc
	timer      *time.Timer // ends the call when its time comes
	prev, next *flight     // of the same grant; guarded by Board.mu
	released   bool        // guarded by Board.mu
}

// New makes an empty board. now says how far off an end is.
func New(now func() time.Time) *Board {
	return &Board{now: now, calls: map[passport.GrantID]*flight{}, below: map[passport.GrantID]map[*flight]struct{}{}}
}

// Watch puts a call on the board until release is called, which must happen on every path and may happen twice. The context
// it returns ends with a cause (context.Cause) of kind GrantEnded or GrantPaused the moment the grant is recalled, with
// GrantEnded when until comes, and as ctx does when ctx ends. An until that has come already, or is zero, ends it at once.
// It starts no goroutine for a ctx of the standard library.
func (b *Board) Watch(ctx context.Context, g passport.GrantID, until time.Time) (watched context.Context, release func()) {
	return b.WatchKey(ctx, g, "", until)
}

// WatchKey is Watch for a call that came with a token or an SDK key, if key is not empty: EndKey ends it too. A call must look at KeysRevoked
// before it asks whether its key lives, and again after WatchKey; if it has changed in between, an EndKey may have missed the call, and
// it must ask again. above are the grants that g was narrowed from (passport.Grant.Line): an End of one of them ends the call too.
func (b *Board) WatchKey(ctx context.Context, g passport.GrantID, key passport.TokenID, until time.Time, above ...passport.GrantID) (watched context.Context, release func()) {
	f := &flight{grant: g, above: above, key: key}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	left := until.Sub(b.now())
	b.mu.Lock()
	f.next = b.calls[g]
	if f.next != nil {
		f.next.prev = f
	}
	b.calls[g] = f
	for _, up := range above {
		if b.below[up] == nil {
			b.below[up] = map[*flight]struct{}{}
		}
		b.below[up][f] = struct{}{}
	}
	b.total++
	b.mu.Unlock()
	if left <= 0 {
		f.cancel(timeUp())
		return f.ctx, func() { b.release(f) }
	}
	f.timer = time.AfterFunc(left, func() { f.cancel(timeUp()) })
	return f.ctx, func() { b.release(f) }
}

func timeUp() error {
	return problem.New(problem.GrantEnded, "the time of the grant or of its token has come")
}

// release takes a call off the board and frees what its context holds.
func (b *Board) release(f *flight) {
	if f.timer != nil {
		f.timer.Stop()
	}
	defer f.cancel(context.Canceled)
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.released {
		return
	}
	f.released = true
	switch {
	case f.prev != nil:
		f.prev.next = f.next
	case f.next != nil:
		b.calls[f.grant] = f.next
	default:
		delete(b.calls, f.grant)
	}
	if f.next != nil {
		f.next.prev = f.prev
	}
	for _, up := range f.above {
		if delete(b.below[up], f); len(b.below[up]) == 0 {
			delete(b.below, up)
		}
	}
	b.total--
	if b.fewer != nil {
		close(b.fewer)
		b.fewer = nil
	}
}

// of lists the calls of a grant and of those below it. With mu held.
func (b *Board) of(g passport.GrantID) (list []*flight) {
	for f := b.calls[g]; f != nil; f = f.next {
		list = append(list, f)
	}
	for f := range b.below[g] {
		list = append(list, f)
	}
	return list
}

// End ends all calls of a grant, and of those below it, with a cause and says how many it ended. The calls' own goroutines close what they have
// open, settle and release. A cause that is nil reads as GrantEnded.
func (b *Board) End(g passport.GrantID, cause error) (n int) {
	b.mu.Lock()
	ending := b.of(g)
	b.mu.Unlock()
	return end(ending, cause)
}

// EndKey ends all calls that came with a token or an SDK key, and says how many it ended. Who revokes a key commits that before. No key ends
// nothing by itself: some key was revoked, elsewhere, and calls that are not on the board yet must ask again.
func (b *Board) EndKey(key passport.TokenID, cause error) (n int) {
	var ending []*flight
	b.mu.Lock()
	b.keys++
	for _, first := range b.calls {
		for f := first; f != nil; f = f.next {
			if key != "" && f.key == key {
				ending = append(ending, f)
			}
		}
	}
	b.mu.Unlock()
	return end(ending, cause)
}

// KeysRevoked changes whenever a token or an SDK key is revoked.
func (b *Board) KeysRevoked() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys
}

// Keys lists the tokens and SDK keys that have calls on the board, in no order.
func (b *Board) Keys() (list []passport.TokenID) {
	seen := map[passport.TokenID]bool{"": true}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, first := range b.calls {
		for f := first; f != nil; f = f.next {
			if !seen[f.key] {
				seen[f.key] = true
				list = append(list, f.key)
			}
		}
	}
	return list
}

// EndAll ends all calls of all grants with a cause and says how many it ended.
func (b *Board) EndAll(cause error) (n int) {
	b.mu.Lock()
	ending := make([]*flight, 0, b.total)
	for _, first := range b.calls {
		for f := first; f != nil; f = f.next {
			ending = append(ending, f)
		}
	}
	b.mu.Unlock()
	return end(ending, cause)
}

// end cancels outside the board's lock: what hangs on a context runs in there.
func end(ending []*flight, cause error) (n int) {
	if cause == nil {
		cause = problem.New(problem.GrantEnded, "the grant has ended")
	}
	for _, f := range ending {
		if f.ctx.Err() != nil {
			continue
		}
		f.cancel(cause)
		n++
	}
	return n
}

// Quiet waits until the calls of a grant that were ended are off the board, or until ctx ends: from then on none of them
// writes to a provider. No grant means all grants. A call must not wait for itself.
func (b *Board) Quiet(ctx context.Context, g passport.GrantID) {
	for {
		b.mu.Lock()
		if !b.ending(g) {
			b.mu.Unlock()
			return
		}
		if b.fewer == nil {
			b.fewer = make(chan struct{})
		}
		fewer := b.fewer
		b.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
			return
		}
	}
}

// ending says whether a call that was ended is still on the board. With mu held.
func (b *Board) ending(g passport.GrantID) bool {
	if g != "" {
		return slices.ContainsFunc(b.of(g), func(f *flight) bool { return f.ctx.Err() != nil })
	}
	for _, first := range b.calls {
		if anyEnded(first) {
			return true
		}
	}
	return false
}

func anyEnded(first *flight) bool {
	for f := first; f != nil; f = f.next {
		if f.ctx.Err() != nil {
			return true
		}
	}
	return false
}

// Live is how many calls of a grant, and of those below it, are on the board, those that were ended but not released yet included.
func (b *Board) Live(g passport.GrantID) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.of(g))
}

// Grants lists the grants that have calls on the board, and those above them, in no order: the end of any of them ends calls here.
func (b *Board) Grants() []passport.GrantID {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]passport.GrantID, 0, len(b.calls)+len(b.below))
	for g := range b.calls {
		list = append(list, g)
	}
	for g := range b.below {
		if b.calls[g] == nil {
			list = append(list, g)
		}
	}
	return list
}

// LiveAll is how many calls of all grants are on the board.
func (b *Board) LiveAll() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}
