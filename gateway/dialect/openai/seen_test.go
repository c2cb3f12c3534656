package openai_test

import (
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/passport"
)

func chunk(choice string) string {
	return `data: {"choices":[` + choice + `],"usage":null}` + "\n\n"
}

// TestWhatIsSeenOfAStream: the bytes of all that the model says, and whether that is all that it can be billed for.
func TestWhatIsSeenOfAStream(t *testing.T) {
	told := "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n"
	text := chunk(`{"index":0,"delta":{"content":"some \"words\""}}`)
	for _, c := range []struct {
		name, members, answer string
		texts                 []string
		most                  int64
		plain                 bool
		usage                 passport.Usage
	}{
		{"recorded", asks, file(t, "stream.sse"), []string{"Hel", "lo", "ü"}, 60, true, passport.Usage{Known: true, Input: 19, Output: 10, Reasoning: 4}},
		{"nothing", streams, "", nil, 0, true, passport.Usage{}},
		{"text", streams, text, []string{`some \"words\"`}, 14, true, passport.Usage{}},
		{"several in a chunk", streams, chunk(`{"index":0,"delta":{"content":"one"}},{"index":1,"delta":{"content":"two"}}`), []string{"one", "two"}, 6, true, passport.Usage{}},
		{"a tool call", streams, chunk(`{"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}}`), []string{`{\"a\":1}`}, 60, true, passport.Usage{}},
		{"an escape", streams, chunk(`{"delta":{"content":"\u00e9\ud83d\ude00"}}`), []string{`\u00e9\ud83d\ude00`}, 18, true, passport.Usage{}},
		{"a text that looks like more", streams, chunk(`{"delta":{"content":"\"delta\":{\"content\":\"x"}}`), nil, 40, true, passport.Usage{}},
		{"thoughts that are shown", streams, chunk(`{"delta":{"reasoning_content":"hm"}}`), []string{"hm"}, 2, true, passport.Usage{}},
		{"with usage", streams, text + told, []string{"some"}, 14, true, passport.Usage{Known: true, Input: 9, Output: 4}},
		{"usage and more text", streams, told + text, []string{"some"}, 14, true, passport.Usage{Known: true, Input: 9, Output: 4}},
		{"usage that shrinks", streams, told + strings.Replace(told, ":4}", ":3}", 1), nil, 0, false, passport.Usage{}},
		{"an effort of reasoning", streams + `,"reasoning_effort":"low"`, text, nil, 14, false, passport.Usage{}},
		{"an error", streams, "data: {\"error\":{\"message\":\"x\"}}\n\n", nil, 0, false, passport.Usage{}},
		{"another dear tier", streams, strings.Replace(told, `"usage"`, `"service_tier":"priority","usage"`, 1), nil, 0, false, passport.Usage{}},
		{"space before the colon", streams, chunk(`{"delta" :{"content":"words"}}`), nil, 0, false, passport.Usage{}},
		{"usage that cannot be read", streams, strings.Replace(told, ":4}", ":4e9}", 1), nil, 0, false, passport.Usage{}},
		{"no stream", streams, file(t, "unary.json"), nil, 0, false, passport.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := dialecttest.Counts(t, tap(t, c.members), []byte(c.answer), c.texts...)
			if s.Plain != c.plain || s.Usage != c.usage || s.Bytes > c.most {
				t.Errorf("got %+v, want plain %v, %+v, at most %d", s, c.plain, c.usage, c.most)
			}
			if whole := strings.Contains(c.answer, "[DONE]") || c.name == "no stream"; s.Whole != whole {
				t.Errorf("whole %v", s.Whole)
			}
		})
	}
}
