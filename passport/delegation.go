package passport

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Bounds of grants that were narrowed from another (RFC 8693).
const (
	MaxChildren = 50      // that one grant has at a time, and can be used
	MaxFamily   = 200     // the same, of all below the grant that a person gave
	MaxActor    = 4 << 10 // bytes of an act claim with all that it nests
)

// Above is a grant that another one was narrowed from, as calls of that one need it. Only the rates change, with that grant.
type Above struct {
	ID      GrantID `json:"id"`
	Details []int   `json:"details"` // of each detail of the grant below: which one it is here
	Rates   []int64 `json:"rates"`   // of each of those: its calls a minute there
}

// Delegation is what a grant passes on, to whom and for how long.
type Delegation struct {
	Narrowed []Detail // of some of the grant's providers, each once; empty: of all, as they are
	Lifetime time.Duration
	Client   ClientID // who uses it
	AppName  string   // of that client, as the owner reads it
	AppURL   string
	Site     string // as in Grant
	Checked  bool
	JKT      string // as in Grant
	Subject  string // who acts, for the act claim
}

// Delegate returns a grant that is narrowed from g: active, without an id. Its calls count on g and on all above g. Errors: as Live;
// Invalid with the member's name if it would widen, if a detail may not be passed on (any more), or if the lifetime is out of bounds.
func (g Grant) Delegate(d Delegation, now time.Time) (Grant, error) {
	if err := g.Live(now); err != nil {
		return Grant{}, err
	}
	if d.Lifetime < MinLifetime || d.Lifetime > MaxLifetime {
		return Grant{}, problem.New(problem.Invalid, "must be from 1 to %d seconds", int64(MaxLifetime/time.Second)).In("expires_in")
	}
	if len(g.Above) >= MaxDelegation {
		return Grant{}, problem.New(problem.Invalid, "a grant is passed on %d times at most", MaxDelegation).In("maxDelegationDepth")
	}
	child := Grant{Version: 1, State: GrantActive, AppName: d.AppName, AppURL: d.AppURL, Reason: g.Reason, Owner: g.Owner, Payer: g.Payer, CreatedAt: now, ApprovedAt: now,
		ExpiresAt: now.Add(d.Lifetime), Client: d.Client, Site: d.Site, Checked: d.Checked, JKT: d.JKT, Parent: g.ID}
	if g.ExpiresAt.Before(child.ExpiresAt) {
		child.ExpiresAt = g.ExpiresAt
	}
	places, err := g.narrowInto(&child, d.Narrowed)
	if err != nil {
		return Grant{}, err
	}
	if !now.Before(child.ExpiresAt) {
		return Grant{}, problem.New(problem.Invalid, "would have expired already").In("expiresAt")
	}
	if child.Actor, err = actorOn(g.Actor, d.Subject); err != nil {
		return Grant{}, err
	}
	child.Above = g.aboveChild(places)
	return child, nil
}

// narrowInto gives a child its details and says which of g's each one is.
func (g Grant) narrowInto(child *Grant, narrowed []Detail) (places []int, err error) {
	if len(narrowed) == 0 {
		for _, d := range g.Details {
			narrowed = append(narrowed, Detail{Provider: d.Provider})
		}
	}
	for _, n := range narrowed {
		at := g.DetailFor(n.Provider)
		if at < 0 {
			return nil, widens("provider", "%q is not in what is passed on", n.Provider)
		}
		if slices.Contains(places, at) {
			return nil, problem.New(problem.Invalid, "names %s twice", n.Provider).In("provider")
		}
		from := g.Details[at]
		depth := from.MaxDelegationDepth.Or(0)
		if depth < 1 {
			return nil, widens("maxDelegationDepth", "what was granted of %s may not be passed on", from.Provider.Title())
		}
		from.MaxDelegationDepth = LimitOf(depth - 1)
		given, err := from.Narrow(n)
		if err != nil {
			return nil, err
		}
		given = given.fill(Limits{})
		if e, ok := given.ExpiresAt.Get(); ok && time.Unix(e, 0).Before(child.ExpiresAt) {
			child.ExpiresAt = time.Unix(e, 0).UTC()
		}
		places, child.Details = append(places, at), append(child.Details, given)
	}
	child.Asked = child.Details
	return places, nil
}

// aboveChild lists g and what is above it for a child whose details are at these places of g's.
func (g Grant) aboveChild(places []int) []Above {
	parent := Above{ID: g.ID, Details: places}
	for _, at := range places {
		parent.Rates = append(parent.Rates, g.Details[at].RateLimit.Or(0))
	}
	out := []Above{parent}
	for _, a := range g.Above {
		up := Above{ID: a.ID}
		for _, at := range places {
			up.Details, up.Rates = append(up.Details, a.Details[at]), append(up.Rates, a.Rates[at])
		}
		out = append(out, up)
	}
	return out
}

// RatedBy returns g with the rates that a grant above it has now, and whether they were others before.
func (g Grant) RatedBy(up Grant) (Grant, bool) {
	at := slices.IndexFunc(g.Above, func(a Above) bool { return a.ID == up.ID })
	if at < 0 {
		return g, false
	}
	var rates []int64
	for _, d := range g.Above[at].Details {
		if d < 0 || d >= len(up.Details) {
			return g, false
		}
		rates = append(rates, up.Details[d].RateLimit.Or(0))
	}
	if slices.Equal(rates, g.Above[at].Rates) {
		return g, false
	}
	g.Above = slices.Clone(g.Above)
	g.Above[at].Rates = rates
	return g, true
}

// actorOn is the act claim of who acts now, on the one of who did before (RFC 8693 §4.1: the outermost is the current actor).
func actorOn(before, subject string) (string, error) {
	act := struct {
		Sub string          `json:"sub"`
		Act json.RawMessage `json:"act,omitempty"`
	}{subject, json.RawMessage(before)}
	text, err := json.Marshal(act)
	if err != nil {
		return "", problem.Wrap(err, problem.Internal, "internal error")
	}
	if len(text) > MaxActor {
		return "", problem.New(problem.Invalid, "who acts for whom takes more than %d bytes", MaxActor).In("actor_token")
	}
	return string(text), nil
}

// Line is the ids of the grants above g, the nearest first.
func (g Grant) Line() []GrantID {
	if len(g.Above) == 0 {
		return nil
	}
	out := make([]GrantID, len(g.Above))
	for i, a := range g.Above {
		out[i] = a.ID
	}
	return out
}
