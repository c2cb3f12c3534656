package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
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
		PasswordHash: p.PasswordHash, CreatedAt: Micros(p.CreatedAt), Role: string(passport.RoleOwner)}); err != nil {
		return err
	}
	if err := removeSetups(ctx, q, latest); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// A setup link is a setting: its name ends in the hash of its token, its value is until when it works, in microseconds with as
// many digits for all times, so that they compare as text.
const (
	setupSetting = "setup:"
	microsWidth  = 19
	latest       = int64(math.MaxInt64)
)

func setupName(hash [32]byte) string { return setupSetting + hex.EncodeToString(hash[:]) }

func removeSetups(ctx context.Context, q *query.Queries, upTo int64) error {
	return q.RemoveSettingsUpTo(ctx, query.RemoveSettingsUpToParams{Name: setupSetting + "%", Value: fmt.Sprintf("%0*d", microsWidth, upTo)})
}

// AddSetup is the step of identity.Store.
func AddSetup(ctx context.Context, q *query.Queries, hash [32]byte, until, now time.Time) error {
	if err := removeSetups(ctx, q, Micros(now)); err != nil {
		return err
	}
	n, err := q.CountPeople(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		return HasOwner()
	}
	return q.AddSetting(ctx, query.AddSettingParams{Name: setupName(hash), Value: fmt.Sprintf("%0*d", microsWidth, Micros(until))})
}

// Setup is the step of identity.Store.
func Setup(ctx context.Context, q *query.Queries, hash [32]byte) (until time.Time, err error) {
	value, err := q.Setting(ctx, setupName(hash))
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, NotFound("setup link")
	}
	if err != nil {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read until when a setup link works: %w", err)
	}
	return TimeOf(micros), nil
}

// Owner is the step of identity.Store.
func Owner(ctx context.Context, q *query.Queries) (passport.Person, error) {
	r, err := q.FirstPerson(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Person{}, NoOwner()
	}
	return personOf(r), err
}

func personOf(r query.Person) passport.Person {
	return passport.Person{ID: passport.PersonID(r.ID), Name: r.Name, Username: r.Username, PasswordHash: r.PasswordHash,
		CreatedAt: TimeOf(r.CreatedAt), Role: passport.Role(r.Role), SuspendedAt: TimeOf(r.SuspendedAt)}
}

// Person is the step of identity.Store.
func Person(ctx context.Context, q *query.Queries, id passport.PersonID) (passport.Person, error) {
	r, err := q.Person(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Person{}, NotFound("person")
	}
	return personOf(r), err
}

// PersonNamed is the step of identity.Store.
func PersonNamed(ctx context.Context, q *query.Queries, username string) (passport.Person, error) {
	r, err := q.PersonNamed(ctx, username)
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Person{}, NotFound("person")
	}
	return personOf(r), err
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
		ExpiresAt: Micros(s.ExpiresAt), Agent: s.Agent, Address: s.Address, SeenAt: Micros(s.CreatedAt)})
	return added(ctx, q, n, err, "session", ev)
}

// Session is the step of identity.Store.
func Session(ctx context.Context, q *query.Queries, hash [32]byte) (passport.Session, error) {
	r, err := q.Session(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Session{}, NotFound("session")
	}
	if err != nil {
		return passport.Session{}, err
	}
	return sessionOf(r), nil
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
	return passport.OwnerToken{Hash: hash, Person: passport.PersonID(r.PersonID), Label: r.Label, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)}, err
}

// AddOwnerToken is the step of identity.Store. It also removes those that have ended by now.
func AddOwnerToken(ctx context.Context, q *query.Queries, t passport.OwnerToken, ev passport.Event, now time.Time) error {
	if _, err := q.RemoveEndedOwnerTokens(ctx, Micros(now)); err != nil {
		return err
	}
	n, err := q.AddOwnerToken(ctx, query.AddOwnerTokenParams{Hash: t.Hash[:], Label: t.Label, CreatedAt: Micros(t.CreatedAt),
		ExpiresAt: Micros(t.ExpiresAt), PersonID: string(t.Person)})
	return added(ctx, q, n, err, "owner token", ev)
}

// OwnerTokens is the step of identity.Store.
func OwnerTokens(ctx context.Context, q *query.Queries, who passport.PersonID, limit int) ([]passport.OwnerToken, error) {
	rows, err := q.OwnerTokens(ctx, query.OwnerTokensParams{PersonID: string(who), Limit: Bounded(limit)})
	out := make([]passport.OwnerToken, 0, len(rows))
	for _, r := range rows {
		out = append(out, passport.OwnerToken{Hash: [32]byte(r.Hash), Person: passport.PersonID(r.PersonID), Label: r.Label, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)})
	}
	return out, err
}

// EndOwnerToken is the step of identity.Store.
func EndOwnerToken(ctx context.Context, q *query.Queries, who passport.PersonID, hash [32]byte, ev passport.Event) error {
	n, err := q.RemoveOwnerToken(ctx, query.RemoveOwnerTokenParams{Hash: hash[:], PersonID: string(who)})
	if err != nil {
		return err
	}
	if n == 0 {
		return NotFound("owner token")
	}
	return AddEvent(ctx, q, ev)
}
