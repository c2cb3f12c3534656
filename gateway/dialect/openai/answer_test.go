package openai_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tap is the tap of a call: plain, or a stream that did or did not ask for its usage.
func tap(t testing.TB, members string) func() dialect.Tap {
	t.Helper()
	r, err := openai.New().Read(in(`{"model":"gpt-4o",` + hello + members + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r.Tap
}

const (
	plain   = ``
	streams = `,"stream":true`
	asks    = `,"stream":true,"stream_options":{"include_usage":true}`
)

func TestRecordedAnswers(t *testing.T) {
	whole := passport.Usage{Known: true, Input: 1219, CacheRead: 1024, CacheWrite: 100, Output: 310, Reasoning: 256}
	streamed := passport.Usage{Known: true, Input: 19, Output: 10, Reasoning: 4}
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	cr := func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }
	stream, hidden, unary := file(t, "stream.sse"), file(t, "stream_hidden.sse"), file(t, "unary.json")
	for _, c := range []struct {
		name, members, answer, out string
		use                        passport.Usage
	}{
		{"unary", plain, unary, unary, whole},
		{"stream, asked", asks, stream, stream, streamed},
		{"stream, not asked", streams, stream, hidden, streamed},
		{"stream, CRLF", streams, crlf(stream), crlf(hidden), streamed},
		{"stream, CR", streams, cr(stream), cr(hidden), streamed},
		{"stream, space first", streams, " \r\n\n" + stream, " \r\n\n" + hidden, streamed},
		{"stream, byte order mark", streams, "\ufeff" + stream, "\ufeff" + hidden, streamed},
		{"stream, last line missing", streams, strings.TrimRight(stream, "\n"), strings.TrimRight(hidden, "\n"), streamed},
		{"stream, data in lines", streams, strings.Replace(stream, `,"choices":[],`, ",\ndata: \"choices\":[],\ndata:", 1), hidden, streamed},
		{"stream where none was asked", plain, stream, stream, streamed},
		{"unary where a stream was asked", streams, unary, unary, whole},
		{"no end mark", streams, strings.Replace(stream, "data: [DONE]\n\n", "", 1), strings.Replace(hidden, "data: [DONE]\n\n", "", 1), passport.Usage{}},
		{"no usage", streams, hidden, hidden, passport.Usage{}},
		{"usage with the last choice", streams, `data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\ndata: [DONE]\n\n",
			`data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\ndata: [DONE]\n\n", passport.Usage{Known: true, Input: 1, Output: 2}},
		{"error in the middle", streams, `data: {"error":{"message":"x"}}` + "\n\n", `data: {"error":{"message":"x"}}` + "\n\n", passport.Usage{}},
		{"cut JSON", plain, unary[:len(unary)-3], unary[:len(unary)-3], passport.Usage{}},
		{"two JSON", plain, unary + unary, unary + unary, passport.Usage{}},
		{"array", plain, "[" + unary + "]", "[" + unary + "]", passport.Usage{}},
		{"space", plain, " \n", " \n", passport.Usage{}},
		{"nothing", plain, "", "", passport.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, u := dialecttest.Play(t, tap(t, c.members), []byte(c.answer))
			if out != c.out {
				t.Errorf("got\n%q\nwant\n%q", out, c.out)
			}
			if u != c.use {
				t.Errorf("got %+v, want %+v", u, c.use)
			}
		})
	}
}

// TestUsageTellsSoundAndImagesApart. What of them was cached is not told: text first, then images.
func TestUsageTellsSoundAndImagesApart(t *testing.T) {
	for _, c := range []struct {
		details string
		want    passport.Usage
	}{
		{`"audio_tokens":30,"image_tokens":50`, passport.Usage{InputAudio: 30, InputImage: 50}},
		{`"audio_tokens":30,"image_tokens":50,"cached_tokens":20`, passport.Usage{InputAudio: 30, InputImage: 50, CacheRead: 20}},
		{`"audio_tokens":30,"image_tokens":50,"cached_tokens":60`, passport.Usage{InputAudio: 30, InputImage: 50, CacheRead: 60, CacheImage: 40}},
		{`"audio_tokens":30,"image_tokens":50,"cached_tokens":100`, passport.Usage{InputAudio: 30, InputImage: 50, CacheRead: 100, CacheImage: 50, CacheAudio: 30}},
		{`"audio_tokens":0,"image_tokens":null`, passport.Usage{}},
	} {
		c.want.Known, c.want.Input, c.want.Output, c.want.OutputAudio = true, 100, 9, 4
		answer := `{"usage":{"prompt_tokens":100,"completion_tokens":9,"completion_tokens_details":{"audio_tokens":4},"prompt_tokens_details":{` + c.details + `}}}`
		if _, u := dialecttest.Through(t, tap(t, plain)(), [][]byte{[]byte(answer)}); u != c.want {
			t.Errorf("%s: got %+v, want %+v", c.details, u, c.want)
		}
	}
}

// TestUsageThatCannotBeIsUnknown: it then costs the whole hold.
func TestUsageThatCannotBeIsUnknown(t *testing.T) {
	for _, use := range []string{`null`, `{}`, `[]`, `"x"`, `{"prompt_tokens":1}`, `{"completion_tokens":1}`, `{"prompt_tokens":-1,"completion_tokens":1}`,
		`{"prompt_tokens":1,"completion_tokens":-1}`, `{"prompt_tokens":1.5,"completion_tokens":1}`, `{"prompt_tokens":1e2,"completion_tokens":1}`,
		`{"prompt_tokens":"1","completion_tokens":1}`, `{"prompt_tokens":null,"completion_tokens":1}`, `{"prompt_tokens":99999999999999999999,"completion_tokens":1}`,
		`{"prompt_tokens":1,"completion_tokens":NaN}`, `{"prompt_tokens":1,"completion_tokens":1,"completion_tokens":0}`,
		`{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}`, `{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":-2}}`,
		`{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":2}}`, `{"prompt_tokens":1,"completion_tokens":1,"completion_tokens_details":{"audio_tokens":2}}`,
		`{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":1,"audio_tokens":1}}`,
		`{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":-2}}`, `{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":1.5}}`} {
		for _, answer := range []string{`{"choices":[],"usage":` + use + `}`, `data: {"choices":[],"usage":` + use + "}\n\ndata: [DONE]\n\n"} {
			if _, u := dialecttest.Through(t, tap(t, asks)(), [][]byte{[]byte(answer)}); u.Known {
				t.Errorf("%s: got %+v", answer, u)
			}
		}
	}
	for _, tier := range []string{"priority", "fast", "scale"} {
		if _, u := dialecttest.Through(t, tap(t, plain)(), [][]byte{[]byte(`{"usage":{"prompt_tokens":1,"completion_tokens":1},"service_tier":"` + tier + `"}`)}); u.Known {
			t.Errorf("%s: got %+v", tier, u)
		}
	}
	if _, u := dialecttest.Through(t, tap(t, plain)(), [][]byte{[]byte(`{"usage":{"prompt_tokens":0,"completion_tokens":0}}`)}); !u.Known {
		t.Error("no tokens at all is a usage")
	}
}

// TestUsageThatCannotBeReadEndsAnEarlierOne: some servers tell usage in every chunk, and the last one counts.
func TestUsageThatCannotBeReadEndsAnEarlierOne(t *testing.T) {
	const first, end = "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n", "data: [DONE]\n\n"
	for _, last := range []string{`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1e9}}`, `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":900}`} {
		if _, u := dialecttest.Through(t, tap(t, asks)(), [][]byte{[]byte(first + "data: " + last + "\n\n" + end)}); u.Known {
			t.Errorf("%s: got %+v", last, u)
		}
	}
	if _, u := dialecttest.Through(t, tap(t, asks)(), [][]byte{[]byte(first + end)}); !u.Known {
		t.Error("usage in every chunk is a usage")
	}
}

func TestAnEventGoesOnWhenItIsWhole(t *testing.T) {
	tp := tap(t, streams)()
	for _, c := range []struct{ in, out string }{
		{"data: {\"choices\":[1]}\n\n", "data: {\"choices\":[1]}\n\n"}, {"data: {\"choi", ""}, {"ces\":[2]}\n", ""}, {"\ndata: x", "data: {\"choices\":[2]}\n\n"},
	} {
		out, err := tp.Pass([]byte(c.in))
		if err != nil || string(out) != c.out {
			t.Errorf("%q: got %q %v, want %q", c.in, out, err, c.out)
		}
	}
	if rest, _ := tp.End(); string(rest) != "data: x" {
		t.Errorf("the rest is %q", rest)
	}
}

func TestAnEventHasABound(t *testing.T) {
	long := "data: " + strings.Repeat("x", dialect.MaxEvent)
	for _, answer := range []string{long, long + "\n\n", "data: a\n\n" + long} {
		for _, members := range []string{plain, streams, asks} {
			for _, size := range []int{len(answer), 4096} {
				tp, failed := tap(t, members)(), false
				for rest := []byte(answer); len(rest) > 0 && !failed; {
					n := min(size, len(rest))
					_, err := tp.Pass(rest[:n])
					failed = problem.KindOf(err) == problem.UpstreamFailed
					rest = rest[n:]
				}
				if _, u := tp.End(); !failed || u.Known {
					t.Errorf("%q cut by %d passed", members, size)
				}
			}
		}
	}
	fits := "data: " + strings.Repeat("x", dialect.MaxEvent-8) + "\n\n"
	if out, _ := dialecttest.Through(t, tap(t, streams)(), [][]byte{[]byte(fits)}); out != fits {
		t.Error("an event of the greatest length did not pass")
	}
}

func TestWhatIsNoAnswerFails(t *testing.T) {
	for _, answer := range []string{"<html>", "\n <!doctype", "OK", "\x1f\x8b\x08", "true", "0"} {
		if _, err := tap(t, streams)().Pass([]byte(answer)); problem.KindOf(err) != problem.UpstreamFailed {
			t.Errorf("%q: got %v", answer, err)
		}
	}
}

func TestALongAnswerPassesAndItsUsageIsUnknown(t *testing.T) {
	answer := `{"x":"` + strings.Repeat("y", 9<<20) + `","usage":{"prompt_tokens":1,"completion_tokens":1}}`
	out, u := dialecttest.Through(t, tap(t, plain)(), [][]byte{[]byte(answer[:5<<20]), []byte(answer[5<<20:])})
	if out != answer || u.Known {
		t.Errorf("got %d bytes and %+v", len(out), u)
	}
}

func FuzzTap(f *testing.F) {
	f.Add([]byte(file(f, "stream.sse")), uint(100), uint8(1))
	f.Add([]byte(file(f, "unary.json")), uint(100), uint8(0))
	f.Add([]byte("data: {\"usage\":{}}\r\rdata:\r\n\n: c\n\ndata: [DONE]"), uint(3), uint8(1))
	f.Add([]byte(`[{"usage":{"prompt_tokens":1,"completion_tokens":1}},[]]`), uint(9), uint8(2))
	f.Fuzz(func(t *testing.T, answer []byte, at uint, how uint8) {
		dialecttest.FuzzTap(t, tap(t, []string{plain, streams, asks}[how%3]), answer, at)
	})
}

func message(body []byte) string {
	var e struct{ Error struct{ Message string } }
	_ = json.Unmarshal(body, &e)
	return e.Error.Message
}

func TestProblems(t *testing.T) {
	dialecttest.Problems(t, openai.New(), message)
	for _, c := range []struct {
		p    *problem.Error
		want string
	}{
		{problem.New(problem.Invalid, "no <b> & such").In("n"), `{"error":{"message":"no \u003cb\u003e \u0026 such","type":"invalid_request_error","param":"n","code":"invalid_request"}}`},
		{problem.New(problem.BudgetSpent, "d"), `{"error":{"message":"d","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{problem.New(problem.CallsSpent, "d"), `{"error":{"message":"d","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{problem.New(problem.RateExceeded, "d"), `{"error":{"message":"d","type":"requests","param":null,"code":"rate_limit_exceeded"}}`},
		{problem.New(problem.Unauthenticated, "d"), `{"error":{"message":"d","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`},
		{problem.New(problem.ModelNotGranted, "d").In("model"), `{"error":{"message":"d","type":"invalid_request_error","param":"model","code":"model_not_granted"}}`},
		{problem.New(problem.CredentialRefused, "d"), `{"error":{"message":"d","type":"server_error","param":null,"code":"credential_refused"}}`},
	} {
		if got := string(openai.New().Problem(c.p, "r").Body); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
	if got, want := string(openai.New().Cut(problem.New(problem.GrantEnded, "over"))), `data: {"error":{"message":"over","type":"invalid_request_error","param":null,"code":"grant_ended"}}`+"\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUpstreamErrors(t *testing.T) {
	d := openai.New()
	u := d.ReadError(401, []byte(file(t, "error.json")))
	want := dialect.Upstream{Status: 401, Type: "invalid_request_error", Code: "invalid_api_key",
		Message: "Incorrect API key provided: [redacted]. You can find your API key at https://platform.openai.com/account/api-keys."}
	if u != want {
		t.Errorf("got %+v, want %+v", u, want)
	}
	for body, message := range map[string]string{
		"<html>502</html>":                     "the provider answered 502 with something that is not its error format",
		"":                                     "the provider answered 502 with something that is not its error format",
		`{"error":null}`:                       "the provider answered 502 without a message",
		`{"error":"model is loading"}`:         "model is loading",
		`{"error":{"message":"m","code":123}}`: "m",
		`{"error":{"message":["m"]}}`:          "the provider answered 502 with something that is not its error format",
		`{"error":{"message":"a\nb\u0000sk-1234567"}}`: "a b [redacted]",
	} {
		if got := d.ReadError(502, []byte(body)); got.Message != message || got.Status != 502 {
			t.Errorf("%s: got %+v, want %q", body, got, message)
		}
	}
	if got := d.ReadError(500, []byte(`{"error":{"message":"`+strings.Repeat("ab ", 5000)+`"}}`)); len(got.Message) > dialect.MaxMessage {
		t.Errorf("the message has %d bytes", len(got.Message))
	}
	a := d.UpstreamError(dialect.Upstream{Status: 429, Message: "m", Param: "p", Code: "c"}, "r")
	if string(a.Body) != `{"error":{"message":"m","type":"requests","param":"p","code":"c"}}` || a.Status != 429 {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := d.UpstreamError(dialect.Upstream{Status: 200, Message: "m"}, "r"); a.Status != 502 || string(a.Body) != `{"error":{"message":"m","type":"server_error","param":null,"code":null}}` {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
