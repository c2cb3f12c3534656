package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/store"
)

// Forget removes what ended long ago and nothing reads any more.
func (s *Store) Forget(ctx context.Context, now time.Time) (int64, error) {
	return store.Sweeping{Read: s.read, Write: s.change}.Forget(ctx, now)
}
