package sqlite

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// AddGrant implements authority.Store.
func (s *Store) AddGrant(ctx context.Context, g passport.Grant, ev passport.Event) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddGrant(ctx, q, g, ev) })
}

// ChangeGrant implements authority.Store.
func (s *Store) ChangeGrant(ctx context.Context, g passport.Grant, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := store.ChangeGrant(ctx, q, g, ev); err != nil {
			return err
		}
		return s.writer.changed(ctx, q, g)
	})
}

// AddChild implements authority.Family.
func (s *Store) AddChild(ctx context.Context, g passport.Grant, ev passport.Event) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddChild(ctx, q, g, ev) })
}

// ExtendGrant implements authority.Store.
func (s *Store) ExtendGrant(ctx context.Context, g, request passport.Grant, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := store.ExtendGrant(ctx, q, g, request, ev); err != nil {
			return err
		}
		return s.writer.changed(ctx, q, g)
	})
}

// Stop implements authority.Store.
func (s *Store) Stop(ctx context.Context, stopped bool, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.Stop(ctx, q, stopped, ev) })
}

// StopOwn implements authority.Store.
func (s *Store) StopOwn(ctx context.Context, payer passport.Payer, stopped bool, ev passport.Event) (changed []passport.GrantID, err error) {
	err = s.change(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		changed, err = store.StopOwn(ctx, q, payer, stopped, ev)
		return err
	})
	return changed, err
}

// SetCeiling implements authority.Ceilings.
func (s *Store) SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.SetCeiling(ctx, q, id, most, ev) })
}

// LimitMember implements authority.Ceilings.
func (s *Store) LimitMember(ctx context.Context, member passport.PersonID, most passport.Limit, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.LimitMember(ctx, q, member, most, ev) })
}

// RemoveCeiling implements authority.Ceilings.
func (s *Store) RemoveCeiling(ctx context.Context, id passport.CeilingID, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.RemoveCeiling(ctx, q, id, ev) })
}

// RotateSigningKeys implements token.Store.
func (s *Store) RotateSigningKeys(ctx context.Context, add *passport.SigningKey, move map[string]passport.KeyState, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error {
		return store.RotateSigningKeys(ctx, q, add, move, ev)
	})
}

// AddToken implements token.Store.
func (s *Store) AddToken(ctx context.Context, t passport.Token, ev passport.Event) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddToken(ctx, q, t, ev) })
}

// AddCredential implements vault.Sealed.
func (s *Store) AddCredential(ctx context.Context, c passport.Credential, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddCredential(ctx, q, c, ev) })
}

// RemoveCredential implements vault.Sealed.
func (s *Store) RemoveCredential(ctx context.Context, id passport.CredentialID, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.RemoveCredential(ctx, q, id, ev) })
}

// ChangeCredential implements vault.Sealed.
func (s *Store) ChangeCredential(ctx context.Context, c passport.Credential, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.ChangeCredential(ctx, q, c, ev) })
}

// AddFirstPerson implements identity.Store.
func (s *Store) AddFirstPerson(ctx context.Context, p passport.Person, ev passport.Event) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddFirstPerson(ctx, q, p, ev) })
}

// AddSetup implements identity.Store.
func (s *Store) AddSetup(ctx context.Context, hash [32]byte, until, now time.Time) error {
	return s.change(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddSetup(ctx, q, hash, until, now) })
}

// AddSession implements identity.Store.
func (s *Store) AddSession(ctx context.Context, d passport.Session, ev passport.Event) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddSession(ctx, q, d, ev) })
}

// EndSession implements identity.Store.
func (s *Store) EndSession(ctx context.Context, hash [32]byte, ev passport.Event) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.EndSession(ctx, q, hash, ev) })
}

// EndOwnerToken implements identity.Store.
func (s *Store) EndOwnerToken(ctx context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.EndOwnerToken(ctx, q, who, hash, ev) })
}

// AddOwnerToken implements identity.Store.
func (s *Store) AddOwnerToken(ctx context.Context, t passport.OwnerToken, ev passport.Event, now time.Time) error {
	return s.add(ctx, func(ctx context.Context, q *query.Queries) error { return store.AddOwnerToken(ctx, q, t, ev, now) })
}
