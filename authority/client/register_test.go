package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/client"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// send sends one request to the routes of clients and of the owner, each from an address of its own.
func (w *world) send(method, path, body, bearer string) (int, map[string]any, http.Header) {
	w.t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range w.clients.Routes() {
		mux.HandleFunc(pattern, h)
	}
	for pattern, h := range w.clients.API() {
		mux.HandleFunc(pattern, h)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = fmt.Sprintf("192.0.%d.%d:1", 2+w.n.Add(1)/200, w.n.Load()%200)
	r.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	got := map[string]any{}
	if rec.Body.Len() > 0 && rec.Body.Bytes()[0] == '{' {
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
			w.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return rec.Code, got, rec.Header()
}

// TestRegistration: what may be registered, and what is answered (RFC 7591 §3.2).
func TestRegistration(t *testing.T) {
	w := newWorld(t, nil)
	_, set := newKey(t, jose.ES256)
	const to = `"redirect_uris":["https://app.example/cb"]`
	for _, c := range []struct {
		body, wrong string
	}{
		{`{` + to + `}`, ""},
		{`{` + to + `,"token_endpoint_auth_method":"none","client_name":"Nötes","scope":"x","contacts":["a"],"software_id":"y","client_id":"mine","client_secret":"mine"}`, ""},
		{`{` + to + `,"token_endpoint_auth_method":"private_key_jwt","jwks":` + set + `}`, ""},
		{`{"redirect_uris":["http://127.0.0.1/cb","http://[::1]/cb","http://localhost:3000/cb","com.example.app:/cb"],"token_endpoint_auth_method":"none"}`, ""},
		{`{"grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"token_endpoint_auth_method":"none"}`, ""},
		{`{}`, "invalid_redirect_uri"}, {`{"redirect_uris":[]}`, "invalid_redirect_uri"}, {`{"redirect_uris":"https://app.example/"}`, "invalid_redirect_uri"},
		{`{"redirect_uris":["http://app.example/cb"]}`, "invalid_redirect_uri"}, {`{"redirect_uris":["https://*.app.example/cb"]}`, "invalid_redirect_uri"},
		{`{"redirect_uris":["https://app.example/cb#x"]}`, "invalid_redirect_uri"}, {`{"redirect_uris":["https://u@app.example/cb"]}`, "invalid_redirect_uri"},
		{`{"redirect_uris":["myapp:/cb"]}`, "invalid_redirect_uri"}, {`{"redirect_uris":["javascript:alert(1)"]}`, "invalid_redirect_uri"},
		{`{"redirect_uris":[` + strings.TrimSuffix(strings.Repeat(`"https://app.example/cb",`, 11), ",") + `]}`, "invalid_redirect_uri"},
		{`{` + to + `,"token_endpoint_auth_method":"client_secret_post"}`, "invalid_client_metadata"}, {`{` + to + `,"token_endpoint_auth_method":"private_key_jwt"}`, "invalid_client_metadata"},
		{`{` + to + `,"jwks_uri":"https://app.example/keys"}`, "invalid_client_metadata"}, {`{` + to + `,"response_types":["code","token"]}`, "invalid_client_metadata"},
		{`{` + to + `,"client_name":"` + strings.Repeat("x", 101) + `"}`, "invalid_client_metadata"}, {`{` + to + `,"dpop_bound_access_tokens":"yes"}`, "invalid_client_metadata"},
		{`{` + to + `,` + to + `}`, "invalid_redirect_uri"}, {`{` + to + `,"Client_name":"x"}`, "invalid_client_metadata"}, {`[]`, "invalid_client_metadata"}, {`{`, "invalid_client_metadata"},
		{`{` + to + `,"x":"` + strings.Repeat("y", 17000) + `"}`, "invalid_client_metadata"},
	} {
		status, got, header := w.send("POST", "/oauth/register", c.body, "")
		if c.wrong != "" {
			if (status != 400 && status != 413) || got["error"] != c.wrong {
				t.Errorf("%.90s: got %d %v, want %s", c.body, status, got, c.wrong)
			}
			continue
		}
		id, _ := got["client_id"].(string)
		if status != 201 || !strings.HasPrefix(id, "app_") || got["registration_client_uri"] != issuer+"/oauth/register/"+id || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.90s: got %d %v", c.body, status, got)
		}
		_, hasSecret := got["client_secret"]
		if _, ends := got["client_secret_expires_at"]; hasSecret != (got["token_endpoint_auth_method"] == "client_secret_basic") || ends != hasSecret {
			t.Errorf("%.90s: got %v", c.body, got)
		}
		found, err := w.client(id)
		if err != nil || found.Kind != passport.ClientRegistered {
			t.Errorf("%s: got %+v, %v", id, found, err)
		}
		if site, checked := found.Site(redirectURI); checked {
			t.Errorf("%s at %s is said to be checked", id, site)
		}
	}
	closed := newWorld(t, func(c *client.Config) { c.Closed = true })
	if status, _, _ := closed.send("POST", "/oauth/register", `{`+to+`}`, ""); status != http.StatusMethodNotAllowed && status != http.StatusNotFound {
		t.Errorf("registration is closed: got %d", status)
	}
}

// TestRegistrationsAreLimited: from one address in a minute.
func TestRegistrationsAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	last := 0
	for i := range 11 {
		r := httptest.NewRequest("POST", "/oauth/register", strings.NewReader(`{"redirect_uris":["https://app.example/cb"]}`))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.clients.Register(rec, r)
		if last = rec.Code; i < 10 && last != 201 {
			t.Fatalf("registration %d: got %d", i, last)
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the eleventh: got %d, want 429", last)
	}
}

// ask makes a pending grant of a client.
func (w *world) ask(id passport.ClientID) passport.GrantID {
	w.t.Helper()
	g := passport.Grant{ID: passport.GrantID(fmt.Sprint("g-", w.n.Add(1))), RequestID: "r", Version: 1, State: passport.GrantPending, AppName: "x", Client: id,
		Asked: []passport.Detail{storetest.Detail(1, 1)}, CreatedAt: w.now(), ExpiresAt: w.now().Add(1e12)}
	if err := w.store.AddGrant(context.Background(), g, passport.Event{ID: passport.EventID("e-" + g.ID), At: w.now()}); err != nil {
		w.t.Fatal(err)
	}
	return g.ID
}

func (w *world) state(id passport.GrantID) passport.GrantState {
	w.t.Helper()
	s, err := w.control.Standing(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Grant.State
}

var _ client.Grants = (*authority.Control)(nil)

// TestManagement: a client reads, replaces and removes itself, and nobody else does (RFC 7592 §2).
func TestManagement(t *testing.T) {
	w := newWorld(t, nil)
	const to = `"redirect_uris":["https://app.example/cb"]`
	_, mine, _ := w.send("POST", "/oauth/register", `{`+to+`,"client_name":"A"}`, "")
	_, other, _ := w.send("POST", "/oauth/register", `{`+to+`}`, "")
	id, token := mine["client_id"].(string), mine["registration_access_token"].(string)
	path, secret := "/oauth/register/"+id, mine["client_secret"].(string)
	for name, c := range map[string]struct{ path, token string }{
		"no token": {path, ""}, "wrong token": {path, "x"}, "another's": {path, other["registration_access_token"].(string)}, "its secret": {path, secret}, "nobody": {"/oauth/register/who", token},
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			status, got, header := w.send(method, c.path, `{"client_id":"`+id+`",`+to+`}`, c.token)
			if status != 401 || got["error"] != "invalid_token" || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s: got %d %v %v", method, name, status, got, header)
			}
		}
	}
	if status, got, _ := w.send("GET", path, "", token); status != 200 || got["client_name"] != "A" || got["registration_access_token"] != token || got["client_secret"] != nil {
		t.Errorf("read: got %d %v", status, got)
	}
	for body, want := range map[string]string{
		`{` + to + `}`: "client_id", `{"client_id":"x",` + to + `}`: "client_id", `{"client_id":"` + id + `",` + to + `,"client_secret":"x"}`: "client_secret",
		`{"client_id":"` + id + `",` + to + `,"registration_access_token":"x"}`: "registration_access_token", `{"client_id":"` + id + `",` + to + `,"client_id_issued_at":1}`: "client_id_issued_at",
		`{"client_id":"` + id + `"}`: "redirect_uris",
	} {
		if status, got, _ := w.send("PUT", path, body, token); status != 400 || !strings.HasPrefix(fmt.Sprint(got["error_description"]), want) {
			t.Errorf("%s: got %d %v, want %s named", body, status, got, want)
		}
	}
	basic := func() string {
		r, f := request(t, form(), "Authorization", basicOf(id, secret))
		_, err := w.clients.Authenticate(r, f)
		return code(err)
	}
	if status, got, _ := w.send("PUT", path, `{"client_id":"`+id+`",`+to+`,"client_secret":"`+secret+`"}`, token); status != 200 || got["client_name"] != nil || got["client_secret"] != nil || basic() != "" {
		t.Errorf("replaced, its secret kept: got %d %v %s", status, got, basic())
	}
	if status, _, _ := w.send("PUT", path, `{"client_id":"`+id+`",`+to+`,"token_endpoint_auth_method":"none"}`, token); status != 200 || basic() == "" {
		t.Errorf("without a secret: got %d %s", status, basic())
	}
	gone, kept := w.ask(passport.ClientID(id)), w.ask(passport.ClientID(other["client_id"].(string)))
	if status, _, _ := w.send("DELETE", path, "", token); status != 204 {
		t.Errorf("removed: got %d", status)
	}
	if w.state(gone) != passport.GrantRevoked || w.state(kept) != passport.GrantPending {
		t.Errorf("its grant is %s, another's %s", w.state(gone), w.state(kept))
	}
	if status, _, _ := w.send("GET", path, "", token); status != 401 {
		t.Errorf("read after its end: got %d", status)
	}
	if _, err := w.client(id); err == nil {
		t.Error("it is still known")
	}
}

// TestTheOwnersApps: registered, changed, given a new secret and removed by the owner alone; the secret is shown once.
func TestTheOwnersApps(t *testing.T) {
	w := newWorld(t, nil)
	const body = `{"name":"Notes","redirectUris":["https://app.example/cb"],"auth":"client_secret_basic"}`
	status, made, _ := w.send("POST", "/clients", body, "owner")
	if status != 201 {
		t.Fatalf("got %d %v", status, made)
	}
	id, secret := made["clientId"].(string), made["clientSecret"].(string)
	path := "/clients/" + id
	for _, c := range []string{"GET /clients", "POST /clients", "GET " + path, "POST " + path, "POST " + path + "/secret", "POST " + path + "/remove"} {
		method, p, _ := strings.Cut(c, " ")
		if status, _, _ := w.send(method, p, body, "stranger"); status != 401 {
			t.Errorf("%s by a stranger: got %d", c, status)
		}
	}
	for body, field := range map[string]string{
		`{"redirectUris":[]}`: "name", `{"name":"x","redirectUris":["http://app.example/"]}`: "redirectUris", `{"name":"x","auth":"client_secret_post"}`: "auth",
		`{"name":"x","auth":"private_key_jwt","jwks":{"keys":[]}}`: "jwks", `{"name":"x","jwksUri":"https://a.example/"}`: "jwks", `{"name":"x","colour":"red"}`: "colour",
	} {
		status, got, _ := w.send("POST", "/clients", body, "owner")
		details, _ := got["details"].(map[string]any)
		byField, _ := details["fieldErrors"].(map[string]any)
		if status != 400 || byField[field] == nil {
			t.Errorf("%s: got %d %v, want %s named", body, status, got, field)
		}
	}
	try := func(secret string) bool {
		r, f := request(t, form(), "Authorization", basicOf(id, secret))
		_, err := w.clients.Authenticate(r, f)
		return err == nil
	}
	if !try(secret) {
		t.Error("its secret does not work")
	}
	if _, got, _ := w.send("GET", path, "", "owner"); got["clientSecret"] != nil || got["name"] != "Notes" {
		t.Errorf("read: got %v", got)
	}
	if status, got, _ := w.send("POST", path, `{"name":"Other","redirectUris":["https://app.example/two"],"auth":"none"}`, "owner"); status != 200 || got["auth"] != "client_secret_basic" || !try(secret) {
		t.Errorf("changed: got %d %v, and its method and secret stay", status, got)
	}
	_, anew, _ := w.send("POST", path+"/secret", "", "owner")
	if try(secret) || !try(anew["clientSecret"].(string)) {
		t.Error("the old secret works on, or the new one does not")
	}
	found, err := w.client(id)
	if site, checked := found.Site("https://app.example/two"); err != nil || site != "app.example" || !checked {
		t.Errorf("got %s, %v, %v: the owner has written this origin down", site, checked, err)
	}
	g := w.ask(passport.ClientID(id))
	if status, _, _ := w.send("POST", path+"/remove", "", "owner"); status != 200 || w.state(g) != passport.GrantRevoked {
		t.Errorf("removed: got %d, its grant is %s", status, w.state(g))
	}
	if status, _, _ := w.send("POST", path+"/remove", "", "owner"); status != 404 {
		t.Errorf("removed again: got %d", status)
	}
	_, self, _ := w.send("POST", "/oauth/register", `{"redirect_uris":["https://app.example/cb"]}`, "")
	if status, _, _ := w.send("GET", "/clients/"+self["client_id"].(string), "", "owner"); status != 404 {
		t.Errorf("one that registered itself is among the owner's: got %d", status)
	}
}
