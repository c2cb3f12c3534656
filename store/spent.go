package store

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// SpentSince is the step of authority.History. It reads the calls that were made since then by the primary key, which begins with their
// time, and sums them where they are.
func SpentSince(ctx context.Context, q *query.Queries, payer passport.Payer, since time.Time, every time.Duration, limit int) (out []passport.Spent, err error) {
	rows, err := q.SpentSince(ctx, query.SpentSinceParams{Column1: every.Microseconds(), ID: firstID(since), CreatedAt: Micros(since), Payer: string(payer), Limit: Bounded(limit)})
	for _, r := range rows {
		out = append(out, passport.Spent{Begins: TimeOf(r.Begins), Grant: passport.GrantID(r.GrantID), Provider: passport.Provider(r.Provider), Model: r.Model,
			Calls: r.Calls, Settled: passport.Money(r.Settled), Held: passport.Money(r.Held), Input: r.Input, Output: r.Output})
	}
	return out, err
}
