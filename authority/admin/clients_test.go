package admin_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// registered are apps that the owner registered.
type registered struct {
	list []passport.Client
	err  error // of AddOwned
}

func (f *registered) Owned(context.Context) ([]passport.Client, error) { return f.list, nil }

func (f *registered) OwnedClient(_ context.Context, id passport.ClientID) (passport.Client, error) {
	for _, c := range f.list {
		if c.ID == id {
			return c, nil
		}
	}
	return passport.Client{}, problem.New(problem.NotFound, "there is no such app")
}

func (f *registered) AddOwned(_ context.Context, ask passport.Client, _ string) (passport.Client, string, error) {
	if f.err != nil {
		return passport.Client{}, "", f.err
	}
	ask.ID = "app_1"
	f.list = append(f.list, ask)
	return ask, "aipc_once", nil
}

func (f *registered) NewSecret(_ context.Context, id passport.ClientID, _ string) (string, error) {
	_, err := f.OwnedClient(context.Background(), id)
	return "aipc_anew", err
}

func (f *registered) RemoveOwned(_ context.Context, id passport.ClientID, _ string) error {
	_, err := f.OwnedClient(context.Background(), id)
	f.list = nil
	return err
}

// TestAppsThatTheOwnerRegisters: their secret is shown once, what is wrong is said at its field, and removing asks first.
func TestAppsThatTheOwnerRegisters(t *testing.T) {
	w := newWorld(t)
	in := url.Values{"name": {"My <app>"}, "to": {"https://app.example/cb\r\nhttp://127.0.0.1/cb\r\n"}, "auth": {"client_secret_basic"}}
	w.clients.err = problem.New(problem.Invalid, "entry 1: must have no fragment").In("redirect_uris")
	rec := w.post("/clients", in)
	if page := rec.Body.String(); rec.Code != 422 || !strings.Contains(page, "Where it sends you back: entry 1: must have no fragment.") || !strings.Contains(page, "https://app.example/cb") {
		t.Errorf("a wrong address: got %d", rec.Code)
	}
	w.clients.err = nil
	page := w.post("/clients", in).Body.String()
	if !strings.Contains(page, "aipc_once") || !strings.Contains(page, "My &lt;app&gt;") || strings.Contains(page, "<app>") {
		t.Error("the secret is not shown, or the name is not quoted")
	}
	if got := w.clients.list[0]; len(got.RedirectURIs) != 2 || got.Auth != passport.ClientBasic {
		t.Errorf("registered: %+v", got)
	}
	if page := w.get("/clients").Body.String(); strings.Contains(page, "aipc_") || !strings.Contains(page, "app_1") || !strings.Contains(page, "/clients/app_1/secret") {
		t.Error("the list shows a secret, or not the app")
	}
	if page := w.post("/clients/app_1/secret", nil).Body.String(); !strings.Contains(page, "aipc_anew") {
		t.Error("the new secret is not shown")
	}
	if page := w.get("/clients/app_1/remove").Body.String(); !strings.Contains(page, "ends at once") || len(w.clients.list) != 1 {
		t.Error("removing does not ask, or is done by asking")
	}
	if page := w.after("/clients/app_1/remove", nil); !strings.Contains(page, "The app is removed") || len(w.clients.list) != 0 {
		t.Error("it is not removed, or that is not told")
	}
	w.post("/clients", url.Values{"name": {"k"}, "auth": {"private_key_jwt"}, "jwks": {" https://app.example/keys "}})
	if got := w.clients.list[0]; got.JWKSURI != "https://app.example/keys" || got.JWKS != "" {
		t.Errorf("an address of keys: %+v", got)
	}
	if rec := w.get("/clients/nobody/remove"); rec.Code != 404 {
		t.Errorf("one that is not there: got %d", rec.Code)
	}
}
