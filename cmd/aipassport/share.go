package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/valkey"
)

// parseStores reads what may have a password and is repeated in no error.
func (s settings) parseStores() (database, counter secret.Text, err error) {
	if s.DatabaseURL != "" {
		if e := postgres.Check(s.DatabaseURL); e != nil {
			err = fmt.Errorf("AIPASSPORT_DATABASE_URL: %w", e)
		}
	}
	if s.ValkeyURL != "" {
		if e := valkey.Check(s.ValkeyURL); e != nil {
			err = errors.Join(err, fmt.Errorf("AIPASSPORT_VALKEY_URL: %w", e))
		}
	}
	return secret.New(s.DatabaseURL), secret.New(s.ValkeyURL), err
}

// shared is a store that several instances may have open at one time.
type shared interface {
	Elsewhere(ctx context.Context, g passport.GrantID)
	Heard(ctx context.Context)
	LiveElsewhere(ctx context.Context) (map[passport.GrantID]int, error)
}

// openRates says who counts the calls of a minute: Valkey where the owner named one, else the database if others share it. Nil is
// this instance alone, in memory.
func (b *broker) openRates(ctx context.Context) (meter.Rates, error) {
	if !b.cfg.valkeyURL.Empty() {
		r, err := valkey.Open(ctx, b.cfg.valkeyURL.Reveal(), nil, b.log)
		if err != nil {
			return nil, fmt.Errorf("AIPASSPORT_VALKEY_URL: %w", err)
		}
		b.closeRates = r.Close
		return r, nil
	}
	if s, ok := b.store.(*postgres.Store); ok {
		r := s.Rates(nil, b.log)
		b.closeRates = r.Close
		return r, nil
	}
	return nil, nil
}

// elsewhere waits for calls at other instances; nil where there are none.
func (b *broker) elsewhere() func(context.Context, passport.GrantID) {
	if s, ok := b.store.(shared); ok {
		return s.Elsewhere
	}
	return nil
}

// liveElsewhere counts calls at other instances; nil where there are none.
func (b *broker) liveElsewhere() func(context.Context) (map[passport.GrantID]int, error) {
	if s, ok := b.store.(shared); ok {
		return s.LiveElsewhere
	}
	return nil
}

// heard waits until other instances have heard; nil where there are none.
func (b *broker) heard() func(context.Context) {
	if s, ok := b.store.(shared); ok {
		return s.Heard
	}
	return nil
}

// watch begins to hear what other instances end. Before listening: a call is on the board before its hold, and from here on what
// ends is looked for there.
func (b *broker) watch(ctx context.Context) error {
	s, ok := b.store.(*postgres.Store)
	if !ok {
		return nil
	}
	err := s.Watch(ctx, postgres.Watched{
		Live:    b.board.Grants,
		Ended:   func(g passport.GrantID, s passport.GrantState) { b.board.End(g, causeOf(s)) },
		Stopped: func() { b.board.EndAll(problem.New(problem.GrantPaused, "all apps were stopped by the owner")) },
		SDKKeys: b.board.Keys,
		KeyGone: func(id passport.TokenID) {
			b.board.EndKey(id, problem.New(problem.GrantEnded, "the SDK key was revoked"))
		},
		Keys: func(ctx context.Context) error {
			return errors.Join(b.roster.Reload(ctx), b.vault.Reload(ctx), b.tokens.Reload(ctx))
		},
		Blind: func() {
			n := b.board.EndAll(problem.New(problem.Unavailable, "the broker does not hear from its database whether the grant has ended").After(time.Second))
			b.log.Warn("cut what may have ended", "cut", n)
		},
	}, b.log)
	if err != nil {
		return fmt.Errorf("AIPASSPORT_DATABASE_URL: hear of other instances: %w", err)
	}
	return nil
}

// causeOf is why the calls of a grant end that another instance has changed, or the ledger.
func causeOf(s passport.GrantState) error {
	switch s {
	case passport.GrantRevoked:
		return problem.New(problem.GrantEnded, "the grant was revoked")
	case passport.GrantPaused:
		return problem.New(problem.GrantPaused, "the grant was paused")
	case store.StatusStopped:
		return problem.New(problem.GrantPaused, "all apps were stopped by the owner")
	default:
		return problem.New(problem.GrantEnded, "the grant has ended")
	}
}
