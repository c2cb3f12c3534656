package client

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Store is what this package needs from storage. Each method is one atomic step, durable on nil.
type Store interface {
	// Client reads a client that registered itself or was registered by the owner. Error: NotFound.
	Client(ctx context.Context, id passport.ClientID) (passport.Client, error)
	// AddClient stores one, with the event. Of too many that registered themselves the one without a grant that could be used or answered
	// that was unused for longest is forgotten, which the event's note then says. Errors: Invalid; Conflict if the id is taken, or the
	// owner has too many; Busy if all that registered themselves have such a grant.
	AddClient(ctx context.Context, c passport.Client, ev passport.Event) error
	// ChangeClient replaces the one of the same id and kind, but for its age and use, with the event. Errors: Invalid, NotFound.
	ChangeClient(ctx context.Context, c passport.Client, ev passport.Event) error
	// UseClient notes when a client was last used. One that is not there, or was used later, stays as it is.
	UseClient(ctx context.Context, id passport.ClientID, at time.Time) error
	// RemoveClient deletes one of a kind, with the event. Error: NotFound.
	RemoveClient(ctx context.Context, id passport.ClientID, k passport.ClientKind, ev passport.Event) error
}

// Lists are what the owner sees, and what ends with a client.
type Lists interface {
	// Clients lists those of a kind, newest first, at most limit.
	Clients(ctx context.Context, k passport.ClientKind, limit int) ([]passport.Client, error)
	// GrantsOfClient lists the grants of a client that are pending, active or paused, at most limit.
	GrantsOfClient(ctx context.Context, id passport.ClientID, limit int) ([]passport.GrantID, error)
}
