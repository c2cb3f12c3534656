package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/authority/device"
	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/authority/oauth"
	"github.com/devrelopers/aipassport/authority/openrouter"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/guard/roster"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/sqlite"
	"github.com/devrelopers/aipassport/webhook"
)

// storage is what all who remember something want of a store. Both engines have it.
type storage interface {
	meter.Ledger
	repeat.Store
	token.Store
	vault.Sealed
	roster.Store
	authority.Store
	authority.History
	authority.Ceilings
	authority.Watching
	authority.Notices
	authority.SDKKeys
	authority.Family
	device.Codes
	device.Shown
	client.Lists
	client.Store
	identity.Store
	openrouter.Store
	oauth.Store
	webhook.Store
	// Forget removes what ended and nothing reads any more, in short steps, and says how many rows. Doing it twice, or at several instances, is safe.
	Forget(ctx context.Context, now time.Time) (int64, error)
	io.Closer
}

// place is where state is kept: a Postgres database if there is an address of one, else a file in the data directory.
type place struct {
	databaseURL secret.Text
	data        string
}

// inPostgres says whether several brokers may share the place. Then the data directory is not used.
func (p place) inPostgres() bool { return !p.databaseURL.Empty() }

// started says whether there is anything to open: a command beside the broker makes no database of its own.
func (p place) started() error {
	if p.inPostgres() {
		return nil
	}
	if _, err := os.Stat(filepath.Join(p.data, database)); err != nil {
		return fmt.Errorf("AIPASSPORT_DATA: there is no broker's data in %s (start the broker once, or name its directory)", p.data)
	}
	return nil
}

// String is for the log: it has no password.
func (p place) String() string {
	if p.inPostgres() {
		return "postgres"
	}
	return p.data
}

// lock makes the data directory and keeps other brokers off it. Nil where there is nothing to lock.
func (p place) lock() (*os.File, error) {
	if p.inPostgres() {
		return nil, nil
	}
	if err := makeData(p.data); err != nil {
		return nil, err
	}
	return lockData(p.data)
}

// syncing is how many more threads run Go code than there are processors. While SQLite's writer waits for the disk, Go's scheduler keeps a
// place for it for up to 10 ms before it lends it to others: on two processors half of the broker would stand still with every commit.
const syncing = 2

// makeRoom makes those places, unless GOMAXPROCS says how many there are to be.
func (p place) makeRoom() {
	if !p.inPostgres() && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + syncing)
	}
}

// open opens the store. The error is one line that names the setting, and has no password.
func (p place) open(ctx context.Context, log *slog.Logger) (storage, error) {
	if !p.inPostgres() {
		s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(p.data, database), Log: log})
		if err != nil {
			return nil, fmt.Errorf("AIPASSPORT_DATA: open the database: %w", err)
		}
		return s, nil
	}
	s, err := postgres.Open(ctx, postgres.Options{URL: p.databaseURL.Reveal(), Now: now, NewID: newID, Log: log})
	if err != nil {
		return nil, fmt.Errorf("AIPASSPORT_DATABASE_URL: %w", err)
	}
	return s, nil
}
