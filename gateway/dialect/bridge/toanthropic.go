package bridge

import (
	"fmt"
	"strconv"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// anthropic writes a request for a message of Anthropic's.
func (w *writer) anthropic() {
	b := object{"model": w.model, "max_tokens": w.max}
	w.at("max_tokens", w.maxAt)
	if w.max == 0 { // Anthropic requires one: the meter's goes in its place
		b["max_tokens"], w.uncapped = int64(strict.MaxOutput), true
	}
	w.anthropicSampling(b)
	w.anthropicSystem(b)
	w.anthropicTurns(b)
	w.anthropicTools(b)
	config := object{}
	w.anthropicEffort(b, config)
	if w.format.json && w.format.schema == nil {
		w.refuse(w.format.at, "models of %s make JSON of any form only when asked in words: give a json_schema, or say it in a message", w.to.Title())
	}
	if w.format.schema != nil {
		config["format"] = object{"type": "json_schema", "schema": w.format.schema}
		w.at("output_config.format", w.format.at)
	}
	b.set("output_config", config, len(config) > 0)
	b.set("metadata", object{"user_id": w.user}, w.user != "")
	w.in = dialect.Input{Body: encode(b)}
}

func (w *writer) anthropicSampling(b object) {
	if t := w.temperature; t != nil {
		if f, err := strconv.ParseFloat(string(t), 64); err != nil || f > 1 {
			w.refuse("temperature", "models of %s take at most 1", w.to.Title())
		}
	}
	w.none(w.seed != nil, "seed")
	w.none(w.presence != nil, "presence_penalty")
	w.none(w.frequency != nil, "frequency_penalty")
	b.set("temperature", w.temperature, w.temperature != nil)
	b.set("top_p", w.topP, w.topP != nil)
	b.set("stop_sequences", w.stop, w.stop != nil)
	b.set("stream", true, w.stream)
	w.at("stop_sequences", "stop")
}

func (w *writer) anthropicSystem(b object) {
	var blocks []object
	for _, p := range w.system {
		if p.text == "" { // an empty block is an error there
			continue
		}
		w.at(fmt.Sprintf("system[%d]", len(blocks)), p.at)
		blocks = append(blocks, object{"type": "text", "text": p.text})
	}
	b.set("system", blocks, blocks != nil)
}

// anthropicTurns writes the turns. Turns of one side that follow each other become one: the answers to all calls of a turn must stand
// together, in front.
func (w *writer) anthropicTurns(b object) {
	messages := []object{}
	for _, t := range w.merged() {
		blocks := []object{}
		place := fmt.Sprintf("messages[%d]", len(messages))
		w.at(place, t.at)
		for _, p := range t.parts {
			if p.kind == text && p.text == "" {
				continue
			}
			w.at(fmt.Sprintf("%s.content[%d]", place, len(blocks)), p.at)
			blocks = append(blocks, anthropicBlock(p))
		}
		if len(blocks) == 0 {
			w.refuse(t.at+".content", "models of %s take no empty message", w.to.Title())
		}
		name := "user"
		if t.role == assistant {
			name = "assistant"
		}
		messages = append(messages, object{"role": name, "content": blocks})
	}
	b["messages"] = messages
}

func anthropicBlock(p part) object {
	switch p.kind {
	case image:
		return object{"type": "image", "source": object{"type": "base64", "media_type": p.mime, "data": quoted(p.data)}}
	case call:
		return object{"type": "tool_use", "id": p.id, "name": p.name, "input": p.input}
	case result:
		texts := []object{}
		for _, s := range p.texts {
			if s != "" {
				texts = append(texts, object{"type": "text", "text": s})
			}
		}
		o := object{"type": "tool_result", "tool_use_id": p.id}
		o.set("content", texts, len(texts) > 0)
		o.set("is_error", true, p.failed)
		return o
	default:
		return object{"type": "text", "text": p.text}
	}
}

func (w *writer) anthropicTools(b object) {
	var tools []object
	for _, t := range w.tools {
		w.at(fmt.Sprintf("tools[%d]", len(tools)), t.at)
		o := object{"name": t.name, "input_schema": object{"type": "object"}}
		o.set("input_schema", t.schema, t.schema != nil)
		o.set("description", t.description, t.description != "")
		o.set("strict", true, t.strict)
		tools = append(tools, o)
	}
	b.set("tools", tools, tools != nil)
	w.at("tool_choice", w.choice.at)
	kind := map[mode]string{auto: "auto", never: "none", required: "any", one: "tool"}[w.choice.mode]
	if kind == "" && w.serial != "" {
		kind = "auto"
	}
	if kind == "" || tools == nil && (kind == "auto" || kind == "none") { // without tools they say nothing, and are an error there
		return
	}
	o := object{"type": kind}
	o.set("name", w.choice.name, kind == "tool")
	o.set("disable_parallel_tool_use", true, w.serial != "" && kind != "none")
	b["tool_choice"] = o
}
