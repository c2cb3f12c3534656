package passport

import "time"

// Webhook is where the owner wants to be told of events, and how the last delivery went.
type Webhook struct {
	Site      string // scheme and host, for the owner's eyes: the rest of an address may be a secret
	Sealed    []byte // address and signing secret, sealed; nobody but the webhook package can open it
	CreatedAt time.Time
	Waiting   int64 // deliveries that are not over

	// Of the delivery that is next.
	Tries  int64     // made so far
	NextAt time.Time // zero: at once

	// Of the last try, whichever delivery it was of.
	LastAt    time.Time // zero: none yet
	LastKind  EventKind
	LastError string // empty: it was delivered
}

// DeliveryNote is how one try to deliver went.
type DeliveryNote struct {
	At    time.Time
	Error string // short and plain, without the address; empty: delivered
	Over  bool   // delivered or given up: the next event may go
	Tries int64  // made so far; for a delivery that is not over
	Next  time.Time
}

// MaxDeliveryError bounds DeliveryNote.Error, in bytes.
const MaxDeliveryError = 200

// Told says whether the owner's webhook is told of a kind of event. Nothing is in the list that a stranger or an app can make as often
// as it likes: what waits for delivery is bounded by what the owner does and by the marks that grants pass. That a key is refused is marked
// once in ten minutes at most (gateway.KeyMarks).
func Told(k EventKind) bool {
	switch k {
	case GrantApproved, GrantRaised, GrantAdjusted, GrantWasRevoked, GrantWasPaused, GrantResumed, GrantFrozen, GrantNearCap, GrantSpent, GrantNearCalls, GrantCallsSpent,
		GrantFirstUsed, GrantUnusual, CredentialRefused, CeilingNear, CeilingSpent, AppsStopped, AppsResumed, WebhookTested:
		return true
	default:
		return false
	}
}
