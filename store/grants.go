package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// StoppedSetting is the name of the setting that is there while all apps are stopped; its value is since when, in microseconds.
const StoppedSetting = "apps_stopped"

// StatusStopped is the status of the budgets of a grant that is active while its person has stopped all their apps: then no hold gets
// through, and other instances find that its calls are over. It is no state of the grant, which is what it was when the apps run again.
const StatusStopped passport.GrantState = "stopped"

// ownSetting is the name of the setting that is there while all apps of a person are stopped.
func ownSetting(payer passport.Payer) string { return StoppedSetting + ":" + string(payer) }

// The functions below are the steps of a store's methods. Each runs inside one transaction of the engine's, returns a problem
// for what it refuses, and any other error for what the database could not do: then the engine undoes it.

// AddEvent appends an event, and puts it among what the owner's webhook is to be told of, and what its person is to see.
func AddEvent(ctx context.Context, q *query.Queries, ev passport.Event) error {
	if err := deliver(ctx, q, ev); err != nil {
		return err
	}
	if err := notice(ctx, q, ev); err != nil {
		return err
	}
	return q.AddEvent(ctx, query.AddEventParams{ID: string(ev.ID), Kind: string(ev.Kind), At: Micros(ev.At), Actor: ev.Actor,
		GrantID: string(ev.Grant), Note: ev.Note, Payer: string(ev.Payer)})
}

// AddGrant is the step of authority.Store.
func AddGrant(ctx context.Context, q *query.Queries, g passport.Grant, ev passport.Event) error {
	if err := CheckPending(g); err != nil {
		return err
	}
	if err := insertGrant(ctx, q, g); err != nil {
		return err
	}
	if _, err := q.DropOldRequests(ctx, MaxPending-1); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

func insertGrant(ctx context.Context, q *query.Queries, g passport.Grant) error {
	asked, details, err := bothDetails(g)
	if err != nil {
		return err
	}
	above, err := AboveJSON(g.Above)
	if err != nil {
		return err
	}
	n, err := q.AddGrant(ctx, query.AddGrantParams{
		ID: string(g.ID), RequestID: string(g.RequestID), Version: g.Version, State: string(g.State),
		AppName: g.AppName, AppUrl: g.AppURL, Reason: g.Reason, Asked: asked, Details: details, SecretHash: g.SecretHash[:],
		OwnerID: string(g.Owner), CreatedAt: Micros(g.CreatedAt), ExpiresAt: Micros(g.ExpiresAt),
		ApprovedAt: Micros(g.ApprovedAt), RevokedAt: Micros(g.RevokedAt), Notes: g.Notes,
		KeepAnswers: Bit(g.KeepAnswers), ClientID: string(g.Client), Site: g.Site, Checked: Bit(g.Checked), Jkt: g.JKT, ParentID: string(g.Parent), Actor: g.Actor,
		ExtendsID: string(g.Extends), Above: above, Payer: string(g.Payer),
	})
	if err == nil && n == 0 {
		return Exists("grant")
	}
	return err
}

func bothDetails(g passport.Grant) (asked, details string, err error) {
	if asked, err = DetailsJSON(g.Asked); err != nil {
		return "", "", err
	}
	details, err = DetailsJSON(g.Details)
	return asked, details, err
}

// ExtendGrant is the step of authority.Store. The request has no budgets, so it is swapped only.
func ExtendGrant(ctx context.Context, q *query.Queries, g, request passport.Grant, ev passport.Event) error {
	if err := CheckExtended(g, request); err != nil {
		return err
	}
	if err := ChangeGrant(ctx, q, g, ev); err != nil {
		return err
	}
	return swapGrant(ctx, q, request)
}

// swapGrant swaps the stored grant whose version is one less.
func swapGrant(ctx context.Context, q *query.Queries, g passport.Grant) error {
	if err := CheckGrant(g); err != nil {
		return err
	}
	if err := mayPay(ctx, q, g); err != nil {
		return err
	}
	asked, details, err := bothDetails(g)
	if err != nil {
		return err
	}
	n, err := q.ChangeGrant(ctx, query.ChangeGrantParams{
		RequestID: string(g.RequestID), Version: g.Version, State: string(g.State),
		AppName: g.AppName, AppUrl: g.AppURL, Reason: g.Reason, Asked: asked, Details: details, SecretHash: g.SecretHash[:],
		OwnerID: string(g.Owner), CreatedAt: Micros(g.CreatedAt), ExpiresAt: Micros(g.ExpiresAt),
		ApprovedAt: Micros(g.ApprovedAt), RevokedAt: Micros(g.RevokedAt), Notes: g.Notes,
		KeepAnswers: Bit(g.KeepAnswers), ClientID: string(g.Client), Site: g.Site, Checked: Bit(g.Checked), Jkt: g.JKT, ParentID: string(g.Parent), Actor: g.Actor,
		ExtendsID: string(g.Extends), Payer: string(g.Payer),
		ID: string(g.ID), Version_2: g.Version - 1,
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return unchanged(ctx, q, g.ID)
	}
	return nil
}

// ChangeGrant is the step of authority.Store.
func ChangeGrant(ctx context.Context, q *query.Queries, g passport.Grant, ev passport.Event) error {
	if err := swapGrant(ctx, q, g); err != nil {
		return err
	}
	if err := bringBudgets(ctx, q, g); err != nil {
		return err
	}
	if err := dropAnswers(ctx, q, g); err != nil {
		return err
	}
	if g.State == passport.GrantRevoked {
		at := cmp.Or(Micros(g.RevokedAt), Micros(ev.At))
		if _, err := q.RevokeTokens(ctx, query.RevokeTokensParams{RevokedAt: at, GrantID: string(g.ID)}); err != nil {
			return err
		}
		if err := q.RemoveNoticesOf(ctx, string(g.ID)); err != nil { // it has been decided on
			return err
		}
		if err := revokeBelow(ctx, q, g.ID, at, ev); err != nil {
			return err
		}
	} else if err := rateBelow(ctx, q, g, Micros(ev.At)); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// unchanged says why no grant was swapped.
func unchanged(ctx context.Context, q *query.Queries, id passport.GrantID) error {
	_, err := q.Grant(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return NotFound("grant")
	}
	if err != nil {
		return err
	}
	return Changed(id)
}

// bringBudgets opens the budgets of a grant that becomes active, or brings caps, status and end of open ones along.
func bringBudgets(ctx context.Context, q *query.Queries, g passport.Grant) error {
	open, err := q.Budgets(ctx, string(g.ID))
	if err != nil {
		return err
	}
	if len(open) == 0 && g.State != passport.GrantActive {
		return nil
	}
	status, err := statusOf(ctx, q, g)
	if err != nil {
		return err
	}
	total, parts := Budgets(g)
	path := append([]passport.Balance{total}, parts...)
	if len(open) > 0 && (len(open) != len(path) || len(g.Details) == 0) {
		return Reshaped(g.ID)
	}
	if len(open) > 0 && (open[0].Cap != int64(total.Cap) || open[0].CallsCap != total.CallsCap) {
		if err := forgetCaps(ctx, q, g.ID); err != nil {
			return err
		}
	}
	if len(open) == 0 && g.Parent == "" {
		if err := firstMark(ctx, q, g); err != nil {
			return err
		}
	}
	for seq, b := range path {
		if err := bringBudget(ctx, q, g, status, int64(seq), b, len(open) == 0); err != nil {
			return err
		}
	}
	return nil
}

func bringBudget(ctx context.Context, q *query.Queries, g passport.Grant, status passport.GrantState, seq int64, b passport.Balance, fresh bool) error {
	if fresh {
		return q.OpenBudget(ctx, query.OpenBudgetParams{GrantID: string(g.ID), Seq: seq, Status: string(status),
			ExpiresAt: Micros(g.ExpiresAt), Cap: int64(b.Cap), CallsCap: b.CallsCap, Member: g.Payer.Member()})
	}
	_, err := q.ChangeBudget(ctx, query.ChangeBudgetParams{Status: string(status), ExpiresAt: Micros(g.ExpiresAt),
		Cap: int64(b.Cap), CallsCap: b.CallsCap, GrantID: string(g.ID), Seq: seq})
	return err
}

// Standing is the step of authority.Store.
func Standing(ctx context.Context, q *query.Queries, id passport.GrantID) (passport.Standing, error) {
	row, err := q.Grant(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Standing{}, NotFound("grant")
	}
	if err != nil {
		return passport.Standing{}, err
	}
	budgets, err := q.Budgets(ctx, string(id))
	if err != nil {
		return passport.Standing{}, err
	}
	return standingOf(row, budgets)
}

// Standings is the step of authority.Store.
func Standings(ctx context.Context, q *query.Queries, payer passport.Payer, before time.Time, limit int) ([]passport.Standing, error) {
	end := int64(math.MaxInt64)
	if !before.IsZero() {
		end = Micros(before)
	}
	rows, err := q.GrantsBefore(ctx, query.GrantsBeforeParams{Payer: string(payer), CreatedAt: end, Limit: Bounded(limit)})
	if err != nil {
		return nil, err
	}
	budgets, err := q.BudgetsOfMany(ctx, query.BudgetsOfManyParams{Payer: string(payer), CreatedAt: end, Limit: Bounded(limit)})
	if err != nil {
		return nil, err
	}
	of := map[string][]query.Budget{}
	for _, b := range budgets {
		of[b.GrantID] = append(of[b.GrantID], b)
	}
	var out []passport.Standing
	for _, r := range rows {
		s, err := standingOf(r, of[r.ID])
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Bounded is a limit as SQL takes it: a negative one is nothing, not everything.
func Bounded(limit int) int32 { return int32(min(max(limit, 0), math.MaxInt32)) }

// Events reads the history after a sequence number, and the number to go on from.
func Events(ctx context.Context, q *query.Queries, after int64, limit int) ([]passport.Event, int64, error) {
	rows, err := q.EventsAfter(ctx, query.EventsAfterParams{Seq: after, Limit: Bounded(limit)})
	if err != nil {
		return nil, after, err
	}
	var out []passport.Event
	for _, r := range rows {
		after = r.Seq
		out = append(out, eventOf(r))
	}
	return out, after, nil
}

func eventOf(r query.Event) passport.Event {
	return passport.Event{ID: passport.EventID(r.ID), Kind: passport.EventKind(r.Kind), At: TimeOf(r.At), Actor: r.Actor,
		Grant: passport.GrantID(r.GrantID), Note: r.Note, Payer: passport.Payer(r.Payer)}
}

// EventsOf is the step of authority.History.
func EventsOf(ctx context.Context, q *query.Queries, g passport.GrantID, limit int) ([]passport.Event, error) {
	rows, err := q.EventsOf(ctx, query.EventsOfParams{GrantID: string(g), Limit: Bounded(limit)})
	var out []passport.Event
	for _, r := range rows {
		out = append(out, eventOf(r))
	}
	return out, err
}
