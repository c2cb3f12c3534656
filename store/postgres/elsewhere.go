package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// askEvery is how often Elsewhere looks.
const askEvery = 10 * time.Millisecond

// sqlElsewhere looks at what is open only, in the index of that: of a grant and all below it, or of all grants.
const sqlElsewhere = `SELECT EXISTS (SELECT 1 FROM reservation WHERE state = 'held' AND owner <> $2 AND ($1 = '' OR grant_id IN (` + sqlBelow + `)))`

// Elsewhere waits until no other instance has an open call of a grant or of one below it (none: of any), or ctx ends. What ended is committed: then no
// other instance sends anything for it any more. A database that does not answer is asked again until ctx ends.
func (s *Store) Elsewhere(ctx context.Context, g passport.GrantID) {
	for ctx.Err() == nil {
		open := true
		if err := s.pool.QueryRow(ctx, sqlElsewhere, string(g), s.lease.id).Scan(&open); err == nil && !open {
			return
		}
		pause(ctx, askEvery)
	}
}

// sqlOthers looks for instances whose lease runs.
const sqlOthers = `SELECT EXISTS (SELECT 1 FROM instance WHERE id <> $1 AND lease_until > clock_timestamp())`

// Heard waits until all other instances have heard of what was committed before: each looks within pollEvery, and one that could not
// look for blindAfter has no calls. If there are no others it returns at once; else when that time is over, or ctx ends.
func (s *Store) Heard(ctx context.Context) {
	others := true
	if err := s.pool.QueryRow(ctx, sqlOthers, s.lease.id).Scan(&others); err == nil && !others {
		return
	}
	pause(ctx, blindAfter+pollMost)
}

// Watch begins to hear what other instances end. From then on this instance holds money only while it hears.
func (s *Store) Watch(ctx context.Context, to Watched, log *slog.Logger) error {
	w, err := startWatch(ctx, s.single, to, s.now, log)
	if err != nil {
		return failed(ctx, err)
	}
	s.watch.Store(w)
	return nil
}

// hears says whether this instance knows what others have ended.
func (s *Store) hears() error {
	if w := s.watch.Load(); w != nil {
		return w.fresh()
	}
	return nil
}
