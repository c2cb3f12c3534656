package admin

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Ceilings is what a person sets over all their apps together for a month.
type Ceilings interface {
	// CeilingsNow lists those of somebody that are set, with what this month has on them.
	CeilingsNow(ctx context.Context, of passport.Payer) ([]passport.Ceiling, error)
	// SetCeiling sets or changes one, from now on. Error: Invalid.
	SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, actor string) error
	RemoveCeiling(ctx context.Context, id passport.CeilingID, actor string) error
	// LimitMember sets what the owner lets a member spend; unset takes it away. Errors: NotFound, Invalid.
	LimitMember(ctx context.Context, member passport.PersonID, most passport.Limit, actor string) error
}

// limitsView is the page of monthly limits.
type limitsView struct {
	Title, Lead string
	Month       string
	Next        time.Time // when the next month begins
	Rows        []limitView
	Member      bool // they are of a member, whom the owner limits
}

// limitView is one limit, set or not.
type limitView struct {
	Name, Title, Hint string // Name: in the ids of fields
	Action            string // where the form goes
	Set               bool   // some limit holds
	Mine              bool   // it is theirs who look, who can take it away
	Owners            string // what the owner lets the person spend, in dollars; empty: not limited
	ceilingView
	In    string // what stands in the field, in dollars
	Error string
}

// ceilingView is a ceiling that is set, with this month.
type ceilingView struct {
	Bar                    web.Bar
	Cap, Spent, Held, Left passport.Money
}

func ceilingOf(c passport.Ceiling) ceilingView {
	return ceilingView{Bar: web.NewBar(passport.Balance{Cap: c.Cap, Settled: c.Spent(), Held: c.Held}), Cap: c.Cap, Spent: c.Spent(), Held: c.Held,
		Left: c.Left()}
}

// allApps is the person's ceiling in a path.
const allApps = "all"

// Limits answers GET /limits.
func (a *Admin) Limits(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	a.showLimits(w, r, v, "", "", "")
}

// showLimits shows all limits, one of them perhaps as it was typed and with what is wrong with it.
func (a *Admin) showLimits(w http.ResponseWriter, r *http.Request, v web.Visitor, wrong, in, text string) {
	set, err := a.cfg.Ceilings.CeilingsNow(r.Context(), v.Payer())
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	month := passport.MonthOf(a.cfg.Now())
	d := limitsView{Title: "Monthly limits", Lead: "The most that your apps may spend in a month, on top of each app's own limit.",
		Month: month.Begins().Format("January"), Next: month.Ends(), Rows: []limitView{{Name: allApps, Title: "All apps together",
			Hint: "Over everything that your apps spend in a month, with whichever key."}}}
	for _, p := range a.cfg.Providers() {
		d.Rows = append(d.Rows, limitView{Name: string(p), Title: a.cfg.Titles(p), Hint: "Over what is spent on your " + a.cfg.Titles(p) + " keys in a month, by whichever app."})
	}
	for i := range d.Rows {
		row := &d.Rows[i]
		row.Action = "/limits/" + row.Name
		if at := slices.IndexFunc(set, func(c passport.Ceiling) bool { return c.ID == ceilingID(v.Payer(), row.Name) }); at >= 0 {
			row.show(set[at], set[at].Own)
			if most, limited := set[at].Most.Get(); limited {
				row.Owners = passport.Money(most).String()
			}
		}
		if row.Name == wrong {
			row.In, row.Error = in, text
		}
	}
	title, status := "Monthly limits", http.StatusOK
	if text != "" {
		title, status = "There is a problem: monthly limits", http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "limits", web.Page{Title: title, Nav: "Limits", Visitor: v, D: d})
}

// show fills in a limit that is set; mine is the part of it that who looks can change.
func (l *limitView) show(c passport.Ceiling, mine passport.Limit) {
	l.Set, l.ceilingView = true, ceilingOf(c)
	l.Bar.Big = true
	if n, ok := mine.Get(); ok {
		l.Mine, l.In = true, dollars(passport.Money(n))
	}
}

func ceilingID(of passport.Payer, name string) passport.CeilingID {
	if name == allApps {
		return passport.PersonCeilingOf(of)
	}
	return passport.KeyCeilingOf(of, passport.Provider(name))
}

// dollars writes an amount as a field takes it.
func dollars(m passport.Money) string {
	return strings.ReplaceAll(strings.TrimPrefix(m.String(), "$"), ",", "")
}

// SetLimit answers POST /limits/{name}: it sets the limit, or removes it.
func (a *Admin) SetLimit(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	if name != allApps && !slices.Contains(a.cfg.Providers(), passport.Provider(name)) {
		a.cfg.Pages.Error(w, r, v, problem.New(problem.NotFound, "no such limit"))
		return
	}
	word, err := "limit-removed", error(nil)
	switch r.PostForm.Get("do") {
	case "remove":
		err = a.cfg.Ceilings.RemoveCeiling(r.Context(), ceilingID(v.Payer(), name), actor(v))
	case "set":
		in := clip(strings.TrimSpace(r.PostForm.Get("money")), 20)
		cents, ok := web.ReadDollars(in)
		if !ok {
			a.showLimits(w, r, v, name, in, noDollars)
			return
		}
		word = "limit-set"
		err = a.cfg.Ceilings.SetCeiling(r.Context(), ceilingID(v.Payer(), name), passport.Money(cents)*passport.Cent, actor(v))
	default:
		err = problem.New(problem.Invalid, "the form does not say what to do").In("do")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, "/limits")
}

// noDollars says how an amount is written.
var noDollars = "Write dollars as 20 or 20.50, at most " + dollarsAtMost() + ". 0 lets nothing be spent."

func dollarsAtMost() string { return "$" + web.Num(int64(passport.MaxMoney/passport.Dollar)) }

// nearLimit is a ceiling that this month has nearly used up, or all of it.
type nearLimit struct {
	Title   string
	Path    string // where it is set
	Percent string
	Spent   bool // nothing is left
}

// nearPercent is from when on the list of apps tells of a limit.
const nearPercent = 80

// near lists the ceilings that are nearly used up; all is the person's, if it is set.
func (a *Admin) near(set []passport.Ceiling, keys []vault.Entry) (out []nearLimit, all *ceilingView) {
	for _, c := range set {
		v := ceilingOf(c)
		n := nearLimit{Title: "all apps together", Path: "/limits", Percent: strconv.FormatInt(v.Bar.Percent, 10), Spent: c.Spent() >= c.Cap}
		one := slices.IndexFunc(keys, func(e vault.Entry) bool { return passport.CredentialCeiling(e.Credential.ID) == c.ID })
		switch {
		case c.ID.Person():
			all = &v
		case one >= 0:
			k := keys[one].Credential
			n.Title, n.Path = "your "+a.cfg.Titles(k.Provider)+" key “"+k.Label+"”", keyPath(k.ID)
		case c.ID.Credential() != "":
			continue // its key has gone
		default:
			n.Title = a.cfg.Titles(c.ID.Provider())
		}
		if v.Bar.Percent >= nearPercent || n.Spent {
			out = append(out, n)
		}
	}
	return out, all
}
