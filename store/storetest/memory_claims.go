package storetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

type claimKey struct {
	grant passport.GrantID
	key   [32]byte
}

// claim is which call has a key.
type claim struct {
	body [32]byte
	call passport.ReservationID
	at   time.Time
}

type answer struct {
	grant  passport.GrantID
	sealed []byte
	at     time.Time
}

// checkClaim refuses a hold whose key is taken.
func (m *Memory) checkClaim(h passport.Hold) error {
	c, taken := m.claims[claimKey{h.Grant, h.Claim.Key}]
	if !h.Claim.Set() || !taken || store.Lapsed(c.at, stored(h.At)) {
		return nil
	}
	return store.Claimed(h, c.body)
}

func (m *Memory) freeClaim(s passport.Settlement) {
	k := claimKey{s.Grant, s.Claim.Key}
	if s.Frees() && m.claims[k].call == s.ID {
		delete(m.claims, k)
	}
}

// First implements repeat.Store.
func (m *Memory) First(_ context.Context, g passport.GrantID, key [32]byte, now time.Time) (f passport.First, err error) {
	err = m.do("First", func() error {
		c, taken := m.claims[claimKey{g, key}]
		if !taken || store.Lapsed(c.at, stored(now)) {
			return store.NotFound("call")
		}
		f = passport.First{Claim: passport.Claim{Key: key, Body: c.body}, Call: m.calls[c.call].Reservation, Kept: m.answers[c.call].sealed}
		return nil
	})
	return f, err
}

// KeepAnswer implements repeat.Store.
func (m *Memory) KeepAnswer(_ context.Context, g passport.GrantID, id passport.ReservationID, sealed []byte, at time.Time) error {
	return m.do("KeepAnswer", func() error {
		if err := store.CheckAnswer(sealed); err != nil {
			return err
		}
		if a := m.accounts[g]; a == nil || !store.Keeps(a.grant) {
			return store.NotKept(g)
		}
		if _, there := m.answers[id]; !there {
			m.answers[id] = answer{g, bytes.Clone(sealed), stored(at)}
		}
		m.dropSpareAnswers()
		return nil
	})
}

func (m *Memory) dropSpareAnswers() {
	if len(m.answers) <= store.MaxAnswers {
		return
	}
	var ids []passport.ReservationID
	for id := range m.answers {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b passport.ReservationID) int {
		return cmp.Or(m.answers[b].at.Compare(m.answers[a].at), cmp.Compare(b, a))
	})
	for _, id := range ids[store.MaxAnswers:] {
		delete(m.answers, id)
	}
}

func (m *Memory) dropAnswers(g passport.Grant) {
	for id, a := range m.answers {
		if a.grant == g.ID && !store.Keeps(g) {
			delete(m.answers, id)
		}
	}
}

// SweepClaims implements repeat.Store.
func (m *Memory) SweepClaims(_ context.Context, now time.Time) (n int64, err error) {
	err = m.do("SweepClaims", func() error {
		for k, c := range m.claims {
			if store.Lapsed(c.at, stored(now)) {
				delete(m.claims, k)
				n++
			}
		}
		for id, a := range m.answers {
			if store.Lapsed(a.at, stored(now)) {
				delete(m.answers, id)
			}
		}
		return nil
	})
	return n, err
}
