package authority

import (
	"context"
	"fmt"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxSDKKeysListed bounds a list of keys; those that ended count.
const maxSDKKeysListed = 100

// KeysOf lists the SDK keys of a grant, newest first. Error: NotFound.
func (c *Control) KeysOf(ctx context.Context, g passport.GrantID) ([]passport.SDKKey, error) {
	if _, err := c.Store.Standing(ctx, g); err != nil {
		return nil, err
	}
	return c.SDKKeys.SDKKeys(ctx, g, maxSDKKeysListed)
}

// MostTokens bounds how many tokens of a grant are listed.
const MostTokens = 20

// TokensOf lists the access tokens of a grant that have not ended, those that end last first: MostTokens, and one more if there are more.
func (c *Control) TokensOf(ctx context.Context, g passport.GrantID) ([]passport.Token, error) {
	return c.SDKKeys.LiveTokens(ctx, g, c.Now(), MostTokens+1)
}

// RevokeKey ends one SDK key of a grant for good, and then its calls in flight; it says how many. Once it returns, nothing new goes
// upstream for this key. The grant, its tokens and its other keys go on. Error: NotFound.
func (c *Control) RevokeKey(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error) {
	err := c.SDKKeys.RevokeSDKKey(ctx, g, id, c.event(passport.SDKKeyRevoked, actor, g, "key "+string(id)))
	return c.endToken(ctx, g, id, err)
}

// RevokeToken is RevokeKey for an access token, or whatever else stands for one of a grant (RFC 7009 §2). Error: NotFound.
func (c *Control) RevokeToken(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error) {
	err := c.SDKKeys.RevokeToken(ctx, g, id, c.event(passport.TokenRevoked, actor, g, "token "+string(id)))
	return c.endToken(ctx, g, id, err)
}

// endToken ends the calls in flight of a token, after the store was told to.
func (c *Control) endToken(ctx context.Context, g passport.GrantID, id passport.TokenID, err error) (int, error) {
	if refused(err) {
		return 0, err
	}
	// Durable first. Where nobody knows whether the revoke is on disk, the calls are ended all the same.
	n := c.Recall.EndKey(id, problem.New(problem.GrantEnded, "the token or SDK key was revoked"))
	c.quietKey(ctx, g)
	if err != nil {
		return n, fmt.Errorf("revoke a token: %w", err)
	}
	return n, nil
}

// quietKey gives the calls that were ended a moment to be over, here, and other instances the time to hear of it: a hold looks at the
// grant, which goes on, so the ledger does not refuse what they have not heard of.
func (c *Control) quietKey(ctx context.Context, g passport.GrantID) {
	ctx = context.WithoutCancel(ctx)
	here, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	c.Recall.Quiet(here, g)
	if c.Heard == nil {
		return
	}
	there, cancel := context.WithTimeout(ctx, elsewhereTime)
	defer cancel()
	c.Heard(there)
}
