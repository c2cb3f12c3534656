package meter

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Ledger is what the meter needs from storage. Its queue order is its commit order: BUDGET's cap rests on that.
type Ledger interface {
	// Hold sets h.Amount aside, or all that is left if that is at least h.Least, on every row of its path: the grant's total, the
	// detail's budget where the grant has several, and the ceilings that the owner has set over the person's month and the provider
	// key's. It counts the call on the first two, and writes the reservation and its event: all in one transaction that also
	// requires that the grant is active, not past its end, and apps are not stopped. Durable on nil.
	// Errors with nothing changed: GrantEnded, GrantPaused, BudgetSpent, CallsSpent, NotFound, KeyUsed, KeyReused, and Busy, with when
	// to try again. Any other error means that the outcome is unknown: never dial, never assume that it is void. The same ID twice is a Conflict.
	//
	// A hold with a claim takes the claim's key in the same transaction, for passport.ClaimLife from h.At. Where another call has the key
	// nothing is held: KeyUsed if it came with the same body, KeyReused if with another. That is looked at before all else.
	Hold(ctx context.Context, h passport.Hold) (passport.Held, error)

	// Settle turns a hold into spending: queued in order behind its hold and durable with a later commit, which is not
	// waited for. It waits only while the queue is full, until ctx ends. Settling what is no longer held changes nothing.
	// One that frees its claim (passport.Settlement.Frees) lets the key go, in the same transaction, unless a later call has it.
	// An actual above the hold is recorded whole and pauses the grant, with an event, in the same transaction.
	Settle(ctx context.Context, s passport.Settlement) error

	// TellSpent tells, once until the grant's cap is changed, that a grant is spent: what its settled calls leave of its cap is less than
	// least, which is above nothing. Else it does nothing. Asking again is safe. What is held counts as left: it may come back.
	TellSpent(ctx context.Context, g passport.GrantID, least passport.Money, at time.Time) error

	// ChargeOrphans charges every hold that is still open in full, with an event each. For the start, before listening.
	ChargeOrphans(ctx context.Context, at time.Time) (calls int, sum passport.Money, err error)
}
