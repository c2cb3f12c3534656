package status

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Revoke answers POST /oauth/revoke (RFC 7009). An access token or an SDK key ends by itself, with its calls in flight; a refresh token ends the
// grant, with all its tokens and calls: who gives that back wants nothing more (§2.1). A token that nobody knows is none that works, so that is
// a success (§2.2). One of another client's is refused, and nothing happens to it (§2.1).
func (s *Status) Revoke(w http.ResponseWriter, r *http.Request) {
	if err := s.revoke(w, r); err != nil {
		wire.Fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

func (s *Status) revoke(w http.ResponseWriter, r *http.Request) error {
	f, err := wire.ReadForm(w, r)
	if err != nil {
		return err
	}
	who, err := s.asks(w, r, f)
	if err != nil {
		return err
	}
	text, err := s.token(f)
	if err != nil {
		return err
	}
	if strings.HasPrefix(text, refreshPrefix) {
		return known(s.revokeRefresh(r.Context(), who, text))
	}
	return known(s.revokeAccess(r.Context(), who, text))
}

// known turns what says that there is no such token into success.
func known(err error) error {
	if k := problem.KindOf(err); k == problem.Unauthenticated || k == problem.NotFound {
		return nil
	}
	return err
}

func (s *Status) revokeAccess(ctx context.Context, who asker, text string) error {
	p, err := s.cfg.Tokens.Find(ctx, text)
	if err != nil {
		return err
	}
	if _, err := s.owned(ctx, who, p.Grant); err != nil {
		return err
	}
	_, err = s.cfg.Control.RevokeToken(ctx, p.Grant, p.Token, who.actor())
	return err
}

func (s *Status) revokeRefresh(ctx context.Context, who asker, text string) error {
	f, err := s.cfg.Refresh.Refresh(ctx, sha256.Sum256([]byte(text)))
	if err != nil {
		return err
	}
	g, err := s.owned(ctx, who, f.Grant)
	if err != nil || g.State == passport.GrantRevoked {
		return err
	}
	_, _, err = s.cfg.Control.Revoke(ctx, f.Grant, who.actor())
	return err
}

// owned reads the grant of a token if its tokens are the asker's to end.
func (s *Status) owned(ctx context.Context, who asker, id passport.GrantID) (passport.Grant, error) {
	standing, err := s.cfg.Control.Standing(ctx, id)
	if err == nil && !who.owns(standing.Grant) {
		err = wire.Bad(wire.InvalidRequest, "token: is not this client's")
	}
	return standing.Grant, err
}
