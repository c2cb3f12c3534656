package gateway

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/patience"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of telling whether a provider takes a key.
const (
	KeyMarks    = 10 * time.Minute // a refusal is noted at most once in so long, of each key
	keyMarkTime = 5 * time.Second  // for the store to take it
)

// keyMarks remembers which refusals were noted of late. A provider also refuses single calls with 403: an app that finds one could else have
// the owner be told as often as it likes.
type keyMarks struct {
	mu    sync.Mutex // guards noted
	noted map[passport.CredentialID]time.Time
}

// fresh says whether a refusal of a key is to be noted now. What is older than KeyMarks is forgotten.
func (k *keyMarks) fresh(id passport.CredentialID, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.noted, func(_ passport.CredentialID, at time.Time) bool { return now.Sub(at) >= KeyMarks })
	if _, ok := k.noted[id]; ok {
		return false
	}
	if k.noted == nil {
		k.noted = map[passport.CredentialID]time.Time{}
	}
	k.noted[id] = now
	return true
}

// lend sends the call with the owner's key and relays the answer, and then notes whether the provider took the key.
func (c *call) lend(ctx context.Context, req *dialect.Request) {
	began := c.g.Now()
	err := c.g.Vault.Lend(ctx, c.standing.Grant.Payer, req.Call.Provider, req.Call.Credential, func(key secret.Text) error {
		return c.exchange(ctx, req, key)
	})
	if err != nil {
		c.fail(ctx, err)
	}
	c.markKey(began, err)
}

// markKey notes that the provider refused the key that was lent at a time, or took it in a call that went well. It writes only where that is
// news, and after the call is settled.
func (c *call) markKey(began time.Time, lent error) {
	id, refused := c.wants.Credential, problem.KindOf(lent) == problem.CredentialRefused
	if id == "" || !refused && (lent != nil || c.why != passport.Finished) || refused && !c.g.keys.fresh(id, began) {
		return
	}
	c.settle()
	ctx := patience.For(c.r.Context(), keyMarkTime)
	defer ctx.Over()
	if err := c.g.Vault.Mark(ctx, c.standing.Grant.Payer, id, began, refused); err != nil {
		c.g.OnMarkError(err)
	}
}
