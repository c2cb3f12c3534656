package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// near says whether a part is 80 % of a whole or more. A whole of nothing is never near: nothing of it can be spent.
func near[T ~int64](part, whole T) bool { return whole > 0 && part >= whole-whole/5 }

// Passed lists what is to be told of a balance: near first, then all of it, of the money and of the calls.
func Passed(b passport.Balance) (out []passport.EventKind) {
	if near(b.Settled, b.Cap) {
		out = append(out, passport.GrantNearCap)
	}
	if b.Cap > 0 && b.Settled >= b.Cap {
		out = append(out, passport.GrantSpent)
	}
	if near(b.Calls, b.CallsCap) {
		out = append(out, passport.GrantNearCalls)
	}
	if b.CallsCap > 0 && b.Calls >= b.CallsCap {
		out = append(out, passport.GrantCallsSpent)
	}
	return out
}

// MayPass says whether the open holds of a balance may bring it to where something is to be told.
func MayPass(b passport.Balance) bool {
	return near(b.Settled+b.Held, b.Cap) || near(b.Calls, b.CallsCap)
}

// Outdone says whether a kind need not be told because a later one of the same list says more.
func Outdone(kind passport.EventKind, all []passport.EventKind) bool {
	more := map[passport.EventKind]passport.EventKind{passport.GrantNearCap: passport.GrantSpent,
		passport.GrantNearCalls: passport.GrantCallsSpent, passport.CeilingNear: passport.CeilingSpent}[kind]
	for _, k := range all {
		if k == more {
			return true
		}
	}
	return false
}

// PassedEvent tells that a grant has passed a mark. id is of what made it pass.
func PassedEvent(id passport.ReservationID, kind passport.EventKind, g passport.GrantID, b passport.Balance, at time.Time) passport.Event {
	var note string
	switch kind {
	case passport.GrantNearCap:
		note = fmt.Sprintf("%s of %s is spent", b.Settled, b.Cap)
	case passport.GrantSpent:
		note = fmt.Sprintf("all of %s is spent", b.Cap)
	case passport.GrantNearCalls:
		note = fmt.Sprintf("%d of %d calls are used", b.Calls, b.CallsCap)
	case passport.GrantCallsSpent:
		note = fmt.Sprintf("all %d calls are used", b.CallsCap)
	}
	return passport.Event{ID: passport.EventID(string(id) + ":" + string(kind) + ":" + string(g)), Kind: kind, At: at, Actor: "broker", Grant: g, Note: note}
}

// TellPassed writes the events of a grant that has passed a mark, each once until its caps change, and returns its balance.
func TellPassed(ctx context.Context, q *query.Queries, id passport.ReservationID, g passport.GrantID, at time.Time) (passport.Balance, error) {
	row, err := q.TotalBudget(ctx, string(g))
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Balance{}, nil
	}
	if err != nil {
		return passport.Balance{}, err
	}
	b := balanceOf(row)
	all := Passed(b)
	for _, kind := range all {
		if err := tellOnce(ctx, q, string(g), Outdone(kind, all), PassedEvent(id, kind, g, b, at)); err != nil {
			return b, err
		}
	}
	return b, nil
}

// tellPassedLine does as TellPassed for a grant and all above it.
func tellPassedLine(ctx context.Context, q *query.Queries, id passport.ReservationID, line []passport.GrantID, at time.Time) error {
	for _, g := range line {
		if _, err := TellPassed(ctx, q, id, g, at); err != nil {
			return err
		}
	}
	return nil
}

// Spent says whether what is settled leaves of a balance less than the least that a call could hold, though not nothing: that is Passed's.
func Spent(b passport.Balance, least passport.Money) bool {
	return b.Cap > 0 && b.Settled < b.Cap && b.Cap-b.Settled < least
}

// SpentEvent tells that what is left of a grant pays for no call.
func SpentEvent(g passport.GrantID, b passport.Balance, at time.Time) passport.Event {
	return passport.Event{ID: passport.EventID(fmt.Sprintf("%s:%s:%d:%d", g, passport.GrantSpent, b.Cap, b.Settled)), Kind: passport.GrantSpent, At: at, Actor: "broker",
		Grant: g, Note: fmt.Sprintf("%s of %s is left, which pays for no call", b.Cap-b.Settled, b.Cap)}
}

// TellSpent is the step of meter.Ledger. 80 % says nothing any more beside it.
func TellSpent(ctx context.Context, q *query.Queries, g passport.GrantID, least passport.Money, at time.Time) error {
	row, err := q.TotalBudget(ctx, string(g))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	b := balanceOf(row)
	if !Spent(b, least) {
		return nil
	}
	ev := SpentEvent(g, b, at)
	if _, err := q.Tell(ctx, query.TellParams{Subject: string(g), Kind: string(passport.GrantNearCap)}); err != nil {
		return err
	}
	return tellOnce(ctx, q, string(g), false, ev)
}

// tellOnce writes an event if its subject was not told of it before. A quiet one is only noted.
func tellOnce(ctx context.Context, q *query.Queries, subject string, quiet bool, ev passport.Event) error {
	n, err := q.Tell(ctx, query.TellParams{Subject: subject, Kind: string(ev.Kind)})
	if err != nil || n == 0 || quiet {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// PassedCeiling lists what is to be told of a month of a ceiling.
func PassedCeiling(c passport.Ceiling) (out []passport.EventKind) {
	if near(c.Spent(), c.Cap) {
		out = append(out, passport.CeilingNear)
	}
	if c.Cap > 0 && c.Spent() >= c.Cap {
		out = append(out, passport.CeilingSpent)
	}
	return out
}

// PassedCeilingEvent tells that a month of somebody's ceiling has passed a mark.
func PassedCeilingEvent(id passport.ReservationID, kind passport.EventKind, of passport.Payer, c passport.Ceiling, at time.Time) passport.Event {
	note := fmt.Sprintf("%s%s, %d: %s of %s is spent", passport.OwnLimit, c.ID, c.Month, c.Spent(), c.Cap)
	if kind == passport.CeilingSpent {
		note = fmt.Sprintf("%s%s, %d: all of %s is spent", passport.OwnLimit, c.ID, c.Month, c.Cap)
	}
	return passport.Event{ID: passport.EventID(string(id) + ":" + string(kind) + ":" + string(c.ID)), Kind: kind, At: at, Actor: "broker", Note: note, Payer: of}
}

// MonthSubject names a month of a ceiling among what is told once.
func MonthSubject(id passport.CeilingID, m passport.Month) string { return fmt.Sprintf("%s/%d", id, m) }

// TellPassedCeilings does as TellPassed for the ceilings whose months a settled call took from.
func TellPassedCeilings(ctx context.Context, q *query.Queries, id passport.ReservationID, took passport.Taken, at time.Time) error {
	for on, month := range took.Each {
		row, err := q.CeilingOf(ctx, query.CeilingOfParams{ID: string(on), Month: int64(month)})
		if errors.Is(err, sql.ErrNoRows) {
			continue // it has been taken away
		}
		if err != nil {
			return err
		}
		c := passport.Ceiling{ID: on, Month: month, Cap: passport.Money(row.Cap), Earlier: passport.Money(row.Earlier), Settled: passport.Money(row.Settled)}
		all := PassedCeiling(c)
		if len(all) == 0 {
			continue
		}
		of, err := payerOfCeiling(ctx, q, on)
		if err != nil {
			return err
		}
		for _, kind := range all {
			if err := tellOnce(ctx, q, MonthSubject(c.ID, c.Month), Outdone(kind, all), PassedCeilingEvent(id, kind, of, c, at)); err != nil {
				return err
			}
		}
	}
	return nil
}
