package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// sqlLastCalls finds each grant's newest call by the index of them.
const sqlLastCalls = `SELECT g.id, r.created_at FROM unnest($1::text[]) AS g (id),
	LATERAL (SELECT created_at FROM reservation WHERE grant_id = g.id ORDER BY id DESC LIMIT 1) r`

// LastCalls implements authority.History.
func (s *Store) LastCalls(ctx context.Context, of []passport.GrantID) (map[passport.GrantID]time.Time, error) {
	out := map[passport.GrantID]time.Time{}
	err := s.look(ctx, func() error {
		rows, err := s.pool.Query(ctx, sqlLastCalls, textsOf(of))
		if err != nil {
			return err
		}
		var g string
		var at int64
		_, err = pgx.ForEachRow(rows, []any{&g, &at}, func() error {
			out[passport.GrantID(g)] = store.TimeOf(at)
			return nil
		})
		return err
	})
	return out, err
}

// sqlLiveElsewhere reads what is open only, in the index of that. Calls of a grant are counted on those above it as well.
const sqlLiveElsewhere = `SELECT r.grant_id, g.above, COUNT(*) FROM reservation r JOIN grants g ON g.id = r.grant_id
	WHERE r.state = 'held' AND r.owner <> $1 GROUP BY r.grant_id, g.above`

// LiveElsewhere counts the open calls of other instances, by grant and by what is above it, as the ledger knows them: those of an instance that
// has died count until they are charged.
func (s *Store) LiveElsewhere(ctx context.Context) (map[passport.GrantID]int, error) {
	out := map[passport.GrantID]int{}
	err := s.look(ctx, func() error {
		clear(out)
		rows, err := s.pool.Query(ctx, sqlLiveElsewhere, s.lease.id)
		if err != nil {
			return err
		}
		var g, text string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&g, &text, &n}, func() error {
			above, err := store.AboveOf(text)
			out[passport.GrantID(g)] += n
			for _, a := range above {
				out[a.ID] += n
			}
			return err
		})
		return err
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
