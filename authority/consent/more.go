package consent

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// moreView is the page of a request that extends a grant: only what would be different.
type moreView struct {
	ID, Line, Stamp  string
	Site             names.Site
	HasSite, Checked bool
	Name             names.Name
	Reason           names.Reason
	Since, Ends      time.Time
	Until            time.Time
	Details          []moreDetail
	Many             bool
	Same             string // what stays, besides the end
	Had, Add, Left   passport.Money
	Total            passport.Money // with what is added
	Buys             string         // what a dollar buys; empty: no money is asked
	Paid             []string
	Errors           web.FieldErrors
	Proof            string // that adding takes a sign-in first, in words; empty: it does not
	Back             bool   // what stands here was entered before a fresh sign-in
}

// moreDetail is what is asked of one provider beyond what there is, and what the person has chosen of it.
type moreDetail struct {
	N, Provider          string
	Had, Spent, Asked    passport.Money
	Most                 int64 // cents that can be added; 0: no money is asked
	Add                  int64 // cents
	MostIn, AddIn        string
	Caps                 []capView
	Models               []modelView
	Any, AnyOn           bool // any model is asked, where some were named
	HadCalls, AskedCalls int64
	CallsOn              bool
	HadRate, AskedRate   int64
	RateOn               bool
	Lowered              lowered
	Errors               web.FieldErrors
}

// extended reads the grant that a request extends. Not active any more, it cannot be extended: not ok, and that is said.
func (c *Consent) extended(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant) (passport.Standing, bool) {
	s, err := c.cfg.Grants(v.Payer()).Asked(r.Context(), g.Extends)
	if err != nil {
		c.cfg.Pages.Error(w, r, v, err)
		return s, false
	}
	if s.Grant.At(c.cfg.Now()).State != passport.GrantActive {
		c.cfg.Pages.Render(w, r, http.StatusConflict, "done", web.Page{Title: "Nothing to add to", Visitor: v, D: done{Stamp: "Not open", Class: "grey", ID: string(g.ID),
			Title: "There is nothing to add to now", Text: "The access that it wants more of is paused or has ended. Nothing was changed.",
			Link: "/grants/" + string(g.Extends), LinkText: "See what you gave"}})
		return s, false
	}
	return s, true
}

// showMore shows a request that extends a grant for the first time.
func (c *Consent) showMore(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant) {
	if s, ok := c.extended(w, r, v, g); ok {
		f, back := c.cfg.People.Kept(w, r, v, path(g.ID)) // else nil
		d := c.moreView(r, v, g, s, f)
		d.Back = back
		c.renderMore(w, r, v, d, c.stamp(v, g.ID), d.Errors)
	}
}

// decideMore answers what was posted on that page.
func (c *Consent) decideMore(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant) {
	if r.PostForm.Get("decision") == "deny" {
		c.deny(w, r, v, g)
		return
	}
	s, ok := c.extended(w, r, v, g)
	if !ok {
		return
	}
	d := c.moreView(r, v, g, s, r.PostForm)
	stamp := c.restamp(v, g.ID, r.PostForm.Get("stamp"))
	errs := d.Errors
	if r.PostForm.Get("decision") != "approve" {
		c.renderMore(w, r, v, d, stamp, errs)
		return
	}
	if errs = append(errs, c.unread(v, g, r.PostForm.Get("stamp"))...); len(errs) > 0 {
		c.renderMore(w, r, v, d, stamp, errs)
		return
	}
	a := d.approval(v, g, s.Grant)
	a.Fresh = c.cfg.People.Fresh(r)
	_, err := c.cfg.Grants(v.Payer()).Approve(r.Context(), g.ID, a)
	if err != nil && problem.KindOf(err) == problem.SignInStale {
		c.cfg.People.Again(w, r, v, path(g.ID))
		return
	}
	if err != nil && problem.KindOf(err) == problem.Invalid {
		text := "This cannot be given as it stands: " + problem.From(err).Detail + "."
		c.renderMore(w, r, v, d, stamp, web.FieldErrors{{Field: "main", Text: text}})
		return
	}
	if err != nil {
		c.late(w, r, v, g.ID, err)
		return
	}
	c.cfg.Pages.Redirect(w, r, path(g.ID))
}

func (c *Consent) renderMore(w http.ResponseWriter, r *http.Request, v web.Visitor, d moreView, stamp string, errs web.FieldErrors) {
	title, status := "An app asks for more", http.StatusOK
	if len(errs) > 0 {
		title, status = "There is a problem: an app asks for more", http.StatusUnprocessableEntity
	}
	d.Stamp, d.Errors = stamp, errs
	for i := range d.Details {
		d.Details[i].Errors = errs
	}
	c.cfg.Pages.Render(w, r, status, "more", web.Page{Title: title, Visitor: v, D: d})
}

// moreView compares what is asked with what there is now. f is what the person has sent; nil: the page is shown for the first time, with the
// ordinary ticked and a low sum, and nothing of a number that the person has lowered since it asked.
func (c *Consent) moreView(r *http.Request, v web.Visitor, g passport.Grant, s passport.Standing, f url.Values) moreView {
	d := moreView{ID: string(g.ID), Name: names.Judge(g.AppName, ""), Reason: names.Quote(g.Reason), Checked: g.Checked,
		Since: s.Grant.ApprovedAt, Ends: s.Grant.ExpiresAt, Until: g.ExpiresAt, Left: s.Total.Left(), Many: len(g.Asked) > 1}
	d.Line = requestLine(g.ID, c.cfg.Now(), "MORE")
	d.Site, d.HasSite = names.Where(g.Site, g.AppURL)
	models, calls, rate := true, true, true
	var buys []string
	had, most := s.Grant.Cap(), s.Grant.Cap()
	if s.Grant.Client != "" && s.Grant.JKT == "" {
		had = 0 // its answer is a code for new tokens, which takes the same proof as the whole grant
	}
	for i, asked := range g.Asked {
		at := s.Grant.DetailFor(asked.Provider)
		if at < 0 {
			continue
		}
		m := c.moreOf(i, s.Grant.Details[at], asked)
		if i < len(g.Details) {
			m.Lowered = loweredFrom(g.Details[i], s.Grant.Details[at])
		}
		if at < len(s.Details) {
			m.Spent = s.Details[at].Settled
		}
		d.Errors = append(d.Errors, m.choose(f)...)
		models, calls, rate = models && len(m.Models) == 0 && !m.Any, calls && m.AskedCalls == m.HadCalls, rate && m.AskedRate == m.HadRate
		d.Add += passport.Money(m.Add) * passport.Cent
		most += passport.Money(m.Most) * passport.Cent
		if text := m.buys(c.cfg.Prices.Models(asked.Provider), s.Grant.Details[at]); text != "" {
			buys = append(buys, text)
		}
		if c.cfg.PaidWith != nil {
			if key, ok := c.cfg.PaidWith(r.Context(), v.Payer(), asked.Provider); ok {
				d.Paid = append(d.Paid, m.Provider+", "+key)
			}
		}
		d.Details = append(d.Details, m)
	}
	d.Had, d.Total = s.Total.Cap, s.Total.Cap+d.Add
	if len(buys) > 0 {
		d.Buys = "A dollar buys " + strings.Join(buys, "; ") + "."
	}
	d.Same, d.Proof = stays(models, calls, rate, s.Total), c.proof(r, "adding", had, most)
	return d
}

// stays says in words what is not asked to change.
func stays(models, calls, rate bool, total passport.Balance) string {
	var parts []string
	if models {
		parts = append(parts, "same models")
	}
	if calls {
		parts = append(parts, "same calls ("+web.Num(total.Calls)+" of "+web.Num(total.CallsCap)+" used)")
	}
	if rate {
		parts = append(parts, "same speed")
	}
	return join(parts, "and")
}

// lowered says which numbers the person has lowered since something was asked: what is asked of those is their own choice anew.
type lowered struct{ Money, Calls, Rate bool }

func loweredFrom(before, now passport.Detail) lowered {
	return lowered{now.Cap() < before.Cap(), now.MaxRequests.Or(0) < before.MaxRequests.Or(0), now.RateLimit.Or(0) < before.RateLimit.Or(0)}
}

// moreOf is what of a detail would be different from what there is now. What is absent in asked was not asked.
func (c *Consent) moreOf(i int, had, asked passport.Detail) moreDetail {
	title, _ := c.cfg.Place(asked.Provider)
	m := moreDetail{N: strconv.Itoa(i), Provider: title, Had: had.Cap(), Asked: max(had.Cap(), asked.Cap()),
		HadCalls: had.MaxRequests.Or(0), HadRate: had.RateLimit.Or(0)}
	m.Most = int64((m.Asked - m.Had) / passport.Cent)
	m.MostIn = dollars(m.Most)
	m.AskedCalls, m.AskedRate = max(m.HadCalls, asked.MaxRequests.Or(0)), max(m.HadRate, asked.RateLimit.Or(0))
	for at, capability := range asked.Capabilities {
		if !slices.Contains(had.Capabilities, capability) {
			v := words(capability, title)
			v.I, v.On = at, slices.Contains(ordinary, capability)
			m.Caps = append(m.Caps, v)
		}
	}
	m.Any = len(had.Models) > 0 && asked.Models != nil && len(asked.Models) == 0
	prices := c.cfg.Prices.Models(asked.Provider)
	for at, name := range asked.Models {
		if len(had.Models) == 0 || slices.Contains(had.Models, name) {
			continue
		}
		v := modelView{I: at, Name: name, asked: name}
		if !names.ModelName(name) {
			v.Spelled, v.Name = names.Spell(name), "a model with a strange name"
		}
		v.Priced = slices.ContainsFunc(prices, func(p ModelInfo) bool { return p.Name == name })
		v.On = v.Priced
		m.Models = append(m.Models, v)
	}
	return m
}

// buys is what a dollar buys with the models that it may use if all is given, at today's prices; empty: no money is asked, or no model has a
// price for chat.
func (m *moreDetail) buys(prices []ModelInfo, had passport.Detail) string {
	var all []string // empty: any model
	if len(had.Models) > 0 && !m.Any {
		all = slices.Clone(had.Models)
		for _, v := range m.Models {
			all = append(all, v.asked)
		}
	}
	dv, dc := detailView{}, detailChoice{Cents: 100, Calls: passport.MaxCalls, Models: make([]bool, len(all))}
	for i := range dc.Models {
		dc.Models[i] = true
	}
	dv.models(passport.Detail{Models: all}, dc, prices)
	if m.Most == 0 || dv.Dearest.Chat == 0 && !slices.ContainsFunc(dv.Models, func(v modelView) bool { return v.Chat > 0 }) {
		return ""
	}
	return buysText(dv, dc)
}

// choose takes the person's choice. What cannot be read is an error at its field; nothing is guessed.
func (m *moreDetail) choose(f url.Values) web.FieldErrors {
	if f == nil {
		m.CallsOn, m.RateOn = !m.Lowered.Calls, !m.Lowered.Rate
		if !m.Lowered.Money {
			m.Add = min(uncheckedLow.cents, m.Most)
		}
		m.AddIn = dollars(m.Add)
		return nil
	}
	m.CallsOn, m.RateOn, m.AnyOn = f.Get("calls."+m.N) == "yes", f.Get("rate."+m.N) == "yes", m.Any && f.Get("any."+m.N) == "yes"
	for i := range m.Caps {
		m.Caps[i].On = slices.Contains(f["cap."+m.N], strconv.Itoa(m.Caps[i].I))
	}
	for i := range m.Models {
		m.Models[i].On = slices.Contains(f["model."+m.N], strconv.Itoa(m.Models[i].I))
	}
	if m.Most == 0 {
		return nil
	}
	m.AddIn = typed(f, "add."+m.N)
	cents, ok := web.ReadDollars(m.AddIn)
	if !ok || cents < 0 || cents > m.Most {
		return web.FieldErrors{{Field: "add-" + m.N, Text: "Money to add must be between $0.00 and " + centsText(m.Most) + "."}}
	}
	m.Add = cents
	return nil
}

// approval is the choice as the control of grants takes it: what there is, and what of the asked was chosen. A number of which nothing was chosen
// is 0, which raises nothing: what there is may have been lowered a moment ago.
func (d moreView) approval(v web.Visitor, g, of passport.Grant) passport.Approval {
	a := passport.Approval{Owner: v.ID, Payer: v.Payer()}
	for _, m := range d.Details {
		i, _ := strconv.Atoi(m.N)
		asked := g.Asked[i]
		had := of.Details[of.DetailFor(asked.Provider)]
		n := passport.Detail{Provider: asked.Provider, Capabilities: append([]passport.Capability{}, had.Capabilities...), Models: slices.Clone(had.Models),
			MaxBudgetCents: passport.LimitOf(0), MaxRequests: passport.LimitOf(0), RateLimit: passport.LimitOf(0)}
		if m.Add > 0 {
			n.MaxBudgetCents = passport.LimitOf(had.MaxBudgetCents.Or(0) + m.Add)
		}
		for _, c := range m.Caps {
			if c.On {
				n.Capabilities = append(n.Capabilities, asked.Capabilities[c.I])
			}
		}
		for _, model := range m.Models {
			if model.On {
				n.Models = append(n.Models, asked.Models[model.I])
			}
		}
		if m.AnyOn {
			n.Models = []string{}
		}
		if m.CallsOn && !asked.MaxRequests.IsZero() {
			n.MaxRequests = asked.MaxRequests
		}
		if m.RateOn && !asked.RateLimit.IsZero() {
			n.RateLimit = asked.RateLimit
		}
		a.Narrowed = append(a.Narrowed, n)
	}
	return a
}
