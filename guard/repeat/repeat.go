// Package repeat is the sole owner of Idempotency-Keys: the hashes that they are kept as, the call that has one, and the answers that
// an owner lets be kept, sealed. It may not touch money, HTTP or a provider's format.
package repeat

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds.
const (
	MaxKey    = 255       // bytes of a key, as Stripe has it
	MaxAnswer = 256 << 10 // bytes of an answer that is kept; a larger one is not
)

// Purposes of what is hashed and sealed.
const (
	hashing = "idempotency-key"
	sealing = "answer"
)

// Store is what this package needs from storage. The key is taken with the hold of its call: meter.Ledger.
type Store interface {
	// First reads the call of a grant that has a key at a time, with its answer if that was kept. A settlement that was queued before is
	// seen. Error: NotFound.
	First(ctx context.Context, g passport.GrantID, key [32]byte, now time.Time) (passport.First, error)
	// KeepAnswer stores the sealed answer of a call, durable on nil; the same call again changes nothing. Of too many the oldest are
	// forgotten. Error: Forbidden if the owner does not let this grant's answers be kept, or it has ended.
	KeepAnswer(ctx context.Context, g passport.GrantID, id passport.ReservationID, sealed []byte, at time.Time) error
	// SweepClaims forgets keys and answers that are older than passport.ClaimLife, and says how many keys.
	SweepClaims(ctx context.Context, now time.Time) (int64, error)
}

// Keeper answers for calls that are sent again. Make it with its fields set; it is safe for use by several goroutines.
type Keeper struct {
	Store Store
	Box   *seal.Box
	Now   func() time.Time
}

// Answer is a whole answer as it went to the client.
type Answer struct {
	Stream bool   `json:"stream"` // of events
	Type   string `json:"type"`   // Content-Type
	Body   []byte `json:"-"`
}

// Earlier is what is known of the call that has a key.
type Earlier struct {
	Call   passport.Reservation
	Answer *Answer // nil: not kept
}

// Claim hashes a key and what was sent with it, each part apart, under a key of this installation: from the hashes nobody can tell
// whether a guess was right. Error: Invalid if the key is empty, too long or not printable ASCII.
func (k *Keeper) Claim(g passport.GrantID, key string, parts ...[]byte) (passport.Claim, error) {
	if err := check(key); err != nil {
		return passport.Claim{}, err
	}
	var c passport.Claim
	var err error
	if c.Key, err = k.Box.MAC(hashing, []byte("key"), []byte(g), []byte(key)); err != nil {
		return passport.Claim{}, fmt.Errorf("hash an idempotency key: %w", err)
	}
	if c.Body, err = k.Box.MAC(hashing, append([][]byte{[]byte("body"), []byte(g)}, parts...)...); err != nil {
		return passport.Claim{}, fmt.Errorf("hash a body: %w", err)
	}
	return c, nil
}

// check takes what draft-ietf-httpapi-idempotency-key-header-07 §2.1 allows in a string and what is sent without its quotes: the value
// is compared as it came.
func check(key string) error {
	if key == "" || len(key) > MaxKey {
		return problem.New(problem.Invalid, "must have 1 to %d characters", MaxKey).In("Idempotency-Key")
	}
	for _, b := range []byte(key) {
		if b < ' ' || b > '~' {
			return problem.New(problem.Invalid, "must be printable ASCII").In("Idempotency-Key")
		}
	}
	return nil
}

// Earlier says which call has the key of a claim. Errors: NotFound if none has it; KeyReused if that call was another.
func (k *Keeper) Earlier(ctx context.Context, g passport.GrantID, c passport.Claim) (Earlier, error) {
	f, err := k.Store.First(ctx, g, c.Key, k.Now())
	if err != nil {
		return Earlier{}, err
	}
	if f.Claim.Body != c.Body {
		return Earlier{Call: f.Call}, problem.New(problem.KeyReused, "this Idempotency-Key was used for call %s, which had another body or path: use a new key for a new call", f.Call.ID)
	}
	e := Earlier{Call: f.Call}
	if f.Kept == nil {
		return e, nil
	}
	plain, err := k.Box.Open(sealing, rowID(g, f.Call.ID), f.Kept)
	if err != nil {
		return e, fmt.Errorf("open the kept answer of %s: %w", f.Call.ID, err)
	}
	if e.Answer, err = unpack(plain); err != nil {
		return e, fmt.Errorf("read the kept answer of %s: %w", f.Call.ID, err)
	}
	return e, nil
}

// Keep seals an answer and stores it, bound to the row that it is in. Errors: Invalid if it is too large; those of Store.KeepAnswer.
func (k *Keeper) Keep(ctx context.Context, g passport.GrantID, id passport.ReservationID, a Answer) error {
	if len(a.Body) > MaxAnswer {
		return problem.New(problem.Invalid, "an answer of more than %d bytes is not kept", MaxAnswer)
	}
	plain, err := pack(a)
	if err != nil {
		return fmt.Errorf("write the answer of %s: %w", id, err)
	}
	sealed, err := k.Box.Seal(sealing, rowID(g, id), plain)
	if err != nil {
		return fmt.Errorf("seal the answer of %s: %w", id, err)
	}
	return k.Store.KeepAnswer(ctx, g, id, sealed, k.Now())
}

// Sweep forgets what is older than passport.ClaimLife.
func (k *Keeper) Sweep(ctx context.Context) (int64, error) { return k.Store.SweepClaims(ctx, k.Now()) }

// rowID is the identity of an answer's row, which its seal is bound to.
func rowID(g passport.GrantID, id passport.ReservationID) string {
	return hex.EncodeToString([]byte(g)) + "/" + hex.EncodeToString([]byte(id))
}

// pack writes the length of the head, the head as JSON, and the body.
func pack(a Answer) ([]byte, error) {
	head, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	out := binary.AppendUvarint(make([]byte, 0, len(head)+len(a.Body)+4), uint64(len(head)))
	return append(append(out, head...), a.Body...), nil
}

func unpack(plain []byte) (*Answer, error) {
	n, size := binary.Uvarint(plain)
	if size <= 0 || n > uint64(len(plain)-size) {
		return nil, errors.New("a head that is longer than the whole")
	}
	head, body := plain[size:size+int(n)], plain[size+int(n):]
	var a Answer
	if err := json.NewDecoder(bytes.NewReader(head)).Decode(&a); err != nil {
		return nil, err
	}
	a.Body = body
	return &a, nil
}
