package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// route is one way in that is no chat.
type route struct {
	name, path, upstream, body string
	s                          speaker // whose dialect it is
	scope                      string
	says                       string // member of a good answer
}

func embedScope(model string, cents, calls int) string {
	return strings.Replace(scope("google", model, cents, calls), `"chat"`, `"embeddings"`, 1)
}

func countBody(model string) string {
	return fmt.Sprintf(`{"model":%q,"system":"be brief","messages":[{"role":"user","content":"%s count"}]}`, model, canaryPrompt)
}

const (
	googleContent = `{"parts":[{"text":"` + canaryPrompt + ` embed"}]}`
	embedModel    = "gemini-embedding-001"
	embedBody     = `{"content":` + googleContent + `,"taskType":"RETRIEVAL_QUERY","outputDimensionality":3}`
	batchBody     = `{"requests":[{"model":"models/` + embedModel + `","content":` + googleContent + `},{"model":"models/` + embedModel + `","content":` + googleContent + `}]}`
)

// counting are the routes that count a prompt.
func counting(cents, calls int) (list []route) {
	for _, p := range []string{"/anthropic/v1/messages/count_tokens", "/anthropic/messages/count_tokens", "/anthropic/v1/messages/count_tokens?beta=true"} {
		list = append(list, route{p, p, "/v1/messages/count_tokens", countBody(native[1].model), native[1], native[1].scope(cents, calls), "input_tokens"})
	}
	for _, v := range []string{"v1beta", "v1"} {
		p := "/google/" + v + "/models/" + native[2].model + ":countTokens"
		up := "/v1beta/models/" + native[2].model + ":countTokens"
		list = append(list, route{p, p, up, `{"contents":[` + googleContent + `]}`, native[2], native[2].scope(cents, calls), "totalTokens"},
			route{p + " whole", p, up, `{"generateContentRequest":{"model":"models/` + native[2].model + `","contents":[` + googleContent + `]}}`, native[2], native[2].scope(cents, calls), "totalTokens"})
	}
	return list
}

// embedding are the routes that embed.
func embedding(cents, calls int) (list []route) {
	for _, v := range []string{"v1beta", "v1"} {
		for method, body := range map[string]string{"embedContent": embedBody, "batchEmbedContents": batchBody} {
			p := "/google/" + v + "/models/" + embedModel + ":" + method
			list = append(list, route{p, p, "/v1beta/models/" + embedModel + ":" + method, body, native[2], embedScope(embedModel, cents, calls), map[string]string{"embedContent": "embedding", "batchEmbedContents": "embeddings"}[method]})
		}
	}
	return list
}

// TestCountsCostNoMoneyAndACall: on both engines they go upstream, cost nothing, use up a call, and go on when the money is spent.
func TestCountsCostNoMoneyAndACall(t *testing.T) {
	onPG, password := onPostgres(t, pgtest.Database(t))
	for name, e := range map[string]env{"SQLite": nil, "Postgres": onPG} {
		t.Run(name, func(t *testing.T) {
			b := start(t, e)
			b.keepSecret(password)
			for _, r := range counting(0, 2) { // not a cent
				g := b.give(r.scope)
				if a := b.call(r.s, g.token, "x"); a.status != 429 {
					t.Fatalf("%s: a chat without money: %s", r.name, a)
				}
				a := b.send("POST", r.path, r.body, r.s.auth(g.token))
				if a.status != 200 || a.num(r.says) < 1 || a.header.Get("AIPassport-Cost-Micro-Usd") != "0" || a.header.Get("AIPassport-Calls-Remaining") != "1" {
					t.Errorf("%s: %s %v", r.name, a, a.header)
				}
				if last := b.fake.Requests()[len(b.fake.Requests())-1]; last.Path != r.upstream || string(last.Body) != r.body || last.RawQuery != "" {
					t.Errorf("%s went upstream as %s?%s %s", r.name, last.Path, last.RawQuery, last.Body)
				}
				b.fake.Next(fakeprovider.Behaviour{Status: 500})
				if a := b.send("POST", r.path, r.body, r.s.auth(g.token)); a.status != 500 {
					t.Errorf("%s: %s", r.name, a)
				}
				a = b.send("POST", r.path, r.body, r.s.auth(g.token))
				if a.status != 429 || a.header.Get("X-Should-Retry") != "false" {
					t.Errorf("%s: a third of two calls: %s", r.name, a)
				}
				envelope(t, r.s, a)
				if st := b.settled(g.id); st.SettledMicroUsd != 0 || st.UsageCount != 2 {
					t.Errorf("%s: %+v", r.name, st)
				}
			}
			if wrong := b.fake.Wrong(); len(wrong) > 0 {
				t.Error(wrong)
			}
		})
	}
}

// TestEmbeddingsAreBilledByTheirInput: what Google says was read, or the hold where it says nothing; the worst that it can bill is within
// the hold.
func TestEmbeddingsAreBilledByTheirInput(t *testing.T) {
	b := start(t, nil)
	for _, r := range embedding(500, 10) {
		t.Run(r.name, func(t *testing.T) {
			g, before := b.give(r.scope), b.fake.Billed()
			if a := b.send("POST", r.path, r.body, r.s.auth(g.token)); a.status != 200 || a.get(r.says) == nil {
				t.Fatal(a)
			}
			if last := b.fake.Requests()[len(b.fake.Requests())-1]; last.Path != r.upstream || string(last.Body) != r.body {
				t.Errorf("went upstream as %s %s", last.Path, last.Body)
			}
			first := b.settled(g.id).SettledMicroUsd
			if billed := b.fake.Billed() - before; first != billed || billed == 0 {
				t.Errorf("settled %d, billed %d", first, billed)
			}
			b.fake.Next(fakeprovider.Behaviour{Worst: true})
			if a := b.send("POST", r.path, r.body, r.s.auth(g.token)); a.status != 200 {
				t.Fatal(a)
			}
			second := b.settled(g.id)
			if billed := b.fake.Billed() - before; second.SettledMicroUsd != billed || second.Status != "approved" {
				t.Errorf("at worst settled %+v, billed %d", second, billed)
			}
			b.fake.Next(fakeprovider.Behaviour{NoUsage: true})
			if a := b.send("POST", r.path, r.body, r.s.auth(g.token)); a.status != 200 {
				t.Fatal(a)
			}
			if hold := b.settled(g.id).SettledMicroUsd - second.SettledMicroUsd; hold <= second.SettledMicroUsd-first {
				t.Errorf("without usage it cost %d, want the hold, above the worst bill of %d", hold, second.SettledMicroUsd-first)
			}
		})
	}
	if wrong := b.fake.Wrong(); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// TestOtherRoutesRefuseAsChatsDo: in the dialect's shape, by name, and nothing goes upstream.
func TestOtherRoutesRefuseAsChatsDo(t *testing.T) {
	b := start(t, nil)
	for _, r := range append(counting(500, 10), embedding(500, 10)...) {
		chat := b.give(scope(r.s.provider, "another-model", 500, 10))
		use := b.give(strings.NewReplacer(`["chat"]`, `["images"]`, `["embeddings"]`, `["chat"]`).Replace(r.scope))
		g := b.give(r.scope)
		for _, c := range []struct {
			name, token, body string
			status            int
			words             string
		}{
			{"no token", "", r.body, 401, ""},
			{"another model", chat.token, r.body, 403, "another-model"},
			{"another capability", use.token, r.body, 403, "Capability"},
			{"a field", g.token, strings.Replace(r.body, "{", `{"made_up":1,`, 1), 400, "made_up"},
			{"no JSON", g.token, "{", 400, "JSON"},
		} {
			h := r.s.auth(c.token)
			if c.token == "" {
				h = nil
			}
			a := b.send("POST", r.path, c.body, h)
			if a.status != c.status || !strings.Contains(string(a.body), c.words) {
				t.Errorf("%s, %s: got %s, want %d %s", r.name, c.name, a, c.status, c.words)
			}
			envelope(t, r.s, a)
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d refused calls went upstream", n)
	}
}

// TestWhoLeavesEndsTheUpstreamCall, on every route and while the provider still thinks.
func TestWhoLeavesEndsTheUpstreamCall(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			b := startTLS(t, env{}, h2)
			list := append(counting(500, 10), embedding(500, 10)...)
			for _, s := range native {
				list = append(list, route{name: s.name, path: s.path, body: s.body(s.model, "x", 50, false), s: s, scope: s.scope(500, 10)})
			}
			for _, r := range list {
				g := b.give(r.scope)
				b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: make(chan struct{})})
				ctx, leave := context.WithCancel(testutil.Context(t))
				n := len(b.fake.Requests())
				done := make(chan error, 1)
				go func() {
					req, err := http.NewRequestWithContext(ctx, "POST", b.url+r.path, strings.NewReader(r.body))
					if err == nil {
						req.Header = r.s.auth(g.token)
						req.Header.Set("Content-Type", "application/json")
						_, err = b.http.RoundTrip(req)
					}
					done <- err
				}()
				if err := b.fake.Await(testutil.Context(t), func(all []*fakeprovider.Request) bool { return len(all) > n }); err != nil {
					t.Fatalf("%s: %v", r.name, err)
				}
				leave()
				if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
					t.Fatalf("%s: the provider is kept busy: %v", r.name, err)
				}
				if err := <-done; err == nil {
					t.Errorf("%s: was answered", r.name)
				}
				if st := b.settled(g.id); st.UsageCount != 1 {
					t.Errorf("%s: %+v", r.name, st)
				}
			}
		})
	}
}
