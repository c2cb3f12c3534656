package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Read answers GET /oauth/register/{client} (RFC 7592 §2.1). The secret is not in it: only its hash is kept.
func (c *Clients) Read(w http.ResponseWriter, r *http.Request) {
	found, token, err := c.manages(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, c.inform(found, "", token))
}

// Replace answers PUT /oauth/register/{client} (RFC 7592 §2.2).
func (c *Clients) Replace(w http.ResponseWriter, r *http.Request) {
	found, token, err := c.manages(w, r)
	var in information
	if err == nil {
		in, err = c.replace(w, r, found, token)
	}
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, in)
}

// replace changes all of a client at once: what is left out is taken away. A client that begins to use a secret gets one; one that
// goes on with its secret keeps it.
func (c *Clients) replace(w http.ResponseWriter, r *http.Request, was passport.Client, token string) (information, error) {
	o, err := readMetadata(w, r)
	if err != nil {
		return information{}, err
	}
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if o.Has(name) {
			return information{}, wire.Bad(wire.InvalidRequest, "%s: must not be sent back", name)
		}
	}
	if id, ok := o.OptString("client_id"); !ok || id != string(was.ID) {
		return information{}, wire.Bad(wire.InvalidRequest, "client_id: must be the client's own")
	}
	if o.Has("client_secret") {
		if secret, ok := o.OptString("client_secret"); !ok || !sameSecret(secret, was.SecretHash) {
			return information{}, wire.Bad(wire.InvalidRequest, "client_secret: must be the client's own, or left out")
		}
	}
	next := passport.Client{ID: was.ID, Kind: was.Kind, SecretHash: was.SecretHash, ManageHash: was.ManageHash, CreatedAt: was.CreatedAt, UsedAt: was.UsedAt}
	if next, err = metadata(o, next, passport.ClientBasic); err != nil {
		return information{}, err
	}
	secret := ""
	if next.Auth != was.Auth {
		secret = newSecret(&next)
	}
	if err := checked(next, wantsRedirects(o)); err != nil {
		return information{}, err
	}
	if err := c.cfg.Store.ChangeClient(r.Context(), next, c.event(passport.ClientChanged, "client:"+string(next.ID), noteOf(next))); err != nil {
		return information{}, err
	}
	return c.inform(next, secret, token), nil
}

// Delete answers DELETE /oauth/register/{client} (RFC 7592 §2.3). What the client was granted ends with it.
func (c *Clients) Delete(w http.ResponseWriter, r *http.Request) {
	found, _, err := c.manages(w, r)
	if err == nil {
		err = c.remove(r.Context(), found.ID, passport.ClientRegistered, "client:"+string(found.ID))
	}
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// manages finds the client whose registration access token a request has. A client that is not there and a token that is not its own are
// told in the same words (RFC 7592 §2.1).
func (c *Clients) manages(w http.ResponseWriter, r *http.Request) (passport.Client, string, error) {
	id := passport.ClientID(r.PathValue("client"))
	values := r.Header.Values("Authorization")
	scheme, token := "", ""
	if len(values) == 1 {
		scheme, token, _ = strings.Cut(values[0], " ")
	}
	var found passport.Client
	var err error
	if len(id) <= passport.MaxClientID {
		found, err = c.cfg.Store.Client(r.Context(), id)
	}
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return passport.Client{}, "", err
	}
	if sameSecret(token, found.ManageHash) && strings.EqualFold(scheme, "Bearer") && found.Kind == passport.ClientRegistered {
		return found, token, nil
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	if wait := c.guesses.Allow(flood.Network(c.cfg.ClientAddr(r)).String() + " manage"); wait > 0 {
		return passport.Client{}, "", problem.New(problem.RateExceeded, "too many wrong registration access tokens from this address").After(wait)
	}
	return passport.Client{}, "", wire.Bad(wire.InvalidToken, "there is no such client, or this is not its registration access token")
}

// remove ends the grants of a client, removes it, and ends those that came in between: after a crash, or an error, all of it can be done
// again. A client that is not there cannot get or refresh a token.
func (c *Clients) remove(ctx context.Context, id passport.ClientID, kind passport.ClientKind, actor string) error {
	if err := c.endGrants(ctx, id, actor); err != nil {
		return err
	}
	if err := c.cfg.Store.RemoveClient(ctx, id, kind, c.event(passport.ClientRemoved, actor, string(id))); err != nil {
		return err
	}
	return c.endGrants(ctx, id, actor)
}

// endGrants revokes all grants of a client that could still be used or answered.
func (c *Clients) endGrants(ctx context.Context, id passport.ClientID, actor string) error {
	for {
		list, err := c.cfg.Lists.GrantsOfClient(ctx, id, maxGrantsAtOnce)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, g := range list {
			if _, _, err := c.cfg.Grants.Revoke(ctx, g, actor); err != nil && problem.KindOf(err) != problem.NotFound {
				return fmt.Errorf("end a grant of client %s: %w", id, err)
			}
		}
	}
}
