package authority

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Watching is what a Watch needs from storage.
type Watching interface {
	// Watched says how those of some grants stand at a time that a person gave and that can still spend.
	Watched(ctx context.Context, now time.Time, grants []passport.GrantID) ([]passport.Watched, error)
	// SpentLately lists the grants that a person gave and that the newest calls were made with, so many calls.
	SpentLately(ctx context.Context, calls int) ([]passport.GrantID, error)
	// Marks lists what a grant had spent, in the order of time: the newest passport.MostMarks.
	Marks(ctx context.Context, g passport.GrantID) ([]passport.Mark, error)
	// NoteWatched writes what was found, in one atomic step: marks, unless there is one of the last passport.MarkEvery, and events, each once:
	// the first use of a grant for good, what is unusual once a UTC day. Saying it again, or on several instances, changes nothing.
	NoteWatched(ctx context.Context, found []passport.Found) error
}

// Notices are what people are to see until they have seen it. Each is written with its event.
type Notices interface {
	// Notices lists a person's, newest first, at most limit.
	Notices(ctx context.Context, payer passport.Payer, limit int) ([]passport.Notice, error)
	// Dismiss takes one of a person's away; without an id, all up to a time. Their events stay.
	Dismiss(ctx context.Context, payer passport.Payer, id passport.EventID, upTo time.Time) error
}

// watchedAtOnce bounds how many grants are read, and written, in one step of a look; watchedMost those that wait for one. A grant beyond that is
// looked at after its next call. watchedCalls bounds the calls before a start whose grants the first look is at.
const (
	watchedAtOnce = 50
	watchedMost   = 100_000
	watchedCalls  = 10_000
)

// restShare is how many times as long as it took a step is followed by rest, for restMost at most: calls wait for the same writer.
const (
	restShare = 9
	restMost  = time.Second
)

// Watch looks at what grants spend, besides the path of calls: it marks it for plots, and tells of an app's first call and of an hour that
// is unusual. What a look costs goes by the grants that spent since the last one, not by those that there are.
type Watch struct {
	Store Watching
	Now   func() time.Time

	begun bool
	mu    sync.Mutex // guards spent
	spent map[passport.GrantID]struct{}
}

// Spent says that a call with a grant has ended, or with one that it was passed on to. It takes no time.
func (w *Watch) Spent(g passport.GrantID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent == nil {
		w.spent = map[passport.GrantID]struct{}{}
	}
	if len(w.spent) < watchedMost {
		w.spent[g] = struct{}{}
	}
}

// Look looks at the grants that have spent since the last look; the first at those of the newest calls, which an instance that is gone may not
// have looked at. What it could not look at, and what has no mark yet of what it spent, waits for the next one. One look at a time.
func (w *Watch) Look(ctx context.Context) error {
	if !w.begun {
		list, err := w.Store.SpentLately(ctx, watchedCalls)
		if err != nil {
			return fmt.Errorf("read which grants spent: %w", err)
		}
		for _, g := range list {
			w.Spent(g)
		}
		w.begun = true
	}
	w.mu.Lock()
	all := slices.Sorted(maps.Keys(w.spent))
	w.spent = nil
	w.mu.Unlock()
	for len(all) > 0 {
		n := min(len(all), watchedAtOnce)
		began := w.Now()
		if err := w.step(ctx, all[:n]); err != nil {
			for _, g := range all {
				w.Spent(g)
			}
			return err
		}
		if all = all[n:]; len(all) > 0 {
			rest(ctx, min(restShare*w.Now().Sub(began), restMost))
		}
	}
	return nil
}

// rest waits, unless ctx ends, which the next step finds.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// step looks at some grants and writes what it finds.
func (w *Watch) step(ctx context.Context, grants []passport.GrantID) error {
	now := w.Now()
	list, err := w.Store.Watched(ctx, now, grants)
	if err != nil {
		return fmt.Errorf("read what grants spend: %w", err)
	}
	var found []passport.Found
	for _, x := range list {
		f, err := w.look(ctx, x, now)
		if err != nil {
			return err
		}
		if !f.Mark.At.IsZero() || len(f.Events) > 0 {
			found = append(found, f)
		}
		if f.Mark.At.IsZero() && x.Behind() {
			w.Spent(x.Grant)
		}
	}
	if len(found) == 0 {
		return nil
	}
	if err := w.Store.NoteWatched(ctx, found); err != nil {
		return fmt.Errorf("write what grants spend: %w", err)
	}
	return nil
}

func (w *Watch) look(ctx context.Context, x passport.Watched, now time.Time) (passport.Found, error) {
	f := passport.Found{Grant: x.Grant}
	if x.Due(now) {
		f.Mark = passport.Mark{At: now, Settled: x.Settled}
		f.Thin = !x.Last.At.IsZero() && !x.Last.At.Truncate(time.Hour).Equal(now.Truncate(time.Hour))
	}
	if x.Used && !x.Told {
		f.Events = append(f.Events, x.FirstUse(now))
	}
	if x.LastHour() <= passport.UnusualAbove {
		return f, nil
	}
	marks, err := w.Store.Marks(ctx, x.Grant)
	if err != nil {
		return f, fmt.Errorf("read what a grant has spent: %w", err)
	}
	if mean, ok := x.Unusual(marks, now); ok {
		f.Events = append(f.Events, x.Spree(mean, now))
	}
	return f, nil
}
