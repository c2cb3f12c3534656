package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// refused says whether err is a refusal of ours: then nothing was written.
func refused(err error) bool {
	_, ok := errors.AsType[*problem.Error](err)
	return ok
}

// verdict is what an error of the database says about what was sent (the classes are of the manual's appendix A, "PostgreSQL Error Codes").
type verdict int

const (
	lost   verdict = iota // nobody knows whether it was committed: it must be asked again
	undone                // it was not, and may go well another time
	wrong                 // it was not, and never will be
	unsent                // there was no connection to send it on: whatever was said instead is not about it
)

// judge reads an error. What is not Postgres' own word, and what it says while it goes down (57) or the line breaks (08), tells nothing.
// A refused connection (28: a password that is changed, a role that may not log in; 53300; 3D000) has Postgres' word inside as well.
func judge(err error) verdict {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return unsent
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return lost
	}
	switch {
	case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57"), len(e.Code) != 5:
		return lost
	case strings.HasPrefix(e.Code, "40"), // deadlock, serialization
		strings.HasPrefix(e.Code, "53"), // disk full, too many connections
		strings.HasPrefix(e.Code, "55"), // lock not available
		strings.HasPrefix(e.Code, "58"), // the system's own errors
		e.Code == "25P03",               // we stood still in a transaction, and it was ended
		e.Code == "25006",               // read-only: it recovers, or is a standby that will be promoted
		e.Code == "23505":               // what was sent before is being committed right now
		return undone
	default:
		return wrong
	}
}

// isFamily says whether apply_batch did nothing because a grant has others above it, which it was not told to look for (migration 00020).
func isFamily(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "AIP01"
}

// again says whether a step of the control plane that met this error wrote nothing and may be run again at once.
func again(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// failed classifies what the database could not do; a refusal of ours stays as it is.
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil || refused(err):
		return err
	case ctx.Err() != nil:
		return problem.Wrap(errors.Join(context.Cause(ctx), err), problem.ClientGone, "the call was given up")
	case unstorable(err):
		return problem.Wrap(err, problem.Invalid, "a text has a character that the database cannot keep (U+0000)")
	case errors.Is(err, pgx.ErrNoRows) || judge(err) == wrong:
		return problem.Wrap(err, problem.Internal, "internal error")
	default:
		return problem.Wrap(err, problem.Unavailable, "the database cannot be used now")
	}
}

// unstorable says whether a text was refused: Postgres keeps no U+0000 (22021).
func unstorable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "22021"
}

func unknown(err error) error {
	return problem.Wrap(err, problem.Unavailable, "the database cannot be written now; whether this was done is unknown")
}

// notHeld says that nothing was held, for certain.
func notHeld(cause error) error {
	return problem.Wrap(errors.Join(passport.ErrNotHeld, cause), problem.Unavailable, "the database cannot be used now").After(time.Second)
}

func errClosed() error { return problem.New(problem.Unavailable, "the broker is shutting down") }
