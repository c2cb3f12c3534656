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
		if _, on := was.Get(); !on {
			m.takeUp(monthKey{id, passport.MonthOf(stored(ev.At))})
		}
		m.forgetTold(store.MonthSubject(id, passport.MonthOf(stored(ev.At))))
		m.ceilings[id] = passport.LimitOf(int64(most))
		m.note(store.CeilingEvent(ev, id, was, m.ceilings[id]))
		return nil
	})
}

// RemoveCeiling implements authority.Ceilings.
func (m *Memory) RemoveCeiling(_ context.Context, id passport.CeilingID, ev passport.Event) error {
	return m.do("RemoveCeiling", func() error {
		if was, on := m.ceilings[id]; on {
			delete(m.ceilings, id)
			m.note(store.CeilingEvent(ev, id, was, passport.Limit{}))
		}
		return nil
	})
}

// Ceilings implements authority.Ceilings.
func (m *Memory) Ceilings(_ context.Context, of passport.Payer, month passport.Month) (out []passport.Ceiling, err error) {
	err = m.do("Ceilings", func() error {
		for id := range m.ceilings {
			if store.CeilingPayer(id, m.creds[id.Credential()].Payer) != of {
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
	c.Cap = passport.Money(m.ceilings[id].Or(0))
	return c
}

// ceilingsOf are the ceilings on the path of a hold: the person's, then the provider's, then the key's.
func (m *Memory) ceilingsOf(h passport.Hold) (out []passport.Ceiling) {
	for _, id := range h.Ceilings() {
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
