package gemini_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
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
	r, err := gemini.New().Read(in(`{` + hello + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r.Tap
}

func TestRecordedAnswers(t *testing.T) {
	whole := passport.Usage{Known: true, Input: 12, CacheRead: 2, Output: 1011, Reasoning: 1000}
	streamed := passport.Usage{Known: true, Input: 7, CacheRead: 3, Output: 29, Reasoning: 20}
	stream, array, unary := file(t, "stream.sse"), file(t, "stream_array.json"), file(t, "unary.json")
	cut := func(s, mark string) string {
		i := strings.LastIndex(s, mark)
		if i < 0 {
			t.Fatalf("the recording has no %s", mark)
		}
		return s[:i]
	}
	for _, c := range []struct {
		name, answer string
		use          passport.Usage
	}{
		{"unary", unary, whole},
		{"stream", stream, streamed},
		{"stream, LF", strings.ReplaceAll(stream, "\r\n", "\n"), streamed},
		{"stream, last line missing", strings.TrimRight(stream, "\r\n"), streamed},
		{"array", array, streamed},
		{"array, space first", "\n " + array, streamed},
		{"array cut before its end", cut(array, "]"), passport.Usage{}},
		{"array with more behind", array + "{}", passport.Usage{}},
		{"array of something else", strings.Replace(array, "[", "[1,", 1), passport.Usage{}},
		{"array with quotes and brackets in texts", `[{"x":"\\\"}]{ \\\\","candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":2}}]`, passport.Usage{Known: true, Input: 1, Output: 1}},
		{"array that is empty", "[]", passport.Usage{}},
		{"stream without its last chunk", cut(stream, "data:"), passport.Usage{}},
		{"array without its last chunk", cut(array, "\n,") + "]", passport.Usage{}},
		{"no finishReason", strings.Replace(stream, `"finishReason": "STOP",`, ``, 1), passport.Usage{}},
		{"null finishReason", strings.Replace(stream, `"finishReason": "STOP"`, `"finishReason": null`, 1), passport.Usage{}},
		{"one of two answers goes on", `data: {"candidates":[{"index":0,"finishReason":"STOP"},{"index":1}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":2}}` + "\n\n", passport.Usage{}},
		{"both answers end", `data: {"candidates":[{"index":0,"finishReason":"STOP"},{"index":1}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":2}}` + "\n\n" +
			`data: {"candidates":[{"index":1,"finishReason":"STOP"}]}` + "\n\n", passport.Usage{Known: true, Input: 1, Output: 1}},
		{"blocked", `data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}` + "\n\n", passport.Usage{Known: true, Input: 5}},
		{"error in the middle", stream + "data: {\"error\":{\"code\":500}}\r\n\r\n", passport.Usage{}},
		{"chunk that cannot be read", "data: {\"a\":1,\"a\":2}\r\n\r\n" + stream, passport.Usage{}},
		{"total is more than its parts", strings.Replace(unary, "1023", "1100", 1), passport.Usage{Known: true, Input: 12, CacheRead: 2, Output: 1088, Reasoning: 1000}},
		{"total is less than its parts", strings.Replace(unary, "1023", "5", 1), whole},
		{"no total", strings.Replace(unary, "totalTokenCount", "total", 1), passport.Usage{}},
		{"no prompt", strings.Replace(unary, "\"promptTokenCount", "\"prompt", 1), passport.Usage{}},
		{"negative", strings.Replace(unary, "\"candidatesTokenCount\": 11", "\"candidatesTokenCount\": -11", 1), passport.Usage{}},
		{"a fraction", strings.Replace(unary, "\"candidatesTokenCount\": 11", "\"candidatesTokenCount\": 11.5", 1), passport.Usage{}},
		{"text", strings.Replace(unary, "\"candidatesTokenCount\": 11", "\"candidatesTokenCount\": \"11\"", 1), passport.Usage{}},
		{"more cached than asked", strings.Replace(unary, "\"cachedContentTokenCount\": 2", "\"cachedContentTokenCount\": 13", 1), passport.Usage{}},
		{"priority", strings.Replace(unary, "\"usageMetadata\": {", "\"usageMetadata\": {\"serviceTier\":\"priority\",", 1), passport.Usage{}},
		{"null", `{"candidates":[],"usageMetadata":null}`, passport.Usage{}},
		{"an error with 200", `{"error":{"code":500},"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}}`, passport.Usage{}},
		{"cut JSON", unary[:len(unary)-4], passport.Usage{}},
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

// TestUsageTellsModalitiesApart: of the prompt, of what tools brought, of the cache and of the answer.
func TestUsageTellsModalitiesApart(t *testing.T) {
	const head = `{"candidates":[],"usageMetadata":{"promptTokenCount":1000,"toolUsePromptTokenCount":50,"candidatesTokenCount":90,"thoughtsTokenCount":10,"cachedContentTokenCount":500,"totalTokenCount":1150`
	base := passport.Usage{Known: true, Input: 1050, CacheRead: 500, Output: 100, Reasoning: 10}
	all := base
	all.InputAudio, all.InputImage, all.CacheAudio, all.CacheImage, all.OutputAudio, all.OutputImage = 210, 300, 100, 200, 20, 30
	unknown := passport.Usage{}
	for details, want := range map[string]passport.Usage{
		`,"promptTokensDetails":[{"modality":"TEXT","tokenCount":500},{"modality":"AUDIO","tokenCount":200},{"modality":"IMAGE","tokenCount":250},{"modality":"DOCUMENT","tokenCount":50}],` +
			`"toolUsePromptTokensDetails":[{"modality":"AUDIO","tokenCount":10}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":100},{"modality":"IMAGE","tokenCount":200}],` +
			`"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":20},{"modality":"IMAGE","tokenCount":30}]`: all,
		`,"promptTokensDetails":null,"candidatesTokensDetails":[]`:          base,
		`,"promptTokensDetails":[{"modality":"VIDEO","tokenCount":0}]`:      base,
		`,"promptTokensDetails":[{"modality":"VIDEO","tokenCount":1}]`:      unknown,
		`,"candidatesTokensDetails":[{"modality":"SMELL","tokenCount":1}]`:  unknown,
		`,"promptTokensDetails":[{"tokenCount":1}]`:                         unknown,
		`,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":-1}]`:     unknown,
		`,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2000}]`:   unknown,
		`,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":1}]`:       unknown, // and none in the prompt
		`,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":95}]`: unknown, // beside 10 thoughts
		`,"promptTokensDetails":{"modality":"AUDIO"}`:                       unknown,
	} {
		if _, u := dialecttest.Through(t, tap(t)(), [][]byte{[]byte(head + details + "}}")}); u != want {
			t.Errorf("%s: got %+v, want %+v", details, u, want)
		}
	}
}

func TestAnElementHasABound(t *testing.T) {
	long := `[{"x":"` + strings.Repeat("y", dialect.MaxEvent) + `"}]`
	for _, size := range []int{len(long), 4096} {
		tp, failed := tap(t)(), false
		for rest := []byte(long); len(rest) > 0 && !failed; {
			n := min(size, len(rest))
			_, err := tp.Pass(rest[:n])
			failed = problem.KindOf(err) == problem.UpstreamFailed
			rest = rest[n:]
		}
		if _, u := tp.End(); !failed || u.Known {
			t.Errorf("cut by %d it passed", size)
		}
	}
}

func FuzzTap(f *testing.F) {
	f.Add([]byte(file(f, "stream.sse")), uint(100))
	f.Add([]byte(file(f, "stream_array.json")), uint(100))
	f.Add([]byte(file(f, "unary.json")), uint(100))
	f.Add([]byte(`[{"a":"\"}]"},{}],[`), uint(3))
	f.Fuzz(func(t *testing.T, answer []byte, at uint) { dialecttest.FuzzTap(t, tap(t), answer, at) })
}

func message(body []byte) string {
	var e struct{ Error struct{ Message string } }
	_ = json.Unmarshal(body, &e)
	return e.Error.Message
}

func TestProblems(t *testing.T) {
	d := gemini.New()
	dialecttest.Problems(t, d, message)
	for _, c := range []struct {
		p    *problem.Error
		want string
	}{
		{problem.New(problem.Invalid, "no").In("n"), `{"error":{"code":400,"message":"n: no","status":"INVALID_ARGUMENT","details":[]}}`},
		{problem.New(problem.BudgetSpent, "d"), `{"error":{"code":429,"message":"d","status":"RESOURCE_EXHAUSTED","details":[]}}`},
		{problem.New(problem.Unauthenticated, "d"), `{"error":{"code":401,"message":"d","status":"UNAUTHENTICATED","details":[]}}`},
		{problem.New(problem.ModelNotGranted, "d"), `{"error":{"code":403,"message":"d","status":"PERMISSION_DENIED","details":[]}}`},
		{problem.New(problem.UpstreamTimeout, "d"), `{"error":{"code":504,"message":"d","status":"DEADLINE_EXCEEDED","details":[]}}`},
		{nil, `{"error":{"code":500,"message":"internal error","status":"INTERNAL","details":[]}}`},
	} {
		if got := string(d.Problem(c.p, "r").Body); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
	if got, want := string(d.Cut(problem.New(problem.GrantEnded, "over"))), `data: {"error":{"code":401,"message":"over","status":"UNAUTHENTICATED","details":[]}}`+"\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUpstreamErrors(t *testing.T) {
	d := gemini.New()
	want := dialect.Upstream{Status: 401, Type: "INVALID_ARGUMENT", Message: "API key not valid: [redacted]. Please pass a valid API key."}
	for _, body := range []string{file(t, "error.json"), "[" + file(t, "error.json") + "]"} {
		if u := d.ReadError(400, []byte(body)); u != want {
			t.Errorf("got %+v, want %+v", u, want)
		}
	}
	if got := d.ReadError(400, []byte(`{"error":{"message":"no","status":"INVALID_ARGUMENT","details":[{"fieldViolations":[]}]}}`)); got.Status != 400 {
		t.Errorf("a mistake of the caller: got %+v", got)
	}
	for _, body := range []string{"<html>", "", "[]", `{"error":"x"}`, `{}`, "[1]"} {
		if got := d.ReadError(502, []byte(body)); !strings.Contains(got.Message, "not its error format") {
			t.Errorf("%s: got %+v", body, got)
		}
	}
	if a := d.UpstreamError(dialect.Upstream{Status: 503, Message: "m"}, "r"); a.Status != 503 || string(a.Body) != `{"error":{"code":503,"message":"m","status":"UNAVAILABLE","details":[]}}` {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
