package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/authority/keys"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/webhook"
)

// prices shows the tariff to the consent page.
type prices struct{ t meter.Prices }

func (p prices) Models(of passport.Provider) (out []consent.ModelInfo) {
	at := now()
	for _, m := range p.t.Models(of, passport.KindChat) {
		out = append(out, consent.ModelInfo{Name: m.Model, ShortChat: m.At(at).ShortChat()})
	}
	return out
}

func (b *broker) openPages() (err error) {
	b.consent, err = consent.New(consent.Config{
		Pages: b.pages, People: b.identity, Grants: func(p passport.Payer) consent.Grants { return b.control.Of(p) }, Prices: prices{b.prices}, Limits: ownerDefaults, FreshAbove: b.cfg.freshAbove, Now: now, Doors: doors{b.oauth, b.openRouter},
		Known: b.knownDomains, PaidWith: b.paidWith, Place: b.hostOf, Devices: askers{b.device},
	})
	if err != nil {
		return fmt.Errorf("consent page: %w", err)
	}
	holder := "broker" // one at a time: the data directory is locked
	if b.cfg.place().inPostgres() {
		holder = newID()
	}
	b.webhook, err = webhook.New(webhook.Config{
		Store: b.store, Box: b.box, Now: now, NewID: newID, Holder: holder, Random: chance, Log: b.log, PublicURL: b.public.String(),
		Plain: loopback(b.public.Hostname()), Allow: b.cfg.webhookAllow, UserAgent: "aipassport/" + version})
	if err != nil {
		return err
	}
	if b.keys, err = keys.New(keys.Config{Vault: b.vault, TakesKey: b.takesKey, Try: b.tryKey, Titles: b.titleOf, Limits: b.control, Owner: b.identity, Now: now}); err != nil {
		return fmt.Errorf("provider keys: %w", err)
	}
	b.admin, err = admin.New(admin.Config{
		Pages: b.pages, People: b.identity, Grants: func(p passport.Payer) admin.Grants { return b.control.Of(p) }, StopAll: b.control, History: b.store, Notices: b.store, Keys: b.keys, KeyMaker: b.tokens, Bearers: b.identity, Passkeys: b.identity, Sessions: b.identity, Identities: b.identity, Members: b.identity, Invites: b.identity,
		Ceilings: b.control, Webhook: b.webhook, Clients: b.clients, Providers: b.providers, Titles: b.titleOf, TakesKey: b.takesKey, Roster: b.roster, Discover: b.discover, Live: b.board.Live, Now: now,
		Stopping: b.stopping, Elsewhere: b.liveElsewhere(),
	})
	if err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	return nil
}

// chance is a number from 0 to n-1.
func chance(n int64) int64 {
	c, err := rand.Int(rand.Reader, big.NewInt(max(n, 1)))
	if err != nil {
		return 0 // never (crypto/rand)
	}
	return c.Int64()
}

// mostKnown bounds how many grants are looked at for the known apps: more than store.MaxPending, so that a flood of requests
// does not hide them.
const mostKnown = 2000

// knownDomains are the registrable domains of a person's apps that have access now, for telling look-alikes of them.
func (b *broker) knownDomains(ctx context.Context, of passport.Payer) (out []string) {
	const batch = 200
	var before time.Time
	for range mostKnown / batch {
		list, err := b.control.Standings(ctx, of, before, batch)
		if err != nil {
			b.log.Error("read the known apps", "error", err.Error())
			return out
		}
		for _, s := range list {
			before = s.Grant.CreatedAt
			at, ok := names.Where(s.Grant.Site, s.Grant.AppURL)
			if !ok || s.Grant.State != passport.GrantActive {
				continue
			}
			if d, err := publicsuffix.EffectiveTLDPlusOne(at.Host); err == nil && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
		if len(list) < batch {
			break
		}
	}
	return out
}

// paidWith is the label of a person's key that would be lent.
func (b *broker) paidWith(ctx context.Context, of passport.Payer, p passport.Provider) (string, bool) {
	list, err := b.vault.List(ctx, of)
	if err != nil {
		return "", false
	}
	for _, e := range list {
		if e.Credential.Provider == p && e.Used {
			if e.FromEnv {
				return "from the environment", true
			}
			return e.Credential.Label, true
		}
	}
	if b.keyless(p) {
		return "no key: " + b.titleOf(p) + " needs none", true
	}
	return "", false
}

// notFound is the page for browsers that ask for what is not there.
func (b *broker) notFound(w http.ResponseWriter, r *http.Request) {
	v, _ := b.identity.Visitor(r)
	b.pages.Error(w, r, v, problem.New(problem.NotFound, "There is no page at this address."))
}
