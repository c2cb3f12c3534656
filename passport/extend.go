package passport

import (
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Raise returns what of the details that are asked is more than the grant has, and beside it what the grant has: one for each, in order, Asked
// and Details of the request. Numbers are totals: what the grant would have then, not what comes on top. What is left out stays as it is, and
// so does what is asked up to what there is: both are left out of more, so that the request says nothing of them when it is answered. This and
// Extend are the only way in which a grant grows. Errors: Conflict if the grant is not active; Invalid with the member's name for a provider
// that it does not cover, for what cannot grow, and without one if nothing more is asked.
func (g Grant) Raise(asked []Detail, now time.Time) (more, had []Detail, err error) {
	if err := g.mayGrow(now); err != nil {
		return nil, nil, err
	}
	asks := false
	for _, a := range asked {
		at := g.DetailFor(a.Provider)
		if at < 0 {
			return nil, nil, problem.New(problem.Invalid, "the grant does not cover %s: ask for a new grant", a.Provider).In("provider")
		}
		d := g.Details[at]
		raised, err := d.raise(a)
		if err != nil {
			return nil, nil, err
		}
		asks = asks || !d.same(raised)
		more, had = append(more, raised.beyond(d)), append(had, d)
	}
	if !asks {
		return nil, nil, problem.New(problem.Invalid, "asks for nothing that the grant does not have")
	}
	return more, had, nil
}

// Terms are the details to show of a grant. Of a request that extends another grant and has not raised it they are what that grant would have
// with all that is asked, counted from what it had then; of any other grant they are Details.
func (g Grant) Terms() []Detail {
	if g.Extends == "" || !g.ApprovedAt.IsZero() || len(g.Asked) != len(g.Details) {
		return g.Details
	}
	out := slices.Clone(g.Details)
	for i, asked := range g.Asked {
		if d, err := out[i].raise(asked); err == nil { // Raise has refused what cannot be
			out[i] = d
		}
	}
	return out
}

func (g Grant) mayGrow(now time.Time) error {
	if s := g.At(now).State; s != GrantActive {
		return problem.New(problem.Conflict, "Grant is '%s', must be 'approved'", s.Wire())
	}
	if g.Parent != "" {
		return problem.New(problem.Invalid, "the grant was passed on: only the one that it came from can be raised")
	}
	return nil
}

// raise is d with what of by is more.
func (d Detail) raise(by Detail) (Detail, error) {
	for _, fixed := range []struct {
		field string
		moves bool
	}{
		{"expiresAt", !by.ExpiresAt.IsZero() && by.ExpiresAt != d.ExpiresAt},
		{"maxDelegationDepth", !by.MaxDelegationDepth.IsZero() && by.MaxDelegationDepth != d.MaxDelegationDepth},
		{"clampOutput", by.ClampOutput != nil && *by.ClampOutput != d.Clamps()},
	} {
		if fixed.moves {
			return Detail{}, problem.New(problem.Invalid, "cannot change when a grant is raised: ask for a new grant").In(fixed.field)
		}
	}
	out := d
	switch {
	case by.Models == nil || len(d.Models) == 0:
	case len(by.Models) == 0:
		out.Models = []string{} // any
	default:
		out.Models = union(d.Models, by.Models)
	}
	out.Capabilities = union(d.Capabilities, by.Capabilities)
	for _, l := range []struct{ out, ask *Limit }{
		{&out.MaxBudgetCents, &by.MaxBudgetCents}, {&out.MaxRequests, &by.MaxRequests}, {&out.RateLimit, &by.RateLimit},
	} {
		if asked, ok := l.ask.Get(); ok {
			*l.out = LimitOf(max(asked, l.out.Or(0)))
		}
	}
	return out, out.Check()
}

// beyond is what d, which was raised from had, has more than that, as it is asked for: what is the same is left out. A list of
// which nothing is more is nil, because an empty one of models means any.
func (d Detail) beyond(had Detail) Detail {
	out := Detail{Provider: d.Provider}
	switch {
	case len(had.Models) == 0: // any already
	case len(d.Models) == 0:
		out.Models = []string{} // any
	case len(d.Models) > len(had.Models):
		out.Models = slices.Clone(d.Models[len(had.Models):])
	}
	if len(d.Capabilities) > len(had.Capabilities) {
		out.Capabilities = slices.Clone(d.Capabilities[len(had.Capabilities):])
	}
	for _, l := range []struct{ out, raised, had *Limit }{
		{&out.MaxBudgetCents, &d.MaxBudgetCents, &had.MaxBudgetCents}, {&out.MaxRequests, &d.MaxRequests, &had.MaxRequests},
		{&out.RateLimit, &d.RateLimit, &had.RateLimit},
	} {
		if *l.raised != *l.had {
			*l.out = *l.raised
		}
	}
	return out
}

func union[T comparable](had, more []T) []T {
	out := slices.Clone(had)
	for _, x := range more {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// same says whether two details of a provider permit the same.
func (d Detail) same(e Detail) bool {
	return slices.Equal(d.Models, e.Models) && slices.Equal(d.Capabilities, e.Capabilities) && d.Limits() == e.Limits()
}

// Extend raises g by what the person gives of a pending request that extends it, and answers the request: it becomes extended, which is
// final, and opens no budget of its own. What was not asked stays as g has it now, also where the owner has lowered it since. Of an approval the
// lifetime counts for nothing: when a grant ends does not change. Errors: Conflict if the request is not pending or g is not active, Forbidden
// if the grant is another person's, Invalid with the field if what is given is more than what was asked, or nothing.
func (g Grant) Extend(request Grant, a Approval, now time.Time) (raised, answered Grant, err error) {
	if answered, err = request.To(GrantExtended, now); err != nil {
		return Grant{}, Grant{}, err
	}
	if request.Extends != g.ID || g.ID == "" {
		return Grant{}, Grant{}, problem.New(problem.Conflict, "request %s does not extend grant %s", request.ID, g.ID)
	}
	if err := g.mayGrow(now); err != nil {
		return Grant{}, Grant{}, err
	}
	if g.Owner != a.Owner || g.Payer != a.Payer {
		return Grant{}, Grant{}, problem.New(problem.Forbidden, "the grant is another person's")
	}
	raised, answered.Details = g, nil
	raised.Details = slices.Clone(g.Details)
	more := false
	for i, asked := range request.Asked {
		if a.Kept != nil && !(i < len(a.Kept) && a.Kept[i]) {
			continue
		}
		at := g.DetailFor(asked.Provider)
		if at < 0 {
			return Grant{}, Grant{}, problem.New(problem.Conflict, "grant %s does not cover %s", g.ID, asked.Provider)
		}
		given, err := g.Details[at].raise(asked) // what there would be of all that was asked: it bounds what was not asked, too
		if err != nil {
			return Grant{}, Grant{}, err
		}
		if i < len(a.Narrowed) {
			if given, err = given.Narrow(a.Narrowed[i]); err != nil {
				return Grant{}, Grant{}, err
			}
		}
		if raised.Details[at], err = g.Details[at].raise(given); err != nil {
			return Grant{}, Grant{}, err
		}
		more = more || !g.Details[at].same(raised.Details[at])
		answered.Details = append(answered.Details, raised.Details[at])
	}
	if !more {
		return Grant{}, Grant{}, problem.New(problem.Invalid, "nothing is added").In("scope")
	}
	raised.Version++
	answered.ApprovedAt, answered.Owner = now, a.Owner
	return raised, answered, nil
}

// Grown says in words what an extension changed, for the log: at most MaxNote bytes, and no text of an app's.
func (g Grant) Grown(before Grant) string {
	var parts []string
	for i, d := range g.Details {
		if i >= len(before.Details) || d.same(before.Details[i]) {
			continue
		}
		b := before.Details[i]
		part := d.Provider.Title()
		if d.Cap() != b.Cap() {
			part += ", " + b.Cap().String() + " to " + d.Cap().String()
		}
		if d.MaxRequests != b.MaxRequests {
			part += ", " + b.MaxRequests.String() + " to " + d.MaxRequests.String() + " calls"
		}
		if d.RateLimit != b.RateLimit {
			part += ", " + b.RateLimit.String() + " to " + d.RateLimit.String() + " calls a minute"
		}
		if !slices.Equal(d.Models, b.Models) {
			part += ", more models"
		}
		if !slices.Equal(d.Capabilities, b.Capabilities) {
			part += ", may do more"
		}
		parts = append(parts, part)
	}
	s := strings.Join(parts, "; ")
	return s[:min(len(s), MaxNote)]
}
