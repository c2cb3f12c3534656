package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// giveDetails is give for several providers at once.
func (b *broker) giveDetails(details string) grant {
	b.t.Helper()
	a := b.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example.com","reason":"r","authorizationDetails":[`+details+`]}`, nil)
	if a.status != 201 {
		b.t.Fatal(a)
	}
	g := asked{a.str("grant.id"), a.str("grantSecret"), a.str("consentUrl")}
	b.keepSecret(g.secret)
	b.approve(g.id, `{"expiresInSeconds":3600}`)
	return grant{g, b.token(g)}
}

func detail(provider, models, capabilities string, rate int) string {
	return fmt.Sprintf(`{"type":"ai_access","provider":%q,"models":[%s],"capabilities":[%s],"maxBudgetCents":100,"maxRequests":5,"rateLimit":%d}`, provider, models, capabilities, rate)
}

// ids are the names in a list of models, as the dialect has them.
func ids(a answer) (out []string) {
	list, _ := a.get("data").([]any)
	if list == nil {
		list, _ = a.get("models").([]any)
	}
	for _, v := range list {
		m, _ := v.(map[string]any)
		for _, name := range []string{"id", "name"} {
			if s, ok := m[name].(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// TestModelsAreThoseOfTheGrant: what is granted and has a price, merged over providers, in each dialect's shape. Nothing goes upstream and no call is counted.
func TestModelsAreThoseOfTheGrant(t *testing.T) {
	b := start(t, nil)
	g := b.giveDetails(detail("google", `"gemini-2.5-flash","gemini-embedding-001","no-price"`, `"chat"`, 1000) + "," +
		detail("openai", `"gpt-4o-mini","text-embedding-3-small","gpt-4o"`, `"chat","embeddings"`, 1000) + "," +
		detail("anthropic", `"claude-sonnet-4-5"`, `"chat"`, 1000))
	for _, c := range []struct {
		path string
		auth func(string) http.Header
		want string
	}{
		{"/v1/models", bearer, "gemini-2.5-flash gpt-4o gpt-4o-mini text-embedding-3-small claude-sonnet-4-5"},
		{"/v1/models?client_version=0.169.0", bearer, "gemini-2.5-flash gpt-4o gpt-4o-mini text-embedding-3-small claude-sonnet-4-5"},
		{"/anthropic/v1/models", xAPIKey, "gemini-2.5-flash gpt-4o gpt-4o-mini claude-sonnet-4-5"},
		{"/anthropic/models?beta=true", bearer, "gemini-2.5-flash gpt-4o gpt-4o-mini claude-sonnet-4-5"},
		{"/anthropic/v1/models?limit=2&after_id=gemini-2.5-flash", xAPIKey, "gpt-4o gpt-4o-mini"},
		{"/anthropic/v1/models?limit=1&before_id=gpt-4o-mini", xAPIKey, "gpt-4o"},
		{"/google/v1beta/models", xGoogKey, "models/gemini-2.5-flash"},
		{"/google/v1/models?pageSize=50&alt=json", bearer, "models/gemini-2.5-flash"},
	} {
		a := b.send("GET", c.path, "", c.auth(g.token))
		if got := strings.Join(ids(a), " "); a.status != 200 || got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, a, c.want)
		}
	}
	if a := b.send("GET", "/google/v1beta/models?key="+g.token, "", nil); a.status != 200 {
		t.Errorf("?key=: %s", a)
	}
	for path, want := range map[string]string{
		"/v1/models/gpt-4o": `{"id":"gpt-4o","object":"model","created":0,"owned_by":"openai"}`, "/v1/models/anthropic/claude-sonnet-4-5": `{"id":"anthropic/claude-sonnet-4-5","object":"model","created":0,"owned_by":"anthropic"}`,
		"/v1/models/google%2Fgemini-2.5-flash": `{"id":"google/gemini-2.5-flash","object":"model","created":0,"owned_by":"google"}`,
		"/google/v1beta/models/gemini-2.5-flash": `{"name":"models/gemini-2.5-flash","displayName":"gemini-2.5-flash","inputTokenLimit":1048576,"outputTokenLimit":65536,` +
			`"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}`,
		"/anthropic/models/claude-sonnet-4-5": "",
	} {
		a := b.send("GET", path, "", bearer(g.token))
		if a.status != 200 || want != "" && string(a.body) != want {
			t.Errorf("%s: got %s, want %s", path, a, want)
		}
	}
	a := b.send("GET", "/anthropic/v1/models/claude-sonnet-4-5", "", xAPIKey(g.token))
	if a.str("type") != "model" || a.str("id") != "claude-sonnet-4-5" || a.str("display_name") == "" || a.str("created_at") != "1970-01-01T00:00:00Z" {
		t.Errorf("got %s", a)
	}
	if st := b.settled(g.id); st.UsageCount != 0 || len(b.fake.Requests()) != 0 {
		t.Errorf("lists count as calls: %+v, %d upstream", st, len(b.fake.Requests()))
	}
}

// TestModelsInPages: every page of a long list, once each, with the parameters of its dialect.
func TestModelsInPages(t *testing.T) {
	b := start(t, nil)
	g := b.giveDetails(detail("google", "", `"chat","embeddings"`, 1000) + "," + detail("anthropic", "", `"chat"`, 1000))
	all := ids(b.send("GET", "/google/v1beta/models?pageSize=1000", "", xGoogKey(g.token)))
	if len(all) < 20 || !slices.Contains(all, "models/gemini-embedding-001") || slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "tts") || strings.Contains(s, "image") }) {
		t.Fatalf("got %v", all)
	}
	var got []string
	for next := ""; ; {
		a := b.send("GET", "/google/v1beta/models?pageSize=7&pageToken="+next, "", xGoogKey(g.token))
		got = append(got, ids(a)...)
		if next = a.str("nextPageToken"); next == "" || a.status != 200 {
			break
		}
	}
	if !slices.Equal(got, all) {
		t.Errorf("in pages: %v\nwant %v", got, all)
	}
	whole := b.send("GET", "/anthropic/v1/models?limit=1000", "", xAPIKey(g.token))
	got = nil
	for after := ""; ; {
		a := b.send("GET", "/anthropic/v1/models?limit=9"+after, "", xAPIKey(g.token))
		page := ids(a)
		got = append(got, page...)
		if a.str("first_id") != page[0] || a.str("last_id") != page[len(page)-1] {
			t.Fatalf("got %s", a)
		}
		if more, _ := a.get("has_more").(bool); !more {
			break
		}
		after = "&after_id=" + a.str("last_id")
	}
	if !slices.Equal(got, ids(whole)) || len(got) < 20 || whole.get("has_more") != false {
		t.Errorf("in pages: %v\nwant %v", got, ids(whole))
	}
	if n := len(ids(b.send("GET", "/anthropic/v1/models", "", xAPIKey(g.token)))); n != 20 {
		t.Errorf("a page has %d models, want 20", n)
	}
}

// TestModelsRefuse: a bad query by name, a model of others as one that does not exist, no token, too fast; in the dialect's shape.
func TestModelsRefuse(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(100, 5))
	for _, c := range []struct {
		path   string
		s      speaker
		status int
		words  string
	}{
		{"/v1/models?limit=3", native[0], 400, "limit"}, {"/v1/models/gpt-4o", native[0], 404, "model"}, {"/v1/models/nonsense", native[0], 404, "model"},
		{"/v1/models/gpt-4o-mini?x=1", native[0], 400, "x"}, {"/v1/models/a%2F..%2Fgpt-4o-mini", native[0], 400, "dot segments"}, {"/v1/models/gpt-4o%2dmini", native[0], 400, "escaped"},
		{"/v1/chat%2Fcompletions", native[0], 400, "escaped"},
		{"/anthropic/v1/models?limit=0", native[1], 400, "limit"}, {"/anthropic/v1/models?limit=1001", native[1], 400, "limit"}, {"/anthropic/v1/models?after_id=x", native[1], 400, "after_id"},
		{"/anthropic/v1/models?lifecycle=active", native[1], 400, "lifecycle"}, {"/anthropic/v1/models/claude-sonnet-4-5", native[1], 404, "model"},
		{"/anthropic/v1/models?after_id=gpt-4o-mini&before_id=gpt-4o-mini", native[1], 400, "before_id"},
		{"/google/v1beta/models?pageSize=-1", native[2], 400, "pageSize"}, {"/google/v1beta/models?pageToken=x", native[2], 400, "pageToken"}, {"/google/v1beta/models?alt=sse", native[2], 400, "alt"},
		{"/google/v1beta/models?filter=x", native[2], 400, "filter"}, {"/google/v1beta/models/gemini-2.5-flash", native[2], 404, "model"},
	} {
		a := b.send("GET", c.path, "", c.s.auth(g.token))
		if a.status != c.status || !strings.Contains(string(a.body), c.words) {
			t.Errorf("%s: got %s, want %d %s", c.path, a, c.status, c.words)
		}
		envelope(t, c.s, a)
	}
	slow := b.give(strings.Replace(native[0].scope(100, 5), `"rateLimit":1000000`, `"rateLimit":1`, 1))
	for i, s := range native {
		path := []string{"/v1/models", "/anthropic/v1/models", "/google/v1beta/models"}[i]
		if a := b.send("GET", path, "", nil); a.status != 401 {
			t.Errorf("%s without a token: %s", path, a)
		} else {
			envelope(t, s, a)
		}
		a := b.send("GET", path, "", s.auth(slow.token))
		if want := []int{200, 429, 429}[i]; a.status != want || want == 429 && a.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %s, want %d", path, a, want)
		}
	}
	b.owner("POST", "/grants/"+g.id+"/revoke", "")
	if a := b.send("GET", "/v1/models", "", bearer(g.token)); a.status != 401 {
		t.Errorf("after the revoke: %s", a)
	}
}

// TestAListedModelCanBeCalled under the very name in the list, in every dialect that lists it.
func TestAListedModelCanBeCalled(t *testing.T) {
	b := start(t, nil)
	g := b.giveDetails(strings.ReplaceAll(detail("google", `"gemini-2.5-flash","gemini-embedding-001"`, `"chat","embeddings"`, 1000)+","+detail("openai", `"gpt-4o-mini","text-embedding-3-small"`, `"chat","embeddings"`, 1000)+","+
		detail("anthropic", `"claude-sonnet-4-5"`, `"chat"`, 1000), `"maxRequests":5`, `"maxRequests":50`))
	for i, s := range native {
		path := []string{"/v1/models", "/anthropic/v1/models", "/google/v1beta/models"}[i]
		names := ids(b.send("GET", path, "", s.auth(g.token)))
		for _, name := range names {
			to, model := s.path, name
			if s.provider == "openai" && strings.Contains(name, "embedding") {
				if a := b.send("POST", "/v1/embeddings", fmt.Sprintf(`{"model":%q,"input":"x"}`, name), s.auth(g.token)); a.status != 200 {
					t.Errorf("%s lists %s: %s", path, name, a)
				}
				continue
			}
			if s.provider == "google" && strings.Contains(name, "embedding") {
				if a := b.send("POST", "/google/v1beta/"+name+":embedContent", embedBody, s.auth(g.token)); a.status != 200 {
					t.Errorf("%s lists %s: %s", path, name, a)
				}
				continue
			}
			if s.provider == "google" {
				to, model = "/google/v1beta/"+name+":generateContent", ""
			}
			if a := b.send("POST", to, s.body(model, "x", 50, false), s.auth(g.token)); a.status != 200 {
				t.Errorf("%s lists %s: %s", path, name, a)
			}
		}
		if len(names) != []int{5, 3, 2}[i] {
			t.Errorf("%s: %v", path, names)
		}
	}
}
