package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// AddFirstPerson is the step of identity.Store.
func AddFirstPerson(ctx context.Context, q *query.Queries, p passport.Person, ev passport.Event) error {
	n, err := q.CountPeople(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		return HasOwner()
	}
	if err := q.AddPerson(ctx, query.AddPersonParams{ID: string(p.ID), Name: p.Name, Username: p.Username,
		PasswordHash: p.PasswordHash, CreatedAt: Micros(p.CreatedAt)}); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// Owner is the step of identity.Store.
func Owner(ctx context.Context, q *query.Queries) (passport.Person, error) {
	r, err := q.FirstPerson(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Person{}, NoOwner()
	}
	return passport.Person{ID: passport.PersonID(r.ID), Name: r.Name, Username: r.Username, PasswordHash: r.PasswordHash,
		CreatedAt: TimeOf(r.CreatedAt)}, err
}

// AddSession is the step of identity.Store.
func AddSession(ctx context.Context, q *query.Queries, s passport.Session, ev passport.Event) error {
	_, err := q.Person(ctx, string(s.Person))
	if errors.Is(err, sql.ErrNoRows) {
		return NotFound("person")
	}
	if err != nil {
		return err
	}
	if _, err := q.RemoveEndedSessions(ctx, Micros(s.CreatedAt)); err != nil {
		return err
	}
	n, err := q.AddSession(ctx, query.AddSessionParams{Hash: s.Hash[:], PersonID: string(s.Person), CreatedAt: Micros(s.CreatedAt),
		ExpiresAt: Micros(s.ExpiresAt)})
	return added(ctx, q, n, err, "session", ev)
}

// Session is the step of identity.Store.
func Session(ctx context.Context, q *query.Queries, hash [32]byte) (passport.Session, error) {
	r, err := q.Session(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Session{}, NotFound("session")
	}
	return passport.Session{Hash: hash, Person: passport.PersonID(r.PersonID), CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)}, err
}

// EndSession is the step of identity.Store.
func EndSession(ctx context.Context, q *query.Queries, hash [32]byte, ev passport.Event) error {
	n, err := q.RemoveSession(ctx, hash[:])
	if err != nil || n == 0 {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// OwnerToken is the step of identity.Store.
func OwnerToken(ctx context.Context, q *query.Queries, hash [32]byte) (passport.OwnerToken, error) {
	r, err := q.OwnerToken(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.OwnerToken{}, NotFound("owner token")
	}
	return passport.OwnerToken{Hash: hash, Label: r.Label, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)}, err
}

// AddOwnerToken is the step of identity.Store. It also removes those that have ended by now.
func AddOwnerToken(ctx context.Context, q *query.Queries, t passport.OwnerToken, ev passport.Event, now time.Time) error {
	if _, err := q.RemoveEndedOwnerTokens(ctx, Micros(now)); err != nil {
		return err
	}
	n, err := q.AddOwnerToken(ctx, query.AddOwnerTokenParams{Hash: t.Hash[:], Label: t.Label, CreatedAt: Micros(t.CreatedAt),
		ExpiresAt: Micros(t.ExpiresAt)})
	return added(ctx, q, n, err, "owner token", ev)
}
