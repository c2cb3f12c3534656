package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// SetPassword implements identity.Store.
func (s *Store) SetPassword(ctx context.Context, who passport.PersonID, phc string, keep [32]byte, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error {
		return store.SetPassword(ctx, q, who, phc, keep, ev)
	})
}

// AddReset implements identity.Store.
func (s *Store) AddReset(ctx context.Context, hash [32]byte, who passport.PersonID, until time.Time, evs ...passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error {
		return store.AddReset(ctx, q, hash, who, until, evs...)
	})
}

// UseReset implements identity.Store. One at a time: a link works once.
func (s *Store) UseReset(ctx context.Context, hash [32]byte, phc string, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.UseReset(ctx, q, hash, phc, ev) })
}

// Reset implements identity.Store.
func (s *Store) Reset(ctx context.Context, hash [32]byte) (who passport.PersonID, until time.Time, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		who, until, err = store.Reset(ctx, q, hash)
		return err
	})
	return who, until, err
}
