package meter

import (
	"context"
	"sync"

	"github.com/devrelopers/aipassport/passport"
)

// Reservation is money held for one call to a provider: one attempt, not one request of a client. It must be settled once.
type Reservation struct {
	ID        passport.ReservationID
	Amount    passport.Money // held; the most that the call may cost
	MaxOutput int64          // the output cap that must go upstream, in model tokens: what was asked, or what the money affords
	Held      passport.Held  // what the ledger said, with what is left after it

	m       *Meter
	grant   passport.GrantID
	above   []passport.GrantID // what the grant was narrowed from
	call    passport.Call
	price   ModelPrice
	settled sync.Once
	charged passport.Money
}

// Settle ends the reservation by how the call ended and what the provider says was used, and returns the charge. It is
// queued behind its hold; its commit is not waited for. ctx may be over already. Settling again changes nothing and returns
// the first charge.
func (r *Reservation) Settle(ctx context.Context, why passport.Outcome, u passport.Usage) (charged passport.Money) {
	return r.end(ctx, func() passport.Settlement { return r.settlement(why, u) })
}

// end settles once.
func (r *Reservation) end(ctx context.Context, by func() passport.Settlement) passport.Money {
	r.settled.Do(func() {
		s := by()
		r.charged = s.Actual
		r.m.settle(ctx, s)
		if s.Actual > r.Amount {
			// The ledger has the pause in its queue: calls that come now are refused, those in flight are for OnFreeze to end.
			r.m.c.OnFreeze(r.grant)
			for _, up := range r.above {
				r.m.c.OnFreeze(up)
			}
		}
		r.m.c.OnSettled(r.top())
		r.m.leave(r.grant, r.above)
	})
	return r.charged
}

// top is the grant that a person gave.
func (r *Reservation) top() passport.GrantID {
	if n := len(r.above); n > 0 {
		return r.above[n-1]
	}
	return r.grant
}

// settlement is the table of outcomes. Whatever it does not know is charged in full.
func (r *Reservation) settlement(why passport.Outcome, u passport.Usage) passport.Settlement {
	cost := r.used(u)
	if !u.Sane() || !r.price.covers(u) {
		u = passport.Usage{} // what cannot be true, or has no price, is not kept
	}
	s := passport.Settlement{ID: r.ID, Grant: r.grant, Reached: true, Usage: u, Why: why, Claim: r.call.Claim, At: r.m.c.Now()}
	switch why {
	case passport.NotSent:
		s.Reached, s.Usage = false, passport.Usage{}
	case passport.ProviderError:
		s.Usage = passport.Usage{}
	case passport.Finished:
		s.Actual = cost
		if !u.Known {
			s.Actual, s.Why = r.Amount, passport.NoUsage
		}
	default:
		// NoUsage, Broken, ClientLeft, Recalled: more may have been used than was told, but not less.
		s.Actual = max(r.Amount, cost)
	}
	return s
}
