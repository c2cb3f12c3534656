package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// AddGrant implements authority.Store.
func (m *Memory) AddGrant(_ context.Context, g passport.Grant, ev passport.Event) error {
	return m.do("AddGrant", func() error {
		if err := store.CheckPending(g); err != nil {
			return err
		}
		if m.accounts[g.ID] != nil {
			return store.Exists("grant")
		}
		m.accounts[g.ID] = &account{grant: copied(g)}
		m.dropOldRequests()
		m.note(ev)
		return nil
	})
}

// dropOldRequests keeps the newest of the grants that wait for an answer.
func (m *Memory) dropOldRequests() {
	var waiting []passport.Grant
	for _, a := range m.accounts {
		if a.grant.State == passport.GrantPending {
			waiting = append(waiting, a.grant)
		}
	}
	slices.SortFunc(waiting, func(a, b passport.Grant) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	for _, g := range waiting[min(len(waiting), store.MaxPending):] {
		delete(m.accounts, g.ID)
	}
}

// ChangeGrant implements authority.Store.
func (m *Memory) ChangeGrant(_ context.Context, g passport.Grant, ev passport.Event) error {
	return m.do("ChangeGrant", func() error { return m.changeGrant(g, ev) })
}

// ExtendGrant implements authority.Store.
func (m *Memory) ExtendGrant(_ context.Context, g, request passport.Grant, ev passport.Event) error {
	return m.do("ExtendGrant", func() error {
		if err := store.CheckExtended(g, request); err != nil {
			return err
		}
		if _, err := m.at(request); err != nil {
			return err
		}
		if err := m.changeGrant(g, ev); err != nil {
			return err
		}
		m.accounts[request.ID].grant = copied(request)
		return nil
	})
}

// at is the account of a grant that is about to be swapped.
func (m *Memory) at(g passport.Grant) (*account, error) {
	if err := store.CheckGrant(g); err != nil {
		return nil, err
	}
	if err := m.mayPay(g); err != nil {
		return nil, err
	}
	a := m.accounts[g.ID]
	if a == nil {
		return nil, store.NotFound("grant")
	}
	if a.grant.Version != g.Version-1 {
		return nil, store.Changed(g.ID)
	}
	return a, nil
}

func (m *Memory) changeGrant(g passport.Grant, ev passport.Event) error {
	a, err := m.at(g)
	if err == nil {
		err = a.budget(g)
	}
	if err != nil {
		return err
	}
	if a.opened && g.Parent == "" && len(m.marks[g.ID]) == 0 {
		m.marks[g.ID] = []passport.Mark{{At: stored(g.ApprovedAt)}}
	}
	above := a.grant.Above // not the asker's: what is above a grant changes with those grants only
	a.grant = copied(g)
	a.grant.Above = above
	m.dropAnswers(g)
	if a.recapped {
		m.forgetTold(string(g.ID))
		m.unnotice(string(g.ID), passport.OfCaps...)
		a.recapped = false
	}
	if g.State == passport.GrantRevoked {
		at := cmp.Or(store.Micros(g.RevokedAt), store.Micros(ev.At))
		m.revokeTokens(g.ID, at)
		m.unnotice(string(g.ID))
		m.revokeBelow(g.ID, at, ev)
	}
	for _, id := range m.below(g.ID, store.Micros(ev.At), passport.MaxDelegation) {
		m.accounts[id].grant, _ = m.accounts[id].grant.RatedBy(g)
	}
	m.note(ev)
	return nil
}

// budget opens the budgets of a grant that becomes active, or brings the caps of open ones along.
func (a *account) budget(g passport.Grant) error {
	if !a.opened && g.State != passport.GrantActive {
		return nil
	}
	total, parts := store.Budgets(g)
	if a.opened && len(g.Details) != len(a.grant.Details) {
		return store.Reshaped(g.ID)
	}
	if !a.opened {
		a.opened, a.total, a.parts = true, total, parts
		return nil
	}
	a.recapped = a.total.Cap != total.Cap || a.total.CallsCap != total.CallsCap
	a.total.Cap, a.total.CallsCap = total.Cap, total.CallsCap
	for i, p := range parts {
		a.parts[i].Cap, a.parts[i].CallsCap = p.Cap, p.CallsCap
	}
	return nil
}

func (m *Memory) revokeTokens(g passport.GrantID, at int64) {
	for id, t := range m.tokens {
		if t.Grant == g && t.RevokedAt.IsZero() {
			t.RevokedAt = store.TimeOf(at)
			m.tokens[id] = t
		}
	}
}
