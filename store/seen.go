package store

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// CheckSeen says what keeps a thing from being remembered, as Invalid: without an end it would stay for ever.
func CheckSeen(kind passport.SeenKind, until time.Time) error {
	if kind == "" || until.IsZero() {
		return problem.New(problem.Invalid, "what is seen needs a kind and an end")
	}
	return nil
}

// Seen is the step of token.Store.
func Seen(ctx context.Context, q *query.Queries, kind passport.SeenKind, hash [32]byte, until time.Time) (fresh bool, err error) {
	n, err := q.Seen(ctx, query.SeenParams{Kind: string(kind), Hash: hash[:], Until: Micros(until)})
	return n == 1, err
}

// SweepSeen is the step of token.Store: it forgets up to sweepChunk. It says how many, and whether there may be more.
func SweepSeen(ctx context.Context, q *query.Queries, now time.Time) (n int64, more bool, err error) {
	n, err = q.DropSeen(ctx, query.DropSeenParams{Until: Micros(now), Limit: sweepChunk})
	return n, n == sweepChunk, err
}
