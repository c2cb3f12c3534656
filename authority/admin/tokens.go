package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// tokensView are the access tokens that an app holds. None is shown: only what is known of it.
type tokensView struct {
	List  []tokenView
	Bound bool // to a key of the app: who steals one can do nothing with it
	More  bool
}

type tokenView struct {
	Made, Ends time.Time
	Path       string
}

// tokens fills in the tokens of a grant.
func (a *Admin) tokens(ctx context.Context, v web.Visitor, g passport.Grant) (d tokensView, err error) {
	if ended(g.State) || g.State == passport.GrantPending {
		return d, nil
	}
	list, err := a.cfg.Grants(v.Payer()).TokensOf(ctx, g.ID)
	if d.More = len(list) > authority.MostTokens; d.More {
		list = list[:authority.MostTokens]
	}
	d.Bound = g.JKT != ""
	for _, t := range list {
		d.List = append(d.List, tokenView{t.IssuedAt, t.ExpiresAt, grantPath(g.ID) + "/tokens/" + url.PathEscape(string(t.ID))})
	}
	return d, err
}

// RevokeToken answers POST /grants/{id}/tokens/{token}/revoke, at once: the app can ask for another.
func (a *Admin) RevokeToken(w http.ResponseWriter, r *http.Request) {
	a.change(w, r, "token-ended", func(v web.Visitor, id passport.GrantID, who string) (int, error) {
		return a.cfg.Grants(v.Payer()).RevokeToken(r.Context(), id, passport.TokenID(r.PathValue("token")), who)
	})
}
