package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Seen implements token.Store.
func (s *Store) Seen(ctx context.Context, kind passport.SeenKind, hash [32]byte, until time.Time) (fresh bool, err error) {
	if err := store.CheckSeen(kind, until); err != nil {
		return false, err
	}
	err = s.add(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		fresh, err = store.Seen(ctx, q, kind, hash, until)
		return err
	})
	return fresh && err == nil, err
}

// SweepSeen implements token.Store.
func (s *Store) SweepSeen(ctx context.Context, now time.Time) (n int64, err error) {
	for more := true; more && err == nil; {
		err = s.add(ctx, func(ctx context.Context, q *query.Queries) (err error) {
			var some int64
			some, more, err = store.SweepSeen(ctx, q, now)
			n += some
			return err
		})
	}
	return n, err
}
