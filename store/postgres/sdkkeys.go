package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// AddSDKKey implements token.Store. Alone for its grant, so that the bound on keys is kept, and a revoke waits until the key is there.
func (s *Store) AddSDKKey(ctx context.Context, k passport.SDKKey, hash [32]byte, ev passport.Event) error {
	return s.change(ctx, grantAlone(k.Grant), func(ctx context.Context, q *query.Queries) error { return store.AddSDKKey(ctx, q, k, hash, ev) })
}

// TokenOfSDKKey implements token.Store.
func (s *Store) TokenOfSDKKey(ctx context.Context, hash [32]byte) (out passport.Token, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.TokenOfSDKKey(ctx, q, hash)
		return err
	})
	return out, err
}

// UsedSDKKeys implements token.Store.
func (s *Store) UsedSDKKeys(ctx context.Context, used map[passport.TokenID]time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.UsedSDKKeys(ctx, q, used) })
}

// SDKKeys implements authority.SDKKeys.
func (s *Store) SDKKeys(ctx context.Context, g passport.GrantID, limit int) (out []passport.SDKKey, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.SDKKeys(ctx, q, g, limit)
		return err
	})
	return out, err
}

// LiveTokens implements authority.SDKKeys.
func (s *Store) LiveTokens(ctx context.Context, g passport.GrantID, now time.Time, limit int) (out []passport.Token, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.LiveTokens(ctx, q, g, now, limit)
		return err
	})
	return out, err
}

// RevokeSDKKey implements authority.SDKKeys.
func (s *Store) RevokeSDKKey(ctx context.Context, g passport.GrantID, id passport.TokenID, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.RevokeSDKKey(ctx, q, g, id, ev) })
}

// RevokeToken implements authority.SDKKeys.
func (s *Store) RevokeToken(ctx context.Context, g passport.GrantID, id passport.TokenID, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.RevokeToken(ctx, q, g, id, ev) })
}
