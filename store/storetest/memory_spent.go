package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// SpentSince implements authority.History.
func (m *Memory) SpentSince(_ context.Context, payer passport.Payer, since time.Time, every time.Duration, limit int) (out []passport.Spent, err error) {
	err = m.do("SpentSince", func() error {
		for _, c := range m.calls {
			if store.Micros(c.CreatedAt) < store.Micros(since) || !payer.Sees(m.accounts[c.Grant].grant) {
				continue
			}
			k := passport.Spent{Begins: c.CreatedAt.UTC().Truncate(every), Grant: c.Grant, Provider: c.Provider, Model: c.Model}
			at := slices.IndexFunc(out, func(s passport.Spent) bool {
				return s.Begins.Equal(k.Begins) && s.Grant == k.Grant && s.Provider == k.Provider && s.Model == k.Model
			})
			if at < 0 {
				at, out = len(out), append(out, k)
			}
			s := &out[at]
			if c.reached {
				s.Calls++
			}
			if c.State == passport.ReservationHeld {
				s.Held += c.Amount
			}
			s.Settled, s.Input, s.Output = s.Settled+c.Actual, s.Input+c.Usage.Input, s.Output+c.Usage.Output
		}
		slices.SortFunc(out, func(a, b passport.Spent) int {
			return cmp.Or(b.Begins.Compare(a.Begins), cmp.Compare(a.Grant, b.Grant), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
		})
		out = first(out, limit)
		return nil
	})
	return out, err
}
