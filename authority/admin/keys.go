package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// keysView is the page of provider keys. It holds no part of any key.
type keysView struct {
	Keys      []keyView
	Providers []option
	Label     string
	Errors    web.FieldErrors
}

type option struct {
	Value, Title string
	On           bool
}

type keyView struct {
	ID, Path, Provider, Label, EnvName string
	Models                             string // where the provider's models are listed with it; empty: another key is lent to apps
	FromEnv                            bool
	Added                              time.Time
	State                              badge
	Tested                             time.Time
	Used                               bool
}

// KeysPage answers GET /keys.
func (a *Admin) KeysPage(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	a.showKeys(w, r, v, keysView{}, "")
}

func (a *Admin) showKeys(w http.ResponseWriter, r *http.Request, v web.Visitor, d keysView, provider passport.Provider) {
	list, err := a.cfg.Keys.List(r.Context(), v.Payer())
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	for _, e := range list {
		d.Keys = append(d.Keys, a.key(e))
	}
	for _, p := range a.cfg.Providers() {
		if a.cfg.TakesKey(p) {
			d.Providers = append(d.Providers, option{string(p), a.cfg.Titles(p), p == provider})
		}
	}
	title, status := "Provider keys", http.StatusOK
	if len(d.Errors) > 0 {
		title, status = "There is a problem: provider keys", http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "keys", web.Page{Title: title, Nav: "Keys", Visitor: v, D: d})
}

func (a *Admin) key(e vault.Entry) keyView {
	c := e.Credential
	k := keyView{ID: string(c.ID), Path: "/keys/" + url.PathEscape(string(c.ID)), Provider: a.cfg.Titles(c.Provider), Label: c.Label, EnvName: e.EnvName,
		FromEnv: e.FromEnv, Added: c.CreatedAt, Tested: c.TestedAt, Used: e.Used}
	if e.Used {
		k.Models = providerPath(c.Provider) + "/models"
	}
	switch {
	case c.TestedAt.IsZero():
		k.State = badge{"", "info", "Not tested"}
	case c.TestError == "":
		k.State = badge{"ok", "check", "Works"}
	case c.TestError == passport.KeyRefused:
		k.State = badge{"err-b", "alert", "Refused by " + k.Provider}
	default:
		k.State = badge{"warn", "alert", k.Provider + " could not be asked"}
	}
	return k
}

// fields are the ids of the form's inputs by the vault's names.
var fields = map[string]string{"provider": "prov", "label": "lab", "key": "key"}

// AddKey answers POST /keys: it keeps the key and shows it to its provider once. A key that the provider refuses is not kept.
// The key is never written back into a page.
func (a *Admin) AddKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	d := keysView{Label: clip(r.PostForm.Get("label"), 60)}
	provider := passport.Provider(r.PostForm.Get("provider"))
	if !a.cfg.TakesKey(provider) {
		d.Errors = web.FieldErrors{fieldError(problem.New(problem.Invalid, "no key can be put in for it here").In("provider"))}
		a.showKeys(w, r, v, d, provider)
		return
	}
	c, err := a.cfg.Keys.Add(r.Context(), v.Payer(), provider, r.PostForm.Get("label"), secret.New(r.PostForm.Get("key")), actor(v))
	if err != nil && problem.KindOf(err) == problem.Invalid {
		d.Errors = web.FieldErrors{fieldError(problem.From(err))}
		a.showKeys(w, r, v, d, provider)
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	word, err := a.test(r.Context(), c.ID, v)
	good := word == "key-good"
	if err == nil && word == "key-bad" {
		if err = a.cfg.Keys.Remove(r.Context(), v.Payer(), c.ID, actor(v)); err == nil {
			d.Errors = web.FieldErrors{{Field: "key", Text: a.cfg.Titles(provider) + " refused this key, so it was not kept. Copy it again, or make a new one there."}}
			a.showKeys(w, r, v, d, provider)
			return
		}
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if word = "key-kept"; good {
		word = "key-works"
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, "/keys")
}

func fieldError(e *problem.Error) web.FieldError {
	field, ok := fields[e.Field]
	if !ok {
		field = "key"
	}
	text := map[string]string{"prov": "The provider: ", "lab": "Your name for the key: ", "key": "The key: "}[field] + e.Detail
	return web.FieldError{Field: field, Text: strings.TrimSuffix(text, ".") + "."}
}

// test shows a key to its provider and notes what it said: key-good, key-bad or key-unknown.
func (a *Admin) test(ctx context.Context, id passport.CredentialID, v web.Visitor) (string, error) {
	if a.cfg.Tester == nil {
		return "key-unknown", nil
	}
	word, note, began := "key-good", "", a.cfg.Now()
	if err := a.cfg.Tester(ctx, v.Payer(), id); err != nil {
		switch problem.KindOf(err) {
		case problem.NotFound:
			return "", err
		case problem.CredentialRefused:
			word, note = "key-bad", passport.KeyRefused
		default:
			word, note = "key-unknown", "the provider could not be asked"
		}
	}
	return word, a.cfg.Keys.Tested(ctx, v.Payer(), id, began, note, actor(v))
}

// TestKey answers POST /keys/{id}/test.
func (a *Admin) TestKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	word, err := a.test(r.Context(), passport.CredentialID(r.PathValue("id")), v)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, word, 0)
	a.cfg.Pages.Redirect(w, r, "/keys")
}

// AskRemoveKey answers GET /keys/{id}/remove.
func (a *Admin) AskRemoveKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	list, err := a.cfg.Keys.List(r.Context(), v.Payer())
	i := slices.IndexFunc(list, func(e vault.Entry) bool { return string(e.Credential.ID) == r.PathValue("id") && !e.FromEnv })
	if err == nil && i < 0 {
		err = problem.New(problem.NotFound, "no such key")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	k := a.key(list[i])
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: "Remove a key?", Nav: "Keys", Visitor: v, D: question{
		Title: "Remove the " + k.Provider + " key “" + k.Label + "”?",
		Text:  "It is deleted here, sealed bytes and all. Apps that need it get an error, not a charge, unless there is another " + k.Provider + " key.",
		Hint:  "The key goes on working at " + k.Provider + ". To end it for good, delete it there too.",
		Yes:   "Remove the key", No: "Keep it", Class: "bad fill", Action: k.Path + "/remove", Back: "/keys"}})
}

// RemoveKey answers POST /keys/{id}/remove.
func (a *Admin) RemoveKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if err := a.cfg.Keys.Remove(r.Context(), v.Payer(), passport.CredentialID(r.PathValue("id")), actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "key-removed", 0)
	a.cfg.Pages.Redirect(w, r, "/keys")
}

// clip cuts to n characters what is shown again in a form.
func clip(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}
