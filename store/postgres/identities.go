package postgres

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// AddIdentity implements identity.Store.
func (s *Store) AddIdentity(ctx context.Context, i passport.Identity, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.AddIdentity(ctx, q, i, ev) })
}

// RemoveIdentity implements identity.Store.
func (s *Store) RemoveIdentity(ctx context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.RemoveIdentity(ctx, q, who, hash, ev) })
}

// Identity implements identity.Store.
func (s *Store) Identity(ctx context.Context, hash [32]byte) (out passport.Identity, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Identity(ctx, q, hash)
		return err
	})
	return out, err
}

// IdentityGone implements identity.Store.
func (s *Store) IdentityGone(ctx context.Context, hash [32]byte) (out bool, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.IdentityGone(ctx, q, hash)
		return err
	})
	return out, err
}

// Identities implements identity.Store.
func (s *Store) Identities(ctx context.Context, who passport.PersonID) (out []passport.Identity, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Identities(ctx, q, who)
		return err
	})
	return out, err
}
