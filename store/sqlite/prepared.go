package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/devrelopers/aipassport/store/query"
)

// statements bounds how many texts it keeps compiled: package query has fewer. What is above it is compiled each time.
const statements = 512

// prepared is a connection that keeps its statements: to compile one takes longer than to run most of them. The texts are
// constants of this package and of package query. One goroutine at a time has it.
type prepared struct {
	*sql.Conn
	kept map[string]*sql.Stmt
}

func openPrepared(ctx context.Context, db *sql.DB) (*prepared, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return newPrepared(conn), nil
}

func newPrepared(conn *sql.Conn) *prepared { return &prepared{conn, map[string]*sql.Stmt{}} }

func (s *prepared) close() error {
	var errs []error
	for _, st := range s.kept {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, s.Conn.Close())...)
}

// statement is the one of a text; nil: too many are kept.
func (s *prepared) statement(ctx context.Context, text string) *sql.Stmt {
	if st := s.kept[text]; st != nil || len(s.kept) >= statements {
		return st
	}
	st, err := s.Conn.PrepareContext(ctx, text)
	if err != nil {
		return nil // as it says without the statement too
	}
	s.kept[text] = st
	return st
}

// ExecContext implements query.DBTX.
func (s *prepared) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if st := s.statement(ctx, text); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return s.Conn.ExecContext(ctx, text, args...)
}

// QueryContext implements query.DBTX.
func (s *prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st := s.statement(ctx, text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.Conn.QueryContext(ctx, text, args...)
}

// QueryRowContext implements query.DBTX.
func (s *prepared) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if st := s.statement(ctx, text); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return s.Conn.QueryRowContext(ctx, text, args...)
}

// read runs a step on a snapshot.
func (s *Store) read(ctx context.Context, step func(*query.Queries) error) error {
	return s.snapshot(ctx, func(r *prepared) error { return step(query.New(r)) })
}

// snapshot lends a reader to a step, which ends all rows that it has begun.
func (s *Store) snapshot(ctx context.Context, step func(*prepared) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed()
	}
	var r *prepared
	select {
	case r = <-s.readers:
	case <-ctx.Done():
		return failed(ctx, ctx.Err())
	}
	defer func() { s.readers <- r }()
	// A caller that leaves interrupts its statements, not the end of the snapshot: the connection must outlive it.
	tx, err := r.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return failed(ctx, err)
	}
	err = step(r)
	if end := tx.Rollback(); err == nil {
		err = end
	}
	return failed(ctx, err)
}
