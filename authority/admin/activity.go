package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of an export of what happened.
const (
	exportPage = 500     // events read at a time
	exportMost = 100_000 // events in one file, which then says from where to go on
	exportTime = 30 * time.Second
)

// activityView is a page of what happened.
type activityView struct {
	List        []happenedView
	Apps        []appChoice
	App         string // the chosen app's id; empty: all
	First       bool
	Older, JSON string // links
}

// appChoice is an app to choose.
type appChoice struct {
	ID, Label string
	On        bool
}

// happenedView is an event in words.
type happenedView struct {
	At         time.Time
	What       badge
	Path, App  string // of the app that it is about; no path: it is not there any more; neither: it is about none
	Note, Who  string
	Remarkable bool
}

// Activity answers GET /activity.
func (a *Admin) Activity(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	id, before := chosen(r)
	list, next, err := a.cfg.History.Activity(r.Context(), v.ID, v.Payer(), id, before, perPage)
	d := activityView{App: string(id), First: before == 0, JSON: "/activity.json?" + asked(id, 0)}
	if next > 0 {
		d.Older = "/activity?" + asked(id, next)
	}
	if err == nil {
		d.List, err = a.inWords(r.Context(), v, list)
	}
	if err == nil {
		d.Apps, err = a.choices(r.Context(), v, id)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.render(w, r, http.StatusOK, "activity", web.Page{Title: "Activity", Nav: "Activity", Visitor: v, D: d})
}

// chosen is the app and the place that a link asks for.
func chosen(r *http.Request) (passport.GrantID, int64) {
	q := r.URL.Query()
	before, err := strconv.ParseInt(q.Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	return passport.GrantID(q.Get("app")), before
}

func asked(id passport.GrantID, before int64) string {
	q := url.Values{}
	if id != "" {
		q.Set("app", string(id))
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	return q.Encode()
}

// choices lists the newest apps that were given access, and the one that is chosen.
func (a *Admin) choices(ctx context.Context, v web.Visitor, on passport.GrantID) (out []appChoice, err error) {
	list, err := a.cfg.Grants(v.Payer()).Standings(ctx, time.Time{}, batch)
	if err != nil {
		return nil, err
	}
	if on != "" && !slices.ContainsFunc(list, func(s passport.Standing) bool { return s.Grant.ID == on }) {
		s, err := a.cfg.Grants(v.Payer()).Standing(ctx, on)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	for _, s := range list {
		if s.Grant.ApprovedAt.IsZero() && s.Grant.ID != on {
			continue
		}
		row := a.app(s)
		out = append(out, appChoice{ID: row.ID, Label: row.Label + ", asked " + web.Moment(row.Asked), On: s.Grant.ID == on})
	}
	return out, nil
}

// inWords says what happened, to what and by whom.
func (a *Admin) inWords(ctx context.Context, v web.Visitor, list []passport.Event) (out []happenedView, err error) {
	apps, notes := map[passport.GrantID]happenedView{}, noter{a: a, v: v}
	for _, ev := range list {
		h := happenedView{}
		if ev.Grant != "" {
			known, ok := apps[ev.Grant]
			if !ok {
				if known, err = a.about(ctx, v, ev.Grant); err != nil {
					return nil, err
				}
				apps[ev.Grant] = known
			}
			h = known
		}
		if h.Note, err = notes.words(ctx, ev); err != nil {
			return nil, err
		}
		h.At, h.Who = ev.At, who(v, ev.Actor)
		h.What = badge{Class: eventClass(ev.Kind), Icon: eventIcon(ev.Kind), Text: eventTitle(ev.Kind)}
		out = append(out, h)
	}
	return out, nil
}

func (a *Admin) about(ctx context.Context, v web.Visitor, id passport.GrantID) (happenedView, error) {
	s, err := a.cfg.Grants(v.Payer()).Standing(ctx, id)
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return happenedView{App: "a request that is forgotten"}, nil
	}
	if err != nil {
		return happenedView{}, err
	}
	return happenedView{Path: grantPath(id), App: a.app(s).Label}, nil
}

// who says who did it. v is who looks.
func who(v web.Visitor, actor string) string {
	kind, id, _ := strings.Cut(actor, ":")
	switch {
	case actor == "broker", kind == "broker":
		return "AIPassport"
	case actor == "operator":
		return "the operator, on the machine"
	case kind == "owner" && id == string(v.ID):
		return v.Name
	case kind == "owner" && v.Role != passport.RoleOwner:
		return "the owner"
	case kind == "owner":
		return "an owner token"
	case kind == "app":
		return "the app"
	case kind == "client":
		return "a registered app"
	default:
		return "somebody"
	}
}

// happenedJSON is one event of an export.
type happenedJSON struct {
	ID      string `json:"id"`
	At      string `json:"at"` // RFC 3339, UTC
	Kind    string `json:"kind"`
	Actor   string `json:"actor"`
	GrantID string `json:"grantId,omitempty"`
	Note    string `json:"note,omitempty"`
}

// ActivityJSON answers GET /activity.json: all of it, newest first, as it is read. What is too much for one file is told by next, the before
// of the file that goes on; a file without its last line is not whole.
func (a *Admin) ActivityJSON(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	id, before := chosen(r)
	list, next, err := a.cfg.History.Activity(r.Context(), v.ID, v.Payer(), id, before, exportPage)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	web.Protect(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="aipassport-activity.json"`)
	rc, notes := http.NewResponseController(w), noter{a: a, v: v}
	io.WriteString(w, `{"events":[`)
	for n := 0; ; {
		for _, ev := range list {
			note, err := notes.words(r.Context(), ev)
			if err != nil {
				panic(http.ErrAbortHandler) // as below
			}
			b, _ := json.Marshal(happenedJSON{string(ev.ID), ev.At.UTC().Format(time.RFC3339Nano), string(ev.Kind), ev.Actor, string(ev.Grant), note}) // of texts: it cannot fail
			if n > 0 {
				b = append([]byte(",\n"), b...)
			}
			n++
			w.Write(b)
		}
		if next == 0 || n >= exportMost {
			break
		}
		rc.SetWriteDeadline(a.cfg.Now().Add(exportTime))
		if list, next, err = a.cfg.History.Activity(r.Context(), v.ID, v.Payer(), id, next, exportPage); err != nil {
			panic(http.ErrAbortHandler) // the answer has begun: it is cut, so that it does not look whole
		}
	}
	io.WriteString(w, "],\n\"next\":"+strconv.FormatInt(next, 10)+"}\n")
}
