package seed

import (
	"net/http"
	"slices"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// allApps is the limit over all apps of a person; the others are named as their providers.
const allApps = "all"

// limitJSON is one monthly limit, set or not. Money is in micro-dollars; null: not set.
type limitJSON struct {
	Name      string          `json:"name"`
	Own       passport.Limit  `json:"ownMicroUsd"`    // what the person has set
	Most      passport.Limit  `json:"ownersMicroUsd"` // what the owner lets a member spend
	Cap       *passport.Money `json:"capMicroUsd"`    // the lower of the two, which holds
	Spent     *passport.Money `json:"spentMicroUsd,omitempty"`
	Reserved  *passport.Money `json:"reservedMicroUsd,omitempty"`
	Remaining *passport.Money `json:"remainingMicroUsd,omitempty"`
	ResetsAt  string          `json:"resetsAt,omitempty"`
}

func limitView(name string, c passport.Ceiling) limitJSON {
	spent, left := c.Spent(), c.Left()
	return limitJSON{name, c.Own, c.Most, &c.Cap, &spent, &c.Held, &left, c.Month.Ends().Format("2006-01-02T15:04:05.000Z")}
}

func ceilingOf(of passport.Payer, name string) passport.CeilingID {
	if name == allApps {
		return passport.PersonCeilingOf(of)
	}
	return passport.KeyCeilingOf(of, passport.Provider(name))
}

// ListLimits answers GET /limits: a person's own.
func (a *API) ListLimits(w http.ResponseWriter, r *http.Request) {
	who, err := a.Owner.Who(r)
	var set []passport.Ceiling
	if err == nil {
		set, err = a.Control.CeilingsNow(r.Context(), who.Payer())
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	out := []limitJSON{{Name: allApps}}
	for _, p := range a.Providers() {
		out = append(out, limitJSON{Name: string(p)})
	}
	for i, l := range out {
		if at := slices.IndexFunc(set, func(c passport.Ceiling) bool { return c.ID == ceilingOf(who.Payer(), l.Name) }); at >= 0 {
			out[i] = limitView(l.Name, set[at])
		}
	}
	respond.JSON(w, http.StatusOK, map[string]any{"limits": out})
}

// SetLimit answers POST /limits/{name}: it sets one of a person's own, or takes it away.
func (a *API) SetLimit(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	who, err := a.Owner.Who(r)
	if err == nil && name != allApps && !slices.Contains(a.Providers(), passport.Provider(name)) {
		err = problem.New(problem.NotFound, "no such limit")
	}
	var most passport.Limit
	if err == nil {
		most, err = readLimit(w, r)
	}
	if err == nil {
		if n, ok := most.Get(); ok {
			err = a.Control.SetCeiling(r.Context(), ceilingOf(who.Payer(), name), passport.Money(n), owner(who))
		} else {
			err = a.Control.RemoveCeiling(r.Context(), ceilingOf(who.Payer(), name), owner(who))
		}
	}
	a.answerLimit(w, r, who.Payer(), name, err)
}

// LimitMember answers POST /people/{id}/limit, for the owner: what a member may spend a month.
func (a *API) LimitMember(w http.ResponseWriter, r *http.Request) {
	who, err := a.Owner.Who(r)
	if err == nil && !who.May(passport.RunPeople) {
		err = problem.New(problem.Forbidden, "only the owner of this broker limits others")
	}
	var most passport.Limit
	if err == nil {
		most, err = readLimit(w, r)
	}
	id := passport.PersonID(r.PathValue("id"))
	if err == nil {
		err = a.Control.LimitMember(r.Context(), id, most, owner(who))
	}
	a.answerLimit(w, r, passport.PayerOf(id, passport.RoleMember), allApps, err)
}

// readLimit reads monthlyLimitCents as an amount; null is unset.
func readLimit(w http.ResponseWriter, r *http.Request) (passport.Limit, error) {
	body, err := readBody(w, r)
	if err != nil {
		return passport.Limit{}, err
	}
	o, err := fields.Read(body, "monthlyLimitCents")
	if err != nil || string(o.Raw("monthlyLimitCents")) == "null" {
		return passport.Limit{}, err
	}
	cents := o.Int("monthlyLimitCents", 0)
	if cents > int64(passport.MaxMoney/passport.Cent) {
		o.Fail("monthlyLimitCents", "must be at most %d", int64(passport.MaxMoney/passport.Cent))
	}
	if err := o.Err(); err != nil {
		return passport.Limit{}, err
	}
	return passport.LimitOf(int64(passport.Money(cents) * passport.Cent)), nil
}

// answerLimit answers with a limit as it is now.
func (a *API) answerLimit(w http.ResponseWriter, r *http.Request, of passport.Payer, name string, err error) {
	var set []passport.Ceiling
	if err == nil {
		set, err = a.Control.CeilingsNow(r.Context(), of)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	out := limitJSON{Name: name}
	for _, c := range set {
		if c.ID == ceilingOf(of, name) {
			out = limitView(name, c)
		}
	}
	respond.JSON(w, http.StatusOK, out)
}
