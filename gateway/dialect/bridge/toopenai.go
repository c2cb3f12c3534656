package bridge

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// maxUser bounds the name of an app's user at OpenAI, in bytes.
const maxUser = 64

// openai writes a chat completion.
func (w *writer) openai() {
	b := object{"model": w.model, "max_tokens": w.max}
	w.at("max_tokens", w.maxAt)
	w.none(w.topK != nil, "top_k")
	b.set("temperature", w.temperature, w.temperature != nil)
	b.set("top_p", w.topP, w.topP != nil)
	b.set("stop", w.stop, w.stop != nil)
	w.at("stop", "stop_sequences")
	if w.stream {
		b["stream"], b["stream_options"] = true, object{"include_usage": true}
	}
	w.openaiMessages(b)
	w.openaiTools(b)
	w.openaiEffort(b)
	if w.format.json {
		b["response_format"] = object{"type": "json_schema", "json_schema": object{"name": w.format.name, "schema": w.format.schema, "strict": true}}
		w.at("response_format", w.format.at)
	}
	switch {
	case len(w.user) > maxUser:
		w.ignored = append(w.ignored, w.userAt)
	case w.user != "":
		b["user"] = w.user
	}
	w.in = dialect.Input{Body: encode(b)}
}

// openaiMessages writes the messages: the system's first, and each result as a message of its own right behind the calls.
func (w *writer) openaiMessages(b object) {
	messages := []object{}
	add := func(m object, at string) {
		w.at(fmt.Sprintf("messages[%d]", len(messages)), at)
		messages = append(messages, m)
	}
	if len(w.system) > 0 {
		add(object{"role": "system", "content": openaiTexts(w.system)}, "system")
	}
	for _, t := range w.turns {
		var rest, calls []part
		for _, p := range t.parts {
			switch p.kind {
			case result:
				add(object{"role": "tool", "tool_call_id": p.id, "content": openaiResult(p)}, p.at)
			case call:
				calls = append(calls, p)
			default:
				rest = append(rest, p)
			}
		}
		if t.role == user && len(rest) > 0 {
			w.openaiParts(len(messages), rest)
			add(object{"role": "user", "content": openaiTexts(rest)}, t.at)
		}
		if t.role == assistant && len(rest)+len(calls) > 0 { // else it was thoughts only
			add(openaiAssistant(rest, calls), t.at)
		}
	}
	b["messages"] = messages
}

func (w *writer) openaiParts(message int, parts []part) {
	for i, p := range parts {
		w.at(fmt.Sprintf("messages[%d].content[%d]", message, i), p.at)
	}
}

func openaiAssistant(rest, calls []part) object {
	m := object{"role": "assistant", "content": nil}
	if len(rest) > 0 {
		m["content"] = openaiTexts(rest)
	}
	var list []object
	for _, p := range calls {
		list = append(list, object{"id": p.id, "type": "function", "function": object{"name": p.name, "arguments": string(compact(p.input))}})
	}
	m.set("tool_calls", list, list != nil)
	return m
}

// openaiTexts is a text where that is all there is, else a list of parts.
func openaiTexts(parts []part) any {
	if len(parts) == 1 && parts[0].kind == text {
		return parts[0].text
	}
	list := []object{}
	for _, p := range parts {
		if p.kind == image {
			list = append(list, object{"type": "image_url", "image_url": object{"url": quoted("data:" + p.mime + ";base64," + p.data)}})
			continue
		}
		list = append(list, object{"type": "text", "text": p.text})
	}
	return list
}

// openaiResult is a tool's answer. OpenAI's format has no flag for one that failed, so the text says it.
func openaiResult(p part) string {
	said := strings.Join(p.texts, "\n")
	if p.failed {
		return "Error: " + said
	}
	return said
}

func (w *writer) openaiTools(b object) {
	var tools []object
	for _, t := range w.tools {
		w.at(fmt.Sprintf("tools[%d]", len(tools)), t.at)
		f := object{"name": t.name}
		f.set("description", t.description, t.description != "")
		f.set("parameters", t.schema, t.schema != nil)
		f.set("strict", true, t.strict)
		tools = append(tools, object{"type": "function", "function": f})
	}
	b.set("tools", tools, tools != nil)
	b.set("parallel_tool_calls", false, w.serial != "" && tools != nil)
	word := map[mode]string{auto: "auto", never: "none", required: "required"}[w.choice.mode]
	b.set("tool_choice", word, word != "" && tools != nil)
	if w.choice.mode == one {
		b["tool_choice"] = object{"type": "function", "function": object{"name": w.choice.name}}
	}
	w.at("tool_choice", w.choice.at)
}

// quoted is a JSON text of what stands between the quotes already.
func quoted(inside string) json.RawMessage { return json.RawMessage(`"` + inside + `"`) }
