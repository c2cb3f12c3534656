package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// AboveJSON is how what is above a grant is kept; nothing is the empty text.
func AboveJSON(above []passport.Above) (string, error) {
	if len(above) == 0 {
		return "", nil
	}
	b, err := json.Marshal(above)
	if err != nil {
		return "", fmt.Errorf("write what is above a grant: %w", err)
	}
	return string(b), nil
}

// AboveOf reads what AboveJSON wrote.
func AboveOf(text string) (above []passport.Above, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &above); err != nil {
		return nil, fmt.Errorf("read what is above: %w", err)
	}
	return above, nil
}

// CheckChild says what keeps a grant that was narrowed from another from being added, as Invalid.
func CheckChild(g passport.Grant) error {
	if g.State != passport.GrantActive || g.Parent == "" || len(g.Details) == 0 {
		return problem.New(problem.Invalid, "a grant that is narrowed from another begins as active, with details")
	}
	if len(g.Above) == 0 || len(g.Above) > passport.MaxDelegation || g.Above[0].ID != g.Parent {
		return problem.New(problem.Invalid, "a grant that is narrowed from another has that one above it first, and %d at most", passport.MaxDelegation)
	}
	for _, a := range g.Above {
		if a.ID == g.ID || len(a.Details) != len(g.Details) || len(a.Rates) != len(g.Details) {
			return problem.New(problem.Invalid, "what is above a grant does not fit it")
		}
	}
	return CheckGrant(g)
}

// TooMany says that a grant, or a whole family, has as many grants narrowed from it as there may be.
func TooMany(family bool) error {
	if family {
		return problem.New(problem.Conflict, "the grant has been passed on, by all that it was passed on to together, to %d: as many as may use it at a time", passport.MaxFamily)
	}
	return problem.New(problem.Conflict, "the grant has been passed on to %d: as many as may use it at a time", passport.MaxChildren)
}

// ParentRow is the row of a's budgets, where there are several, that a detail of a child is counted on besides the total; 0: there is one.
func ParentRow(parent passport.Grant, at int) int64 {
	if len(parent.Details) < 2 {
		return 0
	}
	return int64(at) + 1
}

// AddChild is the step of authority.Family. In the engine's transaction nothing above the grant may end meanwhile.
func AddChild(ctx context.Context, q *query.Queries, g passport.Grant, ev passport.Event) error {
	if err := CheckChild(g); err != nil {
		return err
	}
	g, parent, err := aboveAlive(ctx, q, g, Micros(ev.At))
	if err != nil {
		return err
	}
	if n, err := q.ChildrenAlive(ctx, query.ChildrenAliveParams{ParentID: string(g.Parent), ExpiresAt: Micros(ev.At)}); err != nil || n >= passport.MaxChildren {
		return orTooMany(err, false)
	}
	root := g.Above[len(g.Above)-1].ID
	if family, err := below(ctx, q, root, Micros(ev.At)); err != nil || len(family) >= passport.MaxFamily {
		return orTooMany(err, true)
	}
	if err := insertGrant(ctx, q, g); err != nil {
		return err
	}
	status, err := statusOf(ctx, q, g)
	if err != nil {
		return err
	}
	total, parts := Budgets(g)
	for seq, b := range append([]passport.Balance{total}, parts...) {
		row := query.OpenChildBudgetParams{GrantID: string(g.ID), Seq: int64(seq), Status: string(status), ExpiresAt: Micros(g.ExpiresAt),
			Cap: int64(b.Cap), CallsCap: b.CallsCap, ParentID: string(g.Parent), Member: g.Payer.Member()}
		if at := max(0, seq-1); seq > 0 || len(parts) == 0 {
			row.ParentSeq = ParentRow(parent, g.Above[0].Details[at])
		}
		if err := q.OpenChildBudget(ctx, row); err != nil {
			return err
		}
	}
	return AddEvent(ctx, q, ev)
}

func orTooMany(err error, family bool) error {
	if err != nil {
		return err
	}
	return TooMany(family)
}

// aboveAlive reads what is above a grant, which must all be live, and returns the grant with the rates of now, and the nearest.
func aboveAlive(ctx context.Context, q *query.Queries, g passport.Grant, at int64) (rated, parent passport.Grant, err error) {
	for i, a := range g.Above {
		row, err := q.Grant(ctx, string(a.ID))
		if errors.Is(err, sql.ErrNoRows) {
			return g, parent, NotFound("grant")
		}
		if err != nil {
			return g, parent, err
		}
		up, err := GrantOf(row)
		if err != nil {
			return g, parent, err
		}
		if err := CheckAbove(g, i, up, at); err != nil {
			return g, parent, err
		}
		g, _ = g.RatedBy(up)
		if i == 0 {
			parent = up
		}
	}
	return g, parent, nil
}

// CheckAbove says why a grant cannot be added below up, which is at a place of its line: GrantEnded, GrantPaused; Invalid if the two do
// not fit.
func CheckAbove(g passport.Grant, i int, up passport.Grant, at int64) error {
	if err := up.Live(TimeOf(at)); err != nil {
		return NotLiveAbove(up.State, Micros(up.ExpiresAt), passport.Hold{Grant: up.ID, At: TimeOf(at)})
	}
	if up.Payer != g.Payer {
		return problem.New(problem.Invalid, "a grant that is narrowed from another is paid for by the same person")
	}
	if len(up.Above) != len(g.Above)-i-1 || len(up.Above) > 0 && up.Above[0].ID != g.Above[i+1].ID {
		return problem.New(problem.Invalid, "what is above a grant is not what is above the one that it comes from")
	}
	for _, d := range g.Above[i].Details {
		if d < 0 || d >= len(up.Details) {
			return problem.New(problem.Invalid, "grant %s has no detail %d", up.ID, d)
		}
	}
	return nil
}

// below lists the grants below one that can be used at a time, or could if they were not paused.
func below(ctx context.Context, q *query.Queries, g passport.GrantID, at int64) ([]string, error) {
	return q.Below(ctx, query.BelowParams{ParentID: string(g), ExpiresAt: at, ExpiresAt_2: at, Limit: 2 * passport.MaxFamily})
}

// rateBelow brings the rates of a grant to what is below it: calls there count on its rate too.
func rateBelow(ctx context.Context, q *query.Queries, g passport.Grant, at int64) error {
	ids, err := below(ctx, q, g.ID, at)
	if err != nil {
		return err
	}
	for _, id := range ids {
		text, err := q.AboveOf(ctx, id)
		if err != nil {
			return err
		}
		above, err := AboveOf(text)
		if err != nil {
			return err
		}
		child, changed := passport.Grant{Above: above}.RatedBy(g)
		if !changed {
			continue
		}
		if text, err = AboveJSON(child.Above); err != nil {
			return err
		}
		if _, err := q.SetAbove(ctx, query.SetAboveParams{Above: text, ID: id}); err != nil {
			return err
		}
	}
	return nil
}

// BelowEvent tells that a grant ended with the one that it was narrowed from.
func BelowEvent(ev passport.Event, g passport.GrantID) passport.Event {
	ev.ID, ev.Grant, ev.Note = ev.ID+":"+passport.EventID(g), g, "with the grant that it was passed on from"
	return ev
}

// revokeBelow ends what is below a grant that is revoked. What has expired is left as it is.
func revokeBelow(ctx context.Context, q *query.Queries, g passport.GrantID, at int64, ev passport.Event) error {
	ids, err := below(ctx, q, g, at)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := q.RevokeBelow(ctx, query.RevokeBelowParams{RevokedAt: at, ID: id}); err != nil {
			return err
		}
		if _, err := q.SetBudgetStatus(ctx, query.SetBudgetStatusParams{Status: string(passport.GrantRevoked), GrantID: id}); err != nil {
			return err
		}
		if _, err := q.RevokeTokens(ctx, query.RevokeTokensParams{RevokedAt: at, GrantID: id}); err != nil {
			return err
		}
		if _, err := q.DropAnswersOf(ctx, id); err != nil {
			return err
		}
		if err := AddEvent(ctx, q, BelowEvent(ev, passport.GrantID(id))); err != nil {
			return err
		}
	}
	return nil
}

// Children is the step of authority.Family.
func Children(ctx context.Context, q *query.Queries, g passport.GrantID, limit int) ([]passport.Standing, error) {
	rows, err := q.Children(ctx, query.ChildrenParams{ParentID: string(g), Limit: Bounded(limit)})
	if err != nil {
		return nil, err
	}
	var out []passport.Standing
	for _, r := range rows {
		budgets, err := q.Budgets(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		s, err := standingOf(r, budgets)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// moveBudgets moves money and calls of a detail on the budgets of its grant and of all above it.
func moveBudgets(ctx context.Context, q *query.Queries, m query.MoveBudgetsParams) error {
	for range passport.MaxDelegation + 1 {
		if _, err := q.MoveBudgets(ctx, m); err != nil {
			return err
		}
		up, err := q.ParentOf(ctx, query.ParentOfParams{GrantID: m.GrantID, Seq: m.Seq})
		if err != nil && !errors.Is(err, sql.ErrNoRows) || up.ParentID == "" {
			return noRows(err)
		}
		m.GrantID, m.Seq = up.ParentID, up.ParentSeq
	}
	return nil
}

func noRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// line is a grant and all above it, the nearest first.
func line(ctx context.Context, q *query.Queries, g passport.GrantID) ([]passport.GrantID, error) {
	out := []passport.GrantID{g}
	for range passport.MaxDelegation {
		up, err := q.ParentOf(ctx, query.ParentOfParams{GrantID: string(out[len(out)-1])})
		if err != nil || up.ParentID == "" {
			return out, noRows(err)
		}
		out = append(out, passport.GrantID(up.ParentID))
	}
	return out, nil
}
