package store

import (
	"context"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// TooManyPasskeys is why a person gets no further passkey.
func TooManyPasskeys() error {
	return problem.New(problem.Conflict, "there are %d passkeys already: remove one first", passport.MaxPasskeys)
}

// LastWayIn is why a passkey stays.
func LastWayIn() error {
	return problem.New(problem.Conflict, "this is the last way in: it stays")
}

// CheckPasskey says what keeps a passkey from being stored, as Invalid.
func CheckPasskey(k passport.Passkey) error {
	if len(k.ID) == 0 || len(k.ID) > passport.MaxPasskeyID || len(k.PublicKey) == 0 || k.Label == "" || len(k.Label) > passport.MaxPasskeyLabel {
		return problem.New(problem.Invalid, "a passkey needs an id of 1 to %d bytes, a public key and a name of 1 to %d bytes", passport.MaxPasskeyID, passport.MaxPasskeyLabel)
	}
	return nil
}

// AddPasskey is the step of identity.Store.
func AddPasskey(ctx context.Context, q *query.Queries, k passport.Passkey, ev passport.Event) error {
	if err := CheckPasskey(k); err != nil {
		return err
	}
	all, err := Passkeys(ctx, q, k.Person)
	if err != nil {
		return err
	}
	if len(all) >= passport.MaxPasskeys {
		return TooManyPasskeys()
	}
	n, err := q.AddPasskey(ctx, query.AddPasskeyParams{ID: k.ID, PersonID: string(k.Person), PublicKey: k.PublicKey, SignCount: int64(k.SignCount),
		Transports: k.Transports, Eligible: Bit(k.Eligible), BackedUp: Bit(k.BackedUp), Label: k.Label, CreatedAt: Micros(k.CreatedAt)})
	return added(ctx, q, n, err, "passkey", ev)
}

// Passkeys is the step of identity.Store.
func Passkeys(ctx context.Context, q *query.Queries, who passport.PersonID) ([]passport.Passkey, error) {
	rows, err := q.Passkeys(ctx, query.PasskeysParams{PersonID: string(who), Limit: passport.MaxPasskeys})
	out := make([]passport.Passkey, 0, len(rows))
	for _, r := range rows {
		if r.SignCount < 0 || r.SignCount > 1<<32-1 {
			return nil, fmt.Errorf("a passkey's counter is %d", r.SignCount)
		}
		out = append(out, passport.Passkey{ID: r.ID, Person: passport.PersonID(r.PersonID), PublicKey: r.PublicKey, SignCount: uint32(r.SignCount),
			Transports: r.Transports, Eligible: r.Eligible != 0, BackedUp: r.BackedUp != 0, Label: r.Label, CreatedAt: TimeOf(r.CreatedAt), UsedAt: TimeOf(r.UsedAt)})
	}
	return out, err
}

// HasPasskeys is the step of identity.Store.
func HasPasskeys(ctx context.Context, q *query.Queries) (bool, error) {
	n, err := q.CountPasskeys(ctx)
	return n > 0, err
}

// UsePasskey is the step of identity.Store.
func UsePasskey(ctx context.Context, q *query.Queries, u passport.Passkey, refused passport.Event) (bool, error) {
	n, err := q.UsePasskey(ctx, query.UsePasskeyParams{SignCount: int64(u.SignCount), BackedUp: Bit(u.BackedUp), UsedAt: Micros(u.UsedAt), ID: u.ID})
	if err != nil || n == 1 {
		return err == nil, err
	}
	return false, AddEvent(ctx, q, refused)
}

// RenamePasskey is the step of identity.Store.
func RenamePasskey(ctx context.Context, q *query.Queries, who passport.PersonID, id []byte, label string, ev passport.Event) error {
	n, err := q.RenamePasskey(ctx, query.RenamePasskeyParams{Label: label, ID: id, PersonID: string(who)})
	return gone(ctx, q, n, err, "passkey", ev)
}

// RemovePasskey is the step of identity.Store.
func RemovePasskey(ctx context.Context, q *query.Queries, who passport.PersonID, id []byte, ev passport.Event) error {
	n, err := q.RemovePasskey(ctx, query.RemovePasskeyParams{ID: id, PersonID: string(who)})
	if err := gone(ctx, q, n, err, "passkey", ev); err != nil {
		return err
	}
	p, err := q.Person(ctx, string(who))
	if err != nil || p.PasswordHash != "" {
		return err
	}
	left, err := q.Passkeys(ctx, query.PasskeysParams{PersonID: string(who), Limit: 1})
	if err == nil && len(left) == 0 {
		return LastWayIn() // and nothing is changed
	}
	return err
}

// gone is added for a row that must be there.
func gone(ctx context.Context, q *query.Queries, n int64, err error, what string, ev passport.Event) error {
	if err != nil {
		return err
	}
	if n == 0 {
		return NotFound(what)
	}
	return AddEvent(ctx, q, ev)
}

func sessionOf(r query.Session) passport.Session {
	return passport.Session{Hash: [32]byte(r.Hash), Person: passport.PersonID(r.PersonID), CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt),
		Agent: r.Agent, Address: r.Address, SeenAt: TimeOf(r.SeenAt)}
}

// Sessions is the step of identity.Store.
func Sessions(ctx context.Context, q *query.Queries, who passport.PersonID, limit int) ([]passport.Session, error) {
	rows, err := q.Sessions(ctx, query.SessionsParams{PersonID: string(who), Limit: int32(limit)})
	out := make([]passport.Session, 0, len(rows))
	for _, r := range rows {
		out = append(out, sessionOf(r))
	}
	return out, err
}

// SeeSession is the step of identity.Store.
func SeeSession(ctx context.Context, q *query.Queries, hash [32]byte, at time.Time) error {
	return q.SeeSession(ctx, query.SeeSessionParams{SeenAt: Micros(at), Hash: hash[:]})
}

// EndSessionOf is the step of identity.Store.
func EndSessionOf(ctx context.Context, q *query.Queries, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	n, err := q.RemoveSessionOf(ctx, query.RemoveSessionOfParams{Hash: hash[:], PersonID: string(who)})
	return gone(ctx, q, n, err, "session", ev)
}

// EndOtherSessions is the step of identity.Store.
func EndOtherSessions(ctx context.Context, q *query.Queries, who passport.PersonID, keep [32]byte, ev passport.Event) (int64, error) {
	n, err := q.RemoveOtherSessions(ctx, query.RemoveOtherSessionsParams{PersonID: string(who), Hash: keep[:]})
	if err != nil || n == 0 {
		return 0, err
	}
	return n, AddEvent(ctx, q, ev)
}
