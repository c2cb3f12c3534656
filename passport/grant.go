package passport

import (
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// GrantState is where a grant stands.
type GrantState string

// The states of a grant. Spent-out is not one of them: a cap can be raised.
const (
	GrantPending GrantState = "pending"
	GrantActive  GrantState = "active" // "approved" in the seed's JSON
	GrantPaused  GrantState = "paused"
	GrantDenied  GrantState = "denied"
	GrantRevoked GrantState = "revoked"
	GrantExpired GrantState = "expired"

	GrantExtended GrantState = "extended" // a request that raised another grant: its answer is over, and it never was one by itself
)

// Wire is the state as the seed's JSON spells it.
func (s GrantState) Wire() string {
	if s == GrantActive {
		return "approved"
	}
	return string(s)
}

// grantMoves is the whole state machine. Revoking is possible from anywhere, again and again, as in the seed:
// whoever wants a grant ended gets it ended.
var grantMoves = map[GrantState][]GrantState{
	GrantPending: {GrantActive, GrantDenied, GrantExpired, GrantRevoked, GrantExtended},
	GrantActive:  {GrantPaused, GrantRevoked, GrantExpired},
	GrantPaused:  {GrantActive, GrantRevoked, GrantExpired},
	GrantDenied:  {GrantRevoked},
	GrantExpired: {GrantRevoked},
	GrantRevoked: {GrantRevoked},

	GrantExtended: {GrantRevoked},
}

// Grant is one person's standing permission for one app, with limits and a state.
type Grant struct {
	ID         GrantID
	RequestID  RequestID
	Version    int64 // grows by one with every change; storage swaps by it
	State      GrantState
	AppName    string
	AppURL     string
	Reason     string
	Asked      []Detail // what the app asked for, never changed; of a request that extends a grant only what is more: see Raise
	Details    []Detail // what holds: Asked until approval, then what the person gave; while one extends a grant, what that had then: see Terms
	SecretHash [32]byte // SHA-256 of the grant secret
	Owner      PersonID // who approved; empty until then
	Payer      Payer    // whose keys are lent and whose limits count: who answered; empty until then
	CreatedAt  time.Time
	ExpiresAt  time.Time // while pending: until when it can be answered
	ApprovedAt time.Time // zero: never
	RevokedAt  time.Time // zero: never
	Notes      string
	// KeepAnswers is the owner's leave to keep answers for a day, sealed, so that a call that is sent again with its Idempotency-Key
	// gets the first one's.
	KeepAnswers bool

	Client  ClientID // the OAuth client that asked; empty: it came by POST /grant-requests
	Site    string   // where the access goes, as Client.Site says it; empty: there is none that we know (AppURL is only a claim)
	Checked bool     // Site has proved that it asks: by its metadata document, or by a redirect URI that the owner registered
	JKT     string   // RFC 7638 thumbprint of the key that its tokens are bound to (RFC 9449); empty: bearer tokens
	Parent  GrantID  // the grant that this one was narrowed from by token exchange (RFC 8693); empty: a person gave it
	Actor   string   // JSON of the act claim (RFC 8693 §4.1): who acts for the person; empty: the client itself
	Above   []Above  // Parent and what is above that, the nearest first; empty: a person gave it
	Extends GrantID  // while pending: the active grant that it asks to raise; its approval changes that one
}

// To returns the grant after a move at a time, or an error of kind Conflict if the move does not exist. It does not change g.
// A grant whose time has passed moves as an expired one.
func (g Grant) To(next GrantState, now time.Time) (Grant, error) {
	g = g.At(now)
	if !slices.Contains(grantMoves[g.State], next) {
		return Grant{}, problem.New(problem.Conflict, "grant %s is %s and cannot become %s", g.ID, g.State.Wire(), next.Wire())
	}
	if next == GrantRevoked {
		g.RevokedAt = now
	}
	g.State, g.Version = next, g.Version+1
	return g, nil
}

// At returns the grant as it reads at a time: one that could still be used or answered, and whose end has come, reads as expired.
func (g Grant) At(now time.Time) Grant {
	switch g.State {
	case GrantPending, GrantActive, GrantPaused:
		if !now.Before(g.ExpiresAt) {
			g.State = GrantExpired
		}
	}
	return g
}

// Live says whether calls may be made at a time, or why not: GrantPaused or GrantEnded.
func (g Grant) Live(now time.Time) error {
	switch s := g.At(now).State; s {
	case GrantActive:
		return nil
	case GrantPaused:
		return problem.New(problem.GrantPaused, "the grant is paused by its owner")
	default:
		return problem.New(problem.GrantEnded, "the grant is %s", s.Wire())
	}
}

// Approval is what the person gives: a narrowing of each asked detail, in order, and a lifetime.
type Approval struct {
	Owner    PersonID
	Payer    Payer    // of Owner
	Narrowed []Detail // one for each asked detail; limits left out inherit; nil keeps all as asked
	Kept     []bool   // which of them are given at all; nil keeps all
	Lifetime time.Duration
	Defaults Limits // for a limit that neither the app nor the person set
	Fresh    bool   // the person has proved a moment ago who they are
}

// Bounds of a grant's life after approval.
const (
	MinLifetime = time.Second
	MaxLifetime = 366 * 24 * time.Hour
)

// Approve narrows a pending grant and makes it active. Errors: Conflict if it is not pending, Invalid with the field
// if the narrowing widens or the lifetime is out of bounds.
func (g Grant) Approve(a Approval, now time.Time) (Grant, error) {
	next, err := g.To(GrantActive, now)
	if err != nil {
		return Grant{}, err
	}
	if g.At(now).State != GrantPending || g.Extends != "" { // Extend answers a request that extends another grant
		return Grant{}, problem.New(problem.Conflict, "grant %s is %s and cannot be approved", g.ID, g.At(now).State.Wire())
	}
	if a.Lifetime < MinLifetime || a.Lifetime > MaxLifetime {
		return Grant{}, problem.New(problem.Invalid, "must be from 1 to %d seconds", int64(MaxLifetime/time.Second)).In("expiresInSeconds")
	}
	next.ExpiresAt = now.Add(a.Lifetime)
	next.Details = nil
	for i, asked := range g.Asked {
		if a.Kept != nil && !(i < len(a.Kept) && a.Kept[i]) {
			continue
		}
		given := asked
		if i < len(a.Narrowed) {
			if given, err = asked.Narrow(a.Narrowed[i]); err != nil {
				return Grant{}, err
			}
		}
		given = given.fill(a.Defaults)
		if e, ok := given.ExpiresAt.Get(); ok && time.Unix(e, 0).Before(next.ExpiresAt) {
			next.ExpiresAt = time.Unix(e, 0).UTC()
		}
		next.Details = append(next.Details, given)
	}
	if len(next.Details) == 0 {
		return Grant{}, problem.New(problem.Invalid, "nothing is left to grant").In("scope")
	}
	if !now.Before(next.ExpiresAt) {
		return Grant{}, problem.New(problem.Invalid, "would have expired already").In("expiresAt")
	}
	next.ApprovedAt, next.Owner, next.Payer = now, a.Owner, a.Payer
	return next, nil
}

// Cap is what the grant may spend in all, at every provider together.
func (g Grant) Cap() (sum Money) {
	for _, d := range g.Details {
		sum += d.Cap()
	}
	return sum
}

// DetailFor returns the index of the detail that covers a provider, or -1. A grant has at most one for each provider.
func (g Grant) DetailFor(p Provider) int {
	return slices.IndexFunc(g.Details, func(d Detail) bool { return d.Provider == p })
}

// Balance is what the ledger knows of a grant or of one of its details.
type Balance struct {
	Cap, Settled, Held Money
	CallsCap           int64
	Calls              int64 // that reached upstream or were charged, those in flight included
}

// Left is what can still be held. Never negative.
func (b Balance) Left() Money { return max(0, b.Cap-b.Settled-b.Held) }

// CallsLeft is how many calls may still be made. Never negative.
func (b Balance) CallsLeft() int64 { return max(0, b.CallsCap-b.Calls) }

// Standing is a grant with what the ledger knows of it.
type Standing struct {
	Grant   Grant
	Total   Balance
	Details []Balance // of each of Grant.Details, in order; nil while pending
}
