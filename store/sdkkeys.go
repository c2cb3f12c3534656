package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// SDKKeySetting is the name of the setting that changes with each SDK key or token that is revoked by itself. Instances that did not do it look
// for such a change.
const SDKKeySetting = "sdk_key_revoked"

// AddSDKKey is the step of token.Store.
func AddSDKKey(ctx context.Context, q *query.Queries, k passport.SDKKey, hash [32]byte, ev passport.Event) error {
	if err := AddToken(ctx, q, passport.Token{ID: k.ID, Grant: k.Grant, IssuedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt}, ev); err != nil {
		return err
	}
	n, err := q.LiveSDKKeys(ctx, query.LiveSDKKeysParams{GrantID: string(k.Grant), ExpiresAt: Micros(k.CreatedAt)})
	if err != nil {
		return err
	}
	if n >= passport.MaxSDKKeys {
		return TooManySDKKeys()
	}
	n, err = q.AddSDKKey(ctx, query.AddSDKKeyParams{ID: string(k.ID), GrantID: string(k.Grant), Hash: hash[:], Name: k.Name, Start: k.Start})
	if err == nil && n == 0 {
		return Exists("SDK key")
	}
	return err
}

// TooManySDKKeys says that a grant has all the keys that it can have.
func TooManySDKKeys() error {
	return problem.New(problem.Conflict, "an app has at most %d SDK keys that work: revoke one first", passport.MaxSDKKeys).In("name")
}

// TokenOfSDKKey is the step of token.Store.
func TokenOfSDKKey(ctx context.Context, q *query.Queries, hash [32]byte) (passport.Token, error) {
	t, err := q.TokenOfSDKKey(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Token{}, NotFound("SDK key")
	}
	return passport.Token{ID: passport.TokenID(t.ID), Grant: passport.GrantID(t.GrantID), IssuedAt: TimeOf(t.IssuedAt),
		ExpiresAt: TimeOf(t.ExpiresAt), RevokedAt: TimeOf(t.RevokedAt)}, err
}

// UsedSDKKeys is the step of token.Store.
func UsedSDKKeys(ctx context.Context, q *query.Queries, used map[passport.TokenID]time.Time) error {
	for _, id := range slices.Sorted(maps.Keys(used)) { // one order, so that two instances do not wait for each other
		if err := q.UsedSDKKey(ctx, query.UsedSDKKeyParams{UsedAt: Micros(used[id]), ID: string(id)}); err != nil {
			return err
		}
	}
	return nil
}

// SDKKeys is the step of authority.SDKKeys.
func SDKKeys(ctx context.Context, q *query.Queries, g passport.GrantID, limit int) ([]passport.SDKKey, error) {
	rows, err := q.SDKKeys(ctx, query.SDKKeysParams{GrantID: string(g), Limit: Bounded(limit)})
	var out []passport.SDKKey
	for _, r := range rows {
		out = append(out, passport.SDKKey{ID: passport.TokenID(r.ID), Grant: passport.GrantID(r.GrantID), Name: r.Name, Start: r.Start,
			CreatedAt: TimeOf(r.IssuedAt), ExpiresAt: TimeOf(r.ExpiresAt), RevokedAt: TimeOf(r.RevokedAt), UsedAt: TimeOf(r.UsedAt)})
	}
	return out, err
}

// LiveTokens is the step of authority.SDKKeys.
func LiveTokens(ctx context.Context, q *query.Queries, g passport.GrantID, now time.Time, limit int) (out []passport.Token, err error) {
	rows, err := q.LiveTokens(ctx, query.LiveTokensParams{GrantID: string(g), ExpiresAt: Micros(now), Limit: Bounded(limit)})
	for _, t := range rows {
		out = append(out, passport.Token{ID: passport.TokenID(t.ID), Grant: g, IssuedAt: TimeOf(t.IssuedAt), ExpiresAt: TimeOf(t.ExpiresAt)})
	}
	return out, err
}

// RevokeSDKKey is the step of authority.SDKKeys.
func RevokeSDKKey(ctx context.Context, q *query.Queries, g passport.GrantID, id passport.TokenID, ev passport.Event) error {
	n, err := q.SDKKeyThere(ctx, query.SDKKeyThereParams{ID: string(id), GrantID: string(g)})
	if err == nil && n == 0 {
		return NotFound("SDK key")
	}
	if err != nil {
		return err
	}
	return endToken(ctx, q, id, ev)
}

// RevokeToken is the step of authority.SDKKeys.
func RevokeToken(ctx context.Context, q *query.Queries, g passport.GrantID, id passport.TokenID, ev passport.Event) error {
	n, err := q.TokenThere(ctx, query.TokenThereParams{ID: string(id), GrantID: string(g)})
	if err == nil && n == 0 {
		return NoToken()
	}
	if err != nil {
		return err
	}
	return endToken(ctx, q, id, ev)
}

// endToken revokes a token, once, and leaves word of it for the other instances.
func endToken(ctx context.Context, q *query.Queries, id passport.TokenID, ev passport.Event) error {
	n, err := q.RevokeToken(ctx, query.RevokeTokenParams{RevokedAt: Micros(ev.At), ID: string(id)})
	if err != nil || n == 0 { // revoked already
		return err
	}
	if err := q.PutSetting(ctx, query.PutSettingParams{Name: SDKKeySetting, Value: string(ev.ID)}); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}
