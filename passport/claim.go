package passport

import "time"

// Claim is an Idempotency-Key with what it was sent with (draft-ietf-httpapi-idempotency-key-header-07 §2): the first call of a grant
// that is held under a key has it, and no other is. Both are keyed hashes: neither the key nor the body can be read or guessed from
// them. The zero Claim is that of a call without a key.
type Claim struct {
	Key  [32]byte // of the key
	Body [32]byte // of method, path, query and body, so that the key is not used for something else
}

// Set says whether there is a key.
func (c Claim) Set() bool { return c != Claim{} }

// ClaimLife is how long a key is kept: from its hold on.
const ClaimLife = 24 * time.Hour

// First is the call that has a key, with its answer if that was kept.
type First struct {
	Claim Claim
	Call  Reservation
	Kept  []byte // sealed; nil: the answer was not kept, or is not there yet
}

// Frees says whether an outcome gives the key of its call free, so that another attempt may be made: nothing was charged, and the
// caller has been told that it went wrong.
func (s Settlement) Frees() bool {
	return s.Claim.Set() && s.Actual == 0 && (s.Why == NotSent || s.Why == ProviderError)
}
