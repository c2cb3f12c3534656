package storetest

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func testWebhook(_ *testing.T, b *bench) {
	_, err := b.s.Webhook(ctx())
	b.is(err, problem.NotFound)
	b.is(b.s.TestWebhook(ctx(), b.event(passport.WebhookTested, "")), problem.NotFound)
	_, _, err = b.s.NextDelivery(ctx(), "a", Epoch(), Epoch().Add(time.Minute))
	b.is(err, problem.NotFound)
	g := b.active(Detail(1, 10)) // nobody is told of what was before

	set := passport.Webhook{Site: "https://a.example", Sealed: []byte{1, 2}, CreatedAt: Epoch()}
	b.ok(b.s.SetWebhook(ctx(), set, b.event(passport.WebhookSet, "")))
	w, err := b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w, set)
	b.spend(g.ID, 8000, 8000) // calls are not told, the mark is
	w, err = b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w.Waiting, int64(1))

	now, until := Epoch().Add(time.Hour), Epoch().Add(time.Hour+time.Minute)
	w, ev, err := b.s.NextDelivery(ctx(), "a", now, until)
	b.ok(err)
	b.equal([]any{ev.Kind, ev.Grant, ev.Note, w.Sealed}, []any{passport.GrantNearCap, g.ID, "$0.008 of $0.01 is spent", set.Sealed})
	_, _, err = b.s.NextDelivery(ctx(), "b", until.Add(-time.Microsecond), until.Add(time.Minute))
	b.is(err, problem.NotFound) // one instance at a time
	b.is(b.s.NoteDelivery(ctx(), "b", ev, passport.DeliveryNote{At: now, Over: true}), problem.Conflict)

	// Not delivered: later again, then by whoever is there.
	next := now.Add(30 * time.Second)
	b.ok(b.s.NoteDelivery(ctx(), "a", ev, passport.DeliveryNote{At: now, Error: "answered 500", Tries: 1, Next: next}))
	w, err = b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w, passport.Webhook{Site: set.Site, Sealed: set.Sealed, CreatedAt: set.CreatedAt, Waiting: 1, Tries: 1, NextAt: next, LastAt: now,
		LastKind: passport.GrantNearCap, LastError: "answered 500"})
	_, _, err = b.s.NextDelivery(ctx(), "a", next.Add(-time.Microsecond), until)
	b.is(err, problem.NotFound)
	w, again, err := b.s.NextDelivery(ctx(), "b", until, until.Add(time.Minute))
	b.ok(err)
	b.equal([]any{again, w.Tries}, []any{ev, int64(1)})
	b.is(b.s.NoteDelivery(ctx(), "a", ev, passport.DeliveryNote{At: now, Over: true}), problem.Conflict)
	b.ok(b.s.NoteDelivery(ctx(), "b", ev, passport.DeliveryNote{At: until, Over: true}))
	w, err = b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w, passport.Webhook{Site: set.Site, Sealed: set.Sealed, CreatedAt: set.CreatedAt, LastAt: until, LastKind: passport.GrantNearCap})
	testWebhookOutlives(b, g, set)
}

// testWebhookOutlives: what waits is on disk; a test hurries; what is removed is told to nobody.
func testWebhookOutlives(b *bench, g passport.Grant, set passport.Webhook) {
	b.t.Helper()
	g = b.change(g, func(g *passport.Grant) { g.State = passport.GrantPaused }) // an event of the bench: grant.approved
	b.ok(b.s.Close())
	b.s = b.open(b.t, b.place)
	now := Epoch().Add(3 * time.Hour)
	_, ev, err := b.s.NextDelivery(ctx(), "c", now, now.Add(time.Minute))
	b.ok(err)
	b.equal([]any{ev.Kind, ev.Grant}, []any{passport.GrantApproved, g.ID})
	b.ok(b.s.NoteDelivery(ctx(), "c", ev, passport.DeliveryNote{At: now, Error: "no", Tries: 3, Next: now.Add(time.Hour)}))
	_, _, err = b.s.NextDelivery(ctx(), "c", now, now.Add(time.Minute))
	b.is(err, problem.NotFound)
	b.ok(b.s.TestWebhook(ctx(), b.event(passport.WebhookTested, "")))
	w, _, err := b.s.NextDelivery(ctx(), "c", now, now.Add(time.Minute))
	b.ok(err)
	b.equal(w.Waiting, int64(2))
	b.ok(b.s.RemoveWebhook(ctx(), b.event(passport.WebhookRemoved, "")))
	b.ok(b.s.RemoveWebhook(ctx(), b.event(passport.WebhookRemoved, "")))
	_, err = b.s.Webhook(ctx())
	b.is(err, problem.NotFound)
	b.ok(b.s.SetWebhook(ctx(), set, b.event(passport.WebhookSet, "")))
	w, err = b.s.Webhook(ctx())
	b.ok(err)
	b.equal(w, set)
}
