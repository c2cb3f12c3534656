package seed_test

import (
	"strings"
	"testing"
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
