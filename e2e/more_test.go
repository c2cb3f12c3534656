package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestAGrantIsRaised: a call is refused for money, the app asks for just what the refusal says, the owner gives it, and the token of before makes
// the call. What is denied leaves all as it was, and a revoke wins.
func TestAGrantIsRaised(t *testing.T) {
	b := start(t, nil)
	s := native[0]
	g := b.give(scope(s.provider, s.model, 1, 1000))
	dear := openAIBody(s.model, "dear", 16000, false)
	call := func() answer {
		return b.send("POST", s.path, strings.Replace(dear, `"max_tokens"`, `"n":16,"max_tokens"`, 1), bearer(g.token))
	}
	refused := call()
	if refused.status != 429 || refused.get("error.authorization_details") == nil || refused.str("error.grant_id") != g.id {
		t.Fatalf("with a cent: %s", refused)
	}
	m := regexp.MustCompile(`authorization_remediation="([^"]+)"`).FindStringSubmatch(refused.header.Get("WWW-Authenticate"))
	if m == nil {
		t.Fatalf("the refusal says %q", refused.header)
	}
	raw, err := base64.RawURLEncoding.DecodeString(m[1])
	var remedy struct {
		Details json.RawMessage `json:"authorization_details"`
		Grant   string          `json:"grant_id"`
	}
	if err != nil || json.Unmarshal(raw, &remedy) != nil || remedy.Grant != g.id {
		t.Fatalf("the remediation is %s", raw)
	}
	ask := func() string {
		a := b.send("POST", "/grant-requests", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q,"reason":"it ran out","authorizationDetails":%s}`, g.id, g.secret, remedy.Details), nil)
		if a.status != 201 || a.str("grant.extends") != g.id {
			t.Fatalf("asking for more: %s", a)
		}
		b.keepSecret(a.str("grantSecret"))
		return a.str("grant.id")
	}
	if a := b.owner("POST", "/grants/"+ask()+"/deny", ""); a.status != 200 {
		t.Fatalf("deny: %s", a)
	}
	if a := call(); a.status != 429 {
		t.Errorf("after it was denied: %s", a)
	}
	if a := b.approve(ask(), ""); a.str("status") != "extended" {
		t.Errorf("approved: %s", a)
	}
	if a := call(); a.status != 200 {
		t.Errorf("after it was given, with the same token: %s", a)
	}
	late := b.send("POST", "/grant-requests", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q,"reason":"again","scope":{"provider":%q,"maxBudgetCents":100000}}`, g.id, g.secret, s.provider), nil)
	b.keepSecret(late.str("grantSecret"))
	b.owner("POST", "/grants/"+g.id+"/revoke", "")
	if a := b.owner("POST", "/grants/"+late.str("grant.id")+"/approve", ""); a.status != 400 {
		t.Errorf("more of a revoked grant: %s", a)
	}
	if a := call(); a.status != 401 {
		t.Errorf("after the revoke: %s", a)
	}
}

// TestThreat16ATokenThatIsGivenBackEndsItsStreams: alone, within a second; the other tokens of its grant go on (RFC 7009).
func TestThreat16ATokenThatIsGivenBackEndsItsStreams(t *testing.T) {
	b := start(t, nil)
	s := native[0]
	g := b.give(s.scope(500, 100))
	other := b.token(g.asked)
	streams := b.live(s, g, 2)
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Bearer " + g.token}}
	if a := b.send("POST", "/oauth/introspect", url.Values{"token": {g.token}}.Encode(), form); a.get("active") != true || a.str("grant_id") != g.id {
		t.Fatalf("before: %s", a)
	}
	began := time.Now()
	if a := b.send("POST", "/oauth/revoke", url.Values{"token": {g.token}}.Encode(), form); a.status != 200 {
		t.Errorf("revoke: %s", a)
	}
	if client, upstream := b.endTogether(streams, began); client > within || upstream > within {
		t.Errorf("the streams ended after %s and %s", client, upstream)
	}
	if a := b.call(s, g.token, "after"); a.status != 401 {
		t.Errorf("the token: %s", a)
	}
	if a := b.call(s, other, "after"); a.status != 200 {
		t.Errorf("another token of the grant: %s", a)
	}
}
