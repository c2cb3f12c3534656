package seed_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestListIsABareArrayNewestFirst of all grants of all apps, and the query is ignored.
func TestListIsABareArrayNewestFirst(t *testing.T) {
	d := newDesk(t)
	if a := d.owner("GET", "/grants", ""); a.status != 200 || a.text != "[]" {
		t.Errorf("no grants: %s", a)
	}
	var want []string
	for _, state := range []string{"pending", "denied", "revoked"} {
		want = append([]string{d.in(state).id}, want...)
		d.now = d.now.Add(time.Millisecond)
	}
	for _, path := range []string{"/grants", "/grants?limit=1&status=pending"} {
		a := d.owner("GET", path, "")
		var list []struct{ ID, Status string }
		if err := json.Unmarshal([]byte(a.text), &list); err != nil || len(list) != 3 {
			t.Fatalf("%s: %s %v", path, a, err)
		}
		if got := []string{list[0].ID, list[1].ID, list[2].ID}; !cmp.Equal(got, want) || list[0].Status != "revoked" {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if a := d.send("GET", "/grants", ""); a.status != 401 || a.str("error") == "" || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a stranger: %s", a)
	}
}

func TestReadAGrant(t *testing.T) {
	d := newDesk(t)
	g, other := d.in("approved"), d.ask()
	a := d.owner("GET", "/grants/"+g.id, "")
	mine := d.send("GET", "/grants/"+g.id, "", "Authorization: bearer "+g.secret)
	if a.status != 200 || mine.status != 200 || a.text != mine.text {
		t.Errorf("the owner sees %s, the app %s", a, mine)
	}
	for _, absent := range []string{"notes", "revokedAt", "reason", "deniedAt"} {
		if v, there := a.body[absent]; there {
			t.Errorf("%s is %v, and should be absent", absent, v)
		}
	}
	if a.str("approvedAt") != iso(d.now) || a.str("expiresAt") != iso(d.now.Add(time.Hour)) || a.str("version") != "1" {
		t.Errorf("got %s", a)
	}
	for name, a := range map[string]answer{
		"none":           d.owner("GET", "/grants/none", ""),
		"none, app":      d.send("GET", "/grants/none", "", "Authorization: Bearer "+g.secret),
		"another secret": d.send("GET", "/grants/"+g.id, "", "Authorization: Bearer "+other.secret),
	} {
		if !a.failed(404, "Grant not found") {
			t.Errorf("%s: %s", name, a)
		}
	}
	if a := d.send("GET", "/grants/"+g.id, ""); a.status != 401 {
		t.Errorf("a stranger: %s", a)
	}
}

// TestApproval: what the seed takes, and what it took and should not have. A refused approval leaves the grant pending.
func TestApproval(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		body, contentType string
		seconds           int64
	}{
		{"", "", 3600}, {"{}", "application/json", 3600}, {`{"notes":"n","status":"denied"}`, "application/json", 3600},
		{`{"expiresInSeconds":1}`, "application/json", 1}, {`{"expiresInSeconds":60.0}`, "application/json", 60}, {`{"expiresInSeconds":31622400}`, "application/json", 31622400},
	} {
		g := d.ask()
		a := d.owner("POST", "/grants/"+g.id+"/approve", c.body, "Content-Type: "+c.contentType)
		if a.status != 200 || a.str("id") != g.id || a.str("status") != "approved" || a.str("approvedAt") != iso(d.now) || a.get("revokedAt") != nil ||
			a.str("expiresAt") != iso(d.now.Add(time.Duration(c.seconds)*time.Second)) {
			t.Errorf("%q: %s", c.body, a)
		}
	}
	g := d.ask()
	for value, want := range map[string][]any{
		`0`: {"Number must be greater than or equal to 1"}, `-5`: {"Number must be greater than or equal to 1"}, `1.5`: {"Expected integer, received float"},
		`"60"`: {"Expected number, received string"}, `"abc"`: {"Expected number, received string"}, `true`: {"Expected number, received boolean"},
		`[]`: {"Expected number, received array"}, `{}`: {"Expected number, received object"}, `null`: {"Expected number, received null"},
		`31622401`: {"Number must be less than or equal to 31622400"}, `1e12`: {"Number must be less than or equal to 31622400"}, `1e15`: {"Number must be less than or equal to 31622400"},
	} {
		a := d.owner("POST", "/grants/"+g.id+"/approve", `{"expiresInSeconds":`+value+`}`)
		want := map[string]any{"error": "Validation failed", "details": map[string]any{"formErrors": []any{}, "fieldErrors": map[string]any{"expiresInSeconds": want}}}
		if d := cmp.Diff(want, a.body); d != "" || a.status != 400 {
			t.Errorf("%s: %d %s", value, a.status, d)
		}
	}
	// A narrowing that would not be read must not become an approval of all that was asked.
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
		if a := d.owner("POST", "/grants/"+g.id+"/approve", `{"scope":{"maxBudgetCents":1}}`, "Content-Type: "+ct); a.status != 415 {
			t.Errorf("a narrowing as %q: %s", ct, a)
		}
	}
	if a := d.owner("POST", "/grants/"+g.id+"/approve", `{"scope":{"maxBudgetCents":501}}`); a.status != 400 || a.get("details.fieldErrors.scope") == nil {
		t.Errorf("more than was asked: %s", a)
	}
	if a := d.owner("GET", "/grants/"+g.id, ""); a.str("status") != "pending" {
		t.Errorf("after refusals: %s", a)
	}
}

// TestDecisionsFromEveryState in the seed's words, which come before what is wrong with the body's members, and after bad JSON.
func TestDecisionsFromEveryState(t *testing.T) {
	d := newDesk(t)
	for _, state := range []string{"approved", "denied", "revoked", "paused", "expired"} {
		g := d.in(state)
		must := "Grant is '" + state + "', must be 'pending'"
		for _, c := range []struct{ step, body string }{{"approve", ""}, {"approve", `{"expiresInSeconds":0}`}, {"approve", `{"scope":5}`}, {"deny", ""}, {"deny", `{"any":1}`}} {
			if a := d.owner("POST", "/grants/"+g.id+"/"+c.step, c.body); !a.failed(400, must) {
				t.Errorf("%s %s of a grant that is %s: %s", c.step, c.body, state, a)
			}
		}
		if a := d.owner("POST", "/grants/"+g.id+"/approve", `{`); a.status != 400 || a.failed(400, must) {
			t.Errorf("bad JSON: %s", a)
		}
	}
	for _, step := range []string{"approve", "deny", "revoke"} {
		if a := d.owner("POST", "/grants/no-such/"+step, `{"expiresInSeconds":0}`); !a.failed(404, "Grant no-such not found") {
			t.Errorf("%s: %s", step, a)
		}
		if a := d.send("POST", "/grants/no-such/"+step, ``); a.status != 401 {
			t.Errorf("%s by a stranger: %s", step, a)
		}
	}
}

func TestDeny(t *testing.T) {
	d := newDesk(t)
	g := d.ask()
	ends := iso(d.now.Add(time.Hour))
	d.now = d.now.Add(time.Minute)
	a := d.owner("POST", "/grants/"+g.id+"/deny", `{"notes":"ignored"}`)
	if a.status != 200 || a.str("status") != "denied" || a.str("expiresAt") != ends || a.get("approvedAt") != nil || a.get("notes") != nil {
		t.Errorf("got %s", a)
	}
}

// TestRevokeFromEveryStateAndAgain: each time the answer is the revoked grant, and revokedAt moves.
func TestRevokeFromEveryStateAndAgain(t *testing.T) {
	d := newDesk(t)
	for _, state := range []string{"pending", "approved", "denied", "revoked", "paused", "expired"} {
		g := d.in(state)
		before := d.owner("GET", "/grants/"+g.id, "")
		for _, body := range []string{"", "ignored", `{"x":1}`} {
			d.now = d.now.Add(time.Second)
			a := d.owner("POST", "/grants/"+g.id+"/revoke", body)
			if a.status != 200 || a.str("status") != "revoked" || a.str("revokedAt") != iso(d.now) ||
				a.str("expiresAt") != before.str("expiresAt") || a.str("approvedAt") != before.str("approvedAt") {
				t.Errorf("%s, %q: %s", state, body, a)
			}
		}
	}
}

// TestAPendingGrantCanBeAnsweredForAnHour, and says so.
func TestAPendingGrantCanBeAnsweredForAnHour(t *testing.T) {
	d := newDesk(t)
	last, late := d.ask(), d.ask()
	d.now = d.now.Add(time.Hour - time.Millisecond)
	if a := d.owner("POST", "/grants/"+last.id+"/approve", ""); a.status != 200 {
		t.Errorf("in time: %s", a)
	}
	d.now = d.now.Add(time.Millisecond)
	if a := d.owner("POST", "/grants/"+late.id+"/approve", ""); !a.failed(400, "Grant is 'expired', must be 'pending'") {
		t.Errorf("late: %s", a)
	}
}
