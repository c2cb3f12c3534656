package storetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Forget implements Store.
func (m *Memory) Forget(_ context.Context, now time.Time) (n int64, err error) {
	err = m.do("Forget", func() error {
		now = stored(now)
		over := func(end time.Time, kept time.Duration) bool { return !now.Add(-kept).Before(end) }
		n += drop(m.sdkKeys, func(id passport.TokenID, _ sdkKey) bool { return over(m.tokens[id].ExpiresAt, store.SDKKeysKept) })
		n += drop(m.tokens, func(id passport.TokenID, t passport.Token) bool {
			_, key := m.sdkKeys[id]
			return !key && over(t.ExpiresAt, store.TokensKept)
		})
		n += drop(m.door.pushed, func(_ [32]byte, p passport.Pushed) bool { return over(p.ExpiresAt, 0) })
		n += drop(m.door.asked, func(_ passport.GrantID, a passport.Authorization) bool {
			return over(a.ExpiresAt, passport.AuthorizedMemory)
		})
		n += drop(m.once.devices, func(_ [32]byte, d passport.DeviceCode) bool { return over(d.ExpiresAt, store.OneTimeKept) })
		n += drop(m.once.keys, func(_ passport.GrantID, k passport.KeyRequest) bool { return over(k.CreatedAt, store.OneTimeKept) })
		n += drop(m.sessions, func(_ [32]byte, s passport.Session) bool { return over(s.ExpiresAt, 0) })
		n += drop(m.bearers, func(_ [32]byte, t passport.OwnerToken) bool { return !t.ExpiresAt.IsZero() && over(t.ExpiresAt, 0) })
		n += drop(m.invited, func(_ [32]byte, v passport.Invitation) bool { return over(v.ExpiresAt, 0) })
		n += drop(m.door.refresh, func(_ [32]byte, r passport.Refresh) bool {
			return over(m.accounts[r.Grant].grant.ExpiresAt, store.RefreshKept)
		})
		n += drop(m.told, func(t told, _ bool) bool { return m.toldLongAgo(t, now.Add(-store.ToldKept)) })
		return nil
	})
	return n, err
}

// toldLongAgo says whether what is told of was over at a time.
func (m *Memory) toldLongAgo(t told, before time.Time) bool {
	subject, about, _ := strings.Cut(t.subject, "/")
	switch t.kind {
	case passport.GrantUnusual:
		return about < before.UTC().Format(time.DateOnly)
	case passport.CeilingNear, passport.CeilingSpent:
		return about < fmt.Sprint(passport.MonthOf(before))
	}
	a := m.accounts[passport.GrantID(subject)]
	return a != nil && !a.grant.ExpiresAt.IsZero() && !before.Before(a.grant.ExpiresAt)
}

func drop[K comparable, V any](all map[K]V, gone func(K, V) bool) (n int64) {
	for k, v := range all {
		if gone(k, v) {
			delete(all, k)
			n++
		}
	}
	return n
}
