package e2e_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNarrowingAtApproval: less passes, more does not, what is left out inherits.
func TestNarrowingAtApproval(t *testing.T) {
	b := start(t, nil)
	wide := `{"provider":"openai","models":["gpt-4o-mini","gpt-4o"],"capabilities":["chat","images"],"maxBudgetCents":500,"maxRequests":100}`
	for _, c := range []struct{ body, field string }{
		{`{"scope":{"maxBudgetCents":501}}`, "scope"},
		{`{"scope":{"maxRequests":101}}`, "scope"},
		{`{"scope":{"models":[]}}`, "scope"},
		{`{"scope":{"models":["gpt-4o-mini","o1"]}}`, "scope"},
		{`{"scope":{"capabilities":["chat","code"]}}`, "scope"},
		{`{"scope":{"provider":"anthropic"}}`, "scope"},
		{`{"scope":{"maxBudgetCents":"1"}}`, "scope"},
		{`{"expiresInSeconds":0}`, "expiresInSeconds"},
		{`{"expiresInSeconds":-5}`, "expiresInSeconds"},
		{`{"expiresInSeconds":1.5}`, "expiresInSeconds"},
		{`{"expiresInSeconds":"60"}`, "expiresInSeconds"},
		{`{"expiresInSeconds":true}`, "expiresInSeconds"},
		{`{"expiresInSeconds":1000000000000}`, "expiresInSeconds"},
	} {
		g := b.ask(wide)
		a := b.owner("POST", "/grants/"+g.id+"/approve", c.body)
		fields, _ := a.get("details.fieldErrors").(map[string]any)
		if a.status != 400 || fields[c.field] == nil {
			t.Errorf("%s: %s", c.body, a)
		}
		if s := b.standing(g.id); s.Status != "pending" {
			t.Errorf("%s: the grant is %s", c.body, s.Status)
		}
	}
	g := b.ask(wide)
	a := b.approve(g.id, `{"expiresInSeconds":60,"scope":{"models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":100}}`)
	want := map[string]any{"provider": "openai", "models": []any{"gpt-4o-mini"}, "capabilities": []any{"chat"}, "maxBudgetCents": 100.0, "maxRequests": 100.0, "rateLimit": a.get("scope.rateLimit")}
	if d := cmp.Diff(want, a.get("scope")); d != "" || a.num("scope.rateLimit") <= 0 {
		t.Errorf("narrowed scope, and no limit is left open: %s %s", d, a)
	}
	token := b.token(g)
	if a := b.send("POST", "/v1/chat/completions", openAIBody("gpt-4o", "x", 10, false), bearer(token)); a.status != 403 {
		t.Errorf("a model that was narrowed away: %s", a)
	}
	// Without a body: as asked, an hour.
	if a := b.owner("POST", "/grants/"+b.ask(wide).id+"/approve", ""); a.status != 200 || a.num("scope.maxBudgetCents") != 500 {
		t.Errorf("approved without a body: %s", a)
	}
}
