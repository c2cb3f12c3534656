package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// monthKey is one month of one ceiling.
type monthKey struct {
	id    passport.CeilingID
	month passport.Month
}

// SetCeiling implements authority.Ceilings.
func (m *Memory) SetCeiling(_ context.Context, id passport.CeilingID, most passport.Money, ev passport.Event) error {
	return m.do("SetCeiling", func() error {
		if err := store.CheckCeiling(id, most); err != nil {
			return err
		}
		was := m.ceilings[id]
		now := store.Limits{Own: passport.LimitOf(int64(most)), Most: was.Most}
		m.setLimits(id, now, ev)
		m.note(store.CeilingEvent(ev, passport.OwnLimit, id, m.payerOf(id), was.Own, now.Own))
		return nil
	})
}

// RemoveCeiling implements authority.Ceilings.
func (m *Memory) RemoveCeiling(_ context.Context, id passport.CeilingID, ev passport.Event) error {
	return m.do("RemoveCeiling", func() error {
		if was := m.ceilings[id]; was.Own != (passport.Limit{}) {
			m.setLimits(id, store.Limits{Most: was.Most}, ev)
			m.note(store.CeilingEvent(ev, passport.OwnLimit, id, m.payerOf(id), was.Own, passport.Limit{}))
		}
		return nil
	})
}

// LimitMember implements authority.Ceilings.
func (m *Memory) LimitMember(_ context.Context, member passport.PersonID, most passport.Limit, ev passport.Event) error {
	return m.do("LimitMember", func() error {
		if !slices.ContainsFunc(m.people, func(p passport.Person) bool { return p.ID == member && p.Role == passport.RoleMember }) {
			return store.NotFound("member")
		}
		id := passport.PersonCeilingOf(passport.Payer(member))
		if err := store.CheckCeiling(id, passport.Money(most.Or(0))); err != nil {
			return err
		}
		was := m.ceilings[id]
		if was.Most == most && most == (passport.Limit{}) {
			return nil
		}
		m.setLimits(id, store.Limits{Own: was.Own, Most: most}, ev)
		m.note(store.CeilingEvent(ev, passport.MostLimit, id, passport.Payer(member), was.Most, most))
		return nil
	})
}

// setLimits makes a ceiling what it is at an event.
func (m *Memory) setLimits(id passport.CeilingID, now store.Limits, ev passport.Event) {
	was, month := m.ceilings[id], passport.MonthOf(stored(ev.At))
	if was.Cap() == (passport.Limit{}) {
		m.takeUp(monthKey{id, month})
	}
	if was.Cap() != now.Cap() {
		m.forgetTold(store.MonthSubject(id, month))
	}
	m.ceilings[id] = now
	if now == (store.Limits{}) {
		delete(m.ceilings, id)
	}
}

func (m *Memory) payerOf(id passport.CeilingID) passport.Payer {
	return store.CeilingPayer(id, m.creds[id.Credential()].Payer)
}

// Ceilings implements authority.Ceilings.
func (m *Memory) Ceilings(_ context.Context, of passport.Payer, month passport.Month) (out []passport.Ceiling, err error) {
	err = m.do("Ceilings", func() error {
		for id := range m.ceilings {
			if m.payerOf(id) != of {
				continue
			}
			out = append(out, m.ceiling(id, month))
		}
		slices.SortFunc(out, func(a, b passport.Ceiling) int { return cmp.Compare(a.ID, b.ID) })
		return nil
	})
	return out, err
}

// takeUp opens the month of a ceiling that was not set.
func (m *Memory) takeUp(k monthKey) {
	c := m.month(k)
	c.Earlier = m.beside(k)
	for _, x := range m.calls {
		if month := x.took.Of(k.id); month != nil && *month == 0 && x.State == passport.ReservationHeld && passport.MonthOf(x.CreatedAt) == k.month {
			*month = k.month
			c.Held += x.Amount
		}
	}
}

// beside is what calls of a month have cost that hold on no month of the ceiling.
func (m *Memory) beside(k monthKey) (sum passport.Money) {
	for _, x := range m.calls {
		if month := x.took.Of(k.id); month != nil && *month == 0 && x.State != passport.ReservationHeld && passport.MonthOf(x.CreatedAt) == k.month {
			sum += x.Actual
		}
	}
	return sum
}

func (m *Memory) month(k monthKey) *passport.Ceiling {
	if m.months[k] == nil {
		m.months[k] = &passport.Ceiling{ID: k.id, Month: k.month}
	}
	return m.months[k]
}

func (m *Memory) ceiling(id passport.CeilingID, month passport.Month) passport.Ceiling {
	c := passport.Ceiling{ID: id, Month: month}
	if had := m.months[monthKey{id, month}]; had != nil {
		c = *had
	}
	l := m.ceilings[id]
	c.Cap, c.Own, c.Most = passport.Money(l.Cap().Or(0)), l.Own, l.Most
	return c
}

// ceilingsOf are the ceilings on the path of a hold: the person's, then the provider's, then the key's.
func (m *Memory) ceilingsOf(h passport.Hold, payer passport.Payer) (out []passport.Ceiling) {
	for _, id := range h.Ceilings(payer) {
		if _, on := m.ceilings[id]; on {
			out = append(out, m.ceiling(id, passport.MonthOf(h.At)))
		}
	}
	return out
}

// shift moves money on the months that a call holds on.
func (m *Memory) shift(c *call, held, settled passport.Money) {
	for id, month := range c.took.Each {
		on := m.month(monthKey{id, month})
		on.Held += held
		on.Settled += settled
	}
}

// raiseEarlier counts what a late bill is above its hold on the months that were opened since recovery charged the hold.
func (m *Memory) raiseEarlier(c *call, by passport.Money) {
	for k, on := range m.months {
		if month := c.took.Of(k.id); month != nil && *month == 0 && passport.MonthOf(c.CreatedAt) == k.month {
			on.Earlier += by
		}
	}
}

// wrongCeilings lists the months that differ from the sums of their calls.
func (m *Memory) wrongCeilings() (out []string) {
	newest := map[passport.CeilingID]passport.Month{}
	for k, c := range m.months {
		newest[k.id] = max(newest[k.id], k.month)
		var held, settled passport.Money
		for _, x := range m.calls {
			if month := x.took.Of(k.id); month == nil || *month != k.month {
				continue
			}
			if settled += x.Actual; x.State == passport.ReservationHeld {
				held += x.Amount
			}
		}
		if held != c.Held || settled != c.Settled {
			out = append(out, fmt.Sprintf("ceiling %s of %d: %+v, its calls say held %v settled %v", k.id, k.month, *c, held, settled))
		}
	}
	for id, month := range newest {
		k := monthKey{id, month}
		if _, on := m.ceilings[id]; on && m.beside(k) > m.months[k].Earlier {
			out = append(out, fmt.Sprintf("ceiling %s of %d: earlier %v, spent beside it %v", id, month, m.months[k].Earlier, m.beside(k)))
		}
	}
	return out
}
