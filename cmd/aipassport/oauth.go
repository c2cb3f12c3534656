package main

import (
	"fmt"
	"net/http"

	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

// openOAuth wires the authorization server.
func (b *broker) openOAuth() (err error) {
	b.oauth, err = oauth.New(oauth.Config{Clients: noClients{}, Now: now})
	if err != nil {
		return fmt.Errorf("authorization server: %w", err)
	}
	return nil
}

// noClients knows no client.
type noClients struct{}

func (noClients) Authenticate(*http.Request, wire.Form) (passport.Client, error) {
	return passport.Client{}, wire.Bad(wire.InvalidClient, "client_id: there is no such client")
}
