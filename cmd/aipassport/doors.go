package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/authority/device"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/authority/openrouter"
	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/server"
)

// openDoors wires the doors besides the authorization server's own: devices, and apps made for OpenRouter.
func (b *broker) openDoors() (err error) {
	b.device, err = device.New(device.Config{
		Clients: b.clients, Proofs: proofs{b.tokens, b.clientAddr}, Control: b.control, Codes: b.store, Shown: b.store, Pages: b.pages, People: b.identity, Give: b.giveDevice,
		Providers: b.providers, PublicURL: b.public.String(), Resources: gateway.Resources, ClientAddr: b.clientAddr, Now: now})
	if err != nil {
		return fmt.Errorf("device flow: %w", err)
	}
	b.openRouter, err = openrouter.New(openrouter.Config{
		Control: b.control, Keys: b.tokens, Store: b.store, Pages: b.pages, People: b.identity, Offered: b.offered, Registered: b.registered,
		ClientAddr: b.clientAddr, Now: now})
	if err != nil {
		return fmt.Errorf("door in OpenRouter's shape: %w", err)
	}
	return nil
}

// giveDevice makes the tokens of a device's grant. The server is wired after its doors.
func (b *broker) giveDevice(ctx context.Context, g passport.Grant, c wire.Call) (wire.Answer, error) {
	return b.oauth.First(ctx, g, c)
}

// offered are the providers that somebody's call can go to now, in the order in which all are listed: who will answer is not known yet.
func (b *broker) offered(context.Context) (out []passport.Provider, err error) {
	for _, p := range b.providers() {
		if (b.vault.HasAny(p) || b.keyless(p)) && len(b.prices.Models(p, passport.KindChat)) > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}

// registered says whether the owner has registered an app that is sent back to just this address.
func (b *broker) registered(ctx context.Context, callback string) bool {
	list, err := b.store.Clients(ctx, passport.ClientOwned, passport.MaxOwnedClients)
	if err != nil {
		b.log.Error("read the owner's clients", "error", err.Error())
		return false // it reads as not checked
	}
	return slices.ContainsFunc(list, func(c passport.Client) bool { return c.Redirects(callback) })
}

// doorRoutes are what apps call at these doors.
func (b *broker) doorRoutes() []server.Route {
	return []server.Route{
		{Pattern: "POST /oauth/device_authorization", Auth: server.Client, CORS: true, Handler: proofs{b.tokens, b.clientAddr}.withNonce(b.device.Authorize)},
		{Pattern: "GET /auth", Auth: server.Public, Handler: b.openRouter.Ask},
		{Pattern: "GET /auth/return/{id}", Auth: server.Owner, Handler: b.openRouter.Return},
		{Pattern: "POST /api/v1/auth/keys", Auth: server.Public, CORS: true, Handler: b.openRouter.Key},
	}
}

// doors are all that lead a person back to an app.
type doors []consent.Doors

// Mine asks each: the one that a grant came by decides, the others do not mind.
func (ds doors) Mine(r *http.Request, g passport.Grant) error {
	for _, d := range ds {
		if err := d.Mine(r, g); err != nil {
			return err
		}
	}
	return nil
}

// Answer is that of the door that a grant came by.
func (ds doors) Answer(r *http.Request, g passport.Grant) (next string, link, ok bool) {
	for _, d := range ds {
		if next, link, ok = d.Answer(r, g); ok {
			return next, link, true
		}
	}
	return "", false, false
}

// askers shows the consent page which requests devices wait for.
type askers struct{ d *device.Device }

func (a askers) Waiting(r *http.Request, g passport.GrantID) (*consent.Device, error) {
	at, err := a.d.Asker(r, g)
	if at == nil || err != nil {
		return nil, err
	}
	return &consent.Device{Code: at.Code, From: at.From, SameNetwork: at.SameNetwork, Asked: at.Asked, Ends: at.Ends}, nil
}
