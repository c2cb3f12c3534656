package main

import (
	"context"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// discover asks a provider for its models with a person's key that is lent for that.
func (b *broker) discover(ctx context.Context, of passport.Payer, p passport.Provider) ([]authority.Found, error) {
	var list []upstream.Listed
	id, _ := b.vault.Pick(of, p)
	err := b.vault.Lend(ctx, of, p, id, func(key secret.Text) (err error) {
		list, err = b.upstream.Models(ctx, p, key)
		return err
	})
	return b.found(p, list), err
}

// tryKey shows a key to its provider, and says which models it reaches.
func (b *broker) tryKey(ctx context.Context, p passport.Provider, key secret.Text) ([]authority.Found, error) {
	list, err := b.upstream.Try(ctx, p, key)
	return b.found(p, list), err
}

// found tells of which models the price is known.
func (b *broker) found(p passport.Provider, list []upstream.Listed) (out []authority.Found) {
	for _, l := range list {
		f := authority.Found{Model: l.Model}
		_, f.Priced = b.prices.Price(p, l.Model)
		in, said := l.Input.Get()
		if !f.Priced && said {
			f.Propose = admin.TariffLine(passport.ModelTariff{Model: l.Model, Kind: passport.KindChat, Input: passport.Price(in),
				Output: passport.Price(l.Output.Or(0)), Context: l.Context, MaxOutput: l.MaxOutput})
		}
		out = append(out, f)
	}
	return out
}
