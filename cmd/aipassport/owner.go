package main

import (
	"context"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/authority/oidc"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/web"
)

type ownerCmd struct {
	Reset ownerResetCmd `cmd:"" help:"Print a link by which the owner sets another password, once and within an hour. The broker may be running."`
}

type ownerResetCmd struct {
	Data        string `env:"AIPASSPORT_DATA" placeholder:"DIR" help:"Data directory of the broker (default: the user's data directory for aipassport)."`
	DatabaseURL string `env:"AIPASSPORT_DATABASE_URL" placeholder:"URL" help:"Database of the broker, if it keeps its state in Postgres."`
	PublicURL   string `env:"AIPASSPORT_PUBLIC_URL" placeholder:"URL" help:"Where the broker is reached (http://localhost:PORT)."`
	Port        string `env:"PORT" default:"3001" help:"Port of the broker, if it has no public URL."`
}

// Run writes straight to the database: whoever can do that owns the broker anyway.
func (c *ownerResetCmd) Run(ctx context.Context) error {
	public, err := parsePublicURL(c.PublicURL)
	if err != nil {
		return fmt.Errorf("AIPASSPORT_PUBLIC_URL: %w", err)
	}
	id, done, err := directly(ctx, c.Data, c.DatabaseURL, config{publicURL: public}.base(c.Port).String())
	if err != nil {
		return err
	}
	defer done()
	link, until, err := id.NewReset(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Open this link once, until %s, to set another password:\n\n  %s\n\nAll browsers that are signed in as the owner are signed out then. Until then nothing changes.\n", until.Format(time.RFC3339), link)
	return nil
}

// issuer is the OpenID provider that the operator has named; nil: there is none.
func (b *broker) issuer() (identity.Issuer, error) {
	if b.cfg.oidcIssuer == "" {
		return nil, nil
	}
	return oidc.New(oidc.Config{Issuer: b.cfg.oidcIssuer, ClientID: b.cfg.oidcClient, Secret: b.cfg.oidcSecret,
		RedirectURL: b.public.JoinPath("login", "oidc", "callback").String(), UserAgent: "aipassport/" + version, Now: now})
}

// directly opens sign-in on the broker's database, beside the broker. What is returned must be called in the end.
func directly(ctx context.Context, dataDir, databaseURL, publicURL string) (*identity.Identity, func(), error) {
	data, _, err := settings{Data: dataDir}.places()
	if err != nil {
		return nil, nil, err
	}
	at := place{databaseURL: secret.New(databaseURL), data: data}
	if err := at.started(); err != nil {
		return nil, nil, err
	}
	s, err := at.open(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	pages, err := web.New(web.Options{PublicURL: publicURL})
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	id, err := identity.New(identity.Config{Store: s, Pages: pages, PublicURL: publicURL, Now: now, NewID: newID})
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return id, func() { s.Close() }, nil
}
