package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// TooManyIdentities is why a person gets no further one.
func TooManyIdentities() error {
	return problem.New(problem.Conflict, "there are %d links already: remove one first", passport.MaxIdentities)
}

// IdentityTaken says that an identity is somebody's here.
func IdentityTaken() error {
	return problem.New(problem.Conflict, "who you are there is somebody here already").In("identity")
}

// IdentityOver says that an identity was somebody's here, and that it takes an invitation to come back with it.
func IdentityOver() error {
	return problem.New(problem.Conflict, "who you are there was linked here once and is not any more: it takes an invitation").In("identity")
}

// CheckIdentity says what keeps an identity from being stored, as Invalid.
func CheckIdentity(i passport.Identity) error {
	if i.Issuer == "" || len(i.Issuer) > passport.MaxIssuer || i.Subject == "" || len(i.Subject) > passport.MaxSubject || len(i.Email) > passport.MaxEmail {
		return problem.New(problem.Invalid, "an identity needs an issuer and a subject")
	}
	return nil
}

// AddIdentity is the step of identity.Store.
func AddIdentity(ctx context.Context, q *query.Queries, i passport.Identity, ev passport.Event) error {
	if err := CheckIdentity(i); err != nil {
		return err
	}
	if _, err := q.Person(ctx, string(i.Person)); errors.Is(err, sql.ErrNoRows) {
		return NotFound("person")
	} else if err != nil {
		return err
	}
	all, err := Identities(ctx, q, i.Person)
	if err != nil {
		return err
	}
	if len(all) >= passport.MaxIdentities {
		return TooManyIdentities()
	}
	hash := i.Hash()
	n, err := q.AddIdentity(ctx, query.AddIdentityParams{Hash: hash[:], PersonID: string(i.Person), Issuer: i.Issuer, Subject: i.Subject, Email: i.Email, LinkedAt: Micros(i.LinkedAt)})
	if err == nil && n > 0 {
		err = q.ForgetIdentityGone(ctx, hash[:])
	}
	return added(ctx, q, n, err, "identity", ev)
}

// IdentityGone is the step of identity.Store.
func IdentityGone(ctx context.Context, q *query.Queries, hash [32]byte) (bool, error) {
	n, err := q.IdentityGone(ctx, hash[:])
	return n > 0, err
}

// Identity is the step of identity.Store.
func Identity(ctx context.Context, q *query.Queries, hash [32]byte) (passport.Identity, error) {
	r, err := q.Identity(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Identity{}, NotFound("identity")
	}
	return identityOf(r), err
}

// Identities is the step of identity.Store.
func Identities(ctx context.Context, q *query.Queries, who passport.PersonID) ([]passport.Identity, error) {
	rows, err := q.Identities(ctx, query.IdentitiesParams{PersonID: string(who), Limit: passport.MaxIdentities})
	out := make([]passport.Identity, 0, len(rows))
	for _, r := range rows {
		out = append(out, identityOf(r))
	}
	return out, err
}

func identityOf(r query.Identity) passport.Identity {
	return passport.Identity{Issuer: r.Issuer, Subject: r.Subject, Email: r.Email, Person: passport.PersonID(r.PersonID), LinkedAt: TimeOf(r.LinkedAt)}
}

// RemoveIdentity is the step of identity.Store.
func RemoveIdentity(ctx context.Context, q *query.Queries, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	n, err := q.RemoveIdentity(ctx, query.RemoveIdentityParams{Hash: hash[:], PersonID: string(who)})
	if err := gone(ctx, q, n, err, "identity", ev); err != nil {
		return err
	}
	if err := q.NoteIdentityGone(ctx, query.NoteIdentityGoneParams{Hash: hash[:], At: Micros(ev.At)}); err != nil {
		return err
	}
	p, err := q.Person(ctx, string(who))
	if err != nil || p.PasswordHash != "" {
		return err
	}
	keys, err := q.Passkeys(ctx, query.PasskeysParams{PersonID: string(who), Limit: 1})
	if err == nil && len(keys) == 0 {
		return LastWayIn() // and nothing is changed
	}
	return err
}
