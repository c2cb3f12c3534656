package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Watched implements authority.Watching.
func (m *Memory) Watched(_ context.Context, now time.Time, after passport.Watched, limit int) (out []passport.Watched, err error) {
	err = m.do("Watched", func() error {
		for id, a := range m.accounts {
			g := a.grant
			if (g.State != passport.GrantActive && g.State != passport.GrantPaused) || g.Parent != "" || !g.ExpiresAt.After(stored(now)) {
				continue
			}
			if c := g.ExpiresAt.Compare(after.Ends); !after.Ends.IsZero() && (c < 0 || c == 0 && id <= after.Grant) {
				continue
			}
			w := passport.Watched{Grant: id, Ends: g.ExpiresAt, Settled: a.total.Settled, Used: a.total.Calls > 0, Told: m.told[told{string(id) + "/first", passport.GrantFirstUsed}], Hour: passport.Mark{Settled: -1}}
			for _, x := range m.marks[id] {
				w.Last = x
				if !x.At.After(stored(now).Add(-time.Hour)) {
					w.Hour.Settled = x.Settled
				}
			}
			out = append(out, w)
		}
		slices.SortFunc(out, func(a, b passport.Watched) int { return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.Grant, b.Grant)) })
		out = first(out, limit)
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
