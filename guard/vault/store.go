package vault

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
)

// Sealed is what the vault needs from storage. Each method is one atomic step, durable on nil.
type Sealed interface {
	// Credentials returns all, oldest first.
	Credentials(ctx context.Context) ([]passport.Credential, error)
	// AddCredential stores a sealed one, with the event. Error: Forbidden, if its payer is suspended or gone.
	AddCredential(ctx context.Context, c passport.Credential, ev passport.Event) error
	// RemoveCredential deletes one, sealed bytes and all, with the event. Error: NotFound.
	RemoveCredential(ctx context.Context, id passport.CredentialID, ev passport.Event) error
	// ChangeCredential writes all of one but its id, provider and age, if it is still at c.Version, which goes up by one, with the event. Errors: NotFound; Conflict if it
	// was changed since.
	ChangeCredential(ctx context.Context, c passport.Credential, ev passport.Event) error
}
