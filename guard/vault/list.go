package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/devrelopers/aipassport/passport"
)

// Entry is a key as a page shows it.
type Entry struct {
	Credential passport.Credential // Sealed is emptied
	FromEnv    bool
	EnvName    string // the variable, if FromEnv; the credential's ID is then made of it
	Used       bool   // this is the one that Lend lends for its provider
}

// List returns the stored keys of somebody as they are on disk, newest first, and then, for the owner, those in the environment.
func (v *Vault) List(ctx context.Context, payer passport.Payer) ([]Entry, error) {
	stored, err := v.cfg.Sealed.Credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the provider keys: %w", err)
	}
	list := make([]Entry, 0, len(stored)+len(v.env))
	for _, c := range slices.Backward(stored) {
		if payer == "" || c.Payer != payer {
			continue
		}
		used, _ := v.Pick(payer, c.Provider)
		c.Sealed = nil
		list = append(list, Entry{Credential: c, Used: used == c.ID})
	}
	for _, p := range slices.Concat(passport.Providers, slices.Sorted(maps.Keys(v.cfg.Named))) {
		e, ok := v.fromEnv(payer, p)
		if !ok {
			continue
		}
		id := e.id
		used, _ := v.Pick(payer, p)
		v.mu.RLock()
		test := v.tests[id]
		v.mu.RUnlock()
		list = append(list, Entry{
			Credential: passport.Credential{ID: id, Provider: p, Label: e.name, TestedAt: test.at, TestError: test.err, RefusedAt: test.refused},
			FromEnv:    true, EnvName: e.name, Used: used == id,
		})
	}
	return list, nil
}
