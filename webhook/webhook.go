// Package webhook tells the owner's own server of events: signed, in order, one at a time, again and again until it is taken or given
// up. It is the second door to the outside besides gateway/upstream: it carries no provider key, no prompt and no answer, dials only
// addresses that are open to everyone unless the operator lists them, and follows nothing. It may not touch money or grants.
//
// What is signed and how is Standard Webhooks' (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of delivering.
const (
	maxTries    = 10             // of one event
	maxAge      = 24 * time.Hour // of an event that is still delivered
	firstWait   = 5 * time.Second
	longestWait = time.Hour
	pollTime    = time.Second      // between looks at what waits
	sendTime    = 15 * time.Second // for one try, from the name to the answer
	holdTime    = 45 * time.Second // for which one instance alone sends; longer than a try
	noteTime    = 5 * time.Second  // to write down how a try went
	batch       = 100              // deliveries in a row before the sender looks whether it is to end
)

// Store is what this package needs from storage. Each method is one atomic step, durable on nil. Events of the kinds that
// passport.Told names are put among the deliveries in the transaction that writes them.
type Store interface {
	// Webhook reads the owner's webhook. Error: NotFound if there is none.
	Webhook(ctx context.Context) (passport.Webhook, error)
	// SetWebhook sets it, or another in its place, with the event. What waits goes to the new one.
	SetWebhook(ctx context.Context, w passport.Webhook, ev passport.Event) error
	// RemoveWebhook removes it and what waits, with the event.
	RemoveWebhook(ctx context.Context, ev passport.Event) error
	// TestWebhook adds an event to deliver, and lets what waits be tried at once. Error: NotFound.
	TestWebhook(ctx context.Context, ev passport.Event) error
	// NextDelivery makes holder the only one to send until a time, and returns the oldest event that waits. Error: NotFound if nothing
	// is due at now, or another holder sends.
	NextDelivery(ctx context.Context, holder string, now, until time.Time) (passport.Webhook, passport.Event, error)
	// NoteDelivery writes down how a try went, and lets others send. Error: Conflict if another sends by now.
	NoteDelivery(ctx context.Context, holder string, ev passport.Event, d passport.DeliveryNote) error
}

// Config is what a Sender works with. All fields but Allow are required.
type Config struct {
	Store     Store
	Box       *seal.Box
	Now       func() time.Time
	NewID     func() string
	Holder    string              // who sends: of several names one at a time. One that a restart keeps goes on at once
	Random    func(n int64) int64 // from 0 to n-1, for the jitter
	Log       *slog.Logger
	PublicURL string         // of this broker, for links to its pages
	Plain     bool           // http is taken for loopback addresses that Allow lists: this broker is itself on loopback
	Allow     []netip.Prefix // addresses that are dialled although they are not open to everyone
	UserAgent string
}

// Sender delivers events. Use New, then Run.
type Sender struct {
	c      Config
	client *http.Client
	poke   chan struct{} // has room for one
}

// New checks that nothing is missing.
func New(c Config) (*Sender, error) {
	if c.Store == nil || c.Box == nil || c.Now == nil || c.NewID == nil || c.Holder == "" || c.Random == nil || c.Log == nil || c.PublicURL == "" {
		return nil, errors.New("webhook: a store, a box, a clock, ids, a name, a source of chance, a log and a public address are needed")
	}
	return &Sender{c: c, client: newClient(c.Allow), poke: make(chan struct{}, 1)}, nil
}

// target is what is sealed of a webhook.
type target struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// Purpose and identity that a target is sealed for.
const (
	sealing = "webhook"
	rowID   = "owner"
)

// SecretPrefix begins every signing secret (Standard Webhooks, "Signature scheme").
const SecretPrefix = "whsec_"

// secretBytes is the length of a signing secret: the standard wants 24 to 64.
const secretBytes = 32

// Set makes an address the webhook and returns its new signing secret, which is shown once. Error: Invalid at field url.
func (s *Sender) Set(ctx context.Context, address, actor string) (string, error) {
	u, err := checkURL(address, s.c.Plain, s.c.Allow)
	if err != nil {
		return "", err
	}
	raw := make([]byte, secretBytes)
	rand.Read(raw) // never fails (crypto/rand)
	secret := SecretPrefix + base64.StdEncoding.EncodeToString(raw)
	plain, err := json.Marshal(target{u.String(), secret})
	if err != nil {
		return "", fmt.Errorf("write the webhook: %w", err)
	}
	sealed, err := s.c.Box.Seal(sealing, rowID, plain)
	if err != nil {
		return "", fmt.Errorf("seal the webhook: %w", err)
	}
	w := passport.Webhook{Site: u.Scheme + "://" + u.Host, Sealed: sealed, CreatedAt: s.c.Now()}
	if err := s.c.Store.SetWebhook(ctx, w, s.event(passport.WebhookSet, actor, "to "+clip(w.Site))); err != nil {
		return "", fmt.Errorf("store the webhook: %w", err)
	}
	s.hurry()
	return secret, nil
}

// Remove ends the telling.
func (s *Sender) Remove(ctx context.Context, actor string) error {
	return s.c.Store.RemoveWebhook(ctx, s.event(passport.WebhookRemoved, actor, ""))
}

// Test sends an event that says only that it is a test, as soon as what waits before it is over. Error: NotFound.
func (s *Sender) Test(ctx context.Context, actor string) error {
	err := s.c.Store.TestWebhook(ctx, s.event(passport.WebhookTested, actor, "a test"))
	if err == nil {
		s.hurry()
	}
	return err
}

// Status reads the webhook and how its last delivery went. Error: NotFound if there is none.
func (s *Sender) Status(ctx context.Context) (passport.Webhook, error) { return s.c.Store.Webhook(ctx) }

func (s *Sender) event(kind passport.EventKind, actor, note string) passport.Event {
	return passport.Event{ID: passport.EventID(s.c.NewID()), Kind: kind, At: s.c.Now().UTC(), Actor: actor, Note: note}
}

func clip(s string) string { return s[:min(len(s), 200)] }

// hurry lets Run look at once.
func (s *Sender) hurry() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends. A try that runs then is cut: it is made again by whoever sends next, with the same id.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-tick.C:
		}
		for range batch {
			if ctx.Err() != nil || !s.step(ctx) {
				break
			}
		}
	}
}

// step makes one try to deliver what is due, and says whether there may be more.
func (s *Sender) step(ctx context.Context) bool {
	// 1. Only one instance sends at a time. A crash after this line: another takes over when the time is up.
	now := s.c.Now()
	w, ev, err := s.c.Store.NextDelivery(ctx, s.c.Holder, now, now.Add(holdTime))
	if err != nil {
		if problem.KindOf(err) != problem.NotFound && ctx.Err() == nil {
			s.c.Log.Error("webhook: read what is to be delivered", "error", err.Error())
		}
		return false
	}
	// 2. Try. A crash after this line: it is sent again, with the same id.
	note := s.try(ctx, w, ev)
	if ctx.Err() != nil {
		return false // cut by us: that says nothing of the receiver
	}
	// 3. Write down how it went.
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := s.c.Store.NoteDelivery(noting, s.c.Holder, ev, note); err != nil {
		s.c.Log.Error("webhook: write down a delivery", "event", string(ev.ID), "error", err.Error())
		return false
	}
	return note.Over
}

// try sends an event once, and decides what follows.
func (s *Sender) try(ctx context.Context, w passport.Webhook, ev passport.Event) passport.DeliveryNote {
	now := s.c.Now()
	if now.Sub(ev.At) > maxAge {
		return passport.DeliveryNote{At: now, Error: "given up: it is more than a day old", Over: true}
	}
	out := s.send(ctx, w, ev)
	note := passport.DeliveryNote{At: s.c.Now(), Error: out.text, Over: out.text == "", Tries: w.Tries + 1}
	switch {
	case note.Over:
	case out.gone:
		note.Over = true
	case note.Tries >= maxTries:
		note.Over, note.Error = true, fmt.Sprintf("given up after %d tries: %s", maxTries, out.text)
	default:
		note.Next = note.At.Add(max(s.wait(note.Tries), min(out.after, longestWait)))
	}
	return note
}

// wait is how long after so many tries the next one is: four times as long each time, a quarter more or less by chance.
func (s *Sender) wait(tries int64) time.Duration {
	d := firstWait
	for range tries - 1 {
		d = min(4*d, longestWait)
	}
	return d - d/4 + time.Duration(s.c.Random(int64(d/2)))
}
