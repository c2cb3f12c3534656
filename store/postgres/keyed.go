package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// A batch in which a call has an Idempotency-Key is a transaction of several statements: the keys, then apply_batch without the holds whose
// key another call has, then the keys of holds that were refused. A batch without keys stays one statement.
//
// Keys are locked before budgets and in the order of (grant, key), whether they are taken or freed, so that two instances never wait for
// each other. A batch that is sent again finds the keys that it took: they have the ids of its holds.
const (
	sqlTakeKey = `INSERT INTO claim (grant_id, key_hash, body_hash, reservation_id, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (grant_id, key_hash) DO UPDATE
		SET body_hash = excluded.body_hash, reservation_id = excluded.reservation_id, created_at = excluded.created_at
		WHERE claim.created_at <= $6 OR claim.reservation_id = excluded.reservation_id`
	sqlKeyBody = `SELECT body_hash FROM claim WHERE grant_id = $1 AND key_hash = $2`
	sqlFreeKey = `DELETE FROM claim WHERE grant_id = $1 AND key_hash = $2 AND reservation_id = $3`
)

// result is what one hold of a batch with keys got.
type result struct {
	held passport.Held
	err  error
}

// keyed says whether a batch has to do with keys.
func (b *batch) keyed() bool {
	return slices.ContainsFunc(b.holds, func(h passport.Hold) bool { return h.Claim.Set() }) ||
		slices.ContainsFunc(b.settles, passport.Settlement.Frees)
}

// runKeyed does as run in a transaction that also takes and frees the keys.
func (b *batch) runKeyed(ctx context.Context, conn *pgx.Conn, owner string, epoch int64, retry bool) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // if there is no time left for it the connection is closed, which ends the transaction too
	results, err := b.claim(ctx, tx)
	if err != nil {
		return err
	}
	var holds []passport.Hold
	var at []int // of each of holds: its place in the batch
	for i, h := range b.holds {
		if results[i].err == nil {
			holds, at = append(holds, h), append(at, i)
		}
	}
	rest := newBatch(holds, b.settles)
	rest.family = b.family
	if len(rest.grants) > 0 {
		if err := rest.run(ctx, tx, owner, epoch, retry); err != nil {
			return err
		}
		rest.each(func(i int, held passport.Held, err error) { results[at[i]] = result{held, err} })
	}
	for _, i := range at {
		if err := b.unclaim(ctx, tx, b.holds[i], results[i].err); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	b.results = results
	return nil
}

// keyStep is one key to free or to take.
type keyStep struct {
	grant passport.GrantID
	key   [32]byte
	hold  int // index of the hold that takes it; -1: it is freed
	free  passport.ReservationID
}

// keySteps lists what is to be done with keys, in the order in which they are locked. A key is freed before it is taken.
func (b *batch) keySteps() []keyStep {
	var out []keyStep
	for _, s := range b.settles {
		if s.Frees() {
			out = append(out, keyStep{s.Grant, s.Claim.Key, -1, s.ID})
		}
	}
	for i, h := range b.holds {
		if h.Claim.Set() {
			out = append(out, keyStep{grant: h.Grant, key: h.Claim.Key, hold: i})
		}
	}
	slices.SortStableFunc(out, func(x, y keyStep) int {
		return cmp.Or(cmp.Compare(x.grant, y.grant), bytes.Compare(x.key[:], y.key[:]))
	})
	return out
}

// claim frees and takes keys, in one round trip, and says of each hold whether its key is another call's.
func (b *batch) claim(ctx context.Context, tx pgx.Tx) ([]result, error) {
	steps, send := b.keySteps(), &pgx.Batch{}
	for _, k := range steps {
		if k.hold < 0 {
			send.Queue(sqlFreeKey, string(k.grant), k.key[:], string(k.free))
			continue
		}
		h := b.holds[k.hold]
		send.Queue(sqlTakeKey, string(k.grant), k.key[:], h.Claim.Body[:], string(h.ID), store.Micros(h.At), store.Micros(h.At.Add(-passport.ClaimLife)))
		send.Queue(sqlKeyBody, string(k.grant), k.key[:])
	}
	results := make([]result, len(b.holds))
	answers := tx.SendBatch(ctx, send)
	for _, k := range steps {
		tag, err := answers.Exec()
		if err == nil && k.hold >= 0 {
			var body []byte
			if err = answers.QueryRow().Scan(&body); err == nil && tag.RowsAffected() == 0 {
				results[k.hold].err = store.Claimed(b.holds[k.hold], [32]byte(body))
			}
		}
		if err != nil {
			return nil, errors.Join(err, answers.Close())
		}
	}
	return results, answers.Close()
}

// unclaim gives the key of a hold that was refused back. One whose id is taken may have been held before: its key stays.
func (b *batch) unclaim(ctx context.Context, tx pgx.Tx, h passport.Hold, refusal error) error {
	if refusal == nil || !h.Claim.Set() || problem.KindOf(refusal) == problem.Conflict {
		return nil
	}
	_, err := tx.Exec(ctx, sqlFreeKey, string(h.Grant), h.Claim.Key[:], string(h.ID))
	return err
}
