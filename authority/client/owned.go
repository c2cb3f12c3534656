package client

import (
	"context"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Owned lists the apps that the owner registered, newest first.
func (c *Clients) Owned(ctx context.Context) ([]passport.Client, error) {
	return c.cfg.Lists.Clients(ctx, passport.ClientOwned, maxListed)
}

// OwnedClient returns one of them. Error: NotFound.
func (c *Clients) OwnedClient(ctx context.Context, id passport.ClientID) (passport.Client, error) {
	found, err := c.Client(ctx, id)
	if err == nil && found.Kind != passport.ClientOwned {
		err = problem.New(problem.NotFound, "there is no such app")
	}
	return found, err
}

// AddOwned registers an app of the owner's. Of ask, its name, URIs, method, keys and DPoP count. It returns the secret, where the method
// needs one: it is shown once. Errors: Invalid with the field; Conflict if there are too many.
func (c *Clients) AddOwned(ctx context.Context, ask passport.Client, actor string) (passport.Client, string, error) {
	found, err := c.ownedOf(ask, passport.Client{ID: passport.ClientID(idPrefix + random(idBytes)), CreatedAt: c.cfg.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		return passport.Client{}, "", err
	}
	secret := newSecret(&found)
	if err := checkOwned(found); err != nil {
		return passport.Client{}, "", err
	}
	return found, secret, c.cfg.Store.AddClient(ctx, found, c.event(passport.ClientAdded, actor, noteOf(found)))
}

// ChangeOwned changes an app of the owner's; its method and secret stay. Errors: NotFound; Invalid with the field.
func (c *Clients) ChangeOwned(ctx context.Context, id passport.ClientID, ask passport.Client, actor string) (passport.Client, error) {
	was, err := c.OwnedClient(ctx, id)
	if err != nil {
		return passport.Client{}, err
	}
	ask.Auth = was.Auth
	found, err := c.ownedOf(ask, was)
	if err == nil {
		err = checkOwned(found)
	}
	if err != nil {
		return passport.Client{}, err
	}
	return found, c.cfg.Store.ChangeClient(ctx, found, c.event(passport.ClientChanged, actor, noteOf(found)))
}

// NewSecret gives an app of the owner's a new secret, which is shown once; the old one ends at once. Errors: NotFound; Conflict if the app
// has no secret.
func (c *Clients) NewSecret(ctx context.Context, id passport.ClientID, actor string) (string, error) {
	found, err := c.OwnedClient(ctx, id)
	if err != nil {
		return "", err
	}
	if found.Auth != passport.ClientBasic {
		return "", problem.New(problem.Conflict, "this app proves itself without a secret")
	}
	secret := newSecret(&found)
	return secret, c.cfg.Store.ChangeClient(ctx, found, c.event(passport.ClientChanged, actor, string(id)+", a new secret"))
}

// RemoveOwned removes an app of the owner's, and ends what it was granted. Error: NotFound.
func (c *Clients) RemoveOwned(ctx context.Context, id passport.ClientID, actor string) error {
	if _, err := c.OwnedClient(ctx, id); err != nil {
		return err
	}
	return c.remove(ctx, id, passport.ClientOwned, actor)
}

// ownedOf puts what the owner says into a client.
func (c *Clients) ownedOf(ask, found passport.Client) (passport.Client, error) {
	found.Kind, found.Name, found.URI, found.RedirectURIs = passport.ClientOwned, strings.TrimSpace(ask.Name), ask.URI, ask.RedirectURIs
	found.Auth, found.JWKS, found.JWKSURI, found.DPoP = ask.Auth, strings.TrimSpace(ask.JWKS), strings.TrimSpace(ask.JWKSURI), ask.DPoP
	if found.JWKS != "" {
		if len(found.JWKS) > passport.MaxJWKS {
			return passport.Client{}, problem.New(problem.Invalid, "is longer than %d bytes", passport.MaxJWKS).In("jwks")
		}
		if _, err := readKeys([]byte(found.JWKS)); err != nil {
			return passport.Client{}, problem.From(err).In("jwks")
		}
	}
	return found, nil
}

// checkOwned wants a name, besides what every client must be.
func checkOwned(found passport.Client) error {
	if found.Name == "" {
		return problem.New(problem.Invalid, "is needed: what you call this app").In("client_name")
	}
	return found.Check()
}
