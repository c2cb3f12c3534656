package passport

import (
	"errors"
	"time"
)

// ErrNotHeld is among the causes of an error of a hold that was not even begun: there is nothing to give back.
var ErrNotHeld = errors.New("nothing was held")

// Lacks is the cause of a refusal by a budget of the grant: how much more money the call would have needed.
type Lacks struct{ More Money }

func (l Lacks) Error() string { return l.More.String() + " more is needed" }

// Hold asks the ledger to set money aside for one call, at its worst case.
type Hold struct {
	ID       ReservationID
	Grant    GrantID
	Detail   int // index in Grant.Details
	Provider Provider
	// Credential is the key that will be lent; empty where the provider needs none.
	Credential CredentialID
	Model      string
	Stream     bool
	Amount     Money // wanted
	Least      Money // the smallest that will do; equal to Amount unless the output cap is ours to choose
	Tariff     string
	Claim      Claim // zero: the caller sent no Idempotency-Key
	At         time.Time
}

// Ceilings are those that can be on the path of the hold, in the order in which they are looked at: of who pays for its grant, which the
// store knows.
func (h Hold) Ceilings(payer Payer) []CeilingID {
	out := []CeilingID{PersonCeilingOf(payer), KeyCeilingOf(payer, h.Provider), ""}
	if h.Credential == "" {
		return out[:2]
	}
	out[2] = CredentialCeiling(h.Credential)
	return out
}

// Held is what the ledger set aside, and what is left after it.
type Held struct {
	Amount Money   // Least <= Amount <= the Amount asked
	Total  Balance // of the grant
	Detail Balance // of the detail used; the same as Total where a grant has one detail
	Left   Money   // the smallest that is left on the whole path: grant, detail, ceilings
}

// Settlement replaces a hold by what was used.
type Settlement struct {
	ID      ReservationID
	Grant   GrantID
	Actual  Money // may be above the hold: then all of it is recorded and the grant is frozen (paused)
	Reached bool  // bytes of the call went to the provider; if not, the call is given back to maxRequests too
	Usage   Usage
	Why     Outcome
	Claim   Claim // of the hold
	At      time.Time
}

// Outcome says how a call ended.
type Outcome string

// How calls end.
const (
	Finished      Outcome = "finished"       // the provider answered in full
	NoUsage       Outcome = "no_usage"       // answered, but without usage that can be believed: charged in full
	NotSent       Outcome = "not_sent"       // nothing left for the provider
	ProviderError Outcome = "provider_error" // the provider refused with an error it does not bill
	Broken        Outcome = "broken"         // the provider's answer broke off: what was seen of a stream, else in full
	ClientLeft    Outcome = "client_left"    // likewise
	Recalled      Outcome = "recalled"       // revoked, paused or expired in mid-call: likewise
	Orphaned      Outcome = "orphaned"       // outcome lost in a crash: charged in full
)

// ReservationState is where a reservation stands; all but held are final.
type ReservationState string

// The states of a reservation.
const (
	ReservationHeld    ReservationState = "held"
	ReservationSettled ReservationState = "settled"
	ReservationSwept   ReservationState = "swept" // charged in full by recovery
)

// Reservation is money held, or once held, for one call.
type Reservation struct {
	ID       ReservationID
	Grant    GrantID
	Detail   int
	Provider Provider
	// Credential is the key that was lent; empty: none was needed, or it was not noted.
	Credential CredentialID
	Model      string
	Stream     bool
	State      ReservationState
	Amount     Money
	Actual     Money // once settled or swept
	Usage      Usage
	Why        Outcome
	Tariff     string
	CreatedAt  time.Time
	EndedAt    time.Time // zero while held
}
