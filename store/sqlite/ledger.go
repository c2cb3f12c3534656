package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Hold implements meter.Ledger.
func (s *Store) Hold(ctx context.Context, h passport.Hold) (passport.Held, error) {
	if err := store.CheckHold(h); err != nil {
		return passport.Held{}, err
	}
	j := &job{hold: &h, done: make(chan error, 1)}
	if err := s.do(ctx, j); err != nil {
		return passport.Held{}, err
	}
	return j.held, nil
}

// Settle implements meter.Ledger.
func (s *Store) Settle(ctx context.Context, z passport.Settlement) error {
	if err := store.CheckSettlement(z); err != nil {
		return err
	}
	z.Actual = min(z.Actual, store.MostActual)
	if err := s.enqueue(ctx, &job{settle: &z}); err != nil {
		return err
	}
	s.writer.open.Add(-1)
	return nil
}

// TellSpent implements meter.Ledger.
func (s *Store) TellSpent(ctx context.Context, g passport.GrantID, least passport.Money, at time.Time) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.TellSpent(ctx, q, g, least, at) })
}

// ChargeOrphans implements meter.Ledger.
func (s *Store) ChargeOrphans(ctx context.Context, at time.Time) (calls int, sum passport.Money, err error) {
	err = s.change(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		calls, sum, err = store.ChargeOrphans(ctx, q, at)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return calls, sum, nil
}
