package storetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

func (m *Memory) identitiesOf(who passport.PersonID) (out []passport.Identity) {
	for _, i := range m.links {
		if i.Person == who {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b passport.Identity) int {
		x, y := a.Hash(), b.Hash()
		return cmp.Or(a.LinkedAt.Compare(b.LinkedAt), bytes.Compare(x[:], y[:]))
	})
	return out
}

// AddIdentity implements identity.Store.
func (m *Memory) AddIdentity(_ context.Context, i passport.Identity, ev passport.Event) error {
	return m.do("AddIdentity", func() error { return m.link(i, ev) })
}

func (m *Memory) link(i passport.Identity, ev passport.Event) error {
	if err := store.CheckIdentity(i); err != nil {
		return err
	}
	if !slices.ContainsFunc(m.people, func(p passport.Person) bool { return p.ID == i.Person }) {
		return store.NotFound("person")
	}
	if len(m.identitiesOf(i.Person)) >= passport.MaxIdentities {
		return store.TooManyIdentities()
	}
	if err := mustBeFree(m.links, i.Hash(), "identity"); err != nil {
		return err
	}
	m.links[i.Hash()] = passport.Identity{Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, Person: i.Person, LinkedAt: stored(i.LinkedAt)}
	delete(m.unlinked, i.Hash())
	m.note(ev)
	return nil
}

// Identity implements identity.Store.
func (m *Memory) Identity(_ context.Context, hash [32]byte) (i passport.Identity, err error) {
	err = m.do("Identity", func() error {
		var ok bool
		if i, ok = m.links[hash]; !ok {
			return store.NotFound("identity")
		}
		return nil
	})
	return i, err
}

// IdentityGone implements identity.Store.
func (m *Memory) IdentityGone(_ context.Context, hash [32]byte) (gone bool, err error) {
	err = m.do("IdentityGone", func() error { gone = m.unlinked[hash]; return nil })
	return gone, err
}

// Identities implements identity.Store.
func (m *Memory) Identities(_ context.Context, who passport.PersonID) (out []passport.Identity, err error) {
	err = m.do("Identities", func() error { out = m.identitiesOf(who); return nil })
	return out, err
}

// RemoveIdentity implements identity.Store.
func (m *Memory) RemoveIdentity(_ context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return m.do("RemoveIdentity", func() error {
		if i, ok := m.links[hash]; !ok || i.Person != who {
			return store.NotFound("identity")
		}
		password := slices.ContainsFunc(m.people, func(p passport.Person) bool { return p.ID == who && p.PasswordHash != "" })
		if !password && len(m.passkeysOf(who)) == 0 {
			return store.LastWayIn()
		}
		delete(m.links, hash)
		m.unlinked[hash] = true
		m.note(ev)
		return nil
	})
}
