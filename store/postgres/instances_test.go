package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/testutil"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/storetest"
)

// Two instances on one database, many callers at each, several grants: each grant gives exactly what fits.
func TestTwoInstancesNeverPassTheCap(t *testing.T) {
	url := database(t)
	stores := []*postgres.Store{open(t, options(url)), open(t, options(url))}
	const grants, fits = 5, 20
	for g := range grants {
		active(t, stores[0], passport.GrantID(fmt.Sprint("g", g)), 1, 10_000)
	}
	var given [grants]atomic.Int64
	var all sync.WaitGroup
	for w := range 64 {
		all.Go(func() {
			for i := range 10 {
				g := (w + i) % grants
				_, err := stores[w%2].Hold(t.Context(), ask(passport.GrantID(fmt.Sprint("g", g)), fmt.Sprint("r", w, "-", i), passport.Cent/fits))
				if err == nil {
					given[g].Add(1)
				} else if problem.KindOf(err) != problem.BudgetSpent {
					t.Errorf("got %v, want the budget spent", err)
				}
			}
		})
	}
	all.Wait()
	for g := range grants {
		want := passport.Balance{Cap: passport.Cent, Held: passport.Cent, CallsCap: 10_000, Calls: fits}
		if got := total(t, stores[1], passport.GrantID(fmt.Sprint("g", g))); got != want || given[g].Load() != fits {
			t.Errorf("grant %d: got %+v and %d given, want %+v", g, got, given[g].Load(), want)
		}
	}
}

func withLease(o postgres.Options, d time.Duration) postgres.Options {
	o.Lease = d
	return o
}

// An instance that nobody hears any more: a peer charges what it held, once and in full; it stops holding by itself; what it has to say
// when it is back lowers the charge, once.
func TestAPeerChargesTheDead(t *testing.T) {
	url := database(t)
	way := pgtest.LineTo(t, url)
	const lease = 1200 * time.Millisecond
	dead, peer := open(t, withLease(options(way.URL), lease)), open(t, withLease(options(url), lease))
	active(t, peer, "g", 1, 1000)
	var holds []passport.Hold
	for i := range 4 {
		holds = append(holds, ask("g", fmt.Sprint("dead", i), 1000))
		hold(t, dead, holds[i])
	}
	hold(t, peer, ask("g", "peer", 500))
	if err := dead.Settle(t.Context(), settlement(holds[0], 100)); err != nil {
		t.Fatal(err)
	}
	total(t, dead, "g") // it is written

	way.Set(true)
	if err := dead.Settle(t.Context(), settlement(holds[1], 200)); err != nil { // it waits
		t.Fatal(err)
	}
	await(t, url, `SELECT count(*) = 3 FROM reservation WHERE state = 'swept'`)
	want := passport.Balance{Cap: passport.Cent, Settled: 3100, Held: 500, CallsCap: 1000, Calls: 5}
	if got := total(t, peer, "g"); got != want {
		t.Fatalf("got %+v, want %+v: three charged in full, the peer's own left alone", got, want)
	}
	gone, leave := context.WithCancel(t.Context())
	leave() // who does not wait in the queue is told all the same: it stopped by itself
	if _, err := dead.Hold(gone, ask("g", "no more", 1)); problem.KindOf(err) != problem.Unavailable || !errors.Is(err, passport.ErrNotHeld) {
		t.Errorf("got %v, want nothing held by an instance that nobody hears", err)
	}

	way.Set(false)
	await(t, url, `SELECT actual = 200 FROM reservation WHERE id = 'dead1'`)
	same := settlement(holds[2], 1000) // what it was charged already
	for _, s := range []passport.Settlement{same, settlement(holds[3], 300), settlement(holds[3], 50), settlement(holds[1], 1)} {
		if err := dead.Settle(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	want.Settled = 100 + 200 + 1000 + 300
	if got := total(t, dead, "g"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	kinds := map[passport.EventKind]int{}
	events, _, err := peer.Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		kinds[e.Kind]++
	}
	if kinds[passport.CallCharged] != 3 || kinds[passport.CallAdjusted] != 2 {
		t.Errorf("got %v, want 3 charged, and 2 adjusted: settled late", kinds)
	}
	for ctx := testutil.Context(t); ; { // it goes on by itself, at a new epoch
		_, err := dead.Hold(ctx, ask("g", "again", 1))
		if err == nil {
			break
		}
		if problem.KindOf(err) != problem.Unavailable || !errors.Is(err, passport.ErrNotHeld) {
			t.Fatal(err)
		}
	}
}

// A peer has raised the epoch: what is sent with the old one holds nothing, and its settlements are heard.
func TestTheFence(t *testing.T) {
	url := database(t)
	s := open(t, withLease(options(url), time.Hour))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	sqlOn(t, url, `UPDATE instance SET epoch = epoch + 1`)
	if _, err := s.Hold(t.Context(), ask("g", "r2", 100)); problem.KindOf(err) != problem.Unavailable || !errors.Is(err, passport.ErrNotHeld) {
		t.Errorf("got %v, want it fenced", err)
	}
	if err := s.Settle(t.Context(), settlement(ask("g", "r1", 100), 40)); err != nil {
		t.Fatal(err)
	}
	want := passport.Balance{Cap: passport.Cent, Settled: 40, CallsCap: 10, Calls: 1}
	if got := total(t, s, "g"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The answer to a batch is lost after it was committed: it is asked for again, and given once.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	url := database(t)
	way := pgtest.LineTo(t, url)
	s := open(t, withLease(options(way.URL), time.Hour))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	way.Deaf.Store(true)
	got := make(chan error, 1)
	go func() {
		held, err := s.Hold(t.Context(), ask("g", "r2", 200))
		if err == nil && (held.Amount != 200 || held.Total.Held != 300) {
			err = fmt.Errorf("got %+v", held)
		}
		got <- err
	}()
	await(t, url, `SELECT count(*) = 2 FROM reservation`)
	way.Deaf.Store(false)
	way.Set(true)
	way.Set(false)
	if err := <-got; err != nil {
		t.Errorf("got %v, want the hold that was committed", err)
	}
	want := passport.Balance{Cap: passport.Cent, Held: 300, CallsCap: 10, Calls: 2}
	if got := total(t, s, "g"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Whoever left before the answer hears that nobody knows; what was not sent is given back behind the hold, whichever way that went.
func TestACallerThatLeftGivesBack(t *testing.T) {
	url := database(t)
	way := pgtest.LineTo(t, url)
	s := open(t, withLease(options(way.URL), time.Hour))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 100))
	way.Deaf.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := s.Hold(ctx, ask("g", "r2", 200))
		got <- err
	}()
	await(t, url, `SELECT count(*) = 2 FROM reservation`)
	leave()
	if err := <-got; err == nil || errors.Is(err, passport.ErrNotHeld) {
		t.Fatalf("got %v, want that nobody knows", err)
	}
	unsent := settlement(ask("g", "r2", 0), 0)
	unsent.Reached, unsent.Why = false, passport.NotSent
	if err := s.Settle(t.Context(), unsent); err != nil {
		t.Fatal(err)
	}
	way.Deaf.Store(false)
	way.Set(true)
	way.Set(false)
	want := passport.Balance{Cap: passport.Cent, Held: 100, CallsCap: 10, Calls: 1}
	if got := total(t, s, "g"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A server that is stopped and started again and again under load, with and without a crash, from two instances: no call without its
// hold, none held twice, every sum right.
func TestARestartLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	server := pgtest.New(t)
	url := server.Database(t)
	stores := []*postgres.Store{open(t, options(url)), open(t, options(url))}
	for g := range 4 {
		active(t, stores[0], passport.GrantID(fmt.Sprint("g", g)), passport.MaxCents, passport.MaxCalls)
	}
	l := &load{stores: stores, sent: map[passport.ReservationID]passport.Money{}, stop: make(chan struct{})}
	var all sync.WaitGroup
	for w := range 32 {
		all.Go(func() { l.calls(t, w, rand.New(rand.NewPCG(seed, uint64(w)))) })
	}
	for _, mode := range []pgtest.Mode{pgtest.Immediate, pgtest.Fast, pgtest.Immediate} {
		l.awaitMore(t, 200)
		server.Stop(t, mode)
		server.Start(t)
	}
	l.awaitMore(t, 200)
	close(l.stop)
	all.Wait()
	for _, s := range stores { // an instance that is asked has settled first
		total(t, s, "g0")
	}
	var settled passport.Money
	for g := range 4 {
		b := total(t, stores[g%2], passport.GrantID(fmt.Sprint("g", g))) // the reservations add up
		total(t, stores[1-g%2], passport.GrantID(fmt.Sprint("g", g)))
		settled += b.Settled
		if b.Held != 0 {
			t.Errorf("grant %d: %s is still held", g, b.Held)
		}
	}
	var want passport.Money
	for _, actual := range l.sent {
		want += actual
	}
	if settled != want {
		t.Errorf("settled %s, want %s: that of the %d calls that left", settled, want, len(l.sent))
	}
	var rows int
	for g := range 4 {
		list, err := stores[0].Reservations(t.Context(), passport.GrantID(fmt.Sprint("g", g)), "", 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			actual, left := l.sent[r.ID]
			if left {
				rows++
			}
			if r.State != passport.ReservationSettled || r.Actual != actual {
				t.Errorf("%s is %s at %s, want %s", r.ID, r.State, r.Actual, actual)
			}
		}
	}
	if rows != len(l.sent) {
		t.Errorf("%d calls left, and %d have a reservation", len(l.sent), rows)
	}
	t.Logf("%d calls, %d not made, %d of them with an unknown outcome", len(l.sent), l.refused.Load(), l.unknown.Load())
}

// load is callers that do as the meter does.
type load struct {
	stores           []*postgres.Store
	stop             chan struct{}
	refused, unknown atomic.Int64

	mu   sync.Mutex // guards sent
	sent map[passport.ReservationID]passport.Money
}

func (l *load) calls(t *testing.T, w int, rng *rand.Rand) {
	s := l.stores[w%2]
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		default:
		}
		h := ask(passport.GrantID(fmt.Sprint("g", rng.IntN(4))), fmt.Sprintf("r-%02d-%06d", w, i), passport.Money(1+rng.IntN(100)))
		switch _, err := s.Hold(t.Context(), h); {
		case err == nil:
			actual := passport.Money(rng.Int64N(int64(h.Amount) + 1))
			l.mu.Lock()
			l.sent[h.ID] = actual
			l.mu.Unlock()
			if err := s.Settle(t.Context(), settlement(h, actual)); err != nil {
				t.Error(err)
			}
		case problem.KindOf(err) != problem.Unavailable:
			t.Errorf("got %v, want it unavailable", err)
		case errors.Is(err, passport.ErrNotHeld):
			l.refused.Add(1)
		default:
			l.refused.Add(1)
			l.unknown.Add(1)
			unsent := settlement(h, 0)
			unsent.Reached, unsent.Why = false, passport.NotSent
			if err := s.Settle(t.Context(), unsent); err != nil {
				t.Error(err)
			}
		}
	}
}

// awaitMore returns when so many more calls have been made.
func (l *load) awaitMore(t *testing.T, n int) {
	t.Helper()
	ctx, from := testutil.Context(t), -1
	for {
		l.mu.Lock()
		now := len(l.sent)
		l.mu.Unlock()
		if from < 0 {
			from = now
		}
		if now >= from+n {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d calls in a minute, want %d", now-from, n)
		}
		runtime.Gosched()
	}
}

// What an instance leaves open when it ends is charged by the next start; what live ones hold is not.
func TestAStartLeavesLivePeersAlone(t *testing.T) {
	url := database(t)
	first := open(t, options(url))
	active(t, first, "g", 1, 10)
	hold(t, first, ask("g", "r1", 100))
	second := open(t, options(url))
	hold(t, second, ask("g", "r2", 200))
	third := open(t, options(url))
	if n, sum, err := third.ChargeOrphans(t.Context(), storetest.Epoch()); n != 0 || sum != 0 || err != nil {
		t.Fatalf("got %d, %v, %v, want nothing charged: both live", n, sum, err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if n, sum, err := third.ChargeOrphans(t.Context(), storetest.Epoch()); n != 1 || sum != 200 || err != nil {
		t.Fatalf("got %d, %v, %v, want what the second left open", n, sum, err)
	}
	await(t, url, `SELECT count(*) = 3 FROM instance`)
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, url, `SELECT count(*) = 2 FROM instance`) // nothing of it is open
}

// While the database was away all leases ran out, and their owners live: the first one back does not charge what the others hold.
func TestNobodyIsTakenForDeadBecauseTheDatabaseWasAway(t *testing.T) {
	server := pgtest.New(t)
	url := server.Database(t)
	way := pgtest.LineTo(t, url)
	const lease = 1500 * time.Millisecond
	first, second := open(t, withLease(options(url), lease)), open(t, withLease(options(way.URL), lease))
	active(t, first, "g", 1, 10)
	hold(t, second, ask("g", "r1", 100))
	hold(t, first, ask("g", "r2", 100))
	await(t, url, `SELECT min(lease_until) > clock_timestamp() + INTERVAL '0.7 s' FROM instance`)
	way.Set(true)
	server.Stop(t, pgtest.Immediate)
	<-time.After(lease) // the outage is longer than a lease: that is what the test is about
	server.Start(t)
	await(t, url, `SELECT count(*) = 1 FROM instance WHERE lease_until > clock_timestamp()`) // the first is back, and the second is late
	way.Set(false)
	await(t, url, `SELECT count(*) = 2 FROM instance WHERE lease_until > clock_timestamp()`)
	want := passport.Balance{Cap: passport.Cent, Held: 200, CallsCap: 10, Calls: 2}
	if got := total(t, first, "g"); got != want {
		t.Errorf("got %+v, want %+v: nothing charged", got, want)
	}
}
