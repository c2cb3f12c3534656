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

// usageView is what was spent in a span.
type usageView struct {
	Spans          []spanView
	Range, Title   string
	Settled, Held  passport.Money
	Count          string         // of calls, in words
	Top            passport.Money // of the dearest step
	Steps          []stepView
	Width          int // of the plot, in its own units
	Label          string
	ByApp, ByModel sharesView
	From, To       string
	More           bool // there was more than can be read at once
	Hourly         bool
}

type spanView struct {
	Value, Title string
	On           bool
}

// stepView is an hour or a day: a bar of the plot and a row of the table. X, Y and H are units of the plot, whose height is plotHeight.
type stepView struct {
	When, Cost string
	Calls      int64
	X, Y, H    int64
}

// Units of the plot.
const (
	plotHeight = 100
	plotStep   = 10
)

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
	s, now := spanOf(r), a.cfg.Now()
	list, err := a.cfg.History.SpentSince(r.Context(), v.Payer(), s.since(now), s.every, passport.MostSpent+1)
	var d usageView
	if err == nil {
		d, err = a.usage(r.Context(), v, s, now, list)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.render(w, r, http.StatusOK, "usage", web.Page{Title: "Usage, " + s.title, Nav: "Usage", Visitor: v, D: d})
}

func (a *Admin) usage(ctx context.Context, v web.Visitor, s span, now time.Time, list []passport.Spent) (usageView, error) {
	d := usageView{Range: s.value, Title: s.title, Width: s.steps * plotStep, Hourly: s.every == time.Hour}
	for _, x := range spans {
		d.Spans = append(d.Spans, spanView{x.value, x.title, x.value == s.value})
	}
	if d.More = len(list) > passport.MostSpent; d.More {
		list = list[:passport.MostSpent]
	}
	steps, apps, models := make([]share, s.steps), map[string]*share{}, map[string]*share{}
	calls := int64(0)
	for _, x := range list {
		d.Settled, d.Held, calls = d.Settled+x.Settled, d.Held+x.Held, calls+x.Calls
		if at := int(x.Begins.Sub(s.since(now)) / s.every); at >= 0 && at < len(steps) {
			steps[at].add(x)
		}
		tally(apps, string(x.Grant), x)
		tally(models, string(x.Provider)+"\x00"+x.Model, x)
	}
	d.Count = web.Count(calls, "call", "calls")
	d.plot(s, now, steps)
	d.ByApp = sharesView{"App", d.shares(apps)}
	for i := range d.ByApp.List {
		if err := a.nameApp(ctx, v, &d.ByApp.List[i]); err != nil {
			return d, err
		}
	}
	d.ByModel = sharesView{"Model", d.shares(models)}
	for i := range d.ByModel.List {
		m := &d.ByModel.List[i]
		if p, model, ok := strings.Cut(m.Name, "\x00"); ok {
			m.Name, m.Note = "a model with a strange name", a.cfg.Titles(passport.Provider(p))
			if names.ModelName(model) {
				m.Name = model
			}
		}
	}
	return d, nil
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

// plot draws the steps as bars, the oldest first. What has cost anything has a bar that can be seen.
func (d *usageView) plot(s span, now time.Time, steps []share) {
	top := 0
	for i, x := range steps {
		if x.Cost > steps[top].Cost {
			top = i
		}
	}
	d.Top = steps[top].Cost
	for i, x := range steps {
		v := stepView{When: s.name(now, i), Cost: web.USD(x.Cost), Calls: x.Calls, X: int64(i)*plotStep + 1}
		if x.Cost > 0 {
			v.H = max(1, int64(x.Cost/max(1, d.Top/plotHeight)))
			v.H = min(v.H, plotHeight)
		}
		v.Y = plotHeight - v.H
		d.Steps = append(d.Steps, v)
	}
	d.From, d.To = d.Steps[0].When, d.Steps[len(steps)-1].When
	d.Label = web.USD(d.Settled) + " in " + s.title
	if d.Top > 0 {
		d.Label += "; most of it, " + web.USD(d.Top) + ", " + d.Steps[top].When
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
func (d *usageView) shares(m map[string]*share) (out []share) {
	for _, s := range m {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
	if len(out) > mostShares {
		rest := share{Rest: true}
		for _, s := range out[mostShares-1:] {
			rest.Cost, rest.Calls, rest.In, rest.Out = rest.Cost+s.Cost, rest.Calls+s.Calls, rest.In+s.In, rest.Out+s.Out
		}
		rest.Name = web.Count(int64(len(out)-mostShares+1), "other", "others")
		out = append(out[:mostShares-1], rest)
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
