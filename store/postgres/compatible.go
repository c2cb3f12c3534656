package postgres

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Compatibles implements roster.Store.
func (s *Store) Compatibles(ctx context.Context) (out []passport.Compatible, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Compatibles(ctx, q)
		return err
	})
	return out, err
}

// AddCompatible implements roster.Store. Alone, so that the bound on providers is kept exactly.
func (s *Store) AddCompatible(ctx context.Context, c passport.Compatible, ev passport.Event) error {
	return s.change(ctx, only("providers"), func(ctx context.Context, q *query.Queries) error { return store.AddCompatible(ctx, q, c, ev) })
}

// ChangeCompatible implements roster.Store.
func (s *Store) ChangeCompatible(ctx context.Context, c passport.Compatible, ev passport.Event) error {
	return s.change(ctx, only("providers"), func(ctx context.Context, q *query.Queries) error { return store.ChangeCompatible(ctx, q, c, ev) })
}

// RemoveCompatible implements roster.Store.
func (s *Store) RemoveCompatible(ctx context.Context, p passport.Provider, ev passport.Event) error {
	return s.change(ctx, only("providers"), func(ctx context.Context, q *query.Queries) error { return store.RemoveCompatible(ctx, q, p, ev) })
}
