package storetest

import (
	"context"

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
