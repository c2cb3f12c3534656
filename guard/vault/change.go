package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Choose makes a stored key of somebody's the one that is lent for its provider, from the next call on. Errors: NotFound; Conflict for a key that is in the
// environment.
func (v *Vault) Choose(ctx context.Context, payer passport.Payer, id passport.CredentialID, actor string) error {
	if payer == passport.OwnerPays && strings.HasPrefix(string(id), envPrefix) {
		return problem.New(problem.Conflict, "a key of the environment is lent where none is put in: remove the others of its provider")
	}
	return v.change(ctx, payer, id, actor, func(c *passport.Credential, all []passport.Credential) (what, error) {
		at := v.cfg.Now()
		for _, d := range all {
			if d.Payer == c.Payer && d.Provider == c.Provider && d.ID != c.ID && !d.ChosenAt.Before(at) {
				at = d.ChosenAt.Add(time.Microsecond) // another clock is ahead
			}
		}
		if c.ChosenAt = at; !c.RefusedAt.IsZero() {
			return what{passport.CredentialChosen, "although it is refused"}, nil
		}
		return what{kind: passport.CredentialChosen}, nil
	})
}

// Rename calls a stored key otherwise; its secret, ceiling and history stay. The same name again is no change. Errors: Invalid in label; NotFound;
// Conflict for a key that is in the environment.
func (v *Vault) Rename(ctx context.Context, payer passport.Payer, id passport.CredentialID, label string, actor string) error {
	if payer == passport.OwnerPays && strings.HasPrefix(string(id), envPrefix) {
		return problem.New(problem.Conflict, "a key of the environment is called by its variable")
	}
	label = strings.TrimSpace(label)
	if err := checkLabel(label); err != nil {
		return err
	}
	return v.change(ctx, payer, id, actor, func(c *passport.Credential, _ []passport.Credential) (what, error) {
		was := c.Label
		if c.Label = label; was == label {
			return what{}, nil
		}
		return what{passport.CredentialRenamed, cut("before: "+was, maxTestError)}, nil
	})
}

// Rotate replaces the secret of a stored key. Calls that run go on with the old one; those that begin have the new. Label, ceiling and history
// stay. Errors: Invalid in key; NotFound; Conflict for a key that is in the environment.
func (v *Vault) Rotate(ctx context.Context, payer passport.Payer, id passport.CredentialID, key secret.Text, actor string) error {
	if payer == passport.OwnerPays && strings.HasPrefix(string(id), envPrefix) {
		return problem.New(problem.Conflict, "this key is set in the environment of the broker: change it there and restart")
	}
	if err := checkKey(key); err != nil {
		return err
	}
	return v.change(ctx, payer, id, actor, func(c *passport.Credential, _ []passport.Credential) (_ what, err error) {
		c.Sealed, err = v.seal(*c, key)
		c.RotatedAt, c.TestedAt, c.TestError, c.RefusedAt = v.cfg.Now(), time.Time{}, "", time.Time{}
		return what{kind: passport.CredentialRotated}, err
	})
}

// CheckRotation says whether a stored key could have a new secret, and whose it is, before that is shown to the provider. Errors: as Rotate.
func (v *Vault) CheckRotation(payer passport.Payer, id passport.CredentialID, key secret.Text) (passport.Provider, error) {
	c, ok := v.byID(payer, id)
	if !ok {
		return "", problem.New(problem.NotFound, "there is no such provider key that can be replaced here")
	}
	return c.Provider, checkKey(key)
}

// Tested notes how a test went that began at a time; testErr is empty if it was good, and begins with passport.KeyRefused if the provider does not
// take the key. That of a key in the environment is kept in memory only. What is known of the secret is cut out of testErr. A test of a secret that
// was replaced meanwhile says nothing. Error: NotFound.
func (v *Vault) Tested(ctx context.Context, payer passport.Payer, id passport.CredentialID, began time.Time, testErr string, actor string) error {
	if err := v.LendByID(ctx, payer, id, func(key secret.Text) error {
		testErr = strings.ReplaceAll(testErr, key.Reveal(), key.String())
		return nil
	}); err != nil {
		return err
	}
	testErr = cut(testErr, maxTestError)
	if strings.HasPrefix(string(id), envPrefix) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.tests[id] = envTest{at: v.cfg.Now(), err: testErr, refused: refusedSince(v.tests[id].refused, testErr, v.cfg.Now())}
		return nil
	}
	return v.change(ctx, payer, id, actor, func(c *passport.Credential, _ []passport.Credential) (what, error) {
		if c.RotatedAt.After(began) {
			return what{}, nil
		}
		c.TestedAt, c.TestError = v.cfg.Now(), testErr
		c.RefusedAt = refusedSince(c.RefusedAt, testErr, c.TestedAt)
		if testErr == "" {
			return what{passport.CredentialTested, "good"}, nil
		}
		return what{passport.CredentialTested, testErr}, nil
	})
}

// refusedSince is since when a key is refused after a test: one that could not be made says nothing.
func refusedSince(was time.Time, testErr string, now time.Time) time.Time {
	switch {
	case testErr == "":
		return time.Time{}
	case strings.HasPrefix(testErr, passport.KeyRefused) && was.IsZero():
		return now
	default:
		return was
	}
}

// Mark notes that the provider refused a key, or took it, in a call that began at a time. It writes only where that is news, so it can be told
// of every call. A key that has gone, or a secret that was replaced meanwhile, is not marked.
func (v *Vault) Mark(ctx context.Context, payer passport.Payer, id passport.CredentialID, began time.Time, refused bool) error {
	if payer == passport.OwnerPays && strings.HasPrefix(string(id), envPrefix) {
		v.mu.Lock()
		defer v.mu.Unlock()
		t := v.tests[id]
		if t.refused.IsZero() == refused {
			if t.refused = (time.Time{}); refused {
				t.refused = v.cfg.Now()
			}
			v.tests[id] = t
		}
		return nil
	}
	c, ok := v.byID(payer, id)
	if !ok || c.RefusedAt.IsZero() != refused || c.RotatedAt.After(began) {
		return nil
	}
	err := v.change(ctx, payer, id, "broker", func(c *passport.Credential, _ []passport.Credential) (what, error) {
		if c.RefusedAt.IsZero() != refused || c.RotatedAt.After(began) {
			return what{}, nil // another instance was quicker
		}
		if c.RefusedAt = (time.Time{}); !refused {
			return what{kind: passport.CredentialAccepted}, nil
		}
		c.RefusedAt = v.cfg.Now()
		return what{kind: passport.CredentialRefused}, nil
	})
	if problem.KindOf(err) == problem.NotFound {
		return nil
	}
	return err
}

// what is the event of a change; none if nothing changed.
type what struct {
	kind passport.EventKind
	note string
}

// change reads a stored key of somebody's anew, lets f change it and writes it, again if somebody else did meanwhile. Errors: NotFound, Busy.
func (v *Vault) change(ctx context.Context, payer passport.Payer, id passport.CredentialID, actor string, f func(c *passport.Credential, all []passport.Credential) (what, error)) error {
	for range changeTries {
		all, err := v.cfg.Sealed.Credentials(ctx)
		if err != nil {
			return fmt.Errorf("read the stored provider keys: %w", err)
		}
		i := slices.IndexFunc(all, func(c passport.Credential) bool { return payer != "" && c.Payer == payer && c.ID == id })
		if i < 0 {
			return gone()
		}
		c := all[i]
		did, err := f(&c, all)
		if err == nil && did.kind != "" {
			err = v.cfg.Sealed.ChangeCredential(ctx, c, v.event(did.kind, c, actor, did.note))
			c.Version++
		}
		if problem.KindOf(err) == problem.Conflict {
			continue
		}
		if err != nil {
			return fmt.Errorf("change a provider key: %w", err)
		}
		v.took(c)
		return nil
	}
	return problem.New(problem.Busy, "the provider key is being changed; try again")
}

// took brings what is in memory along with a key as it is on disk. One that was removed meanwhile stays so.
func (v *Vault) took(c passport.Credential) {
	v.edit(func(stored []passport.Credential) []passport.Credential {
		for i := range stored {
			if stored[i].ID == c.ID && stored[i].Version < c.Version {
				stored[i] = c
			}
		}
		return stored
	})
}
