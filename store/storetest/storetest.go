// Package storetest is the contract of storage, as tests: what every store must do (Run), and a store without a disk that
// keeps it and fails on demand (Memory). Only tests import it.
package storetest

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/authority/device"
	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/openrouter"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/guard/roster"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/webhook"
)

// Store is all that the broker wants of storage.
type Store interface {
	meter.Ledger
	repeat.Store
	token.Store
	vault.Sealed
	roster.Store
	authority.Store
	authority.History
	authority.Ceilings
	authority.Watching
	authority.Notices
	authority.SDKKeys
	device.Codes
	device.Shown
	authority.Family
	identity.Store
	openrouter.Store
	client.Store
	client.Lists
	oauth.Store
	webhook.Store

	// Forget removes what ended and nothing reads any more, and says how many rows: never money, events or what could still be shown to us.
	Forget(ctx context.Context, now time.Time) (int64, error)
	// Events returns what happened, in the order of commits, after a sequence number (0: from the first), at most limit,
	// and the number to go on from.
	Events(ctx context.Context, after int64, limit int) (events []passport.Event, last int64, err error)
	// VerifyLedger lists every grant whose balances differ from the sums of its reservations, in words.
	VerifyLedger(ctx context.Context) ([]string, error)
	// Close commits what is queued, then lets go of the disk.
	Close() error
}

var _ Store = (*Memory)(nil)
