package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/store/sqlite"
	"github.com/devrelopers/aipassport/web"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a bearer of the owner and print it once. The broker may be running."`
}

type tokenCreateCmd struct {
	Data  string        `env:"AIPASSPORT_DATA" placeholder:"DIR" help:"Data directory of the broker (default: the user's data directory for aipassport)."`
	Label string        `required:"" placeholder:"TEXT" help:"What it is for."`
	For   time.Duration `default:"720h" help:"How long it works; at most a year."`
}

// Run writes straight to the database of this machine: whoever can do that owns the broker anyway.
func (c *tokenCreateCmd) Run(ctx context.Context) error {
	data, _, err := settings{Data: c.Data}.places()
	if err != nil {
		return err
	}
	if c.For <= 0 || c.For > 366*24*time.Hour {
		return fmt.Errorf("--for: %s is not between 0 and a year", c.For)
	}
	if _, err := os.Stat(filepath.Join(data, database)); err != nil {
		return fmt.Errorf("AIPASSPORT_DATA: there is no broker's data in %s (start the broker once, or name its directory)", data)
	}
	s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(data, database)})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer s.Close()
	pages, err := web.New(web.Options{PublicURL: "http://localhost"})
	if err != nil {
		return err
	}
	id, err := identity.New(identity.Config{Store: s, Pages: pages, PublicURL: "http://localhost", Now: now, NewID: newID})
	if err != nil {
		return err
	}
	ends := now().Add(c.For)
	text, err := id.NewOwnerToken(ctx, c.Label, ends, "operator")
	if err != nil {
		return err
	}
	fmt.Println(text.Reveal())
	return nil
}
