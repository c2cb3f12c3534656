package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Webhook implements webhook.Store.
func (s *Store) Webhook(ctx context.Context) (out passport.Webhook, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.Webhook(ctx, q)
		return err
	})
	return out, err
}

// SetWebhook implements webhook.Store.
func (s *Store) SetWebhook(ctx context.Context, w passport.Webhook, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.SetWebhook(ctx, q, w, ev) })
}

// RemoveWebhook implements webhook.Store.
func (s *Store) RemoveWebhook(ctx context.Context, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.RemoveWebhook(ctx, q, ev) })
}

// TestWebhook implements webhook.Store.
func (s *Store) TestWebhook(ctx context.Context, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.TestWebhook(ctx, q, ev) })
}

// NextDelivery implements webhook.Store. It writes only when there is something due.
func (s *Store) NextDelivery(ctx context.Context, holder string, now, until time.Time) (w passport.Webhook, ev passport.Event, err error) {
	if w, err = s.Webhook(ctx); err != nil {
		return w, ev, err
	}
	if !store.Due(w, now) {
		return w, ev, store.NothingDue()
	}
	err = s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error {
		w, ev, err = store.NextDelivery(ctx, q, holder, now, until)
		return err
	})
	return w, ev, err
}

// NoteDelivery implements webhook.Store.
func (s *Store) NoteDelivery(ctx context.Context, holder string, ev passport.Event, d passport.DeliveryNote) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.NoteDelivery(ctx, q, holder, ev, d) })
}
