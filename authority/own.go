package authority

import (
	"context"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Own is the control of one person's grants. Whatever is another's is not there: NotFound, in the words of a grant that never was. A grant
// that was answered stays its person's, so what was looked at before a change still holds at the change.
type Own struct {
	c     *Control
	payer passport.Payer
}

// Of is the control of the grants of one person.
func (c *Control) Of(payer passport.Payer) Own { return Own{c, payer} }

// Standing is Control.Standing.
func (o Own) Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error) {
	s, err := o.c.Standing(ctx, id)
	if err == nil && !o.payer.Sees(s.Grant) {
		err = problem.New(problem.NotFound, "there is no such grant")
	}
	if err != nil {
		return passport.Standing{}, err
	}
	return s, nil
}

// ForKey is Standing, of a grant that an SDK key is to be made of: whoever has the key can spend all that the grant may, which is money that
// is given once more. fresh: the person proved a moment ago who they are. Errors: NotFound, SignInStale.
func (o Own) ForKey(ctx context.Context, id passport.GrantID, fresh bool) (passport.Standing, error) {
	s, err := o.Standing(ctx, id)
	if err == nil {
		err = o.c.proved(0, s.Grant.Cap(), fresh)
	}
	if err != nil {
		return passport.Standing{}, err
	}
	return s, nil
}

// Asked is Standing, and reads a request that nobody has answered for whoever knows its id.
func (o Own) Asked(ctx context.Context, id passport.GrantID) (passport.Standing, error) {
	s, err := o.c.Standing(ctx, id)
	if err == nil && !o.payer.MayAnswer(s.Grant) {
		err = problem.New(problem.NotFound, "there is no such grant")
	}
	if err != nil {
		return passport.Standing{}, err
	}
	return s, nil
}

// Standings is Control.Standings.
func (o Own) Standings(ctx context.Context, before time.Time, limit int) ([]passport.Standing, error) {
	return o.c.Standings(ctx, o.payer, before, limit)
}

// Approve is Control.Approve, in this person's name and with their keys, whatever the approval says of that.
func (o Own) Approve(ctx context.Context, id passport.GrantID, a passport.Approval) (passport.Grant, error) {
	if _, err := o.Asked(ctx, id); err != nil {
		return passport.Grant{}, err
	}
	a.Payer = o.payer
	return o.c.Approve(ctx, id, a)
}

// Deny is Control.Deny. The request is this person's from then on.
func (o Own) Deny(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, error) {
	if _, err := o.Asked(ctx, id); err != nil {
		return passport.Grant{}, err
	}
	return o.c.change(ctx, id, passport.GrantWasDenied, actor, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		if g.Payer == "" {
			g.Payer = o.payer
		}
		return g.To(passport.GrantDenied, now)
	})
}

// answered reads a grant of this person's that is not waiting for an answer: somebody else may give that meanwhile.
func (o Own) answered(ctx context.Context, id passport.GrantID) error {
	s, err := o.Standing(ctx, id)
	if err == nil && s.Grant.State == passport.GrantPending {
		err = problem.New(problem.Conflict, "grant %s is pending", id)
	}
	return err
}

// Pause is Control.Pause.
func (o Own) Pause(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error) {
	if err := o.answered(ctx, id); err != nil {
		return passport.Grant{}, 0, err
	}
	return o.c.Pause(ctx, id, actor)
}

// Resume is Control.Resume.
func (o Own) Resume(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, error) {
	if err := o.answered(ctx, id); err != nil {
		return passport.Grant{}, err
	}
	return o.c.Resume(ctx, id, actor)
}

// Revoke is Control.Revoke.
func (o Own) Revoke(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error) {
	s, err := o.Standing(ctx, id)
	if err != nil {
		return passport.Grant{}, 0, err
	}
	if s.Grant.Payer != "" {
		return o.c.Revoke(ctx, id, actor)
	}
	g, err := o.c.change(ctx, id, passport.GrantWasRevoked, actor, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		if !o.payer.Sees(g) { // somebody else has answered it meanwhile
			return passport.Grant{}, problem.New(problem.NotFound, "there is no such grant")
		}
		return g.To(passport.GrantRevoked, now)
	})
	return g, 0, err
}

// KeepAnswers is Control.KeepAnswers.
func (o Own) KeepAnswers(ctx context.Context, id passport.GrantID, keep bool, actor string) (passport.Grant, error) {
	if err := o.answered(ctx, id); err != nil {
		return passport.Grant{}, err
	}
	return o.c.KeepAnswers(ctx, id, keep, actor)
}

// Adjust is Control.Adjust.
func (o Own) Adjust(ctx context.Context, id passport.GrantID, a passport.Adjustment, actor string) (passport.Grant, error) {
	if err := o.answered(ctx, id); err != nil {
		return passport.Grant{}, err
	}
	return o.c.Adjust(ctx, id, a, actor)
}

// Children is Control.Children.
func (o Own) Children(ctx context.Context, parent passport.GrantID) ([]passport.Standing, error) {
	if _, err := o.Standing(ctx, parent); err != nil {
		return nil, err
	}
	return o.c.Children(ctx, parent)
}

// KeysOf is Control.KeysOf.
func (o Own) KeysOf(ctx context.Context, g passport.GrantID) ([]passport.SDKKey, error) {
	if _, err := o.Standing(ctx, g); err != nil {
		return nil, err
	}
	return o.c.KeysOf(ctx, g)
}

// TokensOf is Control.TokensOf.
func (o Own) TokensOf(ctx context.Context, g passport.GrantID) ([]passport.Token, error) {
	if _, err := o.Standing(ctx, g); err != nil {
		return nil, err
	}
	return o.c.TokensOf(ctx, g)
}

// RevokeToken is Control.RevokeToken.
func (o Own) RevokeToken(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error) {
	if _, err := o.Standing(ctx, g); err != nil {
		return 0, err
	}
	return o.c.RevokeToken(ctx, g, id, actor)
}

// RevokeKey is Control.RevokeKey.
func (o Own) RevokeKey(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error) {
	if _, err := o.Standing(ctx, g); err != nil {
		return 0, err
	}
	return o.c.RevokeKey(ctx, g, id, actor)
}

// StopOwn stops all apps of this person at once, those that they give later too; it says how many calls it ended.
func (o Own) StopOwn(ctx context.Context, actor string) (calls int, err error) {
	ids, err := o.c.Store.StopOwn(ctx, o.payer, true, o.c.event(passport.OwnAppsStopped, actor, "", ""))
	// Durable first. Where nobody knows whether it is on disk, the calls are ended all the same.
	for _, id := range ids {
		calls += o.c.Recall.End(id, problem.New(problem.GrantPaused, "all apps were stopped by the owner"))
	}
	o.c.quietAll(ctx, ids)
	if err != nil {
		return calls, fmt.Errorf("stop all apps of a person: %w", err)
	}
	return calls, nil
}

// RunOwn lets them run again, each as it was: what was paused by itself stays so.
func (o Own) RunOwn(ctx context.Context, actor string) error {
	_, err := o.c.Store.StopOwn(ctx, o.payer, false, o.c.event(passport.OwnAppsResumed, actor, "", ""))
	return err
}

// endBatch is how many grants of a person are read at a time where all are ended.
const endBatch = 200

// EndAll pauses all apps of this person, or revokes them for good, one after the other, and then ends their running calls; it says how many
// apps and calls that were. What was ended before an error stays so.
func (o Own) EndAll(ctx context.Context, to passport.GrantState, actor string) (apps, calls int, err error) {
	kind := map[passport.GrantState]passport.EventKind{passport.GrantPaused: passport.GrantWasPaused, passport.GrantRevoked: passport.GrantWasRevoked}[to]
	if kind == "" || o.payer == "" {
		return 0, 0, problem.New(problem.Internal, "all apps of a person are paused or revoked")
	}
	var done []passport.GrantID
	defer func() { o.c.quietAll(ctx, done) }()
	for before, room := (time.Time{}), endBatch; ; {
		list, err := o.Standings(ctx, before, room)
		if err != nil {
			return apps, calls, err
		}
		for _, s := range list {
			live := s.Grant.State == passport.GrantActive || s.Grant.State == passport.GrantPaused
			if s.Grant.Payer != o.payer || !live || s.Grant.State == to {
				continue
			}
			_, err := o.c.changeNoted(ctx, s.Grant.ID, kind, actor, "with all others", func(g passport.Grant, now time.Time) (passport.Grant, error) { return g.To(to, now) })
			if problem.KindOf(err) == problem.Conflict { // its app gave it back meanwhile, or its time has come
				continue
			}
			// Durable first. Where nobody knows whether it is on disk, the calls are ended all the same.
			calls += o.c.Recall.End(s.Grant.ID, problem.New(problem.GrantPaused, "all apps were stopped by the owner"))
			apps, done = apps+1, append(done, s.Grant.ID)
			if err != nil {
				return apps, calls, err
			}
		}
		if len(list) < room {
			return apps, calls, nil
		}
		// Behind the last there may be others of its moment, so that is read again; where it filled all the room, with more of it.
		if from := list[len(list)-1].Grant.CreatedAt.Add(time.Microsecond); from.Equal(before) {
			room *= 2
		} else {
			before = from
		}
	}
}

// quietAll is quiet for several grants, within the same times.
func (c *Control) quietAll(ctx context.Context, ids []passport.GrantID) {
	ctx = context.WithoutCancel(ctx)
	here, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	there, cancel := context.WithTimeout(ctx, elsewhereTime)
	defer cancel()
	for _, id := range ids {
		c.Recall.Quiet(here, id)
		if c.Elsewhere != nil {
			c.Elsewhere(there, id)
		}
	}
}
