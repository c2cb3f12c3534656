package e2e_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestOAuthMoreOfAGrant: a call is refused for money, its app pushes just what the refusal says, the owner adds it on the page, and the same
// access token makes the call. A device cannot ask so.
func TestOAuthMoreOfAGrant(t *testing.T) {
	f := newFleet(t, 1, nil)
	f.in(t)
	a := f.register(confidential)
	had := a.tokens("authorization_details", strings.Replace(miniChat, "500", "1", 1))
	dear := strings.Replace(openAIBody("gpt-4o-mini", "dear", 16000, false), `"max_tokens"`, `"n":16,"max_tokens"`, 1)
	call := func(token string) answer { return f.send("POST", native[0].path, dear, bearer(token)) }
	refused := call(had.access)
	wanted, _ := refused.get("error.authorization_details").([]any)
	if refused.status != 429 || len(wanted) != 1 || refused.str("error.grant_id") != had.grant {
		t.Fatalf("with a cent: %s", refused)
	}
	ask := []string{"grant_id", refused.str("error.grant_id"), "authorization_details", string(mustJSON(wanted))}
	f.refused(f.register(stranger).push(nil, ask...), 400, "invalid_request")
	by := url.Values{"client_id": {a.id}, "authorization_details": {ask[3]}, "grant_id": {had.grant}}
	f.refused(f.form("/oauth/device_authorization", by, a.basic()), 400, "invalid_request")

	pushed := a.push(nil, ask...)
	if pushed.status != 201 {
		t.Fatalf("pushed: %s", pushed)
	}
	page := "/consent/" + f.asks(a.pushed(pushed.str("request_uri")))
	for ctx := testutil.Context(t); refreshOf(f.person.page) == ""; { // the page takes it once it was on the screen long enough
		if ctx.Err() != nil || f.person.path != page {
			t.Fatalf("not added at %s: %s", f.person.path, f.person.text())
		}
		f.person.submit(page, url.Values{"decision": {"approve"}})
	}
	got := f.got(a.redeem(f.sentTo(page).Query().Get("code"), nil))
	if got.grant != had.grant || got.refresh == had.refresh {
		t.Errorf("the tokens are for grant %s, want %s", got.grant, had.grant)
	}
	for _, token := range []string{had.access, got.access} {
		if a := call(token); a.status != 200 {
			t.Errorf("after it was added: %s", a)
		}
	}
	f.got(a.refresh(had.refresh, nil))
	f.got(a.refresh(got.refresh, nil))
}
