package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// settled waits until what was queued before is committed, so that whoever asks after a call sees what it cost: settles are
// not waited for when they are made. If the disk refuses, the reader gets what is there.
func (s *Store) settled(ctx context.Context) {
	_ = s.do(ctx, &job{step: func(context.Context, *query.Queries) error { return nil }, keeps: true, done: make(chan error, 1)})
}

// Standing implements authority.Store.
func (s *Store) Standing(ctx context.Context, id passport.GrantID) (out passport.Standing, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Standing(ctx, q, id)
		return err
	})
	return out, err
}

// Standings implements authority.Store.
func (s *Store) Standings(ctx context.Context, payer passport.Payer, before time.Time, limit int) (out []passport.Standing, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Standings(ctx, q, payer, before, limit)
		return err
	})
	return out, err
}

// sqlChain follows a grant's calls from the newest, or from the one before ?2, by their prev: ?3 of them at most.
const sqlChain = `WITH RECURSIVE chain (id, n) AS (
	SELECT CASE ?2 WHEN '' THEN (SELECT last FROM budget WHERE grant_id = ?1 AND seq = 0)
		ELSE (SELECT prev FROM reservation WHERE id = ?2 AND grant_id = ?1) END, 1
	UNION ALL SELECT r.prev, c.n + 1 FROM chain c JOIN reservation r ON r.id = c.id WHERE c.n < ?3)
	SELECT id FROM chain WHERE id <> '' AND n <= ?3`

// Reservations implements authority.History.
func (s *Store) Reservations(ctx context.Context, g passport.GrantID, before passport.ReservationID, limit int) (out []passport.Reservation, err error) {
	s.settled(ctx)
	err = s.snapshot(ctx, func(r *prepared) error {
		rows, err := r.QueryContext(ctx, sqlChain, string(g), string(before), store.Bounded(limit))
		if err != nil {
			return err
		}
		defer rows.Close()
		q := query.New(r)
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			row, err := q.Reservation(ctx, id)
			if err != nil {
				return err
			}
			out = append(out, store.ReservationOf(row))
		}
		return rows.Err()
	})
	return out, err
}

// Ceilings implements authority.Ceilings.
func (s *Store) Ceilings(ctx context.Context, of passport.Payer, m passport.Month) (out []passport.Ceiling, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Ceilings(ctx, q, of, m)
		return err
	})
	return out, err
}

// EventsOf implements authority.History.
func (s *Store) EventsOf(ctx context.Context, g passport.GrantID, limit int) (out []passport.Event, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.EventsOf(ctx, q, g, limit)
		return err
	})
	return out, err
}

// SigningKeys implements token.Store.
func (s *Store) SigningKeys(ctx context.Context) (out []passport.SigningKey, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.SigningKeys(ctx, q)
		return err
	})
	return out, err
}

// Credentials implements vault.Sealed.
func (s *Store) Credentials(ctx context.Context) (out []passport.Credential, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Credentials(ctx, q)
		return err
	})
	return out, err
}

// Owner implements identity.Store.
func (s *Store) Owner(ctx context.Context) (out passport.Person, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Owner(ctx, q)
		return err
	})
	return out, err
}

// Setup implements identity.Store.
func (s *Store) Setup(ctx context.Context, hash [32]byte) (until time.Time, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		until, err = store.Setup(ctx, q, hash)
		return err
	})
	return until, err
}

// Session implements identity.Store.
func (s *Store) Session(ctx context.Context, hash [32]byte) (out passport.Session, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Session(ctx, q, hash)
		return err
	})
	return out, err
}

// OwnerTokens implements identity.Store.
func (s *Store) OwnerTokens(ctx context.Context, who passport.PersonID, limit int) (out []passport.OwnerToken, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.OwnerTokens(ctx, q, who, limit)
		return err
	})
	return out, err
}

// OwnerToken implements identity.Store.
func (s *Store) OwnerToken(ctx context.Context, hash [32]byte) (out passport.OwnerToken, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.OwnerToken(ctx, q, hash)
		return err
	})
	return out, err
}

// Stops implements authority.History.
func (s *Store) Stops(ctx context.Context, payer passport.Payer) (out passport.Stops, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Stops(ctx, q, payer)
		return err
	})
	return out, err
}

// Totals implements authority.History.
func (s *Store) Totals(ctx context.Context, payer passport.Payer, since time.Time) (settled, held passport.Money, calls int64, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		settled, held, calls, err = store.Totals(ctx, q, payer, since)
		return err
	})
	return settled, held, calls, err
}

// SpentSince implements authority.History.
func (s *Store) SpentSince(ctx context.Context, payer passport.Payer, since time.Time, every time.Duration, limit int) (out []passport.Spent, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.SpentSince(ctx, q, payer, since, every, limit)
		return err
	})
	return out, err
}

// Events returns what happened, in the order of commits, after a sequence number (0: from the first), at most limit, and the
// number to go on from.
func (s *Store) Events(ctx context.Context, after int64, limit int) (events []passport.Event, last int64, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		events, last, err = store.Events(ctx, q, after, limit)
		return err
	})
	return events, last, err
}

// VerifyLedger lists every budget that differs from the sums of its reservations, or from its grant, in words.
func (s *Store) VerifyLedger(ctx context.Context) (out []string, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.VerifyLedger(ctx, q)
		return err
	})
	return out, err
}

// Children implements authority.Family.
func (s *Store) Children(ctx context.Context, g passport.GrantID, limit int) (out []passport.Standing, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Children(ctx, q, g, limit)
		return err
	})
	return out, err
}
