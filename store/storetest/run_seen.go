package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func (b *bench) seen(kind passport.SeenKind, hash byte, until time.Time) bool {
	b.t.Helper()
	fresh, err := b.s.Seen(ctx(), kind, [32]byte{hash}, until)
	b.ok(err)
	return fresh
}

func (b *bench) sweepSeen(now time.Time) int64 {
	b.t.Helper()
	n, err := b.s.SweepSeen(ctx(), now)
	b.ok(err)
	return n
}

// testSeen: a thing is fresh once, for its kind, until it is swept; and that is not before its end.
func testSeen(_ *testing.T, b *bench) {
	end := Epoch().Add(time.Minute)
	b.equal(b.seen(passport.SeenProof, 1, end), true)
	b.equal(b.seen(passport.SeenProof, 1, end), false)
	b.equal(b.seen(passport.SeenProof, 1, end.Add(time.Hour)), false) // and its end does not move
	b.equal(b.seen(passport.SeenProof, 2, end.Add(time.Hour)), true)
	b.equal(b.seen(passport.SeenAssertion, 1, end), true)

	for _, err := range []error{second(b.s.Seen(ctx(), "", [32]byte{9}, end)), second(b.s.Seen(ctx(), passport.SeenProof, [32]byte{9}, time.Time{}))} {
		b.is(err, problem.Invalid)
	}
	b.equal(b.sweepSeen(end.Add(-time.Microsecond)), int64(0))
	b.reopen()
	b.equal(b.seen(passport.SeenProof, 1, end), false)
	b.equal(b.sweepSeen(end), int64(2))
	b.equal(b.seen(passport.SeenProof, 1, end), true)
	b.equal(b.seen(passport.SeenProof, 2, end), false)
}

func second(_ bool, err error) error { return err }

// testSeenRace: of many at one moment one is the first.
func testSeenRace(t *testing.T, b *bench) {
	var first atomic.Int64
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			fresh, err := b.s.Seen(ctx(), passport.SeenProof, [32]byte{7}, Epoch())
			if err != nil {
				t.Errorf("got %v", err)
			}
			if fresh {
				first.Add(1)
			}
		})
	}
	all.Wait()
	b.equal(first.Load(), int64(1))
}
