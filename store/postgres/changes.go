package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// Locks that keep steps apart which the one writer of SQLite runs one after the other. Each is taken before the step's first read, so
// what the step reads is the truth until it commits. The order everywhere is budgets, then grants, then the rest. There is no lock for
// all of the control plane: an instance that stands still in a transaction must not keep others from revoking.

// only lets one transaction at a time pass, of all instances, by name.
func only(name string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext($1))`, "aipassport."+name)
		return err
	}
}

// both is two of these, in their order.
func both(first, second string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		if err := only(first)(ctx, tx); err != nil {
			return err
		}
		return only(second)(ctx, tx)
	}
}

// budgets locks a grant's budgets as apply_batch does: batches before have counted, batches behind see the change.
func budgets(g passport.GrantID) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM budget WHERE grant_id = $1 ORDER BY seq FOR NO KEY UPDATE`, string(g))
		return err
	}
}

// withPayer takes a lock for a grant that becomes active, before it the switch that stops all apps of who pays for it, and after it keeps a
// member from being suspended or removed: who does that waits for this commit and sees the grant, or is seen.
func withPayer(g passport.Grant, lock func(context.Context, *sql.Tx) error) func(context.Context, *sql.Tx) error {
	if g.State != passport.GrantActive {
		return lock
	}
	return func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock_shared(hashtext($1))`, ownSwitch(g.Payer)); err != nil {
			return err
		}
		if err := lock(ctx, tx); err != nil || g.Payer.Member() == "" {
			return err
		}
		return payer(g.Payer)(ctx, tx)
	}
}

// payer keeps a member as they are.
func payer(p passport.Payer) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM person WHERE id = $1 FOR SHARE`, p.Member())
		return err
	}
}

// grant keeps a grant as it is.
func grant(g passport.GrantID) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM grants WHERE id = $1 FOR SHARE`, string(g))
		return err
	}
}

// grantAlone keeps a grant as it is, and others who want that out.
func grantAlone(g passport.GrantID) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM grants WHERE id = $1 FOR NO KEY UPDATE`, string(g))
		return err
	}
}

// AddGrant implements authority.Store. Alone, so that the bound on requests is kept exactly.
func (s *Store) AddGrant(ctx context.Context, g passport.Grant, ev passport.Event) error {
	return s.change(ctx, only("requests"), func(ctx context.Context, q *query.Queries) error { return store.AddGrant(ctx, q, g, ev) })
}

// family locks the budgets of a grant and of all below it, in the order of apply_batch.
func family(g passport.GrantID) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM budget WHERE grant_id IN (`+sqlBelow+`) ORDER BY grant_id, seq FOR NO KEY UPDATE`, string(g))
		return err
	}
}

// sqlBelow is a grant, $1, and all that was narrowed from it.
const sqlBelow = `WITH RECURSIVE below (id) AS (SELECT $1::TEXT COLLATE "C" UNION ALL
	SELECT c.id FROM grants c JOIN below b ON c.parent_id = b.id WHERE c.parent_id <> '') SELECT id FROM below`

// line keeps what is above a grant as it is, and others who want to add to its parent or end any of it out until this is done.
func line(g passport.Grant) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `SELECT 1 FROM grants WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`, textsOf(g.Line()))
		return err
	}
}

// AddChild implements authority.Family. A revoke of what is above waits for it, and ends it too, or is seen.
func (s *Store) AddChild(ctx context.Context, g passport.Grant, ev passport.Event) error {
	return s.change(ctx, withPayer(g, line(g)), func(ctx context.Context, q *query.Queries) error { return store.AddChild(ctx, q, g, ev) })
}

// ChangeGrant implements authority.Store. No hold slips in behind a revoke: its batch waits for this commit, or this for its.
func (s *Store) ChangeGrant(ctx context.Context, g passport.Grant, ev passport.Event) error {
	lock := budgets(g.ID)
	if g.State == passport.GrantRevoked {
		lock = family(g.ID)
	}
	return s.change(ctx, withPayer(g, lock), func(ctx context.Context, q *query.Queries) error { return store.ChangeGrant(ctx, q, g, ev) })
}

// ExtendGrant implements authority.Store. A revoke of the grant waits for it, or it for the revoke, whose version is another then.
func (s *Store) ExtendGrant(ctx context.Context, g, request passport.Grant, ev passport.Event) error {
	return s.change(ctx, withPayer(g, budgets(g.ID)), func(ctx context.Context, q *query.Queries) error {
		return store.ExtendGrant(ctx, q, g, request, ev)
	})
}

// Stop implements authority.Store. It waits for the batches that did not see it.
func (s *Store) Stop(ctx context.Context, stopped bool, ev passport.Event) error {
	return s.change(ctx, only("stop"), func(ctx context.Context, q *query.Queries) error { return store.Stop(ctx, q, stopped, ev) })
}

// sqlNotify makes other instances look at what has ended, when this commits.
const sqlNotify = `SELECT pg_notify('` + channel + `', 'own stopped')`

// StopOwn implements authority.Store. It waits for what becomes active in this person's name, and then for the batches that did not see it;
// what comes behind sees it.
func (s *Store) StopOwn(ctx context.Context, payer passport.Payer, stopped bool, ev passport.Event) (changed []passport.GrantID, err error) {
	lock := func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext($1))`, ownSwitch(payer)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `SELECT 1 FROM budget WHERE member = $1 AND status IN ('active', $2) ORDER BY grant_id, seq FOR NO KEY UPDATE`,
			payer.Member(), string(store.StatusStopped)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, sqlNotify)
		return err
	}
	err = s.change(ctx, lock, func(ctx context.Context, q *query.Queries) (err error) {
		changed, err = store.StopOwn(ctx, q, payer, stopped, ev)
		return err
	})
	return changed, err
}

// ownSwitch names the lock of the switch that stops all apps of a person.
func ownSwitch(payer passport.Payer) string { return "aipassport.own." + string(payer) }

// RotateSigningKeys implements token.Store.
func (s *Store) RotateSigningKeys(ctx context.Context, add *passport.SigningKey, move map[string]passport.KeyState, ev passport.Event) error {
	return s.change(ctx, only("keys"), func(ctx context.Context, q *query.Queries) error {
		return store.RotateSigningKeys(ctx, q, add, move, ev)
	})
}

// AddToken implements token.Store. A revoke waits until the token is there to be revoked with the others.
func (s *Store) AddToken(ctx context.Context, t passport.Token, ev passport.Event) error {
	return s.change(ctx, grant(t.Grant), func(ctx context.Context, q *query.Queries) error { return store.AddToken(ctx, q, t, ev) })
}

// AddCredential implements vault.Sealed.
func (s *Store) AddCredential(ctx context.Context, c passport.Credential, ev passport.Event) error {
	return s.change(ctx, payer(c.Payer), func(ctx context.Context, q *query.Queries) error { return store.AddCredential(ctx, q, c, ev) })
}

// RemoveCredential implements vault.Sealed.
func (s *Store) RemoveCredential(ctx context.Context, id passport.CredentialID, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.RemoveCredential(ctx, q, id, ev) })
}

// ChangeCredential implements vault.Sealed.
func (s *Store) ChangeCredential(ctx context.Context, c passport.Credential, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.ChangeCredential(ctx, q, c, ev) })
}

// AddFirstPerson implements identity.Store. Alone: of two who come at once one becomes the owner.
func (s *Store) AddFirstPerson(ctx context.Context, p passport.Person, ev passport.Event) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.AddFirstPerson(ctx, q, p, ev) })
}

// AddSetup implements identity.Store. Not beside the first person, who drops all links.
func (s *Store) AddSetup(ctx context.Context, hash [32]byte, until, now time.Time) error {
	return s.change(ctx, only("person"), func(ctx context.Context, q *query.Queries) error { return store.AddSetup(ctx, q, hash, until, now) })
}

// AddSession implements identity.Store.
func (s *Store) AddSession(ctx context.Context, d passport.Session, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.AddSession(ctx, q, d, ev) })
}

// EndSession implements identity.Store.
func (s *Store) EndSession(ctx context.Context, hash [32]byte, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.EndSession(ctx, q, hash, ev) })
}

// EndOwnerToken implements identity.Store.
func (s *Store) EndOwnerToken(ctx context.Context, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.EndOwnerToken(ctx, q, who, hash, ev) })
}

// AddOwnerToken implements identity.Store.
func (s *Store) AddOwnerToken(ctx context.Context, t passport.OwnerToken, ev passport.Event, now time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.AddOwnerToken(ctx, q, t, ev, now) })
}

// SetCeiling implements authority.Ceilings.
func (s *Store) SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, ev passport.Event) error {
	return s.change(ctx, only("ceilings"), func(ctx context.Context, q *query.Queries) error { return store.SetCeiling(ctx, q, id, most, ev) })
}

// LimitMember implements authority.Ceilings. The member is not removed meanwhile.
func (s *Store) LimitMember(ctx context.Context, member passport.PersonID, most passport.Limit, ev passport.Event) error {
	return s.change(ctx, both("person", "ceilings"), func(ctx context.Context, q *query.Queries) error {
		return store.LimitMember(ctx, q, member, most, ev)
	})
}

// RemoveCeiling implements authority.Ceilings.
func (s *Store) RemoveCeiling(ctx context.Context, id passport.CeilingID, ev passport.Event) error {
	return s.change(ctx, only("ceilings"), func(ctx context.Context, q *query.Queries) error { return store.RemoveCeiling(ctx, q, id, ev) })
}
