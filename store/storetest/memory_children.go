package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// AddChild implements authority.Family.
func (m *Memory) AddChild(_ context.Context, g passport.Grant, ev passport.Event) error {
	return m.do("AddChild", func() error {
		if err := store.CheckChild(g); err != nil {
			return err
		}
		at := store.Micros(ev.At)
		for i, up := range g.Above {
			a := m.accounts[up.ID]
			if a == nil {
				return store.NotFound("grant")
			}
			if err := store.CheckAbove(g, i, a.grant, at); err != nil {
				return err
			}
			g, _ = g.RatedBy(a.grant)
		}
		if len(m.below(g.Parent, at, 1)) >= passport.MaxChildren {
			return store.TooMany(false)
		}
		if len(m.below(g.Above[len(g.Above)-1].ID, at, passport.MaxDelegation)) >= passport.MaxFamily {
			return store.TooMany(true)
		}
		if m.accounts[g.ID] != nil {
			return store.Exists("grant")
		}
		a := &account{grant: copied(g), opened: true}
		a.total, a.parts = store.Budgets(g)
		m.accounts[g.ID] = a
		m.note(ev)
		return nil
	})
}

// below lists the grants at most so many levels below one that can be used at a time, or could if they were not paused.
func (m *Memory) below(g passport.GrantID, at int64, levels int) (out []passport.GrantID) {
	for id, a := range m.accounts {
		up := slices.IndexFunc(a.grant.Above, func(x passport.Above) bool { return x.ID == g })
		inUse := a.grant.State == passport.GrantActive || a.grant.State == passport.GrantPaused
		if up >= 0 && up < levels && inUse && store.Micros(a.grant.ExpiresAt) > at {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (m *Memory) revokeBelow(g passport.GrantID, at int64, ev passport.Event) {
	for _, id := range m.below(g, at, passport.MaxDelegation) {
		a := m.accounts[id]
		a.grant.State, a.grant.RevokedAt = passport.GrantRevoked, store.TimeOf(at)
		a.grant.Version++
		m.revokeTokens(id, at)
		m.dropAnswers(a.grant)
		m.note(store.BelowEvent(ev, id))
	}
}

// Children implements authority.Family.
func (m *Memory) Children(_ context.Context, g passport.GrantID, limit int) (out []passport.Standing, err error) {
	err = m.do("Children", func() error {
		for _, a := range m.accounts {
			if a.grant.Parent == g && g != "" {
				out = append(out, a.standing())
			}
		}
		slices.SortFunc(out, func(a, b passport.Standing) int {
			return cmp.Or(b.Grant.CreatedAt.Compare(a.Grant.CreatedAt), cmp.Compare(b.Grant.ID, a.Grant.ID))
		})
		out = first(out, limit)
		return nil
	})
	return out, err
}

// rung is the budgets of one grant on the path of a call.
type rung struct {
	account *account
	detail  int
}

// line is the grant of a call and what is above it, with the detail that the call is of there.
func (m *Memory) line(g passport.GrantID, detail int) []rung {
	a := m.accounts[g]
	out := []rung{{a, detail}}
	for _, up := range a.grant.Above {
		out = append(out, rung{m.accounts[up.ID], up.Details[detail]})
	}
	return out
}

// budgetsOf are the balances that a call counts on, as they are on its path.
func (m *Memory) budgetsOf(g passport.GrantID, detail int) (out []*passport.Balance, path []store.Budget) {
	for up, r := range m.line(g, detail) {
		for i, b := range r.account.budgets(r.detail) {
			out, path = append(out, b), append(path, store.Budget{Balance: *b, Up: up, Part: i > 0})
		}
	}
	return out, path
}
