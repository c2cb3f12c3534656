package admin_test

import (
	"context"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

func (w *world) NoPasskeys() string { return w.noPasskeys }

func (w *world) Passkeys(context.Context, passport.PersonID) ([]passport.Passkey, error) {
	return w.passkeys, nil
}

func TestSettingsListPasskeys(t *testing.T) {
	w := newWorld(t)
	w.passkeys = []passport.Passkey{{ID: []byte{1}, Label: "lap<top", CreatedAt: w.now}}
	one := w.get("/settings").Body.String()
	w.passkeys = append(w.passkeys, passport.Passkey{ID: []byte{2}, Label: "phone", CreatedAt: w.now})
	two := w.get("/settings").Body.String()
	if !strings.Contains(one, "lap&lt;top") || !strings.Contains(one, "your only passkey") || strings.Contains(two, "your only passkey") || !strings.Contains(two, "data-passkey") {
		t.Errorf("one: %s", one)
	}
	w.noPasskeys = "An address has none."
	if none := w.get("/settings").Body.String(); !strings.Contains(none, w.noPasskeys) || strings.Contains(none, "data-passkey") {
		t.Errorf("an address: %s", none)
	}
}
