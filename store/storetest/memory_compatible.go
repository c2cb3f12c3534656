package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Compatibles implements roster.Store.
func (m *Memory) Compatibles(context.Context) (out []passport.Compatible, err error) {
	err = m.do("Compatibles", func() error {
		for _, c := range slices.SortedFunc(maps.Values(m.added), func(a, b passport.Compatible) int { return cmp.Compare(a.Name, b.Name) }) {
			out = append(out, kept(c))
		}
		return nil
	})
	return out, err
}

// kept has nothing in common with c that could be changed.
func kept(c passport.Compatible) passport.Compatible {
	c.Headers, c.Tariffs = slices.Clone(c.Headers), slices.Clone(c.Tariffs)
	return c
}

// AddCompatible implements roster.Store.
func (m *Memory) AddCompatible(_ context.Context, c passport.Compatible, ev passport.Event) error {
	return m.do("AddCompatible", func() error {
		if err := c.Check(); err != nil {
			return err
		}
		if len(m.added) >= passport.MaxCompatibles {
			return store.TooManyProviders()
		}
		if err := mustBeFree(m.added, c.Name, "provider"); err != nil {
			return err
		}
		c = kept(c)
		c.Version, c.CreatedAt = 1, stored(c.CreatedAt)
		m.added[c.Name] = c
		m.dropKeys(c.Name)
		m.note(ev)
		return nil
	})
}

func (m *Memory) dropKeys(p passport.Provider) {
	maps.DeleteFunc(m.creds, func(id passport.CredentialID, c passport.Credential) bool {
		if c.Provider == p {
			delete(m.ceilings, passport.CredentialCeiling(id))
		}
		return c.Provider == p
	})
}

// ChangeCompatible implements roster.Store.
func (m *Memory) ChangeCompatible(_ context.Context, c passport.Compatible, ev passport.Event) error {
	return m.do("ChangeCompatible", func() error {
		if err := c.Check(); err != nil {
			return err
		}
		was, ok := m.added[c.Name]
		switch {
		case !ok:
			return store.NoProvider()
		case was.Version != c.Version:
			return store.ProviderChanged(c.Name)
		}
		c = kept(c)
		c.Version, c.CreatedAt = was.Version+1, was.CreatedAt
		m.added[c.Name] = c
		m.note(ev)
		return nil
	})
}

// RemoveCompatible implements roster.Store.
func (m *Memory) RemoveCompatible(_ context.Context, p passport.Provider, ev passport.Event) error {
	return m.do("RemoveCompatible", func() error {
		if _, ok := m.added[p]; !ok {
			return store.NoProvider()
		}
		delete(m.added, p)
		m.dropKeys(p)
		m.note(ev)
		return nil
	})
}
