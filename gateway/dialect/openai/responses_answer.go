package openai

import (
	"bytes"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/passport"
)

// responded reads the usage of one response, whole or streamed (types Response and ResponseStreamEventUnion of openai-go). A stream is
// complete only after response.completed, response.incomplete or response.failed, which tell the usage.
type responded struct {
	use   usage
	done  bool
	text  int64 // bytes of what the model said in a stream
	other bool  // something else than text and tool calls came, or thinking was asked for
}

// Event takes one event.
func (a *responded) Event(data []byte) bool {
	n, said := tap.Text(data, delta)
	a.text += n
	if said || string(bytes.TrimSpace(data)) == "[DONE]" { // which some servers send here too
		return false
	}
	var e responseEvent
	if strict.Read(data, e.read) != nil {
		a.other = true
		return false
	}
	switch e.kind {
	case "response.completed", "response.incomplete", "response.failed":
		a.done, a.use = true, e.use
	case "response.created", "response.in_progress", "response.queued", "response.output_item.added", "response.output_item.done",
		"response.content_part.added", "response.content_part.done", "response.output_text.done", "response.refusal.done",
		"response.function_call_arguments.done", "response.custom_tool_call_input.done", "keepalive":
	default:
		a.other = true
	}
	return false
}

// Whole takes a response that is not streamed.
func (a *responded) Whole(data []byte) {
	var e responseEvent
	if strict.Read(data, e.response) == nil {
		a.use, a.done = e.use, true
	}
}

// Usage is what the provider said at the end.
func (a *responded) Usage() passport.Usage {
	if !a.done {
		return passport.Usage{}
	}
	return a.use.passport()
}

// Seen is what passed of a stream. Its input is told with its output, at the end.
func (a *responded) Seen() passport.Seen {
	return passport.Seen{Plain: !a.other && !a.use.dear, Usage: a.use.passport(), Bytes: a.text, Whole: a.done}
}

// Ended says whether the event that ends a response has passed.
func (a *responded) Ended() bool { return a.done }

// responseEvent is what is read of an event.
type responseEvent struct {
	kind string
	use  usage
}

func (e *responseEvent) read(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			e.kind, err = b.String()
			return err
		case "response":
			return e.response(b)
		default:
			return b.Any()
		}
	})
}

func (e *responseEvent) response(b *strict.Reader) error {
	tier := ""
	err := b.Object(func(name string) (err error) {
		switch {
		case b.Null():
			return nil
		case name == "usage":
			return e.use.readTokens(b)
		case name == "service_tier":
			tier, err = b.String()
			return err
		default:
			return b.Any()
		}
	})
	e.use.dear = e.use.dear || dearTier(tier)
	return err
}

// dearTier says whether an answer was made in a tier that we asked not to be in.
func dearTier(tier string) bool {
	return tier == "priority" || tier == "fast" || tier == "scale" || tier == "ultrafast"
}

// readTokens reads the usage as all routes but chat completions tell it.
func (u *usage) readTokens(b *strict.Reader) error {
	*u = usage{there: true, prompt: -1, completion: -1}
	return b.Object(func(name string) (err error) {
		switch {
		case b.Null():
		case name == "input_tokens":
			u.prompt, err = b.Int(0, most)
		case name == "output_tokens":
			u.completion, err = b.Int(0, most)
		case name == "input_tokens_details":
			return details(b, map[string]*int64{"cached_tokens": &u.cached, "cache_write_tokens": &u.written, "audio_tokens": &u.audio, "image_tokens": &u.image})
		case name == "output_tokens_details":
			return details(b, map[string]*int64{"reasoning_tokens": &u.reasoning, "audio_tokens": &u.spoken})
		default:
			return b.Any()
		}
		return err
	})
}
