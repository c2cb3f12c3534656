package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// clientJSON is an app that the owner registered, in the owner's REST API. The secret is in the answer that made it, and nowhere else.
type clientJSON struct {
	ID           passport.ClientID   `json:"clientId"`
	Secret       string              `json:"clientSecret,omitempty"`
	Name         string              `json:"name"`
	URL          string              `json:"url,omitempty"`
	RedirectURIs []string            `json:"redirectUris"`
	Auth         passport.ClientAuth `json:"auth"`
	JWKS         json.RawMessage     `json:"jwks,omitempty"`
	JWKSURI      string              `json:"jwksUri,omitempty"`
	DPoP         bool                `json:"dpop"`
	CreatedAt    string              `json:"createdAt"`
	LastUsedAt   string              `json:"lastUsedAt,omitempty"` // a day
}

func viewOf(c passport.Client, secret string) clientJSON {
	v := clientJSON{ID: c.ID, Secret: secret, Name: c.Name, URL: c.URI, RedirectURIs: append([]string{}, c.RedirectURIs...), Auth: c.Auth, JWKSURI: c.JWKSURI, DPoP: c.DPoP,
		CreatedAt: c.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")}
	if c.JWKS != "" {
		v.JWKS = json.RawMessage(c.JWKS)
	}
	if !c.UsedAt.IsZero() {
		v.LastUsedAt = c.UsedAt.UTC().Format(time.DateOnly)
	}
	return v
}

// restNames are RFC 7591's names in the words of the REST API.
var restNames = map[string]string{"client_name": "name", "client_uri": "url", "redirect_uris": "redirectUris", "token_endpoint_auth_method": "auth", "jwks": "jwks",
	"jwks_uri": "jwksUri", "client_id": "clientId"}

// API are the owner's handlers by pattern. Where a page has the same pattern, these are for programs.
func (c *Clients) API() map[string]http.HandlerFunc {
	type act = func(r *http.Request, actor string) (any, error)
	do := func(status int, step act) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			who, err := c.cfg.Owner.Who(r)
			if err == nil && !who.May(passport.RunServer) {
				err = problem.New(problem.NotFound, "there is nothing at this address")
			}
			var out any
			if err == nil {
				r.Body = http.MaxBytesReader(w, r.Body, maxRegistration)
				out, err = step(r, "owner:"+string(who.ID))
			}
			if err != nil {
				record.From(r.Context()).Err = err
				if problem.KindOf(err) == problem.Unauthenticated {
					w.Header().Set("WWW-Authenticate", "Bearer")
				}
				respond.Error(w, err)
				return
			}
			respond.JSON(w, status, out)
		}
	}
	return map[string]http.HandlerFunc{
		"GET /clients":              do(http.StatusOK, c.list),
		"POST /clients":             do(http.StatusCreated, c.add),
		"GET /clients/{id}":         do(http.StatusOK, c.readOne),
		"POST /clients/{id}":        do(http.StatusOK, c.changeOne),
		"POST /clients/{id}/secret": do(http.StatusOK, c.rotate),
		"POST /clients/{id}/remove": do(http.StatusOK, c.removeOne),
	}
}

func (c *Clients) list(r *http.Request, _ string) (any, error) {
	list, err := c.Owned(r.Context())
	out := make([]clientJSON, len(list))
	for i, found := range list {
		out[i] = viewOf(found, "")
	}
	return out, err
}

func (c *Clients) add(r *http.Request, actor string) (any, error) {
	o, ask, err := ownedBody(r)
	if err != nil {
		return nil, err
	}
	found, secret, err := c.AddOwned(r.Context(), ask, actor)
	return viewOf(found, secret), inBody(o, err)
}

func (c *Clients) readOne(r *http.Request, _ string) (any, error) {
	found, err := c.OwnedClient(r.Context(), passport.ClientID(r.PathValue("id")))
	return viewOf(found, ""), err
}

func (c *Clients) changeOne(r *http.Request, actor string) (any, error) {
	o, ask, err := ownedBody(r)
	if err != nil {
		return nil, err
	}
	found, err := c.ChangeOwned(r.Context(), passport.ClientID(r.PathValue("id")), ask, actor)
	return viewOf(found, ""), inBody(o, err)
}

func (c *Clients) rotate(r *http.Request, actor string) (any, error) {
	id := passport.ClientID(r.PathValue("id"))
	secret, err := c.NewSecret(r.Context(), id, actor)
	return map[string]any{"clientId": id, "clientSecret": secret}, err
}

func (c *Clients) removeOne(r *http.Request, actor string) (any, error) {
	id := passport.ClientID(r.PathValue("id"))
	return map[string]any{"clientId": id, "removed": true}, c.RemoveOwned(r.Context(), id, actor)
}

// ownedBody reads what the owner says of an app. A method that is left out is none: a public client.
func ownedBody(r *http.Request) (*fields.Object, passport.Client, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, passport.Client{}, problem.New(problem.UnsupportedMedia, "the body must be application/json")
	}
	body, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, passport.Client{}, problem.New(problem.TooLarge, "the body has more than %d bytes", maxRegistration)
	}
	if err != nil {
		return nil, passport.Client{}, problem.Wrap(err, problem.Invalid, "the body broke off")
	}
	members := []string{"name", "url", "redirectUris", "auth", "jwks", "jwksUri", "dpop"}
	o, err := fields.Read(body, members...)
	if err != nil {
		return nil, passport.Client{}, err
	}
	for _, name := range o.Unknown(members...) {
		o.Fail(name, "Unknown member")
	}
	ask := passport.Client{Name: o.String("name", 1), Auth: passport.PublicClient}
	ask.URI, _ = o.OptString("url")
	ask.JWKSURI, _ = o.OptString("jwksUri")
	ask.DPoP, _ = o.OptBool("dpop")
	if text, ok := o.OptString("auth"); ok {
		ask.Auth = passport.ClientAuth(text)
	}
	if o.Has("redirectUris") {
		ask.RedirectURIs = o.Strings("redirectUris")
	}
	if o.Has("jwks") {
		ask.JWKS = string(o.Raw("jwks"))
	}
	return o, ask, o.Err()
}

// inBody puts what is wrong with a client at the member of the body.
func inBody(o *fields.Object, err error) error {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Kind != problem.Invalid || restNames[p.Field] == "" {
		return err
	}
	o.Fail(restNames[p.Field], "%s", p.Detail)
	return o.Err()
}
