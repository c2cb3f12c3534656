package postgres

import (
	"context"
	"time"

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

// AddInvitation implements identity.Store.
func (s *Store) AddInvitation(ctx context.Context, v passport.Invitation, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.AddInvitation(ctx, q, v, ev) })
}

// EndInvitation implements identity.Store.
func (s *Store) EndInvitation(ctx context.Context, hash [32]byte, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.EndInvitation(ctx, q, hash, ev) })
}

// AddMember implements identity.Store.
func (s *Store) AddMember(ctx context.Context, p passport.Person, by *[32]byte, as *passport.Identity, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.AddMember(ctx, q, p, by, as, ev) })
}

// SuspendPerson implements identity.Store.
func (s *Store) SuspendPerson(ctx context.Context, id passport.PersonID, at time.Time, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.SuspendPerson(ctx, q, id, at, ev) })
}

// RemovePerson implements identity.Store.
func (s *Store) RemovePerson(ctx context.Context, id passport.PersonID, ev passport.Event) error {
	return s.change(ctx, both("person", "ceilings"), func(ctx context.Context, q *query.Queries) error { return store.RemovePerson(ctx, q, id, ev) })
}

// Invitation implements identity.Store.
func (s *Store) Invitation(ctx context.Context, hash [32]byte) (out passport.Invitation, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Invitation(ctx, q, hash)
		return err
	})
	return out, err
}

// Invitations implements identity.Store.
func (s *Store) Invitations(ctx context.Context) (out []passport.Invitation, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Invitations(ctx, q)
		return err
	})
	return out, err
}

// People implements identity.Store.
func (s *Store) People(ctx context.Context) (out []passport.Person, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.People(ctx, q)
		return err
	})
	return out, err
}

// MemberSums implements authority.History.
func (s *Store) MemberSums(ctx context.Context, since, now time.Time) (out map[passport.Payer]passport.MemberSum, err error) {
	s.settled(ctx)
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.MemberSums(ctx, q, since, now)
		return err
	})
	return out, err
}
