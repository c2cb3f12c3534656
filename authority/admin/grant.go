package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// grantView is one app.
type grantView struct {
	App            appView
	State          passport.GrantState
	Ended, Pending bool
	EndedAt        time.Time
	StampClass     string
	Approved, Ends time.Time
	Rate           string
	Reason         names.Reason
	Details        []detailView
	Calls          []callView
	First          bool
	Older          string
	Events         []eventView
	Frozen         string // the alarm: what was billed above a hold, which paused the app; empty: nothing
	Keys           sdkKeysView
	Children       []appView // what it was passed on to
	From           string    // the page of the grant that passed it on; empty: it is the person's own
	Adjust         *adjustView
	Keeps, Asks    bool // answers are kept; the owner may change that
	Tokens         tokensView
	Plot           *plotView
	Days           []dayView // the same as Plot, newest first
}

// eventView is what happened to an app besides its calls.
type eventView struct {
	At         time.Time
	What, Note string
	Class      string
}

// mostEvents bounds how many of them the page shows.
const mostEvents = 20

// detailView is what holds for one provider.
type detailView struct {
	Provider, Models, Caps, Rate, Calls string
	Bar                                 web.Bar
	Spent, Held, Cap                    passport.Money
	Several                             bool // the grant has others, so the bar is told apart
}

// callView is one call, without what was said.
type callView struct {
	At                         time.Time
	Model, Kind, In, Out, Cost string
	End                        badge
}

// Grant answers GET /grants/{id}.
func (a *Admin) Grant(w http.ResponseWriter, r *http.Request) {
	if v, ok := a.look(w, r); ok {
		a.showGrant(w, r, v, sdkKeysView{}, "")
	}
}

// page reads what the page of an app shows, but for its keys.
func (a *Admin) page(r *http.Request, v web.Visitor, s passport.Standing) (d grantView, err error) {
	before := passport.ReservationID(r.URL.Query().Get("before"))
	if len(before) > 64 {
		before = ""
	}
	calls, err := a.cfg.History.Reservations(r.Context(), s.Grant.ID, before, perPage+1)
	if err != nil {
		return d, err
	}
	d = a.grant(s)
	one := []appView{d.App}
	if err := a.use(r.Context(), one); err != nil {
		return d, err
	}
	d.App = one[0]
	if d.First = before == ""; d.First {
		if err := a.spentLine(r.Context(), &d, s); err != nil {
			return d, err
		}
	}
	if len(calls) > perPage {
		calls = calls[:perPage]
		d.Older = grantPath(s.Grant.ID) + "?before=" + url.QueryEscape(string(calls[perPage-1].ID))
	}
	for _, c := range calls {
		d.Calls = append(d.Calls, call(c))
	}
	if d.Events, err = a.happened(r.Context(), s.Grant.ID); err != nil {
		return d, err
	}
	if err := a.passedOn(r.Context(), v, &d, s.Grant); err != nil {
		return d, err
	}
	d.Frozen, err = a.frozen(r.Context(), s.Grant)
	d.App.alarm(d.Frozen)
	return d, err
}

// passedOn reads what a grant was passed on to.
func (a *Admin) passedOn(ctx context.Context, v web.Visitor, d *grantView, g passport.Grant) error {
	if g.Parent != "" {
		d.From = grantPath(g.Parent)
	}
	list, err := a.cfg.Grants(v.Payer()).Children(ctx, g.ID)
	for _, s := range list {
		s.Grant = s.Grant.At(a.cfg.Now())
		child := a.app(s)
		child.Ended = ended(s.Grant.State)
		d.Children = append(d.Children, child)
	}
	return err
}

// happened lists what happened to a grant, newest first.
func (a *Admin) happened(ctx context.Context, id passport.GrantID) (out []eventView, err error) {
	list, err := a.cfg.History.EventsOf(ctx, id, mostEvents)
	for _, ev := range list {
		out = append(out, eventView{At: ev.At, What: eventTitle(ev.Kind), Note: ev.Note, Class: eventClass(ev.Kind)})
	}
	return out, err
}

func (a *Admin) grant(s passport.Standing) grantView {
	g := s.Grant
	d := grantView{App: a.app(s), State: g.State, Ended: ended(g.State), Pending: g.State == passport.GrantPending, Approved: g.ApprovedAt, Ends: g.ExpiresAt,
		Reason: names.Quote(g.Reason), StampClass: "grey"}
	d.App.Bar.Big = true
	d.Adjust = a.adjustForm(g)
	d.Keeps, d.Asks = g.KeepAnswers, g.State == passport.GrantActive || g.State == passport.GrantPaused
	switch g.State {
	case passport.GrantRevoked:
		d.EndedAt, d.StampClass = g.RevokedAt, "bad"
	case passport.GrantExpired:
		d.EndedAt = g.ExpiresAt
	}
	for i, x := range g.Terms() {
		dv := detailView{Provider: a.cfg.Titles(x.Provider), Models: a.models(x), Caps: capabilities(x), Rate: number(x.RateLimit) + " a minute",
			Calls: number(x.MaxRequests), Cap: x.Cap(), Several: len(g.Details) > 1}
		if i < len(s.Details) {
			b := s.Details[i]
			dv.Bar, dv.Spent, dv.Held, dv.Cap = web.NewBar(b), b.Settled, b.Held, b.Cap
			dv.Calls = web.Num(b.Calls) + " of " + web.Num(b.CallsCap)
			dv.Bar.At = strconv.Itoa(i + 1)
			d.App.W.ofDetail(dv.Bar.At, b)
		} else {
			dv.Several = false
		}
		d.Details = append(d.Details, dv)
	}
	return d
}

func number(l passport.Limit) string {
	n, ok := l.Get()
	if !ok {
		return "yours to set"
	}
	return web.Num(n)
}

// models lists names that are plain; the others are counted.
func (a *Admin) models(d passport.Detail) string {
	if len(d.Models) == 0 {
		return "any " + a.cfg.Titles(d.Provider) + " model that has a price"
	}
	var plain []string
	strange := int64(0)
	for _, m := range d.Models {
		if names.ModelName(m) {
			plain = append(plain, m)
		} else {
			strange++
		}
	}
	if strange > 0 {
		plain = append(plain, web.Count(strange, "with a strange name", "with strange names"))
	}
	return strings.Join(plain, ", ")
}

func capabilities(d passport.Detail) string {
	var out []string
	for _, c := range d.Capabilities {
		switch c {
		case passport.Chat:
			out = append(out, "ask and answer")
		case passport.Embeddings:
			out = append(out, "prepare for search")
		case passport.Images:
			out = append(out, "make pictures")
		case passport.Audio:
			out = append(out, "hear and speak")
		case passport.Code:
			out = append(out, "run programs at the provider")
		case passport.Search:
			out = append(out, "let the provider search the web")
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

func call(r passport.Reservation) callView {
	v := callView{At: r.CreatedAt, Model: r.Model, Kind: "answer", Cost: web.USD(r.Actual), In: "not told", Out: "not told", End: outcome(r)}
	if r.Stream {
		v.Kind = "stream"
	}
	if !names.ModelName(r.Model) {
		v.Model = "a model with a strange name"
	}
	if r.Usage.Known {
		v.In, v.Out = used(r.Usage)
	}
	if r.State == passport.ReservationHeld {
		v.In, v.Out, v.Cost = "…", "…", web.USD(r.Amount)+" held"
	}
	return v
}

// used is what a call took in and gave out, with what was dearer than text in brackets.
func used(u passport.Usage) (in, out string) {
	tell := func(sum int64, parts ...string) string {
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		if len(parts) == 0 {
			return web.Num(sum)
		}
		return web.Num(sum) + " (" + strings.Join(parts, ", ") + ")"
	}
	part := func(n int64, one, many string) string {
		if n == 0 {
			return ""
		}
		return web.Count(n, one, many)
	}
	return tell(u.Input, part(u.InputImage, "of images", "of images"), part(u.InputAudio, "of sound", "of sound"), part(u.AudioSeconds, "second of sound", "seconds of sound")),
		tell(u.Output, part(u.OutputImage, "of images", "of images"), part(u.OutputAudio, "of sound", "of sound"),
			part(u.Searches, "search", "searches"), part(u.FileSearches, "search of files", "searches of files"))
}

// outcome says how a call ended, and what that meant for the money.
func outcome(r passport.Reservation) badge {
	if r.State == passport.ReservationHeld {
		return badge{"ok", "play", "Running"}
	}
	switch r.Why {
	case passport.Finished:
		return badge{"", "check", "Finished"}
	case passport.NotSent:
		return badge{"", "x", "Not sent, not charged"}
	case passport.ProviderError:
		return badge{"err-b", "alert", "Provider error"}
	case passport.ClientLeft:
		return badge{"", "x", "App hung up, charged in full"}
	case passport.Recalled:
		return badge{"err-b", "stop", "Ended by you or its end, charged in full"}
	case passport.Broken:
		return badge{"err-b", "alert", "Answer broke off, charged in full"}
	case passport.NoUsage:
		return badge{"warn", "alert", "No usage told, charged in full"}
	default:
		return badge{"warn", "alert", "Outcome lost, charged in full"}
	}
}
