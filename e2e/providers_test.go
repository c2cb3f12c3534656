package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const mistralKey = "mistral-canary-77d1e2c3b4a5968778695a4b3c2d1e0f"

// compatible is a server that speaks OpenAI's dialect and is not OpenAI: it keeps what it got, and answers with fixed usage.
type compatible struct {
	*httptest.Server
	mu    sync.Mutex // guards what follows
	calls []compatibleCall
	usage string // raw
}

type compatibleCall struct {
	path, query string
	header      http.Header
	body        string
}

func startCompatible(t *testing.T) *compatible {
	c := &compatible{usage: `{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}`}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *compatible) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.calls = append(c.calls, compatibleCall{r.URL.Path, r.URL.RawQuery, r.Header.Clone(), string(body)})
	usage := c.usage
	c.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/models"):
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"object":"list","data":[{"id":"small"},{"id":"vendor/dear:free","context_length":1000,"pricing":{"prompt":"0.0000015","completion":"0.000002"}},{"id":"bad name"},{"id":"auto","pricing":{"prompt":"-1","completion":"-1"}}]}`)
	case !strings.HasSuffix(r.URL.Path, "/chat/completions"):
		w.WriteHeader(http.StatusNotFound)
	case strings.Contains(string(body), `"stream":true`):
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}`+"\n\n"+
			`data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":`+usage+"}\n\ndata: [DONE]\n\n")
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":%s}`, usage)
	}
}

func (c *compatible) tell(usage string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.usage = usage
}

// last is the last call that came, of how many.
func (c *compatible) last(t *testing.T) (compatibleCall, int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) == 0 {
		t.Fatal("the server was not called")
	}
	return c.calls[len(c.calls)-1], len(c.calls)
}

// providersFile writes AIPASSPORT_PROVIDERS_FILE.
func providersFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "providers.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// server is one provider of the file.
func server(name, base, rest string) string {
	return fmt.Sprintf(`{"providers":[{"name":%q,"base_url":%q%s}]}`, name, base, rest)
}

const priced = `,"models":[{"model":"small","input":"2","output":"30"},{"model":"vendor/free","input":"0","output":"0"}]`

func say(model string) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`, model)
}

// TestAProviderOfTheFile: an app is granted it by name, calls reach it as OpenAI's dialect has it, and cost what the owner says.
func TestAProviderOfTheFile(t *testing.T) {
	c := startCompatible(t)
	b := start(t, env{"MISTRAL_API_KEY": mistralKey, "AIPASSPORT_PROVIDERS_FILE": providersFile(t,
		server("mistral-home", c.URL+"/api/v1/", `,"preset":"mistral","title":"Mistral at home","local":true,"key_env":"MISTRAL_API_KEY","headers":{"X-Team":"blue"}`+priced))})
	b.keepSecret(mistralKey)
	g := b.give(`{"provider":"mistral-home","models":[],"capabilities":["chat"],"maxBudgetCents":100,"maxRequests":100,"rateLimit":1000}`)

	a := b.send("POST", "/v1/chat/completions", say("small"), bearer(g.token))
	if a.status != 200 {
		t.Fatal(a)
	}
	got, _ := c.last(t)
	if got.path != "/api/v1/chat/completions" || got.query != "" || got.header.Get("Authorization") != "Bearer "+mistralKey || got.header.Get("X-Team") != "blue" {
		t.Errorf("the server got %+v", got)
	}
	// 100 at $2 and 10 at $30 a million: 500 micro-dollars.
	if cost := a.header.Get("Aipassport-Cost-Micro-Usd"); cost != "500" {
		t.Errorf("it cost %s, want 500", cost)
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(got.body), &sent); err != nil || len(sent) != 3 || sent["max_tokens"] != 50.0 {
		t.Errorf("a strict server got %s %v", got.body, err)
	}

	// A stream: no option that the server would refuse, also where the caller asks for it; the cap by the name it knows.
	a = b.send("POST", "/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":50,"model":"small","stream":true, "stream_options":{"include_usage":true} }`, bearer(g.token))
	got, _ = c.last(t)
	sent = nil
	if err := json.Unmarshal([]byte(got.body), &sent); err != nil || a.status != 200 || sent["stream_options"] != nil || sent["max_tokens"] != 50.0 || sent["max_completion_tokens"] != nil {
		t.Errorf("got %d, the server got %s %v", a.status, got.body, err)
	}
	if s := b.standing(g.id); s.SettledMicroUsd != 1000 || s.UsageCount != 2 {
		t.Errorf("after two calls: %+v", s)
	}

	// A price of 0 is a price, if it was written down.
	a = b.send("POST", "/v1/chat/completions", say("vendor/free"), bearer(g.token))
	if a.status != 200 || a.header.Get("Aipassport-Cost-Micro-Usd") != "0" {
		t.Errorf("a free model: %s, cost %s", a, a.header.Get("Aipassport-Cost-Micro-Usd"))
	}
	// What has none is refused, before it goes anywhere.
	_, before := c.last(t)
	a = b.send("POST", "/v1/chat/completions", say("large"), bearer(g.token))
	if _, after := c.last(t); a.status != 400 || a.str("error.param") != "model" || after != before {
		t.Errorf("a model without a price: %s, %d calls", a, after-before)
	}
	// The seed's endpoint, too.
	if a = b.send("POST", "/proxy/chat", `{"model":"small","messages":[{"role":"user","content":"hi"}]}`, bearer(g.token)); a.status != 200 {
		t.Errorf("/proxy/chat: %s", a)
	}
	if got, _ = c.last(t); strings.Contains(got.body, "store") || strings.Contains(got.body, "service_tier") {
		t.Errorf("/proxy/chat sent %s", got.body)
	}
}

// TestALocalServerNeedsNoKey: and what it is not told it does not get.
func TestALocalServerNeedsNoKey(t *testing.T) {
	c := startCompatible(t)
	b := start(t, env{"AIPASSPORT_PROVIDERS_FILE": providersFile(t, server("home", c.URL+"/v1", `,"preset":"ollama"`+priced))})
	g := b.give(`{"provider":"home","models":["vendor/free"],"capabilities":["chat"],"maxBudgetCents":0,"maxRequests":100,"rateLimit":1000}`)
	a := b.send("POST", "/v1/chat/completions", say("vendor/free"), bearer(g.token))
	got, _ := c.last(t)
	if a.status != 200 || got.header.Get("Authorization") != "" || got.header.Get("Api-Key") != "" || got.header.Get("Cookie") != "" {
		t.Errorf("got %s, the server got %v", a, got.header)
	}
	for name := range got.header {
		if !slices.Contains([]string{"Accept", "Accept-Encoding", "Content-Length", "Content-Type", "User-Agent"}, name) {
			t.Errorf("header %s reached the server", name)
		}
	}
}

// TestAzureShowsItsKeyInAHeaderOfItsOwn.
func TestAzureShowsItsKeyInAHeaderOfItsOwn(t *testing.T) {
	c := startCompatible(t)
	b := start(t, env{"AZURE_KEY": mistralKey, "AIPASSPORT_PROVIDERS_FILE": providersFile(t,
		server("azure", c.URL+"/openai/v1", `,"preset":"azure","local":true,"key_env":"AZURE_KEY"`+priced))})
	b.keepSecret(mistralKey)
	g := b.give(`{"provider":"azure","models":["small"],"capabilities":["chat"],"maxBudgetCents":100,"maxRequests":100,"rateLimit":1000}`)
	a := b.send("POST", "/v1/chat/completions", say("small"), bearer(g.token))
	got, _ := c.last(t)
	if a.status != 200 || got.path != "/openai/v1/chat/completions" || got.header.Get("Api-Key") != mistralKey || got.header.Get("Authorization") != "" ||
		!strings.Contains(got.body, `"max_completion_tokens":50`) {
		t.Errorf("got %s, the server got %+v", a, got)
	}
}

// TestReasoningBesideTheCompletionIsBilled: xAI's completion_tokens leave it out.
func TestReasoningBesideTheCompletionIsBilled(t *testing.T) {
	c := startCompatible(t)
	b := start(t, env{"XAI_KEY": mistralKey, "AIPASSPORT_PROVIDERS_FILE": providersFile(t,
		server("xai", c.URL+"/v1", `,"preset":"xai","local":true,"key_env":"XAI_KEY"`+priced))})
	g := b.give(`{"provider":"xai","models":["small"],"capabilities":["chat"],"maxBudgetCents":100,"maxRequests":100,"rateLimit":1000}`)
	for usage, want := range map[string]string{
		`{"prompt_tokens":100,"completion_tokens":10,"total_tokens":140,"completion_tokens_details":{"reasoning_tokens":30}}`: "1400",
		`{"prompt_tokens":100,"completion_tokens":40,"total_tokens":140,"completion_tokens_details":{"reasoning_tokens":30}}`: "1400",
	} {
		c.tell(usage)
		a := b.send("POST", "/v1/chat/completions", say("small"), bearer(g.token))
		if cost := a.header.Get("Aipassport-Cost-Micro-Usd"); a.status != 200 || cost != want {
			t.Errorf("%s: %s cost %s, want %s", usage, a, cost, want)
		}
	}
}

// TestOpenRouterMayNotRouteToDearerSellers: the highest price goes with the call, and the caller cannot say another.
func TestOpenRouterMayNotRouteToDearerSellers(t *testing.T) {
	c := startCompatible(t)
	b := start(t, env{"OR_KEY": mistralKey, "AIPASSPORT_PROVIDERS_FILE": providersFile(t,
		server("openrouter", c.URL+"/api/v1", `,"preset":"openrouter","local":true,"key_env":"OR_KEY","models":[{"model":"meta-llama/llama-4:free","input":"0.15","output":"0.6"}]`))})
	g := b.give(`{"provider":"openrouter","models":["meta-llama/llama-4:free"],"capabilities":["chat"],"maxBudgetCents":100,"maxRequests":100,"rateLimit":1000}`)
	a := b.send("POST", "/v1/chat/completions", say("meta-llama/llama-4:free"), bearer(g.token))
	got, n := c.last(t)
	if a.status != 200 || !strings.Contains(got.body, `"provider":{"max_price":{"prompt":0.15,"completion":0.60,"request":0}}`) {
		t.Errorf("got %s, the server got %s", a, got.body)
	}
	a = b.send("POST", "/v1/chat/completions", strings.Replace(say("meta-llama/llama-4:free"), "{", `{"provider":{"max_price":{"prompt":100}},`, 1), bearer(g.token))
	if _, after := c.last(t); a.status != 400 || a.str("error.param") != "provider" || after != n {
		t.Errorf("a caller's own routing: %s", a)
	}
}

// TestProvidersFileIsReadStrictly: each mistake is one line that names the provider and the member.
func TestProvidersFileIsReadStrictly(t *testing.T) {
	one := func(name, rest string) string { return server(name, "https://api.example.com/v1", rest) }
	for what, c := range map[string]struct {
		text string
		want []string
	}{
		"no JSON":              {`{`, nil},
		"unknown member":       {one("a", `,"colour":1`), []string{"colour"}},
		"two values":           {`{} {}`, []string{"more than one"}},
		"built-in name":        {one("openai", `,"key_env":"K"`), []string{"openai", "name"}},
		"name":                 {one("A b", `,"key_env":"K"`), []string{"A b", "name"}},
		"twice":                {`{"providers":[{"name":"a","base_url":"https://x.example/v1","key_env":"K"},{"name":"a","base_url":"https://x.example/v1","key_env":"K"}]}`, []string{"twice"}},
		"preset":               {one("a", `,"preset":"skynet","key_env":"K"`), []string{"preset", "skynet"}},
		"auth":                 {one("a", `,"auth":"basic","key_env":"K"`), []string{"auth"}},
		"key variable missing": {one("a", ``), []string{"key_env"}},
		"key in the headers":   {one("a", `,"key_env":"K","headers":{"Authorization":"Bearer x"}`), []string{"headers", "Authorization"}},
		"hop by hop":           {one("a", `,"key_env":"K","headers":{"Connection":"close"}`), []string{"Connection"}},
		"header line break":    {one("a", `,"key_env":"K","headers":{"X-A":"b\r\nc"}`), []string{"X-A"}},
		"float price":          {one("a", `,"key_env":"K","models":[{"model":"m","input":0.5,"output":"1"}]`), []string{"input"}},
		"no price":             {one("a", `,"key_env":"K","models":[{"model":"m","output":"1"}]`), []string{"m", "input", "missing"}},
		"negative price":       {one("a", `,"key_env":"K","models":[{"model":"m","input":"-1","output":"1"}]`), []string{"input", "-1"}},
		"seven decimals":       {one("a", `,"key_env":"K","models":[{"model":"m","input":"0.0000001","output":"1"}]`), []string{"input"}},
		"kind":                 {one("a", `,"key_env":"K","models":[{"model":"m","kind":"video","input":"1","output":"1"}]`), []string{"video"}},
		"plain http":           {server("a", "http://api.example.com/v1", `,"key_env":"K"`), []string{"base", "https"}},
		"user name":            {server("a", "https://u:p@api.example.com/v1", `,"key_env":"K"`), []string{"base"}},
		"query":                {server("a", "https://api.example.com/v1?x=1", `,"key_env":"K"`), []string{"base"}},
		"loopback unsaid":      {server("a", "https://127.0.0.1/v1", `,"key_env":"K"`), []string{"base", "local"}},
		"metadata":             {server("a", "http://169.254.169.254/v1", `,"local":true,"key_env":"K"`), []string{"base", "169.254.169.254"}},
		"metadata, mapped":     {server("a", "http://[::ffff:169.254.169.254]/v1", `,"local":true,"key_env":"K"`), []string{"base"}},
		"decimal address":      {server("a", "http://2130706433/v1", `,"local":true,"key_env":"K"`), []string{"base"}},
	} {
		t.Run(what, func(t *testing.T) {
			code, out := runOnce(t, env{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "K": mistralKey, "AIPASSPORT_LISTEN": "127.0.0.1:0",
				"AIPASSPORT_PROVIDERS_FILE": providersFile(t, c.text)}, "serve")
			lines := strings.Split(strings.TrimSpace(out), "\n")
			last := lines[len(lines)-1]
			if code == 0 || !strings.Contains(last, "AIPASSPORT_PROVIDERS_FILE") || strings.Contains(out, mistralKey) {
				t.Fatalf("exit code %d:\n%s", code, out)
			}
			for _, w := range c.want {
				if !strings.Contains(last, w) {
					t.Errorf("%q is not in %q", w, last)
				}
			}
		})
	}
	t.Run("own address", func(t *testing.T) {
		own := "127.0.0.1:" + freePort(t)
		code, out := runOnce(t, env{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "AIPASSPORT_LISTEN": own,
			"AIPASSPORT_PROVIDERS_FILE": providersFile(t, server("loop", "http://"+own+"/v1", `,"preset":"ollama"`))}, "serve")
		if code == 0 || !strings.Contains(out, "loop") || !strings.Contains(out, "broker itself") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})
}

// TestThreat21AddedProvidersStayWhereTheyMay: an address is looked at when it is dialled. A name that leads to this machine, and was not
// said to, is not called; nor does http leave the owner's own network.
func TestThreat21AddedProvidersStayWhereTheyMay(t *testing.T) {
	c := startCompatible(t)
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	// localtest.me and the like are not to be relied on: the name is one that a machine has for itself. Where it leads nowhere, nothing is
	// called all the same; gateway/upstream has the test of a name that leads inside on every machine.
	host, err := os.Hostname()
	if err != nil || strings.EqualFold(host, "localhost") {
		host = "localhost.localdomain"
	}
	said := "may not go"
	if found, err := net.LookupHost(host); err != nil || len(found) == 0 {
		said = "could not be reached"
	}
	b := start(t, env{"K": mistralKey, "AIPASSPORT_PROVIDERS_FILE": providersFile(t,
		server("sly", "https://"+host+":"+u.Port()+"/v1", `,"key_env":"K"`+priced))})
	g := b.give(`{"provider":"sly","models":["small"],"capabilities":["chat"],"maxBudgetCents":100,"maxRequests":100,"rateLimit":1000}`)
	a := b.send("POST", "/v1/chat/completions", say("small"), bearer(g.token))
	if a.status != 502 || !strings.Contains(a.str("error.message"), said) {
		t.Errorf("got %s", a)
	}
	if s := b.standing(g.id); s.SettledMicroUsd != 0 || s.ReservedMicroUsd != 0 {
		t.Errorf("it cost something: %+v", s)
	}
	if len(c.calls) != 0 {
		t.Errorf("the server was called: %+v", c.calls)
	}
}

// TestUnknownProvidersAreNotListed: a stranger is told of the built-in ones only.
func TestUnknownProvidersAreNotListed(t *testing.T) {
	c := startCompatible(t)
	b := start(t, env{"AIPASSPORT_PROVIDERS_FILE": providersFile(t, server("secret-lab", c.URL+"/v1", `,"preset":"ollama"`+priced))})
	a := b.send("POST", "/grant-requests", `{"appName":"A","appUrl":"https://a.example","reason":"r","scope":{"provider":"nobody","models":[],"capabilities":["chat"]}}`, nil)
	if a.status != 400 || strings.Contains(string(a.body), "secret-lab") || !strings.Contains(string(a.body), "openai") {
		t.Errorf("got %s", a)
	}
}

// TestAProviderOfThePage: it holds at once; its price can be changed; removed, it is refused by name; and a key that was put in for it is
// never shown to a later one of the same name.
func TestAProviderOfThePage(t *testing.T) {
	for _, engine := range []string{"memory of one broker", "after a restart"} {
		t.Run(engine, func(t *testing.T) {
			first, second := startCompatible(t), startCompatible(t)
			b := start(t, nil)
			b.keepSecret(mistralKey)
			p := b.setUp()
			add := func(at *compatible) {
				t.Helper()
				p.open("/providers")
				p.submit("/providers", url.Values{"preset": {"other"}, "name": {"lab"}, "title": {"The lab"}, "base": {at.URL + "/v1"}, "local": {"yes"}, "models": {"small 2 30"}})
				if p.page.status != 200 || p.path != "/providers/lab" {
					t.Fatalf("at %s: %s", p.path, p.page)
				}
			}
			add(first)
			p.open("/keys")
			p.submit("/keys", url.Values{"provider": {"lab"}, "label": {"mine"}, "key": {mistralKey}})
			if got, _ := first.last(t); p.page.status != 200 || got.path != "/v1/models" || got.header.Get("Authorization") != "Bearer "+mistralKey {
				t.Fatalf("the key was shown as %+v: %s", got, p.page)
			}
			a := b.ask(scope("lab", "small", 100, 100))
			p.open("/consent/" + a.id)
			if u, _ := url.Parse(first.URL); !strings.Contains(string(p.page.body), "The lab ("+u.Host+")") {
				t.Error("the consent page does not say where prompts go")
			}
			b.approve(a.id, `{"expiresInSeconds":3600}`)
			g := grant{a, b.token(a)}
			call := func() answer { return b.send("POST", "/v1/chat/completions", say("small"), bearer(g.token)) }
			if x := call(); x.status != 200 || x.header.Get("Aipassport-Cost-Micro-Usd") != "500" {
				t.Fatalf("got %s, cost %s", x, x.header.Get("Aipassport-Cost-Micro-Usd"))
			}
			p.limit("lab", "0")
			if x := call(); x.status != 429 {
				t.Errorf("above its monthly limit: %s", x)
			}
			p.limit("lab", "")
			p.open("/providers/lab")
			p.submit("/providers/lab", url.Values{"models": {"small 4 30"}})
			if x := call(); x.header.Get("Aipassport-Cost-Micro-Usd") != "700" {
				t.Errorf("at another price: %s, cost %s", x, x.header.Get("Aipassport-Cost-Micro-Usd"))
			}
			p.open("/providers/lab")
			p.submit("/providers/lab/models", nil)
			if text := string(p.page.body); !strings.Contains(text, "vendor/dear:free 1.50 2.00 context=1000") || strings.Contains(text, "bad name") || strings.Contains(text, "auto 1") {
				t.Errorf("the models: %s", p.page)
			}

			p.open("/providers/lab/remove")
			p.submit("/providers/lab/remove", nil)
			_, before := first.last(t)
			x := call()
			if _, after := first.last(t); x.status != 502 || !strings.Contains(x.str("error.message"), "removed") || after != before {
				t.Errorf("after it was removed: %s", x)
			}
			add(second)
			if engine == "after a restart" {
				b.kill()
				b.run()
			}
			if x = call(); x.status != 502 || len(second.calls) != 0 {
				t.Errorf("a later one of its name: %s, %+v", x, second.calls)
			}
		})
	}
}
