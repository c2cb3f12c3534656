package back

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// toOpenAI puts chat completions together (types ChatCompletion and ChatCompletionChunk of openai-go). All chunks have one id, the role
// comes first, the usage has a chunk of its own without choices, and only if the caller asked for it. Thoughts have no place there.
type toOpenAI struct {
	info    Info
	choices []openaiChoice // by index
}

// openaiChoice is what is known of a choice of a stream.
type openaiChoice struct {
	begun, stopped bool
	stop           stop
	why            string
}

type openaiChunk struct {
	ID      string              `json:"id"`
	Object  string              `json:"object"`
	Created int64               `json:"created"`
	Model   string              `json:"model"`
	Choices []openaiChunkChoice `json:"choices"`
	Usage   jsontext.Value      `json:"usage,omitzero"`
}

type openaiChunkChoice struct {
	Index        int         `json:"index"`
	Delta        openaiDelta `json:"delta"`
	Logprobs     *struct{}   `json:"logprobs"` // null: they cannot be asked for
	FinishReason *string     `json:"finish_reason"`
}

type openaiDelta struct {
	Role      string           `json:"role,omitempty"`
	Content   *string          `json:"content,omitzero"`
	Refusal   *string          `json:"refusal,omitzero"`
	ToolCalls []openaiToolCall `json:"tool_calls,omitempty"`
}

type openaiToolCall struct {
	Index    *int           `json:"index,omitzero"` // in chunks only
	ID       string         `json:"id,omitempty"`
	Type     string         `json:"type,omitempty"`
	Function openaiFunction `json:"function"`
}

type openaiFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type openaiUsage struct {
	Prompt     int64                   `json:"prompt_tokens"`
	Completion int64                   `json:"completion_tokens"`
	Total      int64                   `json:"total_tokens"`
	In         openaiPromptDetails     `json:"prompt_tokens_details"`
	Out        openaiCompletionDetails `json:"completion_tokens_details"`
}

type openaiPromptDetails struct {
	Cached  int64 `json:"cached_tokens"`
	Written int64 `json:"cache_write_tokens,omitzero"`
}

type openaiCompletionDetails struct {
	Reasoning int64 `json:"reasoning_tokens"`
}

// usageOf: OpenAI's prompt_tokens have the cached ones, its completion_tokens the reasoning.
func usageOf(u usage) *openaiUsage {
	if !u.known {
		return nil
	}
	return &openaiUsage{u.input, u.output, u.input + u.output, openaiPromptDetails{u.read, u.written}, openaiCompletionDetails{u.reasoning}}
}

func (o *toOpenAI) id() string { return "chatcmpl-" + o.info.ID }

// chunk appends one chunk to out.
func (o *toOpenAI) chunk(out []byte, choices []openaiChunkChoice, u *openaiUsage) []byte {
	c := openaiChunk{ID: o.id(), Object: "chat.completion.chunk", Created: o.info.Created, Model: o.info.Model, Choices: choices}
	switch {
	case u != nil:
		c.Usage = encode(u)
	case o.info.IncludeUsage:
		c.Usage = jsontext.Value("null")
	}
	return append(append(append(out, "data: "...), encode(c)...), "\n\n"...)
}

func (o *toOpenAI) delta(out []byte, choice int, d openaiDelta) []byte {
	return o.chunk(out, []openaiChunkChoice{{Index: choice, Delta: d}}, nil)
}

// begin appends the role of a choice, once.
func (o *toOpenAI) begin(out []byte, choice int) []byte {
	for len(o.choices) <= choice { // bounded by maxChoices
		o.choices = append(o.choices, openaiChoice{})
	}
	if o.choices[choice].begun {
		return out
	}
	o.choices[choice].begun = true
	return o.delta(out, choice, openaiDelta{Role: "assistant", Content: new(string)})
}

func (o *toOpenAI) take(out []byte, p piece, _ usage) ([]byte, error) {
	out = o.begin(out, p.choice)
	c := &o.choices[p.choice]
	switch p.kind {
	case isText:
		if p.text == "" {
			return out, nil
		}
		return o.delta(out, p.choice, openaiDelta{Content: &p.text}), nil
	case isRefusal:
		return o.delta(out, p.choice, openaiDelta{Refusal: &p.text}), nil
	case isCall:
		return o.delta(out, p.choice, openaiDelta{ToolCalls: []openaiToolCall{openaiCall(p, &p.call)}}), nil
	case isArguments:
		if p.text == "" {
			return out, nil
		}
		return o.delta(out, p.choice, openaiDelta{ToolCalls: []openaiToolCall{{Index: &p.call, Function: openaiFunction{Arguments: p.text}}}}), nil
	case isStop:
		c.stopped, c.stop, c.why = true, p.stop, p.text
		return out, nil
	default: // thoughts
		return out, nil
	}
}

func openaiCall(p piece, index *int) openaiToolCall {
	return openaiToolCall{Index: index, ID: p.id, Type: "function", Function: openaiFunction{Name: p.name}}
}

func (o *toOpenAI) end(out []byte, u usage) []byte {
	for i, c := range o.choices {
		if !c.stopped {
			continue
		}
		if c.stop == stopFilter && c.why != "" {
			out = o.delta(out, i, openaiDelta{Refusal: &c.why})
		}
		reason := openaiReason(c.stop)
		out = o.chunk(out, []openaiChunkChoice{{Index: i, FinishReason: &reason}}, nil)
	}
	if usage := usageOf(u); o.info.IncludeUsage && usage != nil {
		out = o.chunk(out, []openaiChunkChoice{}, usage)
	}
	return append(out, "data: [DONE]\n\n"...)
}

func openaiReason(s stop) string {
	switch s {
	case stopLength:
		return "length"
	case stopCalls:
		return "tool_calls"
	case stopFilter:
		return "content_filter"
	default:
		return "stop"
	}
}

type openaiCompletion struct {
	ID      string              `json:"id"`
	Object  string              `json:"object"`
	Created int64               `json:"created"`
	Model   string              `json:"model"`
	Choices []openaiWholeChoice `json:"choices"`
	Usage   *openaiUsage        `json:"usage,omitzero"`
}

type openaiWholeChoice struct {
	Index        int           `json:"index"`
	Message      openaiMessage `json:"message"`
	Logprobs     *struct{}     `json:"logprobs"`
	FinishReason string        `json:"finish_reason"`
}

type openaiMessage struct {
	Role      string           `json:"role"`
	Content   *string          `json:"content"`
	Refusal   *string          `json:"refusal"`
	ToolCalls []openaiToolCall `json:"tool_calls,omitempty"`
}

// openaiParts gathers the pieces of one choice of a whole answer.
type openaiParts struct {
	text, refusal strings.Builder
	calls         []openaiToolCall
	arguments     []strings.Builder
	stop          stop
}

func (o *toOpenAI) whole(pieces []piece, u usage) ([]byte, error) {
	var all []*openaiParts
	for _, p := range pieces {
		for len(all) <= p.choice {
			all = append(all, &openaiParts{})
		}
		if err := all[p.choice].take(p); err != nil {
			return nil, err
		}
	}
	c := openaiCompletion{ID: o.id(), Object: "chat.completion", Created: o.info.Created, Model: o.info.Model, Choices: []openaiWholeChoice{}, Usage: usageOf(u)}
	for i, parts := range all {
		c.Choices = append(c.Choices, openaiWholeChoice{Index: i, Message: parts.message(), FinishReason: openaiReason(parts.stop)})
	}
	return encode(c), nil
}

func (o *openaiParts) take(p piece) error {
	switch p.kind {
	case isText:
		o.text.WriteString(p.text)
	case isRefusal:
		o.refusal.WriteString(p.text)
	case isCall:
		o.calls = append(o.calls, openaiCall(p, nil))
		o.arguments = append(o.arguments, strings.Builder{})
	case isArguments:
		if p.call >= len(o.calls) {
			return broken("arguments without a call")
		}
		o.arguments[p.call].WriteString(p.text)
	case isStop:
		o.stop = p.stop
		if p.stop == stopFilter {
			o.refusal.WriteString(p.text)
		}
	default: // begin, thoughts
	}
	return nil
}

// message: the content of a message that only calls or refuses is null.
func (o *openaiParts) message() openaiMessage {
	m := openaiMessage{Role: "assistant", ToolCalls: slices.Clone(o.calls)}
	for i := range m.ToolCalls {
		m.ToolCalls[i].Function.Arguments = o.arguments[i].String()
	}
	if s := o.refusal.String(); s != "" {
		m.Refusal = &s
	}
	if s := o.text.String(); s != "" || len(m.ToolCalls) == 0 && m.Refusal == nil {
		m.Content = &s
	}
	return m
}
