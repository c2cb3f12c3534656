package upstream

import (
	"context"
	"io"
	"net/http"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Try shows a key to its provider by listing models, which providers do not bill. Errors: CredentialRefused, or what kept us
// from finding out.
func (c *Client) Try(ctx context.Context, p passport.Provider, key secret.Text) error {
	r := Request{Provider: p, Method: http.MethodGet, Path: "/v1/models"}
	switch p {
	case passport.Anthropic:
		r.Header = http.Header{"Anthropic-Version": {"2023-06-01"}}
	case passport.Google:
		r.Path = "/v1beta/models"
	}
	ans, err := c.Do(ctx, r, key)
	if err != nil {
		return err
	}
	defer ans.Body.Close()
	io.CopyN(io.Discard, ans.Body, 64<<10) // so that the connection can be used again
	switch {
	case ans.Status < 300:
		return nil
	case ans.Status == 400 || ans.Status == 401 || ans.Status == 403: // Google answers a wrong key with 400
		return problem.New(problem.CredentialRefused, "%s refused this key (status %d)", p.Title(), ans.Status)
	default:
		return problem.New(problem.UpstreamFailed, "%s answered with status %d", p.Title(), ans.Status)
	}
}
