package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/sqlite"
)

type ledgerCmd struct {
	Verify ledgerVerifyCmd `cmd:"" help:"Add up the whole ledger again and say what differs. Changes nothing; the broker may be running."`
}

type ledgerVerifyCmd struct {
	Data        string `env:"AIPASSPORT_DATA" placeholder:"DIR" help:"Data directory of the broker (default: the user's data directory for aipassport)."`
	DatabaseURL string `env:"AIPASSPORT_DATABASE_URL" placeholder:"URL" help:"The Postgres that the ledger is in, if it is in one."`
}

// Run exits 0 where everything adds up, 1 where something differs or the ledger cannot be read.
func (c *ledgerVerifyCmd) Run(ctx context.Context) error {
	if c.DatabaseURL != "" {
		v, err := postgres.Verify(ctx, c.DatabaseURL)
		if err != nil {
			return fmt.Errorf("AIPASSPORT_DATABASE_URL: %w", err)
		}
		return report(os.Stdout, v)
	}
	data, _, err := settings{Data: c.Data}.places()
	if err != nil {
		return err
	}
	file := filepath.Join(data, database)
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("AIPASSPORT_DATA: there is no broker's data in %s (name its directory)", data)
	}
	v, err := sqlite.Verify(ctx, sqlite.Options{Path: file})
	if err != nil {
		return err
	}
	return report(os.Stdout, v)
}

// report says what was looked at and what was found. The error is for the exit code.
func report(w io.Writer, v store.Verification) error {
	fmt.Fprintf(w, "%d grants, %d budgets, %d events.\n", v.Grants, v.Budgets, v.Events)
	for _, s := range v.Calls {
		fmt.Fprintf(w, "%d calls %s: %s held at worst, %s charged.\n", s.Calls, s.State, s.Held, s.Actual)
	}
	for _, o := range v.Over {
		fmt.Fprintf(w, "Above its cap, because the cap was lowered later or a bill was above its hold: %s.\n", o)
	}
	if len(v.Wrong) == 0 {
		fmt.Fprintln(w, "Every balance is the sum of its calls, and every call is told by its events.")
		return nil
	}
	for _, d := range v.Wrong {
		fmt.Fprintf(w, "WRONG: %s.\n", d)
	}
	return fmt.Errorf("the ledger does not add up: %d differences", len(v.Wrong))
}
