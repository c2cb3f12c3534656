package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Hold implements meter.Ledger.
func (m *Memory) Hold(_ context.Context, h passport.Hold) (held passport.Held, err error) {
	err = m.do("Hold", func() error {
		held, err = m.hold(h)
		return err
	})
	return held, err
}

func (m *Memory) hold(h passport.Hold) (passport.Held, error) {
	if err := store.CheckHold(h); err != nil {
		return passport.Held{}, err
	}
	if err := m.checkClaim(h); err != nil {
		return passport.Held{}, err
	}
	if err := mustBeFree(m.calls, h.ID, "reservation"); err != nil {
		return passport.Held{}, err
	}
	if m.stopped {
		return passport.Held{}, store.Stopped()
	}
	a := m.accounts[h.Grant]
	if a == nil {
		return passport.Held{}, store.NotFound("grant")
	}
	h.At = stored(h.At)
	if err := m.runs(a.grant, h.At); err != nil {
		return passport.Held{}, err
	}
	if h.Detail >= max(1, len(a.parts)) {
		return passport.Held{}, store.NoDetail(h)
	}
	for _, r := range m.line(h.Grant, h.Detail)[1:] {
		if g := r.account.grant; g.Live(h.At) != nil {
			return passport.Held{}, store.NotLiveAbove(g.State, store.Micros(g.ExpiresAt), h)
		}
	}
	path, now := m.budgetsOf(h.Grant, h.Detail)
	amount, err := store.Admit(h, now)
	if err != nil {
		return passport.Held{}, err
	}
	ceilings := m.ceilingsOf(h, a.grant.Payer)
	if amount, err = store.AdmitCeilings(h, amount, now, ceilings); err != nil {
		return passport.Held{}, err
	}
	for i, b := range path {
		b.Held += amount
		b.Calls++
		now[i].Balance = *b
	}
	c := &call{reached: true, took: passport.Taken{Payer: a.grant.Payer, Provider: h.Provider, Credential: h.Credential},
		Reservation: passport.Reservation{ID: h.ID, Grant: h.Grant, Detail: h.Detail, Provider: h.Provider, Credential: h.Credential,
			Model: h.Model, Stream: h.Stream, State: passport.ReservationHeld, Amount: amount, Tariff: h.Tariff, CreatedAt: h.At}}
	if h.Claim.Set() {
		m.claims[claimKey{h.Grant, h.Claim.Key}] = claim{h.Claim.Body, h.ID, h.At}
	}
	for _, x := range ceilings {
		*c.took.Of(x.ID) = x.Month
	}
	m.calls[h.ID] = c
	m.shift(c, amount, 0)
	held := passport.Held{Amount: amount, Left: store.LeftOn(amount, now, ceilings)}
	held.Total, held.Detail = store.Own(now)
	return held, nil
}

func (a *account) budgets(detail int) []*passport.Balance {
	if a.parts == nil {
		return []*passport.Balance{&a.total}
	}
	return []*passport.Balance{&a.total, &a.parts[detail]}
}

// Settle implements meter.Ledger.
func (m *Memory) Settle(_ context.Context, s passport.Settlement) error {
	return m.do("Settle", func() error {
		if err := store.CheckSettlement(s); err != nil {
			return err
		}
		s.Actual, s.At = min(s.Actual, store.MostActual), stored(s.At)
		c := m.calls[s.ID]
		switch {
		case c == nil:
		case c.State == passport.ReservationHeld:
			m.settle(c, s)
		case store.AdjustSwept(c.Reservation, s):
			m.adjust(c, s)
		}
		m.freeClaim(s)
		return nil
	})
}

func (m *Memory) settle(c *call, s passport.Settlement) {
	path, _ := m.budgetsOf(c.Grant, c.Detail)
	for _, b := range path {
		b.Held -= c.Amount
		b.Settled += s.Actual
		if !s.Reached {
			b.Calls--
		}
	}
	m.shift(c, -c.Amount, s.Actual)
	c.end(s)
	m.freeze(c, s)
	m.passed(c, s.At)
}

// freeze pauses the grant of a bill above its hold, and all above it.
func (m *Memory) freeze(c *call, s passport.Settlement) {
	if s.Actual <= c.Amount {
		return
	}
	for _, r := range m.line(c.Grant, c.Detail) {
		if a := r.account; a.grant.State == passport.GrantActive {
			a.grant.State = passport.GrantPaused
			a.grant.Version++
		}
		m.note(store.FrozenEvent(s, r.account.grant.ID, c.Amount))
	}
}

func (m *Memory) adjust(c *call, s passport.Settlement) {
	path, _ := m.budgetsOf(c.Grant, c.Detail)
	for _, b := range path {
		b.Settled += s.Actual - c.Actual
		if !s.Reached {
			b.Calls--
		}
	}
	m.shift(c, 0, s.Actual-c.Actual)
	if s.Actual > c.Amount {
		m.raiseEarlier(c, s.Actual-c.Amount)
	}
	c.end(s)
	m.note(store.AdjustedEvent(s, c.Grant, c.Amount))
	if s.Actual > c.Amount {
		m.freeze(c, s)
		m.passed(c, s.At)
	}
}

func (c *call) end(s passport.Settlement) {
	c.State, c.Actual, c.Usage, c.Why, c.EndedAt = passport.ReservationSettled, s.Actual, s.Usage, s.Why, s.At
	c.reached = s.Reached
}

// ChargeOrphans implements meter.Ledger.
func (m *Memory) ChargeOrphans(_ context.Context, at time.Time) (n int, sum passport.Money, err error) {
	err = m.do("ChargeOrphans", func() error {
		var open []passport.ReservationID
		for id, c := range m.calls {
			if c.State == passport.ReservationHeld {
				open = append(open, id)
			}
		}
		slices.Sort(open)
		for _, id := range open {
			c := m.calls[id]
			path, _ := m.budgetsOf(c.Grant, c.Detail)
			for _, b := range path {
				b.Held -= c.Amount
				b.Settled += c.Amount
			}
			m.shift(c, -c.Amount, c.Amount)
			c.State, c.Actual, c.Why, c.EndedAt = passport.ReservationSwept, c.Amount, passport.Orphaned, stored(at)
			m.note(store.ChargedEvent(c.Reservation))
			if c.Amount > 0 {
				m.passed(c, stored(at))
			}
			n, sum = n+1, sum+c.Amount
		}
		return nil
	})
	return n, sum, err
}
