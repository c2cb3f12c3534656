package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// hook is the owner's webhook.
type hook struct {
	passport.Webhook
	waiting []passport.Event
	holder  string
	until   time.Time
}

func (h *hook) view() passport.Webhook {
	w := h.Webhook
	w.Sealed, w.Waiting = slices.Clone(w.Sealed), int64(len(h.waiting))
	return w
}

// Webhook implements webhook.Store.
func (m *Memory) Webhook(context.Context) (w passport.Webhook, err error) {
	err = m.do("Webhook", func() error {
		if m.hook == nil {
			return store.NoWebhook()
		}
		w = m.hook.view()
		return nil
	})
	return w, err
}

// SetWebhook implements webhook.Store.
func (m *Memory) SetWebhook(_ context.Context, w passport.Webhook, ev passport.Event) error {
	return m.do("SetWebhook", func() error {
		if m.hook == nil {
			m.hook = &hook{}
		}
		m.hook.Webhook = passport.Webhook{Site: w.Site, Sealed: slices.Clone(w.Sealed), CreatedAt: stored(w.CreatedAt)}
		m.note(ev)
		return nil
	})
}

// RemoveWebhook implements webhook.Store.
func (m *Memory) RemoveWebhook(_ context.Context, ev passport.Event) error {
	return m.do("RemoveWebhook", func() error {
		if m.hook != nil {
			m.hook = nil
			m.note(ev)
		}
		return nil
	})
}

// TestWebhook implements webhook.Store.
func (m *Memory) TestWebhook(_ context.Context, ev passport.Event) error {
	return m.do("TestWebhook", func() error {
		if m.hook == nil {
			return store.NoWebhook()
		}
		m.hook.NextAt = time.Time{}
		m.note(ev)
		return nil
	})
}

// NextDelivery implements webhook.Store.
func (m *Memory) NextDelivery(_ context.Context, holder string, now, until time.Time) (w passport.Webhook, ev passport.Event, err error) {
	err = m.do("NextDelivery", func() error {
		h := m.hook
		if h == nil {
			return store.NoWebhook()
		}
		if now = stored(now); !store.Due(h.view(), now) || h.holder != holder && h.until.After(now) {
			return store.NothingDue()
		}
		h.holder, h.until = holder, stored(until)
		slices.SortStableFunc(h.waiting, func(a, b passport.Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
		w, ev = h.view(), h.waiting[0]
		return nil
	})
	return w, ev, err
}

// NoteDelivery implements webhook.Store.
func (m *Memory) NoteDelivery(_ context.Context, holder string, ev passport.Event, d passport.DeliveryNote) error {
	return m.do("NoteDelivery", func() error {
		h := m.hook
		if h == nil || h.holder != holder {
			return store.NotHolder()
		}
		h.LastAt, h.LastKind, h.LastError = stored(d.At), ev.Kind, d.Error
		h.until = time.Time{}
		h.Tries, h.NextAt = d.Tries, stored(d.Next)
		if d.Over {
			h.Tries, h.NextAt = 0, time.Time{}
			h.waiting = slices.DeleteFunc(h.waiting, func(x passport.Event) bool { return x.ID == ev.ID })
		}
		return nil
	})
}
