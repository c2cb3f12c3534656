package store

import (
	"fmt"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// GrantOf reads a row.
func GrantOf(r query.Grant) (passport.Grant, error) {
	g := passport.Grant{
		ID:         passport.GrantID(r.ID),
		RequestID:  passport.RequestID(r.RequestID),
		Version:    r.Version,
		State:      passport.GrantState(r.State),
		AppName:    r.AppName,
		AppURL:     r.AppUrl,
		Reason:     r.Reason,
		Owner:      passport.PersonID(r.OwnerID),
		Payer:      passport.Payer(r.Payer),
		CreatedAt:  TimeOf(r.CreatedAt),
		ExpiresAt:  TimeOf(r.ExpiresAt),
		ApprovedAt: TimeOf(r.ApprovedAt),
		RevokedAt:  TimeOf(r.RevokedAt),
		Notes:      r.Notes,

		KeepAnswers: r.KeepAnswers != 0,

		Client: passport.ClientID(r.ClientID), Site: r.Site, Checked: r.Checked != 0, JKT: r.Jkt,
		Parent: passport.GrantID(r.ParentID), Actor: r.Actor, Extends: passport.GrantID(r.ExtendsID),
	}
	copy(g.SecretHash[:], r.SecretHash)
	var err error
	if g.Asked, err = DetailsOf(r.Asked); err != nil {
		return passport.Grant{}, fmt.Errorf("grant %s: %w", r.ID, err)
	}
	if g.Details, err = DetailsOf(r.Details); err != nil {
		return passport.Grant{}, fmt.Errorf("grant %s: %w", r.ID, err)
	}
	if g.Above, err = AboveOf(r.Above); err != nil {
		return passport.Grant{}, fmt.Errorf("grant %s: %w", r.ID, err)
	}
	return g, nil
}

func balanceOf(r query.Budget) passport.Balance {
	return passport.Balance{Cap: passport.Money(r.Cap), Settled: passport.Money(r.Settled), Held: passport.Money(r.Held),
		CallsCap: r.CallsCap, Calls: r.Calls}
}

// standingOf joins a grant's row with its budgets, the total first.
func standingOf(r query.Grant, budgets []query.Budget) (passport.Standing, error) {
	g, err := GrantOf(r)
	if err != nil {
		return passport.Standing{}, err
	}
	path := make([]passport.Balance, len(budgets))
	for i, b := range budgets {
		path[i] = balanceOf(b)
	}
	return StandingOf(g, path), nil
}

// StandingOf joins a grant with its budgets, the total first; none: it was never approved.
func StandingOf(g passport.Grant, budgets []passport.Balance) passport.Standing {
	switch len(budgets) {
	case 0:
		return passport.Standing{Grant: g}
	case 1:
		return passport.Standing{Grant: g, Total: budgets[0], Details: budgets}
	default:
		return passport.Standing{Grant: g, Total: budgets[0], Details: budgets[1:]}
	}
}

// ReservationOf reads a row.
func ReservationOf(r query.Reservation) passport.Reservation {
	return passport.Reservation{
		ID:       passport.ReservationID(r.ID),
		Grant:    passport.GrantID(r.GrantID),
		Detail:   int(r.Detail),
		Provider: passport.Provider(r.Provider), Credential: passport.CredentialID(r.CredentialID),
		Model:  r.Model,
		Stream: r.Stream != 0,
		State:  passport.ReservationState(r.State),
		Amount: passport.Money(r.Amount),
		Actual: passport.Money(r.Actual),
		Usage: passport.Usage{Known: r.UsageKnown != 0, Input: r.Input, CacheRead: r.CacheRead, CacheWrite: r.CacheWrite,
			CacheWrite1h: r.CacheWrite1h, InputAudio: r.InputAudio, InputImage: r.InputImage, CacheAudio: r.CacheAudio, CacheImage: r.CacheImage,
			Output: r.Output, Reasoning: r.Reasoning, OutputAudio: r.OutputAudio, OutputImage: r.OutputImage, Searches: r.Searches,
			FileSearches: r.FileSearches, AudioSeconds: r.AudioSeconds},
		Why:       passport.Outcome(r.Why),
		Tariff:    r.Tariff,
		CreatedAt: TimeOf(r.CreatedAt),
		EndedAt:   TimeOf(r.EndedAt),
	}
}

func reservationsOf(rows []query.Reservation) []passport.Reservation {
	var out []passport.Reservation
	for _, r := range rows {
		out = append(out, ReservationOf(r))
	}
	return out
}

// Bit is how a boolean is kept.
func Bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// blob keeps an empty value apart from an absent one: no column takes NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
