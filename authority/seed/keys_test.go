package seed_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// key makes an SDK key as the owner.
func (d *desk) key(g asked) (text, id string) {
	d.t.Helper()
	a := d.owner("POST", "/grants/"+g.id+"/keys", `{"name":"laptop"}`)
	if a.status != 201 {
		d.t.Fatal(a)
	}
	return a.str("key"), a.str("id")
}

func TestKeysAreMadeListedAndRevoked(t *testing.T) {
	d := newDesk(t)
	g := d.in("approved")
	a := d.owner("POST", "/grants/"+g.id+"/keys", `{"name":" laptop ","expiresInSeconds":60}`)
	text := a.str("key")
	if a.status != 201 || !regexp.MustCompile(`^aip_[0-9A-Za-z]{49}$`).MatchString(text) || a.str("name") != "laptop" || a.str("grantId") != g.id ||
		a.str("start") != text[:10] || a.str("expiresAt") != "2026-11-23T12:01:00.007Z" || a.get("revokedAt") != nil || a.get("lastUsedAt") != nil {
		t.Fatalf("got %s", a)
	}
	if a := d.send("GET", "/tokens/"+text+"/inspect", ""); a.get("valid") != true || a.str("grant.id") != g.id {
		t.Errorf("a key is not inspected as a token is: %s", a)
	}
	_, other := d.key(g)
	list := d.owner("GET", "/grants/"+g.id+"/keys", "")
	want := fmt.Sprintf(`^\[\{"id":"%s",.*\},\{"id":"%s","grantId":"%s","name":"laptop","start":"%s","createdAt":"2026-11-23T12:00:00.007Z","expiresAt":"2026-11-23T12:01:00.007Z"\}\]$`,
		other, a.str("id"), g.id, text[:10])
	if !regexp.MustCompile(want).MatchString(list.text) {
		t.Errorf("got %s, want %s", list, want)
	}
	for range 2 {
		if a := d.owner("POST", "/grants/"+g.id+"/keys/"+a.str("id")+"/revoke", ""); a.status != 200 || a.get("revoked") != true {
			t.Errorf("revoke: %s", a)
		}
	}
	if a := d.send("GET", "/tokens/"+text+"/inspect", ""); a.get("valid") != false || a.str("reason") != "Token has been revoked" {
		t.Errorf("after the revoke: %s", a)
	}
}

func TestKeysAreTheOwnersAndBounded(t *testing.T) {
	d := newDesk(t)
	g, elsewhere := d.in("approved"), d.in("approved")
	_, id := d.key(g)
	for _, path := range []string{"GET keys", "POST keys", "POST keys/" + id + "/revoke"} {
		method, rest, _ := strings.Cut(path, " ")
		for _, who := range []string{"", g.secret, "wrong"} {
			if a := d.send(method, "/grants/"+g.id+"/"+rest, `{"name":"x"}`, "Authorization: Bearer "+who); a.status != 401 {
				t.Errorf("%s as %.8q: %s", path, who, a)
			}
		}
	}
	for path, want := range map[string]int{
		"GET /grants/nothing/keys": 404, "POST /grants/nothing/keys": 404, "POST /grants/" + g.id + "/keys/nothing/revoke": 404,
		"POST /grants/" + elsewhere.id + "/keys/" + id + "/revoke": 404,
	} {
		method, p, _ := strings.Cut(path, " ")
		if a := d.owner(method, p, `{"name":"x"}`); a.status != want {
			t.Errorf("%s: got %s, want %d", path, a, want)
		}
	}
	for body, field := range map[string]string{`{}`: "name", `{"name":""}`: "name", `{"name":7}`: "name", `{"name":"a\u0007b"}`: "name",
		`{"name":"x","expiresInSeconds":0}`: "expiresInSeconds", `{"name":"x","expiresInSeconds":1.5}`: "expiresInSeconds"} {
		if a := d.owner("POST", "/grants/"+g.id+"/keys", body); a.status != 400 || a.get("details.fieldErrors."+field) == nil {
			t.Errorf("%s: %s", body, a)
		}
	}
	for _, state := range []string{"pending", "denied", "revoked", "paused", "expired"} {
		if a := d.owner("POST", "/grants/"+d.in(state).id+"/keys", `{"name":"x"}`); a.status != 400 {
			t.Errorf("a key for a grant that is %s: %s", state, a)
		}
	}
	d.now = d.now.Add(-time.Hour) // in("expired") moved it
	g = d.in("approved")
	for range 20 {
		d.key(g)
	}
	if a := d.owner("POST", "/grants/"+g.id+"/keys", `{"name":"one more"}`); a.status != 409 {
		t.Errorf("the 21st key: %s", a)
	}
}

// An app that holds its grant's secret may give the grant back, and nobody else's.
func TestAnAppGivesItsGrantBack(t *testing.T) {
	d := newDesk(t)
	g, other := d.in("approved"), d.in("approved")
	if a := d.send("POST", "/grants/"+other.id+"/revoke", "", "Authorization: Bearer "+g.secret); !a.failed(404, "Grant not found") {
		t.Errorf("another app's grant: %s", a)
	}
	if a := d.owner("GET", "/grants/"+other.id, ""); a.str("status") != "approved" {
		t.Errorf("another app's grant: %s", a)
	}
	for range 2 {
		if a := d.send("POST", "/grants/"+g.id+"/revoke", "", "Authorization: Bearer "+g.secret); a.status != 200 || a.str("status") != "revoked" {
			t.Errorf("its own: %s", a)
		}
	}
	pending := d.ask()
	if a := d.send("POST", "/grants/"+pending.id+"/revoke", "", "Authorization: Bearer "+pending.secret); a.str("status") != "revoked" {
		t.Errorf("a request that waits: %s", a)
	}
	for _, what := range []string{"approve", "deny", "pause", "resume"} {
		if a := d.send("POST", "/grants/"+other.id+"/"+what, "", "Authorization: Bearer "+other.secret); a.status != 401 {
			t.Errorf("%s by the app: %s", what, a)
		}
	}
}
