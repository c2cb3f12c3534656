package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// hold runs a hold. One with a key looks first and takes the key last, in the same transaction: a refusal has written nothing.
// One without does no more than hold.
func (w *writer) hold(ask passport.Hold) (passport.Held, *opened, error) {
	if !ask.Claim.Set() {
		return w.hot.hold(ask)
	}
	if err := store.CheckClaim(context.Background(), w.queries, ask); err != nil {
		return passport.Held{}, nil, err
	}
	held, o, err := w.hot.hold(ask)
	if err != nil {
		return held, nil, err
	}
	return held, o, store.TakeClaim(context.Background(), w.queries, ask)
}

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
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.KeepAnswer(ctx, q, g, id, sealed, at) })
}

// SweepClaims implements repeat.Store.
func (s *Store) SweepClaims(ctx context.Context, now time.Time) (n int64, err error) {
	for more := true; more && err == nil; {
		err = s.add(ctx, func(ctx context.Context, q *query.Queries) (err error) {
			var some int64
			some, more, err = store.SweepClaims(ctx, q, now)
			n += some
			return err
		})
	}
	return n, err
}
