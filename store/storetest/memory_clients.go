package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

func keptClient(c passport.Client) passport.Client {
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	c.CreatedAt, c.UsedAt = stored(c.CreatedAt), stored(c.UsedAt)
	return c
}

// Client implements client.Store.
func (m *Memory) Client(_ context.Context, id passport.ClientID) (out passport.Client, err error) {
	err = m.do("Client", func() error {
		c, ok := m.clients[id]
		if !ok {
			return store.NoClient()
		}
		out = keptClient(c)
		return nil
	})
	return out, err
}

// AddClient implements client.Store.
func (m *Memory) AddClient(_ context.Context, c passport.Client, ev passport.Event) error {
	return m.do("AddClient", func() error {
		if err := c.Check(); err != nil {
			return err
		}
		if err := mustBeFree(m.clients, c.ID, "client"); err != nil {
			return err
		}
		if all := m.clientsOf(c.Kind); int64(len(all)) >= store.MostClients(c.Kind) {
			old := m.unusedClient(all, ev.At)
			if c.Kind != passport.ClientRegistered || old == "" {
				return store.TooManyClients(c.Kind)
			}
			delete(m.clients, old)
			ev.Note = store.GaveWay(ev.Note, old)
		}
		c = keptClient(c)
		c.UsedAt = time.Time{}
		m.clients[c.ID] = c
		m.note(ev)
		return nil
	})
}

// clientsOf lists the clients of a kind, newest first.
func (m *Memory) clientsOf(k passport.ClientKind) (out []passport.Client) {
	for _, c := range m.clients {
		if c.Kind == k {
			out = append(out, keptClient(c))
		}
	}
	slices.SortFunc(out, func(a, b passport.Client) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return out
}

// unusedClient is the one of all, without a grant that lives, that was unused for longest.
func (m *Memory) unusedClient(all []passport.Client, now time.Time) passport.ClientID {
	last := func(c passport.Client) time.Time {
		if c.UsedAt.After(c.CreatedAt) {
			return c.UsedAt
		}
		return c.CreatedAt
	}
	slices.SortFunc(all, func(a, b passport.Client) int { return cmp.Or(last(a).Compare(last(b)), cmp.Compare(a.ID, b.ID)) })
	for _, c := range all {
		if !slices.ContainsFunc(m.grantsOf(c.ID), func(g passport.GrantID) bool { return m.accounts[g].grant.ExpiresAt.After(now) }) {
			return c.ID
		}
	}
	return ""
}

// grantsOf are the grants of a client that are pending, active or paused.
func (m *Memory) grantsOf(id passport.ClientID) (out []passport.GrantID) {
	for _, a := range m.accounts {
		switch a.grant.State {
		case passport.GrantPending, passport.GrantActive, passport.GrantPaused:
			if a.grant.Client == id && id != "" {
				out = append(out, a.grant.ID)
			}
		}
	}
	slices.Sort(out)
	return out
}

// ChangeClient implements client.Store.
func (m *Memory) ChangeClient(_ context.Context, c passport.Client, ev passport.Event) error {
	return m.do("ChangeClient", func() error {
		if err := c.Check(); err != nil {
			return err
		}
		was, ok := m.clients[c.ID]
		if !ok || was.Kind != c.Kind {
			return store.NoClient()
		}
		c = keptClient(c)
		c.CreatedAt, c.UsedAt = was.CreatedAt, was.UsedAt
		m.clients[c.ID] = c
		m.note(ev)
		return nil
	})
}

// UseClient implements client.Store.
func (m *Memory) UseClient(_ context.Context, id passport.ClientID, at time.Time) error {
	return m.do("UseClient", func() error {
		if c, ok := m.clients[id]; ok && c.UsedAt.Before(stored(at)) {
			c.UsedAt = stored(at)
			m.clients[id] = c
		}
		return nil
	})
}

// RemoveClient implements client.Store.
func (m *Memory) RemoveClient(_ context.Context, id passport.ClientID, k passport.ClientKind, ev passport.Event) error {
	return m.do("RemoveClient", func() error {
		if c, ok := m.clients[id]; !ok || c.Kind != k {
			return store.NoClient()
		}
		delete(m.clients, id)
		m.note(ev)
		return nil
	})
}

// Clients implements client.Lists.
func (m *Memory) Clients(_ context.Context, k passport.ClientKind, limit int) (out []passport.Client, err error) {
	err = m.do("Clients", func() error {
		out = m.clientsOf(k)
		out = out[:min(len(out), max(limit, 0))]
		return nil
	})
	return out, err
}

// GrantsOfClient implements client.Lists.
func (m *Memory) GrantsOfClient(_ context.Context, id passport.ClientID, limit int) (out []passport.GrantID, err error) {
	err = m.do("GrantsOfClient", func() error {
		out = m.grantsOf(id)
		out = out[:min(len(out), max(limit, 0))]
		return nil
	})
	return out, err
}
