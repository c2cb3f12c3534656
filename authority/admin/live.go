package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of GET /live.
const (
	LiveASession = 4  // connections: a browser has six to a host (HTTP/1.1), and pages that are not looked at close theirs
	LiveAPerson  = 16 // of all their sessions: nobody takes the places of the others
	LiveInAll    = 64 // at one broker

	liveEvery   = 500 * time.Millisecond // between looks, and so between messages
	livePing    = 15 * time.Second       // without a message: then a comment tells that the connection is alive
	liveSession = 3 * time.Second        // between looks whether the session is still there
	liveWrite   = 10 * time.Second       // for a browser to take a message
	liveRead    = 5 * time.Second        // for the store to answer
	liveRetry   = "retry: 5000\n\n"      // milliseconds until a browser that was cut comes again (HTML, server-sent events)
)

const livePath = "/live"

// moving is all of a page that moves, whole: the one definition of a message of GET /live. Words are as the page shows them.
type moving struct {
	All   string `json:"all"`  // "running", or "stopped": all apps are; or "stopped-own": all of this person's
	More  string `json:"more"` // another one than the page has: there is something new, which only loading it again shows
	Parts []part `json:"parts"`
}

// part is one element of a page.
type part struct {
	At     string         `json:"at"`    // its id
	State  string         `json:"state"` // of an app, as stateWord has it; elsewhere empty
	Say    string         `json:"say"`   // what a screen reader is told when State changes
	Words  words          `json:"words"`
	Bars   map[string]bar `json:"bars"` // by the name that the page marks them with (data-bar)
	Badges []badge        `json:"badges"`
}

// bar is a web.Bar as the script draws it: widths are percent.
type bar struct {
	Class string `json:"class"`
	Label string `json:"label"`
	Spent string `json:"spent"`
	Held  string `json:"held"`
}

// Live answers GET /live: how the things of a page stand now, again whenever that changes (HTML, server-sent events). Each message is the
// whole, so that one that was missed is not missed. Nobody waits for a browser that reads slowly but its own connection.
func (a *Admin) Live(w http.ResponseWriter, r *http.Request) {
	// 1. Who looks: a session, from a page of ours. A browser that sends no Sec-Fetch-Site has our cookie's SameSite alone.
	v, err := a.cfg.People.Visitor(r)
	if site := r.Header.Get("Sec-Fetch-Site"); err == nil && site != "" && site != "same-origin" {
		err = problem.New(problem.Forbidden, "numbers that move are for pages of this broker")
	}
	// 2. What at: an app, or the list. What is not there is not looked at again and again.
	id := passport.GrantID(r.URL.Query().Get("grant"))
	look := func(ctx context.Context) ([]byte, error) { return a.message(ctx, v, id) }
	if err == nil && id != "" {
		_, err = a.cfg.Grants(v.Payer()).Standing(r.Context(), id)
	}
	// 3. A place, or none.
	var leave func()
	if err == nil {
		leave, err = a.looking.enter(v.Sign("live", ""), v.ID)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	defer leave()
	t, done := a.looking.topic(string(v.ID) + "\x00" + string(id))
	defer done()
	// 4. From here on the connection is watched for the browser leaving, without an end.
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Time{})
	web.Protect(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would gather it
	// 5. Until somebody has enough: the browser, the session, the broker, the store.
	f := &feed{a: a, w: w, rc: rc, v: v}
	f.run(r, t, look)
}

// feed is one connection.
type feed struct {
	a      *Admin
	w      http.ResponseWriter
	rc     *http.ResponseController
	v      web.Visitor
	last   []byte
	wrote  time.Time
	looked time.Time // when the session was there
}

// run sends until the connection is of no use any more. Why it ends is told to nobody: the browser comes again, and is answered then.
func (f *feed) run(r *http.Request, t *topic, look func(context.Context) ([]byte, error)) {
	f.looked = f.a.cfg.Now()
	if !f.send([]byte(liveRetry)) {
		return
	}
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		now := f.a.cfg.Now()
		if now.Sub(f.looked) >= liveSession {
			v, err := f.a.cfg.People.Visitor(r)
			if err != nil || v.ID != f.v.ID {
				return
			}
			f.looked = now
		}
		body, err := t.now(r.Context(), f.a.cfg.Now, look)
		switch {
		case err != nil:
			return
		case !bytes.Equal(body, f.last):
			if f.last = body; !f.send([]byte("data: "), body, []byte("\n\n")) {
				return
			}
		case now.Sub(f.wrote) >= livePing && !f.send([]byte(": ping\n\n")):
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-f.a.cfg.Stopping:
			return
		}
	}
}

// send writes and flushes, within liveWrite.
func (f *feed) send(parts ...[]byte) bool {
	f.wrote = f.a.cfg.Now()
	f.rc.SetWriteDeadline(f.wrote.Add(liveWrite))
	_, err := f.w.Write(bytes.Join(parts, nil))
	return err == nil && f.rc.Flush() == nil
}

// message is what the list, or the page of an app, shows now.
func (a *Admin) message(ctx context.Context, v web.Visitor, id passport.GrantID) ([]byte, error) {
	stops, err := a.cfg.History.Stops(ctx, v.Payer())
	if err != nil {
		return nil, err
	}
	m := moving{All: web.Runs(stops.All, stops.Own)}
	if id != "" {
		err = a.movingGrant(ctx, v, &m, id)
	} else {
		err = a.movingList(ctx, v, &m)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

func (a *Admin) movingList(ctx context.Context, v web.Visitor, m *moving) error {
	d, err := a.apps(ctx, v, time.Time{})
	if err != nil {
		return err
	}
	m.More = d.more()
	m.Parts = append(m.Parts, part{At: "main", Words: d.W})
	for _, x := range d.Apps {
		m.Parts = append(m.Parts, partOf(x))
	}
	for _, x := range d.Ended { // one that has just ended is still among the rows of a page
		x.Badges = append(x.Badges, badge{"", "x", x.State})
		m.Parts = append(m.Parts, partOf(x))
	}
	return nil
}

func (a *Admin) movingGrant(ctx context.Context, v web.Visitor, m *moving, id passport.GrantID) error {
	s, err := a.cfg.Grants(v.Payer()).Standing(ctx, id)
	if err != nil {
		return err
	}
	s.Grant = s.Grant.At(a.cfg.Now())
	d := a.grant(s)
	one := []appView{d.App}
	if err := a.use(ctx, one); err != nil {
		return err
	}
	d.App = one[0]
	note, err := a.frozen(ctx, s.Grant)
	if err != nil {
		return err
	}
	d.App.alarm(note)
	p := partOf(d.App)
	for _, x := range d.Details {
		if x.Several {
			p.Bars[x.Bar.At] = barOf(x.Bar)
		}
	}
	m.More = d.more(s)
	m.Parts = []part{p}
	return nil
}

// more changes when the page of an app has something to show that it has no place for: another call, another state.
func (d grantView) more(s passport.Standing) string {
	return d.App.State + " " + web.Num(s.Total.Calls) + " " + web.Num(s.Grant.Version)
}

func partOf(v appView) part {
	return part{At: "g-" + v.ID, State: v.State, Say: v.Label + ": " + v.State, Words: v.W, Bars: map[string]bar{"": barOf(v.Bar)}, Badges: v.Badges}
}

func barOf(b web.Bar) bar { return bar{b.Class, b.Label, b.Spent, b.Held} }

func liveGrant(id passport.GrantID) string { return livePath + "?grant=" + url.QueryEscape(string(id)) }
