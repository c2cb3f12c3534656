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

// FreezeGrant pauses a grant whose bill went above its hold, and all above it, with an event each. One that is not active any more stays
// as it is.
func FreezeGrant(ctx context.Context, q *query.Queries, s passport.Settlement, g passport.GrantID, amount passport.Money) error {
	all, err := line(ctx, q, g)
	if err != nil {
		return err
	}
	for _, g := range all {
		n, err := q.FreezeGrant(ctx, string(g))
		if err != nil {
			return err
		}
		if n > 0 {
			status := query.SetBudgetStatusParams{Status: string(passport.GrantPaused), GrantID: string(g)}
			if _, err := q.SetBudgetStatus(ctx, status); err != nil {
				return err
			}
		}
		if err := AddEvent(ctx, q, FrozenEvent(s, g, amount)); err != nil {
			return err
		}
	}
	return tellPassedLine(ctx, q, s.ID, all, s.At)
}

// SettleLate is a settlement of what is not held any more: it corrects a charge of recovery, once, or changes nothing. A bill above the
// hold freezes the grant here too.
func SettleLate(ctx context.Context, q *query.Queries, s passport.Settlement) error {
	row, err := q.Reservation(ctx, string(s.ID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	r := ReservationOf(row)
	if !AdjustSwept(r, s) {
		return nil
	}
	u := s.Usage
	if _, err := q.AdjustReservation(ctx, query.AdjustReservationParams{Actual: int64(s.Actual), Reached: Bit(s.Reached),
		Why: string(s.Why), UsageKnown: Bit(u.Known), Input: u.Input, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite,
		CacheWrite1h: u.CacheWrite1h, Output: u.Output, Reasoning: u.Reasoning, EndedAt: Micros(s.At), ID: row.ID,
		InputAudio: u.InputAudio, InputImage: u.InputImage, CacheAudio: u.CacheAudio, CacheImage: u.CacheImage, OutputAudio: u.OutputAudio,
		OutputImage: u.OutputImage, Searches: u.Searches, FileSearches: u.FileSearches, AudioSeconds: u.AudioSeconds}); err != nil {
		return err
	}
	if err := moveBudgets(ctx, q, query.MoveBudgetsParams{Settled: int64(s.Actual) - row.Actual, Calls: Bit(s.Reached) - 1,
		GrantID: row.GrantID, Seq: row.Detail + 1}); err != nil {
		return err
	}
	if err := moveCeilings(ctx, q, row, 0, int64(s.Actual)-row.Actual); err != nil {
		return err
	}
	if s.Actual > r.Amount {
		if err := raiseEarlier(ctx, q, row, int64(s.Actual)-row.Actual); err != nil {
			return err
		}
	}
	if err := AddEvent(ctx, q, AdjustedEvent(s, r.Grant, r.Amount)); err != nil || s.Actual <= r.Amount {
		return err
	}
	if err := TellPassedCeilings(ctx, q, s.ID, TakenBy(row), s.At); err != nil {
		return err
	}
	return FreezeGrant(ctx, q, s, r.Grant, r.Amount)
}

// ChargeOrphans is the step of meter.Ledger.
func ChargeOrphans(ctx context.Context, q *query.Queries, at time.Time) (calls int, sum passport.Money, err error) {
	const chunk = 1000
	for {
		rows, err := q.OpenReservations(ctx, chunk)
		if err != nil {
			return 0, 0, err
		}
		for _, row := range rows {
			if err := chargeOrphan(ctx, q, row, at); err != nil {
				return 0, 0, err
			}
			calls, sum = calls+1, sum+passport.Money(row.Amount)
		}
		if len(rows) < chunk {
			return calls, sum, nil
		}
	}
}

func chargeOrphan(ctx context.Context, q *query.Queries, row query.Reservation, at time.Time) error {
	row.EndedAt = Micros(at)
	sweep := query.SweepReservationParams{Why: string(passport.Orphaned), EndedAt: row.EndedAt, ID: row.ID}
	if n, err := q.SweepReservation(ctx, sweep); err != nil || n == 0 {
		return errors.Join(err, missing(n, row.ID))
	}
	if err := moveBudgets(ctx, q, query.MoveBudgetsParams{Held: -row.Amount, Settled: row.Amount, GrantID: row.GrantID, Seq: row.Detail + 1}); err != nil {
		return err
	}
	if err := moveCeilings(ctx, q, row, -row.Amount, row.Amount); err != nil {
		return err
	}
	r := ReservationOf(row)
	if err := AddEvent(ctx, q, ChargedEvent(r)); err != nil || row.Amount == 0 {
		return err // who is charged nothing passes no mark
	}
	all, err := line(ctx, q, r.Grant)
	if err != nil {
		return err
	}
	if err := tellPassedLine(ctx, q, r.ID, all, at); err != nil {
		return err
	}
	return TellPassedCeilings(ctx, q, r.ID, TakenBy(row), at)
}

func missing(n int64, id string) error {
	if n > 0 {
		return nil
	}
	return fmt.Errorf("reservation %s was held and is not", id)
}

// Reservations is the step of authority.History.
func Reservations(ctx context.Context, q *query.Queries, g passport.GrantID, before passport.ReservationID, limit int) ([]passport.Reservation, error) {
	if before == "" {
		rows, err := q.NewestReservations(ctx, query.NewestReservationsParams{GrantID: string(g), Limit: Bounded(limit)})
		return reservationsOf(rows), err
	}
	rows, err := q.ReservationsBefore(ctx, query.ReservationsBeforeParams{GrantID: string(g), ID: string(before), Limit: Bounded(limit)})
	return reservationsOf(rows), err
}

// Totals is the step of authority.History.
func Totals(ctx context.Context, q *query.Queries, payer passport.Payer, since time.Time) (settled, held passport.Money, calls int64, err error) {
	open, err := q.OpenTotals(ctx, query.OpenTotalsParams{CreatedAt: Micros(since), Payer: string(payer)})
	if err != nil {
		return 0, 0, 0, err
	}
	ended, err := q.EndedTotals(ctx, query.EndedTotalsParams{CreatedAt: Micros(since), ID: firstID(since), Payer: string(payer)})
	if err != nil {
		return 0, 0, 0, err
	}
	return passport.Money(ended.Settled), passport.Money(open.Held), open.Calls + ended.Calls, nil
}

// firstID is below every id that was made since a time: an id is a UUID of version 7, which begins with its milliseconds (RFC 9562 §5.7).
// A minute is left for clocks that are set back a little.
func firstID(since time.Time) string {
	ms := max(0, since.Add(-time.Minute).UnixMilli())
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}

// VerifyLedger lists the budgets and months of ceilings that differ from the sums of their reservations, and budgets that differ from their
// grant in status or end.
func VerifyLedger(ctx context.Context, q *query.Queries) ([]string, error) {
	balances, err := q.WrongBalances(ctx)
	if err != nil {
		return nil, err
	}
	statuses, err := q.WrongStatuses(ctx)
	if err != nil {
		return nil, err
	}
	out, err := verifyCeilings(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, w := range balances {
		out = append(out, fmt.Sprintf("grant %s budget %d: held %d settled %d calls %d, its reservations say %d, %d, %d",
			w.GrantID, w.Seq, w.Held, w.Settled, w.Calls, w.SumHeld, w.SumSettled, w.SumCalls))
	}
	for _, w := range statuses {
		out = append(out, fmt.Sprintf("grant %s: its budget says %s, the grant %s, or their ends differ", w.GrantID, w.Status, w.State))
	}
	return out, nil
}
