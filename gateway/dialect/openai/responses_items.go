package openai

import (
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// Why an item, a part or a tool that OpenAI knows may not go through.
var refusedKinds = map[string]string{
	"item_reference": "items are not stored here, so none can be referred to; send the item itself",
	"input_file":     noFiles,

	"web_search":                    hosted,
	"web_search_preview":            hosted,
	"file_search":                   hosted,
	"code_interpreter":              hosted,
	"computer":                      hosted,
	"computer_use_preview":          hosted,
	"image_generation":              hosted,
	"mcp":                           hosted,
	"tool_search":                   hosted,
	"programmatic_tool_calling":     hosted,
	"shell":                         hosted,
	"local_shell":                   hosted,
	"apply_patch":                   hosted,
	"namespace":                     hosted,
	"web_search_2025_08_26":         hosted,
	"web_search_preview_2025_03_11": hosted,
}

const hosted = "tools of the provider's own cannot be priced here: what they do and read is billed, and neither is bounded; function and custom tools are allowed"

// kindOf reads a type that must be one of the allowed ones.
func kindOf(b *strict.Reader, allowed ...string) (string, error) {
	kind, err := b.String()
	if err != nil {
		return "", err
	}
	for _, a := range allowed {
		if kind == a {
			return kind, nil
		}
	}
	if why, ok := refusedKinds[kind]; ok {
		return "", b.Refuse("%s", why)
	}
	return "", b.Refuse("not a type that is allowed here")
}

// items reads input: a text, or a list of messages, tool calls, their outputs, and reasoning.
func (r *response) items(b *strict.Reader) error {
	if b.Next() != '[' {
		r.parts++
		return b.Text()
	}
	return b.Array(func() error { r.parts++; return r.item(b) })
}

// item reads one of them. The members of all are taken together: which of them go with which type is the provider's to say, and
// none of them costs more than its bytes, but for reasoning.
func (r *response) item(b *strict.Reader) error {
	kind, role, thought := "", false, false
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			if b.Null() {
				return nil
			}
			kind, err = kindOf(b, "message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning")
			return err
		case "role":
			role = true
			_, err = b.OneOf("system", "developer", "user", "assistant")
			return err
		case "content", "output":
			return r.content(b)
		case "summary":
			return r.content(b)
		}
		if b.Null() {
			return knownInItem(b, name)
		}
		switch name {
		case "encrypted_content":
			thought = true
			return b.Text()
		default:
			if err := knownInItem(b, name); err != nil {
				return err
			}
			return b.Text()
		}
	})
	switch {
	case err != nil:
		return err
	case kind == "" && !role:
		return b.RefuseAt("type", "an item has a type, or a message a role; items cannot be referred to by id")
	case kind == "reasoning" && !thought:
		return b.RefuseAt("encrypted_content", "reasoning is not stored here: ask for it with include reasoning.encrypted_content, and send that")
	}
	r.hidden = r.hidden || thought
	return nil
}

// knownInItem refuses a name that is not on the list of what an item has besides its content.
func knownInItem(b *strict.Reader, name string) error {
	switch name {
	case "id", "status", "phase", "call_id", "name", "arguments", "input", "encrypted_content":
		return nil
	default:
		return b.Unknown()
	}
}

// content is a text, null, or a list of parts.
func (r *response) content(b *strict.Reader) error {
	switch {
	case b.Null():
		return nil
	case b.Next() == '[':
		return b.Array(func() error { return r.part(b) })
	default:
		return b.Text()
	}
}

// part reads one part of a message, of what a tool gave back, or of a summary.
func (r *response) part(b *strict.Reader) error {
	var raw []byte
	kind, at, detail := "", 0, passport.DetailedAuto
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err = kindOf(b, "input_text", "output_text", "input_image", "refusal", "summary_text", "reasoning_text")
			return err
		case "text", "refusal":
			return b.Text()
		case "annotations", "logprobs":
			if b.Null() {
				return nil
			}
			return b.Array(b.AnyObject)
		}
		if b.Null() {
			return knownInPart(b, name)
		}
		switch name {
		case "prompt_cache_breakpoint":
			return cacheOptions(b)
		case "image_url":
			raw, at, err = b.Data()
			return err
		case "detail":
			s, err := b.OneOf("auto", "low", "high", "original")
			detail = passport.Detailed(s)
			return err
		case "file_id", "file_url", "file_data":
			return b.Refuse("files are stored with the provider, where all apps' lie under one key; send the image itself (data:image/png;base64,...)")
		default:
			return b.Unknown()
		}
	})
	switch {
	case err != nil:
		return err
	case kind == "":
		return b.RefuseAt("type", "a part has a type")
	case (kind == "input_image") != (raw != nil):
		return b.RefuseAt("image_url", "an input_image part has an image_url, and other parts have none")
	case raw == nil:
		return nil
	}
	return seen(b, &r.found, "image_url", raw, at, detail)
}

func knownInPart(b *strict.Reader, name string) error {
	switch name {
	case "prompt_cache_breakpoint", "image_url", "detail", "file_id":
		return nil
	default:
		return b.Unknown()
	}
}

// ownTool reads a tool that the caller runs itself: those cost their bytes.
func ownTool(b *strict.Reader) error {
	kind := ""
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err = kindOf(b, "function", "custom")
			return err
		case "name", "description", "parameters", "strict":
			return ofFunction(b, name)
		case "format":
			if b.Null() {
				return nil
			}
			return b.AnyObject()
		default:
			return b.Unknown()
		}
	})
	if err == nil && kind == "" {
		return b.RefuseAt("type", "a tool has a type")
	}
	return err
}

// toolChoice is a word, or an object that names what was declared elsewhere.
func toolChoice(b *strict.Reader) error {
	if b.Next() == '"' {
		return b.Text()
	}
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = kindOf(b, "function", "custom", "allowed_tools")
			return err
		case "name", "mode":
			return b.Text()
		case "tools":
			return b.Array(func() error {
				return b.Object(func(name string) (err error) {
					switch name {
					case "type":
						_, err = kindOf(b, "function", "custom")
						return err
					case "name":
						return b.Text()
					default:
						return b.Unknown()
					}
				})
			})
		default:
			return b.Unknown()
		}
	})
}
