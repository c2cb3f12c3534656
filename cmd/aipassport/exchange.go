package main

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxExchanges is how often one grant is passed on a minute, together with all below it.
const maxExchanges = 60

// exchange is the grant type that passes a grant on, narrower.
func (b *broker) exchange() *oauth.Exchange {
	return &oauth.Exchange{Tokens: subjects{b.tokens}, Grants: b.control, Public: b.public.String(), Resources: gateway.Resources, Now: now,
		Flood: &flood.Limit{PerMinute: maxExchanges, Now: now}}
}

// subjects are tokens that are exchanged. Who exchanges one that is bound to a key has proved that key at the token endpoint.
type subjects struct{ *token.Service }

// Subject implements oauth.ExchangeTokens.
func (s subjects) Subject(ctx context.Context, access string) (passport.Grant, time.Time, string, error) {
	p, standing, err := s.Look(ctx, access)
	if err != nil {
		return passport.Grant{}, time.Time{}, "", err
	}
	if p.Key {
		return passport.Grant{}, time.Time{}, "", problem.New(problem.Unauthenticated, "an SDK key is no access token")
	}
	return standing.Grant, p.ExpiresAt, p.Confirm, nil
}
