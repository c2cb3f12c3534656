package authority

import (
	"context"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Watching is what a Watch needs from storage.
type Watching interface {
	// Watched lists the grants that a person gave and that can still spend at a time, by their end and id, behind one of them (zero: from
	// the first), at most limit.
	Watched(ctx context.Context, now time.Time, after passport.Watched, limit int) ([]passport.Watched, error)
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

// watchedAtOnce bounds how many grants are read, and written, in one step of a look.
const watchedAtOnce = 200

// Watch looks at what grants spend, besides the path of calls: it marks it for plots, and tells of an app's first call and of an hour that
// is unusual.
type Watch struct {
	Store Watching
	Now   func() time.Time
}

// Look looks at every grant that can still spend, once.
func (w *Watch) Look(ctx context.Context) error {
	now, after := w.Now(), passport.Watched{}
	for {
		list, err := w.Store.Watched(ctx, now, after, watchedAtOnce)
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
		}
		if len(found) > 0 {
			if err := w.Store.NoteWatched(ctx, found); err != nil {
				return fmt.Errorf("write what grants spend: %w", err)
			}
		}
		if len(list) < watchedAtOnce {
			return nil
		}
		after = list[len(list)-1]
	}
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
