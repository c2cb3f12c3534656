package ledgersim_test

import (
	"context"
	"fmt"
	"testing/synctest"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// order is what the owner asked of the broker.
type order struct {
	a    *account // nil: all apps
	want terms
	stop bool
	back bool
	err  error
	life int
}

// command is the owner giving an order: pause, resume, revoke, other caps.
func (w *world) command(ctx context.Context) {
	a := w.accounts[w.rng.IntN(len(w.accounts))]
	for _, o := range w.owner {
		if o.a == a {
			return // waits for its answer
		}
	}
	live, err := w.store.Liveness(ctx, a.token)
	if err != nil || live.Standing.Grant.State == passport.GrantRevoked {
		return
	}
	g := live.Standing.Grant
	next := termsOf(g)
	switch n := w.rng.IntN(20); {
	case n == 0:
		next.state = passport.GrantRevoked
	case n < 5:
		next.state = passport.GrantPaused
	case n < 12:
		next.state = passport.GrantActive
	default:
		i := w.rng.IntN(len(g.Details))
		next.cents[i] = 1 + w.rng.Int64N(400)
	}
	g.Version++
	g.State, g.Details = next.state, next.details()
	o := &order{a: a, want: next, life: w.life}
	w.owner = append(w.owner, o)
	a.orders++
	w.say("the owner wants grant %s to be %+v", a.grant, next)
	s, ev := w.store, w.event(a.grant)
	o.back = w.bend.promises
	go func() {
		if err := s.ChangeGrant(ctx, g, ev); !o.back {
			o.back, o.err = true, err
		}
	}()
	synctest.Wait()
}

// stopAll is the owner stopping all apps, or letting them go on.
func (w *world) stopAll(ctx context.Context) {
	for _, o := range w.owner {
		if o.a == nil {
			return
		}
	}
	o := &order{stop: len(w.stopped) == 1 && !w.stopped[0] && w.chance(0.5), life: w.life}
	w.owner = append(w.owner, o)
	for _, a := range w.accounts {
		a.orders++
	}
	w.say("the owner wants all apps to stop: %v", o.stop)
	s, ev := w.store, w.event("")
	go func() {
		o.err = s.Stop(ctx, o.stop, ev)
		o.back = true
	}()
	synctest.Wait()
}

// told looks at the orders that were answered.
func (w *world) told() {
	var waiting []*order
	for _, o := range w.owner {
		switch {
		case o.life == w.life && !o.back:
			waiting = append(waiting, o)
			continue
		case o.life == w.life && o.err == nil:
			w.say("the owner is told that it is done")
			if o.a == nil {
				w.stopped = maybe[bool]{o.stop}
			} else {
				o.a.terms = w.known(o)
			}
			continue
		}
		// It may have been done: the answer was lost, or never came.
		w.say("the owner is told nothing, or: %v", o.err)
		if o.err != nil && problem.KindOf(o.err) == problem.Conflict {
			continue // somebody, the ledger that freezes, was faster
		}
		if o.a == nil {
			w.stopped.add(o.stop)
		} else {
			for _, t := range w.known(o) {
				o.a.terms.add(t)
			}
		}
	}
	w.owner = waiting
}

// known is what a grant can be after an order that was carried out. A bill above its hold may have frozen it since.
func (w *world) known(o *order) maybe[terms] {
	out := maybe[terms]{o.want}
	if o.a.excess > 0 && o.want.state == passport.GrantActive {
		paused := o.want
		paused.state = passport.GrantPaused
		out.add(paused)
	}
	return out
}

func termsOf(g passport.Grant) (t terms) {
	t.state, t.calls = g.State, g.Details[0].MaxRequests.Or(0)
	for _, d := range g.Details {
		i := 0
		if d.Provider == passport.Anthropic {
			i = 1
		}
		t.cents[i] = d.MaxBudgetCents.Or(0)
	}
	return t
}

func (w *world) event(g passport.GrantID) passport.Event {
	w.ids++
	return passport.Event{ID: passport.EventID(fmt.Sprint("ev_", w.ids)), At: w.now(), Grant: g, Actor: "owner:p1"}
}
