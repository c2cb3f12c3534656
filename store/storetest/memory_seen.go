package storetest

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

type seenKey struct {
	kind passport.SeenKind
	hash [32]byte
}

// Seen implements token.Store.
func (m *Memory) Seen(_ context.Context, kind passport.SeenKind, hash [32]byte, until time.Time) (fresh bool, err error) {
	err = m.do("Seen", func() error {
		if err := store.CheckSeen(kind, until); err != nil {
			return err
		}
		if _, there := m.seen[seenKey{kind, hash}]; !there {
			m.seen[seenKey{kind, hash}], fresh = stored(until), true
		}
		return nil
	})
	return fresh && err == nil, err
}

// SweepSeen implements token.Store.
func (m *Memory) SweepSeen(_ context.Context, now time.Time) (n int64, err error) {
	err = m.do("SweepSeen", func() error {
		for k, until := range m.seen {
			if !stored(now).Before(until) {
				delete(m.seen, k)
				n++
			}
		}
		return nil
	})
	return n, err
}
