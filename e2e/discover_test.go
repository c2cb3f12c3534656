package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// reaches is a row of the list of models.
func reaches(model, price string) string {
	return `<th scope="row" class="mono small">` + model + `</th><td class="small">` + price + `</td>`
}

// TestTheKeysPageListsWhatAKeyReaches: each built-in provider is asked in its own dialect, with the key that apps are lent, for one page as
// long as it gives. The key is not on ours, and nothing is spent.
func TestTheKeysPageListsWhatAKeyReaches(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	for _, c := range []struct {
		provider, path, query, header, credential string
		rows                                      []string
	}{
		{"openai", "/v1/models", "", "Authorization", "Bearer " + openAIKey, []string{reaches("gpt-4o", "Known"), reaches("gpt-4o-mini", "Known"), reaches("omni-moderation-latest", "Not known: calls are refused")}},
		{"anthropic", "/v1/models", "limit=1000", "X-Api-Key", anthropicKey, []string{reaches("claude-sonnet-4-5", "Known")}},
		{"google", "/v1beta/models", "pageSize=1000", "X-Goog-Api-Key", googleKey, []string{reaches("aqa", "Not known: calls are refused"), reaches("gemini-2.5-flash", "Known")}},
	} {
		before := len(b.fake.Requests())
		p.open("/providers/" + c.provider)
		p.submit("/providers/"+c.provider+"/models", nil)
		text := string(p.page.body)
		if want := strings.Join(c.rows, "</tr><tr>"); p.page.status != 200 || !strings.Contains(text, want) || strings.Count(text, `scope="row"`) != len(c.rows) {
			t.Errorf("%s: %d without %s: %s", c.provider, p.page.status, want, text)
		}
		for _, key := range []string{openAIKey, anthropicKey, googleKey} {
			if strings.Contains(text, key) {
				t.Errorf("%s: a key is on the page", c.provider)
			}
		}
		got := b.fake.Requests()[before:]
		if len(got) != 1 {
			t.Fatalf("%s: %d requests", c.provider, len(got))
		}
		r := got[0]
		if r.Method != http.MethodGet || r.Path != c.path || r.RawQuery != c.query || r.Header.Get(c.header) != c.credential || len(r.Wrong) != 0 || r.Billed() != 0 {
			t.Errorf("%s: %s %s?%s, wrong: %v", c.provider, r.Method, r.Path, r.RawQuery, r.Wrong)
		}
	}
}

// TestTheKeysPageTellsWhyNothingIsListed: a key that is refused, in each dialect's way; a provider that is not there; no key.
func TestTheKeysPageTellsWhyNothingIsListed(t *testing.T) {
	told := func(p *person, provider, why string) {
		t.Helper()
		p.open("/providers/" + provider)
		p.submit("/providers/"+provider+"/models", nil)
		if text := string(p.page.body); p.page.status != 422 || !strings.Contains(text, "The models could not be listed: "+why) || strings.Contains(text, "canary") {
			t.Errorf("%s: %d: %s", provider, p.page.status, text)
		}
	}
	b := start(t, env{"OPENAI_API_KEY": "sk-canary-stale", "ANTHROPIC_API_KEY": "sk-ant-canary-stale", "GOOGLE_API_KEY": "AIza-canary-stale"})
	p := b.setUp()
	told(p, "openai", "OpenAI refused this key (status 401).")
	told(p, "anthropic", "Anthropic refused this key (status 401).")
	told(p, "google", "Google refused this key (status 40") // Google answers 400 to a key that is none

	b = start(t, env{"OPENAI_BASE_URL": "http://127.0.0.1:" + freePort(t), "ANTHROPIC_API_KEY": ""})
	p = b.setUp()
	told(p, "openai", "the provider could not be reached.")
	told(p, "anthropic", "there is no key for it, add one under Keys.")
}
