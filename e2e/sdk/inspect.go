package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// inspect says what is wrong with a call as the provider got it, beside what the fake itself finds.
func inspect(c open, r *fakeprovider.Request) []string {
	wrong := slices.Clone(r.Wrong)
	say := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	t := targets[c.Target]
	say(!strings.HasPrefix(r.Path, t.paths), "%s went to %s", c.Target, r.Path)
	say(r.RawQuery != "" && r.RawQuery != "alt=sse", "the query is %s", r.RawQuery)
	for name, values := range r.Header {
		all := strings.Join(values, ", ")
		say(strings.Contains(all, c.token), "the app's token is in %s", name)
		for _, own := range []string{"X-Stainless", "Cookie", "Aipassport", "Idempotency", "X-Goog-Api-Client", "Http-Referer", "Origin"} {
			say(strings.HasPrefix(name, own), "the app's header %s went upstream", name)
		}
	}
	say(strings.Contains(string(r.Body), c.token), "the app's token is in the body")
	say(strings.Contains(string(r.Body), "name-of-a-file"), "the name of the app's file went upstream")
	var body map[string]any
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return wrong // the fake told so, if it should have been JSON
	}
	switch {
	case r.Path == "/v1/chat/completions":
		wrong = append(wrong, chatBody(body)...)
	case r.Path == "/v1/responses":
		wrong = append(wrong, responsesBody(body)...)
	case r.Path == "/v1/messages":
		wrong = append(wrong, messagesBody(body)...)
	case strings.HasSuffix(r.Path, "enerateContent"):
		wrong = append(wrong, generateBody(body)...)
	}
	return wrong
}

// list is a member that is an array of objects.
func list(m map[string]any, name string) []map[string]any {
	var out []map[string]any
	items, _ := m[name].([]any)
	for _, i := range items {
		if o, ok := i.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

func object(m map[string]any, name string) map[string]any {
	o, _ := m[name].(map[string]any)
	return o
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// unknown are the members that the provider's reference does not have.
func unknown(body map[string]any, known string) []string {
	var wrong []string
	for name := range body {
		if !slices.Contains(strings.Fields(known), name) {
			wrong = append(wrong, "the provider knows no member "+name)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// chatBody checks a body by https://platform.openai.com/docs/api-reference/chat/create.
func chatBody(body map[string]any) []string {
	wrong := unknown(body, "model messages stream stream_options max_tokens max_completion_tokens temperature top_p n stop tools tool_choice "+
		"parallel_tool_calls response_format reasoning_effort seed user presence_penalty frequency_penalty logprobs top_logprobs logit_bias store metadata "+
		"service_tier safety_identifier prompt_cache_key verbosity modalities audio")
	messages := list(body, "messages")
	if len(messages) == 0 {
		wrong = append(wrong, "there are no messages")
	}
	if body["stream_options"] != nil && body["stream"] != true {
		wrong = append(wrong, "stream_options without stream")
	}
	called := map[string]bool{}
	for i, m := range messages {
		role := text(m, "role")
		if !slices.Contains([]string{"system", "developer", "user", "assistant", "tool"}, role) {
			wrong = append(wrong, fmt.Sprintf("messages[%d] has the role %q", i, role))
		}
		for _, call := range list(m, "tool_calls") {
			called[text(call, "id")] = true
			if f := object(call, "function"); text(f, "name") == "" || !json.Valid([]byte(text(f, "arguments"))) {
				wrong = append(wrong, fmt.Sprintf("messages[%d] has a call of a tool without name or with arguments that are no JSON", i))
			}
		}
		if role == "tool" && !called[text(m, "tool_call_id")] {
			wrong = append(wrong, fmt.Sprintf("messages[%d] answers the call %q, which nobody made", i, text(m, "tool_call_id")))
		}
		if m["content"] == nil && m["tool_calls"] == nil && m["refusal"] == nil {
			wrong = append(wrong, fmt.Sprintf("messages[%d] has no content", i))
		}
	}
	for i, t := range list(body, "tools") {
		if f := object(t, "function"); text(t, "type") != "function" || text(f, "name") == "" {
			wrong = append(wrong, fmt.Sprintf("tools[%d] is no function with a name", i))
		}
	}
	return wrong
}

// responsesBody checks a body by https://platform.openai.com/docs/api-reference/responses/create.
func responsesBody(body map[string]any) []string {
	wrong := unknown(body, "model input instructions max_output_tokens max_tool_calls temperature top_p top_logprobs tools tool_choice parallel_tool_calls "+
		"text reasoning include store stream stream_options truncation user metadata service_tier safety_identifier prompt_cache_key background")
	called := map[string]bool{}
	for i, item := range list(body, "input") {
		switch text(item, "type") {
		case "function_call":
			called[text(item, "call_id")] = true
			if text(item, "name") == "" || !json.Valid([]byte(text(item, "arguments"))) {
				wrong = append(wrong, fmt.Sprintf("input[%d] is a call of a tool without name or with arguments that are no JSON", i))
			}
		case "function_call_output":
			if !called[text(item, "call_id")] {
				wrong = append(wrong, fmt.Sprintf("input[%d] answers the call %q, which nobody made", i, text(item, "call_id")))
			}
		case "", "message":
			if text(item, "role") == "" || item["content"] == nil {
				wrong = append(wrong, fmt.Sprintf("input[%d] is a message without role or content", i))
			}
		default:
			wrong = append(wrong, fmt.Sprintf("input[%d] has the type %q", i, text(item, "type")))
		}
	}
	for i, t := range list(body, "tools") {
		if text(t, "type") != "function" || text(t, "name") == "" || object(t, "parameters") == nil {
			wrong = append(wrong, fmt.Sprintf("tools[%d] is no function with a name and parameters", i))
		}
	}
	return wrong
}

// messagesBody checks a body by https://docs.anthropic.com/en/api/messages.
func messagesBody(body map[string]any) []string {
	wrong := unknown(body, "model messages max_tokens system stream temperature top_p top_k stop_sequences tools tool_choice thinking metadata "+
		"output_config output_format service_tier cache_control context_management")
	if n, _ := body["max_tokens"].(float64); n < 1 {
		wrong = append(wrong, "there is no max_tokens")
	}
	messages := list(body, "messages")
	if len(messages) == 0 {
		wrong = append(wrong, "there are no messages")
	}
	called := map[string]bool{}
	for i, m := range messages {
		if role := text(m, "role"); role != "user" && role != "assistant" {
			wrong = append(wrong, fmt.Sprintf("messages[%d] has the role %q", i, role))
		}
		if text(m, "content") == "" && len(list(m, "content")) == 0 {
			wrong = append(wrong, fmt.Sprintf("messages[%d] has no content", i))
		}
		for _, block := range list(m, "content") {
			switch text(block, "type") {
			case "tool_use":
				called[text(block, "id")] = true
				if object(block, "input") == nil {
					wrong = append(wrong, fmt.Sprintf("messages[%d] has a tool_use whose input is no object", i))
				}
			case "tool_result":
				if !called[text(block, "tool_use_id")] {
					wrong = append(wrong, fmt.Sprintf("messages[%d] answers the call %q, which nobody made", i, text(block, "tool_use_id")))
				}
			case "text", "image", "thinking", "redacted_thinking":
			default:
				wrong = append(wrong, fmt.Sprintf("messages[%d] has a block of type %q", i, text(block, "type")))
			}
		}
	}
	for i, t := range list(body, "tools") {
		if text(t, "name") == "" || text(t, "type") != "" && text(t, "type") != "custom" || object(t, "input_schema") == nil {
			wrong = append(wrong, fmt.Sprintf("tools[%d] has no name or no input_schema", i))
		}
	}
	return wrong
}

// generateBody checks a body by https://ai.google.dev/api/generate-content#method:-models.generatecontent.
func generateBody(body map[string]any) []string {
	wrong := unknown(body, "contents systemInstruction tools toolConfig generationConfig safetySettings model")
	contents := list(body, "contents")
	if len(contents) == 0 {
		wrong = append(wrong, "there are no contents")
	}
	called := map[string]bool{}
	for i, c := range contents {
		if role := text(c, "role"); role != "user" && role != "model" && role != "" {
			wrong = append(wrong, fmt.Sprintf("contents[%d] has the role %q", i, role))
		}
		parts := list(c, "parts")
		if len(parts) == 0 {
			wrong = append(wrong, fmt.Sprintf("contents[%d] has no parts", i))
		}
		for j, p := range parts {
			n := 0
			for _, data := range []string{"text", "inlineData", "functionCall", "functionResponse"} {
				if p[data] != nil {
					n++
				}
			}
			if n != 1 {
				wrong = append(wrong, fmt.Sprintf("contents[%d].parts[%d] has %d kinds of data, want 1", i, j, n))
			}
			if f := object(p, "functionCall"); f != nil {
				called[text(f, "name")] = true
			}
			if f := object(p, "functionResponse"); f != nil && (!called[text(f, "name")] || object(f, "response") == nil) {
				wrong = append(wrong, fmt.Sprintf("contents[%d].parts[%d] answers the function %q, which nobody called, or with no object", i, j, text(f, "name")))
			}
		}
	}
	for i, t := range list(body, "tools") {
		for _, f := range list(t, "functionDeclarations") {
			if text(f, "name") == "" {
				wrong = append(wrong, fmt.Sprintf("tools[%d] has a function without a name", i))
			}
		}
	}
	return wrong
}
