package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// AddToken is the step of token.Store.
func AddToken(ctx context.Context, q *query.Queries, t passport.Token, ev passport.Event) error {
	row, err := q.Grant(ctx, string(t.Grant))
	if errors.Is(err, sql.ErrNoRows) {
		return NotFound("grant")
	}
	if err != nil {
		return err
	}
	stops, err := Stops(ctx, q, passport.Payer(row.Payer))
	if err != nil {
		return err
	}
	if !stops.All.IsZero() || !stops.Own.IsZero() && row.State == string(passport.GrantActive) {
		return Stopped()
	}
	g := passport.Grant{State: passport.GrantState(row.State), ExpiresAt: TimeOf(row.ExpiresAt)}
	if err := g.Live(TimeOf(Micros(t.IssuedAt))); err != nil {
		return err
	}
	n, err := q.AddToken(ctx, query.AddTokenParams{ID: string(t.ID), GrantID: string(t.Grant), IssuedAt: Micros(t.IssuedAt),
		ExpiresAt: Micros(t.ExpiresAt), RevokedAt: Micros(t.RevokedAt)})
	return added(ctx, q, n, err, "token", ev)
}

// added ends a step that adds a row: with a conflict if there was one already, else with its event.
func added(ctx context.Context, q *query.Queries, n int64, err error, what string, ev passport.Event) error {
	if err != nil {
		return err
	}
	if n == 0 {
		return Exists(what)
	}
	return AddEvent(ctx, q, ev)
}

// SigningKeys is the step of token.Store.
func SigningKeys(ctx context.Context, q *query.Queries) ([]passport.SigningKey, error) {
	rows, err := q.SigningKeys(ctx)
	var out []passport.SigningKey
	for _, r := range rows {
		out = append(out, passport.SigningKey{ID: r.ID, State: passport.KeyState(r.State), Sealed: r.Sealed, Public: r.Public,
			CreatedAt: TimeOf(r.CreatedAt)})
	}
	return out, err
}

// RotateSigningKeys is the step of token.Store.
func RotateSigningKeys(ctx context.Context, q *query.Queries, add *passport.SigningKey, move map[string]passport.KeyState, ev passport.Event) error {
	if add != nil {
		n, err := q.AddSigningKey(ctx, query.AddSigningKeyParams{ID: add.ID, State: string(add.State), Sealed: blob(add.Sealed),
			Public: blob(add.Public), CreatedAt: Micros(add.CreatedAt)})
		if err != nil {
			return err
		}
		if n == 0 {
			return Exists("signing key")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(move)) {
		if err := moveSigningKey(ctx, q, id, move[id]); err != nil {
			return err
		}
	}
	return AddEvent(ctx, q, ev)
}

func moveSigningKey(ctx context.Context, q *query.Queries, id string, to passport.KeyState) error {
	var n int64
	var err error
	if to == "" {
		n, err = q.RemoveSigningKey(ctx, id)
	} else {
		n, err = q.MoveSigningKey(ctx, query.MoveSigningKeyParams{State: string(to), ID: id})
	}
	if err == nil && n == 0 {
		return KeyGone(id)
	}
	return err
}

// Credentials is the step of vault.Sealed.
func Credentials(ctx context.Context, q *query.Queries) ([]passport.Credential, error) {
	rows, err := q.Credentials(ctx)
	var out []passport.Credential
	for _, r := range rows {
		out = append(out, passport.Credential{ID: passport.CredentialID(r.ID), Payer: passport.Payer(r.Payer), Provider: passport.Provider(r.Provider), Label: r.Label,
			Sealed: r.Sealed, CreatedAt: TimeOf(r.CreatedAt), TestedAt: TimeOf(r.TestedAt), TestError: r.TestError,
			Version: r.Version, ChosenAt: TimeOf(r.ChosenAt), RotatedAt: TimeOf(r.RotatedAt), RefusedAt: TimeOf(r.RefusedAt)})
	}
	return out, err
}

// AddCredential is the step of vault.Sealed. In the engine's transaction nobody suspends or removes its payer meanwhile.
func AddCredential(ctx context.Context, q *query.Queries, c passport.Credential, ev passport.Event) error {
	if err := isThere(ctx, q, c.Payer); err != nil {
		return err
	}
	n, err := q.AddCredential(ctx, query.AddCredentialParams{ID: string(c.ID), Provider: string(c.Provider), Label: c.Label,
		Sealed: blob(c.Sealed), CreatedAt: Micros(c.CreatedAt), TestedAt: Micros(c.TestedAt), TestError: c.TestError,
		ChosenAt: Micros(c.ChosenAt), RotatedAt: Micros(c.RotatedAt), RefusedAt: Micros(c.RefusedAt), Payer: string(c.Payer)})
	return added(ctx, q, n, err, "credential", ev)
}

// RemoveCredential is the step of vault.Sealed.
func RemoveCredential(ctx context.Context, q *query.Queries, id passport.CredentialID, ev passport.Event) error {
	n, err := q.RemoveCredential(ctx, string(id))
	if err == nil && n == 0 {
		return NotFound("credential")
	}
	if err != nil {
		return err
	}
	if _, err := q.RemoveCeiling(ctx, string(passport.CredentialCeiling(id))); err != nil {
		return err
	}
	if err := q.RemoveNoticesOf(ctx, string(id)); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// removeCredentialsOf removes a provider's keys, with their ceilings.
func removeCredentialsOf(ctx context.Context, q *query.Queries, p passport.Provider) error {
	ids, err := q.CredentialsOf(ctx, string(p))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := q.RemoveCeiling(ctx, string(passport.CredentialCeiling(passport.CredentialID(id)))); err != nil {
			return err
		}
	}
	_, err = q.RemoveCredentialsOf(ctx, string(p))
	return err
}

// ChangeCredential is the step of vault.Sealed.
func ChangeCredential(ctx context.Context, q *query.Queries, c passport.Credential, ev passport.Event) error {
	n, err := q.ChangeCredential(ctx, query.ChangeCredentialParams{Label: c.Label, Sealed: blob(c.Sealed), TestedAt: Micros(c.TestedAt), TestError: c.TestError,
		ChosenAt: Micros(c.ChosenAt), RotatedAt: Micros(c.RotatedAt), RefusedAt: Micros(c.RefusedAt), ID: string(c.ID), Version: c.Version})
	if err != nil {
		return err
	}
	if n == 0 {
		there, err := q.HasCredential(ctx, string(c.ID))
		if err == nil && there == 0 {
			err = NotFound("credential")
		}
		if err != nil {
			return err
		}
		return CredentialChanged(c.ID)
	}
	if err := noticeKey(ctx, q, c, ev); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}
