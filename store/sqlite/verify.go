package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Verify adds up the ledger in a file, beside a running broker or without one. The file is opened for reading only: nothing of it
// can be changed, and a schema of another version is not brought up to date but an error.
func Verify(ctx context.Context, o Options) (store.Verification, error) {
	v, err := verify(ctx, o)
	if err != nil {
		return store.Verification{}, fmt.Errorf("verify database %s: %w", o.Path, err)
	}
	return v, nil
}

func verify(ctx context.Context, o Options) (v store.Verification, err error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return v, err
	}
	if _, err := os.Stat(path); err != nil {
		return v, err
	}
	db, err := driver.Open(uri(path, o.VFS)+"&mode=ro", forReading)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return v, err
	}
	defer tx.Rollback()
	return store.Verify(ctx, query.New(tx))
}
