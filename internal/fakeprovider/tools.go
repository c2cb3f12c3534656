package fakeprovider

import (
	"fmt"
	"strings"
)

// hasText says whether an answer has a block of text: one that only calls tools has none.
func (r reply) hasText() bool { return len(r.text) > 0 || len(r.tools) == 0 }

// toolID is the id of the i-th call in the form of the dialect that begins its ids so.
func (r reply) toolID(begin string, i int) string { return fmt.Sprintf("%s_%s_%d", begin, r.id, i) }

// halves cuts a tool's input in two, so that whoever reads a stream has to put it together again.
func (t Tool) halves() [2]string {
	n := len(t.Input) / 2
	return [2]string{t.Input[:n], t.Input[n:]}
}

func (r reply) finishReason() string {
	if len(r.tools) > 0 && r.finish == "stop" {
		return "tool_calls"
	}
	return r.finish
}

func (r reply) openAIContent(text string) string {
	if !r.hasText() {
		return "null"
	}
	return quote(text)
}

// openAITools is the member tool_calls of a message, with a comma before it
// (https://platform.openai.com/docs/api-reference/chat/object: tool_calls[].function.arguments is JSON in a string).
func (r reply) openAITools() string {
	var calls []string
	for i, t := range r.tools {
		calls = append(calls, fmt.Sprintf(`{"id":"%s","type":"function","function":{"name":%s,"arguments":%s}}`, r.toolID("call", i), quote(t.Name), quote(t.Input)))
	}
	if calls == nil {
		return ""
	}
	return `,"tool_calls":[` + strings.Join(calls, ",") + "]"
}

// openAIToolDeltas are the tool_calls of a stream's deltas: the first of a call has id, type and name, all have its index.
func (r reply) openAIToolDeltas() []string {
	var deltas []string
	for i, t := range r.tools {
		deltas = append(deltas, fmt.Sprintf(`{"index":%d,"id":"%s","type":"function","function":{"name":%s,"arguments":""}}`, i, r.toolID("call", i), quote(t.Name)))
		for _, part := range t.halves() {
			deltas = append(deltas, fmt.Sprintf(`{"index":%d,"function":{"arguments":%s}}`, i, quote(part)))
		}
	}
	return deltas
}

// anthropicContent are the blocks of a message (https://docs.anthropic.com/en/api/messages: tool_use).
func (r reply) anthropicContent(text string) []string {
	var blocks []string
	if r.hasText() {
		blocks = append(blocks, `{"type":"text","text":`+quote(text)+`}`)
	}
	for i, t := range r.tools {
		blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":"%s","name":%s,"input":%s}`, r.toolID("toolu", i), quote(t.Name), t.Input))
	}
	return blocks
}

// anthropicToolBlocks are the events of a stream's tool_use blocks, whose input comes as pieces of JSON text
// (https://docs.anthropic.com/en/docs/build-with-claude/streaming: input_json_delta).
func (r reply) anthropicToolBlocks(ev func(name, format string, args ...any) string) string {
	var b strings.Builder
	first := 0
	if r.hasText() {
		first = 1
	}
	for i, t := range r.tools {
		n := first + i
		b.WriteString(ev("content_block_start", `,"index":%d,"content_block":{"type":"tool_use","id":"%s","name":%s,"input":{}}`, n, r.toolID("toolu", i), quote(t.Name)))
		for _, part := range t.halves() {
			b.WriteString(ev("content_block_delta", `,"index":%d,"delta":{"type":"input_json_delta","partial_json":%s}`, n, quote(part)))
		}
		b.WriteString(ev("content_block_stop", `,"index":%d`, n))
	}
	return b.String()
}

// googleParts are the parts of a chunk; calls of tools come whole, in the last one
// (https://ai.google.dev/api/caching#FunctionCall: args is an object, an id is optional).
func (r reply) googleParts(text string, last bool) []string {
	var parts []string
	if text != "" || !last || len(r.tools) == 0 {
		parts = append(parts, `{"text":`+quote(text)+`}`)
	}
	for _, t := range r.tools {
		if last {
			parts = append(parts, fmt.Sprintf(`{"functionCall":{"name":%s,"args":%s}}`, quote(t.Name), t.Input))
		}
	}
	return parts
}
