package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// AddPushed is the step of oauth.Store.
func AddPushed(ctx context.Context, q *query.Queries, p passport.Pushed) error {
	if err := q.DropEndedPushed(ctx, Micros(p.CreatedAt)); err != nil {
		return err
	}
	n, err := q.CountPushed(ctx)
	if err != nil {
		return err
	}
	if n >= passport.MaxPushed {
		return TooManyPushed()
	}
	n, err = q.AddPushed(ctx, query.AddPushedParams{Hash: p.Hash[:], ClientID: string(p.Client), Parameters: p.Parameters, Jkt: p.JKT,
		CreatedAt: Micros(p.CreatedAt), ExpiresAt: Micros(p.ExpiresAt)})
	if err == nil && n == 0 {
		return Exists("request")
	}
	return err
}

// TooManyPushed says that no more requests can wait.
func TooManyPushed() error {
	return problem.New(problem.Busy, "too many requests wait to be opened").After(time.Minute)
}

// TakePushed is the step of oauth.Store.
func TakePushed(ctx context.Context, q *query.Queries, hash [32]byte, client passport.ClientID, now time.Time) (passport.Pushed, error) {
	r, err := q.TakePushed(ctx, query.TakePushedParams{Hash: hash[:], ClientID: string(client), ExpiresAt: Micros(now)})
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Pushed{}, NotFound("request")
	}
	return passport.Pushed{Hash: hash, Client: client, Parameters: r.Parameters, JKT: r.Jkt, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)}, err
}

// AddAuthorization is the step of oauth.Store.
func AddAuthorization(ctx context.Context, q *query.Queries, a passport.Authorization) error {
	if err := q.DropOldAuthorizations(ctx, Micros(a.CreatedAt.Add(-passport.AuthorizedMemory))); err != nil {
		return err
	}
	n, err := q.AddAuthorization(ctx, query.AddAuthorizationParams{GrantID: string(a.Grant), ClientID: string(a.Client), RedirectUri: a.RedirectURI,
		RedirectSent: Bit(a.RedirectSent), State: a.State, Challenge: a.Challenge, Jkt: a.JKT, Browser: a.Browser[:],
		CreatedAt: Micros(a.CreatedAt), ExpiresAt: Micros(a.ExpiresAt)})
	if err == nil && n == 0 {
		return Exists("authorization")
	}
	return err
}

// Authorization is the step of oauth.Store.
func Authorization(ctx context.Context, q *query.Queries, g passport.GrantID) (passport.Authorization, error) {
	r, err := q.Authorization(ctx, string(g))
	return authorizationOf(r, err)
}

// AuthorizationByCode is the step of oauth.Store.
func AuthorizationByCode(ctx context.Context, q *query.Queries, code [32]byte) (passport.Authorization, error) {
	r, err := q.AuthorizationByCode(ctx, code[:])
	return authorizationOf(r, err)
}

func authorizationOf(r query.AuthorizationRequest, err error) (passport.Authorization, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Authorization{}, NotFound("authorization")
	}
	if err != nil {
		return passport.Authorization{}, err
	}
	a := passport.Authorization{Grant: passport.GrantID(r.GrantID), Client: passport.ClientID(r.ClientID), RedirectURI: r.RedirectUri,
		RedirectSent: r.RedirectSent != 0, State: r.State, Challenge: r.Challenge, JKT: r.Jkt, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt),
		CodeUntil: TimeOf(r.CodeUntil), RedeemedAt: TimeOf(r.RedeemedAt), GivenAt: TimeOf(r.GivenAt)}
	copy(a.Browser[:], r.Browser)
	copy(a.Code[:], r.Code)
	return a, nil
}

// SetCode is the step of oauth.Store.
func SetCode(ctx context.Context, q *query.Queries, g passport.GrantID, code [32]byte, until time.Time, ev passport.Event) error {
	n, err := q.SetCode(ctx, query.SetCodeParams{Code: code[:], CodeUntil: Micros(until), GrantID: string(g)})
	if err != nil {
		return err
	}
	if n == 0 {
		return Redeemed()
	}
	return AddEvent(ctx, q, ev)
}

// Redeemed says that a code was used before.
func Redeemed() error { return problem.New(problem.Conflict, "the code was used already") }

// RedeemCode is the step of oauth.Store.
func RedeemCode(ctx context.Context, q *query.Queries, code [32]byte, at time.Time) error {
	n, err := q.RedeemCode(ctx, query.RedeemCodeParams{RedeemedAt: Micros(at), Code: code[:]})
	if err == nil && n == 0 {
		return Redeemed()
	}
	return err
}

// AddRefresh is the step of oauth.Store.
func AddRefresh(ctx context.Context, q *query.Queries, r passport.Refresh, code [32]byte) error {
	if _, err := q.Grant(ctx, string(r.Grant)); errors.Is(err, sql.ErrNoRows) {
		return NotFound("grant")
	} else if err != nil {
		return err
	}
	seq, err := q.NextRefresh(ctx, string(r.Grant)) // two at once may get the same one, which only counts
	if err != nil {
		return err
	}
	n, err := q.AddRefresh(ctx, query.AddRefreshParams{Hash: r.Hash[:], GrantID: string(r.Grant), Seq: seq, IssuedAt: Micros(r.IssuedAt)})
	if err == nil && n == 0 {
		return Exists("refresh token")
	}
	if err != nil || code == [32]byte{} {
		return err
	}
	_, err = q.GaveForCode(ctx, query.GaveForCodeParams{GivenAt: Micros(r.IssuedAt), Code: code[:]})
	return err
}

// Refresh is the step of oauth.Store.
func Refresh(ctx context.Context, q *query.Queries, hash [32]byte) (passport.Refresh, error) {
	r, err := q.Refresh(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Refresh{}, NotFound("refresh token")
	}
	return passport.Refresh{Hash: hash, Grant: passport.GrantID(r.GrantID), Seq: r.Seq, IssuedAt: TimeOf(r.IssuedAt), UsedAt: TimeOf(r.UsedAt)}, err
}

// RotateRefresh is the step of oauth.Store.
func RotateRefresh(ctx context.Context, q *query.Queries, old, next [32]byte, at time.Time) error {
	n, err := q.UseRefresh(ctx, query.UseRefreshParams{UsedAt: Micros(at), Hash: old[:]})
	if err != nil {
		return err
	}
	r, err := Refresh(ctx, q, old) // read behind the update: another may have used it meanwhile
	if err != nil {
		return err
	}
	if n == 0 {
		s, err := Refresh(ctx, q, next)
		if problem.KindOf(err) == problem.NotFound {
			return Reused()
		}
		if err == nil && !SameAgain(r, s, at) {
			return Reused()
		}
		return err
	}
	n, err = q.AddRefresh(ctx, query.AddRefreshParams{Hash: next[:], GrantID: string(r.Grant), Seq: r.Seq + 1, IssuedAt: Micros(at)})
	if err == nil && n == 0 {
		return Exists("refresh token")
	}
	if err != nil {
		return err
	}
	return q.DropOldRefresh(ctx, query.DropOldRefreshParams{GrantID: string(r.Grant), Seq: r.Seq - passport.MaxRefresh})
}

// SameAgain says whether a used refresh token may get the successor that it got before: the answer may have been lost on its way.
func SameAgain(used, successor passport.Refresh, at time.Time) bool {
	return successor.Grant == used.Grant && successor.UsedAt.IsZero() && at.Sub(used.UsedAt) < passport.RefreshGrace
}

// Reused says that a refresh token was used before.
func Reused() error { return problem.New(problem.Conflict, "the refresh token was used already") }
