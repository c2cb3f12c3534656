package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Clients are the apps that the owner registered; authority/client keeps them.
type Clients interface {
	// Owned lists them, newest first.
	Owned(ctx context.Context) ([]passport.Client, error)
	// OwnedClient returns one. Error: NotFound.
	OwnedClient(ctx context.Context, id passport.ClientID) (passport.Client, error)
	// AddOwned registers one, and returns its secret where it has one. Errors: Invalid with the field (RFC 7591's name); Conflict.
	AddOwned(ctx context.Context, ask passport.Client, actor string) (passport.Client, string, error)
	// NewSecret replaces its secret. Errors: NotFound; Conflict if it has none.
	NewSecret(ctx context.Context, id passport.ClientID, actor string) (string, error)
	// RemoveOwned removes one, and ends what it was given. Error: NotFound.
	RemoveOwned(ctx context.Context, id passport.ClientID, actor string) error
}

// clientsView is the page of apps that the owner registered.
type clientsView struct {
	List              []clientView
	Secret, SecretOf  string // shown once, right after it was made
	Name, To, JWKS    string // what stands in the fields
	Auths             []option
	Errors            web.FieldErrors
	MaxName, MaxField int
}

type clientView struct {
	ID, Name, Auth, Path string
	To                   []string
	Made, Used           time.Time
	HasSecret            bool
}

// authWords say how an app proves itself.
var authWords = []struct {
	auth passport.ClientAuth
	text string
}{
	{passport.PublicClient, "Nothing: it runs where a secret would not stay one"},
	{passport.ClientBasic, "A secret, made here"},
	{passport.ClientPrivateKey, "A key of its own (private_key_jwt)"},
}

func clientPath(id passport.ClientID) string { return "/clients/" + url.PathEscape(string(id)) }

// ClientsPage answers GET /clients in a browser.
func (a *Admin) ClientsPage(w http.ResponseWriter, r *http.Request) {
	if v, ok := a.look(w, r); ok {
		a.showClients(w, r, v, clientsView{}, passport.PublicClient)
	}
}

func (a *Admin) showClients(w http.ResponseWriter, r *http.Request, v web.Visitor, d clientsView, chosen passport.ClientAuth) {
	list, err := a.cfg.Clients.Owned(r.Context())
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	d.MaxName, d.MaxField = passport.MaxClientName, passport.MaxJWKS
	for _, x := range authWords {
		d.Auths = append(d.Auths, option{string(x.auth), x.text, x.auth == chosen})
	}
	for _, c := range list {
		cv := clientView{ID: string(c.ID), Name: c.Name, Path: clientPath(c.ID), To: c.RedirectURIs, Made: c.CreatedAt, Used: c.UsedAt, HasSecret: c.Auth == passport.ClientBasic}
		for _, x := range authWords {
			if x.auth == c.Auth {
				cv.Auth = x.text
			}
		}
		d.List = append(d.List, cv)
	}
	title, status := "Apps you registered", http.StatusOK
	if len(d.Errors) > 0 {
		title, status = "There is a problem: apps you registered", http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "clients", web.Page{Title: title, Nav: "Settings", Visitor: v, D: d})
}

// AddClient answers POST /clients: the page, with the secret on it, if there is one. It is in this answer and nowhere else.
func (a *Admin) AddClient(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	d := clientsView{Name: r.PostForm.Get("name"), To: r.PostForm.Get("to"), JWKS: r.PostForm.Get("jwks")}
	ask := passport.Client{Name: d.Name, Auth: passport.ClientAuth(r.PostForm.Get("auth")), RedirectURIs: strings.Fields(d.To)}
	if ask.Auth == passport.ClientPrivateKey {
		ask.JWKS = strings.TrimSpace(d.JWKS)
		if strings.HasPrefix(ask.JWKS, "https://") {
			ask.JWKS, ask.JWKSURI = "", ask.JWKS
		}
	}
	made, secret, err := a.cfg.Clients.AddOwned(r.Context(), ask, actor(v))
	switch p := problem.From(err); {
	case err == nil:
		a.showClients(w, r, v, clientsView{Secret: secret, SecretOf: made.Name}, passport.PublicClient)
	case p.Kind == problem.Invalid || p.Kind == problem.Conflict:
		d.Errors = web.FieldErrors{clientError(p)}
		a.showClients(w, r, v, d, ask.Auth)
	default:
		a.cfg.Pages.Error(w, r, v, err)
	}
}

// clientError puts what is wrong at its field on the page.
func clientError(p *problem.Error) web.FieldError {
	for _, f := range []struct{ from, to, words string }{
		{"redirect_uris", "to", "Where it sends you back: "}, {"jwks", "jwks", "Its keys: "}, {"jwks_uri", "jwks", "Its keys: "},
		{"token_endpoint_auth_method", "auth", "How it proves itself: "}, {"client_name", "name", "Your name for it: "},
	} {
		if p.Field == f.from {
			return web.FieldError{Field: f.to, Text: f.words + p.Detail + "."}
		}
	}
	return web.FieldError{Field: "name", Text: strings.ToUpper(p.Detail[:1]) + p.Detail[1:] + "."}
}

// ClientSecret answers POST /clients/{id}/secret: the page, with the new secret.
func (a *Admin) ClientSecret(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	id := passport.ClientID(r.PathValue("id"))
	c, err := a.cfg.Clients.OwnedClient(r.Context(), id)
	secret := ""
	if err == nil {
		secret, err = a.cfg.Clients.NewSecret(r.Context(), id, actor(v))
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.showClients(w, r, v, clientsView{Secret: secret, SecretOf: c.Name}, passport.PublicClient)
}

// AskRemoveClient answers GET /clients/{id}/remove.
func (a *Admin) AskRemoveClient(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	c, err := a.cfg.Clients.OwnedClient(r.Context(), passport.ClientID(r.PathValue("id")))
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.render(w, r, http.StatusOK, "confirm", web.Page{Title: "Remove an app?", Nav: "Settings", Visitor: v, D: question{
		Title: "Remove this app?", Text: "All access that you gave it ends at once, with its running calls, and it cannot ask again. This can't be undone.",
		Hint: "It is the one that you called " + c.Name + ".", Yes: "Remove the app", No: "Keep it", Class: "bad fill", Action: clientPath(c.ID) + "/remove", Back: "/clients"}})
}

// RemoveClient answers POST /clients/{id}/remove.
func (a *Admin) RemoveClient(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if err := a.cfg.Clients.RemoveOwned(r.Context(), passport.ClientID(r.PathValue("id")), actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "client-removed", 0)
	a.cfg.Pages.Redirect(w, r, "/clients")
}
