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

// SigningKeys implements token.Store.
func (m *Memory) SigningKeys(context.Context) (out []passport.SigningKey, err error) {
	err = m.do("SigningKeys", func() error {
		for _, k := range m.keys {
			k.Sealed, k.Public = bytes.Clone(k.Sealed), bytes.Clone(k.Public)
			out = append(out, k)
		}
		slices.SortFunc(out, func(a, b passport.SigningKey) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		return nil
	})
	return out, err
}

// RotateSigningKeys implements token.Store.
func (m *Memory) RotateSigningKeys(_ context.Context, add *passport.SigningKey, move map[string]passport.KeyState, ev passport.Event) error {
	return m.do("RotateSigningKeys", func() error {
		next := maps.Clone(m.keys)
		if add != nil {
			if err := mustBeFree(m.keys, add.ID, "signing key"); err != nil {
				return err
			}
			k := *add
			k.Sealed, k.Public, k.CreatedAt = bytes.Clone(k.Sealed), bytes.Clone(k.Public), stored(k.CreatedAt)
			next[k.ID] = k
		}
		for id, state := range move {
			k, ok := next[id]
			if !ok {
				return store.KeyGone(id)
			}
			k.State = state
			next[id] = k
			if state == "" {
				delete(next, id)
			}
		}
		m.keys = next
		m.note(ev)
		return nil
	})
}

// AddToken implements token.Store.
func (m *Memory) AddToken(_ context.Context, t passport.Token, ev passport.Event) error {
	return m.do("AddToken", func() error {
		if err := m.mayHaveToken(t); err != nil {
			return err
		}
		t.IssuedAt, t.ExpiresAt, t.RevokedAt = stored(t.IssuedAt), stored(t.ExpiresAt), stored(t.RevokedAt)
		m.tokens[t.ID] = t
		m.note(ev)
		return nil
	})
}

// mayHaveToken says why a grant cannot have a token now.
func (m *Memory) mayHaveToken(t passport.Token) error {
	a := m.accounts[t.Grant]
	if a == nil {
		return store.NotFound("grant")
	}
	if m.stopped || m.stoppedOwn(a.grant) {
		return store.Stopped()
	}
	if err := a.grant.Live(stored(t.IssuedAt)); err != nil {
		return err
	}
	return mustBeFree(m.tokens, t.ID, "token")
}

// Liveness implements token.Store.
func (m *Memory) Liveness(_ context.Context, id passport.TokenID) (l passport.Liveness, err error) {
	err = m.do("Liveness", func() error {
		t, ok := m.tokens[id]
		if !ok {
			return store.NoToken()
		}
		l = passport.Liveness{Token: t, Standing: m.accounts[t.Grant].standing(), Stopped: m.stopped || m.stoppedOwn(m.accounts[t.Grant].grant)}
		return nil
	})
	return l, err
}

// Credentials implements vault.Sealed.
func (m *Memory) Credentials(context.Context) (out []passport.Credential, err error) {
	err = m.do("Credentials", func() error {
		for _, c := range m.creds {
			c.Sealed = bytes.Clone(c.Sealed)
			out = append(out, c)
		}
		slices.SortFunc(out, func(a, b passport.Credential) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		return nil
	})
	return out, err
}

// AddCredential implements vault.Sealed.
func (m *Memory) AddCredential(_ context.Context, c passport.Credential, ev passport.Event) error {
	return m.do("AddCredential", func() error {
		if err := mustBeFree(m.creds, c.ID, "credential"); err != nil {
			return err
		}
		if err := m.isThere(c.Payer); err != nil {
			return err
		}
		c.Version = 1
		m.keep(c)
		m.note(ev)
		return nil
	})
}

// RemoveCredential implements vault.Sealed.
func (m *Memory) RemoveCredential(_ context.Context, id passport.CredentialID, ev passport.Event) error {
	return m.do("RemoveCredential", func() error {
		if _, ok := m.creds[id]; !ok {
			return store.NotFound("credential")
		}
		delete(m.creds, id)
		delete(m.ceilings, passport.CredentialCeiling(id))
		m.unnotice(string(id))
		m.note(ev)
		return nil
	})
}

// ChangeCredential implements vault.Sealed.
func (m *Memory) ChangeCredential(_ context.Context, c passport.Credential, ev passport.Event) error {
	return m.do("ChangeCredential", func() error {
		was, ok := m.creds[c.ID]
		if !ok {
			return store.NotFound("credential")
		}
		if was.Version != c.Version {
			return store.CredentialChanged(c.ID)
		}
		c.Provider, c.CreatedAt, c.Version = was.Provider, was.CreatedAt, c.Version+1
		m.keep(c)
		m.noticeKey(c, ev)
		m.note(ev)
		return nil
	})
}

// keep stores a key as a store would give it back.
func (m *Memory) keep(c passport.Credential) {
	c.Sealed, c.CreatedAt, c.TestedAt = bytes.Clone(c.Sealed), stored(c.CreatedAt), stored(c.TestedAt)
	c.ChosenAt, c.RotatedAt, c.RefusedAt = stored(c.ChosenAt), stored(c.RotatedAt), stored(c.RefusedAt)
	m.creds[c.ID] = c
}

// AddFirstPerson implements identity.Store.
func (m *Memory) AddFirstPerson(_ context.Context, p passport.Person, ev passport.Event) error {
	return m.do("AddFirstPerson", func() error {
		if len(m.people) > 0 {
			return store.HasOwner()
		}
		p.CreatedAt, p.Role, p.SuspendedAt = stored(p.CreatedAt), passport.RoleOwner, time.Time{}
		m.people = append(m.people, p)
		clear(m.setups)
		m.note(ev)
		return nil
	})
}

// AddSetup implements identity.Store.
func (m *Memory) AddSetup(_ context.Context, hash [32]byte, until, now time.Time) error {
	return m.do("AddSetup", func() error {
		maps.DeleteFunc(m.setups, func(_ [32]byte, until time.Time) bool { return !until.After(now) })
		if len(m.people) > 0 {
			return store.HasOwner()
		}
		m.setups[hash] = stored(until)
		return nil
	})
}

// Setup implements identity.Store.
func (m *Memory) Setup(_ context.Context, hash [32]byte) (until time.Time, err error) {
	err = m.do("Setup", func() error {
		var ok bool
		if until, ok = m.setups[hash]; !ok {
			return store.NotFound("setup link")
		}
		return nil
	})
	return until, err
}

// Owner implements identity.Store.
func (m *Memory) Owner(context.Context) (p passport.Person, err error) {
	err = m.do("Owner", func() error {
		if len(m.people) == 0 {
			return store.NoOwner()
		}
		p = m.people[0]
		return nil
	})
	return p, err
}

// AddSession implements identity.Store.
func (m *Memory) AddSession(_ context.Context, s passport.Session, ev passport.Event) error {
	return m.do("AddSession", func() error {
		if !slices.ContainsFunc(m.people, func(p passport.Person) bool { return p.ID == s.Person }) {
			return store.NotFound("person")
		}
		s.CreatedAt, s.ExpiresAt, s.SeenAt = stored(s.CreatedAt), stored(s.ExpiresAt), stored(s.CreatedAt)
		next := maps.Clone(m.sessions)
		maps.DeleteFunc(next, func(_ [32]byte, old passport.Session) bool { return !old.ExpiresAt.After(s.CreatedAt) })
		if err := mustBeFree(next, s.Hash, "session"); err != nil {
			return err
		}
		next[s.Hash] = s
		m.sessions = next
		m.note(ev)
		return nil
	})
}

// Session implements identity.Store.
func (m *Memory) Session(_ context.Context, hash [32]byte) (s passport.Session, err error) {
	err = m.do("Session", func() error {
		var ok bool
		if s, ok = m.sessions[hash]; !ok {
			return store.NotFound("session")
		}
		return nil
	})
	return s, err
}

// EndSession implements identity.Store.
func (m *Memory) EndSession(_ context.Context, hash [32]byte, ev passport.Event) error {
	return m.do("EndSession", func() error {
		if _, ok := m.sessions[hash]; ok {
			delete(m.sessions, hash)
			m.note(ev)
		}
		return nil
	})
}

// OwnerToken implements identity.Store.
func (m *Memory) OwnerToken(_ context.Context, hash [32]byte) (t passport.OwnerToken, err error) {
	err = m.do("OwnerToken", func() error {
		var ok bool
		if t, ok = m.bearers[hash]; !ok {
			return store.NotFound("owner token")
		}
		return nil
	})
	return t, err
}

// AddOwnerToken implements identity.Store.
func (m *Memory) AddOwnerToken(_ context.Context, t passport.OwnerToken, ev passport.Event, now time.Time) error {
	return m.do("AddOwnerToken", func() error {
		next := maps.Clone(m.bearers)
		maps.DeleteFunc(next, func(_ [32]byte, old passport.OwnerToken) bool {
			return !old.ExpiresAt.IsZero() && !old.ExpiresAt.After(stored(now))
		})
		if err := mustBeFree(next, t.Hash, "owner token"); err != nil {
			return err
		}
		t.CreatedAt, t.ExpiresAt = stored(t.CreatedAt), stored(t.ExpiresAt)
		next[t.Hash] = t
		m.bearers = next
		m.note(ev)
		return nil
	})
}

// OwnerTokens implements identity.Store.
func (m *Memory) OwnerTokens(_ context.Context, who passport.PersonID, limit int) (out []passport.OwnerToken, err error) {
	err = m.do("OwnerTokens", func() error {
		out = slices.SortedFunc(maps.Values(m.bearers), func(a, b passport.OwnerToken) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(a.Hash[:], b.Hash[:]))
		})
		out = slices.DeleteFunc(out, func(t passport.OwnerToken) bool { return t.Person != who })
		out = out[:min(limit, len(out))]
		return nil
	})
	return out, err
}

// EndOwnerToken implements identity.Store.
func (m *Memory) EndOwnerToken(_ context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return m.do("EndOwnerToken", func() error {
		if t, ok := m.bearers[hash]; !ok || t.Person != who {
			return store.NotFound("owner token")
		}
		delete(m.bearers, hash)
		m.note(ev)
		return nil
	})
}
