package anthropic_test

import (
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/passport"
)

// TestWhatIsSeenOfAStream: the input from the start, the bytes of all that the model says, and whether that is all that it can be billed for.
func TestWhatIsSeenOfAStream(t *testing.T) {
	ev := func(data string) string { return "event: x\ndata: " + data + "\n\n" }
	start := ev(`{"type":"message_start","message":{"usage":{"input_tokens":25,"cache_read_input_tokens":10,"output_tokens":1}}}`)
	block := ev(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	text := ev(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some \"words\""}}`)
	told := passport.Usage{Known: true, Input: 35, CacheRead: 10, Output: 1}
	for _, c := range []struct {
		name, members, answer string
		texts                 []string
		most                  int64
		plain                 bool
		usage                 passport.Usage
	}{
		{"recorded", "", file(t, "stream.sse"), []string{"Hello", "!"}, 80, true, passport.Usage{Known: true, Input: 1325, CacheRead: 1000, CacheWrite: 200, CacheWrite1h: 100, Output: 15, Reasoning: 6}},
		{"nothing", "", "", nil, 0, false, passport.Usage{}},
		{"no block yet", "", start + ev(`{"type": "ping"}`), nil, 0, false, told},
		{"text", "", start + block + text, []string{`some \"words\"`}, 40, true, told},
		{"text that speaks of events", "", start + block + strings.Replace(text, "some", `\"message_stop\" \"error\"`, 1), []string{"words"}, 70, true, told},
		{"a tool call", "", start + ev(`{"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`) +
			ev(`{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`), []string{`{\"a\":1}`}, 60, true, told},
		{"thinking", "", start + ev(`{"type":"content_block_start","content_block":{"type":"thinking","thinking":""}}`) + block + text, nil, 80, false, told},
		{"thinking that is hidden", "", start + ev(`{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}`) + block + text, nil, 80, false, told},
		{"thinking was asked for", `,"thinking":{"type":"enabled","budget_tokens":1024}`, start + block + text, nil, 40, false, told},
		{"thinking was switched off", `,"thinking":{"type":"disabled"}`, start + block + text, nil, 40, true, told},
		{"a hosted tool", "", start + ev(`{"type":"content_block_start","content_block":{"type":"server_tool_use","id":"t"}}`), nil, 40, false, told},
		{"an event of tomorrow", "", start + block + text + ev(`{"type":"surprise"}`), nil, 40, false, told},
		{"an event that cannot be read", "", start + block + text + ev(`{"type":"message_`), nil, 40, false, passport.Usage{}},
		{"space in the type", "", start + block + strings.Replace(text, `"type":"content`, `"type": "content`, 1), nil, 40, false, told},
		{"an error", "", start + block + text + ev(`{"type":"error","error":{"type":"overloaded_error"}}`), nil, 40, false, passport.Usage{}},
		{"a second start", "", start + start + block, nil, 40, false, passport.Usage{}},
		{"output that shrinks", "", start + block + ev(`{"type":"message_delta","usage":{"output_tokens":0}}`), nil, 40, false, passport.Usage{}},
		{"no stream", "", file(t, "unary.json"), nil, 0, false, passport.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := anthropic.New().Read(in(`{"model":"m",` + hello + c.members + `}`))
			if err != nil {
				t.Fatal(err)
			}
			s := dialecttest.Counts(t, func() dialect.Tap { return r.Tap() }, []byte(c.answer), c.texts...)
			if s.Plain != c.plain || s.Usage != c.usage || s.Bytes > c.most {
				t.Errorf("got %+v, want plain %v, %+v, at most %d", s, c.plain, c.usage, c.most)
			}
		})
	}
}
