package passport

import (
	"encoding/hex"
	"slices"
	"time"
)

// Role is what a person is at this broker. The zero Role may nothing.
type Role string

// The roles. There is one owner, who set the broker up; members are invited.
const (
	RoleOwner  Role = "owner"
	RoleMember Role = "member"
)

// Right is one thing that a person may do.
type Right string

// The rights.
const (
	OwnApps   Right = "own apps"   // answer requests; see, change and end what one gave: grants, tokens, SDK keys, log, limits, usage
	OwnKeys   Right = "own keys"   // put in, test and remove provider keys of one's own, which are lent to one's own apps only
	OwnSignIn Right = "own signin" // password, passkeys, sessions, bearers that stand for oneself
	RunServer Right = "server"     // what is of the whole broker: webhook, registered apps, added providers, stopping everybody's apps
	RunPeople Right = "people"     // invite, suspend and remove members, see what they spent in sum, set what they may spend a month
)

// rights is the whole of it.
var rights = map[Role][]Right{
	RoleOwner:  {OwnApps, OwnKeys, OwnSignIn, RunServer, RunPeople},
	RoleMember: {OwnApps, OwnKeys, OwnSignIn},
}

// May says whether a role has a right.
func (r Role) May(x Right) bool { return slices.Contains(rights[r], x) }

// Payer says whose provider keys are lent to a grant and whose monthly limits its calls count on: the owner's, or a member's, by their id.
// The zero Payer is nobody: nothing is lent for it.
type Payer string

// OwnerPays is the owner's Payer, and that of automation before there is an owner.
const OwnerPays Payer = "owner"

// PayerOf is the Payer of a person; nobody where the role is none.
func PayerOf(id PersonID, r Role) Payer {
	switch r {
	case RoleOwner:
		return OwnerPays
	case RoleMember:
		return Payer(id)
	default:
		return ""
	}
}

// Member is the id by which a member's monthly limits are told from the owner's, which have none.
func (p Payer) Member() string {
	if p == OwnerPays {
		return ""
	}
	return string(p)
}

// Sees says whether a grant is a person's own. What nobody has answered yet is on the owner's pages alone.
func (p Payer) Sees(g Grant) bool {
	return p != "" && (g.Payer == p || g.Payer == "" && p == OwnerPays)
}

// MayAnswer says whether a person may answer a request: one that is nobody's yet, or that asks more of what they gave.
func (p Payer) MayAnswer(g Grant) bool { return p != "" && (g.Payer == "" || g.Payer == p) }

// Person is a resource owner (RFC 6749 §1.1): who signs in, decides and pays.
type Person struct {
	ID           PersonID
	Name         string // shown on approvals
	Username     string // unique, compared exactly
	PasswordHash string // argon2id in PHC form; empty: no password sign-in
	CreatedAt    time.Time
	Role         Role
	SuspendedAt  time.Time // zero: not suspended
}

// Payer is whose money a person gives.
func (p Person) Payer() Payer { return PayerOf(p.ID, p.Role) }

// May says whether a person has a right; who is suspended has none.
func (p Person) May(x Right) bool { return p.SuspendedAt.IsZero() && p.Role.May(x) }

// Bounds of people.
const (
	MaxPeople      = 100            // besides the owner
	MaxInvitations = 20             // that wait at a time
	InvitationLife = 24 * time.Hour // of a link
	MaxInviteLabel = 60             // characters of what the owner writes down of whom a link is for
)

// Invitation is a link by which one person joins as a member, once. Only the SHA-256 of its token is kept.
type Invitation struct {
	Hash      [32]byte
	Label     string // whom the owner made it for, in their own words
	CreatedAt time.Time
	ExpiresAt time.Time
}

// ID names an invitation: its hash in hexadecimal. It opens nothing.
func (v Invitation) ID() string { return hex.EncodeToString(v.Hash[:]) }

// Stops says since when apps are stopped; zero: they are not.
type Stops struct {
	All time.Time // everybody's, by the owner of the broker
	Own time.Time // those of one person, by themselves
}

// MemberSum is what the owner sees of a member's apps: sums, and nothing of single ones.
type MemberSum struct {
	Apps    int64 // that can spend
	Calls   int64 // of this month
	Settled Money // of this month
	Held    Money
	Limit   Limit // what holds a month, over all their apps: the lower of what they have set and Most
	Most    Limit // what the owner has set
}
