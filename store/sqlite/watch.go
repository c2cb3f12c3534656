package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Watched implements authority.Watching.
func (s *Store) Watched(ctx context.Context, now time.Time, grants []passport.GrantID) (out []passport.Watched, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Watched(ctx, q, now, grants)
		return err
	})
	return out, err
}

// SpentLately implements authority.Watching.
func (s *Store) SpentLately(ctx context.Context, calls int) (out []passport.GrantID, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.SpentLately(ctx, q, calls)
		return err
	})
	return out, err
}

// Marks implements authority.Watching.
func (s *Store) Marks(ctx context.Context, g passport.GrantID) (out []passport.Mark, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Marks(ctx, q, g)
		return err
	})
	return out, err
}

// NoteWatched implements authority.Watching.
func (s *Store) NoteWatched(ctx context.Context, found []passport.Found) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.NoteWatched(ctx, q, found) })
}
