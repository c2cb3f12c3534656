package store

import (
	"context"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// How long what nothing reads any more is kept after its end. What could still be shown to us is never forgotten before: a token that was
// revoked stays until its own end, and is refused by its row.
const (
	TokensKept   = 24 * time.Hour      // access tokens
	SDKKeysKept  = 90 * 24 * time.Hour // they are listed on an app's page
	OneTimeKept  = 48 * time.Hour      // device codes, and requests for keys, after they were made: grants that they are about wait no longer than an hour
	RefreshKept  = 30 * 24 * time.Hour // refresh tokens, after the end that their grant has; a revoked one's too
	ToldKept     = 60 * 24 * time.Hour // what was told once, after the day, month or grant that it is about; calls that are settled late are of hours
	forgetChunk  = 500                 // rows that one transaction forgets, but for refresh tokens: those of one grant (passport.MaxRefresh)
	forgetChunks = 400                 // transactions for one kind in one sweep; the next goes on
)

// Sweeping is how a store reads a snapshot and writes in a transaction of its own, between which others write.
type Sweeping struct {
	Read  func(context.Context, func(*query.Queries) error) error
	Write func(context.Context, func(context.Context, *query.Queries) error) error
}

// Forget removes what ended and nothing reads any more, and says how many rows. Money and events are never among it.
func (s Sweeping) Forget(ctx context.Context, now time.Time) (n int64, err error) {
	ended := func(kept time.Duration) int64 { return Micros(now.Add(-kept)) }
	for _, kind := range []struct {
		name string
		some func(context.Context, *query.Queries) (int64, error)
	}{
		{"SDK keys", func(ctx context.Context, q *query.Queries) (int64, error) { // before their tokens
			return q.DropEndedSDKKeys(ctx, query.DropEndedSDKKeysParams{ExpiresAt: ended(SDKKeysKept), Limit: forgetChunk})
		}},
		{"tokens", func(ctx context.Context, q *query.Queries) (int64, error) {
			return q.DropEndedTokens(ctx, query.DropEndedTokensParams{ExpiresAt: ended(TokensKept), Limit: forgetChunk})
		}},
		{"pushed requests", func(ctx context.Context, q *query.Queries) (int64, error) {
			return q.DropSomePushed(ctx, query.DropSomePushedParams{ExpiresAt: ended(0), Limit: forgetChunk})
		}},
		{"authorizations", func(ctx context.Context, q *query.Queries) (int64, error) {
			return q.DropSomeAuthorizations(ctx, query.DropSomeAuthorizationsParams{ExpiresAt: ended(passport.AuthorizedMemory), Limit: forgetChunk})
		}},
		{"what works once", func(ctx context.Context, q *query.Queries) (int64, error) {
			return forgetOneTime(ctx, q, ended(OneTimeKept))
		}},
		{"sessions", func(ctx context.Context, q *query.Queries) (int64, error) { return forgetPeople(ctx, q, ended(0)) }},
	} {
		k, err := s.inChunks(ctx, kind.some)
		if n += k; err != nil {
			return n, fmt.Errorf("forget %s: %w", kind.name, err)
		}
	}
	k, err := s.forgetRefresh(ctx, ended(RefreshKept))
	if n += k; err != nil {
		return n, fmt.Errorf("forget refresh tokens: %w", err)
	}
	k, err = s.forgetTold(ctx, now.Add(-ToldKept))
	if n += k; err != nil {
		return n, fmt.Errorf("forget what was told: %w", err)
	}
	return n, nil
}

// inChunks forgets some at a time until there are fewer than it may take at once.
func (s Sweeping) inChunks(ctx context.Context, some func(context.Context, *query.Queries) (int64, error)) (n int64, err error) {
	for range forgetChunks {
		var k int64
		err := s.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
			k, err = some(ctx, q)
			return err
		})
		if n += k; err != nil || k < forgetChunk {
			return n, err
		}
	}
	return n, nil
}

// forgetOneTime forgets device codes and requests for keys: there are passport.MaxOneTime of each at most.
func forgetOneTime(ctx context.Context, q *query.Queries, before int64) (int64, error) {
	codes, err := q.DropEndedDeviceCodes(ctx, before)
	if err != nil {
		return 0, err
	}
	requests, err := q.DropEndedKeyRequests(ctx, before)
	return codes + requests, err
}

// forgetPeople forgets sessions, owner tokens and invitations. The next of each would do so too: there are those since then.
func forgetPeople(ctx context.Context, q *query.Queries, now int64) (n int64, err error) {
	for _, drop := range []func(context.Context, int64) (int64, error){q.RemoveEndedSessions, q.RemoveEndedOwnerTokens, q.RemoveEndedInvitations} {
		k, err := drop(ctx, now)
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// forgetRefresh forgets the refresh tokens of grants that ended. Which these are is read apart: it looks at all grants.
func (s Sweeping) forgetRefresh(ctx context.Context, before int64) (n int64, err error) {
	var ended []string
	err = s.Read(ctx, func(q *query.Queries) (err error) {
		ended, err = q.EndedWithRefresh(ctx, query.EndedWithRefreshParams{ExpiresAt: before, Limit: forgetChunks})
		return err
	})
	for _, id := range ended {
		var k int64
		err := s.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
			k, err = q.DropRefreshOf(ctx, id)
			return err
		})
		if n += k; err != nil {
			return n, err
		}
	}
	return n, err
}

// forgetTold forgets what was told of grants that ended, and of days and months that are over. Which that is is read apart: it looks at all.
func (s Sweeping) forgetTold(ctx context.Context, before time.Time) (n int64, err error) {
	for range forgetChunks {
		var old []query.Told
		err := s.Read(ctx, func(q *query.Queries) (err error) {
			old, err = q.OldTold(ctx, query.OldToldParams{Column1: before.UTC().Format(time.DateOnly), Column2: fmt.Sprint(passport.MonthOf(before)),
				ExpiresAt: Micros(before), Limit: forgetChunk})
			return err
		})
		if err != nil || len(old) == 0 {
			return n, err
		}
		err = s.Write(ctx, func(ctx context.Context, q *query.Queries) error {
			for _, t := range old {
				if _, err := q.DropTold(ctx, query.DropToldParams(t)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		if n += int64(len(old)); len(old) < forgetChunk {
			return n, nil
		}
	}
	return n, nil
}
