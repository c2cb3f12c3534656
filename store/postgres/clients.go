package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Client implements client.Store.
func (s *Store) Client(ctx context.Context, id passport.ClientID) (out passport.Client, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Client(ctx, q, id)
		return err
	})
	return out, err
}

// AddClient implements client.Store. Alone, so that the bound on clients is kept exactly.
func (s *Store) AddClient(ctx context.Context, c passport.Client, ev passport.Event) error {
	return s.change(ctx, only("clients"), func(ctx context.Context, q *query.Queries) error { return store.AddClient(ctx, q, c, ev) })
}

// ChangeClient implements client.Store.
func (s *Store) ChangeClient(ctx context.Context, c passport.Client, ev passport.Event) error {
	return s.change(ctx, only("clients"), func(ctx context.Context, q *query.Queries) error { return store.ChangeClient(ctx, q, c, ev) })
}

// UseClient implements client.Store.
func (s *Store) UseClient(ctx context.Context, id passport.ClientID, at time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error {
		return q.UseClient(ctx, query.UseClientParams{UsedAt: store.Micros(at), ID: string(id), UsedAt_2: store.Micros(at)})
	})
}

// RemoveClient implements client.Store.
func (s *Store) RemoveClient(ctx context.Context, id passport.ClientID, k passport.ClientKind, ev passport.Event) error {
	return s.change(ctx, only("clients"), func(ctx context.Context, q *query.Queries) error { return store.RemoveClient(ctx, q, id, k, ev) })
}

// Clients implements client.Lists.
func (s *Store) Clients(ctx context.Context, k passport.ClientKind, limit int) (out []passport.Client, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Clients(ctx, q, k, limit)
		return err
	})
	return out, err
}

// GrantsOfClient implements client.Lists.
func (s *Store) GrantsOfClient(ctx context.Context, id passport.ClientID, limit int) (out []passport.GrantID, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.GrantsOfClient(ctx, q, id, limit)
		return err
	})
	return out, err
}
