package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Verify adds up the ledger in a database, beside running instances or without one: in one read-only transaction on one snapshot.
// A schema of another version is not brought up to date but an error.
func Verify(ctx context.Context, url string) (v store.Verification, err error) {
	if err := Check(url); err != nil {
		return v, err
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return v, errors.New("is not an address of Postgres") // Check has said more
	}
	cfg.ConnectTimeout = connectTime
	setParams(cfg.RuntimeParams, nil)
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return v, fmt.Errorf("reach Postgres: %w", err)
	}
	defer tx.Rollback()
	if v, err = store.Verify(ctx, query.New(tx)); err != nil {
		return store.Verification{}, fmt.Errorf("verify the ledger: %w", err)
	}
	return v, nil
}
