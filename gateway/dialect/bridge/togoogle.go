package bridge

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// The methods of a Gemini model that talks are turned into (gateway/dialect/gemini has the same names).
const (
	generate = "generateContent"
	stream   = "streamGenerateContent"
)

// google writes a request for content of Google's.
func (w *writer) google() {
	b := object{}
	w.googleSystem(b)
	w.googleTurns(b)
	w.googleTools(b)
	config := object{}
	w.googleSampling(config)
	w.googleEffort(config)
	if w.format.json {
		config["responseMimeType"] = "application/json"
		config.set("responseJsonSchema", w.format.schema, w.format.schema != nil)
		w.at("generationConfig.responseJsonSchema", w.format.at)
	}
	b.set("generationConfig", config, len(config) > 0)
	if w.user != "" { // Google has labels for it, which are the owner's
		w.ignored = append(w.ignored, w.userAt)
	}
	w.in = dialect.Input{Model: w.model, Method: generate, Body: encode(b)}
	if w.stream {
		w.in.Method, w.in.Query = stream, url.Values{"alt": {"sse"}}
	}
}

func (w *writer) googleSampling(config object) {
	for name, v := range map[string]json.RawMessage{"temperature": w.temperature, "topP": w.topP, "topK": w.topK, "seed": w.seed,
		"presencePenalty": w.presence, "frequencyPenalty": w.frequency} {
		config.set(name, v, v != nil)
	}
	config.set("maxOutputTokens", w.max, w.max > 0)
	config.set("stopSequences", w.stop, w.stop != nil)
	w.at("generationConfig.maxOutputTokens", w.maxAt)
}

func (w *writer) googleSystem(b object) {
	var parts []object
	for _, p := range w.system {
		w.at(fmt.Sprintf("systemInstruction.parts[%d]", len(parts)), p.at)
		parts = append(parts, object{"text": p.text})
	}
	b.set("systemInstruction", object{"parts": parts}, parts != nil)
}

// googleTurns writes the turns. Turns of one side that follow each other become one: as many results must stand together as there were calls.
func (w *writer) googleTurns(b object) {
	contents := []object{}
	names := map[string]string{} // of the functions, by the ids of their calls
	for _, t := range w.merged() {
		parts := []object{}
		place := fmt.Sprintf("contents[%d]", len(contents))
		w.at(place, t.at)
		signed := !signs(w.model) // the first call of a turn has the signature, of calls at one time
		for _, p := range t.parts {
			if p.kind == text && p.text == "" {
				continue
			}
			w.at(fmt.Sprintf("%s.parts[%d]", place, len(parts)), p.at)
			o := w.googlePart(p, names)
			if p.kind == call && !signed {
				if o["thoughtSignature"] == nil {
					o["thoughtSignature"] = unsigned
				}
				signed = true
			}
			parts = append(parts, o)
		}
		if len(parts) == 0 {
			w.refuse(t.at+".content", "models of %s take no empty message", w.to.Title())
		}
		name := "user"
		if t.role == assistant {
			name = "model"
		}
		contents = append(contents, object{"role": name, "parts": parts})
	}
	b["contents"] = contents
}

func (w *writer) googlePart(p part, names map[string]string) object {
	switch p.kind {
	case image:
		return object{"inlineData": object{"mimeType": p.mime, "data": quoted(p.data)}}
	case call:
		names[p.id] = p.name
		id, signature := SplitCallID(p.id)
		o := object{"functionCall": object{"id": id, "name": p.name, "args": p.input}}
		o.set("thoughtSignature", signature, signature != "")
		return o
	case result:
		name, known := names[p.id]
		if !known {
			w.refuse(p.at, "the result is for a call that is not among the messages before it, so its function is not known")
		}
		id, _ := SplitCallID(p.id)
		key := "output" // FunctionResponse.response: output is what it made, error what went wrong
		if p.failed {
			key = "error"
		}
		said := strings.Join(p.texts, "\n")
		value := any(said)
		if isObject(said) {
			value = json.RawMessage(said)
		}
		return object{"functionResponse": object{"id": id, "name": name, "response": object{key: value}}}
	default:
		return object{"text": p.text}
	}
}

func (w *writer) googleTools(b object) {
	var declared []object
	exact := false
	for _, t := range w.tools {
		w.at(fmt.Sprintf("tools[0].functionDeclarations[%d]", len(declared)), t.at)
		o := object{"name": t.name}
		o.set("description", t.description, t.description != "")
		o.set("parametersJsonSchema", t.schema, t.schema != nil)
		exact = exact || t.strict
		declared = append(declared, o)
	}
	b.set("tools", []object{{"functionDeclarations": declared}}, declared != nil)
	if w.serial != "" {
		w.refuse(w.serial, "models of %s cannot be told to call one tool at a time", w.to.Title())
	}
	// Mode VALIDATED keeps calls to their schemas and leaves the choice to the model (page "Function calling"); ANY keeps to them anyway.
	mode := map[mode]string{auto: "AUTO", never: "NONE", required: "ANY", one: "ANY"}[w.choice.mode]
	if exact && (mode == "" || mode == "AUTO") {
		mode = "VALIDATED"
	}
	if mode == "" {
		return
	}
	o := object{"mode": mode}
	o.set("allowedFunctionNames", []string{w.choice.name}, w.choice.mode == one)
	b["toolConfig"] = object{"functionCallingConfig": o}
	w.at("toolConfig", w.choice.at)
}
