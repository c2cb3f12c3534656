package storetest

import (
	"slices"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// paper is a ledger as one would write it on paper: grants of some details, the ceilings over them, and what was held. It keeps
// no balances: all are sums.
type paper struct {
	grants  []*paperGrant
	limits  map[passport.CeilingID]store.Limits // of the ceilings that are set
	earlier map[monthKey]passport.Money         // of each month, when its ceiling was set last
	stopped bool
	calls   []*paperCall
}

type paperGrant struct {
	token     passport.Token
	grant     passport.Grant
	providers []passport.Provider // of each detail
	caps      []passport.Balance  // cap and calls cap of each detail
	state     passport.GrantState
	payer     passport.Payer
	above     []paperUp // what it was narrowed from, the nearest first
	breach    bool      // a bill above its hold has happened: from then on settled + held may pass a cap
}

// paperUp is a grant above another, and which of its details each of that one's is.
type paperUp struct {
	*paperGrant
	details []int
}

// line is the grant and what is above it, with the detail that its calls count on there.
func (g *paperGrant) line(detail int) (all []*paperGrant, details []int) {
	all, details = []*paperGrant{g}, []int{detail}
	for _, up := range g.above {
		all, details = append(all, up.paperGrant), append(details, up.details[detail])
	}
	return all, details
}

type paperCall struct {
	id             passport.ReservationID
	over           []passport.CeilingID // that can be on its path
	grant          *paperGrant
	detail         int
	amount, actual passport.Money
	month          passport.Month
	on             map[passport.CeilingID]bool // the ceilings that it holds on, in its month
	state          passport.ReservationState
	given          bool // back: it did not reach the provider
}

// providerOf is the provider of a detail.
func providerOf(detail int) passport.Provider { return passport.Providers[detail] }

// sum is the balance of a grant's detail, or of all for -1.
func (p *paper) sum(g *paperGrant, detail int) (b passport.Balance) {
	for i, c := range g.caps {
		if detail == -1 || detail == i {
			b.Cap, b.CallsCap = b.Cap+c.Cap, b.CallsCap+c.CallsCap
		}
	}
	for _, c := range p.calls {
		if at := c.detailOn(g); at < 0 || detail != -1 && detail != at {
			continue
		}
		if c.state == passport.ReservationHeld {
			b.Held += c.amount
		} else {
			b.Settled += c.actual
		}
		if !c.given {
			b.Calls++
		}
	}
	return b
}

// detailOn says which detail of a grant a call counts on; -1: none.
func (c *paperCall) detailOn(g *paperGrant) int {
	all, details := c.grant.line(c.detail)
	for i, up := range all {
		if up == g {
			return details[i]
		}
	}
	return -1
}

// month is a ceiling with the sums of a month; beside is what that month cost without it.
func (p *paper) month(k monthKey) (c passport.Ceiling, beside passport.Money) {
	l := p.limits[k.id]
	c = passport.Ceiling{ID: k.id, Month: k.month, Cap: passport.Money(min(l.Own.Or(int64(passport.MaxMoney)), l.Most.Or(int64(passport.MaxMoney)))), Own: l.Own, Most: l.Most, Earlier: p.earlier[k]}
	for _, x := range p.calls {
		switch over := slices.Contains(x.over, k.id); {
		case !over || x.month != k.month:
		case x.state == passport.ReservationHeld && x.on[k.id]:
			c.Held += x.amount
		case x.on[k.id]:
			c.Settled += x.actual
		default:
			beside += x.actual
		}
	}
	return c, beside
}

// path are the ceilings over a call that are set.
func (p *paper) path(over []passport.CeilingID) (out []passport.CeilingID) {
	for _, id := range over {
		if _, set := p.limits[id]; set {
			out = append(out, id)
		}
	}
	return out
}

// hold says what a hold must get: an amount, or a refusal.
func (p *paper) hold(g *paperGrant, detail int, over []passport.CeilingID, m passport.Month, amount, least passport.Money) (passport.Money, problem.Kind, bool) {
	line, details := g.line(detail)
	for _, on := range line {
		switch {
		case p.stopped || on.state == passport.GrantPaused:
			return 0, problem.GrantPaused, false
		case on.state != passport.GrantActive:
			return 0, problem.GrantEnded, false
		}
	}
	wanted := amount
	for i, on := range line {
		for _, b := range []passport.Balance{p.sum(on, -1), p.sum(on, details[i])} {
			if b.Calls >= b.CallsCap {
				return 0, problem.CallsSpent, false
			}
			room := max(0, b.Cap-b.Settled-b.Held)
			if room < least || room == 0 && wanted > 0 {
				return 0, problem.BudgetSpent, false
			}
			amount = min(amount, room)
		}
	}
	root, last := line[len(line)-1], details[len(details)-1]
	for _, id := range p.path(over) {
		c, _ := p.month(monthKey{id, m})
		left := max(0, c.Cap-c.Earlier-c.Settled-c.Held)
		own := p.sum(root, last).Held
		if id == passport.PersonCeilingOf(root.payer) {
			own = p.sum(root, -1).Held
		}
		share := max(0, (left-own)/2) // after it as much is left as the grant holds
		switch {
		case left < least || left == 0 && wanted > 0:
			return 0, problem.BudgetSpent, false
		case share >= least && (share > 0 || wanted == 0):
			amount = min(amount, share)
		case own > 0 && (left+own)/2 >= least:
			return 0, problem.Busy, false
		default:
			return 0, problem.BudgetSpent, false
		}
	}
	return amount, 0, true
}

func (p *paper) settle(c *paperCall, actual passport.Money, reached bool) {
	switch {
	case c.state == passport.ReservationHeld:
	case c.state == passport.ReservationSwept && (actual != c.amount || !reached):
	default:
		return
	}
	line, _ := c.grant.line(c.detail)
	for _, on := range line {
		if actual > c.amount && on.state == passport.GrantActive {
			on.state = passport.GrantPaused
		}
		on.breach = on.breach || actual > c.amount
	}
	if c.state == passport.ReservationSwept && actual > c.amount {
		for _, k := range c.beside() {
			p.earlier[k] += actual - c.amount
		}
	}
	c.state, c.actual, c.given = passport.ReservationSettled, actual, !reached
}

// beside are the months that a call is of and does not hold on.
func (c *paperCall) beside() (out []monthKey) {
	for _, id := range c.over {
		if !c.on[id] {
			out = append(out, monthKey{id, c.month})
		}
	}
	return out
}

// opened says whether a ceiling has been set in each of the months. Of others the store may have a row all the same: a hold opens it.
func (p *paper) opened(months []monthKey) bool {
	return !slices.ContainsFunc(months, func(k monthKey) bool {
		_, set := p.earlier[k]
		return !set
	})
}

// setLimits sets a ceiling in a month, or takes it away. Where it was not set, the month's open calls of that person hold on it from now on.
func (p *paper) setLimits(k monthKey, now store.Limits) {
	if now == (store.Limits{}) {
		delete(p.limits, k.id)
		return
	}
	if _, set := p.limits[k.id]; !set {
		for _, c := range p.calls {
			if c.state == passport.ReservationHeld && c.month == k.month {
				c.on[k.id] = true
			}
		}
		_, p.earlier[k] = p.month(k)
	}
	p.limits[k.id] = now
}
