package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// notice leaves an event of a grant where its person sees it.
func (m *Memory) notice(ev passport.Event) {
	a := m.accounts[ev.Grant]
	if !passport.Noticed(ev.Kind) || a == nil {
		return
	}
	m.unnotice(string(ev.Grant), passport.Outdated(ev.Kind))
	m.putNotice(string(ev.Grant), a.grant.Payer, ev)
}

func (m *Memory) putNotice(subject string, payer passport.Payer, ev passport.Event) {
	m.unnotice(subject, ev.Kind)
	m.notices = append(m.notices, passport.Notice{ID: ev.ID, Kind: ev.Kind, Subject: subject, Payer: cmp.Or(payer, passport.OwnerPays), At: stored(ev.At), Note: ev.Note})
}

// unnotice takes away what is of these kinds; of none: all.
func (m *Memory) unnotice(subject string, kinds ...passport.EventKind) {
	m.notices = slices.DeleteFunc(m.notices, func(n passport.Notice) bool {
		return n.Subject == subject && (len(kinds) == 0 || slices.Contains(kinds, n.Kind))
	})
}

func (m *Memory) noticeKey(c passport.Credential, ev passport.Event) {
	if ev.Kind == passport.CredentialRefused {
		m.putNotice(string(c.ID), c.Payer, ev)
	} else if c.RefusedAt.IsZero() {
		m.unnotice(string(c.ID))
	}
}

// Notices implements authority.Notices.
func (m *Memory) Notices(_ context.Context, payer passport.Payer, limit int) (out []passport.Notice, err error) {
	err = m.do("Notices", func() error {
		for _, n := range m.notices {
			if n.Payer == payer {
				out = append(out, n)
			}
		}
		slices.SortFunc(out, func(a, b passport.Notice) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
		out = first(out, limit)
		return nil
	})
	return out, err
}

// Dismiss implements authority.Notices.
func (m *Memory) Dismiss(_ context.Context, payer passport.Payer, id passport.EventID, upTo time.Time) error {
	return m.do("Dismiss", func() error {
		m.notices = slices.DeleteFunc(m.notices, func(n passport.Notice) bool {
			return n.Payer == payer && (n.ID == id || id == "" && !n.At.After(stored(upTo)))
		})
		return nil
	})
}
