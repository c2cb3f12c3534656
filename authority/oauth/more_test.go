package oauth_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/passport"
)

const (
	moreMoney   = `[{"type":"ai_access","provider":"openai","maxBudgetCents":900}]`
	someoneElse = "id-nobody"
)

// owned is a grant that the client app has, with its tokens.
func (b *bench) owned(dpop string) (id passport.GrantID, access, next string) {
	b.Helper()
	code, id := b.code(request())
	access, next = b.given(b.post("/oauth/token", redeem(code), dpop))
	return id, access, next
}

// forMore is a request for more of a grant, changed.
func forMore(id passport.GrantID, changes ...string) url.Values {
	return request(append([]string{"grant_id", string(id), "authorization_details", moreMoney}, changes...)...)
}

func (b *bench) grant(id passport.GrantID) passport.Grant {
	b.Helper()
	s, err := b.control.Standing(b.Context(), id)
	b.ok(err)
	return s.Grant
}

func (b *bench) cents(id passport.GrantID, want int64) {
	b.Helper()
	if got := b.grant(id).Details[0].MaxBudgetCents; got != passport.LimitOf(want) {
		b.Errorf("the grant has %s cents, want %d", got, want)
	}
}

// pushed is the same request by its name.
func (b *bench) pushed(v url.Values, dpop string) url.Values {
	b.Helper()
	a := b.post("/oauth/par", v, dpop)
	if a.status != 201 {
		b.Fatalf("push: got %d %s", a.status, a.body)
	}
	return url.Values{"client_id": v["client_id"], "request_uri": {a.text("request_uri")}}
}

// TestMoreOfAGrant: plain and pushed, the request raises the grant that it names; its answer is about that grant, whose tokens go on, and a
// refresh token of before does not sound the alarm.
func TestMoreOfAGrant(t *testing.T) {
	b := newBench(t)
	for _, pushed := range []bool{false, true} {
		id, access, next := b.owned("")
		v := forMore(id)
		if pushed {
			v = b.pushed(v, "")
		}
		o := b.authorize(v)
		if g := b.grant(o.id); g.Extends != id || g.Client != "app" || g.State != passport.GrantPending {
			t.Fatalf("asked: %+v", g)
		}
		b.cents(id, 500)
		b.approve(o)
		b.cents(id, 900)
		a := b.post("/oauth/token", redeem(b.back(o).Get("code")), "")
		second, line := b.given(a)
		if a.text("grant_id") != string(id) || !strings.Contains(a.body, `"maxBudgetCents":900`) {
			t.Errorf("got %s", a.body)
		}
		b.ok(b.works(access))
		b.ok(b.works(second))
		b.advance(time.Minute)
		_, next = b.given(b.post("/oauth/token", refresh(next), ""))
		_, line = b.given(b.post("/oauth/token", refresh(line), ""))
		b.given(b.post("/oauth/token", refresh(next), ""))
		b.given(b.post("/oauth/token", refresh(line), ""))
		b.advance(time.Minute)
		if a := b.post("/oauth/token", refresh(line), ""); a.code() != "invalid_grant" || b.works(access) == nil {
			t.Errorf("a used refresh token of the second family: got %d %s", a.status, a.body)
		}
	}
}

// TestMoreIsRefused: of another client's grant as of one that there is not, of one that has ended, and of what cannot grow.
func TestMoreIsRefused(t *testing.T) {
	b := newBench(t)
	id, _, _ := b.owned("")
	ended, _, _ := b.owned("")
	_, _, err := b.control.Revoke(t.Context(), ended, "owner:p1")
	b.ok(err)
	bound, _, _ := b.owned("key-of-the-app-key-of-the-app-key-of-the-app")
	plain := b.seeds()
	none := b.post("/oauth/par", forMore(someoneElse), "").body
	for _, c := range []struct {
		name string
		v    url.Values
		dpop string
		want wire.Code
		says string
	}{
		{"no such grant", forMore(someoneElse), "", wire.InvalidRequest, "grant_id"},
		{"another client's", forMore(id, "client_id", "other"), "", wire.InvalidRequest, "grant_id"},
		{"none of OAuth", forMore(plain), "", wire.InvalidRequest, "grant_id"},
		{"a long name", forMore(passport.GrantID(strings.Repeat("x", 101))), "", wire.InvalidRequest, "grant_id"},
		{"ended", forMore(ended), "", wire.InvalidRequest, "grant_id: Grant is 'revoked'"},
		{"another key", forMore(bound), "another-key", wire.InvalidDPoP, "dpop_jkt"},
		{"a key where there is none", forMore(id), "another-key", wire.InvalidDPoP, "dpop_jkt"},
		{"no details", forMore(id, "authorization_details", ""), "", wire.InvalidDetails, "authorization_details"},
		{"nothing more", forMore(id, "authorization_details", strings.Replace(moreMoney, "900", "500", 1)), "", wire.InvalidDetails, "asks for nothing"},
		{"another provider", forMore(id, "authorization_details", strings.Replace(moreMoney, "openai", "google", 1)), "", wire.InvalidDetails, "provider"},
		{"a later end", forMore(id, "authorization_details", strings.Replace(moreMoney, "maxBudgetCents", "expiresAt", 1)), "", wire.InvalidDetails, "expiresAt"},
		{"an unknown member", forMore(id, "authorization_details", strings.Replace(moreMoney, "maxBudgetCents", "more", 1)), "", wire.InvalidDetails, "more"},
	} {
		a := b.post("/oauth/par", c.v, c.dpop)
		if a.status != 400 || a.code() != string(c.want) || !strings.Contains(a.text("error_description"), c.says) {
			t.Errorf("%s, pushed: got %d %s", c.name, a.status, a.body)
		}
		if strings.HasPrefix(c.name, "another client") || strings.HasPrefix(c.name, "none of") {
			if a.body != none {
				t.Errorf("%s: got %s, and of none %s", c.name, a.body, none)
			}
		}
		if c.dpop != "" {
			continue // only a pushed request has a proof
		}
		u, err := url.Parse(b.get("/oauth/authorize?" + c.v.Encode()).header.Get("Location"))
		if err != nil || u.Query().Get("error") != string(c.want) || !strings.Contains(u.Query().Get("error_description"), c.says) {
			t.Errorf("%s: got %s", c.name, u)
		}
	}
	b.cents(id, 500)
}

// seeds is an active grant that came by another door: it has no client.
func (b *bench) seeds() passport.GrantID {
	b.Helper()
	g := b.grant(b.authorize(request()).id)
	g.ID, g.RequestID, g.Client, g.SecretHash = "seed", "seed-request", "", [32]byte{1}
	b.ok(b.store.AddGrant(b.Context(), g, passport.Event{ID: "seed", Kind: passport.GrantRequested, At: start, Grant: g.ID}))
	b.approve(opened{id: g.ID})
	return g.ID
}

// TestMoreOfAGrantWithAKey: the code is for the key that the grant is bound to, named or not, and for no other.
func TestMoreOfAGrantWithAKey(t *testing.T) {
	b := newBench(t)
	const key = "key-of-the-app-key-of-the-app-key-of-the-ap"
	for _, pushed := range []bool{false, true} {
		id, _, next := b.owned(key)
		v := forMore(id)
		if pushed {
			v = b.pushed(v, key)
		}
		o := b.authorize(v)
		b.approve(o)
		code := b.back(o).Get("code")
		for _, wrong := range []string{"", "another"} {
			if a := b.post("/oauth/token", redeem(code), wrong); a.code() != "invalid_grant" {
				t.Errorf("with key %q: got %d %s", wrong, a.status, a.body)
			}
		}
		a := b.post("/oauth/token", redeem(code), key)
		if b.given(a); a.text("token_type") != "DPoP" {
			t.Errorf("got %s", a.body)
		}
		_, line := b.given(b.post("/oauth/token", refresh(next), key))
		b.given(b.post("/oauth/token", refresh(line), key))
	}
	// A grant without a key gets none by a proof at the token endpoint, else its tokens would stop.
	id, access, next := b.owned("")
	o := b.authorize(forMore(id))
	b.approve(o)
	a := b.post("/oauth/token", redeem(b.back(o).Get("code")), key)
	if b.given(a); a.text("token_type") != "Bearer" || b.grant(id).JKT != "" {
		t.Errorf("got %s", a.body)
	}
	b.ok(b.works(access))
	b.given(b.post("/oauth/token", refresh(next), ""))
}

// TestMoreChangesNothing: denied, asked of another person, or after a revoke, the grant is as it was and the app gets no code.
func TestMoreChangesNothing(t *testing.T) {
	b := newBench(t)
	id, access, next := b.owned("")
	o := b.authorize(forMore(id))
	_, err := b.control.Deny(t.Context(), o.id, "owner:p1")
	b.ok(err)
	if q := b.back(o); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("denied: got %v", q)
	}
	o = b.authorize(forMore(id))
	if _, err := b.control.Approve(t.Context(), o.id, passport.Approval{Owner: "p2", Payer: passport.OwnerPays}); err == nil {
		t.Error("another person raised the grant")
	}
	b.cents(id, 500)
	b.ok(b.works(access))
	_, next = b.given(b.post("/oauth/token", refresh(next), ""))

	b.approve(o)
	code := b.back(o).Get("code")
	late := b.authorize(forMore(id, "authorization_details", strings.Replace(moreMoney, "900", "1900", 1)))
	_, _, err = b.control.Revoke(t.Context(), id, "owner:p1")
	b.ok(err)
	if q := b.back(o); q.Get("error") != "access_denied" {
		t.Errorf("back after a revoke: got %v", q)
	}
	if a := b.post("/oauth/token", redeem(code), ""); a.code() != "invalid_grant" {
		t.Errorf("a code after a revoke: got %d %s", a.status, a.body)
	}
	if _, err := b.control.Approve(t.Context(), late.id, passport.Approval{Owner: "p1", Payer: passport.OwnerPays}); err == nil {
		t.Error("a grant that was revoked was raised")
	}
	if a := b.post("/oauth/token", refresh(next), ""); a.code() != "invalid_grant" || b.works(access) == nil {
		t.Errorf("a refresh after a revoke: got %d %s", a.status, a.body)
	}
}

// TestMoreTwiceAtOnce: each is given and none is lost; a code that comes again ends the grant that it raised.
func TestMoreTwiceAtOnce(t *testing.T) {
	b := newBench(t)
	id, access, _ := b.owned("")
	both := []opened{b.authorize(forMore(id)), b.authorize(forMore(id, "authorization_details", strings.Replace(moreMoney, "maxBudgetCents", "maxRequests", 1)))}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, o := range both {
		wg.Go(func() {
			_, errs[i] = b.control.Approve(t.Context(), o.id, passport.Approval{Owner: "p1", Payer: passport.OwnerPays})
		})
	}
	wg.Wait()
	b.ok(errs[0])
	b.ok(errs[1])
	b.cents(id, 900)
	if got := b.grant(id).Details[0].MaxRequests; got != passport.LimitOf(900) {
		t.Errorf("got %s calls", got)
	}
	first := b.back(both[0]).Get("code")
	b.given(b.post("/oauth/token", redeem(first), ""))
	b.given(b.post("/oauth/token", redeem(b.back(both[1]).Get("code")), ""))
	b.ok(b.works(access))
	if a := b.post("/oauth/token", redeem(first), ""); a.code() != "invalid_grant" || b.grant(id).State != passport.GrantRevoked || b.works(access) == nil {
		t.Errorf("a code again: got %d %s, the grant is %s", a.status, a.body, b.grant(id).State)
	}
}
