package storetest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Watched implements authority.Watching.
func (m *Memory) Watched(_ context.Context, now time.Time, grants []passport.GrantID) (out []passport.Watched, err error) {
	err = m.do("Watched", func() error {
		for _, id := range grants {
			a := m.accounts[id]
			if a == nil {
				continue
			}
			g := a.grant
			if (g.State != passport.GrantActive && g.State != passport.GrantPaused) || g.Parent != "" || !g.ExpiresAt.After(stored(now)) {
				continue
			}
			w := passport.Watched{Grant: id, Settled: a.total.Settled, Used: a.total.Calls > 0, Told: m.told[told{string(id) + "/first", passport.GrantFirstUsed}], Hour: passport.Mark{Settled: -1}}
			for _, x := range m.marks[id] {
				w.Last = x
				if !x.At.After(stored(now).Add(-time.Hour)) {
					w.Hour.Settled = x.Settled
				}
			}
			out = append(out, w)
		}
		return nil
	})
	return out, err
}

// SpentLately implements authority.Watching.
func (m *Memory) SpentLately(_ context.Context, calls int) (out []passport.GrantID, err error) {
	err = m.do("SpentLately", func() error {
		ids := slices.Sorted(maps.Keys(m.calls))
		for _, id := range ids[max(0, len(ids)-calls):] {
			top := m.calls[id].Grant
			for m.accounts[top].grant.Parent != "" {
				top = m.accounts[top].grant.Parent
			}
			out = append(out, top)
		}
		slices.Sort(out)
		out = slices.Compact(out)
		return nil
	})
	return out, err
}

// Marks implements authority.Watching.
func (m *Memory) Marks(_ context.Context, g passport.GrantID) (out []passport.Mark, err error) {
	err = m.do("Marks", func() error {
		all := m.marks[g]
		out = slices.Clone(all[max(0, len(all)-passport.MostMarks):])
		return nil
	})
	return out, err
}

// NoteWatched implements authority.Watching.
func (m *Memory) NoteWatched(_ context.Context, found []passport.Found) error {
	return m.do("NoteWatched", func() error {
		for _, f := range found {
			at, all := stored(f.Mark.At), m.marks[f.Grant]
			if !f.Mark.At.IsZero() && (len(all) == 0 || !all[len(all)-1].At.After(at.Add(-passport.MarkEvery))) {
				m.marks[f.Grant] = append(all, passport.Mark{At: at, Settled: f.Mark.Settled})
				if f.Thin {
					m.thin(f.Grant, at)
				}
			}
			for _, ev := range f.Events {
				m.tellOnce(store.OnceOf(ev), false, ev)
			}
		}
		return nil
	})
}

func (m *Memory) thin(g passport.GrantID, now time.Time) {
	for _, t := range store.ThinAt(now) {
		all := m.marks[g]
		m.marks[g] = nil
		for i, x := range all {
			if !x.At.Before(t.Before) || i+1 == len(all) || !all[i+1].At.Truncate(t.Each).Equal(x.At.Truncate(t.Each)) {
				m.marks[g] = append(m.marks[g], x)
			}
		}
	}
}
