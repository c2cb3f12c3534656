package seed_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/storetest"
)

func (d *desk) token(g asked) string {
	d.t.Helper()
	a := d.send("POST", "/tokens", g.body())
	if a.status != 201 {
		d.t.Fatal(a)
	}
	return a.str("token")
}

// payload is what a token says.
func payload(t *testing.T, access string) (header string, claims map[string]any) {
	t.Helper()
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", access)
	}
	h, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(p, &claims); err != nil {
		t.Fatal(err)
	}
	return string(h), claims
}

// signed is a token with any claims, under the key of the broker.
func signed(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	input := enc([]byte(`{"alg":"HS256"}`)) + "." + enc([]byte(claims))
	mac := hmac.New(sha256.New, []byte(hmacSecret))
	mac.Write([]byte(input))
	return input + "." + enc(mac.Sum(nil))
}

func TestATokenOfAnApprovedGrant(t *testing.T) {
	d := newDesk(t)
	g := d.in("approved")
	a := d.send("POST", "/tokens", g.body())
	issued := d.now.Truncate(time.Second)
	want := map[string]any{"token": a.body["token"], "grantId": g.id, "issuedAt": iso(issued), "expiresAt": iso(issued.Add(time.Hour))}
	if d := cmp.Diff(want, a.body); d != "" || a.status != 201 {
		t.Errorf("%s %s", a, d)
	}
	header, c := payload(t, a.str("token"))
	if header != `{"alg":"HS256"}` || c["sub"] != g.id || c["grantId"] != g.id || c["iat"] != float64(issued.Unix()) || c["exp"] != float64(issued.Unix()+3600) || c["jti"] == "" {
		t.Errorf("%s %v", header, c)
	}
	if again := d.token(g); again == a.str("token") {
		t.Error("the second token is the first")
	}
}

// TestTokensOfOneGrantAreLimited: each is a row on disk, and an app could ask for them all day. Other grants go on.
func TestTokensOfOneGrantAreLimited(t *testing.T) {
	d := newDesk(t)
	g, other := d.in("approved"), d.in("approved")
	for range tokensPerMinute {
		d.token(g)
	}
	if a := d.send("POST", "/tokens", g.body()); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("one more: %s, want 429", a)
	}
	d.token(other)
	d.now = d.now.Add(time.Minute)
	d.token(g)
}

// TestTokenRefusals in the seed's order: the body, the grant, its state, its end. However often, they are no tokens.
func TestTokenRefusals(t *testing.T) {
	d := newDesk(t)
	g, other := d.in("approved"), d.ask()
	for body, want := range map[string]map[string]any{
		``:                               {"grantId": []any{"Required"}, "grantSecret": []any{"Required"}},
		`{"grantSecret":"s"}`:            {"grantId": []any{"Required"}},
		`{"grantId":""}`:                 {"grantId": []any{"String must contain at least 1 character(s)"}, "grantSecret": []any{"Required"}},
		`{"grantId":5,"grantSecret":[]}`: {"grantId": []any{"Expected string, received number"}, "grantSecret": []any{"Expected string, received array"}},
		`{"grantId":"` + g.id + `"}`:     {"grantSecret": []any{"Required"}},
	} {
		a := d.send("POST", "/tokens", body)
		if d := cmp.Diff(map[string]any{"error": "Validation failed", "details": map[string]any{"formErrors": []any{}, "fieldErrors": want}}, a.body); d != "" || a.status != 400 {
			t.Errorf("%s: %s %s", body, a, d)
		}
	}
	for _, who := range []asked{{"none", g.secret}, {g.id, other.secret}, {g.id, "x"}} {
		if a := d.send("POST", "/tokens", who.body()); !a.failed(404, "Grant not found") {
			t.Errorf("%v: %s", who, a)
		}
	}
	for _, state := range []string{"pending", "denied", "revoked", "paused"} {
		if a := d.send("POST", "/tokens", d.in(state).body()); !a.failed(400, "Grant is '"+state+"', must be 'approved'") {
			t.Errorf("%s: %s", state, a)
		}
	}
	for range tokensPerMinute + 1 {
		if a := d.send("POST", "/tokens", other.body()); !a.failed(400, "Grant is 'pending', must be 'approved'") {
			t.Fatalf("an app that waits: %s", a)
		}
	}
	if a := d.send("POST", "/tokens", d.in("expired").body()); !a.failed(400, "Grant has expired") {
		t.Errorf("expired: %s", a)
	}
	// Less than a second before the end there is no whole second to give.
	last := d.in("approved")
	d.now = d.now.Add(time.Hour - time.Millisecond)
	if a := d.send("POST", "/tokens", last.body()); !a.failed(400, "Grant has expired") {
		t.Errorf("a millisecond before the end: %s", a)
	}
}

func (d *desk) inspect(access string) answer {
	d.t.Helper()
	return d.send("GET", "/tokens/"+access+"/inspect", "")
}

func TestInspectAGoodToken(t *testing.T) {
	d := newDesk(t)
	g := d.in("approved")
	a := d.inspect(d.token(g))
	whole := d.owner("GET", "/grants/"+g.id, "")
	want := map[string]any{}
	for _, name := range []string{"id", "appName", "appUrl", "scope", "status", "createdAt", "expiresAt", "usageCount", "authorizationDetails"} {
		want[name] = whole.body[name]
	}
	if d := cmp.Diff(map[string]any{"valid": true, "grant": want}, a.body); d != "" || a.status != 200 || want["scope"] == nil {
		t.Errorf("%s %s", a, d)
	}
}

// TestInspectSaysWhyInTheSeedsOrder: always 200, and of several reasons the first.
func TestInspectSaysWhyInTheSeedsOrder(t *testing.T) {
	d := newDesk(t)
	refused := func(name, access, reason string) {
		t.Helper()
		if a := d.inspect(access); a.status != 200 || !cmp.Equal(a.body, map[string]any{"valid": false, "reason": reason}) {
			t.Errorf("%s: %s, want %s", name, a, reason)
		}
	}
	live := d.in("approved")
	good := d.token(live)
	claims := func(change string) string {
		return with(fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":%q,"gid":%[3]q,"grantId":%[3]q,"jti":"unknown","iat":%d,"exp":%d}`, issuer, issuer, live.id, d.now.Unix(), d.now.Unix()+60), change, "")
	}

	// 1 and 2: the token by itself.
	refused("no JWT", "nonsense", "Invalid or expired JWT")
	refused("another signature", good[:len(good)-4]+"AAAA", "Invalid or expired JWT")
	for _, name := range []string{"jti", "grantId", "exp", "iss"} {
		refused("without "+name, signed(claims(name)), "JWT missing required claims")
	}

	// 3: signed by us, and never recorded.
	refused("unknown", signed(claims("none")), "Token not found")

	// 4: revoked, which is told before what became of the grant.
	gone := d.in("approved")
	dead := d.token(gone)
	d.owner("POST", "/grants/"+gone.id+"/revoke", "")
	refused("revoked", dead, "Token has been revoked")

	// 5: its grant is not there.
	d.store.Fail("Liveness", storetest.Before, store.NoGrantOf())
	refused("without a grant", good, "Associated grant not found")
	d.store.Fail("Liveness", storetest.Before, nil)

	// 6: its grant is there, and not approved.
	d.owner("POST", "/grants/"+live.id+"/pause", "")
	refused("paused", good, "Grant status is 'paused'")
	d.owner("POST", "/grants/"+live.id+"/resume", "")

	// 7: its grant has ended before it. The broker issues no such token, so this one is put there.
	long := passport.Token{ID: "long", Grant: passport.GrantID(live.id), IssuedAt: d.now, ExpiresAt: d.now.Add(2 * time.Hour)}
	if err := d.store.AddToken(t.Context(), long, passport.Event{ID: "ev"}); err != nil {
		t.Fatal(err)
	}
	outlives := signed(fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":%q,"gid":%[3]q,"grantId":%[3]q,"jti":"long","iat":%d,"exp":%d}`, issuer, issuer, live.id, d.now.Unix(), d.now.Unix()+7200))
	if a := d.inspect(outlives); a.get("valid") != true {
		t.Errorf("while its grant lives: %s", a)
	}
	d.now = d.now.Add(time.Hour)
	refused("outlives its grant", outlives, "Associated grant has expired")
	refused("has ended with its grant", good, "Invalid or expired JWT")
	d.owner("POST", "/grants/"+live.id+"/revoke", "")
	refused("revoked after its grant ended", outlives, "Token has been revoked")
}
