package identity

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Store is what sign-in needs from storage. Each method is one atomic step, durable on nil.
type Store interface {
	// AddFirstPerson adds the owner. Error: Conflict if there is a person already.
	AddFirstPerson(ctx context.Context, p passport.Person, ev passport.Event) error
	// AddSetup keeps the hash of a setup link's token until a time, and drops those whose time has come by now. The first person
	// drops all. Error: Conflict if there is a person already.
	AddSetup(ctx context.Context, hash [32]byte, until, now time.Time) error
	// Setup says until when a setup link works. Error: NotFound. It does not look at the clock.
	Setup(ctx context.Context, hash [32]byte) (until time.Time, err error)
	// Owner returns the one person there is. Error: NotFound before setup.
	Owner(ctx context.Context) (passport.Person, error)
	// AddSession stores a session, with the event, and removes those that ended before it began.
	AddSession(ctx context.Context, s passport.Session, ev passport.Event) error
	// Session reads one by the hash of its cookie. Error: NotFound. It does not look at the clock.
	Session(ctx context.Context, hash [32]byte) (passport.Session, error)
	// EndSession removes one, with the event. Ending what is not there is nothing.
	EndSession(ctx context.Context, hash [32]byte, ev passport.Event) error
	// OwnerToken reads one by its hash. Error: NotFound. It does not look at the clock.
	OwnerToken(ctx context.Context, hash [32]byte) (passport.OwnerToken, error)
	// AddOwnerToken stores one, with the event.
	AddOwnerToken(ctx context.Context, t passport.OwnerToken, ev passport.Event, now time.Time) error
	// OwnerTokens lists at most limit, newest first, ended ones too.
	OwnerTokens(ctx context.Context, limit int) ([]passport.OwnerToken, error)
	// EndOwnerToken removes one, with the event. Error: NotFound.
	EndOwnerToken(ctx context.Context, hash [32]byte, ev passport.Event) error
}
