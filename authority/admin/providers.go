package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/roster"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Roster keeps the providers that the owner adds; guard/roster does.
type Roster interface {
	List() []roster.Entry
	Find(p passport.Provider) (roster.Entry, bool)
	Add(ctx context.Context, c passport.Compatible, actor string) error
	Change(ctx context.Context, c passport.Compatible, actor string) error
	Remove(ctx context.Context, p passport.Provider, actor string) error
}

// providersView is the page of added providers.
type providersView struct {
	List   []providerView
	Form   providerForm
	Errors web.FieldErrors
}

type providerView struct {
	Path, Name, Title, Kind, Host string
	FromFile                      bool
	Models                        int
}

// providerForm is one provider as it is typed.
type providerForm struct {
	New                                         bool
	Path, Name, Title, Preset, Base, Auth, Kind string
	Local                                       bool
	Headers, Models                             string // a line each
	Version                                     int64
	FromFile, BuiltIn                           bool
	Presets, Auths                              []option
	Found                                       []authority.Found
	Asked                                       bool
	Errors                                      web.FieldErrors
}

func providerPath(p passport.Provider) string { return "/providers/" + url.PathEscape(string(p)) }

// ProvidersPage answers GET /providers.
func (a *Admin) ProvidersPage(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	a.showProviders(w, r, v, providerForm{New: true, Preset: "mistral"}, nil)
}

func (a *Admin) showProviders(w http.ResponseWriter, r *http.Request, v web.Visitor, f providerForm, errs web.FieldErrors) {
	d := providersView{Form: f.filled(), Errors: errs}
	d.Form.Errors = errs
	for _, e := range a.cfg.Roster.List() {
		info, _ := e.Preset.Info()
		d.List = append(d.List, providerView{providerPath(e.Name), string(e.Name), e.Title, info.Title, e.URL.Host, e.FromFile, len(e.Tariffs)})
	}
	a.renderForm(w, r, v, "providers", "Providers", d, errs)
}

func (a *Admin) renderForm(w http.ResponseWriter, r *http.Request, v web.Visitor, page, title string, d any, errs web.FieldErrors) {
	status := http.StatusOK
	if len(errs) > 0 {
		title, status = "There is a problem: "+strings.ToLower(title), http.StatusUnprocessableEntity
	}
	a.render(w, r, status, page, web.Page{Title: title, Nav: "Keys", Visitor: v, D: d})
}

func (f providerForm) filled() providerForm {
	for _, p := range passport.Presets {
		f.Presets = append(f.Presets, option{string(p.Preset), p.Title, string(p.Preset) == f.Preset})
	}
	f.Auths = []option{{"", "As usual there", f.Auth == ""}, {"bearer", "Bearer", f.Auth == "bearer"}, {"api-key", "The header api-key", f.Auth == "api-key"}, {"none", "No key", f.Auth == "none"}}
	return f
}

// Provider answers GET /providers/{name}. Of a built-in one there are the models, and nothing to set.
func (a *Admin) Provider(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	f, err := a.known(r)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.renderForm(w, r, v, "provider", f.Title, f.filled(), nil)
}

// known is stored, or a built-in provider.
func (a *Admin) known(r *http.Request) (providerForm, error) {
	p := passport.Provider(r.PathValue("name"))
	if slices.Contains(passport.Providers, p) {
		return providerForm{Path: providerPath(p), Name: string(p), Title: a.cfg.Titles(p), Kind: "Built in", BuiltIn: true}, nil
	}
	return a.stored(r)
}

func (a *Admin) stored(r *http.Request) (providerForm, error) {
	e, ok := a.cfg.Roster.Find(passport.Provider(r.PathValue("name")))
	if !ok {
		return providerForm{}, problem.New(problem.NotFound, "there is no such provider")
	}
	info, _ := e.Preset.Info()
	return providerForm{Path: providerPath(e.Name), Name: string(e.Name), Title: e.Title, Preset: string(e.Preset), Kind: info.Title, Base: e.Base, Auth: string(e.Auth),
		Local: e.Local, Headers: headerLines(e.Headers), Models: tariffLines(e.Tariffs), Version: e.Version, FromFile: e.FromFile}, nil
}

// typed reads the form. What is left empty is as the preset has it.
func typed(p url.Values) (providerForm, passport.Compatible, error) {
	trim := func(name string, n int) string { return clip(strings.TrimSpace(p.Get(name)), n) }
	f := providerForm{Name: trim("name", 40), Title: trim("title", 80), Preset: trim("preset", 20), Base: trim("base", passport.MaxBase+1), Auth: trim("auth", 20),
		Local: p.Get("local") == "yes", Headers: clip(p.Get("headers"), 6000), Models: clip(p.Get("models"), web.MaxForm)}
	info, _ := passport.Preset(f.Preset).Info()
	c := passport.Compatible{Name: passport.Provider(f.Name), Title: orElse(f.Title, info.Title), Preset: passport.Preset(f.Preset), Base: orElse(f.Base, info.Base),
		Local: f.Local, Auth: passport.Auth(orElse(f.Auth, string(info.Auth)))}
	version, err := strconv.ParseInt(orElse(p.Get("version"), "0"), 10, 64)
	if err != nil {
		return f, c, problem.New(problem.Invalid, "the page was out of date").In("name")
	}
	c.Version, f.Version = version, version
	if c.Headers, err = readHeaders(f.Headers); err != nil {
		return f, c, err
	}
	c.Tariffs, err = readTariffs(f.Models)
	return f, c, err
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// AddProvider answers POST /providers.
func (a *Admin) AddProvider(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	f, c, err := typed(r.PostForm)
	if err == nil {
		err = a.cfg.Roster.Add(r.Context(), c, actor(v))
	}
	f.New = true
	if typedWrong(err) {
		a.showProviders(w, r, v, f, providerErrors(err))
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "provider-added", 0)
	a.cfg.Pages.Redirect(w, r, providerPath(c.Name))
}

// ChangeProvider answers POST /providers/{name}.
func (a *Admin) ChangeProvider(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	f, err := a.stored(r)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	r.PostForm.Set("name", f.Name) // neither can be changed
	r.PostForm.Set("preset", f.Preset)
	t, c, err := typed(r.PostForm)
	if err == nil {
		err = a.cfg.Roster.Change(r.Context(), c, actor(v))
	}
	if typedWrong(err) {
		t.Path, t.Kind = f.Path, f.Kind
		t.Errors = providerErrors(err)
		a.renderForm(w, r, v, "provider", f.Title, t.filled(), t.Errors)
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "provider-changed", 0)
	a.cfg.Pages.Redirect(w, r, f.Path)
}

// ListModels answers POST /providers/{name}/models: it asks the provider, added or built in, which models the key that is lent to apps can
// reach, and shows them.
func (a *Admin) ListModels(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	f, err := a.known(r)
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	found, err := a.cfg.Discover(r.Context(), v.Payer(), passport.Provider(f.Name))
	if err != nil && problem.KindOf(err) == problem.Internal {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if err != nil {
		f.Errors = web.FieldErrors{{Field: "list", Text: "The models could not be listed: " + whyNot(err) + "."}}
	}
	f.Found, f.Asked = found, err == nil
	a.renderForm(w, r, v, "provider", f.Title, f.filled(), f.Errors)
}

// whyNot is why models could not be listed. What a caller without a key is told is not for the owner, who can put one in.
func whyNot(err error) string {
	if problem.KindOf(err) == problem.CredentialMissing {
		return "there is no key for it, add one under Keys"
	}
	return strings.TrimSuffix(problem.From(err).Detail, ".")
}

// AskRemoveProvider answers GET /providers/{name}/remove.
func (a *Admin) AskRemoveProvider(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	f, err := a.stored(r)
	if err == nil && f.FromFile {
		err = problem.New(problem.Conflict, "it is set in the operator's file")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: "Remove a provider?", Nav: "Keys", Visitor: v, D: question{
		Title: "Remove " + f.Title + "?", Text: "It is deleted here with its prices and its keys. Apps that were given it get an error, not a charge. Calls that run go on.",
		Hint: "A key goes on working at " + f.Title + ". To end it for good, delete it there too.",
		Yes:  "Remove the provider", No: "Keep it", Class: "bad fill", Action: f.Path + "/remove", Back: f.Path}})
}

// RemoveProvider answers POST /providers/{name}/remove.
func (a *Admin) RemoveProvider(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if err := a.cfg.Roster.Remove(r.Context(), passport.Provider(r.PathValue("name")), actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "provider-removed", 0)
	a.cfg.Pages.Redirect(w, r, "/providers")
}

func typedWrong(err error) bool {
	k := problem.KindOf(err)
	return err != nil && (k == problem.Invalid || k == problem.Conflict)
}

func providerErrors(err error) web.FieldErrors {
	e := problem.From(err)
	names := map[string]string{"name": "The name", "title": "The title", "preset": "The kind", "base": "The address", "auth": "How it is shown its key", "headers": "Headers", "models": "Prices"}
	field, ok := e.Field, true
	if _, ok = names[field]; !ok {
		field = "name"
	}
	return web.FieldErrors{{Field: "p-" + field, Text: names[field] + ": " + strings.TrimSuffix(e.Detail, ".") + "."}}
}
