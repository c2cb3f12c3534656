package upstream

import (
	"context"
	"io"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Try shows a key to its provider by asking which models it can reach, which providers do not bill. A provider that takes the key and whose
// list cannot be read has no list. Errors: CredentialRefused, or what kept us from finding out; a passport.Answered is among its causes if the
// provider answered.
func (c *Client) Try(ctx context.Context, p passport.Provider, key secret.Text) ([]Listed, error) {
	ans, err := c.Do(ctx, listOf(p), key)
	if err != nil {
		return nil, err
	}
	defer ans.Body.Close()
	if err := listRefused(p, ans.Status); err != nil {
		io.CopyN(io.Discard, ans.Body, 64<<10) // so that the connection can be used again
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(ans.Body, maxList+1))
	if err != nil || len(text) > maxList {
		return nil, ctx.Err()
	}
	list, err := readList(text)
	if problem.KindOf(err) == problem.UpstreamFailed {
		return nil, nil
	}
	return list, err
}
