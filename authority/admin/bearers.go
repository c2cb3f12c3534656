package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bearers stand for a person: those of command lines and of automation.
type Bearers interface {
	// OwnerTokens lists those that have not ended, newest first.
	OwnerTokens(ctx context.Context, of passport.Payer) ([]passport.OwnerToken, error)
	// EndOwnerToken ends one for good. Error: NotFound.
	EndOwnerToken(ctx context.Context, of passport.Payer, id, actor string) error
}

type bearerView struct {
	ID, Label string
	Made      time.Time
	Ends      time.Time // zero: it does not end
}

func (a *Admin) bearers(ctx context.Context, v web.Visitor) (out []bearerView, err error) {
	list, err := a.cfg.Bearers.OwnerTokens(ctx, v.Payer())
	for _, t := range list {
		out = append(out, bearerView{t.ID(), t.Label, t.CreatedAt, t.ExpiresAt})
	}
	return out, err
}

// EndBearer answers POST /owner-tokens/{id}/revoke.
func (a *Admin) EndBearer(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	if err := a.cfg.Bearers.EndOwnerToken(r.Context(), v.Payer(), r.PathValue("id"), actor(v)); err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	a.cfg.Pages.Say(w, "bearer-ended", 0)
	a.cfg.Pages.Redirect(w, r, "/settings")
}
