package chat

import (
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/fields"
)

// request is a body that was read, in no provider's format.
type request struct {
	model       string
	turns       []turn
	system      []string // of the member system; the system turns come after
	max         int64    // 0: left out
	stream      bool
	temperature json.RawMessage // nil: left out
	topP        json.RawMessage
	stop        []string
	tools       []tool
	choice      *choice
}

// turn is one message.
type turn struct {
	role   string
	roled  bool // there is a role
	texts  []string
	listed bool // the content was a list of parts
	calls  []call
	callID string // of a tool's result
	name   string
}

// call is a function that the model called; arguments is JSON in a text.
type call struct{ id, name, arguments string }

// tool is a function that the model may call.
type tool struct {
	name, description string
	schema            json.RawMessage // nil: none
}

// choice is which tool must be called: auto, none, required, or tool with a name.
type choice struct{ mode, name string }

// readRequest reads everything and reports what is wrong to o.
func readRequest(o *fields.Object) request {
	r := request{model: o.String("model", 0)}
	for _, v := range o.Array("messages") {
		r.turns = append(r.turns, readTurn(o.Inside("messages", v, "role", "content", "name", "tool_calls", "tool_call_id")))
	}
	r.max = outputCap(o)
	if given(o, "stream") {
		r.stream, _ = o.OptBool("stream")
	}
	if given(o, "temperature") {
		r.temperature = json.RawMessage(o.OptNumber("temperature"))
	}
	if given(o, "top_p") {
		r.topP = json.RawMessage(o.OptNumber("top_p"))
	}
	if given(o, "stop") {
		r.stop, _ = texts(o, "stop", func(v jsontext.Value) (string, bool) { return wantText(o, "stop", v) })
	}
	if given(o, "system") {
		r.system, _ = texts(o, "system", func(v jsontext.Value) (string, bool) { return part(o, "system", v) })
	}
	if given(o, "tools") {
		for _, v := range o.OptArray("tools") {
			r.tools = append(r.tools, readTool(o.Inside("tools", v, "type", "function", "name", "description", "input_schema")))
		}
	}
	if given(o, "tool_choice") {
		r.choice = readChoice(o)
	}
	return r
}

// given says whether an optional member has a value. The seed knew none of them, so a null is as good as nothing.
func given(o *fields.Object, name string) bool {
	return o.Has(name) && o.Raw(name).Kind() != jsontext.KindNull
}

// outputCap is max_tokens or max_completion_tokens, not both.
func outputCap(o *fields.Object) int64 {
	var max int64
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if !given(o, name) {
			continue
		}
		if max > 0 {
			o.Fail(name, "Give max_tokens or max_completion_tokens, not both")
			return 0
		}
		n, ok := o.OptInt(name, 1)
		if ok && n > strict.MaxOutput {
			o.Fail(name, "Number must be less than or equal to %d", int64(strict.MaxOutput))
		}
		max = n
	}
	return max
}

// readTurn reads a message. A role is any string here, as in the seed.
func readTurn(m *fields.Object) turn {
	t := turn{role: m.String("role", 0), roled: m.Raw("role").Kind() == jsontext.KindString}
	if given(m, "tool_calls") {
		for _, v := range m.OptArray("tool_calls") {
			t.calls = append(t.calls, readCall(m.Inside("tool_calls", v, "id", "type", "function")))
		}
	}
	if given(m, "tool_call_id") {
		t.callID, _ = m.OptString("tool_call_id")
	}
	if given(m, "name") {
		t.name, _ = m.OptString("name")
	}
	if len(t.calls) > 0 && t.role != "assistant" {
		m.Fail("tool_calls", "Only an assistant calls tools")
	}
	switch {
	case m.Raw("content").Kind() == '[':
		t.texts, t.listed = texts(m, "content", func(v jsontext.Value) (string, bool) { return part(m, "content", v) })
	case len(t.calls) > 0 && !given(m, "content"):
	default:
		t.texts = []string{m.String("content", 0)}
	}
	return t
}

func readCall(c *fields.Object) call {
	c.Enum("type", "function")
	f := c.Object("function", "name", "arguments")
	return call{id: c.String("id", 1), name: f.String("name", 1), arguments: f.String("arguments", 0)}
}

// readTool reads a tool in OpenAI's shape or in Anthropic's.
func readTool(t *fields.Object) tool {
	schema := func(in *fields.Object, name string) json.RawMessage {
		if !given(in, name) {
			return nil
		}
		in.Object(name)
		return json.RawMessage(in.Raw(name))
	}
	if !t.Has("function") {
		if given(t, "type") {
			t.Enum("type", "custom")
		}
		return tool{t.String("name", 1), description(t), schema(t, "input_schema")}
	}
	t.Enum("type", "function")
	f := t.Object("function", "name", "description", "parameters", "strict")
	return tool{f.String("name", 1), description(f), schema(f, "parameters")}
}

func description(o *fields.Object) string {
	if !given(o, "description") {
		return ""
	}
	s, _ := o.OptString("description")
	return s
}

// readChoice reads a tool_choice in OpenAI's shapes or in Anthropic's.
func readChoice(o *fields.Object) *choice {
	const name = "tool_choice"
	if o.Raw(name).Kind() == '"' {
		return &choice{mode: o.Enum(name, "auto", "none", "required")}
	}
	c := o.Object(name, "type", "function", "name")
	switch kind := c.Enum("type", "auto", "none", "any", "tool", "function"); kind {
	case "any":
		return &choice{mode: "required"}
	case "tool":
		return &choice{"tool", c.String("name", 1)}
	case "function":
		return &choice{"tool", c.Object("function", "name").String("name", 1)}
	default:
		return &choice{mode: kind}
	}
}

// texts is a text, or what read makes of the elements of a list; listed says which.
func texts(o *fields.Object, name string, read func(v jsontext.Value) (string, bool)) (out []string, listed bool) {
	if o.Raw(name).Kind() != '[' {
		return []string{o.String(name, 0)}, false
	}
	out = []string{}
	for _, v := range o.Array(name) {
		if s, ok := read(v); ok {
			out = append(out, s)
		}
	}
	return out, true
}

func wantText(o *fields.Object, name string, v jsontext.Value) (string, bool) {
	if v.Kind() != jsontext.KindString {
		o.Fail(name, "Expected string, received %s", fields.Kind(v))
		return "", false
	}
	return fields.Text(v), true
}

// part is the text of a part; other parts are not carried.
func part(o *fields.Object, name string, v jsontext.Value) (string, bool) {
	p := o.Inside(name, v, "type", "text")
	if p.Enum("type", "text") == "" {
		return "", false
	}
	return p.String("text", 0), true
}

// joined is all the texts of a turn in one.
func (t turn) joined() string { return strings.Join(t.texts, "\n") }
