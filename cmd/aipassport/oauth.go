package main

import (
	"fmt"

	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/authority/device"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/authority/status"
	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/passport"
)

// openOAuth wires the authorization server.
func (b *broker) openOAuth() (err error) {
	b.oauth, err = oauth.New(oauth.Config{
		Clients: b.clients, Proofs: proofs{b.tokens, b.clientAddr}, Tokens: b.tokens, People: b.identity, Control: b.control, Store: b.store, MAC: b.box, Pages: b.pages, Now: now, NewID: newID,
		Issuer: b.public.String(), Resources: gateway.Resources, Providers: b.providers, ClientAddr: b.clientAddr, PerMinute: b.cfg.requestsPerMinute,
		GrantTypes: map[string]wire.GrantType{device.GrantType: b.device.Token, oauth.ExchangeType: b.exchange().Token},
	})
	if err != nil {
		return fmt.Errorf("authorization server: %w", err)
	}
	b.status, err = status.New(status.Config{Clients: b.clients, Tokens: b.tokens, Refresh: b.store, Control: b.control, Owner: b.identity, Now: now, Issuer: b.public.String()})
	if err != nil {
		return fmt.Errorf("authorization server: %w", err)
	}
	return nil
}

// metadata is what the server tells of itself; what is mounted is filled in where the routes are listed.
func (b *broker) metadata() status.Metadata {
	return status.Metadata{Issuer: b.public.String(), Resources: gateway.Resources, GrantTypes: b.oauth.GrantTypes(), DPoPAlgs: token.ProofAlgorithms,
		ClientAuth: []passport.ClientAuth{passport.PublicClient, passport.ClientBasic, passport.ClientPrivateKey}, AssertionAlgs: client.Algorithms(), SigningAlgs: b.tokens.AnswerAlgs(), Documents: true}
}
