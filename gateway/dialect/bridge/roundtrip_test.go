package bridge_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect/bridge"
	"github.com/devrelopers/aipassport/passport"
)

// talker makes up chat completions that Anthropic's format has words for.
type talker struct{ *rand.Rand }

func (r talker) text() string {
	words := []string{"hi", "", " ", "wörld", "雪", "\"quoted\"", "\\", "\n", "\u0000", "<&>", "{}", "[DONE]", "\u2028", "😀"}
	n := 1 + r.IntN(4)
	var out []string
	for range n {
		out = append(out, words[r.IntN(len(words))])
	}
	return "x" + strings.Join(out, " ") // never empty: empty texts are left out
}

func (r talker) chance(n int) bool { return r.IntN(n) == 0 }

type members map[string]any

// body is a whole request.
func (r talker) body() members {
	b := members{"model": "m", "max_tokens": 1 + r.IntN(5000)}
	var messages []any
	if r.chance(2) {
		messages = append(messages, members{"role": "system", "content": r.text()})
	}
	for range 1 + r.IntN(4) {
		messages = append(messages, r.turn(len(messages))...)
	}
	b["messages"] = messages
	if r.chance(2) {
		var tools []any
		for i := range 1 + r.IntN(3) {
			f := members{"name": fmt.Sprint("f", i), "description": r.text(), "parameters": members{"type": "object", "title": r.text()}}
			if r.chance(2) {
				f["strict"] = true
			}
			tools = append(tools, members{"type": "function", "function": f})
		}
		b["tools"] = tools
		b["tool_choice"] = []any{"auto", "none", "required", members{"type": "function", "function": members{"name": "f0"}}}[r.IntN(4)]
		if b["tool_choice"] != "none" && r.chance(3) {
			b["parallel_tool_calls"] = false
		}
	}
	for name, v := range map[string]any{"temperature": json.Number("0.5"), "top_p": json.Number("0.1"), "stop": []any{r.text()}, "user": "u",
		"response_format": members{"type": "json_schema", "json_schema": members{"name": "answer", "strict": true, "schema": members{"type": "object"}}}} {
		if r.chance(2) {
			b[name] = v
		}
	}
	return b
}

// turn is a user's message, and perhaps an answer with calls and their results.
func (r talker) turn(n int) []any {
	out := []any{members{"role": "user", "content": r.text()}}
	if r.chance(3) {
		out = []any{members{"role": "user", "content": []any{members{"type": "text", "text": r.text()}, members{"type": "image_url", "image_url": members{"url": "data:image/png;base64,AAAA"}}}}}
	}
	if r.chance(3) {
		return append(out, members{"role": "assistant", "content": r.text()})
	}
	if r.chance(2) {
		return out
	}
	var calls, results []any
	for i := range 1 + r.IntN(3) {
		id := fmt.Sprintf("call_%d_%d", n, i)
		calls = append(calls, members{"id": id, "type": "function", "function": members{"name": "f0", "arguments": string(must(members{"a": r.text(), "n": json.Number("12345678901234567890")}))}})
		results = append(results, members{"role": "tool", "tool_call_id": id, "content": r.text()})
	}
	return append(append(out, members{"role": "assistant", "content": nil, "tool_calls": calls}), results...)
}

func must(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// plainly is a request without the freedom that its format leaves: texts as lists of parts, messages of one side in one.
func plainly(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var b map[string]any
	if err := d.Decode(&b); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, v := range b["messages"].([]any) {
		m := v.(map[string]any)
		parts, listed := m["content"].([]any)
		if s, ok := m["content"].(string); ok && !listed {
			parts = []any{map[string]any{"type": "text", "text": s}}
		}
		for _, p := range parts {
			said = append(said, fmt.Sprint(m["role"], m["tool_call_id"], string(must(p))))
		}
		for _, c := range list(m["tool_calls"]) {
			said = append(said, "calls "+string(must(c)))
		}
	}
	b["messages"] = said
	return b
}

func list(v any) []any { l, _ := v.([]any); return l }

// TestARoundTripKeepsTheMeaning: a chat completion written for Anthropic, and that for OpenAI again, says what it said.
func TestARoundTripKeepsTheMeaning(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := talker{rand.New(rand.NewPCG(seed, 0))}
	for range 500 {
		body := must(r.body())
		there, err := bridge.Read(passport.OpenAI, passport.Anthropic, "m", body)
		if err != nil {
			t.Fatalf("%s\n%v", body, err)
		}
		again, err := bridge.Read(passport.Anthropic, passport.OpenAI, "m", there.In.Body)
		if err != nil {
			t.Fatalf("%s\n%v", there.In.Body, err)
		}
		if d := cmp.Diff(plainly(t, body), plainly(t, again.In.Body)); d != "" {
			t.Fatalf("%s\nbecame\n%s\nand then\n%s\n%s", body, there.In.Body, again.In.Body, d)
		}
	}
}
