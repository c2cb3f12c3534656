package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"text/tabwriter"
	"time"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a bearer of the owner and print it once. The broker may be running."`
	List   tokenListCmd   `cmd:"" help:"List the owner's bearers, those of command lines too: never the bearers themselves."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a bearer of the owner now."`
}

type tokenListCmd struct{ remote }

// Run prints a line for each bearer.
func (c *tokenListCmd) Run(ctx context.Context) error {
	a, err := c.asOwner(ctx, "aipassport token list")
	if err != nil {
		return err
	}
	var list []struct {
		ID, Label            string
		CreatedAt, ExpiresAt time.Time
	}
	if err := a.ask(ctx, "GET", "/owner-tokens", nil, &list); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tLABEL\tMADE\tENDS")
	for _, t := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.ID, t.Label, moment(t.CreatedAt), moment(t.ExpiresAt))
	}
	return w.Flush()
}

type tokenRevokeCmd struct {
	remote
	ID string `arg:"" help:"Id of the bearer, as token list shows it."`
}

// Run returns when the bearer is worth nothing.
func (c *tokenRevokeCmd) Run(ctx context.Context) error {
	a, err := c.asOwner(ctx, "aipassport token revoke")
	if err != nil {
		return err
	}
	return a.ask(ctx, "POST", "/owner-tokens/"+url.PathEscape(c.ID)+"/revoke", nil, &struct{}{})
}

type tokenCreateCmd struct {
	Data        string        `env:"AIPASSPORT_DATA" placeholder:"DIR" help:"Data directory of the broker (default: the user's data directory for aipassport)."`
	DatabaseURL string        `env:"AIPASSPORT_DATABASE_URL" placeholder:"URL" help:"Database of the broker, if it keeps its state in Postgres."`
	Label       string        `required:"" placeholder:"TEXT" help:"What it is for."`
	For         time.Duration `default:"720h" help:"How long it works; at most a year."`
}

// Run writes straight to the database: whoever can do that owns the broker anyway.
func (c *tokenCreateCmd) Run(ctx context.Context) error {
	if c.For <= 0 || c.For > 366*24*time.Hour {
		return fmt.Errorf("--for: %s is not between 0 and a year", c.For)
	}
	text, err := makeOwnerToken(ctx, c.Data, c.DatabaseURL, c.Label, c.For)
	if err == nil {
		fmt.Println(text)
	}
	return err
}

// makeOwnerToken makes a bearer of the owner in the broker's database.
func makeOwnerToken(ctx context.Context, dataDir, databaseURL, label string, life time.Duration) (string, error) {
	id, done, err := directly(ctx, dataDir, databaseURL, "http://localhost")
	if err != nil {
		return "", err
	}
	defer done()
	text, err := id.NewOwnerToken(ctx, label, now().Add(life), "operator")
	if err != nil {
		return "", err
	}
	return text.Reveal(), nil
}
