package oauth_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// TestCode: a code gives tokens for what was granted, not for what was asked.
func TestCode(t *testing.T) {
	b := newBench(t)
	o := b.authorize(request())
	_, err := b.control.Approve(t.Context(), o.id, passport.Approval{Owner: "p1", Payer: passport.OwnerPays, Lifetime: time.Hour,
		Narrowed: []passport.Detail{{Provider: passport.OpenAI, MaxBudgetCents: passport.LimitOf(100)}}})
	b.ok(err)
	a := b.post("/oauth/token", redeem(b.back(o).Get("code")), "")
	access, next := b.given(a)
	want := `[map[capabilities:[chat] maxBudgetCents:100 maxRequests:100 models:[gpt-4o-mini] provider:openai rateLimit:60 type:ai_access]]`
	if got := fmt.Sprint(a.json["authorization_details"]); got != want || a.json["grant_id"] != string(o.id) || a.json["token_type"] != "Bearer" ||
		a.json["expires_in"] != 900.0 || !strings.HasPrefix(next, "aipr_") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s %v", a.body, a.header)
	}
	b.ok(b.works(access))
}

// TestWrongRedemptions: whichever bond of a code is broken, the answer is one, no token is made, and the code still works for who may.
func TestWrongRedemptions(t *testing.T) {
	b := newBench(t)
	key := strings.Repeat("k", 43)
	code, _ := b.code(request("dpop_jkt", key))
	for _, c := range []struct {
		name string
		v    url.Values
		dpop string
		want string
	}{
		{"no code", redeem(""), key, "invalid_request"},
		{"no verifier", redeem(code, "code_verifier", ""), key, "invalid_request"},
		{"another code", redeem(strings.Repeat("A", 43)), key, "invalid_grant"},
		{"another client", redeem(code, "client_id", "other"), key, "invalid_grant"},
		{"an unknown client", redeem(code, "client_id", "nobody"), key, "invalid_client"},
		{"no redirect_uri", redeem(code, "redirect_uri", ""), key, "invalid_grant"},
		{"another redirect_uri", redeem(code, "redirect_uri", "http://127.0.0.1/cb"), key, "invalid_grant"},
		{"another verifier", redeem(code, "code_verifier", verifier+"x"), key, "invalid_grant"},
		{"the challenge as verifier", redeem(code, "code_verifier", request().Get("code_challenge")), key, "invalid_grant"},
		{"a short verifier", redeem(code, "code_verifier", "short"), key, "invalid_grant"},
		{"a long verifier", redeem(code, "code_verifier", strings.Repeat("x", 129)), key, "invalid_request"},
		{"another key", redeem(code), strings.Repeat("j", 43), "invalid_grant"},
		{"no key", redeem(code), "", "invalid_grant"},
		{"another grant type", redeem(code, "grant_type", "password"), key, "unsupported_grant_type"},
		{"no grant type", redeem(code, "grant_type", ""), key, "invalid_request"},
	} {
		if a := b.post("/oauth/token", c.v, c.dpop); a.code() != c.want || a.json["access_token"] != nil {
			t.Errorf("%s: got %d %s, want %s", c.name, a.status, a.body, c.want)
		}
	}
	if a := b.post("/oauth/token?code="+code, redeem(code), key); a.code() != "invalid_request" {
		t.Errorf("a code in the address: got %s", a.body)
	}
	a := b.post("/oauth/token", redeem(code), key)
	b.given(a)
	if a.json["token_type"] != "DPoP" {
		t.Errorf("got %s", a.body)
	}
	if a := b.post("/oauth/token", redeem(code, "client_id", "proof"), ""); a.code() != "invalid_dpop_proof" {
		t.Errorf("a client that takes no bearer tokens: got %s", a.body)
	}
}

// TestACodeLivesAMinute, and not longer than its grant.
func TestACodeLivesAMinute(t *testing.T) {
	b := newBench(t)
	code, _ := b.code(request())
	b.advance(time.Minute - time.Millisecond)
	b.given(b.post("/oauth/token", redeem(code), ""))
	late, _ := b.code(request())
	b.advance(time.Minute)
	revoked, id := b.code(request())
	_, _, err := b.control.Revoke(t.Context(), id, "owner:p1")
	b.ok(err)
	for name, code := range map[string]string{"late": late, "revoked": revoked} {
		if a := b.post("/oauth/token", redeem(code), ""); a.code() != "invalid_grant" {
			t.Errorf("%s: got %s", name, a.body)
		}
	}
}

// TestReplayEndsAll: a code that comes again, with its verifier, ends the tokens that it gave and their refreshing (RFC 6749 §4.1.2);
// without its verifier it ends nothing.
func TestReplayEndsAll(t *testing.T) {
	b := newBench(t)
	code, id := b.code(request())
	access, next := b.given(b.post("/oauth/token", redeem(code), ""))
	b.advance(2 * time.Minute)
	for _, v := range []url.Values{redeem(code, "code_verifier", verifier+"x"), redeem(code, "client_id", "other")} {
		if a := b.post("/oauth/token", v, ""); a.code() != "invalid_grant" || b.works(access) != nil {
			t.Fatalf("got %s; the token works: %v", a.body, b.works(access))
		}
	}
	if a := b.post("/oauth/token", redeem(code), ""); a.code() != "invalid_grant" {
		t.Errorf("got %s", a.body)
	}
	if b.works(access) == nil {
		t.Error("the access token still works")
	}
	if a := b.post("/oauth/token", refresh(next), ""); a.code() != "invalid_grant" {
		t.Errorf("the refresh token still works: %s", a.body)
	}
	evs, err := b.store.EventsOf(t.Context(), id, 10)
	if err != nil || evs[0].Kind != passport.GrantWasRevoked || evs[0].Actor != "broker" || !strings.Contains(evs[0].Note, "code") {
		t.Errorf("got %v %v", evs, err)
	}
}

// TestOneOfManyRedemptionsWins: of 20 at once one gets tokens.
func TestOneOfManyRedemptionsWins(t *testing.T) {
	b := newBench(t)
	code, _ := b.code(request())
	var mu sync.Mutex
	got := map[string]int{}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			a := b.post("/oauth/token", redeem(code), "")
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprint(a.status, a.code())]++
		})
	}
	all.Wait()
	if got["200"] != 1 || got["400invalid_grant"] != 19 {
		t.Errorf("got %v", got)
	}
}

// TestRefresh: a refresh token is used once and followed by another; the same one again within 10 s gets the same again, for an answer that
// was lost; later it ends all (RFC 9700 §4.14.2).
func TestRefresh(t *testing.T) {
	b := newBench(t)
	code, _ := b.code(request())
	_, r1 := b.given(b.post("/oauth/token", redeem(code), ""))
	a2, r2 := b.given(b.post("/oauth/token", refresh(r1), ""))
	b.advance(9999 * time.Millisecond)
	a3, same := b.given(b.post("/oauth/token", refresh(r1), ""))
	if same != r2 || r2 == r1 || a3 == a2 || !strings.HasPrefix(r2, "aipr_") || len(r2) != len(r1) {
		t.Errorf("got %q then %q then %q", r1, r2, same)
	}
	a4, r3 := b.given(b.post("/oauth/token", refresh(r2), ""))
	if r3 == r2 || b.works(a4) != nil || b.works(a2) != nil {
		t.Errorf("got %q; works: %v %v", r3, b.works(a4), b.works(a2))
	}
	b.advance(10 * time.Second)
	if a := b.post("/oauth/token", refresh(r2), ""); a.code() != "invalid_grant" {
		t.Errorf("got %s", a.body)
	}
	for _, access := range []string{a2, a3, a4} {
		if b.works(access) == nil {
			t.Error("an access token works after a refresh token came again")
		}
	}
	if a := b.post("/oauth/token", refresh(r3), ""); a.code() != "invalid_grant" {
		t.Errorf("the newest still works: %s", a.body)
	}
}

// TestARefreshTokenWhoseSuccessorWasUsedEndsAll: the grace is for an answer that was lost, and that one was not.
func TestARefreshTokenWhoseSuccessorWasUsedEndsAll(t *testing.T) {
	b := newBench(t)
	code, _ := b.code(request())
	_, r1 := b.given(b.post("/oauth/token", redeem(code), ""))
	_, r2 := b.given(b.post("/oauth/token", refresh(r1), ""))
	access, _ := b.given(b.post("/oauth/token", refresh(r2), ""))
	if a := b.post("/oauth/token", refresh(r1), ""); a.code() != "invalid_grant" || b.works(access) == nil {
		t.Errorf("got %s; the token works: %v", a.body, b.works(access))
	}
}

// TestWrongRefreshes: a refresh token is its client's and its key's, and gives what was granted.
func TestWrongRefreshes(t *testing.T) {
	b := newBench(t)
	key := strings.Repeat("k", 43)
	code, id := b.code(request())
	first := b.post("/oauth/token", redeem(code), key)
	access, r1 := b.given(first)
	if first.json["token_type"] != "DPoP" {
		t.Errorf("got %s", first.body)
	}
	wider := strings.Replace(details, "500", "501", 1)
	for _, c := range []struct {
		name string
		v    url.Values
		dpop string
		want string
	}{
		{"no token", refresh(""), key, "invalid_request"},
		{"another", refresh("aipr_" + strings.Repeat("A", 43)), key, "invalid_grant"},
		{"an access token", refresh(access), key, "invalid_grant"},
		{"another client", refresh(r1, "client_id", "other"), key, "invalid_grant"},
		{"another key", refresh(r1), strings.Repeat("j", 43), "invalid_grant"},
		{"no key", refresh(r1), "", "invalid_grant"},
		{"wider", refresh(r1, "authorization_details", wider), key, "invalid_authorization_details"},
		{"another provider", refresh(r1, "authorization_details", strings.Replace(details, "openai", "google", 1)), key, "invalid_authorization_details"},
		{"another model", refresh(r1, "authorization_details", strings.Replace(details, "gpt-4o-mini", "gpt-4o", 1)), key, "invalid_authorization_details"},
		{"less", refresh(r1, "authorization_details", strings.Replace(details, "500", "499", 1)), key, "invalid_authorization_details"},
		{"another's resource", refresh(r1, "resource", "https://other.example"), key, "invalid_target"},
		{"a scope", refresh(r1, "scope", "openid"), key, "invalid_scope"},
	} {
		if a := b.post("/oauth/token", c.v, c.dpop); a.code() != c.want || a.json["access_token"] != nil {
			t.Errorf("%s: got %d %s, want %s", c.name, a.status, a.body, c.want)
		}
	}
	_, r2 := b.given(b.post("/oauth/token", refresh(r1, "authorization_details", details, "resource", issuer), key))

	// A pause is no end: the app is told to come again, and the refresh token stays.
	_, _, err := b.control.Pause(t.Context(), id, "owner:p1")
	b.ok(err)
	if a := b.post("/oauth/token", refresh(r2), key); a.status != 503 || a.code() != "temporarily_unavailable" {
		t.Errorf("paused: got %d %s", a.status, a.body)
	}
	_, err = b.control.Resume(t.Context(), id, "owner:p1")
	b.ok(err)
	_, r3 := b.given(b.post("/oauth/token", refresh(r2), key))
	b.advance(time.Hour)
	if a := b.post("/oauth/token", refresh(r3), key); a.code() != "invalid_grant" {
		t.Errorf("after the grant's end: got %s", a.body)
	}
}

// TestGuessesAreLimited: an address has so many wrong codes and refresh tokens of a client a minute, and others none the less.
func TestGuessesAreLimited(t *testing.T) {
	b := newBench(t)
	code, _ := b.code(request())
	for i := range 30 {
		if a := b.post("/oauth/token", redeem(fmt.Sprint("guess", i)), ""); a.code() != "invalid_grant" {
			t.Fatalf("got %s", a.body)
		}
	}
	for _, v := range []url.Values{redeem("one more"), refresh("one more")} {
		if a := b.post("/oauth/token", v, ""); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	b.given(b.post("/oauth/token", redeem(code), ""))
}
