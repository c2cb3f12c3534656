package bridge

import (
	"encoding/json"
	"slices"
)

// block is what is read of one content block of Anthropic's, of any kind.
type block struct {
	kind string
	has  []string // members that only some kinds have, as they stand there
	part
}

// owns is the members that a kind of block has and others have not.
var owns = map[string][]string{
	"text": {"text"}, "image": {"source"}, "tool_use": {"id", "input", "name"}, "tool_result": {"content", "is_error", "tool_use_id"},
	"thinking": {"signature", "thinking"}, "redacted_thinking": {"data"},
}

// block reads one content block. Thoughts of an earlier answer are not carried: other providers have no place for them, and what they need to
// see again of their own lies in the ids of calls (see CallID).
func (m *messages) block(at string) (p part, carried bool, err error) {
	b := &block{part: part{at: at}}
	own := func(name string, read func() error) func() error {
		return func() error { b.has = append(b.has, name); return read() }
	}
	err = m.members(table{
		"type": func() (err error) {
			b.kind, err = m.String()
			if _, known := owns[b.kind]; err == nil && !known {
				return m.Refuse("only text, image, tool_use, tool_result and thinking blocks are carried to models of other providers")
			}
			return err
		},
		"text":          own("text", func() (err error) { b.text, err = m.String(); return err }),
		"source":        own("source", func() error { return m.source(&b.part) }),
		"id":            own("id", func() (err error) { b.id, err = m.String(); return err }),
		"name":          own("name", func() (err error) { b.name, err = m.String(); return err }),
		"input":         own("input", func() (err error) { b.input, err = m.raw(m.AnyObject); return err }),
		"tool_use_id":   own("tool_use_id", func() (err error) { b.id, err = m.String(); return err }),
		"content":       own("content", func() (err error) { b.texts, err = m.resultTexts(at + ".content"); return err }),
		"is_error":      own("is_error", func() (err error) { b.failed, err = m.Bool(); return err }),
		"thinking":      own("thinking", m.Text),
		"signature":     own("signature", m.Text),
		"data":          own("data", m.Text),
		"cache_control": m.cacheControl,
		"caller": func() error {
			return m.members(table{"type": func() error { _, err := m.OneOf("direct"); return err }}, nil)
		},
	}, map[string]string{"citations": noCitations})
	if err != nil {
		return part{}, false, err
	}
	if p, carried, err = b.judge(); err == nil && !carried {
		err = m.ignore("thinking", func() error { return nil })
	}
	return p, carried, err
}

// judge says whether the members fit the kind, and what part the block is.
func (b *block) judge() (p part, carried bool, err error) {
	own, ok := owns[b.kind]
	if !ok {
		return part{}, false, invalid(b.at+".type", "a content block has a type")
	}
	for _, name := range b.has {
		if !slices.Contains(own, name) {
			return part{}, false, invalid(b.at+"."+name, "a block of type %s has none", b.kind)
		}
	}
	need := func(there bool, name string) {
		if !there && err == nil {
			err = invalid(b.at+"."+name, "a block of type %s has one", b.kind)
		}
	}
	switch b.kind {
	case "text":
		b.part.kind = text
		need(slices.Contains(b.has, "text"), "text")
	case "image":
		b.part.kind = image
		need(b.part.data != "", "source")
	case "tool_use":
		b.part.kind = call
		need(b.id != "", "id")
		need(b.name != "", "name")
		if b.input == nil {
			b.input = json.RawMessage("{}")
		}
	case "tool_result":
		b.part.kind = result
		need(b.id != "", "tool_use_id")
	default:
		return part{}, false, nil
	}
	return b.part, err == nil, err
}

// source reads an image in the body itself.
func (m *messages) source(p *part) error {
	kind := ""
	err := m.members(table{
		"type":       func() (err error) { kind, err = m.OneOf("base64"); return err },
		"media_type": func() (err error) { p.mime, err = m.OneOf(mimes...); return err },
		"data": func() error {
			raw, _, err := m.Data()
			p.data = string(raw)
			return err
		},
	}, nil)
	if err == nil && (kind == "" || p.mime == "" || p.data == "") {
		return invalid(p.at+".source", "an image has a source of type base64 with media_type and data")
	}
	p.at += ".source.data"
	return err
}

// resultTexts is what a tool answered: a text, or a list of text blocks.
func (m *messages) resultTexts(at string) ([]string, error) {
	parts, err := m.texts(at)
	var out []string
	for _, p := range parts {
		out = append(out, p.text)
	}
	return out, err
}
