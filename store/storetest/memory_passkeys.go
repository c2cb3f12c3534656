package storetest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

func (m *Memory) passkeysOf(who passport.PersonID) (out []passport.Passkey) {
	for _, k := range m.passkeys {
		if k.Person == who {
			k.ID, k.PublicKey = bytes.Clone(k.ID), bytes.Clone(k.PublicKey)
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b passport.Passkey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), bytes.Compare(a.ID, b.ID))
	})
	return out
}

// AddPasskey implements identity.Store.
func (m *Memory) AddPasskey(_ context.Context, k passport.Passkey, ev passport.Event) error {
	return m.do("AddPasskey", func() error {
		if err := store.CheckPasskey(k); err != nil {
			return err
		}
		if len(m.passkeysOf(k.Person)) >= passport.MaxPasskeys {
			return store.TooManyPasskeys()
		}
		if err := mustBeFree(m.passkeys, string(k.ID), "passkey"); err != nil {
			return err
		}
		k.ID, k.PublicKey, k.CreatedAt, k.UsedAt = bytes.Clone(k.ID), bytes.Clone(k.PublicKey), stored(k.CreatedAt), time.Time{}
		m.passkeys[string(k.ID)] = k
		m.note(ev)
		return nil
	})
}

// Passkeys implements identity.Store.
func (m *Memory) Passkeys(_ context.Context, who passport.PersonID) (out []passport.Passkey, err error) {
	err = m.do("Passkeys", func() error { out = m.passkeysOf(who); return nil })
	return out, err
}

// HasPasskeys implements identity.Store.
func (m *Memory) HasPasskeys(context.Context) (has bool, err error) {
	err = m.do("HasPasskeys", func() error { has = len(m.passkeys) > 0; return nil })
	return has, err
}

// UsePasskey implements identity.Store.
func (m *Memory) UsePasskey(_ context.Context, u passport.Passkey, refused passport.Event) (ok bool, err error) {
	err = m.do("UsePasskey", func() error {
		k, there := m.passkeys[string(u.ID)]
		if ok = there && (u.SignCount > k.SignCount || u.SignCount == 0 && k.SignCount == 0); !ok {
			m.note(refused)
			return nil
		}
		k.SignCount, k.BackedUp, k.UsedAt = u.SignCount, u.BackedUp, stored(u.UsedAt)
		m.passkeys[string(u.ID)] = k
		return nil
	})
	return ok, err
}

// RenamePasskey implements identity.Store.
func (m *Memory) RenamePasskey(_ context.Context, who passport.PersonID, id []byte, label string, ev passport.Event) error {
	return m.do("RenamePasskey", func() error {
		k, ok := m.passkeys[string(id)]
		if !ok || k.Person != who {
			return store.NotFound("passkey")
		}
		k.Label = label
		m.passkeys[string(id)] = k
		m.note(ev)
		return nil
	})
}

// RemovePasskey implements identity.Store.
func (m *Memory) RemovePasskey(_ context.Context, who passport.PersonID, id []byte, ev passport.Event) error {
	return m.do("RemovePasskey", func() error {
		if k, ok := m.passkeys[string(id)]; !ok || k.Person != who {
			return store.NotFound("passkey")
		}
		password := slices.ContainsFunc(m.people, func(p passport.Person) bool { return p.ID == who && p.PasswordHash != "" })
		if !password && len(m.passkeysOf(who)) == 1 {
			return store.LastWayIn()
		}
		delete(m.passkeys, string(id))
		m.note(ev)
		return nil
	})
}

// Sessions implements identity.Store.
func (m *Memory) Sessions(_ context.Context, who passport.PersonID, limit int) (out []passport.Session, err error) {
	err = m.do("Sessions", func() error {
		for _, s := range m.sessions {
			if s.Person == who {
				out = append(out, s)
			}
		}
		slices.SortFunc(out, func(a, b passport.Session) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(a.Hash[:], b.Hash[:]))
		})
		out = out[:min(limit, len(out))]
		return nil
	})
	return out, err
}

// SeeSession implements identity.Store.
func (m *Memory) SeeSession(_ context.Context, hash [32]byte, at time.Time) error {
	return m.do("SeeSession", func() error {
		if s, ok := m.sessions[hash]; ok && s.SeenAt.Before(stored(at)) {
			s.SeenAt = stored(at)
			m.sessions[hash] = s
		}
		return nil
	})
}

// EndSessionOf implements identity.Store.
func (m *Memory) EndSessionOf(_ context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return m.do("EndSessionOf", func() error {
		if s, ok := m.sessions[hash]; !ok || s.Person != who {
			return store.NotFound("session")
		}
		delete(m.sessions, hash)
		m.note(ev)
		return nil
	})
}

// EndOtherSessions implements identity.Store.
func (m *Memory) EndOtherSessions(_ context.Context, who passport.PersonID, keep [32]byte, ev passport.Event) (n int64, err error) {
	err = m.do("EndOtherSessions", func() error {
		before := len(m.sessions)
		maps.DeleteFunc(m.sessions, func(h [32]byte, s passport.Session) bool { return s.Person == who && h != keep })
		if n = int64(before - len(m.sessions)); n > 0 {
			m.note(ev)
		}
		return nil
	})
	return n, err
}
