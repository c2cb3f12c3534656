package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// AddPasskey implements identity.Store. One at a time, so that what it counts stays true.
func (s *Store) AddPasskey(ctx context.Context, k passport.Passkey, ev passport.Event) error {
	return s.change(ctx, only("passkey"), func(ctx context.Context, q *query.Queries) error { return store.AddPasskey(ctx, q, k, ev) })
}

// UsePasskey implements identity.Store.
func (s *Store) UsePasskey(ctx context.Context, u passport.Passkey, refused passport.Event) (ok bool, err error) {
	err = s.change(ctx, nil, func(ctx context.Context, q *query.Queries) (err error) {
		ok, err = store.UsePasskey(ctx, q, u, refused)
		return err
	})
	return ok, err
}

// RenamePasskey implements identity.Store.
func (s *Store) RenamePasskey(ctx context.Context, who passport.PersonID, id []byte, label string, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error {
		return store.RenamePasskey(ctx, q, who, id, label, ev)
	})
}

// RemovePasskey implements identity.Store. One at a time, so that what it counts stays true.
func (s *Store) RemovePasskey(ctx context.Context, who passport.PersonID, id []byte, ev passport.Event) error {
	return s.change(ctx, only("passkey"), func(ctx context.Context, q *query.Queries) error { return store.RemovePasskey(ctx, q, who, id, ev) })
}

// SeeSession implements identity.Store.
func (s *Store) SeeSession(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.SeeSession(ctx, q, hash, at) })
}

// EndSessionOf implements identity.Store.
func (s *Store) EndSessionOf(ctx context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.EndSessionOf(ctx, q, who, hash, ev) })
}

// EndOtherSessions implements identity.Store.
func (s *Store) EndOtherSessions(ctx context.Context, who passport.PersonID, keep [32]byte, ev passport.Event) (n int64, err error) {
	err = s.change(ctx, nil, func(ctx context.Context, q *query.Queries) (err error) {
		n, err = store.EndOtherSessions(ctx, q, who, keep, ev)
		return err
	})
	return n, err
}

// Passkeys implements identity.Store.
func (s *Store) Passkeys(ctx context.Context, who passport.PersonID) (out []passport.Passkey, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Passkeys(ctx, q, who)
		return err
	})
	return out, err
}

// HasPasskeys implements identity.Store.
func (s *Store) HasPasskeys(ctx context.Context) (out bool, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.HasPasskeys(ctx, q)
		return err
	})
	return out, err
}

// Sessions implements identity.Store.
func (s *Store) Sessions(ctx context.Context, who passport.PersonID, limit int) (out []passport.Session, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Sessions(ctx, q, who, limit)
		return err
	})
	return out, err
}
