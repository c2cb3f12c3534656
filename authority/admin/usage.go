package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// mostShares bounds how many apps and how many models the page of usage lists; the others are summed.
const mostShares = 12

// span is a stretch of time to look at, in steps of an hour or a day, UTC. The step that runs is the last.
type span struct {
	value, title string
	every        time.Duration
	steps        int
}

var spans = []span{{"24h", "24 hours", time.Hour, 24}, {"7d", "7 days", 24 * time.Hour, 7}, {"30d", "30 days", 24 * time.Hour, 30}}

// since is when the span begins.
func (s span) since(now time.Time) time.Time {
	return now.UTC().Truncate(s.every).Add(-time.Duration(s.steps-1) * s.every)
}

// spanOf is the span that a link asks for: 7 days, if it names none of ours.
func spanOf(r *http.Request) span {
	for _, s := range spans {
		if s.value == r.URL.Query().Get("range") {
			return s
		}
	}
	return spans[1]
}

// by is what the plot tells apart.
type by struct{ value, title string }

var bys = []by{{"app", "By app"}, {"model", "By model"}}

// byOf is what a link asks for: apps, if it names none of ours.
func byOf(r *http.Request) by {
	if r.URL.Query().Get("by") == bys[1].value {
		return bys[1]
	}
	return bys[0]
}

// usageView is what was spent in a span.
type usageView struct {
	Spans, Bys     []spanView
	Range, By      string
	Title          string
	Settled, Held  passport.Money
	Count          string         // of calls, in words
	Top            passport.Money // of the dearest step
	Steps          []stepView
	Plot           plotView
	ByApp, ByModel sharesView
	More           bool // there was more than can be read at once
	Hourly         bool
}

type spanView struct {
	Value, Title string
	On           bool
}

// stepView is an hour or a day: a row of the table, with the cost of each series.
type stepView struct {
	When, Cost string
	Calls      int64
	Parts      []passport.Money
}

// share is what one app or one model has of the whole.
type share struct {
	Path, Name, Note string // Name is the key until it is told what it stands for
	Rest             bool   // of all that are not listed
	Cost             passport.Money
	Calls            int64
	In, Out          int64
	Percent          string // of the whole, in tenths: the width of its bar
}

// sharesView is a table of them.
type sharesView struct {
	Title string
	List  []share
}

// Usage answers GET /usage.
func (a *Admin) Usage(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	s, by, now := spanOf(r), byOf(r), a.cfg.Now()
	list, err := a.cfg.History.SpentSince(r.Context(), v.Payer(), s.since(now), s.every, passport.MostSpent+1)
	var d usageView
	if err == nil {
		d, err = a.usage(r.Context(), v, s, by, now, list)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.render(w, r, http.StatusOK, "usage", web.Page{Title: "Usage, " + s.title, Nav: "Usage", Visitor: v, Plots: true, D: d})
}

// UsagePlot answers GET /usage/plot: what the plot of the page has, for a script.
func (a *Admin) UsagePlot(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	s, now := spanOf(r), a.cfg.Now()
	list, err := a.cfg.History.SpentSince(r.Context(), v.Payer(), s.since(now), s.every, passport.MostSpent)
	var d plotData
	if err == nil {
		d, err = a.stacks(r.Context(), v, s, byOf(r), now, list)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	writePlot(w, d)
}

func (a *Admin) usage(ctx context.Context, v web.Visitor, s span, by by, now time.Time, list []passport.Spent) (usageView, error) {
	d := usageView{Range: s.value, By: by.value, Title: s.title, Hourly: s.every == time.Hour}
	for _, x := range spans {
		d.Spans = append(d.Spans, spanView{x.value, x.title, x.value == s.value})
	}
	for _, x := range bys {
		d.Bys = append(d.Bys, spanView{x.value, x.title, x == by})
	}
	if d.More = len(list) > passport.MostSpent; d.More {
		list = list[:passport.MostSpent]
	}
	apps, models, calls := map[string]*share{}, map[string]*share{}, int64(0)
	for _, x := range list {
		d.Settled, d.Held, calls = d.Settled+x.Settled, d.Held+x.Held, calls+x.Calls
		tally(apps, string(x.Grant), x)
		tally(models, modelKey(x), x)
	}
	d.Count = web.Count(calls, "call", "calls")
	d.ByApp, d.ByModel = sharesView{"App", d.shares(apps, mostShares)}, sharesView{"Model", d.shares(models, mostShares)}
	for _, list := range [][]share{d.ByApp.List, d.ByModel.List} {
		for i := range list {
			if err := a.nameShare(ctx, v, &list[i]); err != nil {
				return d, err
			}
		}
	}
	data, err := a.stacks(ctx, v, s, by, now, list)
	d.plot(s, now, data, list)
	return d, err
}

// stacks are the bars of a span: the dearest apps or models, and the others summed.
func (a *Admin) stacks(ctx context.Context, v web.Visitor, s span, by by, now time.Time, list []passport.Spent) (plotData, error) {
	out := plotData{Kind: "bars", Every: int64(s.every / time.Second)}
	for i := range s.steps {
		out.X = append(out.X, unix(s.since(now).Add(time.Duration(i)*s.every)))
	}
	key := func(x passport.Spent) string { return string(x.Grant) }
	if by.value == "model" {
		key = modelKey
	}
	sums, at := map[string]*share{}, map[string]int{}
	for _, x := range list {
		if x.Settled > 0 {
			tally(sums, key(x), x)
		}
	}
	var d usageView
	for i, share := range d.shares(sums, mostSeries+1) {
		at[share.Name] = i
		if err := a.nameShare(ctx, v, &share); err != nil {
			return out, err
		}
		out.Series = append(out.Series, plotSeries{out.fresh(share.Name), make([]int64, s.steps)})
	}
	for _, x := range list {
		i, ok := at[key(x)]
		if !ok {
			i = len(out.Series) - 1 // the others
		}
		if step := int(x.Begins.Sub(s.since(now)) / s.every); x.Settled > 0 && step >= 0 && step < s.steps {
			out.Series[i].Data[step] += int64(x.Settled)
		}
	}
	return out, nil
}

// modelKey is how a model is told from others until it is named.
func modelKey(x passport.Spent) string { return string(x.Provider) + "\x00" + x.Model }

// nameShare turns a key into what people read: an app as the list of apps calls it, a model's name if it is plain.
func (a *Admin) nameShare(ctx context.Context, v web.Visitor, s *share) error {
	if s.Rest {
		return nil
	}
	p, model, ok := strings.Cut(s.Name, "\x00")
	if !ok {
		return a.nameApp(ctx, v, s)
	}
	s.Name, s.Note = "a model with a strange name", a.cfg.Titles(passport.Provider(p))
	if names.ModelName(model) {
		s.Name = model
	}
	return nil
}

func (s *share) add(x passport.Spent) {
	s.Cost, s.Calls, s.In, s.Out = s.Cost+x.Settled, s.Calls+x.Calls, s.In+x.Input, s.Out+x.Output
}

func tally(m map[string]*share, key string, x passport.Spent) {
	if m[key] == nil {
		m[key] = &share{Name: key}
	}
	m[key].add(x)
}

// plot draws the steps as bars, the oldest first, and has the same as rows.
func (d *usageView) plot(s span, now time.Time, data plotData, list []passport.Spent) {
	steps, top := make([]share, s.steps), 0
	for _, x := range list {
		if at := int(x.Begins.Sub(s.since(now)) / s.every); at >= 0 && at < len(steps) {
			steps[at].add(x)
		}
	}
	for i, x := range steps {
		if x.Cost > steps[top].Cost {
			top = i
		}
		v := stepView{When: s.name(now, i), Cost: web.USD(x.Cost), Calls: x.Calls}
		for _, p := range data.Series {
			v.Parts = append(v.Parts, passport.Money(p.Data[i]))
		}
		d.Steps = append(d.Steps, v)
	}
	d.Top = steps[top].Cost
	d.Plot = plotView{Title: "Spent by day and " + d.By, Data: "/usage/plot?range=" + d.Range + "&by=" + d.By, Width: int64(s.steps * plotStep)}
	if d.Hourly {
		d.Plot.Title = "Spent by hour and " + d.By
	}
	d.Plot.stack(data, func(i int) string { return d.Steps[i].When })
	for _, i := range []int{0, s.steps / 2, s.steps - 1} {
		d.Plot.X = append(d.Plot.X, d.Steps[i].When)
	}
	d.Plot.Label = web.USD(d.Settled) + " in " + s.title
	if d.Top > 0 {
		d.Plot.Label += "; most of it, " + web.USD(d.Top) + ", " + d.Steps[top].When
	}
}

// name is what a step is called.
func (s span) name(now time.Time, i int) string {
	at := s.since(now).Add(time.Duration(i) * s.every)
	if s.every == time.Hour {
		return at.Format("2 Jan, 15:04")
	}
	return at.Format("Mon 2 Jan")
}

// shares sorts by cost and sums what is too much to list.
func (d *usageView) shares(m map[string]*share, most int) (out []share) {
	for _, s := range m {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
	if len(out) > most {
		rest := share{Rest: true}
		for _, s := range out[most-1:] {
			rest.Cost, rest.Calls, rest.In, rest.Out = rest.Cost+s.Cost, rest.Calls+s.Calls, rest.In+s.In, rest.Out+s.Out
		}
		rest.Name = web.Count(int64(len(out)-most+1), "other", "others")
		out = append(out[:most-1], rest)
	}
	for i := range out {
		t := int64(out[i].Cost / max(1, d.Settled/1000))
		out[i].Percent = fmt.Sprintf("%d.%d", min(t, 1000)/10, min(t, 1000)%10)
	}
	return out
}

// nameApp turns the id of a grant into what the list of apps calls it.
func (a *Admin) nameApp(ctx context.Context, v web.Visitor, s *share) error {
	id := passport.GrantID(s.Name)
	if s.Rest {
		return nil
	}
	st, err := a.cfg.Grants(v.Payer()).Standing(ctx, id)
	if err != nil {
		return err
	}
	st.Grant = st.Grant.At(a.cfg.Now())
	app := a.app(st)
	s.Path, s.Name, s.Note = grantPath(id), app.Label, app.State
	return nil
}
