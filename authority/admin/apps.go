package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of the list: how many rows a page has, and how many grants are looked at to find them, so that a flood of requests
// neither hides the apps that can spend nor makes the page slow.
const (
	perPage  = 50
	batch    = 200
	mostRead = 2000
	waiting  = 10 // requests shown as waiting
)

// appsView is the list of apps.
type appsView struct {
	Lead           string
	Month          string
	Spent, Held    passport.Money
	Live, LiveApps int
	Calls          int64
	Apps           []appView
	Frozen         []appView // of Apps: those that a bill above its hold has paused
	Waiting        []appView
	Notices        []noticeView
	MoreNotices    bool
	SeenUpTo       string // microseconds: of the newest of Notices
	MoreWaiting    int
	Ended          []appView
	First          bool   // the newest page
	Older          string // link; empty: there is nothing older
	HasKey         bool
	Several        bool // there are others than the owner
	Near           []nearLimit
	Limit          *ceilingView // over all apps together; nil: not set
	W              words        // of the numbers above the list
}

// appView is one grant as a row.
type appView struct {
	Ended            bool   // it can spend no more; told of what was passed on
	ID, Label, State string // Label: the address for hidden text of buttons
	Site             names.Site
	HasSite          bool
	Name             names.Name
	Bar              web.Bar
	Total            passport.Balance
	Left             passport.Money
	Live             int
	Asked            time.Time
	Used             time.Time // its own last call; zero: none
	Ends             time.Time
	Paused           bool
	Badges           []badge
	W                words
}

// frozen is the note of the bill above its hold that paused a grant, until somebody pauses or resumes it; empty: none did.
func (a *Admin) frozen(ctx context.Context, g passport.Grant) (note string, err error) {
	if g.State != passport.GrantPaused {
		return "", nil
	}
	list, err := a.cfg.History.EventsOf(ctx, g.ID, mostEvents)
	for _, ev := range list {
		switch ev.Kind {
		case passport.GrantFrozen:
			return ev.Note, err
		case passport.GrantWasPaused, passport.GrantResumed:
			return "", err
		}
	}
	return "", err
}

// alarm marks an app that was frozen.
func (v *appView) alarm(note string) {
	if note != "" {
		v.Badges = append(v.Badges, badge{"err-b", "alert", "Billed above its hold"})
	}
}

// badge is a word with an icon.
type badge struct {
	Class string `json:"class"`
	Icon  string `json:"icon"`
	Text  string `json:"text"`
}

// Apps answers GET / and GET /grants.
func (a *Admin) Apps(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	before, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("before"))
	if err != nil {
		before = time.Time{}
	}
	d, err := a.apps(r.Context(), v, before)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	p := web.Page{Title: "Apps", Nav: "Apps", Visitor: v, D: d}
	if d.First {
		p.Live, p.More = livePath, d.more()
	}
	if d.First && len(d.Apps) == 0 {
		p.Title = "Apps, none yet"
	}
	a.render(w, r, http.StatusOK, "apps", p)
}

// apps reads the list of those that were asked for before a time (zero: the newest).
func (a *Admin) apps(ctx context.Context, v web.Visitor, before time.Time) (appsView, error) {
	d := appsView{First: before.IsZero()}
	if err := a.gather(ctx, v, &d, before); err != nil {
		return d, err
	}
	if err := a.use(ctx, d.Apps); err != nil {
		return d, err
	}
	for _, v := range d.Apps {
		d.Live += v.Live
		if v.Live > 0 {
			d.LiveApps++
		}
	}
	if d.First {
		if err := a.sums(ctx, v, &d); err != nil {
			return d, err
		}
		if err := a.notices(ctx, v, &d); err != nil {
			return d, err
		}
	}
	d.Lead = lead(d)
	d.W = wordsOfAll(d)
	return d, nil
}

// gather reads grants, newest first, until a page of apps that can spend is full, or enough was read.
func (a *Admin) gather(ctx context.Context, v web.Visitor, d *appsView, before time.Time) error {
	for read := 0; read < mostRead; {
		list, err := a.cfg.Grants(v.Payer()).Standings(ctx, before, batch)
		if err != nil {
			return err
		}
		for _, s := range list {
			read++
			before = s.Grant.CreatedAt
			if err := d.sort(ctx, a, s); err != nil {
				return err
			}
			if len(d.Apps) == perPage {
				d.Older = older(before)
				return nil
			}
		}
		if len(list) < batch {
			return nil
		}
	}
	d.Older = older(before)
	return nil
}

func older(before time.Time) string {
	return "/grants?before=" + url.QueryEscape(before.UTC().Format(time.RFC3339Nano))
}

// sort puts a grant where it is shown.
func (d *appsView) sort(ctx context.Context, a *Admin, s passport.Standing) error {
	s.Grant = s.Grant.At(a.cfg.Now())
	if s.Grant.Parent != "" {
		return nil // it is shown with the one that passed it on
	}
	switch s.Grant.State {
	case passport.GrantActive, passport.GrantPaused:
		app := a.app(s)
		note, err := a.frozen(ctx, s.Grant)
		if err != nil {
			return err
		}
		app.alarm(note)
		if note != "" {
			d.Frozen = append(d.Frozen, app)
		}
		d.Apps = append(d.Apps, app)
	case passport.GrantPending:
		if len(d.Waiting) == waiting {
			d.MoreWaiting++
			return nil
		}
		d.Waiting = append(d.Waiting, a.app(s))
	default:
		if len(d.Ended) < perPage {
			d.Ended = append(d.Ended, a.app(s))
		}
	}
	return nil
}

// use tells rows what is running and when it was used: calls at other instances, and of each app its own last call. What it passed on to
// others has rows of its own.
func (a *Admin) use(ctx context.Context, rows []appView) error {
	ids := make([]passport.GrantID, len(rows))
	for i, v := range rows {
		ids[i] = passport.GrantID(v.ID)
	}
	last, err := a.cfg.History.LastCalls(ctx, ids)
	if err != nil {
		return err
	}
	var there map[passport.GrantID]int
	if a.cfg.Elsewhere != nil {
		if there, err = a.cfg.Elsewhere(ctx); err != nil {
			return err
		}
	}
	for i, id := range ids {
		v := &rows[i]
		v.Live += there[id]
		v.Used = last[id]
		v.W.use(v.Live, v.Used)
	}
	return nil
}

// sums reads the numbers above the list. Months and days are UTC.
func (a *Admin) sums(ctx context.Context, v web.Visitor, d *appsView) error {
	now := a.cfg.Now().UTC()
	d.Month = now.Format("January")
	today, held, calls, err := a.cfg.History.Totals(ctx, v.Payer(), now.Truncate(24*time.Hour))
	if err != nil {
		return err
	}
	d.Held, d.Calls = held, calls
	if d.Spent, err = a.monthSoFar(ctx, v.Payer(), now, today); err != nil {
		return err
	}
	keys, err := a.cfg.Keys.List(ctx, v.Payer())
	if err != nil {
		return err
	}
	d.HasKey = len(keys) > 0
	if d.Several = !v.Role.May(passport.RunServer); !d.Several {
		people, err := a.cfg.Members.People(ctx)
		if err != nil {
			return err
		}
		d.Several = len(people) > 1
	}
	set, err := a.cfg.Ceilings.CeilingsNow(ctx, v.Payer())
	d.Near, d.Limit = a.near(set, keys)
	return err
}

func lead(d appsView) string {
	n := int64(len(d.Apps))
	switch {
	case !d.First:
		return "Older ones."
	case n == 0 && d.Older == "":
		return "No app may use your keys."
	case n == 0:
		return "None of the newest requests may use your keys. Look at the older ones too."
	case d.Older != "":
		return "The newest " + web.Num(n) + " apps that may use your keys."
	}
	text := web.Count(n, "app may use your keys.", "apps may use your keys.")
	if d.LiveApps > 0 {
		text += " " + web.Count(int64(d.LiveApps), "is using them now.", "are using them now.")
	}
	return text
}

// app is a grant as a row.
func (a *Admin) app(s passport.Standing) appView {
	g := s.Grant
	v := appView{ID: string(g.ID), State: stateWord(g.State), Name: names.Judge(g.AppName, ""), Total: s.Total, Left: s.Total.Left(),
		Bar: web.NewBar(s.Total), Live: a.cfg.Live(g.ID), Asked: g.CreatedAt, Ends: g.ExpiresAt, Paused: g.State == passport.GrantPaused}
	if v.Site, v.HasSite = names.Where(g.Site, g.AppURL); v.HasSite {
		v.Label = v.Site.Sub + v.Site.Registrable + v.Site.Port
	} else {
		v.Label = "an app without a web address"
	}
	v.W = wordsOf(s.Total)
	v.W.use(v.Live, v.Used)
	v.Badges = []badge{{"err-b", "shieldq", "Not checked"}}
	if g.Checked { // the consent page said so too
		v.Badges[0], v.Name = badge{"ok", "check", "Address checked"}, names.Judge(g.AppName, v.Site.Host)
	}
	if g.State == passport.GrantPaused {
		v.Badges = append(v.Badges, badge{"", "pause", "Paused"})
	}
	if ended(g.State) || g.State == passport.GrantPending {
		return v
	}
	switch {
	case s.Total.Left() <= 0 && s.Total.Held <= 0:
		v.Badges = append(v.Badges, badge{"err-b", "stop", "Cap reached"})
	case s.Total.CallsLeft() <= 0:
		v.Badges = append(v.Badges, badge{"err-b", "stop", "Calls used up"})
	case v.Bar.Percent >= 80:
		v.Badges = append(v.Badges, badge{"warn", "alert", web.Num(v.Bar.Percent) + " % used"})
	}
	return v
}

func stateWord(s passport.GrantState) string {
	switch s {
	case passport.GrantPending:
		return "Waiting"
	case passport.GrantActive:
		return "Running"
	case passport.GrantPaused:
		return "Paused"
	case passport.GrantDenied:
		return "Denied"
	case passport.GrantRevoked:
		return "Revoked"
	case passport.GrantExtended:
		return "Added to another"
	default:
		return "Expired"
	}
}

// ended says whether a grant can spend no more, for good.
func ended(s passport.GrantState) bool {
	switch s {
	case passport.GrantPending, passport.GrantActive, passport.GrantPaused:
		return false
	default:
		return true
	}
}
