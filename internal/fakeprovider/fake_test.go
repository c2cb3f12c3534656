package fakeprovider_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

var keys = fakeprovider.Keys{OpenAI: "sk-good", Anthropic: "sk-ant-good", Google: "AIza-good"}

// speaks is how each dialect is called.
var speaks = []struct {
	name, path, streamPath, body, streamBody string
	header                                   http.Header
}{
	{"openai", "/v1/chat/completions", "/v1/chat/completions", `{"model":"gpt-4o-mini","max_tokens":50,"messages":[]}`,
		`{"model":"gpt-4o-mini","max_tokens":50,"messages":[],"stream":true,"stream_options":{"include_usage":true}}`,
		http.Header{"Authorization": {"Bearer sk-good"}}},
	{"anthropic", "/v1/messages", "/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":50,"messages":[]}`,
		`{"model":"claude-sonnet-4-5","max_tokens":50,"messages":[],"stream":true}`,
		http.Header{"X-Api-Key": {"sk-ant-good"}, "Anthropic-Version": {"2023-06-01"}}},
	{"google", "/v1beta/models/gemini-2.5-flash:generateContent", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
		`{"contents":[],"generationConfig":{"maxOutputTokens":50}}`, `{"contents":[],"generationConfig":{"maxOutputTokens":50}}`,
		http.Header{"X-Goog-Api-Key": {"AIza-good"}}},
}

func post(t *testing.T, ctx context.Context, url, body string, h http.Header) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h.Clone()
	req.Header.Set("Content-Type", "application/json")
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return tr.RoundTrip(req)
}

func answer(t *testing.T, url, body string, h http.Header) (*http.Response, string) {
	t.Helper()
	res, err := post(t, testutil.Context(t), url, body, h)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// usageIn finds the tokens said in an answer, in any dialect's words: the last ones win.
func usageIn(t *testing.T, texts ...string) (u fakeprovider.Tokens) {
	t.Helper()
	for _, s := range texts {
		var m struct {
			Usage   map[string]any `json:"usage"`
			Message struct {
				Usage map[string]any `json:"usage"`
			} `json:"message"`
			Meta map[string]any `json:"usageMetadata"`
		}
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		for _, got := range []map[string]any{m.Message.Usage, m.Usage, m.Meta} {
			for name, p := range map[string]*int64{"prompt_tokens": &u.Input, "input_tokens": &u.Input, "promptTokenCount": &u.Input,
				"completion_tokens": &u.Output, "output_tokens": &u.Output, "candidatesTokenCount": &u.Output} {
				if v, ok := got[name].(float64); ok {
					*p = int64(v)
				}
			}
		}
	}
	return u
}

func TestUnarySaysWhatItBills(t *testing.T) {
	for _, s := range speaks {
		t.Run(s.name, func(t *testing.T) {
			f := testutil.Provider(t, keys)
			f.Next(fakeprovider.Behaviour{Tokens: &fakeprovider.Tokens{Input: 1000, Output: 40}})
			res, body := answer(t, f.Origin+s.path, s.body, s.header)
			if res.StatusCode != 200 || !strings.Contains(body, "piece-0 piece-1 piece-2") {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
			if u := usageIn(t, body); u != (fakeprovider.Tokens{Input: 1000, Output: 40}) {
				t.Errorf("usage %+v", u)
			}
			r := f.Requests()[0]
			if want := fakeprovider.Cost(r.Model, fakeprovider.Tokens{Input: 1000, Output: 40}); f.Billed() != want || want == 0 {
				t.Errorf("billed %d, want %d", f.Billed(), want)
			}
		})
	}
}

func TestStreamComesPieceByPiece(t *testing.T) {
	for _, s := range speaks {
		t.Run(s.name, func(t *testing.T) {
			f := testutil.Provider(t, keys)
			gate := make(chan struct{})
			f.Next(fakeprovider.Behaviour{Chunks: 4, Gate: gate})
			res, err := post(t, testutil.Context(t), f.Origin+s.streamPath, s.streamBody, s.header)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var all []string
			open := 0
			testutil.Open(t, gate)
			for e, err := range testutil.Events(res.Body) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Data != "[DONE]" {
					all = append(all, e.Data)
				}
				if strings.Contains(e.Data, "piece-") {
					if open++; open < 4 {
						testutil.Open(t, gate) // the next piece is let out only now, after this one was read
					}
				}
			}
			r := f.Requests()[0]
			if u := usageIn(t, all...); fakeprovider.Cost(r.Model, u) != f.Billed() || u.Output != 8 {
				t.Errorf("usage %+v, billed %d", u, f.Billed())
			}
		})
	}
}

func TestOpenAIUsageChunkOnlyIfAsked(t *testing.T) {
	f := testutil.Provider(t, keys)
	s := speaks[0]
	_, with := answer(t, f.Origin+s.path, s.streamBody, s.header)
	_, without := answer(t, f.Origin+s.path, `{"model":"gpt-4o-mini","stream":true,"messages":[]}`, s.header)
	if !strings.Contains(with, `"choices":[],"usage":{`) || !strings.Contains(with, `"usage":null`) || strings.Contains(without, "usage") {
		t.Errorf("with:\n%s\nwithout:\n%s", with, without)
	}
}

func TestGoogleArray(t *testing.T) {
	f := testutil.Provider(t, keys)
	_, body := answer(t, f.Origin+"/v1beta/models/gemini-2.5-flash:streamGenerateContent", speaks[2].body, speaks[2].header)
	var all []any
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all) != 4 {
		t.Errorf("got %d elements, %v: %s", len(all), err, body)
	}
}

func TestChecksWhatItReceives(t *testing.T) {
	good := speaks[0]
	with := func(name, value string) http.Header {
		h := good.header.Clone()
		h.Set(name, value)
		return h
	}
	for _, c := range []struct {
		name, path, body, want string
		header                 http.Header
	}{
		{"second credential", good.path, good.body, "a credential in X-Api-Key too", with("X-Api-Key", "sk-good")},
		{"cookie", good.path, good.body, "a credential in Cookie too", with("Cookie", "a=b")},
		{"query", good.path + "?key=sk-good", good.body, "a credential in ?key= too", good.header},
		{"none", good.path, good.body, "no credential in Authorization", http.Header{}},
		{"broken JSON", good.path, `{"model":`, "the body is no JSON", good.header},
		{"compression", good.path, good.body, "Accept-Encoding: gzip", with("Accept-Encoding", "gzip")},
		{"no version", "/v1/messages", good.body, "no anthropic-version", http.Header{"X-Api-Key": {"sk-ant-good"}}},
		{"no path", "/v1/files", good.body, "no provider has this path", good.header},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fakeprovider.New(keys)
			stop, err := f.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			answer(t, f.Origin+c.path, c.body, c.header)
			if got := strings.Join(f.Wrong(), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("chunked", func(t *testing.T) {
		f := fakeprovider.New(keys)
		stop, err := f.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		req, _ := http.NewRequest("POST", f.Origin+good.path, io.MultiReader(strings.NewReader(good.body)))
		req.Header = with("Content-Type", "application/json")
		res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := strings.Join(f.Wrong(), "\n"); !strings.Contains(got, "chunked") {
			t.Errorf("got %q", got)
		}
	})
}

func TestWrongKeyIsEchoed(t *testing.T) {
	for _, s := range speaks {
		f := testutil.Provider(t, fakeprovider.Keys{OpenAI: "a", Anthropic: "b", Google: "c"})
		res, body := answer(t, f.Origin+s.path, s.body, s.header)
		if res.StatusCode != 401 || !strings.Contains(body, "good") || f.Billed() != 0 {
			t.Errorf("%s: got %d %s, billed %d", s.name, res.StatusCode, body, f.Billed())
		}
	}
}

func TestMisbehaves(t *testing.T) {
	s := speaks[0]
	for _, c := range []struct {
		name string
		b    fakeprovider.Behaviour
		want string // in the status, headers or body, or the error
	}{
		{"drop", fakeprovider.Behaviour{Drop: true}, "EOF"},
		{"cut after a piece", fakeprovider.Behaviour{CutAfter: 1}, "unexpected EOF"},
		{"cut at the end", fakeprovider.Behaviour{CutAtEnd: true}, "unexpected EOF"},
		{"status", fakeprovider.Behaviour{Status: 429}, "429 Too Many Requests"},
		{"echo", fakeprovider.Behaviour{Status: 400, Body: "<html>{key}"}, "<html>sk-good"},
		{"header", fakeprovider.Behaviour{Header: http.Header{"Set-Cookie": {"k={key}"}}}, "Set-Cookie: k=sk-good"},
		{"redirect", fakeprovider.Behaviour{Status: 307, Header: http.Header{"Location": {"http://127.0.0.1:1/{key}"}}}, "Location: http://127.0.0.1:1/sk-good"},
		{"gzip", fakeprovider.Behaviour{Gzip: true}, "Content-Encoding: gzip"},
		{"long line", fakeprovider.Behaviour{LongLine: 2 << 20}, strings.Repeat("x", 2<<20)},
		{"raw usage", fakeprovider.Behaviour{RawUsage: `{"prompt_tokens":-1}`}, `"usage":{"prompt_tokens":-1}`},
		{"split", fakeprovider.Behaviour{Text: []string{"{key}"}, Split: 3}, `"content":"sk-good"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := testutil.Provider(t, keys)
			f.Next(c.b)
			var got strings.Builder
			res, err := post(t, testutil.Context(t), f.Origin+s.path, s.streamBody, s.header)
			if err == nil {
				res.Header.Write(&got)
				got.WriteString(res.Status)
				_, err = io.Copy(&got, res.Body)
				res.Body.Close()
			}
			if err != nil {
				got.WriteString(err.Error())
			}
			if !strings.Contains(got.String(), c.want) {
				t.Errorf("got %.2000s", got.String())
			}
		})
	}
}

func TestSeesItsCallerGo(t *testing.T) {
	f := testutil.Provider(t, keys)
	f.Always(fakeprovider.Behaviour{BeforeHeaders: make(chan struct{})})
	ctx, cancel := context.WithCancelCause(testutil.Context(t))
	gone := errors.New("gone")
	done := make(chan error, 1)
	go func() {
		_, err := post(t, ctx, f.Origin+speaks[0].path, speaks[0].body, speaks[0].header)
		done <- err
	}()
	if err := f.AwaitCalls(testutil.Context(t), 1); err != nil {
		t.Fatal(err)
	}
	r := f.Requests()[0]
	if !r.Live() {
		t.Error("it ended before its caller went")
	}
	cancel(gone)
	<-done
	if err := f.AwaitEnd(testutil.Context(t)); err != nil {
		t.Fatal(err)
	}
	if r.Finished() || r.Billed() != fakeprovider.Cost(r.Model, fakeprovider.Tokens{Input: int64(len(r.Body))/4 + 1}) {
		t.Errorf("finished %v, billed %d", r.Finished(), r.Billed())
	}
}

func TestEndlessGoesOnAndBillsNoMoreThanAllowed(t *testing.T) {
	f := testutil.Provider(t, keys)
	f.When("forever", fakeprovider.Behaviour{Endless: true})
	ctx, cancel := context.WithCancel(testutil.Context(t))
	res, err := post(t, ctx, f.Origin+speaks[0].path, `{"model":"gpt-4o-mini","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"forever"}]}`, speaks[0].header)
	if err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(res.Body)
	for range 1000 {
		if _, err := br.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	res.Body.Close()
	if err := f.AwaitEnd(testutil.Context(t)); err != nil {
		t.Fatal(err)
	}
	r := f.With("forever")[0]
	if want := fakeprovider.Cost(r.Model, fakeprovider.Tokens{Input: int64(len(r.Body))/4 + 1, Output: 50}); r.Billed() != want {
		t.Errorf("billed %d, want %d", r.Billed(), want)
	}
}

func TestWorstBillsAllThatIsAllowed(t *testing.T) {
	f := testutil.Provider(t, keys)
	f.Always(fakeprovider.Behaviour{Worst: true})
	answer(t, f.Origin+speaks[1].path, speaks[1].body, speaks[1].header)
	if want := fakeprovider.Cost("claude-sonnet-4-5", fakeprovider.Tokens{Input: int64(len(speaks[1].body)), Output: 50}); f.Billed() != want {
		t.Errorf("billed %d, want %d", f.Billed(), want)
	}
}

func TestModels(t *testing.T) {
	f := testutil.Provider(t, keys)
	for _, s := range speaks {
		path := "/v1/models"
		if s.name == "google" {
			path = "/v1beta/models"
		}
		req, _ := http.NewRequestWithContext(testutil.Context(t), "GET", f.Origin+path, nil)
		req.Header = s.header.Clone()
		res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || !json.Valid(body) {
			t.Errorf("%s: %d %s", s.name, res.StatusCode, body)
		}
	}
}

func TestSandboxAnswersTheSameToEveryone(t *testing.T) {
	origin, stop, err := fakeprovider.Serve(fakeprovider.Handler(fakeprovider.Options{Key: "any-key", Words: 60}))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, s := range speaks {
		h := s.header.Clone()
		for name := range h {
			if name != "Anthropic-Version" {
				h.Set(name, strings.Replace(h.Get(name), h.Get(name)[strings.LastIndex(h.Get(name), " ")+1:], "any-key", 1))
			}
		}
		res, body := answer(t, origin+s.path, s.body, h)
		res2, again := answer(t, origin+s.path, s.body, h)
		if res.StatusCode != 200 || res2.StatusCode != 200 || body != again || !strings.Contains(body, "Hello from the sandbox provider") {
			t.Errorf("%s: %d %s", s.name, res.StatusCode, body)
		}
		if u := usageIn(t, body); u.Output != 50 || u.Input == 0 {
			t.Errorf("%s: usage %+v, want the 50 words that were allowed", s.name, u)
		}
		_, stream := answer(t, origin+s.streamPath, s.streamBody, h)
		if n := strings.Count(stream, "data: "); n < 50 {
			t.Errorf("%s: a stream of %d events", s.name, n)
		}
		if res, body := answer(t, origin+s.path, s.body, http.Header{}); res.StatusCode != 401 {
			t.Errorf("%s: without a key: %d %s", s.name, res.StatusCode, body)
		}
	}
}

// TestToolCallsAreWhole: what a stream's pieces of a tool's input are together is what the unary answer has.
func TestToolCallsAreWhole(t *testing.T) {
	const input = `{"city":"Zürich","days":3}`
	for _, s := range speaks {
		t.Run(s.name, func(t *testing.T) {
			f := testutil.Provider(t, keys)
			f.Always(fakeprovider.Behaviour{Text: []string{}, Tools: []fakeprovider.Tool{{Name: "weather", Input: input}, {Name: "time", Input: "{}"}}})
			_, unary := answer(t, f.Origin+s.path, s.body, s.header)
			_, stream := answer(t, f.Origin+s.streamPath, s.streamBody, s.header)
			want := map[string]string{"openai": `"tool_calls"`, "anthropic": `"tool_use"`, "google": `"functionCall"`}[s.name]
			for _, body := range []string{unary, stream} {
				if !strings.Contains(body, want) || !strings.Contains(body, `"weather"`) || !strings.Contains(body, `"time"`) {
					t.Errorf("no calls of tools: %s", body)
				}
			}
			var got strings.Builder
			for line := range strings.Lines(stream) {
				data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
				if !ok || data == "[DONE]" {
					continue
				}
				got.WriteString(weatherIn(t, data))
			}
			if got.String() != input {
				t.Errorf("the stream's input is %q, want %q", got.String(), input)
			}
		})
	}
}

// weatherIn is what an event tells of the first tool's input.
func weatherIn(t *testing.T, data string) string {
	t.Helper()
	var e struct {
		Choices []struct {
			Delta struct {
				ToolCalls []struct {
					Index    int `json:"index"`
					Function struct {
						Arguments string `json:"arguments"`
					} `json:"function"`
				} `json:"tool_calls"`
			} `json:"delta"`
		} `json:"choices"`
		Index int `json:"index"`
		Delta struct {
			PartialJSON string `json:"partial_json"`
		} `json:"delta"`
		Candidates []struct {
			Content struct {
				Parts []struct {
					FunctionCall struct {
						Args json.RawMessage `json:"args"`
					} `json:"functionCall"`
				} `json:"parts"`
			} `json:"content"`
		} `json:"candidates"`
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	for _, c := range e.Choices {
		for _, call := range c.Delta.ToolCalls {
			if call.Index == 0 {
				return call.Function.Arguments
			}
		}
	}
	for _, c := range e.Candidates {
		for _, p := range c.Content.Parts {
			if string(p.FunctionCall.Args) != "{}" {
				return string(p.FunctionCall.Args)
			}
		}
	}
	if e.Index == 0 {
		return e.Delta.PartialJSON
	}
	return ""
}
