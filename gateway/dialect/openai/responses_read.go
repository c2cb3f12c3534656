package openai

import (
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// unresponsive says why a field of responses that OpenAI knows may not go through.
var unresponsive = map[string]string{
	"previous_response_id": "responses are not stored here, so none can be continued; send the earlier items as input",
	"conversation":         "conversations are stored with the provider, where all apps' lie under one key; send the earlier items as input",
	"prompt":               "a stored prompt is input whose length nobody here knows; send its text as instructions",
	"context_management":   "what the provider does to the context on its own cannot be priced",
	"moderation":           "moderation is not allowed here",
	"access_programs":      "access programs are the owner's, not an app's",
	"image":                "image options are not allowed here",
}

// read reads the body.
func (r *response) read(b *strict.Reader) error {
	seen := false
	return b.Object(func(name string) error {
		if !seen {
			r.open, seen = b.End()-len(name)-2, true // its quotes are plain: a name has no escapes
		}
		return r.member(b, name)
	})
}

// member reads one top-level member.
func (r *response) member(b *strict.Reader, name string) (err error) {
	switch name {
	case "model":
		r.model, err = b.String()
		return err
	case "input":
		r.input = true
		return r.items(b)
	case "max_output_tokens":
		at := b.Begin()
		if b.Null() {
			r.maxNull = span{at, b.End()}
			return nil
		}
		n, err := b.Int(1, strict.MaxOutput)
		r.max, r.maxValue = passport.LimitOf(n), span{at, b.End()}
		return err
	case "service_tier":
		r.tierGiven = true
		return only(b, &r.tierNull, func() error { _, err := b.OneOf("default"); return err })
	case "store":
		r.storeGiven = true
		return only(b, &r.storeNull, func() error {
			return off(b, "stored responses of all apps would lie under one key; only false is allowed here")
		})
	}
	if b.Null() {
		return r.known(b, name)
	}
	if why, ok := unresponsive[name]; ok {
		return b.Refuse("%s", why)
	}
	return r.harmless(b, name)
}

// known refuses a null for a name that is not on the list.
func (r *response) known(b *strict.Reader, name string) error {
	switch name {
	case "stream", "background", "instructions", "max_tool_calls", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "temperature",
		"top_logprobs", "top_p", "user", "include", "metadata", "prompt_cache_retention", "prompt_cache_options", "stream_options", "truncation",
		"reasoning", "text", "tool_choice", "tools":
		return nil
	}
	if _, ok := unresponsive[name]; ok {
		return nil
	}
	return b.Unknown()
}

// off reads a boolean that may only be false.
func off(b *strict.Reader, why string) error {
	on, err := b.Bool()
	if err == nil && on {
		return b.Refuse("%s", why)
	}
	return err
}

// harmless reads the members that cost nothing but their bytes.
func (r *response) harmless(b *strict.Reader, name string) (err error) {
	switch name {
	case "stream":
		r.stream, err = b.Bool()
		return err
	case "background":
		return off(b, "background responses are not allowed: they go on when nobody is there to be told what they cost")
	case "instructions":
		r.parts++
		return b.Text()
	case "prompt_cache_key", "safety_identifier", "user":
		return b.Text()
	case "temperature", "top_p", "top_logprobs", "max_tool_calls":
		return b.Number()
	case "parallel_tool_calls":
		_, err = b.Bool()
		return err
	case "metadata":
		return b.AnyObject()
	case "truncation":
		_, err = b.OneOf("auto", "disabled")
		return err
	case "prompt_cache_retention":
		_, err = b.OneOf("in_memory", "in-memory", "24h")
		return err
	case "prompt_cache_options":
		return cacheOptions(b)
	case "include":
		return b.Array(func() error {
			_, err := b.OneOf("reasoning.encrypted_content", "message.output_text.logprobs")
			return err
		})
	case "stream_options":
		return flags(b, "include_obfuscation")
	case "reasoning":
		r.thinks = true
		return named(b, "effort", "summary", "generate_summary")
	case "text":
		return textOptions(b)
	case "tools":
		return b.Array(func() error { r.parts++; return ownTool(b) })
	case "tool_choice":
		return toolChoice(b)
	default:
		return b.Unknown()
	}
}

// flags reads an object whose members are booleans.
func flags(b *strict.Reader, names ...string) error {
	return b.Object(func(name string) error {
		for _, n := range names {
			if n == name && b.Null() {
				return nil
			}
			if n == name {
				_, err := b.Bool()
				return err
			}
		}
		return b.Unknown()
	})
}

// textOptions reads text: how long and in which format the model is to answer.
func textOptions(b *strict.Reader) error {
	return b.Object(func(name string) error {
		switch {
		case name != "format" && name != "verbosity":
			return b.Unknown()
		case b.Null():
			return nil
		case name == "verbosity":
			return b.Text()
		}
		return b.Object(func(name string) (err error) {
			switch name {
			case "type":
				_, err = b.OneOf("text", "json_object", "json_schema")
				return err
			case "name":
				return b.Text()
			case "schema":
				return b.AnyObject()
			case "description", "strict":
				return ofFunction(b, name)
			default:
				return b.Unknown()
			}
		})
	})
}
