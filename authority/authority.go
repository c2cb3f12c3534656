// Package authority is the control plane: how a grant is asked for, approved, denied, paused, revoked. It decides nothing alone:
// a grant changes by passport's moves, the change is durable before anyone hears of it, and its calls in flight are recalled
// after. It may not touch providers, the gateway or SQL.
package authority

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Recall ends calls in flight; guard/recall does. Each method says how many calls it ended.
type Recall interface {
	End(g passport.GrantID, cause error) int
	EndAll(cause error) int
	EndKey(key passport.TokenID, cause error) int
	// Quiet waits until the calls that were ended are over, or ctx ends. No grant means all.
	Quiet(ctx context.Context, g passport.GrantID)
}

// Control changes grants. All fields but Elsewhere and Heard are required.
type Control struct {
	Store      Store
	Ceilings   Ceilings
	SDKKeys    SDKKeys
	Family     Family
	Recall     Recall
	Now        func() time.Time
	NewID      func() string
	PendingTTL time.Duration   // how long a request waits for an answer
	Defaults   passport.Limits // for a limit that neither the app nor the person sets
	FreshAbove passport.Money  // more than this in all takes a fresh sign-in; zero: all money does

	// Elsewhere waits until no other instance has an open call of a grant, or ctx ends. No grant means all. nil: there are no others.
	Elsewhere func(ctx context.Context, g passport.GrantID)

	// Heard waits until all other instances have heard what was committed, or ctx ends. nil: there are no others.
	Heard func(ctx context.Context)
}

// SecretPrefix begins every grant secret, so that scanners of leaked secrets can find one.
const SecretPrefix = "aips_"

// How long a revoke, a pause or a stop waits for the calls that it ended.
const (
	quietTime     = 300 * time.Millisecond  // here
	elsewhereTime = 1500 * time.Millisecond // at other instances: one that hears nothing ends its calls within a second
)

// tries bounds how often a change is made anew when another change got in between.
const tries = 8

// Request is what an app asks for.
type Request struct {
	AppName, AppURL, Reason string
	Details                 []passport.Detail
	Extends                 passport.GrantID // the active grant that it asks to raise; then the details narrow nothing: see passport.Grant.Raise

	// What an OAuth client's request has besides; see passport.Grant.
	Client  passport.ClientID
	Site    string
	Checked bool
	JKT     string
	For     time.Duration // how long it can be answered; 0: PendingTTL
}

// Ask stores a pending grant and returns it with its secret, which is shown once and kept as a hash only.
func (c *Control) Ask(ctx context.Context, r Request) (passport.Grant, string, error) {
	if err := checkDetails(r.Details); err != nil {
		return passport.Grant{}, "", err
	}
	extended, had, err := c.raising(ctx, &r)
	if err != nil {
		return passport.Grant{}, "", err
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails, or the process ends (crypto/rand)
	secret := SecretPrefix + base64.RawURLEncoding.EncodeToString(raw)
	now := c.now()
	g := passport.Grant{
		ID: passport.GrantID(c.NewID()), RequestID: passport.RequestID(c.NewID()), Version: 1, State: passport.GrantPending,
		AppName: r.AppName, AppURL: r.AppURL, Reason: r.Reason, Asked: r.Details, Details: r.Details,
		SecretHash: sha256.Sum256([]byte(secret)), CreatedAt: now, ExpiresAt: now.Add(cmp.Or(r.For, c.PendingTTL)),
		Client: r.Client, Site: r.Site, Checked: r.Checked, JKT: r.JKT,
		Extends: r.Extends,
	}
	if r.Extends != "" {
		g = ofTheSame(g, extended)
		g.Details = had
	}
	if err := c.Store.AddGrant(ctx, g, c.event(passport.GrantRequested, "app:"+string(g.ID), g.ID, "")); err != nil {
		return passport.Grant{}, "", fmt.Errorf("store grant request: %w", err)
	}
	return g, secret, nil
}

func checkDetails(ds []passport.Detail) error {
	if len(ds) == 0 || len(ds) > passport.MaxDetails {
		return problem.New(problem.Invalid, "must name 1 to %d details", passport.MaxDetails).In("authorizationDetails")
	}
	seen := map[passport.Provider]bool{}
	for _, d := range ds {
		if err := d.Check(); err != nil {
			return err
		}
		if seen[d.Provider] {
			return problem.New(problem.Invalid, "names %s twice", d.Provider).In("provider")
		}
		seen[d.Provider] = true
	}
	return nil
}

// BySecret returns the standing of a grant to the app that asked for it. A wrong secret and a grant that does not exist
// are the same NotFound.
func (c *Control) BySecret(ctx context.Context, id passport.GrantID, secret string) (passport.Standing, error) {
	s, err := c.Standing(ctx, id)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return passport.Standing{}, err
	}
	got := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(got[:], s.Grant.SecretHash[:]) != 1 || err != nil {
		return passport.Standing{}, problem.New(problem.NotFound, "Grant not found")
	}
	return s, nil
}

// Standing reads a grant as it stands now. Error: NotFound.
func (c *Control) Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error) {
	s, err := c.Store.Standing(ctx, id)
	if err != nil {
		return passport.Standing{}, err
	}
	s.Grant = s.Grant.At(c.now())
	return s, nil
}

// Standings lists grants of somebody that were asked for as they stand now, newest first, created before a time (zero: all). Children
// lists those below one.
func (c *Control) Standings(ctx context.Context, payer passport.Payer, before time.Time, limit int) ([]passport.Standing, error) {
	list, err := c.Store.Standings(ctx, payer, before, limit)
	now := c.now()
	for i := range list {
		list[i].Grant = list[i].Grant.At(now)
	}
	return list, err
}

// Approve gives what the person decided. Errors: NotFound, Conflict if the grant is not pending, Invalid if it would widen, SignInStale.
func (c *Control) Approve(ctx context.Context, id passport.GrantID, a passport.Approval) (passport.Grant, error) {
	a.Defaults = c.Defaults
	s, err := c.Store.Standing(ctx, id)
	if err != nil {
		return passport.Grant{}, err
	}
	if s.Grant.Extends != "" {
		return c.extend(ctx, id, a)
	}
	return c.change(ctx, id, passport.GrantApproved, "owner:"+string(a.Owner), func(g passport.Grant, now time.Time) (passport.Grant, error) {
		next, err := g.Approve(a, now)
		if err == nil {
			err = c.proved(0, next.Cap(), a.Fresh)
		}
		return next, err
	})
}

// Deny ends a pending grant. Errors: NotFound, Conflict.
func (c *Control) Deny(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, error) {
	return c.move(ctx, id, passport.GrantDenied, passport.GrantWasDenied, actor)
}

// Revoke ends a grant for good, whatever its state, and then its calls in flight; it says how many. Once it returns,
// nothing new goes upstream for this grant. Error: NotFound.
func (c *Control) Revoke(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error) {
	return c.RevokeBecause(ctx, id, actor, "")
}

// RevokeBecause is Revoke with a reason for the log: short and plain.
func (c *Control) RevokeBecause(ctx context.Context, id passport.GrantID, actor, why string) (passport.Grant, int, error) {
	g, err := c.changeNoted(ctx, id, passport.GrantWasRevoked, actor, why, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		return g.To(passport.GrantRevoked, now)
	})
	if refused(err) {
		return passport.Grant{}, 0, err
	}
	// Durable first: if we die here the grant is revoked, and the streams die with us. Where the disk failed and nobody knows
	// whether the revoke is on it, the calls are ended all the same: that is what the person asked for.
	n := c.Recall.End(id, problem.New(problem.GrantEnded, "the grant was revoked"))
	c.quiet(ctx, id)
	return g, n, err
}

// Pause stops a grant for a while: its tokens stay valid and wait; its calls in flight end. Errors: NotFound, Conflict.
func (c *Control) Pause(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error) {
	g, err := c.move(ctx, id, passport.GrantPaused, passport.GrantWasPaused, actor)
	if refused(err) {
		return passport.Grant{}, 0, err
	}
	n := c.Recall.End(id, problem.New(problem.GrantPaused, "the grant was paused by its owner"))
	c.quiet(ctx, id)
	return g, n, err
}

// quiet gives the calls that were ended a moment to be over before the change is acknowledged: what was on its way to a
// provider has then left or never will. A client that does not read its last bytes is not waited for longer.
func (c *Control) quiet(ctx context.Context, id passport.GrantID) {
	ctx = context.WithoutCancel(ctx)
	here, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	c.Recall.Quiet(here, id)
	if c.Elsewhere == nil {
		return
	}
	there, cancel := context.WithTimeout(ctx, elsewhereTime)
	defer cancel()
	c.Elsewhere(there, id)
}

// refused says whether an error means that nothing was changed; any other leaves that open.
func refused(err error) bool {
	switch problem.KindOf(err) {
	case problem.NotFound, problem.Conflict, problem.Invalid, problem.Busy:
		return true
	default:
		return false
	}
}

// Resume lets a paused grant go on. Errors: NotFound, Conflict.
func (c *Control) Resume(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, error) {
	return c.change(ctx, id, passport.GrantResumed, actor, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		if s := g.At(now).State; s != passport.GrantPaused {
			return passport.Grant{}, problem.New(problem.Conflict, "Grant is '%s', must be 'paused'", s.Wire())
		}
		return g.To(passport.GrantActive, now)
	})
}

// KeepAnswers lets answers of a grant that can be used be kept for a day, sealed, so that a call that is sent again with its
// Idempotency-Key gets the first one's; or ends that, and what was kept is gone. Errors: NotFound, Conflict.
func (c *Control) KeepAnswers(ctx context.Context, id passport.GrantID, keep bool, actor string) (passport.Grant, error) {
	kind := passport.AnswersNotKept
	if keep {
		kind = passport.AnswersKept
	}
	return c.change(ctx, id, kind, actor, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		if s := g.At(now).State; s != passport.GrantActive && s != passport.GrantPaused {
			return passport.Grant{}, problem.New(problem.Conflict, "Grant is '%s', must be 'approved' or 'paused'", s.Wire())
		}
		g.KeepAnswers, g.Version = keep, g.Version+1
		return g, nil
	})
}

// Bind binds a grant that can be used to a key, by its thumbprint: its tokens work with proofs of that key only (RFC 9449). One that is
// bound to this key already, and an empty thumbprint where it is bound to none, change nothing. Errors: NotFound; GrantEnded, GrantPaused;
// Forbidden if it is bound to another key.
func (c *Control) Bind(ctx context.Context, id passport.GrantID, jkt, actor string) (passport.Grant, error) {
	s, err := c.Standing(ctx, id)
	if err != nil || jkt == s.Grant.JKT {
		return s.Grant, err
	}
	return c.change(ctx, id, passport.GrantBound, actor, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		if err := g.Live(now); err != nil {
			return passport.Grant{}, err
		}
		if g.JKT != "" {
			return passport.Grant{}, problem.New(problem.Forbidden, "the grant is bound to another key")
		}
		g.JKT, g.Version = jkt, g.Version+1
		return g, nil
	})
}

// Stop stops all apps at once; it says how many calls it ended.
func (c *Control) Stop(ctx context.Context, actor string) (int, error) {
	err := c.Store.Stop(ctx, true, c.event(passport.AppsStopped, actor, "", ""))
	n := c.Recall.EndAll(problem.New(problem.GrantPaused, "all apps were stopped by the owner"))
	c.quiet(ctx, "")
	if err != nil {
		return n, fmt.Errorf("stop all apps: %w", err)
	}
	return n, nil
}

// ResumeAll lets apps run again, each with the limits it had.
func (c *Control) ResumeAll(ctx context.Context, actor string) error {
	return c.Store.Stop(ctx, false, c.event(passport.AppsResumed, actor, "", ""))
}

func (c *Control) move(ctx context.Context, id passport.GrantID, to passport.GrantState, kind passport.EventKind, actor string) (passport.Grant, error) {
	return c.change(ctx, id, kind, actor, func(g passport.Grant, now time.Time) (passport.Grant, error) {
		return g.To(to, now)
	})
}

// change reads, moves and swaps a grant; when another change got in between, it starts over from what is there then.
func (c *Control) change(ctx context.Context, id passport.GrantID, kind passport.EventKind, actor string,
	step func(passport.Grant, time.Time) (passport.Grant, error)) (passport.Grant, error) {
	return c.changeNoted(ctx, id, kind, actor, "", step)
}

func (c *Control) changeNoted(ctx context.Context, id passport.GrantID, kind passport.EventKind, actor, note string,
	step func(passport.Grant, time.Time) (passport.Grant, error)) (passport.Grant, error) {
	for range tries {
		s, err := c.Store.Standing(ctx, id)
		if err != nil {
			return passport.Grant{}, err
		}
		next, err := step(s.Grant, c.now())
		if err != nil {
			return passport.Grant{}, err
		}
		err = c.Store.ChangeGrant(ctx, next, c.event(kind, actor, id, note))
		if err == nil {
			return next, nil
		}
		if problem.KindOf(err) != problem.Conflict {
			return passport.Grant{}, fmt.Errorf("change grant to %s: %w", next.State, err)
		}
	}
	return passport.Grant{}, problem.Wrap(errors.New("too many changes at once"), problem.Busy, "the grant is being changed by others; try again")
}

func (c *Control) event(k passport.EventKind, actor string, g passport.GrantID, note string) passport.Event {
	return passport.Event{ID: passport.EventID(c.NewID()), Kind: k, At: c.now(), Actor: actor, Grant: g, Note: note}
}

// now is the time as it is stored and shown: UTC, whole milliseconds.
func (c *Control) now() time.Time { return c.Now().UTC().Truncate(time.Millisecond) }
