package token

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Shown is what a caller shows, and how. The zero values show a bearer.
type Shown struct {
	Access string // a token or an SDK key
	DPoP   bool   // it came as Authorization: DPoP (RFC 9449 §7.1), and not as a bearer or an API key
	Asked         // needed with DPoP only
}

// Admit is Identify of what comes with a request. A token that is bound to a key works with the scheme DPoP and a proof of that key for just
// this request, used once; one that is not does not work with that scheme (RFC 9449 §7.2). Errors: those of Identify; Unauthenticated in
// ProofField, NonceField or SchemeField; Busy if more proofs came than are remembered.
func (s *Service) Admit(ctx context.Context, by Shown) (Passport, passport.Standing, error) {
	p, err := s.either(ctx, by.Access)
	if err != nil {
		return Passport{}, passport.Standing{}, err
	}
	var shown proof
	switch {
	case p.Confirm == "" && !by.DPoP: // a bearer
	case p.Confirm == "":
		return Passport{}, passport.Standing{}, problem.New(problem.Unauthenticated, "This is not bound to a key: send it as Bearer, not as DPoP").In(SchemeField)
	case !by.DPoP:
		return Passport{}, passport.Standing{}, errBound
	default:
		if shown, err = s.check(by.Asked, by.Access, p.Confirm); err != nil {
			return Passport{}, passport.Standing{}, err
		}
	}
	standing, err := s.live(ctx, p)
	if err == nil && p.Confirm != "" { // last: what nobody could use writes nothing
		err = s.once(ctx, shown, &s.shown, shown.jkt)
	}
	if err != nil {
		return Passport{}, passport.Standing{}, err
	}
	return p, standing, nil
}

var errBound = problem.New(problem.Unauthenticated, "This token is bound to a key: send it as 'Authorization: DPoP' with a proof in the header DPoP").In(SchemeField)

// Prove returns the thumbprint of the key that a request proves, which brings no token along; "" if it has no proof. The proof is used up.
// Errors: Unauthenticated in ProofField or NonceField; Busy.
func (s *Service) Prove(ctx context.Context, a Asked) (jkt string, err error) {
	if len(a.Proofs) == 0 {
		return "", nil
	}
	p, err := s.check(a, "", "")
	if err == nil {
		err = s.once(ctx, p, &s.proved, a.From)
	}
	if err != nil {
		return "", err
	}
	return p.jkt, nil
}

// once takes a proof that no instance has seen, and counts it for whoever sent it.
func (s *Service) once(ctx context.Context, p proof, t *tally, by string) error {
	if wait := t.count(by, s.cfg.Now()); wait > 0 {
		return problem.New(problem.Busy, "more DPoP proofs came than are remembered").After(wait)
	}
	fresh, err := s.cfg.Store.Seen(ctx, passport.SeenProof, p.hash, p.until)
	if err != nil {
		return fmt.Errorf("remember a proof: %w", err)
	}
	if !fresh {
		return badProof("the proof has been used before: each request needs one of its own, with its own jti")
	}
	return nil
}

// SweepSeen forgets the proofs, and what else the store remembers as seen, that are too old to be taken. Once a minute is meant.
func (s *Service) SweepSeen(ctx context.Context) (int64, error) {
	n, err := s.cfg.Store.SweepSeen(ctx, s.cfg.Now())
	if err != nil {
		return n, fmt.Errorf("forget old proofs: %w", err)
	}
	return n, nil
}

// Bounds of the proofs that an instance takes in one nonceSlot. Each is a row for at most four of these. Strangers can make proofs where no
// token is asked for: those have a bound of their own, so that they take no room from calls.
const (
	maxShown  = 240_000 // with tokens; 2000 a second
	maxOfKey  = 60_000  // of these, of one key
	maxProved = 24_000  // without a token
	maxOfFrom = 2_400   // of these, of one network: keys cost nothing, so who has many must not keep others from their tokens
)

// tally counts proofs in the slot that runs.
type tally struct {
	most, ofOne int

	mu     sync.Mutex // guards the fields below
	slot   int64
	all    int
	counts map[string]int // by who sent them, a key or a network; at most as many as all
}

// count counts a proof by who sent it, or says how long to wait until there is room again.
func (t *tally) count(by string, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seconds := int64(nonceSlot / time.Second)
	if slot := now.Unix() / seconds; slot != t.slot || t.counts == nil {
		t.slot, t.all, t.counts = slot, 0, map[string]int{}
	}
	if t.all >= t.most || t.counts[by] >= t.ofOne {
		return time.Unix((t.slot+1)*seconds, 0).Sub(now)
	}
	t.all++
	t.counts[by]++
	return 0
}
