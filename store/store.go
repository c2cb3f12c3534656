// Package store holds what every store does alike: the checks of a hold, the caps of a grant, the texts of refusals, the events
// of the ledger, and the steps of the control plane over store/query. An engine (store/sqlite) brings the transaction that a
// step runs in, and its own hot path for hold and settle. It has no clock, opens nothing, and knows nobody who uses a store.
package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Micros is how a time is kept: whole microseconds since 1970 UTC, rounded down; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// TimeOf is the time that was kept, in UTC.
func TimeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// DetailsJSON is how details are kept.
func DetailsJSON(ds []passport.Detail) (string, error) {
	b, err := json.Marshal(ds)
	if err != nil {
		return "", fmt.Errorf("write details: %w", err)
	}
	return string(b), nil
}

// DetailsOf reads what DetailsJSON wrote.
func DetailsOf(text string) ([]passport.Detail, error) {
	var ds []passport.Detail
	if err := json.Unmarshal([]byte(text), &ds); err != nil {
		return nil, fmt.Errorf("read details: %w", err)
	}
	return ds, nil
}

// Budgets are the caps that a grant's details open: the total is their sum; parts has one for each detail, and is nil
// where the grant has one detail, whose budget the total is.
func Budgets(g passport.Grant) (total passport.Balance, parts []passport.Balance) {
	for _, d := range g.Details {
		part := passport.Balance{Cap: d.Cap(), CallsCap: d.MaxRequests.Or(0)}
		total.Cap += part.Cap
		total.CallsCap += part.CallsCap
		if len(g.Details) > 1 {
			parts = append(parts, part)
		}
	}
	return total, parts
}

// CheckGrant says what keeps a grant from being stored, as Invalid. It bounds the caps, so that their sum cannot overflow.
func CheckGrant(g passport.Grant) error {
	switch {
	case g.ID == "":
		return problem.New(problem.Invalid, "a grant needs an id")
	case g.State == "":
		return problem.New(problem.Invalid, "a grant needs a state")
	case len(g.Details) > passport.MaxDetails:
		return problem.New(problem.Invalid, "a grant has at most %d details", passport.MaxDetails)
	}
	for _, d := range g.Details {
		if d.MaxBudgetCents.Or(0) > passport.MaxCents || d.MaxRequests.Or(0) > passport.MaxCalls {
			return problem.New(problem.Invalid, "a detail's budget or calls are out of bounds")
		}
	}
	return nil
}

// MaxPending bounds how many grants wait for an answer, or waited in vain: when there are more, the oldest go. Strangers make
// them, and each takes up to some hundred kilobytes.
const MaxPending = 1000

// CheckPending says what keeps a grant from being added, as Invalid: only pending ones are.
func CheckPending(g passport.Grant) error {
	if g.State != passport.GrantPending {
		return problem.New(problem.Invalid, "a grant begins as pending, not as %q", g.State)
	}
	return CheckGrant(g)
}

// CheckExtended says what keeps a grant from being raised by a request, as Invalid.
func CheckExtended(g, request passport.Grant) error {
	if g.ID == request.ID || request.Extends != g.ID || request.State != passport.GrantExtended || g.State != passport.GrantActive {
		return problem.New(problem.Invalid, "request %s does not raise grant %s", request.ID, g.ID)
	}
	return nil
}

// NotFound says that there is no such thing.
func NotFound(what string) error { return problem.New(problem.NotFound, "there is no such %s", what) }

// Exists says that a thing of the same id is there already.
func Exists(what string) error { return problem.New(problem.Conflict, "this %s exists already", what) }

// Changed says that a grant is not at the version that a change was made from.
func Changed(g passport.GrantID) error {
	return problem.New(problem.Conflict, "grant %s has changed meanwhile", g)
}

// Stopped says that the owner has stopped all apps.
func Stopped() error { return problem.New(problem.GrantPaused, "all apps are stopped by the owner") }

// Reshaped says that an approved grant cannot get more or fewer details: each has its own budget.
func Reshaped(g passport.GrantID) error {
	return problem.New(problem.Invalid, "grant %s cannot get more or fewer details once it is approved", g)
}

// NoOwner says that nobody has set this broker up.
func NoOwner() error { return problem.New(problem.NotFound, "there is no owner yet") }

// HasOwner says that this broker has been set up already.
func HasOwner() error { return problem.New(problem.Conflict, "this broker has its owner already") }

// NoToken says that a token is unknown.
func NoToken() error { return problem.New(problem.NotFound, "there is no such token").In("token") }

// NoGrantOf says that a token's grant is unknown.
func NoGrantOf() error { return problem.New(problem.NotFound, "there is no such grant").In("grant") }

// KeyGone says that a signing key is no longer there.
func KeyGone(id string) error { return problem.New(problem.Conflict, "signing key %s has gone", id) }

// CredentialChanged says that a provider key is not at the version that a change was made from.
func CredentialChanged(id passport.CredentialID) error {
	return problem.New(problem.Conflict, "provider key %s has changed meanwhile", id)
}

// NotOpen says that a grant has no budget to hold on.
func NotOpen(g passport.GrantID) error {
	return problem.New(problem.GrantEnded, "grant %s has no budget", g)
}
