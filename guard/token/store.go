package token

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Store is what this package needs from storage. Each method is one atomic step, durable on nil.
type Store interface {
	// SigningKeys returns all keys, newest first.
	SigningKeys(ctx context.Context) ([]passport.SigningKey, error)
	// RotateSigningKeys adds a key (if not nil) and moves others to a state or, for an empty state, removes them, with the event.
	// Error: Conflict if a key it names has gone.
	RotateSigningKeys(ctx context.Context, add *passport.SigningKey, move map[string]passport.KeyState, ev passport.Event) error
	// AddToken records a token that is about to be shown. Errors: NotFound, GrantEnded or GrantPaused if the grant can't have one now.
	AddToken(ctx context.Context, t passport.Token, ev passport.Event) error
	// Liveness reads a token with its grant and balances, and whether the owner has stopped all apps, in one snapshot, never cached.
	// Errors: NotFound with Field "token" or "grant".
	Liveness(ctx context.Context, id passport.TokenID) (passport.Liveness, error)

	// AddSDKKey records a key that is about to be shown, with its SHA-256, as a token of its grant. Errors: as AddToken, and Conflict
	// if passport.MaxSDKKeys of the grant work already.
	AddSDKKey(ctx context.Context, k passport.SDKKey, hash [32]byte, ev passport.Event) error
	// TokenOfSDKKey reads the token that a key stands for, revoked or not. Of that only what never changes may be kept. Error: NotFound.
	TokenOfSDKKey(ctx context.Context, hash [32]byte) (passport.Token, error)
	// UsedSDKKeys notes when keys were used last. It moves forward only, and passes over keys that are not there.
	UsedSDKKeys(ctx context.Context, used map[passport.TokenID]time.Time) error

	// Seen remembers a thing that works once, of all instances, until it would not work any more, and says whether it was the first time.
	// On an error nobody knows: it is not to be taken.
	Seen(ctx context.Context, kind passport.SeenKind, hash [32]byte, until time.Time) (fresh bool, err error)
	// SweepSeen forgets what would not work any more, and says how many.
	SweepSeen(ctx context.Context, now time.Time) (int64, error)
}
