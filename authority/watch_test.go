package authority_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/passport"
)

// lookout is a desk whose grants spend, and a watch that looks at them every ten minutes.
type lookout struct {
	*desk
	t     *testing.T
	watch *authority.Watch
	calls int
}

func newLookout(t *testing.T) *lookout {
	l := &lookout{desk: newDesk(), t: t}
	l.Defaults.MaxBudgetCents, l.Defaults.MaxRequests = passport.LimitOf(100_000), passport.LimitOf(100_000)
	l.watch = &authority.Watch{Store: l.store, Now: func() time.Time { return l.now }}
	return l
}

func (l *lookout) app() passport.GrantID {
	l.t.Helper()
	g, _ := l.ask(l.t)
	g, err := l.Approve(l.t.Context(), g.ID, passport.Approval{Owner: "p", Lifetime: 60 * 24 * time.Hour, Fresh: true})
	if err != nil {
		l.t.Fatal(err)
	}
	return g.ID
}

func (l *lookout) spend(g passport.GrantID, m passport.Money) {
	l.t.Helper()
	l.calls++
	h := passport.Hold{ID: passport.ReservationID(fmt.Sprintf("rv-%06d", l.calls)), Grant: g, Provider: passport.OpenAI, Model: "m", Amount: m, Least: m, At: l.now}
	if _, err := l.store.Hold(l.t.Context(), h); err != nil {
		l.t.Fatal(err)
	}
	if err := l.store.Settle(l.t.Context(), passport.Settlement{ID: h.ID, Grant: g, Actual: m, Reached: true, Why: passport.Finished, At: l.now}); err != nil {
		l.t.Fatal(err)
	}
	l.watch.Spent(g)
}

// pass lets time go by, with a look every ten minutes; each does what is to be done every hour.
func (l *lookout) pass(d time.Duration, hourly func()) {
	l.t.Helper()
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(10 * time.Minute) {
		if hourly != nil && l.now.Minute() == 0 {
			hourly()
		}
		if err := l.watch.Look(l.t.Context()); err != nil {
			l.t.Fatal(err)
		}
	}
}

// told lists what a grant's owner was told by looks.
func (l *lookout) told(g passport.GrantID) (out []string) {
	l.t.Helper()
	events, err := l.store.EventsOf(l.t.Context(), g, 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, ev := range slices.Backward(events) {
		if ev.Kind == passport.GrantFirstUsed || ev.Kind == passport.GrantUnusual {
			out = append(out, string(ev.Kind)+" on day "+fmt.Sprint(int(ev.At.Sub(l.start())/(24*time.Hour)))+": "+ev.Note)
		}
	}
	return out
}

func (l *lookout) start() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func (l *lookout) tells(g passport.GrantID, want ...string) {
	l.t.Helper()
	if got := l.told(g); !slices.Equal(got, want) {
		l.t.Fatalf("%v after the start, got %q, want %q", l.now.Sub(l.start()), got, want)
	}
}

const first = "grant.first_used on day 0: its first call was made"

func TestTheFirstUseOfAnAppIsToldOnce(t *testing.T) {
	l := newLookout(t)
	a, b := l.app(), l.app()
	l.pass(time.Hour, nil)
	l.tells(a)
	l.spend(a, 1)
	l.pass(time.Hour, func() { l.spend(a, 1) })
	l.tells(a, first)
	l.tells(b)
}

// TestAnUnusualHourIsTold: more than five times the mean of a day, of the last seven, and more than a dollar.
func TestAnUnusualHourIsTold(t *testing.T) {
	l := newLookout(t)
	steady, idle, cents := l.app(), l.app(), l.app()
	l.spend(steady, 1)
	l.spend(idle, 1)
	l.spend(cents, 1)
	l.pass(8*24*time.Hour, func() { l.spend(steady, passport.Dollar/10) }) // $2.40 a day: $12.00 in an hour is not unusual
	l.tells(steady, first)

	l.spend(steady, 117*passport.Dollar/10) // $11.80 with the hourly 10 cents
	l.spend(idle, 3*passport.Dollar/2)
	l.spend(cents, passport.Dollar)
	l.pass(3*time.Hour, func() { l.spend(steady, passport.Dollar/10) })
	l.tells(steady, first)
	l.tells(idle, first, "grant.unusual on day 8: $1.50 in the last hour; a day has cost $0.00 on average")
	l.tells(cents, first) // a dollar is not more than a dollar

	l.spend(steady, 22*passport.Dollar) // the mean has risen to $4.08: $20.40 in an hour is not unusual
	l.pass(3*time.Hour, nil)
	unusual := "grant.unusual on day 8: $22.00 in the last hour; a day has cost $4.08 on average"
	if got := l.told(steady); len(got) != 2 || got[1] != unusual {
		t.Fatalf("got %q", got)
	}
	l.spend(steady, 90*passport.Dollar) // told on this day already
	l.pass(time.Hour, nil)
	if got := l.told(steady); len(got) != 2 {
		t.Fatalf("got %q", got)
	}
	l.pass(24*time.Hour, nil)
	l.spend(steady, 200*passport.Dollar)
	l.pass(time.Hour, nil)
	if got := l.told(steady); len(got) != 3 {
		t.Fatalf("got %q", got)
	}
}

// TestTheFirstDayIsNotUnusual: there is nothing to compare it with. On the second there is.
func TestTheFirstDayIsNotUnusual(t *testing.T) {
	l := newLookout(t)
	a := l.app()
	l.pass(10*time.Minute, nil)
	l.pass(24*time.Hour, func() { l.spend(a, 2*passport.Dollar) })
	l.tells(a, first)
	l.pass(2*time.Hour, nil)
	l.spend(a, 250*passport.Dollar)
	l.pass(time.Hour, nil)
	if got := l.told(a); len(got) != 2 {
		t.Fatalf("got %q", got)
	}
}

// TestALookSeesEveryGrant: in steps, whatever their number, each once.
func TestALookSeesEveryGrant(t *testing.T) {
	l := newLookout(t)
	var all []passport.GrantID
	for range 401 {
		all = append(all, l.app())
		l.spend(all[len(all)-1], 1)
	}
	l.pass(30*time.Minute, nil)
	for _, g := range all {
		l.tells(g, first)
		if marks, err := l.store.Marks(t.Context(), g); err != nil || len(marks) != 2 {
			t.Fatalf("%d marks, %v", len(marks), err)
		}
	}
}

// TestALookIsOnlyAtWhatSpent: what it costs does not go by the grants that there are.
func TestALookIsOnlyAtWhatSpent(t *testing.T) {
	l := newLookout(t)
	a, b := l.app(), l.app()
	l.spend(a, 1)
	looked := &counted{Watching: l.store}
	l.watch.Store = looked
	l.pass(10*time.Minute, nil) // its first mark was made at its approval
	l.pass(time.Hour, nil)
	if want := []passport.GrantID{a, a}; !slices.Equal(looked.at, want) {
		t.Fatalf("looked at %v, want %v", looked.at, want)
	}
	l.spend(b, 1)
	l.pass(time.Hour, nil)
	if want := []passport.GrantID{a, a, b}; !slices.Equal(looked.at, want) {
		t.Fatalf("looked at %v, want %v", looked.at, want)
	}
}

// TestALookThatFailsIsMadeAgain: nothing that was spent is forgotten with it.
func TestALookThatFailsIsMadeAgain(t *testing.T) {
	l := newLookout(t)
	a := l.app()
	l.pass(10*time.Minute, nil)
	l.spend(a, 1)
	looked := &counted{Watching: l.store, failing: true}
	l.watch.Store = looked
	if err := l.watch.Look(t.Context()); err == nil {
		t.Fatal("no error")
	}
	looked.failing = false
	l.pass(10*time.Minute, nil)
	l.tells(a, first)
}

// TestAStartLooksAtTheCallsBeforeIt: those that an instance made which is gone, before its next look.
func TestAStartLooksAtTheCallsBeforeIt(t *testing.T) {
	l := newLookout(t)
	a := l.app()
	l.spend(a, 1)
	l.watch = &authority.Watch{Store: l.store, Now: l.watch.Now}
	l.pass(10*time.Minute, nil)
	l.tells(a, first)
}

// counted notes what is looked at.
type counted struct {
	authority.Watching
	failing bool
	at      []passport.GrantID
}

func (c *counted) Watched(ctx context.Context, now time.Time, grants []passport.GrantID) ([]passport.Watched, error) {
	c.at = append(c.at, grants...)
	return c.Watching.Watched(ctx, now, grants)
}

func (c *counted) NoteWatched(ctx context.Context, found []passport.Found) error {
	if c.failing {
		return errors.New("no")
	}
	return c.Watching.NoteWatched(ctx, found)
}

// lingering is storage whose looks take a while and find nothing.
type lingering struct {
	authority.Watching
	took   time.Duration
	looked int
}

func (b *lingering) SpentLately(context.Context, int) ([]passport.GrantID, error) { return nil, nil }

func (b *lingering) Watched(ctx context.Context, _ time.Time, grants []passport.GrantID) ([]passport.Watched, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	time.Sleep(b.took)
	b.looked += len(grants)
	return nil, nil
}

// TestALookLeavesTheStoreToCalls: nine tenths of its time, and when it is told to stop, it stops, and goes on where it was.
func TestALookLeavesTheStoreToCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lingering{took: 10 * time.Millisecond}
		w := &authority.Watch{Store: store, Now: time.Now}
		spend := func() {
			for i := range 120 { // three steps
				w.Spent(passport.GrantID(fmt.Sprint("g", i)))
			}
		}
		spend()
		began := time.Now()
		if err := w.Look(t.Context()); err != nil || store.looked != 120 {
			t.Fatalf("looked at %d, %v", store.looked, err)
		}
		if took := time.Since(began); took != (3+2*9)*store.took {
			t.Errorf("it took %s where its three steps took %s each", took, store.took)
		}
		store.took = time.Second
		spend()
		began = time.Now()
		if err := w.Look(t.Context()); err != nil || time.Since(began) != (3+2)*time.Second {
			t.Errorf("with steps of a second it took %s, %v: a rest is a second at most", time.Since(began), err)
		}
		store.looked, store.took = 120, 10*time.Millisecond
		spend()
		ctx, stop := context.WithTimeout(t.Context(), store.took+time.Millisecond)
		defer stop()
		began = time.Now()
		if err := w.Look(ctx); !errors.Is(err, context.DeadlineExceeded) || store.looked != 120+50 {
			t.Errorf("stopped in its first rest it looked at %d, %v", store.looked-120, err)
		}
		if took := time.Since(began); took != store.took+time.Millisecond {
			t.Errorf("told to stop after %s, it stopped after %s", store.took+time.Millisecond, took)
		}
		if err := w.Look(t.Context()); err != nil || store.looked != 240 {
			t.Errorf("looked at %d more, %v, want those that it had not come to", store.looked-170, err)
		}
	})
}
