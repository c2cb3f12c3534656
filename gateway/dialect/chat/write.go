package chat

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/internal/fields"
)

// object is a JSON object of ours; members that are nil are left out by set.
type object map[string]any

func (b object) set(name string, v any, there bool) {
	if there {
		b[name] = v
	}
}

// openai writes a chat completion.
func (r request) openai(_ *fields.Object) dialect.Input {
	messages := []object{}
	if len(r.system) > 0 {
		messages = append(messages, object{"role": "system", "content": strings.Join(r.system, "\n")})
	}
	for _, t := range r.turns {
		m := object{"role": t.role, "content": nil}
		switch {
		case t.listed:
			m["content"] = textParts(t.texts, true)
		case len(t.texts) > 0:
			m["content"] = t.texts[0]
		}
		m.set("name", t.name, t.name != "" && t.role != "tool")
		m.set("tool_call_id", t.callID, t.role == "tool")
		var calls []object
		for _, c := range t.calls {
			calls = append(calls, object{"id": c.id, "type": "function", "function": object{"name": c.name, "arguments": c.arguments}})
		}
		m.set("tool_calls", calls, len(calls) > 0)
		messages = append(messages, m)
	}
	b := r.common("max_tokens", "stop")
	b["messages"] = messages
	var tools []object
	for _, t := range r.tools {
		f := object{"name": t.name}
		f.set("description", t.description, t.description != "")
		f.set("parameters", t.schema, t.schema != nil)
		tools = append(tools, object{"type": "function", "function": f})
	}
	b.set("tools", tools, len(tools) > 0)
	if c := r.choice; c != nil {
		b["tool_choice"] = any(c.mode)
		if c.mode == "tool" {
			b["tool_choice"] = object{"type": "function", "function": object{"name": c.name}}
		}
	}
	return dialect.Input{Body: encode(b)}
}

// common are the members that OpenAI and Anthropic share.
func (r request) common(max, stop string) object {
	b := object{"model": r.model}
	b.set(max, r.max, r.max > 0)
	b.set("stream", true, r.stream)
	b.set("temperature", r.temperature, r.temperature != nil)
	b.set("top_p", r.topP, r.topP != nil)
	b.set(stop, r.stop, r.stop != nil)
	return b
}

func textParts(texts []string, typed bool) []object {
	parts := []object{}
	for _, s := range texts {
		p := object{"text": s}
		p.set("type", "text", typed)
		parts = append(parts, p)
	}
	return parts
}

// anthropic writes a request for a message. System and developer messages are hoisted, wherever they stand.
func (r request) anthropic(o *fields.Object) dialect.Input {
	system, turns := r.hoist(o)
	messages := []object{}
	results := false // the last message is one of tool results
	for _, t := range turns {
		m := object{"role": "user", "content": anthropicContent(o, t)}
		if t.role == "assistant" {
			m["role"] = "assistant"
		}
		if t.role == "tool" && results {
			last := messages[len(messages)-1]
			last["content"] = append(last["content"].([]object), m["content"].([]object)...)
			continue
		}
		results = t.role == "tool"
		messages = append(messages, m)
	}
	if r.max == 0 {
		r.max = defaultMaxTokens
	}
	b := r.common("max_tokens", "stop_sequences")
	b["messages"] = messages
	b.set("system", textParts(system, true), len(system) > 0)
	var tools []object
	for _, t := range r.tools {
		d := object{"name": t.name, "input_schema": object{"type": "object"}}
		d.set("input_schema", t.schema, t.schema != nil)
		d.set("description", t.description, t.description != "")
		tools = append(tools, d)
	}
	b.set("tools", tools, len(tools) > 0)
	if c := r.choice; c != nil {
		kind := object{"type": map[string]string{"auto": "auto", "none": "none", "required": "any", "tool": "tool"}[c.mode]}
		kind.set("name", c.name, c.mode == "tool")
		b["tool_choice"] = kind
	}
	return dialect.Input{Body: encode(b)}
}

// anthropicContent is a text where the caller gave a text, else blocks.
func anthropicContent(o *fields.Object, t turn) any {
	if t.role == "tool" {
		return []object{{"type": "tool_result", "tool_use_id": t.callID, "content": t.joined()}}
	}
	if !t.listed && len(t.calls) == 0 {
		return t.joined()
	}
	blocks := []object{}
	for _, s := range t.texts {
		if s != "" { // empty text blocks are an error there
			blocks = append(blocks, object{"type": "text", "text": s})
		}
	}
	for _, c := range t.calls {
		blocks = append(blocks, object{"type": "tool_use", "id": c.id, "name": c.name, "input": arguments(o, c)})
	}
	return blocks
}

// hoist takes the system texts out of the turns. Names of who speaks cannot be carried to providers that have none.
func (r request) hoist(o *fields.Object) (system []string, turns []turn) {
	system = append(system, r.system...)
	for _, t := range r.turns {
		if t.name != "" && t.role != "tool" {
			o.Fail("messages", "This provider has no 'name' in messages")
		}
		if t.role == "system" || t.role == "developer" {
			system = append(system, t.texts...)
			continue
		}
		turns = append(turns, t)
	}
	return system, turns
}

// arguments is what a function was called with, which must be an object for providers that take it as JSON.
func arguments(o *fields.Object, c call) json.RawMessage {
	if c.arguments == "" {
		return json.RawMessage("{}")
	}
	if !isObject(c.arguments) {
		o.Fail("messages", "The arguments of a tool call must be one JSON object")
		return json.RawMessage("{}")
	}
	return json.RawMessage(c.arguments)
}

func isObject(s string) bool {
	_, err := fields.Read([]byte(s))
	return err == nil
}

// google writes a request for content. Model and method go into the path.
func (r request) google(o *fields.Object) dialect.Input {
	system, turns := r.hoist(o)
	names := map[string]string{} // of functions, by the id of the call
	contents := []object{}
	for _, t := range turns {
		for _, c := range t.calls {
			names[c.id] = c.name
		}
		contents = append(contents, googleContent(o, t, names))
	}
	config := object{}
	config.set("maxOutputTokens", r.max, r.max > 0)
	config.set("temperature", r.temperature, r.temperature != nil)
	config.set("topP", r.topP, r.topP != nil)
	config.set("stopSequences", r.stop, r.stop != nil)
	b := object{"contents": contents}
	b.set("generationConfig", config, len(config) > 0)
	b.set("systemInstruction", object{"parts": textParts(system, false)}, len(system) > 0)
	var declared []object
	for _, t := range r.tools {
		d := object{"name": t.name}
		d.set("description", t.description, t.description != "")
		d.set("parametersJsonSchema", t.schema, t.schema != nil)
		declared = append(declared, d)
	}
	b.set("tools", []object{{"functionDeclarations": declared}}, len(declared) > 0)
	if c := r.choice; c != nil {
		mode := object{"mode": map[string]string{"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}[c.mode]}
		mode.set("allowedFunctionNames", []string{c.name}, c.mode == "tool")
		b["toolConfig"] = object{"functionCallingConfig": mode}
	}
	in := dialect.Input{Model: r.model, Method: gemini.Generate, Body: encode(b)}
	if r.stream {
		in.Method, in.Query = gemini.Stream, url.Values{"alt": {"sse"}}
	}
	return in
}

// googleContent writes one turn. A function's result must be an object and have the function's name.
func googleContent(o *fields.Object, t turn, names map[string]string) object {
	if t.role == "tool" {
		name := t.name
		if name == "" {
			name = names[t.callID]
		}
		if name == "" {
			o.Fail("messages", "The tool_call_id '%s' belongs to no call before it", t.callID)
		}
		result := any(object{"result": t.joined()})
		if isObject(t.joined()) {
			result = json.RawMessage(t.joined())
		}
		return object{"role": "user", "parts": []object{{"functionResponse": object{"name": name, "response": result}}}}
	}
	parts := textParts(t.texts, false)
	for _, c := range t.calls {
		parts = append(parts, object{"functionCall": object{"name": c.name, "args": arguments(o, c)}})
	}
	if t.role == "assistant" {
		return object{"role": "model", "parts": parts}
	}
	return object{"role": "user", "parts": parts}
}
