package sqlite

import (
	"context"
	"errors"

	"github.com/ncruces/go-sqlite3"

	"github.com/devrelopers/aipassport/internal/problem"
)

// refused says whether err is a refusal of ours: then nothing was written.
func refused(err error) bool {
	_, ok := errors.AsType[*problem.Error](err)
	return ok
}

// failed classifies what the database could not do; a refusal of ours stays as it is.
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil || refused(err):
		return err
	case ctx.Err() != nil:
		return problem.Wrap(errors.Join(context.Cause(ctx), err), problem.ClientGone, "the call was given up")
	case broken(err):
		return problem.Wrap(err, problem.Internal, "internal error")
	default:
		return problem.Wrap(err, problem.Unavailable, "the database cannot be used now")
	}
}

// broken says whether err is our own bug rather than the disk's: trying again would not help.
func broken(err error) bool {
	return errors.Is(err, sqlite3.CONSTRAINT) || errors.Is(err, sqlite3.ERROR) || errors.Is(err, sqlite3.MISUSE) ||
		errors.Is(err, sqlite3.RANGE) || errors.Is(err, sqlite3.MISMATCH)
}

func unknown(err error) error {
	return problem.Wrap(err, problem.Unavailable, "the database cannot be written now; whether this was done is unknown")
}

func errClosed() error { return problem.New(problem.Unavailable, "the broker is shutting down") }
