package anthropic_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
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

func tap(t testing.TB) func() dialect.Tap {
	t.Helper()
	r, err := anthropic.New().Read(in(`{"model":"m",` + hello + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r.Tap
}

func TestRecordedAnswers(t *testing.T) {
	whole := passport.Usage{Known: true, Input: 2095 + 2051 + 2051, CacheRead: 2051, CacheWrite: 1051, CacheWrite1h: 1000, Output: 503, Reasoning: 100}
	streamed := passport.Usage{Known: true, Input: 1325, CacheRead: 1000, CacheWrite: 200, CacheWrite1h: 100, Output: 15, Reasoning: 6}
	stream, unary := file(t, "stream.sse"), file(t, "unary.json")
	without := func(event string) string {
		events := strings.SplitAfter(stream, "\n\n")
		var out strings.Builder
		for _, e := range events {
			if !strings.HasPrefix(e, "event: "+event+"\n") {
				out.WriteString(e)
			}
		}
		return out.String()
	}
	with := func(old, new string) string {
		if !strings.Contains(stream, old) {
			t.Fatalf("the recording has no %s", old)
		}
		return strings.ReplaceAll(stream, old, new)
	}
	corrected, searched := streamed, streamed
	searched.Searches = 3
	corrected.Output, corrected.Input = 99, 1330
	for _, c := range []struct {
		name, answer string
		use          passport.Usage
	}{
		{"unary", unary, whole},
		{"stream", stream, streamed},
		{"stream, CRLF", strings.ReplaceAll(stream, "\n", "\r\n"), streamed},
		{"stream, last line missing", strings.TrimRight(stream, "\n"), streamed},
		{"no event names", with("event: ", "id: "), streamed},
		{"totals grow", with("event: message_stop", "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"input_tokens\":30,\"output_tokens\":99}}\n\nevent: message_stop"), corrected},
		{"no message_start", without("message_start"), passport.Usage{}},
		{"no message_delta", without("message_delta"), passport.Usage{}},
		{"no message_stop", without("message_stop"), passport.Usage{}},
		{"error in the middle", with("event: message_stop", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\nevent: message_stop"), passport.Usage{}},
		{"a delta that cannot be read", with(`"output_tokens":15`, `"output_tokens":15,"output_tokens":1`), passport.Usage{}},
		{"a start that cannot be read", with(`"input_tokens":25,"cache_creation_input_tokens":300,"cache_read_input_tokens":1000,"cache_creation"`, `"input_tokens":-25,"cache_creation"`), passport.Usage{}},
		{"US only", with(`"inference_geo":"global"`, `"inference_geo":"us"`), passport.Usage{}},
		{"a hosted tool", with(`"output_tokens":15`, `"output_tokens":15,"server_tool_use":{"web_fetch_requests":1}`), passport.Usage{}},
		{"searches", with(`"output_tokens":15`, `"output_tokens":15,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":0}`), searched},
		{"fast", strings.Replace(unary, `"service_tier": "standard"`, `"speed": "fast"`, 1), passport.Usage{}},
		{"more for an hour than at all", strings.Replace(unary, `"cache_creation_input_tokens": 2051`, `"cache_creation_input_tokens": 5`, 1), passport.Usage{}},
		{"negative", strings.Replace(unary, `"output_tokens": 503`, `"output_tokens": -503`, 1), passport.Usage{}},
		{"a fraction", strings.Replace(unary, `"output_tokens": 503`, `"output_tokens": 503.5`, 1), passport.Usage{}},
		{"missing", strings.Replace(unary, `"output_tokens": 503`, `"output": 503`, 1), passport.Usage{}},
		{"null", `{"type":"message","usage":null}`, passport.Usage{}},
		{"an error with 200", `{"type":"error","error":{"type":"api_error"},"usage":{"input_tokens":0,"output_tokens":0}}`, passport.Usage{}},
		{"cut JSON", unary[:len(unary)-4], passport.Usage{}},
		{"array", "[" + unary + "]", passport.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, u := dialecttest.Play(t, tap(t), []byte(c.answer))
			if out != c.answer {
				t.Errorf("got\n%q\nwant\n%q", out, c.answer)
			}
			if u != c.use {
				t.Errorf("got %+v, want %+v", u, c.use)
			}
		})
	}
}

// TestCacheWritesThatAreNotToldApart: message_delta tells of all writes together. What was not told to be for 5 minutes is for an hour if the
// call asked for one anywhere, and no number falls.
func TestCacheWritesThatAreNotToldApart(t *testing.T) {
	const apart = `,"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100}`
	start := func(usage string) string {
		return `data: {"type":"message_start","message":{"usage":{"input_tokens":25,` + usage + `"output_tokens":1}}}` + "\n\n"
	}
	end := func(usage string) string {
		return `data: {"type":"message_delta","usage":{"output_tokens":5` + usage + `}}` + "\n\n" + `data: {"type":"message_stop"}` + "\n\n"
	}
	const hour, short = `"cache_control":{"type":"ephemeral","ttl":"1h"}`, `"cache_control":{"ttl":"5m","type":"ephemeral"}`
	for _, c := range []struct {
		name, answer         string
		few, fewHour, asked1 int64 // written for 5 minutes and for an hour where none was asked for; for an hour where one was
	}{
		{"grown", start(`"cache_creation_input_tokens":300`+apart+`,`) + end(`,"cache_creation_input_tokens":1300`), 1200, 100, 1100},
		{"grown from nothing", start(`"cache_creation_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},`) + end(`,"cache_creation_input_tokens":900`), 900, 0, 900},
		{"told at the end only", start("") + end(`,"cache_creation_input_tokens":900`), 900, 0, 900},
		{"told at the end, apart", start("") + end(`,"cache_creation_input_tokens":300`+apart), 200, 100, 100},
		{"told apart at the end, in part", start("") + end(`,"cache_creation_input_tokens":1000`+apart), 900, 100, 800},
		{"never apart", start(`"cache_creation_input_tokens":300,`) + end(``), 300, 0, 300},
		{"the same", start(`"cache_creation_input_tokens":300`+apart+`,`) + end(`,"cache_creation_input_tokens":300`), 200, 100, 100},
		{"less", start(`"cache_creation_input_tokens":300`+apart+`,`) + end(`,"cache_creation_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}`), 200, 100, 100},
		{"not streamed", `{"type":"message","usage":{"input_tokens":25,"cache_creation_input_tokens":300,"output_tokens":5}}`, 300, 0, 300},
	} {
		for members, hours := range map[string]int64{
			`"model":"m",` + hello: c.fewHour, `"model":"m",` + short + `,` + hello: c.fewHour,
			`"model":"m",` + hour + `,` + hello: c.asked1, `"model":"m",` + short + `,` + hello + `,"system":[{"type":"text","text":"s",` + hour + `},{"type":"text","text":"s",` + short + `}]`: c.asked1,
			`"model":"m",` + hello + `,"tools":[{"name":"n","input_schema":{},` + hour + `}]`:                                                                                  c.asked1,
			`"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"x",` + hour + `}]}]}]`: c.asked1,
		} {
			r, err := anthropic.New().Read(in(`{` + members + `}`))
			if err != nil {
				t.Fatalf("%s: %v", members, err)
			}
			all := c.few + c.fewHour
			want := passport.Usage{Known: true, Input: 25 + all, CacheWrite: all - hours, CacheWrite1h: hours, Output: 5}
			if _, u := dialecttest.Play(t, r.Tap, []byte(c.answer)); u != want {
				t.Errorf("%s, asked by %s: got %+v, want %+v", c.name, members, u, want)
			}
		}
	}
}

func TestNothingIsHeldBack(t *testing.T) {
	tp := tap(t)()
	for _, p := range []string{"ev", "ent: ping\nda", "ta: {}\n", "\n"} {
		if out, err := tp.Pass([]byte(p)); err != nil || string(out) != p {
			t.Errorf("%q: got %q %v", p, out, err)
		}
	}
	if rest, _ := tp.End(); len(rest) > 0 {
		t.Errorf("the rest is %q", rest)
	}
}

func FuzzTap(f *testing.F) {
	f.Add([]byte(file(f, "stream.sse")), uint(100))
	f.Add([]byte(file(f, "unary.json")), uint(100))
	f.Add([]byte("event: message_stop\rdata: {\"type\":\"message_stop\"}\r\r"), uint(3))
	f.Fuzz(func(t *testing.T, answer []byte, at uint) { dialecttest.FuzzTap(t, tap(t), answer, at) })
}

func message(body []byte) string {
	var e struct{ Error struct{ Message string } }
	_ = json.Unmarshal(body, &e)
	return e.Error.Message
}

func TestProblems(t *testing.T) {
	d := anthropic.New()
	dialecttest.Problems(t, d, message)
	for _, c := range []struct {
		p    *problem.Error
		want string
	}{
		{problem.New(problem.Invalid, "no").In("n"), `{"type":"error","error":{"type":"invalid_request_error","message":"n: no"},"request_id":"r"}`},
		{problem.New(problem.Invalid, "no").In("thread"), `{"type":"error","error":{"type":"invalid_request_error","message":"thread: no","details":{"error_code":"thread_unsupported_request"}},"request_id":"r"}`},
		{problem.New(problem.BudgetSpent, "d"), `{"type":"error","error":{"type":"rate_limit_error","message":"d"},"request_id":"r"}`},
		{problem.New(problem.GrantEnded, "d"), `{"type":"error","error":{"type":"authentication_error","message":"d"},"request_id":"r"}`},
		{problem.New(problem.GrantPaused, "d"), `{"type":"error","error":{"type":"permission_error","message":"d"},"request_id":"r"}`},
		{problem.New(problem.TooLarge, "d"), `{"type":"error","error":{"type":"request_too_large","message":"d"},"request_id":"r"}`},
		{problem.New(problem.UpstreamTimeout, "d"), `{"type":"error","error":{"type":"timeout_error","message":"d"},"request_id":"r"}`},
		{problem.New(problem.UpstreamFailed, "d"), `{"type":"error","error":{"type":"api_error","message":"d"},"request_id":"r"}`},
	} {
		if got := string(d.Problem(c.p, "r").Body); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
	if got, want := string(d.Cut(problem.New(problem.GrantEnded, "over"))), "event: error\n"+`data: {"type":"error","error":{"type":"authentication_error","message":"over"}}`+"\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUpstreamErrors(t *testing.T) {
	d := anthropic.New()
	want := dialect.Upstream{Status: 529, Type: "overloaded_error", Message: "Overloaded , key [redacted]"}
	if u := d.ReadError(529, []byte(file(t, "error.json"))); u != want {
		t.Errorf("got %+v, want %+v", u, want)
	}
	for _, body := range []string{"<html>", "", "[]", `{"error":"x"}`, `{"type":"error"}`} {
		if got := d.ReadError(502, []byte(body)); !strings.Contains(got.Message, "not its error format") {
			t.Errorf("%s: got %+v", body, got)
		}
	}
	if a := d.UpstreamError(want, "r"); a.Status != 529 || string(a.Body) != `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded , key [redacted]"},"request_id":"r"}` {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := d.UpstreamError(dialect.Upstream{Status: 302, Message: "m"}, "r"); a.Status != 502 || !strings.Contains(string(a.Body), "api_error") {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
