package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// sqlLastCall finds a grant's newest call by the chain of its calls.
const sqlLastCall = `SELECT r.created_at FROM budget b JOIN reservation r ON r.id = b.last WHERE b.grant_id = ?1 AND b.seq = 0`

// LastCalls implements authority.History.
func (s *Store) LastCalls(ctx context.Context, of []passport.GrantID) (map[passport.GrantID]time.Time, error) {
	out := map[passport.GrantID]time.Time{}
	err := s.snapshot(ctx, func(r *prepared) error {
		for _, g := range of {
			var at int64
			err := r.QueryRowContext(ctx, sqlLastCall, string(g)).Scan(&at)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			out[g] = store.TimeOf(at)
		}
		return nil
	})
	return out, err
}

// Activity implements authority.History.
func (s *Store) Activity(ctx context.Context, of passport.PersonID, payer passport.Payer, g passport.GrantID, before int64, limit int) (out []passport.Event, next int64, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, next, err = store.Activity(ctx, q, of, payer, g, before, limit)
		return err
	})
	return out, next, err
}
