package back_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/devrelopers/aipassport/passport"
)

// said is what a client gathers of an answer, whatever the dialect.
type said struct {
	Text, Thought, Refusal string
	Calls                  []called
	Stop                   string
	Usage                  string
	Ended, Failed          bool
}

type called struct{ ID, Name, Arguments string }

// frames cuts a stream of ours into events: a name, if there is one, and one line of data.
func frames(out string) (list []frame, err error) {
	for out != "" {
		f, rest, ok := strings.Cut(out, "\n\n")
		if !ok {
			return nil, fmt.Errorf("an event that does not end: %q", out)
		}
		out = rest
		name, data := "", f
		if n, rest, ok := strings.Cut(f, "\n"); ok {
			if name, ok = strings.CutPrefix(n, "event: "); !ok {
				return nil, fmt.Errorf("%q is no event", f)
			}
			data = rest
		}
		data, ok = strings.CutPrefix(data, "data: ")
		if !ok || strings.ContainsAny(data, "\r\n") {
			return nil, fmt.Errorf("%q is no event", f)
		}
		list = append(list, frame{name, data})
	}
	return list, nil
}

type frame struct{ name, data string }

// gather reads a stream as the official clients do, and fails where their accumulators would: openai-go's AddChunk wants one id, indexes in
// their order and the role before anything else; anthropic-sdk-go's Accumulate wants blocks in their order and deltas that fit.
func gather(to passport.Provider, out string) (said, error) {
	list, err := frames(out)
	if err != nil {
		return said{}, err
	}
	if to == passport.Anthropic {
		return gatherMessage(list)
	}
	return gatherChunks(list)
}

type chunk struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Index  int     `json:"index"`
		Reason *string `json:"finish_reason"`
		Delta  struct {
			Role      string  `json:"role"`
			Content   *string `json:"content"`
			Refusal   *string `json:"refusal"`
			ToolCalls []struct {
				Index    int    `json:"index"`
				ID       string `json:"id"`
				Type     string `json:"type"`
				Function struct {
					Name      string `json:"name"`
					Arguments string `json:"arguments"`
				} `json:"function"`
			} `json:"tool_calls"`
		} `json:"delta"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// gatherChunks gathers the first choice; of others it checks the form.
func gatherChunks(list []frame) (s said, err error) {
	id, begun, ended := "", map[int]bool{}, map[int]bool{}
	for _, f := range list {
		if s.Ended || s.Failed {
			return s, fmt.Errorf("%q comes behind the end", f.data)
		}
		if f.data == "[DONE]" {
			s.Ended = true
			continue
		}
		var c chunk
		if err := json.Unmarshal([]byte(f.data), &c); err != nil || f.name != "" {
			return s, fmt.Errorf("%q: %v", f, err)
		}
		if c.Error != nil {
			s.Failed = true
			continue
		}
		if id == "" {
			id = c.ID
		}
		if c.ID != id || c.Object != "chat.completion.chunk" || c.Created != info.Created || c.Model != info.Model {
			return s, fmt.Errorf("another id, object, time or model: %s", f.data)
		}
		if c.Choices == nil || len(c.Choices) == 0 == (string(c.Usage) == "null" || c.Usage == nil) {
			return s, fmt.Errorf("no choices and no usage, or both: %s", f.data)
		}
		if len(c.Choices) == 0 {
			s.Usage = string(c.Usage)
		}
		for _, ch := range c.Choices {
			d := ch.Delta
			if !begun[ch.Index] && d.Role != "assistant" || begun[ch.Index] && d.Role != "" || ended[ch.Index] || s.Usage != "" {
				return s, fmt.Errorf("out of its order: %s", f.data)
			}
			begun[ch.Index] = true
			if ch.Reason != nil {
				ended[ch.Index] = true
			}
			if ch.Index > 0 {
				continue
			}
			if ch.Reason != nil {
				s.Stop = *ch.Reason
			}
			if d.Content != nil {
				s.Text += *d.Content
			}
			if d.Refusal != nil {
				s.Refusal += *d.Refusal
			}
			for _, t := range d.ToolCalls {
				switch {
				case t.Index == len(s.Calls) && t.Type == "function":
					s.Calls = append(s.Calls, called{t.ID, t.Function.Name, t.Function.Arguments})
				case t.Index >= 0 && t.Index < len(s.Calls) && t.ID == "" && t.Type == "" && t.Function.Name == "":
					s.Calls[t.Index].Arguments += t.Function.Arguments
				default:
					return s, fmt.Errorf("a call of index %d behind %d: %s", t.Index, len(s.Calls), f.data)
				}
			}
		}
	}
	return s, nil
}

type event struct {
	Type    string `json:"type"`
	Message *struct {
		ID      string            `json:"id"`
		Type    string            `json:"type"`
		Role    string            `json:"role"`
		Model   string            `json:"model"`
		Content []json.RawMessage `json:"content"`
		Usage   json.RawMessage   `json:"usage"`
	} `json:"message"`
	Index *int             `json:"index"`
	Block *json.RawMessage `json:"content_block"`
	Delta *struct {
		Type     string  `json:"type"`
		Text     string  `json:"text"`
		Partial  string  `json:"partial_json"`
		Thinking string  `json:"thinking"`
		Stop     *string `json:"stop_reason"`
	} `json:"delta"`
	Usage json.RawMessage `json:"usage"`
}

func gatherMessage(list []frame) (s said, err error) {
	open, blocks, kind := false, 0, ""
	for i, f := range list {
		var e event
		if err := json.Unmarshal([]byte(f.data), &e); err != nil || f.name != e.Type {
			return s, fmt.Errorf("%q: %v", f, err)
		}
		if s.Ended || s.Failed || (i == 0) != (e.Type == "message_start") && e.Type != "error" || s.Stop != "" && e.Type != "message_stop" {
			return s, fmt.Errorf("%q is out of its order", f.data)
		}
		switch e.Type {
		case "error":
			s.Failed = true
		case "message_start":
			if m := e.Message; m == nil || m.ID == "" || m.Type != "message" || m.Role != "assistant" || m.Model != info.Model || m.Content == nil || m.Usage == nil {
				return s, fmt.Errorf("%q is no start of a message", f.data)
			}
		case "content_block_start":
			var b struct{ Type, ID, Name string }
			if e.Index == nil || *e.Index != blocks || open || e.Block == nil || json.Unmarshal(*e.Block, &b) != nil {
				return s, fmt.Errorf("%q is out of its order", f.data)
			}
			if open, kind = true, b.Type; kind == "tool_use" {
				s.Calls = append(s.Calls, called{ID: b.ID, Name: b.Name})
			}
		case "content_block_delta":
			if e.Index == nil || *e.Index != blocks || !open || e.Delta == nil {
				return s, fmt.Errorf("%q is out of its order", f.data)
			}
			switch kind + " " + e.Delta.Type {
			case "text text_delta":
				s.Text += e.Delta.Text
			case "thinking thinking_delta":
				s.Thought += e.Delta.Thinking
			case "thinking signature_delta":
			case "tool_use input_json_delta":
				s.Calls[len(s.Calls)-1].Arguments += e.Delta.Partial
			default:
				return s, fmt.Errorf("%q does not fit into a block of %s", f.data, kind)
			}
		case "content_block_stop":
			if e.Index == nil || *e.Index != blocks || !open {
				return s, fmt.Errorf("%q is out of its order", f.data)
			}
			open, blocks = false, blocks+1
		case "message_delta":
			if open || e.Delta == nil || e.Delta.Stop == nil || e.Usage == nil {
				return s, fmt.Errorf("%q is out of its order", f.data)
			}
			s.Stop, s.Usage = *e.Delta.Stop, string(e.Usage)
		case "message_stop":
			if s.Stop == "" {
				return s, fmt.Errorf("an end without a reason")
			}
			s.Ended = true
		default:
			return s, fmt.Errorf("%q is no event", f.data)
		}
	}
	return s, nil
}

// gatherWhole reads an answer that is one JSON object.
func gatherWhole(to passport.Provider, out string) (s said, err error) {
	if to == passport.Anthropic {
		return wholeMessage(out)
	}
	var c struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Choices []struct {
			Message struct {
				Content   *string `json:"content"`
				Refusal   *string `json:"refusal"`
				ToolCalls []struct {
					ID       string `json:"id"`
					Type     string `json:"type"`
					Function struct {
						Name      string `json:"name"`
						Arguments string `json:"arguments"`
					} `json:"function"`
				} `json:"tool_calls"`
			} `json:"message"`
			Reason string `json:"finish_reason"`
		} `json:"choices"`
		Usage json.RawMessage `json:"usage"`
	}
	if err := json.Unmarshal([]byte(out), &c); err != nil || c.Object != "chat.completion" || c.ID == "" || len(c.Choices) == 0 {
		return s, fmt.Errorf("%q is no completion: %v", out, err)
	}
	m := c.Choices[0].Message
	s.Stop, s.Usage, s.Ended = c.Choices[0].Reason, string(c.Usage), true
	if m.Content != nil {
		s.Text = *m.Content
	}
	if m.Refusal != nil {
		s.Refusal = *m.Refusal
	}
	for _, t := range m.ToolCalls {
		s.Calls = append(s.Calls, called{t.ID, t.Function.Name, t.Function.Arguments})
	}
	return s, nil
}

func wholeMessage(out string) (s said, err error) {
	var m struct {
		ID, Type, Role string
		Content        []struct {
			Type, Text, Thinking, ID, Name string
			Input                          json.RawMessage
		}
		Stop  string          `json:"stop_reason"`
		Usage json.RawMessage `json:"usage"`
	}
	if err := json.Unmarshal([]byte(out), &m); err != nil || m.ID == "" || m.Type != "message" || m.Role != "assistant" || m.Content == nil || m.Stop == "" {
		return s, fmt.Errorf("%q is no message: %v", out, err)
	}
	s.Stop, s.Usage, s.Ended = m.Stop, string(m.Usage), true
	for _, b := range m.Content {
		s.Text += b.Text
		s.Thought += b.Thinking
		if b.Type == "tool_use" {
			s.Calls = append(s.Calls, called{b.ID, b.Name, string(b.Input)})
		}
	}
	return s, nil
}
