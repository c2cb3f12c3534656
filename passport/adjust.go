package passport

import (
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Adjustment is what the owner makes of a grant that can be used: numbers that hold from then on, and its end.
type Adjustment struct {
	Version int64     // of the grant that the owner looked at
	Limits  []Limits  // one for each of Grant.Details, in order; what is absent stays as it is
	Ends    time.Time // zero: stays as it is
	Fresh   bool      // the person has proved a moment ago who they are
}

// Adjust returns the grant with other limits and another end, which may be more or less. Less than is spent already lets nothing more be
// spent. Errors: Conflict if the grant cannot be used, or is not the one that the owner looked at; Invalid with the member's name if a number
// or the end is out of bounds, if a grant that was passed on would grow, and without one if nothing changes.
func (g Grant) Adjust(a Adjustment, now time.Time) (Grant, error) {
	if s := g.At(now).State; s != GrantActive && s != GrantPaused {
		return Grant{}, problem.New(problem.Conflict, "Grant is '%s', must be 'approved' or 'paused'", s.Wire())
	}
	if a.Version != g.Version {
		return Grant{}, problem.New(problem.Conflict, "grant %s has changed meanwhile: look at it again", g.ID)
	}
	if len(a.Limits) != len(g.Details) {
		return Grant{}, problem.New(problem.Invalid, "must have %d, one for each provider", len(g.Details)).In("limits")
	}
	next := g
	next.Details = slices.Clone(g.Details)
	for i, l := range a.Limits {
		d := &next.Details[i]
		for _, x := range []struct{ out, set *Limit }{{&d.MaxBudgetCents, &l.MaxBudgetCents}, {&d.MaxRequests, &l.MaxRequests}, {&d.RateLimit, &l.RateLimit}} {
			if !x.set.IsZero() {
				*x.out = *x.set
			}
		}
		if err := d.Check(); err != nil {
			return Grant{}, err
		}
	}
	if err := next.moveEnd(a.Ends, now); err != nil {
		return Grant{}, err
	}
	if !next.changed(g) {
		return Grant{}, problem.New(problem.Invalid, "nothing is changed")
	}
	if g.Parent != "" && next.Wider(g) {
		return Grant{}, problem.New(problem.Invalid, "the grant was passed on: only the one that it came from can be raised")
	}
	next.Version++
	return next, nil
}

// moveEnd sets when the grant ends, within the life that an approval can give and the end that a detail has of its own.
func (g *Grant) moveEnd(ends, now time.Time) error {
	if ends.IsZero() || ends.Equal(g.ExpiresAt) {
		return nil
	}
	if life := ends.Sub(now); life < MinLifetime || life > MaxLifetime {
		return problem.New(problem.Invalid, "must be from 1 to %d seconds from now", int64(MaxLifetime/time.Second)).In("ends")
	}
	for _, d := range g.Details {
		if e, ok := d.ExpiresAt.Get(); ok && ends.After(time.Unix(e, 0)) {
			return problem.New(problem.Invalid, "access to %s was asked for until %s and no longer", d.Provider.Title(), time.Unix(e, 0).UTC().Format(time.RFC3339)).In("ends")
		}
	}
	g.ExpiresAt = ends
	return nil
}

func (g Grant) changed(before Grant) bool {
	return !g.ExpiresAt.Equal(before.ExpiresAt) || !slices.EqualFunc(g.Details, before.Details, Detail.same)
}

// Wider says whether g permits anything that the same grant did not permit before: more of a number, or for longer.
func (g Grant) Wider(before Grant) bool {
	if g.ExpiresAt.After(before.ExpiresAt) || len(g.Details) != len(before.Details) {
		return true
	}
	for i, d := range g.Details {
		b := before.Details[i]
		if d.MaxBudgetCents.Or(0) > b.MaxBudgetCents.Or(0) || d.MaxRequests.Or(0) > b.MaxRequests.Or(0) || d.RateLimit.Or(0) > b.RateLimit.Or(0) {
			return true
		}
	}
	return false
}

// Adjusted says in words what an adjustment changed, for the log and the owner: at most MaxNote bytes, and no text of an app's.
func (g Grant) Adjusted(before Grant) string {
	s := g.Grown(before)
	if !g.ExpiresAt.Equal(before.ExpiresAt) {
		if s != "" {
			s += "; "
		}
		s += "ends " + g.ExpiresAt.UTC().Format(time.RFC3339) + ", not " + before.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return s[:min(len(s), MaxNote)]
}
