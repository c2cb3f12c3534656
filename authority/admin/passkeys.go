package admin

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Passkeys are those of a person.
type Passkeys interface {
	// Passkeys lists them, oldest first.
	Passkeys(ctx context.Context, who passport.PersonID) ([]passport.Passkey, error)
	// NoPasskeys says why there can be none; empty: there can.
	NoPasskeys() string
}

type passkeysView struct {
	List    []passkeyView
	One     bool
	Closed  string
	Suggest string // what a new one may be called
}

type passkeyView struct {
	ID, Label         string
	BackedUp          bool
	CreatedAt, UsedAt time.Time
}

func (a *Admin) passkeys(ctx context.Context, who passport.PersonID) (d passkeysView, err error) {
	list, err := a.cfg.Passkeys.Passkeys(ctx, who)
	for _, k := range list {
		d.List = append(d.List, passkeyView{base64.RawURLEncoding.EncodeToString(k.ID), k.Label, k.BackedUp, k.CreatedAt, k.UsedAt})
	}
	d.One, d.Closed, d.Suggest = len(list) == 1, a.cfg.Passkeys.NoPasskeys(), "Passkey"
	return d, err
}

func saidOfPasskeys(word string) string {
	switch word {
	case "passkey-added":
		return "The passkey is added. From now on you can sign in with it."
	case "passkey-renamed":
		return "The passkey has its new name."
	case "passkey-removed":
		return "The passkey is removed. Nobody can sign in with it any more."
	default:
		return ""
	}
}
