// Package consent is the page where a person narrows, approves or denies what an app asks for. It decides nothing: it shows,
// reads the person's choice, and hands it to the control of grants. It may not touch providers or the gateway.
package consent

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Grants is the control of the grants of one person, and of those that they may answer.
type Grants interface {
	// Asked reads a grant as it stands now: one of theirs, or one that nobody has answered. Error: NotFound.
	Asked(ctx context.Context, id passport.GrantID) (passport.Standing, error)
	// Approve gives what the person decided. Errors: NotFound, Conflict if it is not pending, Invalid if it would widen, SignInStale if it
	// is much and the person has not proved a moment ago who they are.
	Approve(ctx context.Context, id passport.GrantID, a passport.Approval) (passport.Grant, error)
	// Deny ends a pending grant. Errors: NotFound, Conflict.
	Deny(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, error)
}

// People says who is signed in with a browser. Error: Unauthenticated if nobody is.
type People interface {
	Visitor(r *http.Request) (web.Visitor, error)
	// Fresh says whether they proved a moment ago who they are.
	Fresh(r *http.Request) bool
	// Again sends the browser to do that, and then back to a path, for which what was posted is kept.
	Again(w http.ResponseWriter, r *http.Request, v web.Visitor, path string)
	// Kept is what was kept for a path, once.
	Kept(w http.ResponseWriter, r *http.Request, v web.Visitor, path string) (form url.Values, ok bool)
}

// Doors know by which door an app came, where that matters for the answer: authority/oauth does.
type Doors interface {
	// Mine says whether a grant may be answered in this browser. Error: Forbidden.
	Mine(r *http.Request, g passport.Grant) error
	// Answer says where the person goes once a grant is decided: a path of ours that leads on to the app. link: only on a link that the
	// person presses. Not ok: nowhere.
	Answer(r *http.Request, g passport.Grant) (next string, link, ok bool)
}

// ModelInfo is a model that has a price.
type ModelInfo struct {
	Name      string
	ShortChat passport.Money // 1,000 model tokens in and 500 out; 0: not a model to chat with
}

// Prices says which models of a provider have a price.
type Prices interface {
	Models(p passport.Provider) []ModelInfo
}

// Config is what the page needs. All but Doors, Known, PaidWith, Place and Devices are required.
type Config struct {
	Pages  *web.Pages
	People People
	Grants func(passport.Payer) Grants
	Prices Prices
	Limits passport.Limits // for what the app left out, as the control of grants has it
	// FreshAbove is the most that can be given without a fresh sign-in, as the control of grants has it; zero: nothing can.
	FreshAbove passport.Money
	Now        func() time.Time
	Doors      Doors // nil: there is none where the browser matters

	// Known returns the registrable domains of a person's apps, for look-alikes; nil: only large sites are compared.
	Known func(ctx context.Context, of passport.Payer) []string
	// PaidWith names a person's key that is lent for a provider; not ok: there is none. nil: the page does not say.
	PaidWith func(ctx context.Context, of passport.Payer, p passport.Provider) (label string, ok bool)
	// Place is what the owner calls a provider, and the host that calls to it go to, where that is not plain from its name. nil: every
	// provider has the name that all people know.
	Place func(p passport.Provider) (title, host string)
	// Devices says which requests a device waits for. nil: none.
	Devices Devices
}

// Consent serves the page. Use New.
type Consent struct{ cfg Config }

// New checks that nothing is missing.
func New(cfg Config) (*Consent, error) {
	if cfg.Pages == nil || cfg.People == nil || cfg.Grants == nil || cfg.Prices == nil || cfg.Now == nil {
		return nil, errors.New("consent needs pages, people, grants, prices and a clock")
	}
	for _, l := range []passport.Limit{cfg.Limits.MaxBudgetCents, cfg.Limits.MaxRequests, cfg.Limits.RateLimit} {
		if l.IsZero() {
			return nil, errors.New("consent needs a default for each limit")
		}
	}
	if cfg.Place == nil {
		cfg.Place = func(p passport.Provider) (string, string) { return p.Title(), "" }
	}
	return &Consent{cfg}, nil
}

// Routes are the handlers by pattern.
func (c *Consent) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET /consent/{id}": c.Show, "POST /consent/{id}": c.Decide}
}

// minRead is how long an unchecked request must have been on the screen before it can be approved.
const minRead = 3 * time.Second

// Show answers GET /consent/{id}.
func (c *Consent) Show(w http.ResponseWriter, r *http.Request) {
	v, g, d, ok := c.open(w, r)
	if !ok {
		return
	}
	if g.State != passport.GrantPending {
		c.answered(w, r, v, g)
		return
	}
	if g.Extends != "" {
		c.showMore(w, r, v, g)
		return
	}
	ch, errs := c.start(g, d), web.FieldErrors(nil)
	if f, ok := c.cfg.People.Kept(w, r, v, path(g.ID)); ok {
		ch, errs = c.read(f, g, d)
		ch.Back = true
	}
	ch.Stamp = c.stamp(v, g.ID)
	c.show(w, r, v, g, ch, errs)
}

// open finds out who looks and at what. Whoever is not signed in is sent to do so first.
func (c *Consent) open(w http.ResponseWriter, r *http.Request) (web.Visitor, passport.Grant, *Device, bool) {
	v, err := c.cfg.People.Visitor(r)
	if err != nil && problem.KindOf(err) == problem.Unauthenticated {
		c.cfg.Pages.Redirect(w, r, "/login?next="+url.QueryEscape(path(passport.GrantID(r.PathValue("id")))))
		return v, passport.Grant{}, nil, false
	}
	var s passport.Standing
	if err == nil {
		s, err = c.cfg.Grants(v.Payer()).Asked(r.Context(), passport.GrantID(r.PathValue("id")))
	}
	g := s.Grant.At(c.cfg.Now())
	var d *Device
	if err == nil {
		d, err = c.device(r, &g)
	}
	if err != nil {
		c.cfg.Pages.Error(w, r, v, err)
		return v, passport.Grant{}, nil, false
	}
	if c.cfg.Doors != nil && g.State == passport.GrantPending {
		if err := c.cfg.Doors.Mine(r, g); err != nil {
			c.cfg.Pages.Error(w, r, v, err)
			return v, passport.Grant{}, nil, false
		}
	}
	return v, g, d, true
}

// Decide answers POST /consent/{id}. What is neither approve nor deny recomputes the page, so that Enter in a field never
// approves.
func (c *Consent) Decide(w http.ResponseWriter, r *http.Request) {
	v, g, d, ok := c.open(w, r)
	if !ok {
		return
	}
	if err := c.cfg.Pages.Posted(w, r, v); err != nil {
		c.cfg.Pages.Error(w, r, v, err)
		return
	}
	if g.State != passport.GrantPending {
		c.answered(w, r, v, g)
		return
	}
	if g.Extends != "" {
		c.decideMore(w, r, v, g)
		return
	}
	switch r.PostForm.Get("decision") {
	case "deny":
		c.deny(w, r, v, g)
	case "approve":
		c.approve(w, r, v, g, d)
	default:
		ch, errs := c.read(r.PostForm, g, d)
		ch.Stamp = c.restamp(v, g.ID, r.PostForm.Get("stamp"))
		c.show(w, r, v, g, ch, errs)
	}
}

func (c *Consent) deny(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant) {
	if _, err := c.cfg.Grants(v.Payer()).Deny(r.Context(), g.ID, "owner:"+string(v.ID)); err != nil {
		c.late(w, r, v, g.ID, err)
		return
	}
	c.cfg.Pages.Redirect(w, r, path(g.ID))
}

func (c *Consent) approve(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant, d *Device) {
	ch, errs := c.read(r.PostForm, g, d)
	errs = append(errs, c.unready(v, g, ch, r.PostForm.Get("stamp"))...)
	ch.Stamp = c.restamp(v, g.ID, r.PostForm.Get("stamp"))
	if len(errs) > 0 {
		c.show(w, r, v, g, ch, errs)
		return
	}
	a := c.approval(v, g, ch)
	a.Fresh = c.cfg.People.Fresh(r)
	_, err := c.cfg.Grants(v.Payer()).Approve(r.Context(), g.ID, a)
	if err != nil && problem.KindOf(err) == problem.SignInStale {
		c.cfg.People.Again(w, r, v, path(g.ID))
		return
	}
	if err != nil && problem.KindOf(err) == problem.Invalid {
		c.show(w, r, v, g, ch, web.FieldErrors{{Field: "main", Text: "This cannot be given as it stands: " + problem.From(err).Detail + "."}})
		return
	}
	if err != nil {
		c.late(w, r, v, g.ID, err)
		return
	}
	c.cfg.Pages.Redirect(w, r, path(g.ID))
}

// proof says beforehand that doing it takes a sign-in first: where all that is asked is more than can be given without, and the person has
// not proved a moment ago who they are. before is what the grant can spend now, most what it could then. Who is asked is authority.Control's to
// decide; this is only so that nobody is surprised.
func (c *Consent) proof(r *http.Request, doing string, before, most passport.Money) string {
	if most <= before || most <= c.cfg.FreshAbove || c.cfg.People.Fresh(r) {
		return ""
	}
	above := "From the first cent on"
	if c.cfg.FreshAbove > 0 {
		above = "Above " + c.cfg.FreshAbove.String() + " in all"
	}
	return above + ", " + doing + " asks you to sign in once more first."
}

// late shows how a request stands that was answered or ran out while the person was deciding.
func (c *Consent) late(w http.ResponseWriter, r *http.Request, v web.Visitor, id passport.GrantID, err error) {
	if problem.KindOf(err) == problem.Conflict {
		s, again := c.cfg.Grants(v.Payer()).Asked(r.Context(), id)
		if g := s.Grant.At(c.cfg.Now()); again == nil && g.State != passport.GrantPending {
			c.answered(w, r, v, g)
			return
		}
	}
	c.cfg.Pages.Error(w, r, v, err)
}

// unready says why an approval is not taken yet: the statement is not ticked, or nobody can have read the page.
func (c *Consent) unready(v web.Visitor, g passport.Grant, ch choice, stamp string) web.FieldErrors {
	if !sworn(g, ch.Device) {
		return nil
	}
	var errs web.FieldErrors
	if !ch.Sure {
		_, missing := statement(ch.Device)
		errs = append(errs, web.FieldError{Field: "sure", Text: missing})
	}
	return append(errs, c.unread(v, g, stamp)...)
}

// unread says why nobody can have read the page.
func (c *Consent) unread(v web.Visitor, g passport.Grant, stamp string) web.FieldErrors {
	at, ok := c.shownAt(v, g.ID, stamp)
	if !ok {
		return web.FieldErrors{{Field: "main", Text: "The page was out of date. Look at it again, then decide."}}
	}
	if c.cfg.Now().Sub(at) < minRead {
		return web.FieldErrors{{Field: "main", Text: "That was quicker than anyone can read. Look at it again, then decide."}}
	}
	return nil
}

// stamp says when the page was first shown, in a way that only this session's pages can.
func (c *Consent) stamp(v web.Visitor, id passport.GrantID) string {
	at := strconv.FormatInt(c.cfg.Now().UnixMilli(), 10)
	return at + "." + v.Sign("consent shown", string(id)+" "+at)
}

// restamp keeps a good stamp and replaces any other.
func (c *Consent) restamp(v web.Visitor, id passport.GrantID, stamp string) string {
	if _, ok := c.shownAt(v, id, stamp); ok {
		return stamp
	}
	return c.stamp(v, id)
}

func (c *Consent) shownAt(v web.Visitor, id passport.GrantID, stamp string) (time.Time, bool) {
	at, mac, ok := strings.Cut(stamp, ".")
	if !ok || !v.Signed("consent shown", string(id)+" "+at, mac) {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.UnixMilli(ms), true
}

func path(id passport.GrantID) string { return "/consent/" + url.PathEscape(string(id)) }
