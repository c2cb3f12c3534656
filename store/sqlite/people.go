package sqlite

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Person implements identity.Store.
func (s *Store) Person(ctx context.Context, id passport.PersonID) (out passport.Person, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Person(ctx, q, id)
		return err
	})
	return out, err
}

// PersonNamed implements identity.Store.
func (s *Store) PersonNamed(ctx context.Context, username string) (out passport.Person, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.PersonNamed(ctx, q, username)
		return err
	})
	return out, err
}
