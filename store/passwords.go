package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// A reset link is a setting like a setup link: its name ends in the hash of its token, its value is until when it works, with the person
// behind it.
const resetSetting = "reset:"

// SetPassword is the step of identity.Store.
func SetPassword(ctx context.Context, q *query.Queries, who passport.PersonID, phc string, keep [32]byte, ev passport.Event) error {
	n, err := q.SetPassword(ctx, query.SetPasswordParams{PasswordHash: phc, ID: string(who)})
	if err := gone(ctx, q, n, err, "person", ev); err != nil {
		return err
	}
	_, err = q.RemoveOtherSessions(ctx, query.RemoveOtherSessionsParams{PersonID: string(who), Hash: keep[:]})
	return err
}

// AddReset is the step of identity.Store.
func AddReset(ctx context.Context, q *query.Queries, hash [32]byte, who passport.PersonID, until time.Time, evs ...passport.Event) error {
	if len(evs) == 0 {
		return problem.New(problem.Invalid, "a reset link needs an event")
	}
	if _, err := q.Person(ctx, string(who)); errors.Is(err, sql.ErrNoRows) {
		return NotFound("person")
	} else if err != nil {
		return err
	}
	// A person has one link at a time; those whose time has come go too, so that there are never many.
	if err := q.RemoveResets(ctx, query.RemoveResetsParams{Until: fmt.Sprintf("%0*d", microsWidth, Micros(evs[0].At)), Who: string(who)}); err != nil {
		return err
	}
	value := fmt.Sprintf("%0*d %s", microsWidth, Micros(until), who)
	if err := q.AddSetting(ctx, query.AddSettingParams{Name: resetName(hash), Value: value}); err != nil {
		return err
	}
	for _, ev := range evs {
		if err := AddEvent(ctx, q, ev); err != nil {
			return err
		}
	}
	return nil
}

// Reset is the step of identity.Store.
func Reset(ctx context.Context, q *query.Queries, hash [32]byte) (who passport.PersonID, until time.Time, err error) {
	value, err := q.Setting(ctx, resetName(hash))
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, NotFound("reset link")
	}
	if err != nil {
		return "", time.Time{}, err
	}
	at, id, _ := strings.Cut(value, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read until when a reset link works: %w", err)
	}
	return passport.PersonID(id), TimeOf(micros), nil
}

// UseReset is the step of identity.Store.
func UseReset(ctx context.Context, q *query.Queries, hash [32]byte, phc string, ev passport.Event) error {
	who, _, err := Reset(ctx, q, hash)
	if err != nil {
		return err
	}
	if err := q.RemoveSetting(ctx, resetName(hash)); err != nil {
		return err
	}
	return SetPassword(ctx, q, who, phc, [32]byte{}, ev)
}

func resetName(hash [32]byte) string { return fmt.Sprintf("%s%x", resetSetting, hash) }
