package vault

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Sealed is what the vault needs from storage. Each method is one atomic step, durable on nil.
type Sealed interface {
	// Credentials returns all, oldest first.
	Credentials(ctx context.Context) ([]passport.Credential, error)
	// AddCredential stores a sealed one, with the event.
	AddCredential(ctx context.Context, c passport.Credential, ev passport.Event) error
	// RemoveCredential deletes one, sealed bytes and all, with the event. Error: NotFound.
	RemoveCredential(ctx context.Context, id passport.CredentialID, ev passport.Event) error
	// TestedCredential notes the result of a test; testError is empty if it was good. Error: NotFound.
	TestedCredential(ctx context.Context, id passport.CredentialID, at time.Time, testError string, ev passport.Event) error
}
