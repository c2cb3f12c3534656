package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// watched lists what a look at a time finds, as text, in pieces of so many.
func (b *bench) watched(now time.Time, pieces int) (out []string) {
	b.t.Helper()
	after := passport.Watched{}
	for {
		list, err := b.s.Watched(ctx(), now, after, pieces)
		b.ok(err)
		for _, w := range list {
			last := "none"
			if !w.Last.At.IsZero() {
				last = fmt.Sprint(w.Last.At.Sub(Epoch()), " ", int64(w.Last.Settled))
			}
			out = append(out, fmt.Sprintf("%s spent %d used %t told %t last %s hour %d", w.Grant, w.Settled, w.Used, w.Told, last, w.Hour.Settled))
			after = w
		}
		if len(list) < pieces {
			return out
		}
	}
}

func mark(g passport.GrantID, at time.Duration, settled passport.Money) passport.Found {
	return passport.Found{Grant: g, Mark: passport.Mark{At: Epoch().Add(at), Settled: settled}, Thin: true}
}

func testMarks(_ *testing.T, b *bench) {
	long := func(g *passport.Grant) { g.ExpiresAt = Epoch().Add(24 * time.Hour) }
	g, other := b.change(b.active(Detail(100, 100)), long), b.change(b.active(Detail(100, 100)), long)
	b.pending(Detail(1, 1))
	b.change(b.active(Detail(1, 1)), to(passport.GrantRevoked))
	paused := b.change(b.active(Detail(1, 1)), to(passport.GrantPaused))
	child := b.child(g, []int{0}, Detail(10, 10))
	b.spend(child.ID, 50, 40)
	b.hold(other.ID, 7)
	none := func(g passport.GrantID) string { return string(g) + " spent 0 used false told false last none hour -1" }
	want := []string{none(paused.ID), string(g.ID) + " spent 40 used true told false last none hour -1", string(other.ID) + " spent 0 used true told false last none hour -1"}
	b.equal(b.watched(Epoch(), 2), want)
	b.equal(b.watched(Epoch(), 3), want)
	b.equal(b.watched(g.ExpiresAt, 3), []string(nil))

	// One mark in ten minutes, of whoever is first.
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, 0, 40), mark(other.ID, 0, 0)}))
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, passport.MarkEvery-1, 41)}))
	b.ok(b.s.NoteWatched(ctx(), []passport.Found{mark(g.ID, passport.MarkEvery, 42)}))
	b.equal(b.line(g.ID), []string{"0s 40", "10m0s 42"})
	b.equal(b.line(other.ID), []string{"0s 0"})
	b.equal(b.watched(Epoch().Add(time.Hour+passport.MarkEvery-time.Microsecond), 9)[0], string(g.ID)+" spent 40 used true told false last 10m0s 42 hour 40")
	b.equal(b.watched(Epoch().Add(time.Hour+passport.MarkEvery), 9)[0], string(g.ID)+" spent 40 used true told false last 10m0s 42 hour 42")

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
