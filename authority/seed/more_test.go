package seed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestMoreOfAGrant: who shows a grant's secret may ask for more of it; the answer of the owner raises it, and its tokens go on.
func TestMoreOfAGrant(t *testing.T) {
	d := newDesk(t)
	a := d.send("POST", "/grant-requests", requestWith())
	id, secret := a.str("grant.id"), a.str("grantSecret")
	proof := `"grantId":"` + id + `","grantSecret":"` + secret + `"`
	more := `{` + proof + `,"reason":"it ran out","scope":{"provider":"openai","maxBudgetCents":900}}`
	if a := d.send("POST", "/grant-requests", more); a.status != 409 && a.status != 400 {
		t.Errorf("of a grant that is pending: %s", a)
	}
	d.owner("POST", "/grants/"+id+"/approve", "")
	token := d.send("POST", "/tokens", `{"grantId":"`+id+`","grantSecret":"`+secret+`"}`).str("token")
	for _, c := range []struct {
		body   string
		status int
		says   string
	}{
		{strings.Replace(more, secret, secret+"x", 1), 404, "Grant not found"},
		{strings.Replace(more, id, "none", 1), 404, "Grant not found"},
		{`{"grantId":"` + id + `","reason":"r","scope":{"provider":"openai"}}`, 400, "grantSecret"},
		{`{"grantSecret":"` + secret + `","reason":"r","scope":{"provider":"openai"}}`, 400, "grantId"},
		{`{` + proof + `,"reason":"r"}`, 400, "scope"},
		{`{` + proof + `,"reason":"r","appName":"OpenAI","scope":{"provider":"openai","maxBudgetCents":900}}`, 400, "appName"},
		{`{` + proof + `,"reason":"r","appUrl":"https://b.example","scope":{"provider":"openai","maxBudgetCents":900}}`, 400, "appUrl"},
		{`{` + proof + `,"reason":"r","scope":{"provider":"openai","maxBudgetCents":500}}`, 400, "nothing"},
		{`{` + proof + `,"reason":"r","scope":{"provider":"google","maxBudgetCents":900}}`, 400, "does not cover google"},
		{`{` + proof + `,"reason":"r","scope":{"provider":"openai","maxBudgetCents":-1}}`, 400, "scope"},
		{`{` + proof + `,"reason":"r","authorizationDetails":[{"type":"ai_access","provider":"openai","expiresAt":9000000000}]}`, 400, "expiresAt"},
		{`{` + proof + `,"reason":"r","authorizationDetails":[{"provider":"openai","maxBudgetCents":900}]}`, 400, "authorizationDetails"},
		{`{` + proof + `,"reason":"r","authorizationDetails":[]}`, 400, ""},
	} {
		if a := d.send("POST", "/grant-requests", c.body); a.status != c.status || !strings.Contains(a.String(), c.says) {
			t.Errorf("%s: %s", c.body, a)
		}
	}
	a = d.send("POST", "/grant-requests", more)
	r := a.str("grant.id")
	if a.status != 201 || a.str("grant.extends") != id || a.str("grant.appName") != "a" || a.str("consentUrl") == "" {
		t.Fatalf("got %s", a)
	}
	if a := d.owner("POST", "/grants/"+r+"/approve", `{"expiresInSeconds":60}`); a.status != 400 || !strings.Contains(a.String(), "expiresInSeconds") {
		t.Errorf("with a lifetime: %s", a)
	}
	if a := d.owner("POST", "/grants/"+r+"/approve", `{"scope":{"maxBudgetCents":901}}`); a.status != 400 {
		t.Errorf("more than was asked: %s", a)
	}
	if a := d.owner("POST", "/grants/"+r+"/approve", `{"scope":{"maxBudgetCents":800}}`); a.status != 200 || a.str("status") != "extended" {
		t.Errorf("got %s", a)
	}
	a = d.send("GET", "/tokens/"+token+"/inspect", "")
	if a.status != 200 || !strings.Contains(a.String(), `"maxBudgetCents":800`) {
		t.Errorf("the token of before: %s", a)
	}
	if a := d.send("POST", "/tokens", `{"grantId":"`+r+`","grantSecret":"`+a.str("grantSecret")+`x"}`); a.status < 400 {
		t.Errorf("the request has a token: %s", a)
	}
}

// TestMoreIsShownAsATotal: a request for another model answers with all that the grant would have, as it was asked; given as it stands, what the
// owner has lowered meanwhile stays low.
func TestMoreIsShownAsATotal(t *testing.T) {
	d := newDesk(t)
	a := d.send("POST", "/grant-requests", requestWith())
	id, secret := a.str("grant.id"), a.str("grantSecret")
	d.owner("POST", "/grants/"+id+"/approve", "")
	a = d.send("POST", "/grant-requests", `{"grantId":"`+id+`","grantSecret":"`+secret+`","reason":"r","scope":{"provider":"openai","models":["another"]}}`)
	r := a.str("grant.id")
	told := a.get("grantRequest.scope")
	for _, shown := range []any{a.get("grant.scope"), d.owner("GET", "/grants/"+r, "").get("scope")} {
		if s := fmt.Sprint(shown); s != fmt.Sprint(told) || !strings.Contains(s, "maxBudgetCents:500") || !strings.Contains(s, "another") || !strings.Contains(s, "maxRequests:") || !strings.Contains(s, "chat") {
			t.Errorf("shown: %s, and told: %v", s, told)
		}
	}
	g, err := d.ctl.Standing(t.Context(), passport.GrantID(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ctl.Adjust(t.Context(), g.Grant.ID, passport.Adjustment{Version: g.Grant.Version, Limits: []passport.Limits{{MaxBudgetCents: passport.LimitOf(50)}}}, "owner:p"); err != nil {
		t.Fatal(err)
	}
	if a := d.owner("POST", "/grants/"+r+"/approve", `{"scope":{"maxBudgetCents":500}}`); a.status != 400 {
		t.Errorf("what was not asked: %s", a)
	}
	if a := d.owner("POST", "/grants/"+r+"/approve", `{}`); a.status != 200 || a.str("status") != "extended" || !strings.Contains(a.String(), `"maxBudgetCents":50,`) {
		t.Errorf("got %s", a)
	}
	if a := d.owner("GET", "/grants/"+id, ""); !strings.Contains(a.String(), `"maxBudgetCents":50,`) || !strings.Contains(a.String(), "another") {
		t.Errorf("the grant: %s", a)
	}
}
