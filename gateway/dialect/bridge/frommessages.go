package bridge

import (
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// messages reads Anthropic's messages (parameter types of github.com/anthropics/anthropic-sdk-go).
type messages struct {
	body
	talk
	there  bool // messages are, even if empty
	capped bool
}

// onlyAnthropic says why a field that Anthropic knows goes to its own models only.
var onlyAnthropic = map[string]string{
	"container": ownHosted, "mcp_servers": ownHosted, "context_management": ownHosted, "thread": ownHosted, "inference_geo": ownHosted,
	"diagnostics": ownHosted, "fallbacks": ownHosted, "user_profile_id": ownHosted,
}

const (
	ownHosted = "models of other providers know nothing like it: leave it out for this model"
	hosted    = "tools that Anthropic runs or defines are not there for models of other providers"
)

func readMessages(raw []byte) (*talk, error) {
	m := &messages{}
	if err := strict.Read(raw, func(b *strict.Reader) error {
		m.body = body{b, raw}
		return m.members(m.table(), onlyAnthropic)
	}); err != nil {
		return nil, err
	}
	switch {
	case !m.there:
		return nil, invalid("messages", "messages are required")
	case !m.capped:
		return nil, invalid("max_tokens", "max_tokens is required")
	}
	return &m.talk, nil
}

func (m *messages) table() table {
	return table{
		"model":       m.Text,
		"messages":    func() error { m.there = true; return m.each(m.body, "messages", m.message) },
		"max_tokens":  m.outputCap,
		"system":      func() (err error) { m.system, err = m.texts("system"); return err },
		"stream":      func() (err error) { m.stream, err = m.Bool(); return err },
		"temperature": func() (err error) { m.temperature, err = m.raw(m.Number); return err },
		"top_p":       func() (err error) { m.topP, err = m.raw(m.Number); return err },
		"top_k":       func() (err error) { m.topK, err = m.raw(m.Number); return err },
		"stop_sequences": func() error {
			return m.each(m.body, "stop_sequences", func(string) error {
				s, err := m.String()
				m.stop = append(m.stop, s)
				return err
			})
		},
		"metadata": func() error {
			m.userAt = "metadata.user_id"
			return m.members(table{"user_id": func() (err error) { m.user, err = m.String(); return err }}, nil)
		},
		"cache_control": m.cacheControl,
		"tools":         func() error { return m.each(m.body, "tools", m.tool) },
		"tool_choice":   m.readChoice,
		"thinking":      m.thinking,
		"output_config": m.outputConfig,
		"output_format": m.readFormat,
		"service_tier":  func() error { _, err := m.OneOf("standard_only"); return err },
		"speed":         func() error { _, err := m.OneOf("standard"); return err },
	}
}

// outputCap reads max_tokens. A cap of 0 fills Anthropic's cache and makes no answer.
func (m *messages) outputCap() (err error) {
	m.capped, m.maxAt = true, "max_tokens"
	m.max, err = m.Int(1, strict.MaxOutput)
	return err
}

// cacheControl reads a wish about the cache. OpenAI and Google keep prompts in theirs by themselves; no answer is another one for it.
func (m *messages) cacheControl() error { return m.ignore("cache_control", m.AnyObject) }

// texts is a text or a list of text blocks.
func (m *messages) texts(at string) ([]part, error) {
	if m.Next() != '[' {
		s, err := m.String()
		return []part{{kind: text, at: at, text: s}}, err
	}
	var out []part
	err := m.each(m.body, at, func(at string) error {
		p := part{kind: text, at: at}
		kind := ""
		err := m.members(table{
			"type":          func() (err error) { kind, err = m.OneOf("text"); return err },
			"text":          func() (err error) { p.text, err = m.String(); return err },
			"cache_control": m.cacheControl,
		}, map[string]string{"citations": noCitations})
		if err == nil && kind == "" {
			return invalid(at+".type", "a content block has a type")
		}
		out = append(out, p)
		return err
	})
	return out, err
}

const noCitations = "models of other providers cannot be shown citations: leave it out for this model"

func (m *messages) tool(at string) error {
	t := tool{at: at}
	err := m.members(table{
		"type": func() error {
			kind, err := m.String()
			if err == nil && kind != "custom" {
				return m.Refuse("%s", hosted)
			}
			return err
		},
		"name":          func() (err error) { t.name, err = m.String(); return err },
		"description":   func() (err error) { t.description, err = m.String(); return err },
		"input_schema":  func() (err error) { t.schema, err = m.raw(m.AnyObject); return err },
		"strict":        func() (err error) { t.strict, err = m.Bool(); return err },
		"cache_control": m.cacheControl,
		"eager_input_streaming": func() error {
			return m.ignore("eager_input_streaming", func() error { _, err := m.Bool(); return err })
		},
		"defer_loading": func() error {
			on, err := m.Bool()
			if on {
				return m.Refuse("models of other providers are told of all tools at once")
			}
			return err
		},
		"allowed_callers": func() error { return m.Array(func() error { _, err := m.OneOf("direct"); return err }) },
	}, map[string]string{"input_examples": ownHosted, "max_uses": hosted, "allowed_domains": hosted, "blocked_domains": hosted, "user_location": hosted})
	if err == nil && t.name == "" {
		return invalid(at+".name", "a tool has a name")
	}
	m.tools = append(m.tools, t)
	return err
}

func (m *messages) readChoice() error {
	m.choice.at = "tool_choice"
	kind := ""
	err := m.members(table{
		"type": func() (err error) { kind, err = m.OneOf("auto", "any", "tool", "none"); return err },
		"name": func() (err error) { m.choice.name, err = m.String(); return err },
		"disable_parallel_tool_use": func() error {
			one, err := m.Bool()
			if one {
				m.serial = "tool_choice.disable_parallel_tool_use"
			}
			return err
		},
	}, nil)
	m.choice.mode = map[string]mode{"auto": auto, "any": required, "tool": one, "none": never}[kind]
	switch {
	case err != nil:
		return err
	case kind == "":
		return invalid("tool_choice.type", "a choice has a type")
	case (kind == "tool") != (m.choice.name != ""):
		return invalid("tool_choice.name", "a choice of type tool names it, and no other does")
	}
	return nil
}

// thinking reads whether and how much the model is to think. Disabled is what holds where nothing is said.
func (m *messages) thinking() error {
	kind, display, budget := "", "", int64(0)
	err := m.members(table{
		"type":          func() (err error) { kind, err = m.OneOf("enabled", "disabled", "adaptive"); return err },
		"budget_tokens": func() (err error) { budget, err = m.Int(0, strict.MaxOutput); return err },
		"display":       func() (err error) { display, err = m.OneOf("summarized", "omitted"); return err },
	}, nil)
	switch {
	case err != nil:
		return err
	case kind == "":
		return invalid("thinking.type", "must be enabled, disabled or adaptive")
	case (kind == "enabled") != (budget > 0):
		return invalid("thinking.budget_tokens", "thinking that is enabled has a budget above 0, and no other has one")
	case kind == "disabled":
		return nil
	}
	m.effort.adaptive, m.effort.budget, m.effort.show = kind == "adaptive", budget, display != "omitted"
	if m.effort.at == "" {
		m.effort.at = "thinking"
	}
	return nil
}

func (m *messages) outputConfig() error {
	return m.members(table{
		"effort": func() (err error) {
			m.effort.at = "output_config.effort"
			m.effort.word, err = m.OneOf("low", "medium", "high", "xhigh", "max")
			return err
		},
		"format": m.readFormat,
	}, nil)
}

func (m *messages) readFormat() error {
	f := format{json: true, at: "output_config.format", name: "answer"}
	kind := ""
	err := m.members(table{
		"type":   func() (err error) { kind, err = m.OneOf("json_schema"); return err },
		"schema": func() (err error) { f.schema, err = m.raw(m.AnyObject); return err },
	}, nil)
	if err == nil && (kind == "" || f.schema == nil) {
		return invalid(f.at, "a format has a type and a schema")
	}
	m.format = f
	return err
}

// message reads one message.
func (m *messages) message(at string) error {
	t := turn{at: at}
	who := ""
	err := m.members(table{
		"role": func() (err error) { who, err = m.OneOf("user", "assistant", "system"); return err },
		"content": func() (err error) {
			if m.Next() != '[' {
				var s string
				s, err = m.String()
				t.parts = []part{{kind: text, at: at + ".content", text: s}}
				return err
			}
			return m.each(m.body, at+".content", func(at string) error {
				p, carried, err := m.block(at)
				if carried {
					t.parts = append(t.parts, p)
				}
				return err
			})
		},
	}, nil)
	switch {
	case err != nil:
		return err
	case who == "":
		return invalid(at+".role", "a message has a role")
	case t.parts == nil && who != "assistant": // of an assistant's there may have been thoughts only
		return invalid(at+".content", "a message has content")
	case who == "system":
		m.system = append(m.system, t.parts...)
		return textsOnly(t.parts)
	case who == "assistant":
		t.role = assistant
	}
	return m.place(t)
}

// place puts a turn where it belongs, once it is known whose it is.
func (m *messages) place(t turn) error {
	for _, p := range t.parts {
		if p.kind == call && t.role == user || (p.kind == result || p.kind == image) && t.role == assistant {
			return invalid(p.at, "a call is an assistant's, and results and images are a user's")
		}
	}
	m.turns = append(m.turns, t)
	return nil
}
