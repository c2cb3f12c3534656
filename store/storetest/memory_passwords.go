package storetest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// reset is a link by which a person sets another password.
type reset struct {
	who   passport.PersonID
	until time.Time
}

func (m *Memory) setPassword(who passport.PersonID, phc string, keep [32]byte, ev passport.Event) error {
	i := slices.IndexFunc(m.people, func(p passport.Person) bool { return p.ID == who })
	if i < 0 {
		return store.NotFound("person")
	}
	m.people[i].PasswordHash = phc
	maps.DeleteFunc(m.sessions, func(h [32]byte, s passport.Session) bool { return s.Person == who && h != keep })
	m.note(ev)
	return nil
}

// SetPassword implements identity.Store.
func (m *Memory) SetPassword(_ context.Context, who passport.PersonID, phc string, keep [32]byte, ev passport.Event) error {
	return m.do("SetPassword", func() error { return m.setPassword(who, phc, keep, ev) })
}

// AddReset implements identity.Store.
func (m *Memory) AddReset(_ context.Context, hash [32]byte, who passport.PersonID, until time.Time, evs ...passport.Event) error {
	return m.do("AddReset", func() error {
		if !slices.ContainsFunc(m.people, func(p passport.Person) bool { return p.ID == who }) {
			return store.NotFound("person")
		}
		maps.DeleteFunc(m.resets, func(_ [32]byte, r reset) bool { return r.who == who || !r.until.After(stored(evs[0].At)) })
		m.resets[hash] = reset{who, stored(until)}
		for _, ev := range evs {
			m.note(ev)
		}
		return nil
	})
}

// Reset implements identity.Store.
func (m *Memory) Reset(_ context.Context, hash [32]byte) (who passport.PersonID, until time.Time, err error) {
	err = m.do("Reset", func() error {
		r, ok := m.resets[hash]
		if !ok {
			return store.NotFound("reset link")
		}
		who, until = r.who, r.until
		return nil
	})
	return who, until, err
}

// UseReset implements identity.Store.
func (m *Memory) UseReset(_ context.Context, hash [32]byte, phc string, ev passport.Event) error {
	return m.do("UseReset", func() error {
		r, ok := m.resets[hash]
		if !ok {
			return store.NotFound("reset link")
		}
		delete(m.resets, hash)
		return m.setPassword(r.who, phc, [32]byte{}, ev)
	})
}
