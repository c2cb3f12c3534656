package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
)

// TestThreat16AnEndAboveEndsHelpers: what was passed on counts above, and ends with what it came from within a second of the answer, running
// streams too (RFC 8693). One instance on SQLite, two on Postgres.
func TestThreat16AnEndAboveEndsHelpers(t *testing.T) {
	t.Run("one", func(t *testing.T) { b := start(t, nil); endsHelpers(t, b, b) })
	t.Run("two", func(t *testing.T) { a, b := two(t, pgtest.Database(t), nil); endsHelpers(t, a, b) })
}

func endsHelpers(t *testing.T, a, b *broker) {
	s := native[0]
	detail := `{"type":"ai_access","provider":%q,"models":[%q],"capabilities":["chat"],"maxBudgetCents":%d,"maxRequests":100,"rateLimit":1000,"maxDelegationDepth":%d}`
	r := a.send("POST", "/grant-requests", fmt.Sprintf(`{"appName":"Notes","appUrl":"https://notes.example.com","reason":"to summarise","authorizationDetails":[`+detail+`]}`, s.provider, s.model, 500, 1), nil)
	if r.status != 201 {
		t.Fatalf("asking: %s", r)
	}
	g := grant{asked: asked{r.str("grant.id"), r.str("grantSecret"), r.str("consentUrl")}}
	a.keepSecret(g.secret)
	a.approve(g.id, `{"expiresInSeconds":3600}`)
	g.token = a.token(g.asked)

	client := a.send("POST", "/oauth/register", `{"client_name":"Helper","redirect_uris":["https://notes.example.com/cb"],"token_endpoint_auth_method":"none"}`, http.Header{"Content-Type": {"application/json"}})
	form := url.Values{"grant_type": {exchangeType}, "client_id": {client.str("client_id")}, "subject_token": {g.token}, "subject_token_type": {accessType},
		"authorization_details": {fmt.Sprintf("["+detail+"]", s.provider, s.model, 100, 0)}}
	got := b.send("POST", "/oauth/token", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if got.status != 200 {
		t.Fatalf("passing on: %s", got)
	}
	child := grant{asked: asked{id: got.str("grant_id")}, token: got.str("access_token")}
	a.keepSecret(child.token)
	if x := b.call(s, child.token, "before"); x.status != 200 {
		t.Fatalf("a helper's call: %s", x)
	}
	if above := a.settled(g.id); above.SettledMicroUsd == 0 || above.UsageCount != 1 {
		t.Errorf("above it counts as %+v", above)
	}
	streams := b.live(s, child, 3)
	if x := a.owner("POST", "/grants/"+g.id+"/revoke", ""); x.status != 200 {
		t.Fatalf("revoke: %s", x)
	}
	acknowledged := time.Now()
	if client, upstream := b.endTogether(streams, acknowledged); client > within || upstream > within {
		t.Errorf("the streams ended after %s and %s", client, upstream)
	}
	if x := b.call(s, child.token, "after"); x.status != 401 {
		t.Errorf("the helper's token: %s", x)
	}
	if x := b.send("POST", "/oauth/token", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}); x.status != 400 {
		t.Errorf("passing on what has ended: %s", x)
	}
}
