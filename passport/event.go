package passport

import "time"

// EventKind says what happened.
type EventKind string

// What is remembered. An event is committed with the change that it tells.
const (
	GrantRequested     EventKind = "grant.requested"
	GrantApproved      EventKind = "grant.approved"
	GrantWasDenied     EventKind = "grant.denied"
	GrantWasRevoked    EventKind = "grant.revoked"
	GrantWasPaused     EventKind = "grant.paused"
	GrantResumed       EventKind = "grant.resumed"
	GrantDelegated     EventKind = "grant.delegated"    // a grant was narrowed from another (RFC 8693)
	GrantRaised        EventKind = "grant.extended"     // it may do or spend more from now on
	GrantAdjusted      EventKind = "grant.adjusted"     // the owner set other limits or another end
	GrantBound         EventKind = "grant.bound"        // to a key of its app (RFC 9449)
	GrantFrozen        EventKind = "grant.frozen"       // a bill above its hold
	GrantNearCap       EventKind = "grant.near_cap"     // 80 % of its money is spent
	GrantSpent         EventKind = "grant.spent"        // all of it
	GrantNearCalls     EventKind = "grant.near_calls"   // 80 % of its calls are used
	GrantCallsSpent    EventKind = "grant.calls_spent"  // all of them
	AnswersKept        EventKind = "grant.answers_kept" // from now on, for a day each
	AnswersNotKept     EventKind = "grant.answers_not_kept"
	TokenIssued        EventKind = "token.issued"
	TokenRevoked       EventKind = "token.revoked" // by who holds it or by its client; its grant goes on
	CodeIssued         EventKind = "code.issued"   // an app is told that it may fetch tokens (RFC 6749 §4.1.2)
	SDKKeyMade         EventKind = "sdk_key.created"
	SDKKeyRevoked      EventKind = "sdk_key.revoked"
	CallCharged        EventKind = "call.charged"  // recovery charged a hold whose outcome is unknown
	CallAdjusted       EventKind = "call.adjusted" // its settlement came after that
	CredentialAdded    EventKind = "credential.added"
	CredentialGone     EventKind = "credential.removed"
	CredentialTested   EventKind = "credential.tested"
	CredentialChosen   EventKind = "credential.chosen"  // it is lent from now on
	CredentialRotated  EventKind = "credential.rotated" // its secret was replaced
	CredentialRenamed  EventKind = "credential.renamed"
	CredentialRefused  EventKind = "credential.refused"  // its provider does not take it any more
	CredentialAccepted EventKind = "credential.accepted" // it takes it again
	ProviderAdded      EventKind = "provider.added"
	ProviderChanged    EventKind = "provider.changed"
	ProviderRemoved    EventKind = "provider.removed" // its keys with it
	ClientAdded        EventKind = "client.added"
	ClientChanged      EventKind = "client.changed"
	ClientRemoved      EventKind = "client.removed"
	PersonJoined       EventKind = "person.joined"
	PersonInvited      EventKind = "person.invited"
	InvitationEnded    EventKind = "person.uninvited"
	PersonSuspended    EventKind = "person.suspended"
	PersonRestored     EventKind = "person.restored"
	PersonRemoved      EventKind = "person.removed"
	SessionStarted     EventKind = "session.started"
	SessionEnded       EventKind = "session.ended"
	PasswordChanged    EventKind = "password.changed"
	ResetMade          EventKind = "password.reset_link"
	IdentityLinked     EventKind = "identity.linked" // at an OpenID provider
	IdentityUnlinked   EventKind = "identity.unlinked"
	PasskeyAdded       EventKind = "passkey.added"
	PasskeyRenamed     EventKind = "passkey.renamed"
	PasskeyRemoved     EventKind = "passkey.removed"
	PasskeyRefused     EventKind = "passkey.refused" // its counter did not go on: there may be a copy of it
	OwnerTokenMade     EventKind = "owner_token.created"
	OwnerTokenEnded    EventKind = "owner_token.revoked"
	KeyRotated         EventKind = "signing_key.rotated"
	AppsStopped        EventKind = "apps.stopped"
	AppsResumed        EventKind = "apps.resumed"
	OwnAppsStopped     EventKind = "apps.own_stopped" // all apps of the person who did it
	OwnAppsResumed     EventKind = "apps.own_resumed"
	CeilingSet         EventKind = "ceiling.set"
	CeilingRemoved     EventKind = "ceiling.removed"
	CeilingNear        EventKind = "ceiling.near" // 80 % of it is spent this month
	CeilingSpent       EventKind = "ceiling.spent"
	WebhookSet         EventKind = "webhook.set"
	WebhookRemoved     EventKind = "webhook.removed"
	WebhookTested      EventKind = "webhook.tested" // the owner wants to see one arrive
)

// Event is a fact committed with the change that it tells. It holds no secret, no prompt and no answer.
type Event struct {
	ID    EventID
	Kind  EventKind
	At    time.Time
	Actor string // "owner:<person>", "app:<grant>", "operator", "broker"; "broker:<person>": told to that person
	Grant GrantID
	Note  string // short and plain: numbers, reasons, labels; at most MaxNote bytes
	// Payer is whom an event of no grant is for, besides who did it; empty: the owner, if no person did it.
	Payer Payer
}

// MaxNote bounds an event's note, in bytes.
const MaxNote = 500
