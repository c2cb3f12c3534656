package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Notices implements authority.Notices.
func (s *Store) Notices(ctx context.Context, payer passport.Payer, limit int) (out []passport.Notice, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Notices(ctx, q, payer, limit)
		return err
	})
	return out, err
}

// Dismiss implements authority.Notices.
func (s *Store) Dismiss(ctx context.Context, payer passport.Payer, id passport.EventID, upTo time.Time) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.Dismiss(ctx, q, payer, id, upTo) })
}
