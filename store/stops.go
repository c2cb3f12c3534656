package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// Stop is the step of authority.Store. Stopping again keeps the time of the first.
func Stop(ctx context.Context, q *query.Queries, stopped bool, ev passport.Event) error {
	if err := throw(ctx, q, StoppedSetting, stopped, ev.At); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

func throw(ctx context.Context, q *query.Queries, name string, stopped bool, at time.Time) error {
	if stopped {
		return q.AddSetting(ctx, query.AddSettingParams{Name: name, Value: strconv.FormatInt(Micros(at), 10)})
	}
	return q.RemoveSetting(ctx, name)
}

// StopOwn is the step of authority.Store. It goes through the budgets of what is active; a grant that becomes active later looks at the switch
// itself (statusOf), and the engines keep the two apart.
func StopOwn(ctx context.Context, q *query.Queries, payer passport.Payer, stopped bool, ev passport.Event) (changed []passport.GrantID, err error) {
	if payer == "" {
		return nil, problem.New(problem.Invalid, "nobody's apps cannot be stopped")
	}
	if err := throw(ctx, q, ownSetting(payer), stopped, ev.At); err != nil {
		return nil, err
	}
	from, to := StatusStopped, passport.GrantActive
	if stopped {
		from, to = to, from
	}
	ids, err := q.BudgetsOfPayer(ctx, query.BudgetsOfPayerParams{Member: payer.Member(), Status: string(from)})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		changed = append(changed, passport.GrantID(id))
	}
	if err := q.SetBudgetsOfPayer(ctx, query.SetBudgetsOfPayerParams{Status: string(to), Member: payer.Member(), Status_2: string(from)}); err != nil {
		return changed, err
	}
	return changed, AddEvent(ctx, q, ev)
}

// statusOf is the status of a grant's budgets: its state, unless it is active and its person has stopped all their apps.
func statusOf(ctx context.Context, q *query.Queries, g passport.Grant) (passport.GrantState, error) {
	if g.State != passport.GrantActive {
		return g.State, nil
	}
	at, err := since(ctx, q, ownSetting(g.Payer))
	if err == nil && !at.IsZero() {
		return StatusStopped, nil
	}
	return g.State, err
}

// Stops is the step of authority.History.
func Stops(ctx context.Context, q *query.Queries, payer passport.Payer) (s passport.Stops, err error) {
	if s.All, err = since(ctx, q, StoppedSetting); err == nil {
		s.Own, err = since(ctx, q, ownSetting(payer))
	}
	return s, err
}

// since reads since when a switch is thrown; zero: it is not.
func since(ctx context.Context, q *query.Queries, name string) (at time.Time, err error) {
	value, err := q.Setting(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read since when apps are stopped: %w", err)
	}
	return TimeOf(micros), nil
}
