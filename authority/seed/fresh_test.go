package seed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// TestABearerApprovesUpToTheAmount and no further: it is no sign-in. The refusal names the setting and leaves the request open.
func TestABearerApprovesUpToTheAmount(t *testing.T) {
	d := newDesk(t)
	ask := func(cents string) string {
		t.Helper()
		a := d.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example","reason":"why","scope":{"provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":`+cents+`}}`)
		if a.status != 201 {
			t.Fatal(a)
		}
		return a.str("grant.id")
	}
	if a := d.owner("POST", "/grants/"+ask("2000")+"/approve", ""); a.status != 200 {
		t.Errorf("the amount: %s", a)
	}
	id := ask("2001")
	a := d.owner("POST", "/grants/"+id+"/approve", "")
	if a.status != 403 || !strings.Contains(a.str("error"), "$20.01 is more than $20.00") || !strings.Contains(a.str("error"), "AIPASSPORT_FRESH_ABOVE") {
		t.Errorf("a cent more: %s", a)
	}
	if a := d.owner("POST", "/grants/"+id+"/approve", `{"scope":{"maxBudgetCents":2000}}`); a.status != 200 {
		t.Errorf("narrowed to the amount: %s", a)
	}
}

// TestABearerMakesKeysUpToTheAmount: a key of a grant that may spend more would give what the bearer itself cannot.
func TestABearerMakesKeysUpToTheAmount(t *testing.T) {
	d := newDesk(t)
	a := d.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example","reason":"why","scope":{"provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":2001}}`)
	id := a.str("grant.id")
	if _, err := d.ctl.Of(passport.OwnerPays).Approve(t.Context(), passport.GrantID(id), passport.Approval{Owner: "p", Lifetime: time.Hour, Fresh: true}); err != nil {
		t.Fatal(err)
	}
	if a := d.owner("POST", "/grants/"+id+"/keys", `{"name":"laptop"}`); a.status != 403 || !strings.Contains(a.str("error"), "AIPASSPORT_FRESH_ABOVE") {
		t.Errorf("a key of $20.01: %s", a)
	}
	if a := d.owner("GET", "/grants/"+id+"/keys", ""); a.text != "[]" {
		t.Errorf("there is a key: %s", a)
	}
}
