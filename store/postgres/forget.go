package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Forget removes what ended long ago and nothing reads any more. Several instances may do it at once.
func (s *Store) Forget(ctx context.Context, now time.Time) (int64, error) {
	return store.Sweeping{Read: s.read, Write: func(ctx context.Context, step func(context.Context, *query.Queries) error) error {
		return s.change(ctx, nil, step)
	}}.Forget(ctx, now)
}
