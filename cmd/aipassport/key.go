package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"text/tabwriter"
	"time"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a key for the providers' SDKs and print it once."`
	List   keyListCmd   `cmd:"" help:"List the keys of a grant: never the keys themselves."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key now, with its running calls. The grant goes on."`
}

// keyShown is an SDK key as the broker shows it. Key is there once, when it was made.
type keyShown struct {
	ID, Name, Start, Key string
	CreatedAt, ExpiresAt time.Time
	RevokedAt            time.Time
	LastUsedAt           time.Time
}

// asOwner is the broker's REST API, asked as its owner.
func (r remote) asOwner(ctx context.Context, label string) (asks, error) {
	base, err := r.base()
	if err != nil {
		return asks{}, err
	}
	bearer, err := r.owner(ctx, label)
	return asks{base, bearer}, err
}

func keysPath(grant string) string { return "/grants/" + url.PathEscape(grant) + "/keys" }

type keyCreateCmd struct {
	remote
	Grant   string        `required:"" placeholder:"ID" help:"The grant that it is for."`
	Name    string        `default:"made on the command line" placeholder:"TEXT" help:"What it is for."`
	Expires time.Duration `placeholder:"SPAN" help:"How long it works, like 24h; not longer than its grant (default: as long)."`
}

// Run prints the key alone on stdout.
func (c *keyCreateCmd) Run(ctx context.Context) error {
	in := map[string]any{"name": c.Name}
	if c.Expires != 0 {
		in["expiresInSeconds"] = int64(c.Expires / time.Second)
	}
	a, err := c.asOwner(ctx, "aipassport key create")
	if err != nil {
		return err
	}
	var k keyShown
	if err := a.ask(ctx, "POST", keysPath(c.Grant), in, &k); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Shown this once. It works until %s; to end it: aipassport key revoke --grant %s %s\n", k.ExpiresAt.Format(time.RFC3339), c.Grant, k.ID)
	fmt.Println(k.Key)
	return nil
}

type keyListCmd struct {
	remote
	Grant string `required:"" placeholder:"ID" help:"The grant whose keys they are."`
}

// Run prints a line for each key.
func (c *keyListCmd) Run(ctx context.Context) error {
	a, err := c.asOwner(ctx, "aipassport key list")
	if err != nil {
		return err
	}
	var list []keyShown
	if err := a.ask(ctx, "GET", keysPath(c.Grant), nil, &list); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKEY\tNAME\tMADE\tLAST USED\tENDS")
	for _, k := range list {
		ends := moment(k.ExpiresAt)
		if !k.RevokedAt.IsZero() {
			ends = "revoked " + moment(k.RevokedAt)
		}
		fmt.Fprintf(w, "%s\t%s…\t%s\t%s\t%s\t%s\n", k.ID, k.Start, k.Name, moment(k.CreatedAt), moment(k.LastUsedAt), ends)
	}
	return w.Flush()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

type keyRevokeCmd struct {
	remote
	Grant string `required:"" placeholder:"ID" help:"The grant that the key is for."`
	Key   string `arg:"" help:"Id of the key, as key list shows it."`
}

// Run returns when nothing new goes upstream for the key.
func (c *keyRevokeCmd) Run(ctx context.Context) error {
	a, err := c.asOwner(ctx, "aipassport key revoke")
	if err != nil {
		return err
	}
	var done struct{ EndedCalls int }
	if err := a.ask(ctx, "POST", keysPath(c.Grant)+"/"+url.PathEscape(c.Key)+"/revoke", nil, &done); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Revoked; %d running calls ended.\n", done.EndedCalls)
	return nil
}
