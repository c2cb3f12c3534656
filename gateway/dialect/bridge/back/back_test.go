package back_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/bridge/back"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var providers = []passport.Provider{passport.Anthropic, passport.OpenAI, passport.Google}

var callers = []passport.Provider{passport.OpenAI, passport.Anthropic}

// Pieces of recorded streams, to be put together.
const (
	anthropicStart = `data: {"type":"message_start","message":{"type":"message","role":"assistant","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}` + "\n\n"
	anthropicText  = `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}` + "\n\n" + `data: {"type":"content_block_stop","index":0}` + "\n\n"
	anthropicStop  = `data: {"type":"message_stop"}` + "\n\n"
	openaiText     = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}` + "\n\n"
	openaiDone     = "data: [DONE]\n\n"
	googleText     = `data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}` + "\n\n"
)

func anthropicEnds(reason, more string) string {
	return anthropicStart + anthropicText + `data: {"type":"message_delta","delta":{"stop_reason":"` + reason + `"` + more + `},"usage":{"output_tokens":2}}` + "\n\n" + anthropicStop
}

func openaiEnds(reason string) string {
	return openaiText + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}` + "\n\n" + openaiDone
}

func googleEnds(reason string) string {
	return googleText + `data: {"candidates":[{"finishReason":"` + reason + `","finishMessage":"sorry"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}}` + "\n\n"
}

// TestWhyItStopped: every reason of every provider, as a caller of each dialect reads it; "" is an error event and no end.
func TestWhyItStopped(t *testing.T) {
	for _, c := range []struct {
		from              passport.Provider
		stream            string
		openai, anthropic string
	}{
		{passport.Anthropic, anthropicEnds("end_turn", ""), "stop", "end_turn"},
		{passport.Anthropic, anthropicEnds("stop_sequence", `,"stop_sequence":"X"`), "stop", "stop_sequence"},
		{passport.Anthropic, anthropicEnds("max_tokens", ""), "length", "max_tokens"},
		{passport.Anthropic, anthropicEnds("model_context_window_exceeded", ""), "length", "max_tokens"},
		{passport.Anthropic, anthropicEnds("refusal", ""), "content_filter", "refusal"},
		{passport.OpenAI, openaiEnds("stop"), "stop", "end_turn"},
		{passport.OpenAI, openaiEnds("length"), "length", "max_tokens"},
		{passport.OpenAI, openaiEnds("model_length"), "length", "max_tokens"},
		{passport.OpenAI, openaiEnds("content_filter"), "content_filter", "refusal"},
		{passport.OpenAI, openaiEnds("error"), "", ""},
		{passport.OpenAI, openaiEnds("insufficient_system_resource"), "", ""},
		{passport.Google, googleEnds("STOP"), "stop", "end_turn"},
		{passport.Google, googleEnds("MAX_TOKENS"), "length", "max_tokens"},
		{passport.Google, googleEnds("SAFETY"), "content_filter", "refusal"},
		{passport.Google, googleEnds("RECITATION"), "content_filter", "refusal"},
		{passport.Google, googleEnds("LANGUAGE"), "content_filter", "refusal"},
		{passport.Google, googleEnds("BLOCKLIST"), "content_filter", "refusal"},
		{passport.Google, googleEnds("PROHIBITED_CONTENT"), "content_filter", "refusal"},
		{passport.Google, googleEnds("SPII"), "content_filter", "refusal"},
		{passport.Google, googleEnds("IMAGE_SAFETY"), "content_filter", "refusal"},
		{passport.Google, googleEnds("MALFORMED_FUNCTION_CALL"), "", ""},
		{passport.Google, googleEnds("UNEXPECTED_TOOL_CALL"), "", ""},
		{passport.Google, googleEnds("TOO_MANY_TOOL_CALLS"), "", ""},
		{passport.Google, googleEnds("OTHER"), "", ""},
		{passport.Google, googleEnds("FINISH_REASON_UNSPECIFIED"), "", ""},
		{passport.Google, googleEnds("ADDED_LATER"), "", ""},
	} {
		for to, want := range map[passport.Provider]string{passport.OpenAI: c.openai, passport.Anthropic: c.anthropic} {
			got, err := gather(to, play(t, back.New(to, c.from, info), c.stream))
			if err != nil || got.Stop != want || got.Text != "a" || got.Ended != (want != "") || got.Failed != (want == "") {
				t.Errorf("%s from %s: got %+v %v, want %q", to, c.stream, got, err, want)
			}
		}
	}
}

// TestWhatIsUnknownIsAnError: a piece of an answer that has no place in the caller's format is never lost silently.
func TestWhatIsUnknownIsAnError(t *testing.T) {
	block := func(b string) string {
		return anthropicStart + `data: {"type":"content_block_start","index":0,"content_block":` + b + "}\n\n"
	}
	delta := func(d string) string {
		return anthropicStart + anthropicText + `data: {"type":"content_block_delta","index":0,"delta":` + d + "}\n\n"
	}
	part := func(p string) string { return `data: {"candidates":[{"content":{"parts":[` + p + `]}}]}` + "\n\n" }
	choice := func(d string) string { return `data: {"choices":[{"index":0,"delta":` + d + `}]}` + "\n\n" }
	for _, c := range []struct {
		from   passport.Provider
		stream string
	}{
		{passport.Anthropic, block(`{"type":"server_tool_use","id":"x","name":"web_search","input":{}}`)},
		{passport.Anthropic, block(`{"type":"web_search_tool_result","tool_use_id":"x","content":[]}`)},
		{passport.Anthropic, block(`{"type":"added_later"}`)},
		{passport.Anthropic, block(`{"type":"text","text":1}`)},
		{passport.Anthropic, delta(`{"type":"citations_delta","citation":{}}`)},
		{passport.Anthropic, delta(`{"type":"input_json_delta","partial_json":"{}"}`)},
		{passport.Anthropic, delta(`{"type":"added_later"}`)},
		{passport.Anthropic, anthropicStart + `data: {"type":"added_later"}` + "\n\n"},
		{passport.Anthropic, anthropicStart + anthropicStart},
		{passport.Anthropic, anthropicText},
		{passport.Anthropic, anthropicStart + `data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}` + "\n\n"},
		{passport.Anthropic, anthropicStart + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}` + "\n\n"},
		{passport.Anthropic, anthropicEnds("pause_turn", "")},
		{passport.Anthropic, anthropicEnds("added_later", "")},
		{passport.Anthropic, "data: {\n\n"},
		{passport.Google, part(`{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`)},
		{passport.Google, part(`{"executableCode":{"code":"1"}}`)},
		{passport.Google, part(`{"codeExecutionResult":{"output":"1"}}`)},
		{passport.Google, part(`{"addedLater":{}}`)},
		{passport.Google, part(`{"functionCall":{"name":"f","willContinue":true}}`)},
		{passport.Google, googleEnds("STOP") + googleText},
		{passport.Google, `data: {"candidates":[{"index":128}]}` + "\n\n"},
		{passport.Google, `data: {"candidates":[{"index":-1}]}` + "\n\n"},
		{passport.Google, "data: []\n\n"},
		{passport.OpenAI, choice(`{"audio":{"id":"x"}}`)},
		{passport.OpenAI, choice(`{"function_call":{"name":"f","arguments":""}}`)},
		{passport.OpenAI, choice(`{"tool_calls":[{"index":0,"id":"x","type":"custom","custom":{"name":"f","input":""}}]}`)},
		{passport.OpenAI, choice(`{"content":[{"type":"thinking"}]}`)},
		{passport.OpenAI, openaiEnds("function_call")},
		{passport.OpenAI, openaiEnds("added_later")},
		{passport.OpenAI, `data: {"choices":[{"index":128,"delta":{}}]}` + "\n\n"},
		{passport.OpenAI, "data: x\n\n"},
	} {
		for _, to := range callers {
			conv, failed := back.New(to, c.from, info), false
			for _, e := range events(c.stream) {
				out, err := conv.Event([]byte(e))
				if failed = failed || err != nil; err != nil && (problem.KindOf(err) != problem.UpstreamFailed || len(out) > 0) {
					t.Errorf("%s: got %q %v", e, out, err)
				} else if failed && len(out) > 0 {
					t.Errorf("%s: %q goes on behind an error", c.stream, out)
				}
			}
			if rest := conv.End(); !failed || len(rest) > 0 {
				t.Errorf("%s from %s passed, and ends with %q", to, c.stream, rest)
			}
		}
	}
}

// TestAnErrorInTheMiddle is told in the caller's words, and is the last that is told.
func TestAnErrorInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		from              passport.Provider
		stream            string
		openai, anthropic string // type
	}{
		{passport.Anthropic, anthropicStart + anthropicText + `data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, "server_error", "overloaded_error"},
		{passport.Anthropic, `data: {"type":"error","error":{"type":"rate_limit_error","message":"Overloaded"}}`, "requests", "rate_limit_error"},
		{passport.Google, googleText + `data: {"error":{"code":503,"message":"Overloaded","status":"UNAVAILABLE"}}`, "server_error", "overloaded_error"},
		{passport.Google, googleText + `data: {"error":{"code":429,"message":"Overloaded","status":"RESOURCE_EXHAUSTED"}}`, "requests", "rate_limit_error"},
		{passport.OpenAI, openaiText + `data: {"error":{"message":"Overloaded","type":"server_error","param":null,"code":null}}`, "server_error", "api_error"},
		{passport.OpenAI, openaiText + `data: {"error":{"message":"Overloaded","type":"requests","param":null,"code":"rate_limit_exceeded"}}`, "requests", "rate_limit_error"},
		{passport.OpenAI, openaiText + `data: {"error":{"message":"Overloaded","code":503}}`, "server_error", "overloaded_error"},
		{passport.OpenAI, openaiText + `data: {"error":"Overloaded"}`, "server_error", "api_error"},
	} {
		for to, want := range map[passport.Provider]string{passport.OpenAI: c.openai, passport.Anthropic: c.anthropic} {
			out := play(t, back.New(to, c.from, info), c.stream+"\n\n"+openaiDone+anthropicStop)
			got, err := gather(to, out)
			if err != nil || !got.Failed || got.Ended || got.Stop != "" {
				t.Errorf("%s: got %+v %v", out, got, err)
			}
			list, _ := frames(out)
			var e struct {
				Error struct{ Type, Message string }
			}
			if json.Unmarshal([]byte(list[len(list)-1].data), &e) != nil || e.Error.Type != want || e.Error.Message != "Overloaded" {
				t.Errorf("%s: got %+v, want %s", c.stream, e, want)
			}
		}
	}
}

// TestACutStreamHasNoEnd: wherever a stream is cut, nothing that has gone out says that it is over, and the end of one that lacks
// something is an error event.
func TestACutStreamHasNoEnd(t *testing.T) {
	for file, from := range recorded {
		all := events(read(t, file))
		for _, to := range callers {
			for n := range all {
				c := back.New(to, from, info)
				var out bytes.Buffer
				for _, e := range all[:n] {
					b, err := c.Event([]byte(e))
					if err != nil {
						t.Fatal(err)
					}
					out.Write(b)
				}
				if got, err := gather(to, out.String()); err != nil || got.Ended || got.Stop != "" || got.Usage != "" {
					t.Fatalf("%s of %s cut behind %d: %+v %v", to, file, n, got, err)
				}
				if n == 0 {
					continue
				}
				out.Write(c.End())
				if got, err := gather(to, out.String()); err != nil || got.Ended || !got.Failed {
					t.Fatalf("%s of %s that ends behind %d: %+v %v", to, file, n, got, err)
				}
			}
		}
	}
}

var recorded = map[string]passport.Provider{
	"testdata/anthropic_tools.sse": passport.Anthropic, "testdata/google_tools.sse": passport.Google, "testdata/openai_tools.sse": passport.OpenAI,
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAStreamSaysWhatAWholeAnswerSays: the same answer, streamed or not, comes to the same.
func TestAStreamSaysWhatAWholeAnswerSays(t *testing.T) {
	for file, from := range recorded {
		for _, to := range callers {
			streamed, err := gather(to, play(t, back.New(to, from, info), read(t, file)))
			if err != nil {
				t.Errorf("%s of %s: %v", to, file, err)
			}
			out, err := back.New(to, from, info).Whole([]byte(read(t, strings.Replace(file, ".sse", ".json", 1))))
			if err != nil {
				t.Fatal(err)
			}
			whole, err := gatherWhole(to, string(out))
			if err != nil {
				t.Errorf("%s of %s: %v", to, file, err)
			}
			for _, s := range []*said{&streamed, &whole} {
				for i := range s.Calls {
					s.Calls[i].Arguments = compact(s.Calls[i].Arguments)
				}
			}
			if d := cmp.Diff(streamed, whole); d != "" {
				t.Errorf("%s of %s: %s", to, file, d)
			}
			if len(whole.Calls) != 2 || !strings.HasPrefix(whole.Text, "I look at <both>") {
				t.Errorf("%s of %s: got %+v", to, file, whole)
			}
		}
	}
}

func compact(s string) string {
	var b bytes.Buffer
	if s == "" || json.Compact(&b, []byte(s)) != nil {
		return "{}"
	}
	return b.String()
}

// TestAnEndWithoutAReasonIsNone: the provider's end mark alone does not say that the answer is whole.
func TestAnEndWithoutAReasonIsNone(t *testing.T) {
	for from, stream := range map[passport.Provider]string{
		passport.Anthropic: anthropicStart + anthropicText + anthropicStop, passport.OpenAI: openaiText + openaiDone, passport.Google: googleText,
	} {
		for _, to := range callers {
			if got, err := gather(to, play(t, back.New(to, from, info), stream)); err != nil || got.Ended || !got.Failed || got.Stop != "" {
				t.Errorf("%s from %s: got %+v %v", to, from, got, err)
			}
		}
	}
	if out := back.New(passport.OpenAI, passport.OpenAI, info).End(); !strings.Contains(string(out), `"error"`) || strings.Contains(string(out), "[DONE]") {
		t.Errorf("nothing at all ends with %q", out)
	}
}

// TestALineSeparatorEndsNoLine: some readers of events take U+2028 and U+2029 for the end of a line.
func TestALineSeparatorEndsNoLine(t *testing.T) {
	stream := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\u2028b\u2029c\"}}]}\n\n" + openaiEnds("stop")
	for _, to := range callers {
		out := play(t, back.New(to, passport.OpenAI, info), stream)
		if got, err := gather(to, out); err != nil || got.Text != "a\u2028b\u2029ca" || strings.ContainsAny(out, "\u2028\u2029") {
			t.Errorf("%s: got %+v %v", to, got, err)
		}
	}
}

// TestBlocksHaveABound.
func TestBlocksHaveABound(t *testing.T) {
	for _, to := range callers {
		c, n := back.New(to, passport.Anthropic, info), 0
		if _, err := c.Event([]byte(events(anthropicStart)[0])); err != nil {
			t.Fatal(err)
		}
		for ; n < 9999; n++ {
			if _, err := c.Event(fmt.Appendf(nil, `{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}`, n)); err != nil {
				break
			}
		}
		if n != 4096 {
			t.Errorf("%d blocks passed", n)
		}
	}
}

// TestUsageOnlyIfAskedFor: OpenAI's usage chunk. A message always tells it.
func TestUsageOnlyIfAskedFor(t *testing.T) {
	i := info
	i.IncludeUsage = false
	for file, from := range recorded {
		out := play(t, back.New(passport.OpenAI, from, i), read(t, file))
		if strings.Contains(out, "usage") {
			t.Errorf("%s: got %s", file, out)
		}
		if got, err := gather(passport.OpenAI, out); err != nil || !got.Ended {
			t.Errorf("%s: got %+v %v", file, got, err)
		}
	}
}

// TestThoughtsAreShownToThoseWhoAsk, and to nobody else.
func TestThoughtsAreShownToThoseWhoAsk(t *testing.T) {
	i := info
	i.Thinks = false
	for file, from := range recorded {
		for _, ask := range []back.Info{i, info} {
			got, err := gather(passport.Anthropic, play(t, back.New(passport.Anthropic, from, ask), read(t, file)))
			if want := ask.Thinks && from != passport.OpenAI; err != nil || (got.Thought != "") != want {
				t.Errorf("%s: got %+v %v", file, got, err)
			}
			out, err := back.New(passport.Anthropic, from, ask).Whole([]byte(read(t, strings.Replace(file, ".sse", ".json", 1))))
			if want := ask.Thinks && from != passport.OpenAI; err != nil || strings.Contains(string(out), "Two towns") != want {
				t.Errorf("%s: got %s %v", file, out, err)
			}
		}
	}
	for _, name := range []string{"reasoning_content", "reasoning"} {
		stream := `data: {"choices":[{"index":0,"delta":{"` + name + `":"hm"}}]}` + "\n\n" + openaiEnds("stop")
		if got, err := gather(passport.Anthropic, play(t, back.New(passport.Anthropic, passport.OpenAI, info), stream)); err != nil || got.Thought != "hm" {
			t.Errorf("%s: got %+v %v", name, got, err)
		}
	}
}

// TestABlockedPromptIsARefusal: Google answers with feedback and no candidate.
func TestABlockedPromptIsARefusal(t *testing.T) {
	const answer = `{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}`
	const told = "the prompt was blocked (SAFETY): no"
	for to, stop := range map[passport.Provider]string{passport.OpenAI: "content_filter", passport.Anthropic: "refusal"} {
		out, err := back.New(to, passport.Google, info).Whole([]byte(answer))
		whole, err2 := gatherWhole(to, string(out))
		streamed := play(t, back.New(to, passport.Google, info), "data: "+answer+"\n\n")
		got, err3 := gather(to, streamed)
		if err != nil || err2 != nil || err3 != nil || whole.Stop != stop || got.Stop != stop || !strings.Contains(string(out), told) || !strings.Contains(streamed, told) {
			t.Errorf("%s: got %s and %s, %v %v %v", to, out, streamed, err, err2, err3)
		}
	}
}

// TestARefusalOfOpenAIIsOneOfAMessage, with its text.
func TestARefusalOfOpenAIIsOneOfAMessage(t *testing.T) {
	stream := `data: {"choices":[{"index":0,"delta":{"role":"assistant","refusal":"I can"}}]}` + "\n\n" + `data: {"choices":[{"index":0,"delta":{"refusal":"not"},"finish_reason":"stop"}]}` + "\n\n" + openaiDone
	if got, err := gather(passport.Anthropic, play(t, back.New(passport.Anthropic, passport.OpenAI, info), stream)); err != nil || got.Text != "I cannot" || got.Stop != "refusal" {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestAnEmptyAnswerIsOne: it has an end and no text.
func TestAnEmptyAnswerIsOne(t *testing.T) {
	for from, stream := range map[passport.Provider]string{
		passport.Anthropic: anthropicStart + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}` + "\n\n" + anthropicStop,
		passport.OpenAI:    `data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}` + "\n\n" + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + openaiDone,
		passport.Google:    `data: {"candidates":[{"content":{},"finishReason":"STOP"}]}` + "\n\n",
	} {
		for to, want := range map[passport.Provider]string{passport.OpenAI: "stop", passport.Anthropic: "end_turn"} {
			got, err := gather(to, play(t, back.New(to, from, info), stream))
			if err != nil || got.Text != "" || got.Stop != want || !got.Ended {
				t.Errorf("%s from %s: got %+v %v", to, from, got, err)
			}
		}
	}
}

// TestChoices: OpenAI has several, a message has one.
func TestChoices(t *testing.T) {
	const answer = `{"candidates":[{"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f"}}]},"finishReason":"STOP"},{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6}}`
	out, err := back.New(passport.OpenAI, passport.Google, info).Whole([]byte(answer))
	for _, want := range []string{`"index":0,"message":{"role":"assistant","content":"a"`, `"finish_reason":"tool_calls"`, `"index":1,"message":{"role":"assistant","content":"b"`, `"finish_reason":"length"`} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("got %s %v, want %s", out, err, want)
		}
	}
	streamed := play(t, back.New(passport.OpenAI, passport.Google, info), "data: "+answer+"\n\n")
	if got, err := gather(passport.OpenAI, streamed); err != nil || !got.Ended || got.Text != "a" || !strings.Contains(streamed, `{"index":1,"delta":{"content":"b"}`) {
		t.Errorf("got %s %v", streamed, err)
	}
	if out, err := back.New(passport.Anthropic, passport.Google, info).Whole([]byte(answer)); problem.KindOf(err) != problem.UpstreamFailed || err == nil {
		t.Errorf("got %s %v", out, err)
	}
}

// TestACallThatIsNoObject: a message has arguments as an object. Servers that speak OpenAI's format may say anything.
func TestACallThatIsNoObject(t *testing.T) {
	for arguments, ok := range map[string]bool{`{\"a\":1}`: true, ``: true, `[]`: false, `{`: false, `x`: false} {
		answer := `{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"` + arguments + `"}}]},"finish_reason":"tool_calls"}]}`
		out, err := back.New(passport.Anthropic, passport.OpenAI, info).Whole([]byte(answer))
		if (err == nil) != ok || err != nil && problem.KindOf(err) != problem.UpstreamFailed {
			t.Errorf("%s: got %s %v", arguments, out, err)
		}
	}
}

// TestWholeThatIsNone: what is no whole answer, or an error where an answer should be, is an error.
func TestWholeThatIsNone(t *testing.T) {
	for from, answers := range map[passport.Provider][]string{
		passport.Anthropic: {``, `{}`, `[]`, `{"type":"error","error":{"type":"api_error","message":"x"}}`, `{"type":"message","content":[]}`, `{"type":"message","content":[{"type":"added_later"}],"stop_reason":"end_turn"}`},
		passport.OpenAI:    {``, `{}`, `{"error":{"message":"x"}}`, `{"choices":[]}`, `{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":null}]}`},
		passport.Google:    {``, `{}`, `{"error":{"message":"x"}}`, `{"candidates":[]}`, `{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`, `{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`},
	} {
		for _, answer := range answers {
			for _, to := range callers {
				out, err := back.New(to, from, info).Whole([]byte(answer))
				if problem.KindOf(err) != problem.UpstreamFailed || err == nil {
					t.Errorf("%s from %s %q: got %s %v", to, from, answer, out, err)
				}
			}
		}
	}
}

// TestManyCalls: servers that give every call the index 0 tell them apart by id; there is a bound.
func TestManyCalls(t *testing.T) {
	call := func(index, id, name, arguments string) string {
		return fmt.Sprintf(`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":%s,"id":"%s","function":{"name":"%s","arguments":"%s"}}]}}]}`+"\n\n", index, id, name, arguments)
	}
	stream := call("0", "a", "f", "{}") + call("0", "b", "g", "{") + call("0", "b", "g", "}") + call("0", "", "", " ") + openaiEnds("tool_calls")
	for _, to := range callers {
		got, err := gather(to, play(t, back.New(to, passport.OpenAI, info), stream))
		if d := cmp.Diff([]called{{"a", "f", "{}"}, {"b", "g", "{} "}}, got.Calls); err != nil || d != "" {
			t.Errorf("%s: %s %v", to, d, err)
		}
	}
	c, n := back.New(passport.OpenAI, passport.OpenAI, info), 0
	for ; n < 5000; n++ {
		if _, err := c.Event([]byte(strings.TrimPrefix(strings.TrimSpace(call(fmt.Sprint(n), fmt.Sprint("c", n), "f", "")), "data: "))); err != nil {
			break
		}
	}
	if n != 1024 {
		t.Errorf("%d calls passed", n)
	}
	interleaved := call("0", "a", "f", "{") + call("1", "b", "g", "{}") + call("0", "", "", "}")
	if got, err := gather(passport.OpenAI, play(t, back.New(passport.OpenAI, passport.OpenAI, info), interleaved+openaiEnds("tool_calls"))); err != nil || got.Calls[0].Arguments != "{}" {
		t.Errorf("got %+v %v", got, err)
	}
	last := back.New(passport.Anthropic, passport.OpenAI, info)
	for i, e := range events(interleaved) {
		if _, err := last.Event([]byte(e)); (err != nil) != (i == 2) {
			t.Errorf("%s: got %v", e, err)
		}
	}
}

// TestUsageThatCannotBe is not told, or is 0.
func TestUsageThatCannotBe(t *testing.T) {
	for _, use := range []string{`"input_tokens":-1,"output_tokens":1`, `"input_tokens":1,"output_tokens":9223372036854775807`,
		`"input_tokens":9223372036854775807,"output_tokens":1,"cache_read_input_tokens":9223372036854775807`, `"input_tokens":1,"output_tokens":1,"output_tokens_details":{"thinking_tokens":2}`} {
		answer := `{"type":"message","content":[],"stop_reason":"end_turn","usage":{` + use + `}}`
		out, err := back.New(passport.OpenAI, passport.Anthropic, info).Whole([]byte(answer))
		if err != nil || strings.Contains(string(out), "usage") {
			t.Errorf("%s: got %s %v", use, out, err)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	i := back.Info{Model: "m", Embeddings: true}
	const answer = `{"embeddings":[{"values":[0.5,-1,1e-3]},{"values":[0.25,0.0123456789,2]}],"usageMetadata":{"promptTokenCount":7}}`
	out, err := back.New(passport.OpenAI, passport.Google, i).Whole([]byte(answer))
	const want = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1,1e-3]},{"object":"embedding","index":1,"embedding":[0.25,0.0123456789,2]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}`
	if err != nil || string(out) != want {
		t.Errorf("got %s %v", out, err)
	}
	i.Base64 = true
	out, err = back.New(passport.OpenAI, passport.Google, i).Whole([]byte(answer))
	var list struct{ Data []struct{ Embedding string } }
	if err != nil || json.Unmarshal(out, &list) != nil || len(list.Data) != 2 {
		t.Fatalf("got %s %v", out, err)
	}
	b, err := base64.StdEncoding.DecodeString(list.Data[0].Embedding)
	if err != nil || !bytes.Equal(b, []byte{0, 0, 0, 0x3f, 0, 0, 0x80, 0xbf, 0x6f, 0x12, 0x83, 0x3a}) {
		t.Errorf("got %x %v", b, err)
	}
	for _, bad := range []string{`{}`, `{"embeddings":[]}`, `{"error":{"code":400}}`, `[]`, `{"embeddings":[{"values":["x"]}]}`, `{"embeddings":[{"values":[1e99]}]}`, `{"embeddings":[{"values":[null]}]}`} {
		if out, err := back.New(passport.OpenAI, passport.Google, i).Whole([]byte(bad)); problem.KindOf(err) != problem.UpstreamFailed || err == nil {
			t.Errorf("%s: got %s %v", bad, out, err)
		}
	}
}

// TestErrorsInOtherWords: what the classes of the official clients and the apps look at: status, type and code.
func TestErrorsInOtherWords(t *testing.T) {
	for _, c := range []struct {
		in                dialect.Upstream
		openai, anthropic string
	}{
		{dialect.Upstream{Status: 400, Type: "invalid_request_error"}, "400 invalid_request_error invalid_request_error", "400 invalid_request_error "},
		{dialect.Upstream{Status: 404, Type: "not_found_error"}, "404 invalid_request_error model_not_found", "404 not_found_error "},
		{dialect.Upstream{Status: 413, Type: "request_too_large"}, "413 invalid_request_error request_too_large", "413 request_too_large "},
		{dialect.Upstream{Status: 429, Type: "rate_limit_error"}, "429 requests rate_limit_exceeded", "429 rate_limit_error "},
		{dialect.Upstream{Status: 500, Type: "api_error"}, "500 server_error api_error", "500 api_error "},
		{dialect.Upstream{Status: 504, Type: "timeout_error"}, "504 server_error timeout_error", "504 timeout_error "},
		{dialect.Upstream{Status: 529, Type: "overloaded_error"}, "503 server_error overloaded_error", "529 overloaded_error "},
		{dialect.Upstream{Status: 400, Type: "INVALID_ARGUMENT"}, "400 invalid_request_error INVALID_ARGUMENT", "400 invalid_request_error "},
		{dialect.Upstream{Status: 404, Type: "NOT_FOUND"}, "404 invalid_request_error model_not_found", "404 not_found_error "},
		{dialect.Upstream{Status: 429, Type: "RESOURCE_EXHAUSTED"}, "429 requests rate_limit_exceeded", "429 rate_limit_error "},
		{dialect.Upstream{Status: 500, Type: "INTERNAL"}, "500 server_error INTERNAL", "500 api_error "},
		{dialect.Upstream{Status: 503, Type: "UNAVAILABLE"}, "503 server_error UNAVAILABLE", "529 overloaded_error "},
		{dialect.Upstream{Status: 429, Type: "insufficient_quota", Code: "insufficient_quota"}, "429 insufficient_quota insufficient_quota", "429 rate_limit_error "},
		{dialect.Upstream{Status: 429, Type: "tokens", Code: "rate_limit_exceeded"}, "429 requests rate_limit_exceeded", "429 rate_limit_error "},
		{dialect.Upstream{Status: 400, Type: "invalid_request_error", Code: "context_length_exceeded", Param: "messages"}, "400 invalid_request_error context_length_exceeded", "400 invalid_request_error "},
		{dialect.Upstream{Status: 422, Type: "x"}, "422 invalid_request_error x", "422 invalid_request_error "},
		{dialect.Upstream{Status: 502}, "502 server_error ", "502 api_error "},
		{dialect.Upstream{Status: 200}, "502 server_error ", "502 api_error "},
	} {
		c.in.Message = "why"
		for to, want := range map[passport.Provider]string{passport.OpenAI: c.openai, passport.Anthropic: c.anthropic} {
			u := back.Error(to, c.in)
			if got := fmt.Sprint(u.Status, " ", u.Type, " ", u.Code); got != want || u.Message != "why" || u.Param != "" {
				t.Errorf("%s of %+v: got %+v, want %s", to, c.in, u, want)
			}
		}
	}
	if u := back.Error(passport.Google, dialect.Upstream{Status: 529, Type: "overloaded_error"}); u.Type != "" || u.Status != 529 {
		t.Errorf("got %+v", u)
	}
}

// TestFormatsThatAreNotTurned: there is no converter for them.
func TestFormatsThatAreNotTurned(t *testing.T) {
	for _, c := range [][2]passport.Provider{{passport.Google, passport.OpenAI}, {"", passport.OpenAI}, {passport.OpenAI, ""}, {passport.OpenAI, "mistral"}} {
		if back.New(c[0], c[1], info) != nil {
			t.Errorf("%v: got one", c)
		}
	}
}

// FuzzBack: whatever a provider answers, a converter does not panic, gives no more than a bound times what it got, and what goes out is what
// the official clients take: also of a stream that breaks off anywhere.
func FuzzBack(f *testing.F) {
	for file, from := range recorded {
		f.Add(uint8(slices.Index(providers, from)), read(f, file))
	}
	for _, e := range []string{anthropicEnds("refusal", ""), openaiEnds("stop"), googleEnds("SAFETY"), googleEnds("OTHER")} {
		for i := range providers {
			f.Add(uint8(i), e)
		}
	}
	f.Fuzz(func(t *testing.T, provider uint8, answer string) {
		from := providers[int(provider)%len(providers)]
		for _, to := range callers {
			checkStream(t, back.New(to, from, info), to, answer)
			checkWhole(t, back.New(to, from, info), to, answer)
		}
	})
}

func checkStream(t *testing.T, c *back.Converter, to passport.Provider, answer string) {
	var out bytes.Buffer
	failed := false
	for _, e := range events(answer) {
		b, err := c.Event([]byte(e))
		if err != nil && problem.KindOf(err) != problem.UpstreamFailed {
			t.Fatalf("%q: %v", e, err)
		}
		if failed && len(b) > 0 {
			t.Fatalf("%q: %q goes on behind an error", e, b)
		}
		failed = failed || err != nil
		if most := 1000 + 500*len(e); len(b) > most {
			t.Fatalf("%d bytes became %d", len(e), len(b))
		}
		out.Write(b)
	}
	if s, err := gather(to, out.String()); err != nil || s.Ended {
		t.Fatalf("before the end: %+v %v", s, err)
	}
	out.Write(c.End())
	s, err := gather(to, out.String())
	if err != nil || s.Ended && (s.Failed || failed) || !s.Ended && !s.Failed && !failed {
		t.Fatalf("at the end: %+v %v, failed %v, of %q", s, err, failed, out.String())
	}
}

func checkWhole(t *testing.T, c *back.Converter, to passport.Provider, answer string) {
	out, err := c.Whole([]byte(answer))
	if err != nil {
		if problem.KindOf(err) != problem.UpstreamFailed || out != nil {
			t.Fatalf("got %q %v", out, err)
		}
		return
	}
	if _, err := gatherWhole(to, string(out)); err != nil {
		t.Fatal(err)
	}
}
