package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// Watched is the step of authority.Watching.
func Watched(ctx context.Context, q *query.Queries, now time.Time, grants []passport.GrantID) (out []passport.Watched, err error) {
	for _, g := range grants {
		r, err := q.WatchedGrant(ctx, query.WatchedGrantParams{At: Micros(now.Add(-time.Hour)), ID: string(g), ExpiresAt: Micros(now)})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, passport.Watched{Grant: g, Settled: passport.Money(r.Settled), Used: r.Calls > 0, Told: r.Told > 0,
			Last: passport.Mark{At: TimeOf(r.LastAt), Settled: passport.Money(r.LastSettled)}, Hour: passport.Mark{Settled: passport.Money(r.HourSettled)}})
	}
	return out, nil
}

// SpentLately is the step of authority.Watching.
func SpentLately(ctx context.Context, q *query.Queries, calls int) (out []passport.GrantID, err error) {
	rows, err := q.SpentLately(ctx, Bounded(calls))
	for _, id := range rows {
		out = append(out, passport.GrantID(id))
	}
	return out, err
}

// Marks is the step of authority.Watching.
func Marks(ctx context.Context, q *query.Queries, g passport.GrantID) (out []passport.Mark, err error) {
	rows, err := q.Marks(ctx, query.MarksParams{GrantID: string(g), Limit: passport.MostMarks})
	for _, r := range slices.Backward(rows) {
		out = append(out, passport.Mark{At: TimeOf(r.At), Settled: passport.Money(r.Settled)})
	}
	return out, err
}

// OnceOf names what an event of a look is told once of: a grant for good, or a grant's UTC day. Not the grant itself: that is forgotten with its
// caps.
func OnceOf(ev passport.Event) string {
	if ev.Kind == passport.GrantUnusual {
		return string(ev.Grant) + "/" + ev.At.UTC().Format(time.DateOnly)
	}
	return string(ev.Grant) + "/first"
}

// NoteWatched is the step of authority.Watching.
func NoteWatched(ctx context.Context, q *query.Queries, found []passport.Found) error {
	for _, f := range found {
		if !f.Mark.At.IsZero() {
			if err := addMark(ctx, q, f); err != nil {
				return err
			}
		}
		for _, ev := range f.Events {
			if err := tellOnce(ctx, q, OnceOf(ev), false, ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstMark says that a grant that begins has spent nothing, from which a Watch goes on.
func firstMark(ctx context.Context, q *query.Queries, g passport.Grant) error {
	_, err := q.AddMark(ctx, query.AddMarkParams{Column1: string(g.ID), Column2: Micros(g.ApprovedAt)})
	return err
}

func addMark(ctx context.Context, q *query.Queries, f passport.Found) error {
	at := f.Mark.At
	n, err := q.AddMark(ctx, query.AddMarkParams{Column1: string(f.Grant), Column2: Micros(at), Column3: int64(f.Mark.Settled), Column4: Micros(at.Add(-passport.MarkEvery))})
	if err != nil || n == 0 || !f.Thin {
		return err
	}
	for _, t := range ThinAt(at) {
		if _, err := q.ThinMarks(ctx, query.ThinMarksParams{GrantID: string(f.Grant), At: Micros(t.Before), Column3: t.Each.Microseconds()}); err != nil {
			return err
		}
	}
	return nil
}

// Thin says of which marks the last of each stretch stays only.
type Thin struct {
	Before time.Time
	Each   time.Duration // a divisor of the time since 1970, so that stretches are UTC hours and days
}

// ThinAt says how marks are thinned at a time. What it takes away is whole stretches, so that which stays does not change from one to the next.
func ThinAt(now time.Time) []Thin {
	return []Thin{{now.Add(-passport.MarkHours).Truncate(time.Hour), time.Hour}, {now.Add(-passport.MarkDays).Truncate(24 * time.Hour), 24 * time.Hour}}
}
