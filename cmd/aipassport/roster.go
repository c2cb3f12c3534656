package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/roster"
	"github.com/devrelopers/aipassport/passport"
)

// stalePrices is how many days after the day of the built-in prices it is said that they are old.
const stalePrices = 90

// openRoster reads the prices and the added providers. From here on the prices follow the providers.
func (b *broker) openRoster(ctx context.Context) error {
	tariff, err := meter.LoadTariff()
	if err != nil {
		return fmt.Errorf("prices: %w", err)
	}
	if b.cfg.sandbox {
		tariff = sandboxTariff(tariff)
	}
	if base := b.cfg.bases[passport.OpenAI]; base != nil { // the demo has none
		tariff = tariff.AtHost(passport.OpenAI, base.Hostname())
	}
	b.prices = meter.NewBook(tariff)
	if age := int(now().Sub(tariff.AsOf()) / (24 * time.Hour)); age > stalePrices {
		b.log.Warn("the built-in prices are old; providers may charge more by now: install a newer version", "of", tariff.AsOf().Format(time.DateOnly), "days", age)
	}
	b.roster, err = roster.New(ctx, roster.Config{Store: b.store, File: b.cfg.added, Own: b.own, Now: now, NewID: newID, Keys: b.reloadKeys, OnChange: b.prices.Added})
	if err != nil {
		return fmt.Errorf("AIPASSPORT_PROVIDERS_FILE: %w", err)
	}
	for _, e := range b.roster.List() {
		b.log.Info("provider", "name", string(e.Name), "host", e.URL.Host, "of_file", e.FromFile, "priced_by_owner", len(e.Tariffs))
	}
	return nil
}

// reloadKeys takes over which provider keys there are. At the start the vault comes after the roster, and reads them anew.
func (b *broker) reloadKeys(ctx context.Context) error {
	if b.vault == nil {
		return nil
	}
	return b.vault.Reload(ctx)
}

// own says that an address is this broker.
func (b *broker) own(u *url.URL) error {
	if isOwn(u, b.public, b.listener.Addr()) {
		return errors.New("it is the address of this broker")
	}
	return nil
}

// providers lists the names that a grant request may have.
func (b *broker) providers() []passport.Provider {
	list := slices.Clone(passport.Providers)
	if b.cfg.sandbox {
		list = append(list, passport.Sandbox)
	}
	for _, e := range b.roster.List() {
		list = append(list, e.Name)
	}
	return list
}

// keyless says that a provider needs no key.
func (b *broker) keyless(p passport.Provider) bool {
	e, ok := b.roster.Find(p)
	return ok && e.Auth == passport.AuthNone
}

// placeOf is where an added provider is.
func (b *broker) placeOf(p passport.Provider) (upstream.Place, bool) {
	e, ok := b.roster.Find(p)
	return upstream.Place{Base: e.URL, Local: e.Local, Auth: e.Auth, Headers: e.Headers}, ok
}

// compatible is the dialect of an added provider; nil: there is none of this name now.
func (b *broker) compatible(p passport.Provider) dialect.Dialect {
	if p == passport.Sandbox && b.cfg.sandbox {
		return b.gateway.OpenAI
	}
	e, ok := b.roster.Find(p)
	info, known := e.Preset.Info()
	if !ok || !known {
		return nil
	}
	return openai.NewOther(openai.Other{Quirks: info.Quirks, Price: func(model string) (passport.Price, passport.Price, bool) {
		price, ok := b.prices.Price(p, model)
		return price.Input, price.Output, ok
	}})
}

// titleOf is what a provider is called on a page.
func (b *broker) titleOf(p passport.Provider) string {
	title, _ := b.hostOf(p)
	return title
}

// hostOf is that, and where an added provider is.
func (b *broker) hostOf(p passport.Provider) (title, host string) {
	e, ok := b.roster.Find(p)
	if !ok {
		return p.Title(), ""
	}
	return e.Title, e.URL.Host
}

// takesKey says whether the owner can put a key in for a provider. Those of the file have theirs in the environment: a key must not go
// to another host when the file is changed.
func (b *broker) takesKey(p passport.Provider) bool {
	e, ok := b.roster.Find(p)
	return slices.Contains(passport.Providers, p) || ok && !e.FromFile && e.Auth != passport.AuthNone
}
