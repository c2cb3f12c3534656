package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Hold implements meter.Ledger. While this instance is not heard it holds nothing: a peer may take it for dead. While it does not
// hear, it holds nothing either, and what it held meanwhile may not leave: somebody may have ended the grant.
func (s *Store) Hold(ctx context.Context, h passport.Hold) (passport.Held, error) {
	if err := store.CheckHold(h); err != nil {
		return passport.Held{}, err
	}
	for _, text := range []string{string(h.ID), string(h.Grant), string(h.Provider), string(h.Credential), h.Model, h.Tariff} {
		if !storable(text) {
			return passport.Held{}, problem.New(problem.Invalid, "a text of the hold is not UTF-8 without U+0000")
		}
	}
	if !s.lease.holds() {
		return passport.Held{}, notHeld(errFenced)
	}
	if err := s.hears(); err != nil {
		return passport.Held{}, notHeld(err)
	}
	j := &job{hold: &h, done: make(chan error, 1)}
	err := s.do(ctx, j)
	if errors.Is(err, errUnopened) {
		err = s.unopened(ctx, h)
	}
	if err != nil {
		return passport.Held{}, failed(ctx, err)
	}
	if err := s.hears(); err != nil {
		return passport.Held{}, unknown(err) // it is held: the meter gives it back
	}
	return j.held, nil
}

// storable says whether Postgres keeps a text as it is.
func storable(text string) bool {
	for i := range len(text) {
		if text[i] == 0 {
			return false
		}
	}
	return utf8.ValidString(text)
}

// unopened says why a grant has no budget: there is none, or it was never approved.
func (s *Store) unopened(ctx context.Context, h passport.Hold) error {
	return s.read(ctx, func(q *query.Queries) error {
		row, err := q.Grant(ctx, string(h.Grant))
		if errors.Is(err, sql.ErrNoRows) {
			return store.NotFound("grant")
		}
		if err != nil {
			return err
		}
		return store.NotLive(passport.GrantState(row.State), row.ExpiresAt, h)
	})
}

// Settle implements meter.Ledger. A settlement names the grant of its hold; one that names another changes nothing.
func (s *Store) Settle(ctx context.Context, z passport.Settlement) error {
	if err := store.CheckSettlement(z); err != nil {
		return err
	}
	if !storable(string(z.ID)) || !storable(string(z.Grant)) || !storable(string(z.Why)) {
		return problem.New(problem.Invalid, "a text of the settlement is not UTF-8 without U+0000")
	}
	z.Actual = min(z.Actual, store.MostActual)
	return s.enqueue(ctx, &job{settle: &z})
}

// settled waits until what was queued before is written, so that whoever asks after a call sees what it cost: settles are not waited
// for when they are made. If the database does not answer, the reader gets what is there.
func (s *Store) settled(ctx context.Context) {
	_ = s.do(ctx, &job{done: make(chan error, 1)})
}

// TellSpent implements meter.Ledger. Behind the batches that have counted, and not beside a change of the cap.
func (s *Store) TellSpent(ctx context.Context, g passport.GrantID, least passport.Money, at time.Time) error {
	s.settled(ctx)
	return s.change(ctx, budgets(g), func(ctx context.Context, q *query.Queries) error { return store.TellSpent(ctx, q, g, least, at) })
}

const sqlEnded = `SELECT DISTINCT r.owner FROM reservation r LEFT JOIN instance i ON i.id = r.owner
	WHERE r.state = 'held' AND (r.owner = $1 OR i.id IS NULL OR i.lease_until = '-infinity')`

// ChargeOrphans implements meter.Ledger. It charges what this instance holds, which at its start is nothing, and what instances hold
// that have said goodbye. Whoever died without a word is charged by a peer that has been heard for long enough, this one perhaps:
// see lease.takeOver. Holds of live instances are left alone.
func (s *Store) ChargeOrphans(ctx context.Context, at time.Time) (calls int, sum passport.Money, err error) {
	s.settled(ctx)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, 0, errClosed()
	}
	rows, err := s.pool.Query(ctx, sqlEnded, s.lease.id)
	if err != nil {
		return 0, 0, failed(ctx, err)
	}
	owners, err := collectTexts(rows)
	if err != nil {
		return 0, 0, failed(ctx, err)
	}
	for _, owner := range owners {
		for more := true; more; {
			var n, total int64
			if err := s.pool.QueryRow(ctx, sqlSweep, owner, maxEpoch, store.Micros(at), sweepSize).Scan(&n, &total); err != nil {
				return calls, sum, failed(ctx, err)
			}
			calls, sum, more = calls+int(n), sum+passport.Money(total), n > 0
		}
	}
	return calls, sum, nil
}

// maxEpoch is above every epoch.
const maxEpoch = 1 << 62
