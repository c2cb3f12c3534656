package passport

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Bounds of what is kept of identities at other issuers (OpenID Connect Core 1.0 §2: a subject has at most 255 bytes).
const (
	MaxIdentities = 5 // of one person
	MaxIssuer     = 500
	MaxSubject    = 255
	MaxEmail      = 254
)

// Identity is what an OpenID provider says that somebody is. Issuer and subject name it; an e-mail address never does, because it can get
// another holder.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool      // the provider says that the address is theirs; not kept
	AuthTime        time.Time // when they signed in there; zero: it does not say. Not kept

	Person   PersonID // whose it is here; empty: nobody's yet
	LinkedAt time.Time
}

// Hash names an identity. Neither part can hold the byte between them.
func (i Identity) Hash() [32]byte { return sha256.Sum256([]byte(i.Issuer + "\x00" + i.Subject)) }

// ID is the hash in hexadecimal.
func (i Identity) ID() string { h := i.Hash(); return hex.EncodeToString(h[:]) }
