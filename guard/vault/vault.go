// Package vault is the sole owner of provider credentials: it seals them, and lends one for the length of a function call. It may
// not touch HTTP or logs.
package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of what the owner puts in.
const (
	maxLabel     = 60 // characters
	minKey       = 8  // bytes
	maxKey       = 500
	maxTestError = 300 // bytes
	maxStored    = 100 // keys, of all providers
	changeTries  = 8   // of a change, where others change the same key
)

// purpose binds what is sealed here to this package's use.
const purpose = "credential"

// Config is what a vault needs.
type Config struct {
	Sealed Sealed
	Box    *seal.Box
	Env    map[string]string // the process environment: variable to value
	// Named are the variables that hold the keys of other providers than the built-in ones; nil: none.
	Named map[passport.Provider]string
	// Known says whether there is a provider besides the built-in ones; nil: there is none.
	Known func(passport.Provider) bool
	// Keyless says that a provider needs no key; it is lent an empty one. nil: all need one.
	Keyless func(passport.Provider) bool
	Now     func() time.Time
	NewID   func() string
}

// Vault holds the provider keys. In memory it keeps the stored ones sealed and opens one for each loan. It is safe for use by
// several goroutines.
type Vault struct {
	cfg Config
	env map[passport.Provider]fromEnv // never changed after New

	mu     sync.RWMutex                      // guards what follows
	stored []passport.Credential             // sealed, oldest first; the slice is replaced, never changed
	edits  int                               // how often stored was replaced after a change of ours
	tests  map[passport.CredentialID]envTest // of keys in the environment; not kept on disk
}

// envTest is how the last test of a key in the environment went, and since when it is refused.
type envTest struct {
	at, refused time.Time
	err         string
}

// New reads what is stored and tries that every key opens. Errors: Invalid if a key in the environment cannot be one;
// Unavailable if the key file is missing or another than the one that sealed what is stored.
func New(ctx context.Context, cfg Config) (*Vault, error) {
	if cfg.Sealed == nil || cfg.Box == nil || cfg.Now == nil || cfg.NewID == nil {
		panic("vault: a part of Config is missing")
	}
	if cfg.Known == nil {
		cfg.Known = func(passport.Provider) bool { return false }
	}
	if cfg.Keyless == nil {
		cfg.Keyless = func(passport.Provider) bool { return false }
	}
	env, err := keysOf(cfg.Env, cfg.Named)
	if err != nil {
		return nil, err
	}
	stored, err := cfg.Sealed.Credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the stored provider keys: %w", err)
	}
	v := &Vault{cfg: cfg, env: env, stored: slices.Clone(stored), tests: map[passport.CredentialID]envTest{}}
	v.cfg.Env = nil
	for _, c := range stored {
		if err := v.lend(c, func(secret.Text) error { return nil }); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Has says whether somebody has a key for a provider, or it needs none.
func (v *Vault) Has(payer passport.Payer, p passport.Provider) bool {
	_, ok := v.Pick(payer, p)
	return ok
}

// HasAny says whether anybody has a key for a provider.
func (v *Vault) HasAny(p passport.Provider) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, inEnv := v.env[p]
	return inEnv || slices.ContainsFunc(v.stored, func(c passport.Credential) bool { return c.Provider == p })
}

// Pick says which key of somebody's for a provider is lent now: of those that they put in the one chosen last, else, for the owner, the one in
// the environment. It is empty where the provider needs none; ok is false if there is nothing to lend. A call asks once, so that one that runs
// keeps its key whatever is chosen meanwhile.
func (v *Vault) Pick(payer passport.Payer, p passport.Provider) (id passport.CredentialID, ok bool) {
	if payer == "" {
		return "", false
	}
	if c, ok := v.chosen(payer, p); ok {
		return c.ID, true
	}
	if e, ok := v.fromEnv(payer, p); ok {
		return e.id, true
	}
	return "", v.cfg.Keyless(p)
}

// fromEnv is the key of the environment, which is the owner's alone.
func (v *Vault) fromEnv(payer passport.Payer, p passport.Provider) (fromEnv, bool) {
	if payer != passport.OwnerPays {
		return fromEnv{}, false
	}
	e, ok := v.env[p]
	return e, ok
}

// Lend lets fn use a key of somebody's for a provider until it returns: the one of this id, as Pick said, with the secret that it has now.
// Errors: CredentialMissing if it has gone or is another's, Unavailable if it cannot be opened, and fn's own, as they are.
func (v *Vault) Lend(ctx context.Context, payer passport.Payer, p passport.Provider, id passport.CredentialID, fn func(key secret.Text) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c, ok := v.byID(payer, id); ok && c.Provider == p {
		return v.lend(c, fn)
	}
	if e, ok := v.fromEnv(payer, p); ok && id == e.id {
		return loan([]byte(e.key.Reveal()), fn)
	}
	if id == "" && payer != "" && v.cfg.Keyless(p) {
		return fn(secret.Text{})
	}
	return Missing(p)
}

// Missing says that there is no key for a provider, as CredentialMissing, in the seed's words.
func Missing(p passport.Provider) error {
	return problem.New(problem.CredentialMissing, "No API key configured for provider '%s'. Set the corresponding environment variable.", p)
}

// LendByID lends one key of somebody's of whichever provider, to test it. Errors: NotFound, and as Lend.
func (v *Vault) LendByID(ctx context.Context, payer passport.Payer, id passport.CredentialID, fn func(key secret.Text) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c, ok := v.byID(payer, id); ok {
		return v.lend(c, fn)
	}
	for _, e := range v.env {
		if payer == passport.OwnerPays && id == e.id {
			return loan([]byte(e.key.Reveal()), fn)
		}
	}
	return gone()
}

// gone says that somebody has no such key, whether another has or not.
func gone() error { return problem.New(problem.NotFound, "there is no such provider key") }

// lend opens a stored key and lends it.
func (v *Vault) lend(c passport.Credential, fn func(key secret.Text) error) error {
	key, err := v.cfg.Box.Open(purpose, boundTo(c), c.Sealed)
	if err != nil {
		return fmt.Errorf("open the %s key %q: %w", c.Provider, c.Label, err)
	}
	return loan(key, fn)
}

// loan lends key and wipes it after: who kept the Text is left with nothing.
func loan(key []byte, fn func(key secret.Text) error) error {
	defer clear(key)
	return fn(secret.FromBytes(key))
}

// boundTo is what a sealed key belongs to: its row, its provider and, of a member's, whose it is. A key moved to another row, or a row given
// to another provider (whose hosts would then see the key) or to another person, does not open.
func boundTo(c passport.Credential) string {
	to := string(c.ID) + "/" + string(c.Provider)
	if m := c.Payer.Member(); m != "" {
		to += "/" + m
	}
	return to
}

// Add seals a key that a person pasted and stores it as theirs. Spaces around the key and the label are dropped. The first key of a provider is
// lent from now on; another waits until it is chosen. Errors: Invalid with the field provider, label or key; Conflict if there are as many
// as there may be.
func (v *Vault) Add(ctx context.Context, payer passport.Payer, p passport.Provider, label string, key secret.Text, actor string) (passport.Credential, error) {
	if err := v.Check(payer, p, label, key); err != nil {
		return passport.Credential{}, err
	}
	now := v.cfg.Now()
	c := passport.Credential{ID: passport.CredentialID(v.cfg.NewID()), Payer: payer, Provider: p, Label: strings.TrimSpace(label), CreatedAt: now, Version: 1}
	if _, ok := v.chosen(payer, p); !ok {
		c.ChosenAt = now
	}
	var err error
	if c.Sealed, err = v.seal(c, key); err != nil {
		return passport.Credential{}, err
	}
	if err := v.cfg.Sealed.AddCredential(ctx, c, v.event(passport.CredentialAdded, c, actor, "")); err != nil {
		return passport.Credential{}, fmt.Errorf("store a %s key: %w", p, err)
	}
	v.edit(func(stored []passport.Credential) []passport.Credential {
		if slices.ContainsFunc(stored, func(d passport.Credential) bool { return d.ID == c.ID }) {
			return stored // a Reload was quicker
		}
		return append(stored, c)
	})
	c.Sealed = nil
	return c, nil
}

func (v *Vault) seal(c passport.Credential, key secret.Text) ([]byte, error) {
	sealed, err := v.cfg.Box.Seal(purpose, boundTo(c), []byte(strings.TrimSpace(key.Reveal())))
	if err != nil {
		return nil, fmt.Errorf("seal a %s key: %w", c.Provider, err)
	}
	return sealed, nil
}

// Check says whether a key could be added, without keeping it: before it is shown to its provider. Errors: as Add.
func (v *Vault) Check(payer passport.Payer, p passport.Provider, label string, key secret.Text) error {
	if p != passport.Sandbox && !slices.Contains(passport.Providers, p) && !v.cfg.Known(p) {
		return problem.New(problem.Invalid, "%q is not a provider this broker knows", p).In("provider")
	}
	if err := checkLabel(strings.TrimSpace(label)); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	if payer == "" {
		return problem.New(problem.Internal, "a key without a person")
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	own := 0
	for _, c := range v.stored {
		if c.Payer == payer {
			own++
		}
	}
	if own >= maxStored {
		return problem.New(problem.Conflict, "there are %d provider keys, which is as many as there may be: remove one first", maxStored)
	}
	return nil
}

func checkLabel(label string) error {
	if n := utf8.RuneCountInString(label); n < 1 || n > maxLabel || !utf8.ValidString(label) {
		return problem.New(problem.Invalid, "must have 1 to %d characters", maxLabel).In("label")
	}
	if strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return problem.New(problem.Invalid, "must be one line of text").In("label")
	}
	return nil
}

// checkKey says whether a text can be a key, as Invalid in key.
func checkKey(key secret.Text) error {
	text := strings.TrimSpace(key.Reveal())
	if len(text) < minKey || len(text) > maxKey || !plain(text) {
		return problem.New(problem.Invalid, "must be %d to %d printable ASCII characters without spaces", minKey, maxKey).In("key")
	}
	return nil
}

// Remove deletes a stored key of somebody's. Once it returns nil, nothing is lent of it any more; a loan that runs is not called back.
// Errors: NotFound; Conflict for a key that is in the environment.
func (v *Vault) Remove(ctx context.Context, payer passport.Payer, id passport.CredentialID, actor string) error {
	if payer == passport.OwnerPays && strings.HasPrefix(string(id), envPrefix) {
		return problem.New(problem.Conflict, "this key is set in the environment of the broker: take it out there and restart")
	}
	c, ok := v.byID(payer, id)
	if !ok { // another instance may have put it in
		if err := v.Reload(ctx); err != nil {
			return err
		}
		if c, ok = v.byID(payer, id); !ok {
			return gone()
		}
	}
	err := v.cfg.Sealed.RemoveCredential(ctx, id, v.event(passport.CredentialGone, c, actor, ""))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return fmt.Errorf("remove a provider key: %w", err) // it may be gone or not: asking again will tell
	}
	v.edit(func(stored []passport.Credential) []passport.Credential {
		return slices.DeleteFunc(stored, func(c passport.Credential) bool { return c.ID == id })
	})
	return err
}

// edit brings what is in memory along with a change that is stored.
func (v *Vault) edit(change func([]passport.Credential) []passport.Credential) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stored = change(slices.Clone(v.stored))
	v.edits++
}

// reloadTries bounds how often Reload reads anew because a change of ours came between.
const reloadTries = 8

// Reload takes over what other instances have added and removed. What it read before a change of our own was stored is not
// taken: a key that was removed does not come back.
func (v *Vault) Reload(ctx context.Context) error {
	for range reloadTries {
		v.mu.RLock()
		edits := v.edits
		v.mu.RUnlock()
		stored, err := v.cfg.Sealed.Credentials(ctx)
		if err != nil {
			return fmt.Errorf("read the stored provider keys: %w", err)
		}
		if v.replace(slices.Clone(stored), edits) {
			return nil
		}
	}
	return problem.New(problem.Busy, "the provider keys are being changed; try again")
}

// replace takes what was read, unless it was edited since.
func (v *Vault) replace(stored []passport.Credential, edits int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.edits != edits {
		return false
	}
	v.stored = stored
	return true
}

// cut shortens s to at most n bytes of whole characters.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// event tells of a change to a credential. Of a member's it is theirs, whoever made it: a broker that finds it refused too.
func (v *Vault) event(kind passport.EventKind, c passport.Credential, actor, note string) passport.Event {
	name := cut(string(c.Provider)+" "+c.Label, passport.MaxNote-maxTestError-2)
	if note != "" {
		name += ": " + note
	}
	ev := passport.Event{ID: passport.EventID(v.cfg.NewID()), Kind: kind, At: v.cfg.Now(), Actor: actor, Note: name}
	if c.Payer.Member() != "" {
		ev.Payer = c.Payer
	}
	return ev
}

// chosen is the stored key of somebody's for a provider that is lent.
func (v *Vault) chosen(payer passport.Payer, p passport.Provider) (best passport.Credential, ok bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, c := range v.stored {
		if c.Payer == payer && c.Provider == p && (!ok || best.Before(c)) {
			best, ok = c, true
		}
	}
	return best, ok
}

// byID is a stored key of somebody's.
func (v *Vault) byID(payer passport.Payer, id passport.CredentialID) (passport.Credential, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	i := slices.IndexFunc(v.stored, func(c passport.Credential) bool { return payer != "" && c.Payer == payer && c.ID == id })
	if i < 0 {
		return passport.Credential{}, false
	}
	return v.stored[i], true
}
