package token

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// nonceSlot is how long a nonce is the newest. It is taken for one to two of these, and is known to nobody before: so a proof that
// was signed in store, by who has the use of a key for a moment, is good for that long (RFC 9449 §11.2).
const nonceSlot = 2 * time.Minute

// nonceBytes of the keyed hash are in a nonce.
const nonceBytes = 16

// noncing is the purpose of the key that nonces are made with: every instance with the same key file makes the same.
const noncing = "dpop-nonce"

// nonces are those that are taken while a slot lasts. The next is one of them: an instance whose clock is ahead gives it out.
type nonces struct {
	slot int64
	text [3]string // of the slot before, of this one, of the next
}

// Nonce is the one that proofs are to have from now on (RFC 9449 §8). Error: the key file cannot be made.
func (s *Service) Nonce() (string, error) {
	n, err := s.nonces()
	if err != nil {
		return "", err
	}
	return n.text[1], nil
}

func (s *Service) nonces() (*nonces, error) {
	slot := s.cfg.Now().Unix() / int64(nonceSlot/time.Second)
	if n := s.nonce.Load(); n != nil && n.slot == slot {
		return n, nil
	}
	n := &nonces{slot: slot}
	for i := range n.text {
		sum, err := s.cfg.Box.MAC(noncing, binary.BigEndian.AppendUint64(nil, uint64(slot+int64(i)-1)))
		if err != nil {
			return nil, fmt.Errorf("make a nonce: %w", err)
		}
		n.text[i] = base64.RawURLEncoding.EncodeToString(sum[:nonceBytes])
	}
	s.nonce.Store(n)
	return n, nil
}

// nonceEnds says until when no instance forgets a proof with a nonce: a slot longer than one whose clock is right takes it. Error: the nonce
// is not one of ours, or is too old, or there is none.
func (s *Service) nonceEnds(nonce string) (time.Time, error) {
	n, err := s.nonces()
	if err != nil {
		return time.Time{}, err
	}
	for i, text := range n.text {
		if subtle.ConstantTimeCompare([]byte(nonce), []byte(text)) == 1 {
			ends := n.slot + int64(i) - 1 + 3 // it is taken in its slot and the one after
			return time.Unix(ends*int64(nonceSlot/time.Second), 0).UTC(), nil
		}
	}
	return time.Time{}, problem.New(problem.Unauthenticated, "the proof needs the nonce that this answer has in its header DPoP-Nonce").In(NonceField)
}
