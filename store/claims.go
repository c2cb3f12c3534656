package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// Bounds of kept answers: the newest so many, each up to so many sealed bytes, of all grants together.
const (
	MaxAnswers     = 1024
	MaxAnswerBytes = 272 << 10
)

// Claimed refuses a hold whose key an earlier call has: KeyUsed if that had the same body, KeyReused if another.
func Claimed(h passport.Hold, body [32]byte) error {
	if h.Claim.Body == body {
		return problem.New(problem.KeyUsed, "an earlier call has this Idempotency-Key")
	}
	return problem.New(problem.KeyReused, "an earlier call has this Idempotency-Key and was another")
}

// Lapsed says whether a key that was taken at a time is free again at another.
func Lapsed(taken, now time.Time) bool { return !now.Before(taken.Add(passport.ClaimLife)) }

// CheckClaim refuses a hold whose key is taken, before anything of it is written.
func CheckClaim(ctx context.Context, q *query.Queries, h passport.Hold) error {
	row, err := q.Claim(ctx, query.ClaimParams{GrantID: string(h.Grant), KeyHash: h.Claim.Key[:]})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if Lapsed(TimeOf(row.CreatedAt), TimeOf(Micros(h.At))) {
		return nil
	}
	return Claimed(h, [32]byte(row.BodyHash))
}

// TakeClaim gives a hold its key, in the transaction that holds. KeyUsed: another took it meanwhile, and this one is to be undone.
func TakeClaim(ctx context.Context, q *query.Queries, h passport.Hold) error {
	n, err := q.TakeClaim(ctx, query.TakeClaimParams{GrantID: string(h.Grant), KeyHash: h.Claim.Key[:], BodyHash: h.Claim.Body[:],
		ReservationID: string(h.ID), CreatedAt: Micros(h.At), CreatedAt_2: Micros(h.At.Add(-passport.ClaimLife))})
	if err == nil && n == 0 {
		return problem.New(problem.KeyUsed, "another call took this Idempotency-Key at the same time")
	}
	return err
}

// FreeClaim lets the key of a call go, if its settlement says so and no later call has the key.
func FreeClaim(ctx context.Context, q *query.Queries, s passport.Settlement) error {
	if !s.Frees() {
		return nil
	}
	_, err := q.FreeClaim(ctx, query.FreeClaimParams{GrantID: string(s.Grant), KeyHash: s.Claim.Key[:], ReservationID: string(s.ID)})
	return err
}

// First is the step of repeat.Store.
func First(ctx context.Context, q *query.Queries, g passport.GrantID, key [32]byte, now time.Time) (passport.First, error) {
	row, err := q.Claim(ctx, query.ClaimParams{GrantID: string(g), KeyHash: key[:]})
	if errors.Is(err, sql.ErrNoRows) || err == nil && Lapsed(TimeOf(row.CreatedAt), TimeOf(Micros(now))) {
		return passport.First{}, NotFound("call")
	}
	if err != nil {
		return passport.First{}, err
	}
	r, err := q.Reservation(ctx, row.ReservationID)
	if err != nil {
		return passport.First{}, err
	}
	f := passport.First{Claim: passport.Claim{Key: key, Body: [32]byte(row.BodyHash)}, Call: ReservationOf(r)}
	answer, err := q.Answer(ctx, row.ReservationID)
	if errors.Is(err, sql.ErrNoRows) {
		return f, nil
	}
	f.Kept = answer.Sealed
	return f, err
}

// CheckAnswer says what keeps an answer from being kept, as Invalid.
func CheckAnswer(sealed []byte) error {
	if len(sealed) == 0 || len(sealed) > MaxAnswerBytes {
		return problem.New(problem.Invalid, "an answer to keep has 1 to %d bytes", MaxAnswerBytes)
	}
	return nil
}

// NotKept says that the owner does not let this grant's answers be kept.
func NotKept(g passport.GrantID) error {
	return problem.New(problem.Forbidden, "answers of grant %s are not kept", g)
}

// KeepAnswer is the step of repeat.Store.
func KeepAnswer(ctx context.Context, q *query.Queries, g passport.GrantID, id passport.ReservationID, sealed []byte, at time.Time) error {
	keeps, err := q.KeepsAnswers(ctx, string(g))
	if errors.Is(err, sql.ErrNoRows) || err == nil && keeps == 0 {
		return NotKept(g)
	}
	if err != nil {
		return err
	}
	add := query.AddAnswerParams{ReservationID: string(id), GrantID: string(g), Sealed: bytes.Clone(sealed), CreatedAt: Micros(at)}
	if err := q.AddAnswer(ctx, add); err != nil {
		return err
	}
	_, err = q.DropSpareAnswers(ctx, MaxAnswers-1)
	return err
}

// dropAnswers forgets what was kept of a grant whose owner does not allow it any more, or which has ended.
func dropAnswers(ctx context.Context, q *query.Queries, g passport.Grant) error {
	if Keeps(g) {
		return nil
	}
	_, err := q.DropAnswersOf(ctx, string(g.ID))
	return err
}

// Keeps says whether answers of a grant may be on disk.
func Keeps(g passport.Grant) bool {
	return g.KeepAnswers && (g.State == passport.GrantActive || g.State == passport.GrantPaused)
}

// sweepChunk bounds how many keys one transaction forgets.
const sweepChunk = 1000

// SweepClaims is the step of repeat.Store: it forgets answers, and up to sweepChunk keys. It says how many keys, and whether there may
// be more.
func SweepClaims(ctx context.Context, q *query.Queries, now time.Time) (n int64, more bool, err error) {
	old := Micros(now.Add(-passport.ClaimLife))
	if _, err := q.DropOldAnswers(ctx, old); err != nil {
		return 0, false, err
	}
	n, err = q.DropOldClaims(ctx, query.DropOldClaimsParams{CreatedAt: old, Limit: sweepChunk})
	return n, n == sweepChunk, err
}
