package sqlite

import (
	"context"
	"errors"

	"github.com/ncruces/go-sqlite3"

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
	FROM token t LEFT JOIN grants g ON g.id = t.grant_id LEFT JOIN budget b ON b.grant_id = t.grant_id
	WHERE t.id = ?1 ORDER BY b.seq`

// liveReader is a connection with the one statement of Liveness.
type liveReader struct {
	conn *sqlite3.Conn
	st   *sqlite3.Stmt
}

func openLive(uri string) (*liveReader, error) {
	conn, err := sqlite3.Open(uri)
	if err != nil {
		return nil, err
	}
	if err := forReading(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	st, _, err := conn.PrepareFlags(sqlLive, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &liveReader{conn, st}, nil
}

func (r *liveReader) close() error { return errors.Join(r.st.Close(), r.conn.Close()) }

// Liveness implements token.Store.
func (s *Store) Liveness(ctx context.Context, id passport.TokenID) (passport.Liveness, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return passport.Liveness{}, errClosed()
	}
	l, commits, ok := s.known.get(id)
	if ok {
		return l, nil
	}
	var r *liveReader
	select {
	case r = <-s.live:
	case <-ctx.Done():
		return passport.Liveness{}, failed(ctx, ctx.Err())
	}
	defer func() { s.live <- r }()
	l, budgets, err := r.read(id)
	if err == nil {
		s.known.put(commits, l, budgets)
	}
	return l, failed(ctx, err)
}

// read steps through the rows. Reset ends the snapshot, whatever came before it.
func (r *liveReader) read(id passport.TokenID) (l passport.Liveness, budgets []passport.Balance, err error) {
	defer func() { err = errors.Join(err, r.st.Reset()) }()
	if err := bind(r.st).text(string(id)).err; err != nil {
		return l, nil, err
	}
	var g passport.Grant
	found := false
	for r.st.Step() {
		if !found {
			found = true
			if r.st.ColumnType(11) == sqlite3.NULL {
				return l, nil, store.NoGrantOf()
			}
			l.Token, l.Stopped = r.token(id), r.st.ColumnInt64(4) != 0
			if g, err = r.grant(); err != nil {
				return l, nil, err
			}
		}
		if r.st.ColumnType(5) != sqlite3.NULL {
			budgets = append(budgets, balanceAt(r.st, 6))
		}
	}
	if err := r.st.Err(); err != nil {
		return l, nil, err
	}
	if !found {
		return l, nil, store.NoToken()
	}
	l.Standing = store.StandingOf(g, budgets)
	return l, budgets, nil
}

func (r *liveReader) token(id passport.TokenID) passport.Token {
	return passport.Token{ID: id, Grant: passport.GrantID(r.st.ColumnText(0)), IssuedAt: store.TimeOf(r.st.ColumnInt64(1)),
		ExpiresAt: store.TimeOf(r.st.ColumnInt64(2)), RevokedAt: store.TimeOf(r.st.ColumnInt64(3))}
}

func (r *liveReader) grant() (passport.Grant, error) {
	st := r.st
	return store.GrantOf(query.Grant{ID: st.ColumnText(11), RequestID: st.ColumnText(12), Version: st.ColumnInt64(13),
		State: st.ColumnText(14), AppName: st.ColumnText(15), AppUrl: st.ColumnText(16), Reason: st.ColumnText(17),
		Asked: st.ColumnText(18), Details: st.ColumnText(19), SecretHash: st.ColumnRawBlob(20), OwnerID: st.ColumnText(21),
		CreatedAt: st.ColumnInt64(22), ExpiresAt: st.ColumnInt64(23), ApprovedAt: st.ColumnInt64(24),
		RevokedAt: st.ColumnInt64(25), Notes: st.ColumnText(26),
		KeepAnswers: st.ColumnInt64(27), ClientID: st.ColumnText(28), Site: st.ColumnText(29), Checked: st.ColumnInt64(30),
		Jkt: st.ColumnText(31), ParentID: st.ColumnText(32), Actor: st.ColumnText(33), ExtendsID: st.ColumnText(34), Above: st.ColumnText(35), Payer: st.ColumnText(36)})
}
