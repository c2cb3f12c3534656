package gateway_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// refused is an answer to a call that was not made.
type refused struct {
	status    int
	challenge string
	body      string
	remedy    struct {
		Details []struct {
			Type string `json:"type"`
			passport.Detail
		} `json:"authorization_details"`
		Grant string `json:"grant_id"`
	}
}

var remediation = regexp.MustCompile(`authorization_remediation="([A-Za-z0-9_-]+)"`)

func (d *desk) refused(t *testing.T, path, token, text string) refused {
	t.Helper()
	req, err := http.NewRequest("POST", d.srv.URL+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := refused{status: resp.StatusCode, challenge: strings.Join(resp.Header.Values("WWW-Authenticate"), " | "), body: string(b)}
	if m := remediation.FindStringSubmatch(out.challenge); m != nil {
		raw, err := base64.RawURLEncoding.DecodeString(m[1])
		if err != nil || json.Unmarshal(raw, &out.remedy) != nil {
			t.Fatalf("the remediation is no base64url JSON: %s", m[1])
		}
	}
	return out
}

// TestChallenges: a refusal says in WWW-Authenticate what is wrong with the token, where the metadata is, and what to ask for, in each dialect.
func TestChallenges(t *testing.T) {
	d := open(t, false)
	d.gw.Public = "https://broker.example"
	const base = `Bearer realm="aipassport"`
	const at = `, resource_metadata="https://broker.example/.well-known/oauth-protected-resource`
	for path, resource := range map[string]string{"/v1/chat/completions": "/v1", "/anthropic/v1/messages": "/anthropic",
		"/google/v1beta/models/gemini-2.5-flash:generateContent": "/google", "/proxy/chat": ""} {
		want := base + at + resource + `"`
		if r := d.refused(t, path, "", `{"model":"gpt-4o-mini","messages":[]}`); r.status != 401 || r.challenge != want {
			t.Errorf("%s without a token: got %d %q, want %q", path, r.status, r.challenge, want)
		}
	}
	r := d.refused(t, "/v1/embeddings", "t", `{"model":"text-embedding-3-small","input":"x"}`)
	if r.status != 403 || !strings.HasPrefix(r.challenge, base+`, error="insufficient_authorization_details", authorization_remediation="`) ||
		!strings.HasSuffix(r.challenge, at+`/v1"`) {
		t.Fatalf("a capability: got %d %q", r.status, r.challenge)
	}
	if r.remedy.Grant != string(d.grant.ID) || len(r.remedy.Details) != 1 || r.remedy.Details[0].Type != "ai_access" ||
		r.remedy.Details[0].Models[0] != "text-embedding-3-small" || r.remedy.Details[0].Capabilities[0] != passport.Embeddings {
		t.Errorf("a capability: got %+v", r.remedy)
	}
	if !strings.Contains(r.body, `"error":{"authorization_details":[{"type":"ai_access"`) || !strings.Contains(r.body, `"code":"capability_not_granted"`) || !json.Valid([]byte(r.body)) {
		t.Errorf("a capability: the body is %s", r.body)
	}
	if r := d.refused(t, "/v1/chat/completions", "t", `{"model":"google/gemini-2.5-flash","max_tokens":10,"messages":[{"role":"user","content":"x"}]}`); r.status != 403 || r.remedy.Grant != "" || len(r.remedy.Details) != 1 {
		t.Errorf("a provider that the grant has not is asked for anew: got %d %+v %s", r.status, r.remedy, r.body)
	}
	for path, text := range map[string]string{
		"/v1/chat/completions":   `{"model":"gpt-4o","max_tokens":16000,"n":16,"messages":[{"role":"user","content":"x"}]}`,
		"/anthropic/v1/messages": `{"model":"openai/gpt-4o","max_tokens":1000000,"messages":[{"role":"user","content":"x"}]}`,
	} {
		r := d.refused(t, path, "t", text)
		if r.status != 429 || !strings.Contains(r.challenge, `error="insufficient_authorization_details"`) || r.remedy.Grant != string(d.grant.ID) ||
			r.remedy.Details[0].MaxBudgetCents.Or(0) < 200 || !strings.Contains(r.body, `"authorization_details"`) || !json.Valid([]byte(r.body)) {
			t.Errorf("%s, too little money: got %d %q %+v %s", path, r.status, r.challenge, r.remedy, r.body)
		}
	}
}

// TestChallengeOfEnded: a grant that has ended, a pause, and a grant that was passed on.
func TestChallengeOfEnded(t *testing.T) {
	d := open(t, false)
	change := func(f func(*passport.Grant)) {
		t.Helper()
		s, err := d.store.Standing(context.Background(), d.grant.ID)
		if err != nil {
			t.Fatal(err)
		}
		f(&s.Grant)
		s.Grant.Version++
		if err := d.store.ChangeGrant(context.Background(), s.Grant, passport.Event{ID: "e", At: time.Now(), Grant: d.grant.ID}); err != nil {
			t.Fatal(err)
		}
	}
	change(func(g *passport.Grant) { g.Parent = "another" })
	if r := d.refused(t, "/v1/embeddings", "t", `{"model":"text-embedding-3-small","input":"x"}`); r.challenge != `Bearer realm="aipassport", error="insufficient_authorization_details"` || strings.Contains(r.body, "authorization_details") {
		t.Errorf("of a grant that was passed on there is nothing to ask for: got %q %s", r.challenge, r.body)
	}
	change(func(g *passport.Grant) { g.State = passport.GrantPaused })
	if r := d.refused(t, "/v1/chat/completions", "t", body); r.status != 403 || r.challenge != "" {
		t.Errorf("a pause: got %d %q", r.status, r.challenge)
	}
	change(func(g *passport.Grant) { g.State, g.RevokedAt = passport.GrantRevoked, time.Now() })
	if r := d.refused(t, "/v1/chat/completions", "t", body); r.status != 401 || r.challenge != `Bearer realm="aipassport", error="invalid_token"` {
		t.Errorf("a revoked grant: got %d %q", r.status, r.challenge)
	}
}
