// Package keys is what the owner does with provider keys: each is shown to its provider before it is kept or takes the place of another. It
// holds no key itself, guard/vault does, and may not touch providers: it is given a function that asks them.
package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds.
const (
	modelsFor = 10 * time.Minute // how long a list of models is shown before it must be asked for again
	maxLists  = 200              // of models that are remembered; each has at most 1000 (gateway/upstream)
	testTime  = 20 * time.Second // of one test
)

// Vault keeps the keys, each person's apart; guard/vault does.
type Vault interface {
	List(ctx context.Context, of passport.Payer) ([]vault.Entry, error)
	LendByID(ctx context.Context, of passport.Payer, id passport.CredentialID, fn func(key secret.Text) error) error
	Check(of passport.Payer, p passport.Provider, label string, key secret.Text) error
	CheckRotation(of passport.Payer, id passport.CredentialID, key secret.Text) (passport.Provider, error)
	Changes
}

// Changes of keys. Errors: as guard/vault has them.
type Changes interface {
	Add(ctx context.Context, of passport.Payer, p passport.Provider, label string, key secret.Text, actor string) (passport.Credential, error)
	Tested(ctx context.Context, of passport.Payer, id passport.CredentialID, began time.Time, testErr, actor string) error
	Rotate(ctx context.Context, of passport.Payer, id passport.CredentialID, key secret.Text, actor string) error
	Choose(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) error
	Rename(ctx context.Context, of passport.Payer, id passport.CredentialID, label string, actor string) error
	Remove(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) error
}

// Config is what is needed; all of it.
type Config struct {
	Vault    Vault
	TakesKey func(passport.Provider) bool // whether the owner can put a key in for it
	// Try shows a key to its provider by asking for its models, which costs nothing. Error: CredentialRefused; else what kept us from finding
	// out. What it says of the key is cut out.
	Try    func(ctx context.Context, p passport.Provider, key secret.Text) ([]authority.Found, error)
	Titles func(passport.Provider) string
	Limits Limits
	Owner  Owner
	Now    func() time.Time
}

// Keys does what the owner wants. Use New.
type Keys struct {
	cfg Config

	mu    sync.Mutex // guards what follows
	lists map[passport.CredentialID]list
}

// list is what a key reached at a time.
type list struct {
	at    time.Time
	found []authority.Found
}

// New checks that nothing is missing.
func New(cfg Config) (*Keys, error) {
	if cfg.Vault == nil || cfg.TakesKey == nil || cfg.Try == nil || cfg.Titles == nil || cfg.Limits == nil || cfg.Owner == nil || cfg.Now == nil {
		return nil, errors.New("keys needs a vault, providers, their titles, limits, an owner and a clock")
	}
	return &Keys{cfg: cfg, lists: map[passport.CredentialID]list{}}, nil
}

// List lists a person's stored keys, newest first, and then those in the environment.
func (k *Keys) List(ctx context.Context, of passport.Payer) ([]vault.Entry, error) {
	return k.cfg.Vault.List(ctx, of)
}

// Find is one of the list. Error: NotFound.
func (k *Keys) Find(ctx context.Context, of passport.Payer, id passport.CredentialID) (vault.Entry, error) {
	all, err := k.List(ctx, of)
	if err != nil {
		return vault.Entry{}, err
	}
	i := slices.IndexFunc(all, func(e vault.Entry) bool { return e.Credential.ID == id })
	if i < 0 {
		return vault.Entry{}, problem.New(problem.NotFound, "there is no such provider key")
	}
	return all[i], nil
}

// Add shows a key to its provider and keeps it, unless it is refused. One whose provider cannot be asked is kept, and the test error
// says so. Errors: Invalid with the field provider, label or key; CredentialRefused; Conflict if there are as many as there may be.
func (k *Keys) Add(ctx context.Context, of passport.Payer, p passport.Provider, label string, key secret.Text, actor string) (passport.Credential, error) {
	if !k.cfg.TakesKey(p) {
		return passport.Credential{}, problem.New(problem.Invalid, "no key can be put in for it here").In("provider")
	}
	if err := k.cfg.Vault.Check(of, p, label, key); err != nil {
		return passport.Credential{}, err
	}
	began := k.cfg.Now()
	found, tried := k.try(ctx, p, key)
	if problem.KindOf(tried) == problem.CredentialRefused {
		return passport.Credential{}, k.refused(p, tried)
	}
	c, err := k.cfg.Vault.Add(ctx, of, p, label, key, actor)
	if err != nil {
		return passport.Credential{}, err
	}
	k.remember(c.ID, found, tried)
	c.TestedAt, c.TestError = began, Said(tried)
	return c, k.cfg.Vault.Tested(ctx, of, c.ID, began, c.TestError, actor)
}

// Test shows a key to its provider and notes what it said: the test error, empty if it was good. Error: NotFound.
func (k *Keys) Test(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) (string, error) {
	e, err := k.Find(ctx, of, id)
	if err != nil {
		return "", err
	}
	var found []authority.Found
	began := k.cfg.Now()
	tried := k.cfg.Vault.LendByID(ctx, of, id, func(key secret.Text) (err error) {
		found, err = k.try(ctx, e.Credential.Provider, key)
		return err
	})
	if problem.KindOf(tried) == problem.NotFound {
		return "", tried
	}
	k.remember(id, found, tried)
	return Said(tried), k.cfg.Vault.Tested(ctx, of, id, began, Said(tried), actor)
}

// Rotate shows a new secret to the key's provider, and only if that takes it puts it in the place of the old one: calls that run keep the old,
// those that begin have the new. Errors: Invalid in key; NotFound; Conflict for a key of the environment; CredentialRefused, UpstreamFailed and
// UpstreamTimeout, after which the old one is still in use.
func (k *Keys) Rotate(ctx context.Context, of passport.Payer, id passport.CredentialID, key secret.Text, actor string) error {
	p, err := k.cfg.Vault.CheckRotation(of, id, key)
	if err != nil {
		return err
	}
	found, err := k.try(ctx, p, key)
	switch problem.KindOf(err) {
	case problem.CredentialRefused:
		return k.refused(p, err)
	case problem.UpstreamTimeout:
		return problem.Wrap(err, problem.UpstreamTimeout, "%s did not answer in time, so nothing was changed", k.cfg.Titles(p))
	}
	if err != nil {
		return problem.Wrap(err, problem.UpstreamFailed, "%s could not be asked, so nothing was changed", k.cfg.Titles(p))
	}
	if err := k.cfg.Vault.Rotate(ctx, of, id, key, actor); err != nil {
		return err
	}
	k.remember(id, found, nil)
	return k.cfg.Vault.Tested(ctx, of, id, k.cfg.Now(), "", actor) // it began before; what it tested is what is stored now
}

// Choose makes a key the one that is lent. Errors: NotFound; Conflict for a key of the environment.
func (k *Keys) Choose(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) error {
	return k.cfg.Vault.Choose(ctx, of, id, actor)
}

// Rename calls a key otherwise. Errors: Invalid in label; NotFound; Conflict for a key of the environment.
func (k *Keys) Rename(ctx context.Context, of passport.Payer, id passport.CredentialID, label string, actor string) error {
	return k.cfg.Vault.Rename(ctx, of, id, label, actor)
}

// Remove deletes a key. Errors: NotFound; Conflict for a key of the environment.
func (k *Keys) Remove(ctx context.Context, of passport.Payer, id passport.CredentialID, actor string) error {
	k.forget(id)
	return k.cfg.Vault.Remove(ctx, of, id, actor)
}

// Models are those that a key reached when it was asked last, by name, at this instance; ok is false if that is too long ago.
func (k *Keys) Models(id passport.CredentialID) (found []authority.Found, at time.Time, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.lists[id]
	if !ok || k.cfg.Now().Sub(l.at) > modelsFor {
		delete(k.lists, id)
		return nil, time.Time{}, false
	}
	return l.found, l.at, true
}

func (k *Keys) try(ctx context.Context, p passport.Provider, key secret.Text) ([]authority.Found, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, testTime, problem.New(problem.UpstreamTimeout, "the provider did not answer within %s", testTime))
	defer cancel()
	return k.cfg.Try(ctx, p, key)
}

func (k *Keys) remember(id passport.CredentialID, found []authority.Found, tried error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if tried != nil {
		delete(k.lists, id)
		return
	}
	if len(k.lists) >= maxLists {
		clear(k.lists)
	}
	k.lists[id] = list{k.cfg.Now(), found}
}

func (k *Keys) forget(id passport.CredentialID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.lists, id)
}

// refused says that a provider does not take a key, as CredentialRefused in key. What the provider wrote is not in it.
func (k *Keys) refused(p passport.Provider, tried error) error {
	text := k.cfg.Titles(p) + " refused it" + withStatus(tried)
	return problem.Wrap(tried, problem.CredentialRefused, "%s", text).In("key")
}

func withStatus(err error) string {
	if a, ok := errors.AsType[passport.Answered](err); ok {
		return fmt.Sprintf(" (%d)", int(a))
	}
	return ""
}

// Said is what is noted of a test: nothing if it was good.
func Said(tried error) string {
	switch a, answered := errors.AsType[passport.Answered](tried); {
	case tried == nil:
		return ""
	case problem.KindOf(tried) == problem.CredentialRefused:
		return passport.KeyRefused + withStatus(tried)
	case answered:
		return fmt.Sprintf("answered with an error (%d)", int(a))
	default:
		return passport.KeyNotReached
	}
}
