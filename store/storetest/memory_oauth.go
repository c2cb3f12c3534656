package storetest

import (
	"context"
	"maps"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// door is what the authorization server keeps. Make it with newDoor.
type door struct {
	pushed  map[[32]byte]passport.Pushed
	asked   map[passport.GrantID]passport.Authorization
	refresh map[[32]byte]passport.Refresh
}

func newDoor() door {
	return door{map[[32]byte]passport.Pushed{}, map[passport.GrantID]passport.Authorization{}, map[[32]byte]passport.Refresh{}}
}

// AddPushed implements oauth.Store.
func (m *Memory) AddPushed(_ context.Context, p passport.Pushed) error {
	return m.do("AddPushed", func() error {
		p.CreatedAt, p.ExpiresAt = stored(p.CreatedAt), stored(p.ExpiresAt)
		maps.DeleteFunc(m.door.pushed, func(_ [32]byte, old passport.Pushed) bool { return !old.ExpiresAt.After(p.CreatedAt) })
		if len(m.door.pushed) >= passport.MaxPushed {
			return store.TooManyPushed()
		}
		if _, ok := m.door.pushed[p.Hash]; ok {
			return store.Exists("request")
		}
		m.door.pushed[p.Hash] = p
		return nil
	})
}

// TakePushed implements oauth.Store.
func (m *Memory) TakePushed(_ context.Context, hash [32]byte, client passport.ClientID, now time.Time) (p passport.Pushed, err error) {
	err = m.do("TakePushed", func() error {
		got, ok := m.door.pushed[hash]
		if !ok || got.Client != client || !got.ExpiresAt.After(now) {
			return store.NotFound("request")
		}
		delete(m.door.pushed, hash)
		p = got
		return nil
	})
	return p, err
}

// AddAuthorization implements oauth.Store.
func (m *Memory) AddAuthorization(_ context.Context, a passport.Authorization) error {
	return m.do("AddAuthorization", func() error {
		a.CreatedAt, a.ExpiresAt = stored(a.CreatedAt), stored(a.ExpiresAt)
		old := a.CreatedAt.Add(-passport.AuthorizedMemory)
		maps.DeleteFunc(m.door.asked, func(g passport.GrantID, o passport.Authorization) bool {
			return !o.ExpiresAt.After(old) || m.accounts[g] == nil
		})
		if _, ok := m.door.asked[a.Grant]; ok {
			return store.Exists("authorization")
		}
		a.Code, a.CodeUntil, a.RedeemedAt, a.GivenAt = [32]byte{}, time.Time{}, time.Time{}, time.Time{}
		m.door.asked[a.Grant] = a
		return nil
	})
}

// Authorization implements oauth.Store.
func (m *Memory) Authorization(_ context.Context, g passport.GrantID) (a passport.Authorization, err error) {
	err = m.do("Authorization", func() error {
		var ok bool
		if a, ok = m.door.asked[g]; !ok {
			return store.NotFound("authorization")
		}
		return nil
	})
	return a, err
}

// byCode is called with mu held.
func (m *Memory) byCode(code [32]byte) (passport.Authorization, bool) {
	for _, a := range m.door.asked {
		if a.Code == code && code != [32]byte{} {
			return a, true
		}
	}
	return passport.Authorization{}, false
}

// AuthorizationByCode implements oauth.Store.
func (m *Memory) AuthorizationByCode(_ context.Context, code [32]byte) (a passport.Authorization, err error) {
	err = m.do("AuthorizationByCode", func() error {
		var ok bool
		if a, ok = m.byCode(code); !ok {
			return store.NotFound("authorization")
		}
		return nil
	})
	return a, err
}

// SetCode implements oauth.Store.
func (m *Memory) SetCode(_ context.Context, g passport.GrantID, code [32]byte, until time.Time, ev passport.Event) error {
	return m.do("SetCode", func() error {
		a, ok := m.door.asked[g]
		if !ok || !a.RedeemedAt.IsZero() {
			return store.Redeemed()
		}
		a.Code, a.CodeUntil = code, stored(until)
		m.door.asked[g] = a
		m.note(ev)
		return nil
	})
}

// RedeemCode implements oauth.Store.
func (m *Memory) RedeemCode(_ context.Context, code [32]byte, at time.Time) error {
	return m.do("RedeemCode", func() error {
		a, ok := m.byCode(code)
		if !ok || !a.RedeemedAt.IsZero() {
			return store.Redeemed()
		}
		a.RedeemedAt = stored(at)
		m.door.asked[a.Grant] = a
		return nil
	})
}

// AddRefresh implements oauth.Store.
func (m *Memory) AddRefresh(_ context.Context, r passport.Refresh, code [32]byte) error {
	return m.do("AddRefresh", func() error {
		if m.accounts[r.Grant] == nil {
			return store.NotFound("grant")
		}
		if _, ok := m.door.refresh[r.Hash]; ok {
			return store.Exists("refresh token")
		}
		last := int64(0)
		for _, o := range m.door.refresh {
			if o.Grant == r.Grant {
				last = max(last, o.Seq)
			}
		}
		m.door.refresh[r.Hash] = passport.Refresh{Hash: r.Hash, Grant: r.Grant, Seq: last + 1, IssuedAt: stored(r.IssuedAt)}
		if a, ok := m.byCode(code); ok && !a.RedeemedAt.IsZero() && a.GivenAt.IsZero() {
			a.GivenAt = stored(r.IssuedAt)
			m.door.asked[a.Grant] = a
		}
		return nil
	})
}

// Refresh implements oauth.Store.
func (m *Memory) Refresh(_ context.Context, hash [32]byte) (r passport.Refresh, err error) {
	err = m.do("Refresh", func() error {
		var ok bool
		if r, ok = m.door.refresh[hash]; !ok {
			return store.NotFound("refresh token")
		}
		return nil
	})
	return r, err
}

// RotateRefresh implements oauth.Store.
func (m *Memory) RotateRefresh(_ context.Context, old, next [32]byte, at time.Time) error {
	return m.do("RotateRefresh", func() error {
		r, ok := m.door.refresh[old]
		if !ok {
			return store.NotFound("refresh token")
		}
		s, there := m.door.refresh[next]
		if !r.UsedAt.IsZero() {
			if !there || !store.SameAgain(r, s, at) {
				return store.Reused()
			}
			return nil
		}
		if there {
			return store.Exists("refresh token")
		}
		r.UsedAt = stored(at)
		m.door.refresh[old] = r
		m.door.refresh[next] = passport.Refresh{Hash: next, Grant: r.Grant, Seq: r.Seq + 1, IssuedAt: stored(at)}
		maps.DeleteFunc(m.door.refresh, func(_ [32]byte, o passport.Refresh) bool {
			return o.Grant == r.Grant && o.Seq <= r.Seq-passport.MaxRefresh && !o.UsedAt.IsZero()
		})
		return nil
	})
}
