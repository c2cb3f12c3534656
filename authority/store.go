package authority

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Store is what the control of grants needs from storage. Each method is one atomic step, durable on nil.
type Store interface {
	// AddGrant stores a pending grant, with the event. Of too many that nobody answered the oldest are forgotten.
	AddGrant(ctx context.Context, g passport.Grant, ev passport.Event) error
	// ChangeGrant swaps the stored grant whose version is g.Version-1 for g, with the event, and brings the budgets along:
	// opened when it becomes active for the first time, closed to holds while it is anything else. Revoking also marks its tokens, and
	// revokes what was narrowed from it, and from that, with an event each.
	// Error: Conflict if the stored version is another, NotFound if there is none.
	ChangeGrant(ctx context.Context, g passport.Grant, ev passport.Event) error
	// ExtendGrant is ChangeGrant of g and, in the same step, the swap of the request that extends it, which is answered: its version too is
	// one above the stored. Errors: as ChangeGrant has them, of either; Invalid if the request does not extend g.
	ExtendGrant(ctx context.Context, g, request passport.Grant, ev passport.Event) error
	// Standing reads a grant with its balances. Error: NotFound.
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
	// Standings lists grants that were asked for and are somebody's own (Payer.Sees), with their balances, newest first, at most limit of
	// them, created before a time (zero: all). What was narrowed from one by token exchange is not among them: Family lists it.
	Standings(ctx context.Context, payer passport.Payer, before time.Time, limit int) ([]passport.Standing, error)
	// Stop stops all apps or lets them run again, with the event.
	Stop(ctx context.Context, stopped bool, ev passport.Event) error
	// StopOwn stops all apps of a person, those that they give later too, or lets them run again, with the event: one switch, which changes no
	// grant. It says for which active grants it made a difference, also where it is not known whether it did.
	StopOwn(ctx context.Context, payer passport.Payer, stopped bool, ev passport.Event) (changed []passport.GrantID, err error)
}

// History is what the pages read. Never on the path of a call.
type History interface {
	// Reservations lists the calls of a grant, newest first, at most limit, before an id (empty: the newest).
	Reservations(ctx context.Context, g passport.GrantID, before passport.ReservationID, limit int) ([]passport.Reservation, error)
	// EventsOf lists what happened to a grant besides its calls and tokens, newest first, at most limit.
	EventsOf(ctx context.Context, g passport.GrantID, limit int) ([]passport.Event, error)
	// Activity lists what happened besides calls and tokens, newest first, at most limit: to one grant, or (none) all that a person, who is a payer, sees, of what is
	// numbered below before (0: all). next is the number to go on from, even where nothing was found; 0: there is no more.
	Activity(ctx context.Context, of passport.PersonID, payer passport.Payer, g passport.GrantID, before int64, limit int) (list []passport.Event, next int64, err error)
	// LastCalls tells when each of some grants made its last call; one that made none is not in it.
	LastCalls(ctx context.Context, of []passport.GrantID) (map[passport.GrantID]time.Time, error)
	// Stops says since when all apps are stopped, and those of a person.
	Stops(ctx context.Context, payer passport.Payer) (passport.Stops, error)
	// Totals sums all grants of somebody: held now, and of the calls made since a time how many there are and what those that ended have cost.
	Totals(ctx context.Context, payer passport.Payer, since time.Time) (settled, held passport.Money, calls int64, err error)
	// MemberSums is what each member has: apps that can be used at now, and of the calls made since a time how many and what they have cost.
	MemberSums(ctx context.Context, since, now time.Time) (map[passport.Payer]passport.MemberSum, error)
	// SpentSince sums the calls of somebody's grants that were made since a time, the newest stretch first: one for each stretch (a whole hour or a whole day),
	// grant, provider and model, at most limit.
	SpentSince(ctx context.Context, payer passport.Payer, since time.Time, every time.Duration, limit int) ([]passport.Spent, error)
}

// Ceilings is what is set over all grants of one person together, for each UTC month. Each method is one atomic step, durable on nil.
type Ceilings interface {
	// SetCeiling sets the most that a month may cost, or changes it, from now on, and writes ev with what it was and is. Where it was
	// not set, what the month of ev has cost already counts, and so do the calls that run. 0 permits nothing. Error: Invalid.
	SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, ev passport.Event) error
	// RemoveCeiling takes away what SetCeiling has set, with the event; what the owner lets a member spend stays. If there is none, nothing happens.
	RemoveCeiling(ctx context.Context, id passport.CeilingID, ev passport.Event) error
	// LimitMember sets what the owner lets a member spend a month with all apps, whatever the member has set: the lower of the two holds. Unset takes it
	// away. Errors: NotFound if there is no such member, Invalid.
	LimitMember(ctx context.Context, member passport.PersonID, most passport.Limit, ev passport.Event) error
	// Ceilings lists those of somebody that are set, by id, with what a month has on them.
	Ceilings(ctx context.Context, of passport.Payer, m passport.Month) ([]passport.Ceiling, error)
}

// SDKKeys are the keys of grants that have been made; guard/token makes them. Each method is one atomic step, durable on nil.
type SDKKeys interface {
	// SDKKeys lists the keys of a grant, newest first, at most limit.
	SDKKeys(ctx context.Context, g passport.GrantID, limit int) ([]passport.SDKKey, error)
	// LiveTokens lists the access tokens of a grant that have not ended at a time, SDK keys not among them, those that end last first, at
	// most limit.
	LiveTokens(ctx context.Context, g passport.GrantID, now time.Time, limit int) ([]passport.Token, error)
	// RevokeToken ends one access token or SDK key of a grant for good, at the time of ev and with it; one that is revoked stays as it is.
	// Error: NotFound.
	RevokeToken(ctx context.Context, g passport.GrantID, id passport.TokenID, ev passport.Event) error
	// RevokeSDKKey ends a key of a grant for good, at the time of ev and with it; one that is revoked stays as it is. Error: NotFound.
	RevokeSDKKey(ctx context.Context, g passport.GrantID, id passport.TokenID, ev passport.Event) error
}

// Family is the grants that were narrowed from others (RFC 8693). Each method is one atomic step, durable on nil.
type Family interface {
	// AddChild stores a grant that is narrowed from another, active, with the event. From then on its calls count on the budgets of all that is
	// above it too. All that is above it must be live at the time of the event. Errors: Invalid, NotFound, GrantEnded, GrantPaused;
	// Conflict where there are passport.MaxChildren of its parent already, or passport.MaxFamily in all.
	AddChild(ctx context.Context, g passport.Grant, ev passport.Event) error
	// Children lists the grants that were narrowed from one, not those of others below it, newest first, at most limit.
	Children(ctx context.Context, g passport.GrantID, limit int) ([]passport.Standing, error)
}
