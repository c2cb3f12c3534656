package seed_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scopeWith is a good scope with other members; an empty value takes one away.
func scopeWith(pairs ...string) string { return with(goodScope, pairs...) }

// requestWith is a good grant request with other members.
func requestWith(pairs ...string) string {
	return with(`{"appName":"a","appUrl":"https://a.example","reason":"r","scope":`+goodScope+`}`, pairs...)
}

func with(object string, pairs ...string) string {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		panic(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if m[pairs[i]] = json.RawMessage(pairs[i+1]); pairs[i+1] == "" {
			delete(m, pairs[i])
		}
	}
	var parts []string // not by Marshal, which would write the values anew
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, `"`+name+`":`+string(m[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestAGrantRequestIsAnsweredWithBothObjects(t *testing.T) {
	d := newDesk(t)
	scope := `{"provider":"anthropic","models":["",""],"capabilities":["chat","code","chat"],"maxBudgetCents":1e3,"rateLimit":0,"more":1}`
	a := d.send("POST", "/grant-requests", requestWith("scope", scope, "id", `"mine"`, "status", `"approved"`, "createdAt", `"2000-01-01"`, "notes", `"n"`, "__proto__", `{}`))
	created, ends := iso(d.now), iso(d.now.Add(time.Hour))
	shown := map[string]any{"provider": "anthropic", "models": []any{"", ""}, "capabilities": []any{"chat", "code", "chat"}, "maxBudgetCents": 1000.0, "rateLimit": 0.0}
	detail := maps.Clone(shown)
	detail["type"] = "ai_access"
	request := map[string]any{"id": "id-2", "createdAt": created, "appName": "a", "appUrl": "https://a.example", "reason": "r", "scope": shown, "authorizationDetails": []any{detail}}
	grant := map[string]any{"id": "id-1", "requestId": "id-2", "appName": "a", "appUrl": "https://a.example", "scope": shown, "authorizationDetails": []any{detail},
		"status": "pending", "version": "1", "createdAt": created, "expiresAt": ends, "usageCount": 0.0, "usageBudgetCents": 0.0, "settledMicroUsd": 0.0, "reservedMicroUsd": 0.0}
	want := map[string]any{"grantRequest": request, "grant": grant, "grantSecret": a.body["grantSecret"], "consentUrl": issuer + "/consent/id-1"}
	if d := cmp.Diff(want, a.body); d != "" || a.status != 201 || len(a.str("grantSecret")) < 43 {
		t.Errorf("%s %s", a, d)
	}
}

// TestGrantRequestValidation: what Zod 3 says about the same bodies, all at once and under the same names.
func TestGrantRequestValidation(t *testing.T) {
	const (
		required = "Required"
		empty    = "String must contain at least 1 character(s)"
		float    = "Expected integer, received float"
		low      = "Number must be greater than or equal to 0"
		caps     = "'chat' | 'embeddings' | 'images' | 'audio' | 'code' | 'search'"
		provs    = "Invalid enum value. Expected 'openai' | 'anthropic' | 'google', received "
	)
	one := func(name string, messages ...any) map[string]any { return map[string]any{name: messages} }
	in := func(messages ...any) map[string]any { return one("scope", messages...) }
	d := newDesk(t)
	for _, c := range []struct {
		body string
		form []any
		want map[string]any
	}{
		{``, []any{}, map[string]any{"appName": []any{required}, "appUrl": []any{required}, "scope": []any{required}, "reason": []any{required}}},
		{`{}`, []any{}, map[string]any{"appName": []any{required}, "appUrl": []any{required}, "scope": []any{required}, "reason": []any{required}}},
		{`[{}]`, []any{"Expected object, received array"}, map[string]any{}},
		{requestWith("appName", `""`, "appUrl", `""`, "reason", `""`, "scope", `[]`), []any{},
			map[string]any{"appName": []any{empty}, "appUrl": []any{"Invalid url"}, "reason": []any{empty}, "scope": []any{"Expected object, received array"}}},
		{requestWith("appName", `null`), []any{}, one("appName", "Expected string, received null")},
		{requestWith("appUrl", `5`), []any{}, one("appUrl", "Expected string, received number")},
		{requestWith("reason", `{}`), []any{}, one("reason", "Expected string, received object")},
		{requestWith("scope", `true`), []any{}, in("Expected object, received boolean")},
		{requestWith("scope", `{}`), []any{}, in(required, required, required)},
		{requestWith("scope", scopeWith("provider", `null`)), []any{}, in("Expected 'openai' | 'anthropic' | 'google', received null")},
		{requestWith("scope", scopeWith("provider", `""`)), []any{}, in(provs + "''")},
		{requestWith("scope", scopeWith("models", `{}`)), []any{}, in("Expected array, received object")},
		{requestWith("scope", scopeWith("maxBudgetCents", `-1.5`)), []any{}, in(float, low)},
		{requestWith("scope", scopeWith("maxBudgetCents", `1e400`)), []any{}, in(float)},
		{requestWith("scope", scopeWith("rateLimit", `""`)), []any{}, in("Expected number, received string")},
		{requestWith("scope", scopeWith("provider", `"OpenAI"`, "models", `[1,null,"a",[]]`, "capabilities", `["fly",1,"chat"]`, "maxBudgetCents", `-1`, "maxRequests", `1.5`, "rateLimit", `null`)), []any{},
			in(provs+"'OpenAI'", "Expected string, received number", "Expected string, received null", "Expected string, received array",
				"Invalid enum value. Expected "+caps+", received 'fly'", "Expected "+caps+", received number", low, float, "Expected number, received null")},
		// Bounds of ours, in the same words.
		{requestWith("scope", scopeWith("maxBudgetCents", `100000000001`, "maxRequests", `1e13`, "rateLimit", `1000001`)), []any{},
			in("Number must be less than or equal to 100000000000", "Number must be less than or equal to 1000000000000", "Number must be less than or equal to 1000000")},
		{requestWith("scope", scopeWith("models", `["`+strings.Repeat("m", 201)+`"]`)), []any{}, in("String must contain at most 200 character(s)")},
		{requestWith("scope", scopeWith("models", `[`+strings.Repeat(`"m",`, 100)+`"m"]`)), []any{}, in("Array must contain at most 100 element(s)")},
		{requestWith("appName", `"`+strings.Repeat("é", 201)+`"`), []any{}, one("appName", "String must contain at most 200 character(s)")},
	} {
		a := d.send("POST", "/grant-requests", c.body, "Content-Type: application/json")
		want := map[string]any{"error": "Validation failed", "details": map[string]any{"formErrors": c.form, "fieldErrors": c.want}}
		if d := cmp.Diff(want, a.body); d != "" || a.status != 400 {
			t.Errorf("%.200s: %d %s", c.body, a.status, d)
		}
	}
	for _, good := range []string{scopeWith("models", `[]`, "capabilities", `[]`), scopeWith("maxBudgetCents", ``, "maxRequests", ``, "rateLimit", ``),
		scopeWith("maxBudgetCents", `-0.0`, "maxRequests", `10e-1`, "rateLimit", `1E2`)} {
		if a := d.send("POST", "/grant-requests", requestWith("scope", good, "appName", `" "`)); a.status != 201 {
			t.Errorf("%s: %s", good, a)
		}
	}
}

// TestAppURLs: http and https that a browser would go to, spelled as it would spell them.
func TestAppURLs(t *testing.T) {
	d := newDesk(t)
	for url, ok := range map[string]bool{
		"https://a.example": true, "HTTPS://A.EXAMPLE": true, "http://localhost:3000": true, "http://[::1]:3000/": true, "http://127.0.0.1:8080/x?y=%20#z": true,
		"https://münchen.example/ä": true, "https://a_b.example": true, "https://a.example:": true, "https://a.example./": true, "https://a.example:65535": true,
		"a.example": false, "/path": false, "//a.example": false, "https://": false, "https:///x": false, "https://:80": false, "https:a.example": false, `https:\\a.example`: false,
		" https://a.example": false, "https://a.example/a b": false, "https://a.example/\n": false, "https://a.example/%zz": false, "https://%61.example": false,
		"https://a.example:99999": false, "https://a.example:x": false, "http://1.2.3.4.5": false, "http://256.1.1.1": false, "http://1.2.3.0x4": false, "http://[::1": false,
		"http://[fe80::1%25eth0]/": false, "http://[1.2.3.4]/": false, "https://a<b.example": false, "https://a|b.example": false, "https://a^b.example": false,
		"https://u@a.example": false, "https://u:p@a.example": false, "javascript:alert(1)": false, "data:text/html,x": false, "mailto:a@b.example": false, "file:///etc": false,
		"myapp://cb": false, "ftp://a.example": false, "https://.": false,
	} {
		quoted, _ := json.Marshal(url)
		a := d.send("POST", "/grant-requests", requestWith("appUrl", string(quoted)))
		got, _ := a.get("details.fieldErrors.appUrl").([]any)
		if ok && a.status != 201 || !ok && (a.status != 400 || !cmp.Equal(got, []any{"Invalid url"})) {
			t.Errorf("%q: %s, want ok: %v", url, a, ok)
		}
	}
}

// TestBodiesThatAreNoObject are refused in {"error"}, whatever the endpoint; one of another type is not even read.
func TestBodiesThatAreNoObject(t *testing.T) {
	d := newDesk(t)
	for _, path := range []string{"/grant-requests", "/tokens", "/grants/none/approve"} {
		for _, body := range []string{`{`, `{}x`, `{} {}`, `{"a":1,}`, `nonsense`, "\ufeff{}", "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, " "} {
			if a := d.owner("POST", path, body); a.status != 400 || len(a.body) != 1 || a.str("error") == "" {
				t.Errorf("%s %q: %s", path, body, a)
			}
		}
		for body, kind := range map[string]string{`5`: "number", `"x"`: "string", `null`: "null", `true`: "boolean", `[]`: "array"} {
			if a := d.owner("POST", path, body); a.status != 400 || !cmp.Equal(a.get("details.formErrors"), any([]any{"Expected object, received " + kind})) {
				t.Errorf("%s %s: %s", path, body, a)
			}
		}
		full := `{"x":"` + strings.Repeat("x", 100<<10-8) + `"}`
		if a := d.owner("POST", path, full); len(full) != 100<<10 || a.status == 413 {
			t.Errorf("%s with 100 kB: %.100s", path, a)
		}
		if a := d.owner("POST", path, full+" "); !a.failed(413, "request entity too large") {
			t.Errorf("%s with a byte more: %.100s", path, a)
		}
		if a := d.owner("POST", path, full+" ", "Content-Type: text/plain"); a.status == 413 || strings.Contains(a.text, "entity") {
			t.Errorf("%s with another type: %.100s", path, a)
		}
	}
	for _, ct := range []string{"text/plain", "", "application/x-www-form-urlencoded", "application/jsonx", "application/vnd.api+json"} {
		if a := d.send("POST", "/tokens", `{"grantId":"a","grantSecret":"b"}`, "Content-Type: "+ct); a.status != 400 || !strings.Contains(a.text, `"grantId":["Required"]`) {
			t.Errorf("%q: %s", ct, a)
		}
	}
	for _, ct := range []string{"application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y"} {
		if a := d.send("POST", "/tokens", `{"grantId":"a","grantSecret":"b"}`, "Content-Type: "+ct); !a.failed(404, "Grant not found") {
			t.Errorf("%q: %s", ct, a)
		}
	}
}

// TestGrantRequestsAreLimited by address, before anything is read.
func TestGrantRequestsAreLimited(t *testing.T) {
	d := newDesk(t)
	d.flood.PerMinute = 2
	for i := range 3 {
		a := d.send("POST", "/grant-requests", requestWith())
		if i < 2 && a.status != 201 || i == 2 && (a.status != 429 || a.header.Get("Retry-After") == "" || a.str("error") == "") {
			t.Errorf("request %d: %s %v", i+1, a, a.header)
		}
	}
}

// TestClampOutputIsShownWhereItWasSaid, and must be a boolean.
func TestClampOutputIsShownWhereItWasSaid(t *testing.T) {
	d := newDesk(t)
	for value, want := range map[string]any{"true": true, "false": false} {
		a := d.send("POST", "/grant-requests", requestWith("scope", scopeWith("clampOutput", value)))
		if a.status != 201 || a.get("grant.scope.clampOutput") != want {
			t.Errorf("%s: %s", value, a)
		}
	}
	if a := d.send("POST", "/grant-requests", requestWith("scope", scopeWith("clampOutput", `"yes"`))); a.status != 400 {
		t.Errorf("a text: %s", a)
	}
}
