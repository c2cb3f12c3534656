package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestNativeUnary: each dialect's own answer, what is left in headers, and the bill to the micro-dollar.
func TestNativeUnary(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		t.Run(s.name, func(t *testing.T) {
			g := b.give(s.scope(500, 7))
			before := b.fake.Billed()
			a := b.call(s, g.token, "hello")
			if a.status != 200 || !strings.Contains(string(a.body), "piece-0 piece-1 piece-2") {
				t.Fatalf("got %s", a)
			}
			st := b.settled(g.id)
			if st.SettledMicroUsd != b.fake.Billed()-before || st.SettledMicroUsd == 0 {
				t.Errorf("settled %d, billed %d", st.SettledMicroUsd, b.fake.Billed()-before)
			}
			left := a.header.Get("AIPassport-Budget-Remaining-Micro-Usd")
			if calls := a.header.Get("AIPassport-Calls-Remaining"); calls != "6" || left != itoa(5_000_000-st.SettledMicroUsd) {
				t.Errorf("told %s micro-dollars and %s calls left, want %d and 6", left, calls, 5_000_000-st.SettledMicroUsd)
			}
			if a.header.Get("X-Request-Id") == "" || a.header.Get("AIPassport-Provider-Request-Id") == "" {
				t.Errorf("request ids are missing: %v", a.header)
			}
		})
	}
}

func itoa(n int64) string { return string(mustJSON(n)) }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// TestNativeAliases: the paths and credentials that official SDKs use.
func TestNativeAliases(t *testing.T) {
	b := start(t, nil)
	for i, c := range []struct {
		s    speaker
		path string
		auth func(string) http.Header
	}{
		{native[1], "/anthropic/messages", xAPIKey},
		{native[1], "/anthropic/v1/messages", bearer},
		{native[2], "/google/v1/models/gemini-2.5-flash:generateContent", xGoogKey},
		{native[2], "/google/v1beta/models/gemini-2.5-flash:generateContent", bearer},
	} {
		g := b.give(c.s.scope(500, 7))
		if a := b.send("POST", c.path, c.s.body(c.s.model, "x", 50, false), c.auth(g.token)); a.status != 200 {
			t.Errorf("%d %s: %s", i, c.path, a)
		}
	}
	g := b.give(native[2].scope(500, 7))
	if a := b.send("POST", native[2].path+"?key="+g.token, googleBody("", "x", 50, false), nil); a.status != 200 {
		t.Errorf("?key=: %s", a)
	}
	for _, r := range b.fake.Requests() {
		if strings.Contains(r.RawQuery, "key=") {
			t.Errorf("a query with a credential went upstream: %s", r.RawQuery)
		}
	}
}

// TestStreamsArriveChunkByChunk: the fake lets out chunk n+1 only when the client has read chunk n.
func TestStreamsArriveChunkByChunk(t *testing.T) {
	b := start(t, nil)
	for _, s := range everyone {
		t.Run(s.name, func(t *testing.T) {
			gate := make(chan struct{})
			b.fake.Next(fakeprovider.Behaviour{Chunks: 5, Gate: gate})
			g := b.give(s.scope(500, 7))
			before := b.fake.Billed()
			st, err := b.stream(s, g.token, "slowly", 50)
			if err != nil {
				t.Fatal(err)
			}
			defer st.close()
			if ct := st.res.Header.Get("Content-Type"); st.res.StatusCode != 200 || !strings.HasPrefix(ct, "text/event-stream") {
				t.Fatalf("%s, %s", st.res.Status, ct)
			}
			for i := range 5 {
				testutil.Open(t, gate)
				if err := st.piece(i); err != nil {
					t.Fatalf("piece %d: %v", i, err)
				}
			}
			all, err := st.rest()
			if err != nil || !whole(all) {
				t.Errorf("end of the stream: %v %s", err, all)
			}
			if got := b.settled(g.id); got.SettledMicroUsd != b.fake.Billed()-before || got.SettledMicroUsd == 0 {
				t.Errorf("settled %d, billed %d", got.SettledMicroUsd, b.fake.Billed()-before)
			}
		})
	}
}

// TestGoogleArrayArrivesElementByElement: streamGenerateContent without alt=sse is one JSON array that grows.
func TestGoogleArrayArrivesElementByElement(t *testing.T) {
	b := start(t, nil)
	gate := make(chan struct{})
	b.fake.Next(fakeprovider.Behaviour{Chunks: 3, Gate: gate})
	g := b.give(native[2].scope(500, 7))
	type opened struct {
		res *http.Response
		err error
	}
	done := make(chan opened, 1)
	go func() {
		res, err := b.open("POST", "/google/v1beta/models/gemini-2.5-flash:streamGenerateContent", googleBody("", "array", 50, true), xGoogKey(g.token))
		done <- opened{res, err}
	}()
	testutil.Open(t, gate)
	o := <-done
	if o.err != nil {
		t.Fatal(o.err)
	}
	defer o.res.Body.Close()
	var got strings.Builder
	p := make([]byte, 4096)
	for i := range 3 {
		want := "piece-" + itoa(int64(i)) + " "
		for !strings.Contains(got.String(), want) {
			n, err := o.res.Body.Read(p)
			got.Write(b.received(p[:n]))
			if err != nil && !strings.Contains(got.String(), want) {
				t.Fatalf("%v before %q: %s", err, want, got.String())
			}
		}
		if i < 2 {
			testutil.Open(t, gate)
		}
	}
	for {
		n, err := o.res.Body.Read(p)
		got.Write(p[:n])
		if err != nil {
			break
		}
	}
	var all []any
	if err := json.Unmarshal([]byte(got.String()), &all); err != nil || len(all) != 4 {
		t.Errorf("%d elements, %v: %s", len(all), err, got.String())
	}
	if st := b.settled(g.id); st.SettledMicroUsd != b.fake.Billed() {
		t.Errorf("settled %d, billed %d", st.SettledMicroUsd, b.fake.Billed())
	}
}

// TestUsageChunkIsHiddenUnlessAsked: include_usage is always asked of the provider, and hidden from who did not ask.
func TestUsageChunkIsHiddenUnlessAsked(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 7))
	read := func(options string) string {
		body := strings.Replace(openAIBody("gpt-4o-mini", "x", 50, true), `"stream":true`, `"stream":true`+options, 1)
		st, err := b.streamBody(native[0], g.token, body)
		if err != nil {
			t.Fatal(err)
		}
		defer st.close()
		all, err := st.rest()
		if err != nil || !strings.Contains(all, "[DONE]") {
			t.Fatalf("%v %s", err, all)
		}
		return all
	}
	for _, hidden := range []string{"", `,"stream_options":{}`, `,"stream_options":{"include_usage":false}`} {
		if all := read(hidden); strings.Contains(all, `"prompt_tokens"`) || strings.Contains(all, `"choices":[]`) {
			t.Errorf("%q: the usage chunk is there: %s", hidden, all)
		}
	}
	if all := read(`,"stream_options":{"include_usage":true}`); !strings.Contains(all, `"prompt_tokens"`) {
		t.Errorf("the usage chunk was asked for: %s", all)
	}
	for _, r := range b.fake.Requests() {
		if !strings.Contains(string(r.Body), `"include_usage":true`) {
			t.Errorf("include_usage was not asked of the provider: %s", r.Body)
		}
	}
	if st := b.settled(g.id); st.SettledMicroUsd != b.fake.Billed() {
		t.Errorf("settled %d, billed %d", st.SettledMicroUsd, b.fake.Billed())
	}
}

// TestOutputCapIsInjectedWhereAbsent: a call without max_tokens is capped by what is left, and still goes through.
func TestOutputCapIsInjectedWhereAbsent(t *testing.T) {
	b := start(t, nil)
	bodies := map[string]string{
		"openai": `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}]}`,
		"google": `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`,
	}
	for _, s := range []speaker{native[0], native[2]} {
		g := b.give(s.scope(1, 7)) // a cent buys less than the model's largest answer of gemini
		b.fake.Next(fakeprovider.Behaviour{Worst: true})
		if a := b.send("POST", s.path, bodies[s.provider], s.auth(g.token)); a.status != 200 {
			t.Fatalf("%s: %s", s.name, a)
		}
		r := b.fake.Requests()[len(b.fake.Requests())-1]
		if !strings.Contains(string(r.Body), `"max_completion_tokens":`) && !strings.Contains(string(r.Body), `"max_tokens":`) && !strings.Contains(string(r.Body), `"maxOutputTokens":`) {
			t.Errorf("%s: no cap went upstream: %s", s.name, r.Body)
		}
		if st := b.settled(g.id); st.SettledMicroUsd != r.Billed() || r.Billed() > 10_000 {
			t.Errorf("%s: settled %d, billed %d of a cap of 10,000", s.name, st.SettledMicroUsd, r.Billed())
		}
	}
}

// envelope checks an error's shape in the dialect of its surface.
func envelope(t *testing.T, s speaker, a answer) {
	t.Helper()
	ok := false
	switch s.name {
	case "openai":
		m, _ := a.get("error").(map[string]any)
		_, param := m["param"]
		_, code := m["code"]
		ok = a.str("error.message") != "" && a.str("error.type") != "" && param && code
	case "anthropic":
		ok = a.str("type") == "error" && a.str("error.type") != "" && a.str("error.message") != "" && a.str("request_id") != ""
	case "google":
		ok = a.num("error.code") == int64(a.status) && a.str("error.message") != "" && a.str("error.status") != ""
	default:
		ok = a.str("error") != ""
	}
	if !ok || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s: not this dialect's envelope: %s", s.name, a)
	}
}

// TestErrorEnvelopes: refusals of ours come in the shape that the SDK of the surface raises its own errors from.
func TestErrorEnvelopes(t *testing.T) {
	b := start(t, nil)
	kinds := map[string]map[int][]string{ // by status: OpenAI's code or type, Anthropic's type, Google's status
		"openai":    {400: {"invalid_request_error"}, 401: {"invalid_api_key", "invalid_request_error", "authentication_error"}, 403: {"invalid_request_error", "permission_error", "model_not_granted"}, 429: {"insufficient_quota"}},
		"anthropic": {400: {"invalid_request_error"}, 401: {"authentication_error"}, 403: {"permission_error"}, 429: {"rate_limit_error"}},
		"google":    {400: {"INVALID_ARGUMENT"}, 401: {"UNAUTHENTICATED"}, 403: {"PERMISSION_DENIED"}, 429: {"RESOURCE_EXHAUSTED"}},
	}
	for _, s := range native {
		t.Run(s.name, func(t *testing.T) {
			g := b.give(s.scope(500, 0))
			other := b.give(scope(s.provider, "another-model", 500, 10))
			for _, c := range []struct {
				name, body, token string
				status            int
			}{
				{"no token", s.body(s.model, "x", 50, false), "", 401},
				{"wrong token", s.body(s.model, "x", 50, false), "eyJhbGciOiJub25lIn0.e30.", 401},
				{"broken body", `{"model":`, other.token, 400},
				{"model", s.body(s.model, "x", 50, false), other.token, 403},
				{"calls spent", s.body(s.model, "x", 50, false), g.token, 429},
			} {
				h := s.auth(c.token)
				if c.token == "" {
					h = nil
				}
				a := b.send("POST", s.path, c.body, h)
				if a.status != c.status {
					t.Errorf("%s: got %s, want %d", c.name, a, c.status)
					continue
				}
				envelope(t, s, a)
				said := []string{a.str("error.code"), a.str("error.type"), a.str("error.status")}
				if !overlaps(said, kinds[s.name][c.status]) {
					t.Errorf("%s: said %q, want one of %q", c.name, said, kinds[s.name][c.status])
				}
				if c.status == 429 && (a.header.Get("Retry-After") != "" || a.header.Get("X-Should-Retry") != "false") {
					t.Errorf("%s: a spent grant must not be tried again: %v", c.name, a.header)
				}
			}
		})
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d refused calls went upstream", n)
	}
}

func overlaps(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// TestUpstreamErrorsKeepTheirShape: status, type, code and Retry-After of the provider; a refused key of the owner is a 502.
func TestUpstreamErrorsKeepTheirShape(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		t.Run(s.name, func(t *testing.T) {
			g := b.give(s.scope(500, 1000))
			for _, status := range []int{400, 404, 429, 500, 503} {
				for _, stream := range []bool{false, true} {
					b.fake.Next(fakeprovider.Behaviour{Status: status, Header: http.Header{"Retry-After": {"9"}}})
					path := s.path
					if stream {
						path = s.streamPath
					}
					a := b.send("POST", path, s.body(s.model, "x", 50, stream), s.auth(g.token))
					if a.status != status || status == 429 && a.header.Get("Retry-After") != "9" {
						t.Errorf("upstream %d, stream %v: got %s %v", status, stream, a, a.header)
						continue
					}
					envelope(t, s, a)
				}
			}
			for _, status := range []int{401, 403} {
				b.fake.Next(fakeprovider.Behaviour{Status: status})
				a := b.call(s, g.token, "x")
				if a.status != 502 {
					t.Errorf("upstream %d: got %s, want 502", status, a)
				}
				envelope(t, s, a)
			}
			if st := b.settled(g.id); st.SettledMicroUsd != 0 {
				t.Errorf("errors that no provider bills cost %d", st.SettledMicroUsd)
			}
		})
	}
}

// TestRateLimit: as many calls a minute as the grant says, then 429 with Retry-After.
func TestRateLimit(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		g := b.give(strings.Replace(s.scope(500, 1000), `"rateLimit":1000000`, `"rateLimit":1`, 1))
		if a := b.call(s, g.token, "x"); a.status != 200 {
			t.Errorf("%s: first call: %s", s.name, a)
		}
		a := b.call(s, g.token, "x")
		if a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: second call: %s %v", s.name, a, a.header)
		}
		envelope(t, s, a)
	}
}
