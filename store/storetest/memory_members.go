package storetest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Person implements identity.Store.
func (m *Memory) Person(_ context.Context, id passport.PersonID) (passport.Person, error) {
	return m.person("Person", func(p passport.Person) bool { return p.ID == id })
}

// PersonNamed implements identity.Store.
func (m *Memory) PersonNamed(_ context.Context, username string) (passport.Person, error) {
	return m.person("PersonNamed", func(p passport.Person) bool { return p.Username == username })
}

func (m *Memory) person(method string, is func(passport.Person) bool) (out passport.Person, err error) {
	err = m.do(method, func() error {
		for _, p := range m.people {
			if is(p) {
				out = p
				return nil
			}
		}
		return store.NotFound("person")
	})
	return out, err
}

// mayPay says why a grant cannot be used in a member's name.
func (m *Memory) mayPay(g passport.Grant) error {
	if g.State != passport.GrantActive {
		return nil
	}
	return m.isThere(g.Payer)
}

// isThere says why nothing can be kept in a payer's name.
func (m *Memory) isThere(payer passport.Payer) error {
	if payer.Member() == "" {
		return nil
	}
	for _, p := range m.people {
		if string(p.ID) == payer.Member() && p.Role == passport.RoleMember && p.SuspendedAt.IsZero() {
			return nil
		}
	}
	return store.Suspended()
}

func (m *Memory) room() error {
	if len(m.people) > passport.MaxPeople {
		return store.TooManyPeople(false)
	}
	return nil
}

// AddInvitation implements identity.Store.
func (m *Memory) AddInvitation(_ context.Context, v passport.Invitation, ev passport.Event) error {
	return m.do("AddInvitation", func() error {
		maps.DeleteFunc(m.invited, func(_ [32]byte, v passport.Invitation) bool { return !v.ExpiresAt.After(stored(ev.At)) })
		if len(m.invited) >= passport.MaxInvitations {
			return store.TooManyPeople(true)
		}
		if err := m.room(); err != nil {
			return err
		}
		if err := mustBeFree(m.invited, v.Hash, "invitation"); err != nil {
			return err
		}
		v.CreatedAt, v.ExpiresAt = stored(v.CreatedAt), stored(v.ExpiresAt)
		m.invited[v.Hash] = v
		m.note(ev)
		return nil
	})
}

// Invitation implements identity.Store.
func (m *Memory) Invitation(_ context.Context, hash [32]byte) (out passport.Invitation, err error) {
	err = m.do("Invitation", func() error {
		var ok bool
		if out, ok = m.invited[hash]; !ok {
			return store.NotFound("invitation")
		}
		return nil
	})
	return out, err
}

// Invitations implements identity.Store.
func (m *Memory) Invitations(context.Context) (out []passport.Invitation, err error) {
	err = m.do("Invitations", func() error {
		out = slices.SortedFunc(maps.Values(m.invited), func(a, b passport.Invitation) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(a.Hash[:], b.Hash[:]))
		})
		return nil
	})
	return out, err
}

// EndInvitation implements identity.Store.
func (m *Memory) EndInvitation(_ context.Context, hash [32]byte, ev passport.Event) error {
	return m.do("EndInvitation", func() error {
		if _, ok := m.invited[hash]; !ok {
			return store.NotFound("invitation")
		}
		delete(m.invited, hash)
		m.note(ev)
		return nil
	})
}

// AddMember implements identity.Store.
func (m *Memory) AddMember(_ context.Context, p passport.Person, by *[32]byte, as *passport.Identity, ev passport.Event) error {
	return m.do("AddMember", func() error {
		if as != nil {
			if _, ok := m.links[as.Hash()]; ok {
				return store.IdentityTaken()
			}
			if m.unlinked[as.Hash()] && by == nil {
				return store.IdentityOver()
			}
			if err := store.CheckIdentity(*as); err != nil {
				return err
			}
		}
		if by != nil {
			if v, ok := m.invited[*by]; !ok || !v.ExpiresAt.After(stored(ev.At)) {
				return store.NotFound("invitation")
			}
		}
		if len(m.people) == 0 {
			return store.NoOwner()
		}
		if err := m.room(); err != nil {
			return err
		}
		if slices.ContainsFunc(m.people, func(q passport.Person) bool { return q.Username == p.Username }) {
			return store.NameTaken()
		}
		if by != nil {
			delete(m.invited, *by)
		}
		p.CreatedAt, p.Role, p.SuspendedAt = stored(p.CreatedAt), passport.RoleMember, time.Time{}
		m.people = append(m.people, p)
		if as != nil {
			mine := *as
			mine.Person = p.ID
			return m.link(mine, ev)
		}
		m.note(ev)
		return nil
	})
}

// People implements identity.Store.
func (m *Memory) People(context.Context) (out []passport.Person, err error) {
	err = m.do("People", func() error {
		out = slices.SortedFunc(slices.Values(m.people), func(a, b passport.Person) int {
			return cmp.Or(cmp.Compare(b.Role, a.Role), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		return nil
	})
	return out, err
}

// member is the place of a member.
func (m *Memory) member(id passport.PersonID) (int, error) {
	i := slices.IndexFunc(m.people, func(p passport.Person) bool { return p.ID == id && p.Role == passport.RoleMember })
	if i < 0 {
		return 0, store.NotFound("member")
	}
	return i, nil
}

func (m *Memory) signOut(id passport.PersonID) {
	maps.DeleteFunc(m.sessions, func(_ [32]byte, s passport.Session) bool { return s.Person == id })
	maps.DeleteFunc(m.bearers, func(_ [32]byte, t passport.OwnerToken) bool { return t.Person == id })
}

// SuspendPerson implements identity.Store.
func (m *Memory) SuspendPerson(_ context.Context, id passport.PersonID, at time.Time, ev passport.Event) error {
	return m.do("SuspendPerson", func() error {
		i, err := m.member(id)
		if err != nil {
			return err
		}
		if m.people[i].SuspendedAt = stored(at); !at.IsZero() {
			m.signOut(id)
		}
		m.note(ev)
		return nil
	})
}

// RemovePerson implements identity.Store.
func (m *Memory) RemovePerson(_ context.Context, id passport.PersonID, ev passport.Event) error {
	return m.do("RemovePerson", func() error {
		i, err := m.member(id)
		if err != nil {
			return err
		}
		if m.people[i].SuspendedAt.IsZero() {
			return problem.New(problem.Conflict, "a member is suspended before they are removed")
		}
		m.signOut(id)
		maps.DeleteFunc(m.passkeys, func(_ string, k passport.Passkey) bool { return k.Person == id })
		for _, i := range m.identitiesOf(id) {
			delete(m.links, i.Hash())
			m.unlinked[i.Hash()] = true
		}
		delete(m.stops, passport.PayerOf(id, passport.RoleMember))
		m.people = slices.Delete(m.people, i, i+1)
		maps.DeleteFunc(m.ceilings, func(c passport.CeilingID, _ store.Limits) bool { return m.payerOf(c) == passport.Payer(id) })
		m.note(ev)
		return nil
	})
}

// MemberSums implements authority.History.
func (m *Memory) MemberSums(_ context.Context, since, now time.Time) (out map[passport.Payer]passport.MemberSum, err error) {
	err = m.do("MemberSums", func() error {
		out = map[passport.Payer]passport.MemberSum{}
		for _, a := range m.accounts {
			g := a.grant
			if s := out[g.Payer]; g.Payer.Member() != "" && g.Parent == "" && (g.State == passport.GrantActive || g.State == passport.GrantPaused) && g.ExpiresAt.After(now) {
				s.Apps++
				out[g.Payer] = s
			}
		}
		for _, c := range m.calls {
			p := m.accounts[c.Grant].grant.Payer
			if p.Member() == "" || store.Micros(c.CreatedAt) < store.Micros(since) {
				continue
			}
			s := out[p]
			if c.reached {
				s.Calls++
			}
			if c.State == passport.ReservationHeld {
				s.Held += c.Amount
			}
			s.Settled += c.Actual
			out[p] = s
		}
		for id, l := range m.ceilings {
			if of := id.Payer(); of.Member() != "" && id.Person() {
				s := out[of]
				s.Limit, s.Most = l.Cap(), l.Most
				out[of] = s
			}
		}
		return nil
	})
	return out, err
}
