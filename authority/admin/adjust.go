package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// adjustView is the form that changes an app's limits and its end.
type adjustView struct {
	Open    bool // it was sent, and is shown with what is wrong
	Back    bool // it was sent before a fresh sign-in
	Version int64
	Rows    []adjustRow
	Lives   []life
	Error   string // of the whole form
}

// adjustRow is the limits of one provider, as typed.
type adjustRow struct {
	Provider, N              string // N: index, part of the names of its fields
	Money, Calls, Rate       string
	MoneyErr, CallsErr, RErr string
}

// hidden is a field that a page carries on to the next.
type hidden struct{ Name, Value string }

// ends are the ends that can be chosen, from now.
var ends = []struct {
	value, title string
	in           time.Duration
}{
	{"keep", "As it is", 0}, {"1h", "1 hour from now", time.Hour}, {"1d", "1 day from now", 24 * time.Hour}, {"7d", "7 days from now", 7 * 24 * time.Hour},
	{"30d", "30 days from now", 30 * 24 * time.Hour}, {"365d", "365 days from now", 365 * 24 * time.Hour},
}

// adjustForm is the form as it is before anything is typed.
func (a *Admin) adjustForm(g passport.Grant) *adjustView {
	if g.State != passport.GrantActive && g.State != passport.GrantPaused {
		return nil
	}
	v := &adjustView{Version: g.Version}
	for i, d := range g.Details {
		v.Rows = append(v.Rows, adjustRow{Provider: a.cfg.Titles(d.Provider), N: strconv.Itoa(i), Money: dollars(d.Cap()),
			Calls: d.MaxRequests.String(), Rate: d.RateLimit.String()})
	}
	v.choose("keep")
	return v
}

func (v *adjustView) choose(value string) {
	v.Lives = nil
	for _, e := range ends {
		v.Lives = append(v.Lives, life{e.value, e.title, e.value == value})
	}
}

// read reads what was sent into the form and into an adjustment. Not ok: the form says what is wrong.
func (v *adjustView) read(f url.Values, now time.Time) (adj passport.Adjustment, ok bool) {
	ok, v.Open = true, true
	adj.Version, _ = web.ReadWhole(f.Get("version")) // what is no number is no version
	for i := range v.Rows {
		row := &v.Rows[i]
		get := func(name string) string { return clip(strings.TrimSpace(f.Get(name+"-"+row.N)), 20) }
		row.Money, row.Calls, row.Rate = get("money"), get("calls"), get("rate")
		cents, good := web.ReadDollars(row.Money)
		if !good {
			row.MoneyErr, ok = "Write dollars as 20 or 20.50, at most "+dollarsAtMost()+".", false
		}
		calls, good := web.ReadWhole(row.Calls)
		if !good || calls > passport.MaxCalls {
			row.CallsErr, ok = "Write a whole number, at most "+web.Num(passport.MaxCalls)+".", false
		}
		rate, good := web.ReadWhole(row.Rate)
		if !good || rate > passport.MaxRate {
			row.RErr, ok = "Write a whole number, at most "+web.Num(passport.MaxRate)+".", false
		}
		adj.Limits = append(adj.Limits, passport.Limits{MaxBudgetCents: passport.LimitOf(cents), MaxRequests: passport.LimitOf(calls), RateLimit: passport.LimitOf(rate)})
	}
	life, known := f.Get("life"), false
	for _, e := range ends {
		if e.value == life {
			known = true
			if e.in > 0 {
				adj.Ends = now.UTC().Truncate(time.Second).Add(e.in)
			}
		}
	}
	if !known {
		life, v.Error, ok = "keep", "Choose when it ends.", false
	}
	v.choose(life)
	return adj, ok
}

// Adjust answers POST /grants/{id}/limits: less holds at once; more is asked once again on a page of its own.
func (a *Admin) Adjust(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	id := passport.GrantID(r.PathValue("id"))
	s, err := a.cfg.Grants(v.Payer()).Standing(r.Context(), id)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	now := a.cfg.Now()
	s.Grant = s.Grant.At(now)
	form := a.adjustForm(s.Grant)
	if form == nil {
		a.cfg.Pages.Error(w, r, v, problem.New(problem.Conflict, "the grant is %s", s.Grant.State.Wire()))
		return
	}
	adj, ok := form.read(r.PostForm, now)
	if !ok {
		a.showAdjust(w, r, v, s, form)
		return
	}
	next, err := s.Grant.Adjust(adj, now)
	if p := problem.From(err); err != nil && p.Kind == problem.Invalid {
		form.Error = p.Detail
		a.showAdjust(w, r, v, s, form)
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if next.Wider(s.Grant) && r.PostForm.Get("sure") != "yes" {
		a.askMore(w, r, v, s, next)
		return
	}
	adj.Fresh = a.cfg.People.Fresh(r)
	_, err = a.cfg.Grants(v.Payer()).Adjust(r.Context(), id, adj, actor(v))
	if err != nil && problem.KindOf(err) == problem.SignInStale {
		a.cfg.People.Again(w, r, v, grantPath(id))
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "adjusted", 0)
	a.cfg.Pages.Redirect(w, r, grantPath(id))
}

// askMore asks once more before an app may spend more, or for longer.
func (a *Admin) askMore(w http.ResponseWriter, r *http.Request, v web.Visitor, s passport.Standing, next passport.Grant) {
	var text []string
	if note := next.Grown(s.Grant); note != "" {
		text = append(text, "Its limits change: "+note+".")
	}
	if !next.ExpiresAt.Equal(s.Grant.ExpiresAt) {
		text = append(text, "It may run until "+web.Moment(next.ExpiresAt)+", not "+web.Moment(s.Grant.ExpiresAt)+".")
	}
	q := question{Title: "Give this app more?", Text: strings.Join(text, " "), Hint: "It has spent " + web.USD(s.Total.Settled) + " so far.", Yes: "Give it", No: "Leave it as it is", Class: "pri",
		Action: grantPath(s.Grant.ID) + "/limits", Back: grantPath(s.Grant.ID), About: a.app(s), HasAbout: true, Hidden: []hidden{{"sure", "yes"}}}
	for _, name := range append([]string{"version", "life"}, limitFields(len(s.Grant.Details))...) {
		q.Hidden = append(q.Hidden, hidden{name, clip(strings.TrimSpace(r.PostForm.Get(name)), 20)})
	}
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: q.Title, Nav: "Apps", Visitor: v, D: q})
}

// limitFields are the names of the fields of n providers.
func limitFields(n int) (out []string) {
	for i := range n {
		for _, name := range []string{"money", "calls", "rate"} {
			out = append(out, name+"-"+strconv.Itoa(i))
		}
	}
	return out
}

// showAdjust shows the app's page with what is wrong in the form.
func (a *Admin) showAdjust(w http.ResponseWriter, r *http.Request, v web.Visitor, s passport.Standing, form *adjustView) {
	d, err := a.page(r, v, s)
	if err == nil {
		d.Keys, err = a.sdkKeys(r.Context(), v, s.Grant, sdkKeysView{}, "")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	d.Adjust = form
	a.render(w, r, http.StatusUnprocessableEntity, "grant", web.Page{Title: "There is a problem: limits", Nav: "Apps", Visitor: v, D: d})
}
