package fakeprovider

import (
	"fmt"
	"strings"
)

// response is the object of https://platform.openai.com/docs/api-reference/responses/object. status: in_progress, completed or incomplete.
func (r reply) response(status string) string {
	var output []string
	usage, why := `,"usage":null`, "null"
	if status != "in_progress" {
		usage = r.usageMember(fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":%d,`+
			`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, r.tokens.Input, r.tokens.Output, r.tokens.Input+r.tokens.Output))
		output = r.outputItems()
	}
	if status == "incomplete" {
		why = `{"reason":"max_output_tokens"}`
	}
	return fmt.Sprintf(`{"id":"resp_%s","object":"response","created_at":%d,"status":"%s","background":false,"error":null,"incomplete_details":%s,`+
		`"instructions":null,"max_output_tokens":%d,"model":%s,"output":[%s],"parallel_tool_calls":true,"previous_response_id":null,`+
		`"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":false,"temperature":1.0,"text":{"format":{"type":"text"}},`+
		`"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled"%s,"user":null,"metadata":{}}`,
		r.id, created, status, why, r.ask.maxOutput, quote(r.model), strings.Join(output, ","), usage)
}

// ended is how a response ends.
func (r reply) ended() string {
	if r.finish == "length" {
		return "incomplete"
	}
	return "completed"
}

func (r reply) messageItem(status, content string) string {
	return fmt.Sprintf(`{"id":"msg_%s","type":"message","status":"%s","role":"assistant","content":[%s]}`, r.id, status, content)
}

func textPart(text string) string {
	return fmt.Sprintf(`{"type":"output_text","text":%s,"annotations":[],"logprobs":[]}`, quote(text))
}

func (r reply) callItem(i int, t Tool, status, arguments string) string {
	return fmt.Sprintf(`{"id":"%s","type":"function_call","status":"%s","call_id":"%s","name":%s,"arguments":%s}`,
		r.toolID("fc", i), status, r.toolID("call", i), quote(t.Name), quote(arguments))
}

func (r reply) outputItems() (items []string) {
	if r.hasText() {
		items = append(items, r.messageItem("completed", textPart(strings.Join(r.text, ""))))
	}
	for i, t := range r.tools {
		items = append(items, r.callItem(i, t, "completed", t.Input))
	}
	return items
}

// responseStream follows https://platform.openai.com/docs/api-reference/responses-streaming: each event has its name twice and a number.
func (r reply) responseStream() (head string, pieces []string, tail string) {
	n := -1
	ev := func(kind, format string, args ...any) string {
		n++
		return "event: " + kind + "\ndata: " + fmt.Sprintf(`{"type":"%s","sequence_number":%d`, kind, n) + fmt.Sprintf(format, args...) + "}\n\n"
	}
	head = ev("response.created", `,"response":%s`, r.response("in_progress")) + ev("response.in_progress", `,"response":%s`, r.response("in_progress"))
	at := 0
	if r.hasText() {
		part := fmt.Sprintf(`,"item_id":"msg_%s","output_index":0,"content_index":0`, r.id)
		head += ev("response.output_item.added", `,"output_index":0,"item":%s`, r.messageItem("in_progress", "")) +
			ev("response.content_part.added", `%s,"part":%s`, part, textPart(""))
		for _, t := range r.text {
			pieces = append(pieces, ev("response.output_text.delta", `%s,"delta":%s,"logprobs":[],"obfuscation":"aB3"`, part, quote(t)))
		}
		whole := strings.Join(r.text, "")
		tail = ev("response.output_text.done", `%s,"text":%s,"logprobs":[]`, part, quote(whole)) +
			ev("response.content_part.done", `%s,"part":%s`, part, textPart(whole)) +
			ev("response.output_item.done", `,"output_index":0,"item":%s`, r.messageItem("completed", textPart(whole)))
		at++
	}
	for i, t := range r.tools {
		item := fmt.Sprintf(`,"item_id":"%s","output_index":%d`, r.toolID("fc", i), at)
		tail += ev("response.output_item.added", `,"output_index":%d,"item":%s`, at, r.callItem(i, t, "in_progress", ""))
		for _, half := range t.halves() {
			tail += ev("response.function_call_arguments.delta", `%s,"delta":%s,"obfuscation":"x"`, item, quote(half))
		}
		tail += ev("response.function_call_arguments.done", `%s,"arguments":%s`, item, quote(t.Input)) +
			ev("response.output_item.done", `,"output_index":%d,"item":%s`, at, r.callItem(i, t, "completed", t.Input))
		at++
	}
	return head, pieces, tail + ev("response."+r.ended(), `,"response":%s`, r.response(r.ended()))
}
