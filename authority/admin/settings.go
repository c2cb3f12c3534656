package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Webhook tells the owner's own server of events; the webhook package does.
type Webhook interface {
	// Set makes an address the webhook and returns its new signing secret, which is shown once. Error: Invalid.
	Set(ctx context.Context, address, actor string) (secret string, err error)
	Remove(ctx context.Context, actor string) error
	// Test sends an event that says only that it is a test. Error: NotFound.
	Test(ctx context.Context, actor string) error
	// Status reads the webhook and how its last delivery went. Error: NotFound if there is none.
	Status(ctx context.Context) (passport.Webhook, error)
}

// settingsView is the page of settings.
type settingsView struct {
	Server   bool // what is of the whole broker is shown too
	Set      bool
	Site     string
	Since    time.Time
	Secret   string // shown once, right after it was made
	Waiting  string
	Next     time.Time // when what waits is tried again; zero: it is not waiting for that
	Last     time.Time
	About    string // what the last try was of
	Result   badge
	Why      string // it was not delivered
	In       string // what stands in the field
	Error    string
	Bearers  []bearerView
	Keys     passkeysView
	Signed   sessionsView
	Linked   []passport.Identity
	Provider string // at which people may sign in; empty: none
}

// Settings answers GET /settings.
func (a *Admin) Settings(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	a.showSettings(w, r, v, settingsView{})
}

// hook reads the webhook, for the owner. Error: NotFound if there is none, or it is not this person's to see.
func (a *Admin) hook(ctx context.Context, owner bool) (passport.Webhook, error) {
	if !owner {
		return passport.Webhook{}, problem.New(problem.NotFound, "there is no webhook")
	}
	return a.cfg.Webhook.Status(ctx)
}

// showSettings fills in how the webhook stands.
func (a *Admin) showSettings(w http.ResponseWriter, r *http.Request, v web.Visitor, d settingsView) {
	d.Server = v.Role.May(passport.RunServer)
	hook, err := a.hook(r.Context(), d.Server)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if err == nil {
		d.Set, d.Site, d.Since, d.Last = true, hook.Site, hook.CreatedAt, hook.LastAt
		d.Waiting = web.Count(hook.Waiting, "event is on its way.", "events are on their way.")
		if hook.Waiting > 0 && hook.NextAt.After(a.cfg.Now()) {
			d.Waiting, d.Next = web.Count(hook.Waiting, "event waits.", "events wait."), hook.NextAt
		}
		if hook.Waiting == 0 {
			d.Waiting = ""
		}
		d.About, d.Result = eventTitle(hook.LastKind), badge{"ok", "check", "Delivered"}
		if hook.LastError != "" {
			d.Result = badge{"err-b", "alert", "Not delivered"}
			d.Why = strings.ToUpper(hook.LastError[:1]) + hook.LastError[1:] + "."
		}
	}
	if d.Bearers, err = a.bearers(r.Context(), v); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if d.Keys, err = a.passkeys(r.Context(), v.ID); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if d.Signed, err = a.sessions(r, v.ID); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if d.Linked, err = a.cfg.Identities.Identities(r.Context(), v.ID); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	d.Provider = a.cfg.Identities.ForeignHost()
	title, status := "Settings", http.StatusOK
	if d.Error != "" {
		title, status = "There is a problem: settings", http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "settings", web.Page{Title: title, Nav: "Settings", Visitor: v, D: d})
}

// maxAddress bounds what is taken from the field.
const maxAddress = 2100

// SetWebhook answers POST /settings/webhook: it sets, tests or removes.
func (a *Admin) SetWebhook(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	word, err := "", error(nil)
	switch r.PostForm.Get("do") {
	case "set":
		in := clip(strings.TrimSpace(r.PostForm.Get("url")), maxAddress)
		secret, err := a.cfg.Webhook.Set(r.Context(), in, actor(v))
		switch {
		case problem.KindOf(err) == problem.Invalid && err != nil:
			a.showSettings(w, r, v, settingsView{In: in, Error: "The address " + problem.From(err).Detail + "."})
		case err != nil:
			a.cfg.Pages.Error(w, r, v, err)
		default: // the secret is in this answer and nowhere else
			a.showSettings(w, r, v, settingsView{Secret: secret})
		}
		return
	case "test":
		word, err = "hook-test", a.cfg.Webhook.Test(r.Context(), actor(v))
	case "remove":
		word, err = "hook-removed", a.cfg.Webhook.Remove(r.Context(), actor(v))
	default:
		err = problem.New(problem.Invalid, "the form does not say what to do").In("do")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, "/settings")
}
