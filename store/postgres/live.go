package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// sqlLive is one statement, so one snapshot: the token, its grant, the grant's budgets (a row each, the total first).
const sqlLive = `SELECT t.grant_id, t.issued_at, t.expires_at, t.revoked_at,
	EXISTS (SELECT 1 FROM setting WHERE name = '` + store.StoppedSetting + `') OR coalesce(b.status, '') = '` + string(store.StatusStopped) + `',
	b.seq, b.cap, b.settled, b.held, b.calls_cap, b.calls,
	g.id, g.request_id, g.version, g.state, g.app_name, g.app_url, g.reason, g.asked, g.details, g.secret_hash, g.owner_id,
	g.created_at, g.expires_at, g.approved_at, g.revoked_at, g.notes, g.keep_answers,
	g.client_id, g.site, g.checked, g.jkt, g.parent_id, g.actor, g.extends_id, g.above, g.payer
	FROM token t JOIN grants g ON g.id = t.grant_id LEFT JOIN budget b ON b.grant_id = t.grant_id
	WHERE t.id = $1 ORDER BY b.seq`

// Liveness implements token.Store. A token without a grant cannot be: the grant is a foreign key.
func (s *Store) Liveness(ctx context.Context, id passport.TokenID) (passport.Liveness, error) {
	if !storable(string(id)) {
		return passport.Liveness{}, store.NoToken()
	}
	var l passport.Liveness
	err := s.look(ctx, func() error {
		rows, err := s.pool.Query(ctx, sqlLive, string(id))
		if err == nil {
			l, err = live(rows, id)
		}
		return err
	})
	return l, err
}

func live(rows pgx.Rows, id passport.TokenID) (l passport.Liveness, err error) {
	defer rows.Close()
	var g query.Grant
	var budgets []passport.Balance
	for rows.Next() {
		var t query.Token
		var seq, limit, settled, held, callsCap, calls *int64
		if err := rows.Scan(&t.GrantID, &t.IssuedAt, &t.ExpiresAt, &t.RevokedAt, &l.Stopped, &seq, &limit, &settled, &held, &callsCap, &calls,
			&g.ID, &g.RequestID, &g.Version, &g.State, &g.AppName, &g.AppUrl, &g.Reason, &g.Asked, &g.Details, &g.SecretHash, &g.OwnerID,
			&g.CreatedAt, &g.ExpiresAt, &g.ApprovedAt, &g.RevokedAt, &g.Notes, &g.KeepAnswers,
			&g.ClientID, &g.Site, &g.Checked, &g.Jkt, &g.ParentID, &g.Actor, &g.ExtendsID, &g.Above, &g.Payer); err != nil {
			return l, err
		}
		l.Token = passport.Token{ID: id, Grant: passport.GrantID(t.GrantID), IssuedAt: store.TimeOf(t.IssuedAt),
			ExpiresAt: store.TimeOf(t.ExpiresAt), RevokedAt: store.TimeOf(t.RevokedAt)}
		if seq != nil {
			budgets = append(budgets, passport.Balance{Cap: passport.Money(*limit), Settled: passport.Money(*settled),
				Held: passport.Money(*held), CallsCap: *callsCap, Calls: *calls})
		}
	}
	if err := rows.Err(); err != nil {
		return passport.Liveness{}, err
	}
	if g.ID == "" {
		return passport.Liveness{}, store.NoToken()
	}
	grant, err := store.GrantOf(g)
	if err != nil {
		return passport.Liveness{}, err
	}
	l.Standing = store.StandingOf(grant, budgets)
	return l, nil
}

func collectTexts(rows pgx.Rows) ([]string, error) {
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
