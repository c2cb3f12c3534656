package bridge

import "encoding/json"

// chatMessage is one message of a chat, of any role.
type chatMessage struct {
	role, refusal, callID string
	parts                 []part
	calls                 []part
	named                 bool
}

// message reads one message. System and developer messages are taken out of the turns, wherever they stand: other providers have one place
// for them, before all turns.
func (c *chat) message(at string) error {
	var m chatMessage
	err := c.members(table{
		"role": func() (err error) {
			m.role, err = c.OneOf("system", "developer", "user", "assistant", "tool")
			return err
		},
		"content":      func() (err error) { m.parts, err = c.content(at + ".content"); return err },
		"name":         func() error { m.named = true; return c.Text() },
		"refusal":      func() (err error) { m.refusal, err = c.String(); return err },
		"annotations":  func() error { return c.ignore("annotations", func() error { return c.Array(c.AnyObject) }) }, // of an answer that is put back whole
		"tool_call_id": func() (err error) { m.callID, err = c.String(); return err },
		"tool_calls": func() error {
			return c.each(c.body, at+".tool_calls", func(at string) error {
				p, err := c.toolCall(at)
				m.calls = append(m.calls, p)
				return err
			})
		},
	}, map[string]string{"function_call": "only tool_calls are carried to models of other providers", "audio": noSound})
	if err != nil {
		return err
	}
	return c.place(at, m)
}

// place puts a message where it belongs.
func (c *chat) place(at string, m chatMessage) error {
	switch {
	case m.role == "":
		return invalid(at+".role", "a message has a role")
	case m.named && m.role != "tool":
		return invalid(at+".name", "models of other providers have no names of who speaks: leave it out for this model")
	case len(m.calls) > 0 && m.role != "assistant":
		return invalid(at+".tool_calls", "only an assistant calls tools")
	case m.refusal != "" && m.role != "assistant":
		return invalid(at+".refusal", "only an assistant refuses")
	case m.callID != "" && m.role != "tool":
		return invalid(at+".tool_call_id", "only a tool's message has it")
	}
	switch m.role {
	case "system", "developer":
		if err := textsOnly(m.parts); err != nil {
			return err
		}
		c.system = append(c.system, m.parts...)
	case "tool":
		return c.result(at, m)
	case "assistant":
		if err := textsOnly(m.parts); err != nil {
			return err
		}
		if m.refusal != "" {
			m.parts = append(m.parts, part{kind: text, at: at + ".refusal", text: m.refusal})
		}
		c.turns = append(c.turns, turn{assistant, append(m.parts, m.calls...), at})
	default:
		c.turns = append(c.turns, turn{user, m.parts, at})
	}
	return nil
}

// result is a tool's message. Results that follow each other are one turn of the user's, which has all answers to the calls before.
func (c *chat) result(at string, m chatMessage) error {
	if m.callID == "" {
		return invalid(at+".tool_call_id", "a tool's message says which call it is for")
	}
	if err := textsOnly(m.parts); err != nil {
		return err
	}
	p := part{kind: result, at: at, id: m.callID}
	for _, t := range m.parts {
		p.texts = append(p.texts, t.text)
	}
	c.turns = append(c.turns, turn{user, []part{p}, at})
	return nil
}

func textsOnly(parts []part) error {
	for _, p := range parts {
		if p.kind != text {
			return invalid(p.at, "only a user's message may have it")
		}
	}
	return nil
}

// content is a text or a list of parts.
func (c *chat) content(at string) ([]part, error) {
	if c.Next() != '[' {
		s, err := c.String()
		return []part{{kind: text, at: at, text: s}}, err
	}
	var out []part
	err := c.each(c.body, at, func(at string) error {
		p, err := c.part(at)
		out = append(out, p)
		return err
	})
	return out, err
}

func (c *chat) part(at string) (part, error) {
	p := part{at: at}
	kind, has := "", ""
	said := func(name string) func() error {
		return func() (err error) { has = name; p.text, err = c.String(); return err }
	}
	err := c.members(table{
		"type":                    func() (err error) { kind, err = c.OneOf("text", "refusal", "image_url"); return err },
		"text":                    said("text"),
		"refusal":                 said("refusal"),
		"prompt_cache_breakpoint": func() error { return c.ignore("prompt_cache_breakpoint", c.AnyObject) },
		"image_url":               func() error { has = "image_url"; return c.image(&p) },
	}, map[string]string{"input_audio": noSound, "file": "files are not carried to models of other providers"})
	if err == nil && (kind == "" || kind != has) {
		return p, invalid(at+".type", "must be text, refusal or image_url, and the part has the member of that name")
	}
	return p, err
}

// image reads an image in the body itself. Other providers have no word for how closely to look, and look as closely as they can.
func (c *chat) image(p *part) error {
	p.kind = image
	var raw []byte
	err := c.members(table{
		"url": func() (err error) { raw, _, err = c.Data(); return err },
		"detail": func() error {
			word, err := c.OneOf("auto", "low", "high", "original")
			if word == "low" || word == "original" {
				return c.Refuse("models of other providers look as closely as they can: only auto and high are carried")
			}
			return err
		},
	}, nil)
	if err != nil {
		return err
	}
	ok := false
	if p.mime, p.data, ok = dataURL(raw); !ok {
		return invalid(p.at+".image_url.url", "only images in the body itself are allowed (data:image/png;base64,...), as PNG, JPEG, WebP or GIF")
	}
	p.at += ".image_url.url"
	return nil
}

// toolCall reads a call of the model's. Its arguments are JSON in a text; none at all are an empty object.
func (c *chat) toolCall(at string) (part, error) {
	p := part{kind: call, at: at, input: json.RawMessage("{}")}
	arguments := ""
	err := c.members(table{
		"id":    func() (err error) { p.id, err = c.String(); return err },
		"type":  func() error { _, err := c.OneOf("function"); return err },
		"index": c.Number,
		"function": func() error {
			return c.members(table{
				"name":      func() (err error) { p.name, err = c.String(); return err },
				"arguments": func() (err error) { arguments, err = c.String(); return err },
			}, nil)
		},
	}, map[string]string{"custom": "only calls of functions are carried to models of other providers"})
	switch {
	case err != nil:
		return p, err
	case p.id == "":
		return p, invalid(at+".id", "a call has an id")
	case p.name == "":
		return p, invalid(at+".function.name", "a call names its function")
	case arguments == "":
		return p, nil
	case !isObject(arguments):
		return p, invalid(at+".function.arguments", "models of other providers take arguments as an object, so this text must be one JSON object with unique names")
	}
	p.input = json.RawMessage(arguments)
	return p, nil
}
