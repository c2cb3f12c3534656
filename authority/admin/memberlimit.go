package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// MemberLimit answers GET /people/{id}/limit: what the owner lets a member spend a month.
func (a *Admin) MemberLimit(w http.ResponseWriter, r *http.Request) {
	if v, ok := a.look(w, r); ok {
		a.showMemberLimit(w, r, v, "", "")
	}
}

// showMemberLimit shows it, perhaps as it was typed and with what is wrong with it. Of what the member has spent it tells the sum.
func (a *Admin) showMemberLimit(w http.ResponseWriter, r *http.Request, v web.Visitor, in, wrong string) {
	p, err := a.cfg.Members.Member(r.Context(), passport.PersonID(r.PathValue("id")))
	var set []passport.Ceiling
	if err == nil {
		set, err = a.cfg.Ceilings.CeilingsNow(r.Context(), p.Payer())
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	month := passport.MonthOf(a.cfg.Now())
	row := limitView{Name: allApps, Title: "All apps of theirs together", Action: memberPath(p.ID) + "/limit",
		Hint: "They see it and cannot lift it. If they have set a lower one for themselves, that holds; it is theirs to change."}
	if at := slices.IndexFunc(set, func(c passport.Ceiling) bool { return c.ID == passport.PersonCeilingOf(p.Payer()) }); at >= 0 {
		row.show(set[at], set[at].Most)
	}
	title, status := "What "+p.Name+" may spend a month", http.StatusOK
	d := limitsView{Title: title, Lead: "Over all apps that they give access, on top of each app's own limit. Their calls never count on your limits.",
		Month: month.Begins().Format("January"), Next: month.Ends(), Member: true}
	if wrong != "" {
		row.In, row.Error = in, wrong
		title, status = "There is a problem: "+title, http.StatusUnprocessableEntity
	}
	d.Rows = []limitView{row}
	a.render(w, r, status, "limits", web.Page{Title: title, Nav: "Settings", Visitor: v, D: d})
}

// LimitMember answers POST /people/{id}/limit: it sets the limit, or takes it away.
func (a *Admin) LimitMember(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	word, most := "member-limit-removed", passport.Limit{}
	switch r.PostForm.Get("do") {
	case "remove":
	case "set":
		in := clip(strings.TrimSpace(r.PostForm.Get("money")), 20)
		cents, ok := web.ReadDollars(in)
		if !ok {
			a.showMemberLimit(w, r, v, in, noDollars)
			return
		}
		word, most = "member-limit-set", passport.LimitOf(int64(passport.Money(cents)*passport.Cent))
	default:
		a.cfg.Pages.Error(w, r, v, problem.New(problem.Invalid, "the form does not say what to do").In("do"))
		return
	}
	if err := a.cfg.Ceilings.LimitMember(r.Context(), passport.PersonID(r.PathValue("id")), most, actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, "/people")
}
