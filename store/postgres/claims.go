package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// First implements repeat.Store.
func (s *Store) First(ctx context.Context, g passport.GrantID, key [32]byte, now time.Time) (out passport.First, err error) {
	s.settled(ctx) // a call that has just ended may have freed the key
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.First(ctx, q, g, key, now)
		return err
	})
	return out, err
}

// KeepAnswer implements repeat.Store.
func (s *Store) KeepAnswer(ctx context.Context, g passport.GrantID, id passport.ReservationID, sealed []byte, at time.Time) error {
	if err := store.CheckAnswer(sealed); err != nil {
		return err
	}
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.KeepAnswer(ctx, q, g, id, sealed, at) })
}

// SweepClaims implements repeat.Store.
func (s *Store) SweepClaims(ctx context.Context, now time.Time) (n int64, err error) {
	for more := true; more && err == nil; {
		err = s.change(ctx, nil, func(ctx context.Context, q *query.Queries) (err error) {
			var some int64
			some, more, err = store.SweepClaims(ctx, q, now)
			n += some
			return err
		})
	}
	return n, err
}
