package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// NoWebhook says that the owner has set none.
func NoWebhook() error { return NotFound("webhook") }

// NotHolder says that another instance sends by now.
func NotHolder() error { return problem.New(problem.Conflict, "another instance sends to the webhook") }

// NothingDue says that there is nothing to deliver now, or another instance does.
func NothingDue() error { return problem.New(problem.NotFound, "nothing is to be delivered now") }

// deliver puts an event among those that the webhook is to be told of, if there is one.
func deliver(ctx context.Context, q *query.Queries, ev passport.Event) error {
	if !passport.Told(ev.Kind) {
		return nil
	}
	n, err := q.HasWebhook(ctx)
	if err != nil || n == 0 {
		return err
	}
	if ev.Payer.Member() != "" {
		return nil // neither is what is told of a member's limits
	}
	if payer, err := q.GrantPayer(ctx, string(ev.Grant)); err == nil && passport.Payer(payer).Member() != "" {
		return nil // the webhook is the owner's, and what a member gave is not
	} else if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return q.AddDelivery(ctx, query.AddDeliveryParams{EventID: string(ev.ID), Kind: string(ev.Kind), At: Micros(ev.At), Actor: ev.Actor,
		GrantID: string(ev.Grant), Note: ev.Note})
}

// Webhook is the step of webhook.Store.
func Webhook(ctx context.Context, q *query.Queries) (passport.Webhook, error) {
	row, err := q.Webhook(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Webhook{}, NoWebhook()
	}
	if err != nil {
		return passport.Webhook{}, err
	}
	waiting, err := q.CountDeliveries(ctx)
	return passport.Webhook{Site: row.Site, Sealed: row.Sealed, CreatedAt: TimeOf(row.CreatedAt), Waiting: waiting, Tries: row.Tries,
		NextAt: TimeOf(row.NextAt), LastAt: TimeOf(row.LastAt), LastKind: passport.EventKind(row.LastKind), LastError: row.LastError}, err
}

// SetWebhook is the step of webhook.Store.
func SetWebhook(ctx context.Context, q *query.Queries, w passport.Webhook, ev passport.Event) error {
	if n, err := q.HasWebhook(ctx); err != nil {
		return err
	} else if n == 0 { // what an event left behind that came while the one before was removed
		if _, err := q.RemoveDeliveries(ctx); err != nil {
			return err
		}
	}
	if err := q.SetWebhook(ctx, query.SetWebhookParams{Site: w.Site, Sealed: blob(w.Sealed), CreatedAt: Micros(w.CreatedAt)}); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// RemoveWebhook is the step of webhook.Store.
func RemoveWebhook(ctx context.Context, q *query.Queries, ev passport.Event) error {
	n, err := q.RemoveWebhook(ctx)
	if err != nil || n == 0 {
		return err
	}
	if _, err := q.RemoveDeliveries(ctx); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// TestWebhook is the step of webhook.Store.
func TestWebhook(ctx context.Context, q *query.Queries, ev passport.Event) error {
	n, err := q.HurryDelivery(ctx)
	if err == nil && n == 0 {
		return NoWebhook()
	}
	if err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// Due says whether there is something to deliver at a time: what NextDelivery looks at before it writes.
func Due(w passport.Webhook, now time.Time) bool { return w.Waiting > 0 && !w.NextAt.After(now) }

// NextDelivery is the step of webhook.Store.
func NextDelivery(ctx context.Context, q *query.Queries, holder string, now, until time.Time) (passport.Webhook, passport.Event, error) {
	n, err := q.HoldWebhook(ctx, query.HoldWebhookParams{Holder: holder, HolderUntil: Micros(until), NextAt: Micros(now)})
	if err == nil && n == 0 {
		err = NothingDue()
	}
	if err != nil {
		return passport.Webhook{}, passport.Event{}, err
	}
	row, err := q.OldestDelivery(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Webhook{}, passport.Event{}, NothingDue()
	}
	if err != nil {
		return passport.Webhook{}, passport.Event{}, err
	}
	w, err := Webhook(ctx, q)
	return w, passport.Event{ID: passport.EventID(row.EventID), Kind: passport.EventKind(row.Kind), At: TimeOf(row.At), Actor: row.Actor,
		Grant: passport.GrantID(row.GrantID), Note: row.Note}, err
}

// NoteDelivery is the step of webhook.Store.
func NoteDelivery(ctx context.Context, q *query.Queries, holder string, ev passport.Event, d passport.DeliveryNote) error {
	if d.Over {
		d.Tries, d.Next = 0, time.Time{}
	}
	n, err := q.NoteDelivery(ctx, query.NoteDeliveryParams{Tries: d.Tries, NextAt: Micros(d.Next), LastAt: Micros(d.At), LastKind: string(ev.Kind),
		LastError: clipTo(d.Error, passport.MaxDeliveryError), Holder: holder})
	if err == nil && n == 0 {
		return NotHolder()
	}
	if err != nil || !d.Over {
		return err
	}
	_, err = q.RemoveDelivery(ctx, string(ev.ID))
	return err
}
