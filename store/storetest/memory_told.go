package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// told is what a grant, or a month of a ceiling, was told of already.
type told struct {
	subject string
	kind    passport.EventKind
}

func (m *Memory) forgetTold(subject string) {
	for t := range m.told {
		if t.subject == subject {
			delete(m.told, t)
		}
	}
}

func (m *Memory) tellOnce(subject string, quiet bool, ev passport.Event) {
	t := told{subject, ev.Kind}
	if !m.told[t] && !quiet {
		m.note(ev)
	}
	m.told[t] = true
}

// passed tells what a grant, those above it and the ceilings of a call have passed.
func (m *Memory) passed(c *call, at time.Time) {
	for _, r := range m.line(c.Grant, c.Detail) {
		b, g := r.account.total, r.account.grant.ID
		all := store.Passed(b)
		for _, kind := range all {
			m.tellOnce(string(g), store.Outdone(kind, all), store.PassedEvent(c.ID, kind, g, b, at))
		}
	}
	for id, month := range c.took.Each {
		if _, on := m.ceilings[id]; !on {
			continue
		}
		x := m.ceiling(id, month)
		all := store.PassedCeiling(x)
		for _, kind := range all {
			m.tellOnce(store.MonthSubject(id, month), store.Outdone(kind, all), store.PassedCeilingEvent(c.ID, kind, m.payerOf(id), x, at))
		}
	}
}

// TellSpent implements meter.Ledger.
func (m *Memory) TellSpent(_ context.Context, g passport.GrantID, least passport.Money, at time.Time) error {
	return m.do("TellSpent", func() error {
		if a := m.accounts[g]; a != nil && store.Spent(a.total, least) {
			m.told[told{string(g), passport.GrantNearCap}] = true
			m.tellOnce(string(g), false, store.SpentEvent(g, a.total, stored(at)))
		}
		return nil
	})
}

// Activity implements authority.History. An event's number is its place.
func (m *Memory) Activity(_ context.Context, of passport.PersonID, payer passport.Payer, g passport.GrantID, before int64, limit int) (out []passport.Event, next int64, err error) {
	err = m.do("Activity", func() error {
		if before <= 0 || before > int64(len(m.events)) {
			before = int64(len(m.events)) + 1
		}
		for at := before - 1; at > 0; at-- {
			ev, granted := m.events[at-1], passport.Payer("")
			if a := m.accounts[ev.Grant]; a != nil {
				granted = a.grant.Payer
			}
			if ev.Kind == passport.TokenIssued || (g != "" && ev.Grant != g) || !store.Sees(of, payer, granted, ev) {
				continue
			}
			if out = append(out, ev); len(out) == limit {
				next = at
				return nil
			}
		}
		return nil
	})
	return out, next, err
}

// EventsOf implements authority.History.
func (m *Memory) EventsOf(_ context.Context, g passport.GrantID, limit int) (out []passport.Event, err error) {
	err = m.do("EventsOf", func() error {
		for _, ev := range slices.Backward(m.events) {
			if ev.Grant == g && ev.Kind != passport.TokenIssued {
				out = append(out, ev)
			}
		}
		out = first(out, limit)
		return nil
	})
	return out, err
}
