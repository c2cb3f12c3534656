package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// StopOwn implements authority.Store.
func (m *Memory) StopOwn(_ context.Context, payer passport.Payer, stopped bool, ev passport.Event) (changed []passport.GrantID, err error) {
	err = m.do("StopOwn", func() error {
		if payer == "" {
			return problem.New(problem.Invalid, "nobody's apps cannot be stopped")
		}
		if m.stops[payer].IsZero() != stopped {
			m.note(ev)
			return nil
		}
		for _, a := range m.accounts {
			if a.grant.Payer == payer && a.grant.State == passport.GrantActive {
				changed = append(changed, a.grant.ID)
			}
		}
		slices.Sort(changed)
		if delete(m.stops, payer); stopped {
			m.stops[payer] = stored(ev.At)
		}
		m.note(ev)
		return nil
	})
	return changed, err
}

// stoppedOwn says whether a grant is active and all apps of its person are stopped.
func (m *Memory) stoppedOwn(g passport.Grant) bool {
	return g.State == passport.GrantActive && !m.stops[g.Payer].IsZero()
}

// runs says why nothing can be held on a grant at a time.
func (m *Memory) runs(g passport.Grant, at time.Time) error {
	if err := g.Live(at); err != nil {
		return err
	}
	if m.stoppedOwn(g) {
		return store.Stopped()
	}
	return nil
}

// Stops implements authority.History.
func (m *Memory) Stops(_ context.Context, payer passport.Payer) (s passport.Stops, err error) {
	err = m.do("Stops", func() error {
		if s.Own = m.stops[payer]; m.stopped {
			s.All = m.since
		}
		return nil
	})
	return s, err
}
