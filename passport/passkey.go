package passport

import "time"

// Bounds of passkeys: how many one person has, what one is called in bytes, and how long the id of one is (WebAuthn Level 3 §4, credential ID).
const (
	MaxPasskeys     = 20
	MaxPasskeyLabel = 60
	MaxPasskeyID    = 1023
)

// Passkey is a credential by which a person signs in (WebAuthn Level 3 §4, credential record). Nothing in it is secret.
type Passkey struct {
	ID         []byte
	Person     PersonID
	PublicKey  []byte // COSE_Key
	SignCount  uint32
	Transports string // separated by commas, as the browser named them
	Eligible   bool   // may be on several devices; never changes
	BackedUp   bool   // is on several devices, or was when it was last used
	Label      string
	CreatedAt  time.Time
	UsedAt     time.Time // zero: never
}
