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
	// Owner returns who owns the broker. Error: NotFound before setup.
	Owner(ctx context.Context) (passport.Person, error)
	// Person reads one by their id, PersonNamed by what they sign in with, suspended ones too. Error: NotFound.
	Person(ctx context.Context, id passport.PersonID) (passport.Person, error)
	PersonNamed(ctx context.Context, username string) (passport.Person, error)
	// AddInvitation keeps an invitation, with the event, and drops those that have ended by it. Error: Conflict if there are as many
	// invitations or members as there may be.
	AddInvitation(ctx context.Context, v passport.Invitation, ev passport.Event) error
	// Invitation reads one by the hash of its token. Error: NotFound. It does not look at the clock.
	Invitation(ctx context.Context, hash [32]byte) (passport.Invitation, error)
	// Invitations lists all, newest first, ended ones too.
	Invitations(ctx context.Context) ([]passport.Invitation, error)
	// EndInvitation removes one, with the event. Error: NotFound.
	EndInvitation(ctx context.Context, hash [32]byte, ev passport.Event) error
	// AddMember adds a member, with the event, uses up the invitation that they come by, if one is named, and links who they are at an OpenID
	// provider, if that is. Errors: NotFound if the invitation is not there or its time has come; Conflict if there are as many members as there
	// may be, or, in username, if that name is taken, or, in identity, if it is anyone's, or was and there is no invitation; Invalid.
	AddMember(ctx context.Context, p passport.Person, by *[32]byte, as *passport.Identity, ev passport.Event) error
	// People lists all, the owner first.
	People(ctx context.Context) ([]passport.Person, error)
	// SuspendPerson keeps a member out from a time on, ends their sessions and bearers, and lets nothing become active in their name; a zero
	// time lets them in again. With the event. Error: NotFound.
	SuspendPerson(ctx context.Context, id passport.PersonID, at time.Time, ev passport.Event) error
	// RemovePerson forgets a member who is suspended, with passkeys, sessions and bearers. With the event. Errors: NotFound, Conflict.
	RemovePerson(ctx context.Context, id passport.PersonID, ev passport.Event) error
	// AddSession stores a session, with the event, and removes those that ended before it began.
	AddSession(ctx context.Context, s passport.Session, ev passport.Event) error
	// Session reads one by the hash of its cookie. Error: NotFound. It does not look at the clock.
	Session(ctx context.Context, hash [32]byte) (passport.Session, error)
	// EndSession removes one, with the event. Ending what is not there is nothing.
	EndSession(ctx context.Context, hash [32]byte, ev passport.Event) error
	// Sessions lists at most limit of a person, newest first, ended ones too.
	Sessions(ctx context.Context, who passport.PersonID, limit int) ([]passport.Session, error)
	// SeeSession writes down when a session was last seen; an earlier time changes nothing.
	SeeSession(ctx context.Context, hash [32]byte, at time.Time) error
	// EndSessionOf removes one of a person's, with the event. Error: NotFound.
	EndSessionOf(ctx context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error
	// EndOtherSessions removes all of a person's but one, with the event if there were any, and says how many.
	EndOtherSessions(ctx context.Context, who passport.PersonID, keep [32]byte, ev passport.Event) (int64, error)
	// SetPassword sets the hash of a person's password and ends all their sessions but one, with the event. Error: NotFound.
	SetPassword(ctx context.Context, who passport.PersonID, phc string, keep [32]byte, ev passport.Event) error
	// AddReset keeps the hash of a reset link's token for a person until a time, with the events, in place of any other. Error: NotFound.
	AddReset(ctx context.Context, hash [32]byte, who passport.PersonID, until time.Time, evs ...passport.Event) error
	// Reset says whose a reset link is and until when it works. Error: NotFound. It does not look at the clock.
	Reset(ctx context.Context, hash [32]byte) (who passport.PersonID, until time.Time, err error)
	// UseReset uses a reset link up: it sets the hash of its person's password and ends all their sessions, with the event. Error: NotFound;
	// of many with one link one gets on.
	UseReset(ctx context.Context, hash [32]byte, phc string, ev passport.Event) error
	// AddIdentity links an identity at an OpenID provider to its person, with the event. Errors: Conflict if it is anyone's already or its
	// person has passport.MaxIdentities; NotFound; Invalid.
	AddIdentity(ctx context.Context, i passport.Identity, ev passport.Event) error
	// Identity reads one by its hash. Error: NotFound.
	Identity(ctx context.Context, hash [32]byte) (passport.Identity, error)
	// IdentityGone says whether an identity was linked to a person and is not any more.
	IdentityGone(ctx context.Context, hash [32]byte) (bool, error)
	// Identities lists a person's, oldest first.
	Identities(ctx context.Context, who passport.PersonID) ([]passport.Identity, error)
	// RemoveIdentity removes a person's, with the event. Errors: NotFound; Conflict if it may be the last way in.
	RemoveIdentity(ctx context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error
	// Seen says whether something is seen the first time, and remembers it until a time.
	Seen(ctx context.Context, kind passport.SeenKind, hash [32]byte, until time.Time) (fresh bool, err error)
	// AddPasskey adds one, unused. Errors: Conflict if it is there or its person has MaxPasskeys; Invalid.
	AddPasskey(ctx context.Context, k passport.Passkey, ev passport.Event) error
	// Passkeys lists a person's, oldest first.
	Passkeys(ctx context.Context, who passport.PersonID) ([]passport.Passkey, error)
	// HasPasskeys says whether anyone has one.
	HasPasskeys(ctx context.Context) (bool, error)
	// UsePasskey writes down u's SignCount, BackedUp and UsedAt by its ID, if the counter is above the one that is stored or both are 0. Else
	// it says false, and keeps only the event.
	UsePasskey(ctx context.Context, u passport.Passkey, refused passport.Event) (bool, error)
	// RenamePasskey gives a person's passkey another name. Error: NotFound.
	RenamePasskey(ctx context.Context, who passport.PersonID, id []byte, label string, ev passport.Event) error
	// RemovePasskey removes a person's passkey. Errors: NotFound; Conflict if it is the last of a person without a password.
	RemovePasskey(ctx context.Context, who passport.PersonID, id []byte, ev passport.Event) error
	// OwnerToken reads one by its hash. Error: NotFound. It does not look at the clock.
	OwnerToken(ctx context.Context, hash [32]byte) (passport.OwnerToken, error)
	// AddOwnerToken stores one, with the event.
	AddOwnerToken(ctx context.Context, t passport.OwnerToken, ev passport.Event, now time.Time) error
	// OwnerTokens lists at most limit of those that stand for a member (empty: for the owner), newest first, ended ones too.
	OwnerTokens(ctx context.Context, member passport.PersonID, limit int) ([]passport.OwnerToken, error)
	// EndOwnerToken removes one that stands for a member (empty: for the owner), with the event. Error: NotFound.
	EndOwnerToken(ctx context.Context, member passport.PersonID, hash [32]byte, ev passport.Event) error
}
