package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// AddPushed implements oauth.Store. Alone, so that the bound is kept exactly.
func (s *Store) AddPushed(ctx context.Context, p passport.Pushed) error {
	return s.change(ctx, only("pushed"), func(ctx context.Context, q *query.Queries) error { return store.AddPushed(ctx, q, p) })
}

// TakePushed implements oauth.Store.
func (s *Store) TakePushed(ctx context.Context, hash [32]byte, client passport.ClientID, now time.Time) (out passport.Pushed, err error) {
	failed := s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error {
		out, err = store.TakePushed(ctx, q, hash, client, now)
		return err
	})
	return out, failed
}

// AddAuthorization implements oauth.Store.
func (s *Store) AddAuthorization(ctx context.Context, a passport.Authorization) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.AddAuthorization(ctx, q, a) })
}

// Authorization implements oauth.Store.
func (s *Store) Authorization(ctx context.Context, g passport.GrantID) (out passport.Authorization, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Authorization(ctx, q, g)
		return err
	})
	return out, err
}

// AuthorizationByCode implements oauth.Store.
func (s *Store) AuthorizationByCode(ctx context.Context, code [32]byte) (out passport.Authorization, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.AuthorizationByCode(ctx, q, code)
		return err
	})
	return out, err
}

// SetCode implements oauth.Store.
func (s *Store) SetCode(ctx context.Context, g passport.GrantID, code [32]byte, until time.Time, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.SetCode(ctx, q, g, code, until, ev) })
}

// RedeemCode implements oauth.Store.
func (s *Store) RedeemCode(ctx context.Context, code [32]byte, at time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.RedeemCode(ctx, q, code, at) })
}

// AddRefresh implements oauth.Store.
func (s *Store) AddRefresh(ctx context.Context, r passport.Refresh, code [32]byte) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.AddRefresh(ctx, q, r, code) })
}

// Refresh implements oauth.Store.
func (s *Store) Refresh(ctx context.Context, hash [32]byte) (out passport.Refresh, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Refresh(ctx, q, hash)
		return err
	})
	return out, err
}

// RotateRefresh implements oauth.Store.
func (s *Store) RotateRefresh(ctx context.Context, old, next [32]byte, at time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.RotateRefresh(ctx, q, old, next, at) })
}
