package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Keys are the provider keys, each person's apart; authority/keys does all of it. Errors: as there.
type Keys interface {
	// List returns those that the owner put in, newest first, and then those in the environment.
	List(ctx context.Context, of passport.Payer) ([]vault.Entry, error)
	// Models are those that a key reached when it was asked last; ok is false if that is too long ago.
	Models(id passport.CredentialID) (found []authority.Found, at time.Time, ok bool)
	KeyChanges
}

// KeyChanges is what the owner does with keys.
type KeyChanges interface {
	Add(ctx context.Context, of passport.Payer, p passport.Provider, label string, key secret.Text, actor string) (passport.Credential, error)
	Test(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) (string, error)
	Rotate(ctx context.Context, of passport.Payer, id passport.CredentialID, key secret.Text, actor string) error
	Choose(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) error
	Rename(ctx context.Context, of passport.Payer, id passport.CredentialID, label string, actor string) error
	Remove(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) error
}

// keysView is the page of provider keys. It holds no part of any key.
type keysView struct {
	Keys      []keyView
	Refused   []keyView
	Providers []option
	Label     string
	Money     string // the limit as it was typed, in dollars
	Month     string
	Default   bool // the new key is to be lent
	Errors    web.FieldErrors
}

type option struct {
	Value, Title string
	On           bool
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
	all, err := a.keys(r.Context(), v)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	d.Keys, d.Month = all, passport.MonthOf(a.cfg.Now()).Begins().Format("January")
	for _, k := range all {
		if !k.Since.IsZero() {
			d.Refused = append(d.Refused, k)
		}
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

// fields are the ids of the form's inputs by the vault's names.
var fields = map[string]string{"provider": "prov", "label": "lab", "key": "key", "money": "money"}

// AddKey answers POST /keys: it shows the key to its provider once, and keeps it unless it is refused. The key is never written back into a
// page.
func (a *Admin) AddKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	d := keysView{Label: clip(r.PostForm.Get("label"), 60), Money: clip(strings.TrimSpace(r.PostForm.Get("money")), 20), Default: r.PostForm.Get("default") == "yes"}
	provider := passport.Provider(r.PostForm.Get("provider"))
	wrong := func(e web.FieldError) {
		d.Errors = web.FieldErrors{e}
		a.showKeys(w, r, v, d, provider)
	}
	cents, ok := web.ReadDollars(d.Money)
	if d.Money != "" && !ok {
		wrong(web.FieldError{Field: "money", Text: noDollars})
		return
	}
	c, err := a.cfg.Keys.Add(r.Context(), v.Payer(), provider, r.PostForm.Get("label"), secret.New(r.PostForm.Get("key")), actor(v))
	switch problem.KindOf(err) {
	case problem.Invalid, problem.Conflict:
		wrong(fieldError(problem.From(err)))
		return
	case problem.CredentialRefused:
		wrong(web.FieldError{Field: "key", Text: problem.From(err).Detail + ", so it was not kept. Copy it again, or make a new one there."})
		return
	}
	if err == nil && d.Money != "" {
		err = a.cfg.Ceilings.SetCeiling(r.Context(), passport.CredentialCeiling(c.ID), passport.Money(cents)*passport.Cent, actor(v))
	}
	if err == nil && d.Default {
		err = a.cfg.Keys.Choose(r.Context(), v.Payer(), c.ID, actor(v))
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	word := "key-kept"
	if c.TestError == "" {
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

// TestKey answers POST /keys/{id}/test.
func (a *Admin) TestKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	said, err := a.cfg.Keys.Test(r.Context(), v.Payer(), keyID(r), actor(v))
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	word := "key-unknown"
	switch {
	case said == "":
		word = "key-good"
	case passport.Credential{TestError: said}.Refused():
		word = "key-bad"
	}
	a.done(w, r, word)
}

func keyID(r *http.Request) passport.CredentialID { return passport.CredentialID(r.PathValue("id")) }

// done says what was done and goes back to where it was asked for: the list, or the page of the key.
func (a *Admin) done(w http.ResponseWriter, r *http.Request, word string) {
	a.cfg.Pages.Say(w, word, 0)
	to := "/keys"
	if r.PostForm.Get("from") != "list" {
		to = keyPath(keyID(r))
	}
	a.cfg.Pages.Redirect(w, r, to)
}

// ChooseKey answers POST /keys/{id}/default.
func (a *Admin) ChooseKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if err := a.cfg.Keys.Choose(r.Context(), v.Payer(), keyID(r), actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.done(w, r, "key-chosen")
}

// RenameKey answers POST /keys/{id}/rename.
func (a *Admin) RenameKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	err := a.cfg.Keys.Rename(r.Context(), v.Payer(), keyID(r), r.PostForm.Get("label"), actor(v))
	switch problem.KindOf(err) {
	case problem.Invalid:
		a.showKey(w, r, v, "", web.FieldErrors{fieldError(problem.From(err))})
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.done(w, r, "key-renamed")
}

// RotateKey answers POST /keys/{id}/rotate: it shows the new secret to the provider, and puts it in the place of the old one if that takes it.
func (a *Admin) RotateKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	err := a.cfg.Keys.Rotate(r.Context(), v.Payer(), keyID(r), secret.New(r.PostForm.Get("key")), actor(v))
	if err == nil {
		a.done(w, r, "key-rotated")
		return
	}
	text := ""
	switch e := problem.From(err); e.Kind {
	case problem.Invalid:
		text = fieldError(e).Text
	case problem.CredentialRefused:
		text = e.Detail + ", so nothing was changed: the old secret is still in use."
	case problem.UpstreamFailed, problem.UpstreamTimeout:
		text = e.Detail + ". The old secret is still in use."
	default:
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.showKey(w, r, v, "", web.FieldErrors{{Field: "key", Text: text}})
}

// SetKeyLimit answers POST /keys/{id}/limit: it sets the monthly limit of one key, or removes it.
func (a *Admin) SetKeyLimit(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	k, err := a.findKey(r.Context(), v, keyID(r))
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	id, word := passport.CredentialCeiling(k.id), "limit-removed"
	switch r.PostForm.Get("do") {
	case "remove":
		err = a.cfg.Ceilings.RemoveCeiling(r.Context(), id, actor(v))
	case "set":
		in := clip(strings.TrimSpace(r.PostForm.Get("money")), 20)
		cents, ok := web.ReadDollars(in)
		if !ok {
			a.showKey(w, r, v, in, web.FieldErrors{{Field: "money", Text: noDollars}})
			return
		}
		word = "limit-set"
		err = a.cfg.Ceilings.SetCeiling(r.Context(), id, passport.Money(cents)*passport.Cent, actor(v))
	default:
		err = problem.New(problem.Invalid, "the form does not say what to do").In("do")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.done(w, r, word)
}

// AskRemoveKey answers GET /keys/{id}/remove: which apps lose what.
func (a *Admin) AskRemoveKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	k, err := a.findKey(r.Context(), v, keyID(r))
	if err == nil && k.FromEnv {
		err = problem.New(problem.NotFound, "no such key")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: "Remove a key?", Nav: "Keys", Visitor: v, D: question{
		Title: "Remove the " + k.Provider + " key “" + k.Label + "”?",
		Text:  "It is deleted here, sealed bytes and all, with its monthly limit. " + k.loss(),
		Hint:  "The key goes on working at " + k.Provider + ". To end it for good, delete it there too.",
		Yes:   "Remove the key", No: "Keep it", Class: "bad fill", Action: k.Path + "/remove", Back: k.Path}})
}

// RemoveKey answers POST /keys/{id}/remove.
func (a *Admin) RemoveKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if err := a.cfg.Keys.Remove(r.Context(), v.Payer(), keyID(r), actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "key-removed", 0)
	a.cfg.Pages.Redirect(w, r, "/keys")
}

// saidOfKeys is what was just done with a key.
func saidOfKeys(word string) string {
	switch word {
	case "key-works":
		return "The key is kept. Its provider accepted it."
	case "key-chosen":
		return "Apps use this key from the next call on. Calls that run go on with theirs."
	case "key-rotated":
		return "The new secret works and is in use. Calls that run finish with the old one; delete it at the provider in a minute."
	case "key-renamed":
		return "It has the new name. Nothing else changed."
	case "key-kept":
		return "The key is kept, but not tested: its provider was not reached."
	case "key-good":
		return "Tested: the provider accepted the key."
	case "key-bad":
		return "Tested: the provider refused the key. Apps that use it get an error, not a charge."
	case "key-unknown":
		return "Not tested: the provider was not reached. Try again in a minute."
	case "key-removed":
		return "The key is removed, with its sealed bytes. Calls that already run with it may finish."
	default:
		return ""
	}
}

// clip cuts to n characters what is shown again in a form.
func clip(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

// findKey is one of the visitor's keys. Error: NotFound.
func (a *Admin) findKey(ctx context.Context, v web.Visitor, id passport.CredentialID) (keyView, error) {
	all, err := a.keys(ctx, v)
	if err != nil {
		return keyView{}, err
	}
	i := slices.IndexFunc(all, func(k keyView) bool { return k.id == id })
	if i < 0 {
		return keyView{}, problem.New(problem.NotFound, "no such key")
	}
	return all[i], nil
}
