package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// sdkKey is an SDK key without what its token has.
type sdkKey struct {
	passport.SDKKey
	hash [32]byte
}

// AddSDKKey implements token.Store.
func (m *Memory) AddSDKKey(_ context.Context, k passport.SDKKey, hash [32]byte, ev passport.Event) error {
	return m.do("AddSDKKey", func() error {
		t := passport.Token{ID: k.ID, Grant: k.Grant, IssuedAt: stored(k.CreatedAt), ExpiresAt: stored(k.ExpiresAt)}
		if err := m.mayHaveToken(t); err != nil {
			return err
		}
		works := 0
		for _, other := range m.sdkKeys {
			if other.hash == hash {
				return store.Exists("SDK key")
			}
			if other.Grant == k.Grant && m.whole(other).Works(t.IssuedAt) {
				works++
			}
		}
		if works >= passport.MaxSDKKeys {
			return store.TooManySDKKeys()
		}
		m.tokens[t.ID], m.sdkKeys[k.ID] = t, sdkKey{k, hash}
		m.note(ev)
		return nil
	})
}

// whole is a key with what its token has.
func (m *Memory) whole(k sdkKey) passport.SDKKey {
	t, out := m.tokens[k.ID], k.SDKKey
	out.CreatedAt, out.ExpiresAt, out.RevokedAt = t.IssuedAt, t.ExpiresAt, t.RevokedAt
	return out
}

// TokenOfSDKKey implements token.Store.
func (m *Memory) TokenOfSDKKey(_ context.Context, hash [32]byte) (t passport.Token, err error) {
	err = m.do("TokenOfSDKKey", func() error {
		for id, k := range m.sdkKeys {
			if k.hash == hash {
				t = m.tokens[id]
				return nil
			}
		}
		return store.NotFound("SDK key")
	})
	return t, err
}

// UsedSDKKeys implements token.Store.
func (m *Memory) UsedSDKKeys(_ context.Context, used map[passport.TokenID]time.Time) error {
	return m.do("UsedSDKKeys", func() error {
		for id, at := range used {
			if k, ok := m.sdkKeys[id]; ok && at.After(k.UsedAt) {
				k.UsedAt = stored(at)
				m.sdkKeys[id] = k
			}
		}
		return nil
	})
}

// SDKKeys implements authority.SDKKeys.
func (m *Memory) SDKKeys(_ context.Context, g passport.GrantID, limit int) (out []passport.SDKKey, err error) {
	err = m.do("SDKKeys", func() error {
		for _, k := range m.sdkKeys {
			if k.Grant == g {
				out = append(out, m.whole(k))
			}
		}
		slices.SortFunc(out, func(a, b passport.SDKKey) int { return cmp.Compare(b.ID, a.ID) })
		out = out[:min(len(out), limit)]
		return nil
	})
	return out, err
}

// RevokeSDKKey implements authority.SDKKeys.
func (m *Memory) RevokeSDKKey(_ context.Context, g passport.GrantID, id passport.TokenID, ev passport.Event) error {
	return m.do("RevokeSDKKey", func() error {
		if k, ok := m.sdkKeys[id]; !ok || k.Grant != g {
			return store.NotFound("SDK key")
		}
		return m.endToken(id, ev)
	})
}

// RevokeToken implements authority.SDKKeys.
func (m *Memory) RevokeToken(_ context.Context, g passport.GrantID, id passport.TokenID, ev passport.Event) error {
	return m.do("RevokeToken", func() error {
		if t, ok := m.tokens[id]; !ok || t.Grant != g {
			return store.NoToken()
		}
		return m.endToken(id, ev)
	})
}

// LiveTokens implements authority.SDKKeys.
func (m *Memory) LiveTokens(_ context.Context, g passport.GrantID, now time.Time, limit int) (out []passport.Token, err error) {
	err = m.do("LiveTokens", func() error {
		for id, t := range m.tokens {
			if _, key := m.sdkKeys[id]; !key && t.Grant == g && t.RevokedAt.IsZero() && t.ExpiresAt.After(stored(now)) {
				out = append(out, t)
			}
		}
		slices.SortFunc(out, func(a, b passport.Token) int {
			return cmp.Or(b.ExpiresAt.Compare(a.ExpiresAt), cmp.Compare(b.ID, a.ID))
		})
		out = first(out, limit)
		return nil
	})
	return out, err
}

func (m *Memory) endToken(id passport.TokenID, ev passport.Event) error {
	t := m.tokens[id]
	if !t.RevokedAt.IsZero() {
		return nil
	}
	t.RevokedAt = stored(ev.At)
	m.tokens[id] = t
	m.note(ev)
	return nil
}
