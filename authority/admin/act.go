package admin

import (
	"net/http"
	"net/url"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// question is a page that asks once before it acts. About is the app's address, which is only claimed.
type question struct {
	Title, Text, Hint, Yes, No, Class, Action, Back string
	About                                           appView
	HasAbout                                        bool
	Hidden                                          []hidden // carried on to the answer
}

// Pause answers POST /grants/{id}/pause, at once.
func (a *Admin) Pause(w http.ResponseWriter, r *http.Request) {
	a.change(w, r, "paused", func(v web.Visitor, id passport.GrantID, who string) (int, error) {
		_, n, err := a.cfg.Grants(v.Payer()).Pause(r.Context(), id, who)
		return n, err
	})
}

// Resume answers POST /grants/{id}/resume.
func (a *Admin) Resume(w http.ResponseWriter, r *http.Request) {
	a.change(w, r, "resumed", func(v web.Visitor, id passport.GrantID, who string) (int, error) {
		_, err := a.cfg.Grants(v.Payer()).Resume(r.Context(), id, who)
		return 0, err
	})
}

// Revoke answers POST /grants/{id}/revoke.
func (a *Admin) Revoke(w http.ResponseWriter, r *http.Request) {
	a.change(w, r, "revoked", func(v web.Visitor, id passport.GrantID, who string) (int, error) {
		_, n, err := a.cfg.Grants(v.Payer()).Revoke(r.Context(), id, who)
		return n, err
	})
}

// KeepAnswers answers POST /grants/{id}/answers: it lets answers be kept for a day, or ends that.
func (a *Admin) KeepAnswers(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	word, keep := "answers-gone", false
	switch r.PostForm.Get("keep") {
	case "yes":
		word, keep = "answers-kept", true
	case "no":
	default:
		a.cfg.Pages.Error(w, r, v, problem.New(problem.Invalid, "the form does not say what to do").In("keep"))
		return
	}
	id := passport.GrantID(r.PathValue("id"))
	if _, err := a.cfg.Grants(v.Payer()).KeepAnswers(r.Context(), id, keep, actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, grantPath(id))
}

// change does one thing to one grant and goes to the grant, or back to the list if that is where the person was.
func (a *Admin) change(w http.ResponseWriter, r *http.Request, word string, do func(v web.Visitor, id passport.GrantID, who string) (int, error)) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	id := passport.GrantID(r.PathValue("id"))
	n, err := do(v, id, actor(v))
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, n)
	to := "/"
	if r.PostForm.Get("from") != "list" {
		to = grantPath(id)
	}
	a.cfg.Pages.Redirect(w, r, to)
}

// AskRevoke answers GET /grants/{id}/revoke.
func (a *Admin) AskRevoke(w http.ResponseWriter, r *http.Request) {
	a.ask(w, r, func(v web.Visitor, g passport.Grant) (question, error) {
		if ended(g.State) {
			return question{}, problem.New(problem.Conflict, "the grant is %s", g.State.Wire())
		}
		text := "It has no running calls. Its tokens stop working at once. This can't be undone. The app can ask you again."
		if n := a.cfg.Live(g.ID); n > 0 {
			text = web.Count(int64(n), "running call ends", "running calls end") + " within a second and its tokens stop working. This can't be undone. The app can ask you again."
		}
		return question{Title: "Revoke this app's access?", Text: text, Hint: "Only want a break? Pause keeps everything as it is.",
			Yes: "Revoke now", No: "Keep it", Class: "bad fill", Action: grantPath(g.ID) + "/revoke", Back: grantPath(g.ID)}, nil
	})
}

// AskResume answers GET /grants/{id}/resume.
func (a *Admin) AskResume(w http.ResponseWriter, r *http.Request) {
	a.ask(w, r, func(v web.Visitor, g passport.Grant) (question, error) {
		if g.State != passport.GrantPaused {
			return question{}, problem.New(problem.Conflict, "the grant is %s", g.State.Wire())
		}
		return question{Title: "Let this app run again?", Text: "It goes on with the limits it had, until " + web.Moment(g.ExpiresAt) + ".",
			Hint: "If it was paused without you, a provider had billed more than was held. Look at its calls first.",
			Yes:  "Run again", No: "Leave it paused", Class: "pri", Action: grantPath(g.ID) + "/resume", Back: grantPath(g.ID)}, nil
	})
}

func (a *Admin) ask(w http.ResponseWriter, r *http.Request, about func(web.Visitor, passport.Grant) (question, error)) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	s, err := a.cfg.Grants(v.Payer()).Standing(r.Context(), passport.GrantID(r.PathValue("id")))
	s.Grant = s.Grant.At(a.cfg.Now())
	var q question
	if err == nil {
		q, err = about(v, s.Grant)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	q.About, q.HasAbout = a.app(s), true
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: q.Title, Nav: "Apps", Visitor: v, D: q})
}

// Stop answers POST /stop: one press, at once. The owner stops everybody's apps, or as everyone can their own.
func (a *Admin) Stop(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	word, n, err := "stopped", 0, error(nil)
	if ofOwn(v, r.PostForm.Get("whose")) {
		word = "stopped-own"
		n, err = a.cfg.Grants(v.Payer()).StopOwn(r.Context(), actor(v))
	} else {
		n, err = a.cfg.StopAll.Stop(r.Context(), actor(v))
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, n)
	a.cfg.Pages.Redirect(w, r, "/")
}

// ofOwn says whether a press is on the switch of one's own apps: the only one that a member has.
func ofOwn(v web.Visitor, whose string) bool {
	return !v.Role.May(passport.RunServer) || whose == "mine"
}

// AskRun answers GET /resume.
func (a *Admin) AskRun(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	stops, err := a.cfg.History.Stops(r.Context(), v.Payer())
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	q := question{Title: "Let apps run again?", Text: "They go on with the limits they had. Apps that you paused one by one stay paused.",
		Hint: "Not sure about one of them? Pause or revoke it first.", Yes: "Run again", No: "Leave them stopped", Class: "pri", Action: "/resume", Back: "/"}
	since := stops.All
	if ofOwn(v, r.URL.Query().Get("whose")) {
		since, q.Title, q.Hidden = stops.Own, "Let your apps run again?", []hidden{{"whose", "mine"}}
	}
	if since.IsZero() {
		a.cfg.Pages.Redirect(w, r, "/")
		return
	}
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: "Run again?", Nav: "Apps", Visitor: v, D: q})
}

// Run answers POST /resume.
func (a *Admin) Run(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	word, err := "running", error(nil)
	if ofOwn(v, r.PostForm.Get("whose")) {
		word, err = "running-own", a.cfg.Grants(v.Payer()).RunOwn(r.Context(), actor(v))
	} else {
		err = a.cfg.StopAll.ResumeAll(r.Context(), actor(v))
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, "/")
}

func grantPath(id passport.GrantID) string { return "/grants/" + url.PathEscape(string(id)) }
