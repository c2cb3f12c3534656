package oauth

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Store keeps what is given out once. Each method is one atomic step, durable on nil; of everything secret it sees a hash.
type Store interface {
	// AddPushed keeps a pushed request, and drops those whose time has come when it was made. Error: Busy if passport.MaxPushed wait.
	AddPushed(ctx context.Context, p passport.Pushed) error
	// TakePushed returns a client's request, once. Error: NotFound if there is none, it is another client's, or its time has come.
	TakePushed(ctx context.Context, hash [32]byte, client passport.ClientID, now time.Time) (passport.Pushed, error)

	// AddAuthorization keeps how a grant is answered, and drops those that ended passport.AuthorizedMemory before or whose grant is gone.
	AddAuthorization(ctx context.Context, a passport.Authorization) error
	// Authorization reads how a grant is answered. Error: NotFound.
	Authorization(ctx context.Context, g passport.GrantID) (passport.Authorization, error)
	// AuthorizationByCode finds it by the code that it got last. Error: NotFound.
	AuthorizationByCode(ctx context.Context, code [32]byte) (passport.Authorization, error)
	// SetCode gives it a code in place of the one before, with the event. Error: Conflict if one was used already.
	SetCode(ctx context.Context, g passport.GrantID, code [32]byte, until time.Time, ev passport.Event) error
	// RedeemCode uses a code. Error: Conflict if it was used already. It does not look at the clock.
	RedeemCode(ctx context.Context, code [32]byte, at time.Time) error

	// AddRefresh adds a refresh token of a grant that follows from none, given for a code; a code of zero: for none. It counts behind all that
	// the grant has. Error: NotFound if there is no such grant.
	AddRefresh(ctx context.Context, r passport.Refresh, code [32]byte) error
	// Refresh reads one. Error: NotFound.
	Refresh(ctx context.Context, hash [32]byte) (passport.Refresh, error)
	// RotateRefresh uses a refresh token and adds its successor; within passport.RefreshGrace of that it does so again, as long as the
	// successor was not used. It forgets used ones of the grant but the last passport.MaxRefresh. Errors: NotFound; Conflict if it was used before.
	RotateRefresh(ctx context.Context, old, next [32]byte, at time.Time) error
}
