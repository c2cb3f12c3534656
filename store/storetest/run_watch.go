package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// watched says what a look at a time finds of grants, as text.
func (b *bench) watched(now time.Time, grants ...passport.GrantID) (out []string) {
	b.t.Helper()
	list, err := b.s.Watched(ctx(), now, grants)
	b.ok(err)
	for _, w := range list {
		last := "none"
		if !w.Last.At.IsZero() {
			last = fmt.Sprint(w.Last.At.Sub(Epoch()), " ", int64(w.Last.Settled))
		}
		out = append(out, fmt.Sprintf("%s spent %d used %t told %t last %s hour %d", w.Grant, w.Settled, w.Used, w.Told, last, w.Hour.Settled))
	}
	return out
}

// lately lists the grants of the newest calls.
func (b *bench) lately(calls int) []passport.GrantID {
	b.t.Helper()
	list, err := b.s.SpentLately(ctx(), calls)
	b.ok(err)
	slices.Sort(list)
	return list
}

func mark(g passport.GrantID, at time.Duration, settled passport.Money) passport.Found {
	return passport.Found{Grant: g, Mark: passport.Mark{At: Epoch().Add(at), Settled: settled}, Thin: true}
}

func testMarks(_ *testing.T, b *bench) {
	long := func(g *passport.Grant) { g.ExpiresAt = Epoch().Add(24 * time.Hour) }
	g, other := b.change(b.active(Detail(100, 100)), long), b.change(b.active(Detail(100, 100)), long)
	asked, revoked := b.pending(Detail(1, 1)), b.change(b.active(Detail(1, 1)), to(passport.GrantRevoked))
	paused := b.change(b.active(Detail(1, 1)), to(passport.GrantPaused))
	child := b.child(g, []int{0}, Detail(10, 10))
	b.equal(b.lately(10), []passport.GrantID(nil))
	b.spend(child.ID, 50, 40)
	b.equal(b.lately(10), []passport.GrantID{g.ID})
	b.hold(other.ID, 7)
	b.equal(b.lately(1), []passport.GrantID{other.ID})
	b.equal(b.lately(2), slices.Sorted(slices.Values([]passport.GrantID{g.ID, other.ID})))

	all := []passport.GrantID{paused.ID, g.ID, other.ID, child.ID, asked.ID, revoked.ID, "none"}
	b.equal(b.watched(Epoch(), all...), []string{string(paused.ID) + " spent 0 used false told false last 0s 0 hour -1",
		string(g.ID) + " spent 40 used true told false last 0s 0 hour -1", string(other.ID) + " spent 0 used true told false last 0s 0 hour -1"})
	b.equal(b.watched(g.ExpiresAt.Add(-time.Microsecond), g.ID), []string{string(g.ID) + " spent 40 used true told false last 0s 0 hour 0"})
	b.equal(b.watched(g.ExpiresAt, all...), []string(nil))
	b.equal(b.line(child.ID), []string(nil))

	// One mark in ten minutes, of whoever is first.
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, passport.MarkEvery-1, 41)}))
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, passport.MarkEvery, 42)}))
	b.equal(b.line(g.ID), []string{"0s 0", "10m0s 42"})
	b.equal(b.line(other.ID), []string{"0s 0"})
	b.equal(b.watched(Epoch().Add(time.Hour+passport.MarkEvery-time.Microsecond), g.ID)[0], string(g.ID)+" spent 40 used true told false last 10m0s 42 hour 0")
	b.equal(b.watched(Epoch().Add(time.Hour+passport.MarkEvery), g.ID)[0], string(g.ID)+" spent 40 used true told false last 10m0s 42 hour 42")

	// Old ones are thinned: the last of each hour stays, then the last of each day. Epoch is at noon.
	for _, at := range []time.Duration{50 * time.Minute, time.Hour, 25 * time.Hour, 26 * time.Hour, 26*time.Hour + passport.MarkEvery, 5 * 24 * time.Hour} {
		b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, at, passport.Money(100+at/time.Minute))}))
	}
	b.equal(b.line(g.ID), []string{"50m0s 150", "1h0m0s 160", "25h0m0s 1600", "26h10m0s 1670", "120h0m0s 7300"})
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, 9*24*time.Hour, 9000)}))
	b.equal(b.line(g.ID), []string{"1h0m0s 160", "25h0m0s 1600", "26h10m0s 1670", "120h0m0s 7300", "216h0m0s 9000"})
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, 10*24*time.Hour, 9500)}))
	b.equal(b.line(g.ID), []string{"1h0m0s 160", "26h10m0s 1670", "120h0m0s 7300", "216h0m0s 9000", "240h0m0s 9500"})
	b.equal(b.line(other.ID), []string{"0s 0"})
}

// line lists the marks of a grant.
func (b *bench) line(g passport.GrantID) (out []string) {
	b.t.Helper()
	marks, err := b.s.Marks(ctx(), g)
	b.ok(err)
	for _, m := range marks {
		out = append(out, fmt.Sprint(m.At.Sub(Epoch()), " ", int64(m.Settled)))
	}
	return out
}

// testNoted: what several instances find at once is told once, the unusual once a UTC day.
func testNoted(_ *testing.T, b *bench) {
	g := b.active(Detail(100, 100))
	w := passport.Watched{Grant: g.ID, Settled: 5}
	note := func(evs ...passport.Event) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { b.ok(b.s.NoteWatched(ctx(), []passport.Found{{Grant: g.ID, Events: evs}})) })
		}
		all.Wait()
	}
	note(w.FirstUse(Epoch()), w.Spree(1, Epoch()))
	note(w.FirstUse(Epoch().Add(time.Hour)), w.Spree(1, Epoch().Add(11*time.Hour)))
	g = b.change(g, func(g *passport.Grant) { g.Details = []passport.Detail{Detail(200, 100)} }) // another cap arms the first use never
	note(w.FirstUse(Epoch().Add(time.Hour)), w.Spree(1, Epoch().Add(12*time.Hour)))
	b.equal(b.kinds(g.ID), []passport.EventKind{passport.GrantRequested, passport.GrantApproved, passport.GrantFirstUsed, passport.GrantUnusual, passport.GrantApproved, passport.GrantUnusual})
}
