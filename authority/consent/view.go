package consent

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// view is what the page shows of a request. Whatever the app said is in Site, Name and Reason, judged by internal/names.
type view struct {
	ID, Line, Stamp   string
	Site              names.Site
	HasSite           bool
	Asks              bool // Site is where the access goes, and not only what the app claims
	First             bool // nothing of that site has access now
	Scheme            bool // Site is a private-use scheme
	Checked           bool // Site has proved that it asks
	Sworn             bool // the person must say that they began this themselves
	Name              names.Name
	Reason            names.Reason
	Lookalike         string
	Details           []detailView
	Many              bool
	Lives             []lifeView
	AskedEnd, End     string
	Sure              bool
	Back              bool   // what stands here was entered before a fresh sign-in
	Proof             string // that approving takes a sign-in first, in words; empty: it does not
	Statement         string // what is ticked to approve
	Device            *deviceView
	Until             time.Time
	Errors            web.FieldErrors
	Money             passport.Money
	Buys, Providers   string
	CapsOn, CapsAsked int
	PassOn            string // that it may pass on part of it, in words; empty: it may not
	ModelsOn          string
	Calls, Rate       string
	Paid              []string
}

type detailView struct {
	N, Provider, Key   string
	NoKey, Kept, Many  bool
	AskedClamp         bool
	Caps, Extras       []capView
	Models             []modelView
	AnyModels          int  // how many models have a price, when all of them were asked for
	Any                bool // all of them were asked for
	Dearest            modelView
	MoneyNote          string
	In                 detailChoice
	B                  bounds
	MinDollars         string
	MaxDollars         string
	TopDollars         string // where the slider ends
	CallsNote          string
	RateNote           string
	TopCalls, TopRate  int64
	ShowCalls, ShowPer string
	Errors             web.FieldErrors
}

type capView struct {
	I                 int
	On                bool
	Icon, Title, Text string
}

type modelView struct {
	I       int
	On      bool
	Name    string
	Spelled []names.Part // of a name that is not plain
	Chat    passport.Money
	Cost    string
	Note    string // its price beside that of the cheapest asked; empty: there is nothing to compare
	Priced  bool
	asked   string // as the app wrote it
}

type lifeView struct {
	Label, End string
	At         time.Time
	Seconds    int64
	On         bool
}

func (c *Consent) show(w http.ResponseWriter, r *http.Request, v web.Visitor, g passport.Grant, ch choice, errs web.FieldErrors) {
	d := c.view(r, v, g, ch, errs)
	title, status := "Request from an unchecked app", http.StatusOK
	switch {
	case ch.Device != nil:
		title = "Request from a device"
	case d.Checked:
		title = "Request from " + d.Site.Registrable
	}
	if len(errs) > 0 {
		title, status = "There is a problem: request", http.StatusUnprocessableEntity
	}
	c.cfg.Pages.Render(w, r, status, "consent", web.Page{Title: title, Visitor: v, D: d})
}

func (c *Consent) view(r *http.Request, v web.Visitor, g passport.Grant, ch choice, errs web.FieldErrors) view {
	d := view{ID: string(g.ID), Stamp: ch.Stamp, Name: names.Judge(g.AppName, ""), Reason: names.Quote(g.Reason), Sure: ch.Sure, Back: ch.Back,
		Until: g.ExpiresAt, Errors: errs, Many: len(g.Asked) > 1}
	d.Line = requestLine(g.ID, c.cfg.Now(), "UNCHECKED")
	d.Statement, _ = statement(ch.Device)
	if d.Device = viewOf(ch.Device, c.cfg.Now()); d.Device != nil {
		d.Until = ch.Device.Ends
	}
	d.Site, d.HasSite = names.Where(g.Site, g.AppURL)
	d.Asks, d.Checked, d.Sworn = g.Site != "", g.Checked && ch.Device == nil, sworn(g, ch.Device)
	d.Scheme = strings.HasSuffix(g.Site, ":")
	if d.Checked {
		d.Name, d.Line = names.Judge(g.AppName, d.Site.Host), requestLine(g.ID, c.cfg.Now(), "CHECKED")
	}
	var known []string
	if c.cfg.Known != nil {
		known = c.cfg.Known(r.Context(), v.Payer())
	}
	d.Lookalike = names.Lookalike(d.Site, known)
	d.First = c.cfg.Known != nil && d.Asks && !d.Scheme && !d.Site.Loopback && !slices.Contains(known, d.Site.Registrable)
	var buys, titles []string
	var most passport.Money
	for i, asked := range g.Asked {
		most += passport.Money(boundsOf(asked).MaxCents) * passport.Cent
		dv := c.detail(r, v, i, asked, ch.Details[i], lowOf(g, ch.Device), errs)
		dv.Many = d.Many
		d.Details = append(d.Details, dv)
		if _, host := c.cfg.Place(asked.Provider); host != "" {
			titles = append(titles, dv.Provider+" ("+host+")")
		} else {
			titles = append(titles, dv.Provider)
		}
		d.CapsAsked += len(asked.Capabilities)
		d.PassOn = cmp.Or(d.PassOn, passOn(asked))
		if ch.Details[i].Kept {
			d.add(dv, ch.Details[i], &buys)
		}
	}
	d.Providers = join(titles, "and")
	d.Buys, d.Proof = sentence(buys), c.proof(r, "approving", 0, most)
	d.summary(ch)
	d.ends(g, ch, c.cfg.Now())
	return d
}

// requestLine is the line that looks like a passport's.
func requestLine(id passport.GrantID, now time.Time, word string) string {
	text := strings.ToUpper(strings.ReplaceAll(string(id), "-", ""))
	return fmt.Sprintf("REQ<%s<<<%s<<<%s<<<<<<<<<<<<<<<", text[max(0, len(text)-12):], now.UTC().Format("060102"), word)
}

// add counts a kept detail into the decision card.
func (d *view) add(dv detailView, dc detailChoice, buys *[]string) {
	d.Money += passport.Money(dc.Cents) * passport.Cent
	for _, on := range dc.Caps {
		if on {
			d.CapsOn++
		}
	}
	text := buysText(dv, dc)
	if dv.Many {
		text = dv.Provider + ": " + text
	}
	*buys = append(*buys, text)
	if dv.Key != "" {
		d.Paid = append(d.Paid, dv.Provider+", "+dv.Key)
	}
}

func (d *view) summary(ch choice) {
	var models, calls, rate int64
	anyModel := false
	for i, dc := range ch.Details {
		if !dc.Kept {
			continue
		}
		for _, on := range dc.Models {
			if on {
				models++
			}
		}
		anyModel = anyModel || d.Details[i].Any
		calls, rate = calls+dc.Calls, rate+dc.Rate
	}
	d.ModelsOn, d.Calls, d.Rate = web.Num(models), web.Num(calls), web.Num(rate)
	if models == 0 {
		d.ModelsOn = "none"
	}
	if anyModel {
		d.ModelsOn = "any"
	}
}

// ends says when each lifetime ends; an end that the app asked for itself comes first if it is earlier.
func (d *view) ends(g passport.Grant, ch choice, now time.Time) {
	asked := time.Time{}
	for _, a := range g.Asked {
		if e, ok := a.ExpiresAt.Get(); ok && (asked.IsZero() || e < asked.Unix()) {
			asked = time.Unix(e, 0).UTC()
		}
	}
	d.AskedEnd = "It did not ask for an end. What you give always ends."
	if !asked.IsZero() {
		d.AskedEnd = "It asked for an end at " + web.Moment(asked) + "; later than that it does not get."
	}
	for _, l := range lives {
		end := now.Add(l.For)
		if !asked.IsZero() && asked.Before(end) {
			end = asked
		}
		lv := lifeView{Label: l.Label, At: end, Seconds: int64(l.For / time.Second), On: l.For == ch.Life, End: web.Day(end)}
		if l.For <= 24*time.Hour {
			lv.End = web.Moment(end)
		}
		if lv.On {
			d.End = lv.End
		}
		d.Lives = append(d.Lives, lv)
	}
}

func (c *Consent) detail(r *http.Request, v web.Visitor, i int, asked passport.Detail, dc detailChoice, low low, errs web.FieldErrors) detailView {
	b := boundsOf(asked)
	title, _ := c.cfg.Place(asked.Provider)
	dv := detailView{N: strconv.Itoa(i), Provider: title, Kept: dc.Kept, AskedClamp: asked.Clamps(), In: dc, B: b, Errors: errs,
		MinDollars: dollars(b.MinCents), MaxDollars: dollars(b.MaxCents), TopDollars: dollars(b.MaxCents), TopCalls: b.MaxCalls, TopRate: b.MaxRate,
		ShowCalls: web.Num(dc.Calls), ShowPer: web.Num(dc.Rate)}
	dv.MoneyNote = "It asked for " + centsText(b.MaxCents) + "."
	if asked.MaxBudgetCents.IsZero() {
		dv.MoneyNote, dv.TopDollars = "It did not say how much.", dollars(4*c.cfg.Limits.MaxBudgetCents.Or(0))
	}
	if b.MaxCents > low.cents {
		dv.MoneyNote += " " + low.who + " start at " + centsText(low.cents) + "."
	}
	dv.CallsNote = "It asked for " + web.Num(b.MaxCalls) + "."
	if asked.MaxRequests.IsZero() {
		dv.CallsNote, dv.TopCalls = "It did not say how many.", 4*c.cfg.Limits.MaxRequests.Or(0)
	}
	dv.RateNote = "It asked for " + web.Num(b.MaxRate) + "."
	if asked.RateLimit.IsZero() {
		dv.RateNote, dv.TopRate = "It did not say how many.", 4*c.cfg.Limits.RateLimit.Or(0)
	}
	if c.cfg.PaidWith != nil {
		key, ok := c.cfg.PaidWith(r.Context(), v.Payer(), asked.Provider)
		dv.Key, dv.NoKey = key, !ok
	}
	dv.capabilities(asked, dc)
	dv.models(asked, dc, c.cfg.Prices.Models(asked.Provider))
	return dv
}

func (dv *detailView) capabilities(asked passport.Detail, dc detailChoice) {
	for i, capability := range asked.Capabilities {
		cv := words(capability, dv.Provider)
		cv.I, cv.On = i, dc.Caps[i]
		if slices.Contains(ordinary, capability) {
			dv.Caps = append(dv.Caps, cv)
		} else {
			dv.Extras = append(dv.Extras, cv)
		}
	}
}

// words say what a capability is.
func words(c passport.Capability, provider string) capView {
	switch c {
	case passport.Chat:
		return capView{Icon: "chat", Title: "Ask and answer", Text: "Send text that you give it, and get answers."}
	case passport.Embeddings:
		return capView{Icon: "search", Title: "Prepare for search", Text: "Turn your texts into numbers, to find things by meaning."}
	case passport.Images:
		return capView{Icon: "image", Title: "Make pictures", Text: "One picture can cost as much as many short chats."}
	case passport.Audio:
		return capView{Icon: "sound", Title: "Hear and speak", Text: "Turn sound into text and text into sound. Costs more than text."}
	case passport.Code:
		return capView{Icon: "code", Title: "Run programs at the provider",
			Text: "May start programs on " + provider + "'s machines. Costs more, and is hard to foresee."}
	case passport.Search:
		return capView{Icon: "globe", Title: "Search the web",
			Text: provider + " looks things up by itself, at a price for each search and for all that it reads. Dollars can be held for one call."}
	default:
		return capView{Icon: "alert", Title: "Something this page does not know", Text: "Leave it off."}
	}
}

func sentence(parts []string) string {
	if len(parts) == 0 {
		return "Nothing is chosen."
	}
	s := strings.Join(parts, "; ")
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// join writes a list: a, b and c.
func join(s []string, and string) string {
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " " + and + " " + s[len(s)-1]
}

// passOn says that an app may hand on part of what it gets (maxDelegationDepth), and how far that goes.
func passOn(d passport.Detail) string {
	switch n := d.MaxDelegationDepth.Or(0); n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("It may pass on part of this to up to %d helpers. What they spend counts here, and they end with it.", passport.MaxChildren)
	default:
		return fmt.Sprintf("It may pass on part of this to up to %d helpers, and they to others, %d times in a row. What they spend counts here, and they end with it.", passport.MaxFamily, n)
	}
}
