package back

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// toAnthropic puts messages together (types Message and MessageStreamEventUnion of anthropic-sdk-go). Blocks are open one at a time: many
// clients take the last one for the one that a delta belongs to.
type toAnthropic struct {
	info  Info
	begun bool
	block int      // index of the open block, or of the next
	open  openKind // what is open
	call  int      // if a call is open: which
	stop  piece
}

type openKind int

const (
	openNone openKind = iota
	openText
	openThinking
	openCall
)

type anthropicOut struct {
	Type string `json:"type"`

	Message      *anthropicMessageOut `json:"message,omitzero"`
	Index        *int                 `json:"index,omitzero"`
	ContentBlock *anthropicBlockOut   `json:"content_block,omitzero"`
	Delta        any                  `json:"delta,omitzero"`
	Usage        *anthropicUsageOut   `json:"usage,omitzero"`
}

type anthropicMessageOut struct {
	ID           string               `json:"id"`
	Type         string               `json:"type"`
	Role         string               `json:"role"`
	Model        string               `json:"model"`
	Content      []anthropicBlockOut  `json:"content"`
	StopReason   *string              `json:"stop_reason"`
	StopSequence *string              `json:"stop_sequence"`
	StopDetails  *anthropicDetailsOut `json:"stop_details"`
	Usage        anthropicUsageOut    `json:"usage"`
}

// anthropicBlockOut has pointers because a block shows the members of its type and no others, also if they are empty.
type anthropicBlockOut struct {
	Type      string         `json:"type"`
	Text      *string        `json:"text,omitzero"`
	Citations jsontext.Value `json:"citations,omitzero"`
	Thinking  *string        `json:"thinking,omitzero"`
	Signature *string        `json:"signature,omitzero"`
	Data      *string        `json:"data,omitzero"`
	ID        string         `json:"id,omitzero"`
	Name      *string        `json:"name,omitzero"`
	Input     jsontext.Value `json:"input,omitzero"`
}

type anthropicDeltaOut struct {
	Type      string  `json:"type"`
	Text      *string `json:"text,omitzero"`
	Partial   *string `json:"partial_json,omitzero"`
	Thinking  *string `json:"thinking,omitzero"`
	Signature *string `json:"signature,omitzero"`
}

type anthropicStopOut struct {
	StopReason   *string              `json:"stop_reason"`
	StopSequence *string              `json:"stop_sequence"`
	StopDetails  *anthropicDetailsOut `json:"stop_details"`
}

// anthropicDetailsOut: the categories are Anthropic's own, so there is none.
type anthropicDetailsOut struct {
	Type        string  `json:"type"`
	Category    *string `json:"category"`
	Explanation *string `json:"explanation"`
}

type anthropicUsageOut struct {
	Input   int64               `json:"input_tokens"`
	Written int64               `json:"cache_creation_input_tokens"`
	Read    int64               `json:"cache_read_input_tokens"`
	Output  int64               `json:"output_tokens"`
	Details anthropicThoughtOut `json:"output_tokens_details"`
}

type anthropicThoughtOut struct {
	Thinking int64 `json:"thinking_tokens"`
}

// anthropicUsageOf: Anthropic's input_tokens leave out what was read from the cache and written to it.
func anthropicUsageOf(u usage) anthropicUsageOut {
	return anthropicUsageOut{u.input - u.read - u.written, u.written, u.read, u.output, anthropicThoughtOut{u.reasoning}}
}

func (a *toAnthropic) message(u usage) anthropicMessageOut {
	return anthropicMessageOut{ID: "msg_" + a.info.ID, Type: "message", Role: "assistant", Model: a.info.Model, Content: []anthropicBlockOut{}, Usage: anthropicUsageOf(u)}
}

func anthropicEmit(out []byte, e anthropicOut) []byte {
	out = append(append(append(out, "event: "...), e.Type...), "\ndata: "...)
	return append(append(out, encode(e)...), "\n\n"...)
}

// take: the usage of an answer that has just begun is what was told of its input by then; message_delta tells all of it.
func (a *toAnthropic) take(out []byte, p piece, u usage) ([]byte, error) {
	if p.choice > 0 {
		return out, broken("a second choice has no place in it")
	}
	if !a.begun {
		a.begun = true
		m := a.message(u)
		out = anthropicEmit(out, anthropicOut{Type: "message_start", Message: &m})
	}
	switch p.kind {
	case isText, isRefusal:
		if p.text == "" {
			return out, nil
		}
		out = a.opened(out, openText, func() anthropicBlockOut { return textBlock("") })
		return a.delta(out, anthropicDeltaOut{Type: "text_delta", Text: &p.text}), nil
	case isThought, isSignature, isSealed:
		return a.thought(out, p), nil
	case isCall:
		return a.called(out, p), nil
	case isArguments:
		if p.text == "" {
			return out, nil
		}
		if a.open != openCall || a.call != p.call {
			return out, broken("the arguments of calls are interleaved")
		}
		return a.delta(out, anthropicDeltaOut{Type: "input_json_delta", Partial: &p.text}), nil
	case isStop:
		a.stop = p
		return out, nil
	default:
		return out, nil
	}
}

func textBlock(s string) anthropicBlockOut {
	return anthropicBlockOut{Type: "text", Text: &s, Citations: jsontext.Value("null")}
}

func thinkingBlock(thought, sign string) anthropicBlockOut {
	return anthropicBlockOut{Type: "thinking", Thinking: &thought, Signature: &sign}
}

func sealedBlock(data string) anthropicBlockOut {
	return anthropicBlockOut{Type: "redacted_thinking", Data: &data}
}

func callBlock(p piece, input string) anthropicBlockOut {
	return anthropicBlockOut{Type: "tool_use", ID: p.id, Name: &p.name, Input: jsontext.Value(input)}
}

// thought shows what the model thought to a caller who asked for it. A signature ends a block.
func (a *toAnthropic) thought(out []byte, p piece) []byte {
	if !a.info.Thinks || p.text == "" {
		return out
	}
	if p.kind == isSealed {
		out = a.close(out)
		out = a.begin(out, openThinking, sealedBlock(p.text))
		return a.close(out)
	}
	out = a.opened(out, openThinking, func() anthropicBlockOut { return thinkingBlock("", "") })
	if p.kind == isThought {
		return a.delta(out, anthropicDeltaOut{Type: "thinking_delta", Thinking: &p.text})
	}
	return a.close(a.delta(out, anthropicDeltaOut{Type: "signature_delta", Signature: &p.text}))
}

func (a *toAnthropic) called(out []byte, p piece) []byte {
	out = a.close(out)
	a.call = p.call
	return a.begin(out, openCall, callBlock(p, "{}"))
}

// opened opens a block of a kind, if none is.
func (a *toAnthropic) opened(out []byte, kind openKind, block func() anthropicBlockOut) []byte {
	if a.open == kind {
		return out
	}
	return a.begin(a.close(out), kind, block())
}

func (a *toAnthropic) begin(out []byte, kind openKind, b anthropicBlockOut) []byte {
	a.open = kind
	return anthropicEmit(out, anthropicOut{Type: "content_block_start", Index: &a.block, ContentBlock: &b})
}

func (a *toAnthropic) delta(out []byte, d anthropicDeltaOut) []byte {
	return anthropicEmit(out, anthropicOut{Type: "content_block_delta", Index: &a.block, Delta: d})
}

func (a *toAnthropic) close(out []byte) []byte {
	if a.open == openNone {
		return out
	}
	a.open = openNone
	out = anthropicEmit(out, anthropicOut{Type: "content_block_stop", Index: &a.block})
	a.block++
	return out
}

func (a *toAnthropic) end(out []byte, u usage) []byte {
	out = a.close(out)
	use := anthropicUsageOf(u)
	out = anthropicEmit(out, anthropicOut{Type: "message_delta", Delta: anthropicStopped(a.stop), Usage: &use})
	return anthropicEmit(out, anthropicOut{Type: "message_stop"})
}

func anthropicStopped(p piece) anthropicStopOut {
	reason := "end_turn"
	s := anthropicStopOut{StopReason: &reason}
	switch p.stop {
	case stopLength:
		reason = "max_tokens"
	case stopCalls:
		reason = "tool_use"
	case stopSequence:
		reason, s.StopSequence = "stop_sequence", &p.text
	case stopFilter:
		reason = "refusal"
		s.StopDetails = &anthropicDetailsOut{Type: "refusal"}
		if p.text != "" {
			s.StopDetails.Explanation = &p.text
		}
	default:
	}
	return s
}

func (a *toAnthropic) whole(pieces []piece, u usage) ([]byte, error) {
	m := a.message(u)
	var stop piece
	w := anthropicWhole{thinks: a.info.Thinks}
	for _, p := range pieces {
		if p.choice > 0 {
			return nil, broken("a second choice has no place in it")
		}
		if p.kind == isStop {
			stop = p
		}
		if err := w.take(p); err != nil {
			return nil, err
		}
	}
	if err := w.close(); err != nil {
		return nil, err
	}
	s := anthropicStopped(stop)
	m.Content, m.StopReason, m.StopSequence, m.StopDetails = append(m.Content, w.blocks...), s.StopReason, s.StopSequence, s.StopDetails
	return encode(m), nil
}

// anthropicWhole gathers the pieces of a whole answer into blocks.
type anthropicWhole struct {
	thinks bool
	blocks []anthropicBlockOut
	open   openKind
	call   piece
	text   strings.Builder
	sign   string
}

func (w *anthropicWhole) take(p piece) error {
	switch p.kind {
	case isText, isRefusal:
		if p.text == "" {
			return nil
		}
		return w.add(openText, p.text)
	case isThought:
		if !w.thinks || p.text == "" {
			return nil
		}
		return w.add(openThinking, p.text)
	case isSignature:
		return w.signed(p.text)
	case isSealed:
		if !w.thinks {
			return nil
		}
		err := w.close()
		w.blocks = append(w.blocks, sealedBlock(p.text))
		return err
	case isCall:
		if err := w.close(); err != nil {
			return err
		}
		w.open, w.call = openCall, p
		return nil
	case isArguments:
		if w.open != openCall || w.call.call != p.call {
			return broken("the arguments of calls are interleaved")
		}
		w.text.WriteString(p.text)
		return nil
	default:
		return nil
	}
}

// add adds text to a block of a kind, which is opened if it is not.
func (w *anthropicWhole) add(kind openKind, s string) error {
	if w.open != kind {
		if err := w.close(); err != nil {
			return err
		}
		w.open = kind
	}
	w.text.WriteString(s)
	return nil
}

// signed ends a block of thinking with its signature.
func (w *anthropicWhole) signed(sign string) error {
	if !w.thinks || sign == "" {
		return nil
	}
	if err := w.add(openThinking, ""); err != nil {
		return err
	}
	w.sign = sign
	return w.close()
}

// close ends the open block. Arguments must be an object there.
func (w *anthropicWhole) close() error {
	s := w.text.String()
	switch w.open {
	case openText:
		w.blocks = append(w.blocks, textBlock(s))
	case openThinking:
		w.blocks = append(w.blocks, thinkingBlock(s, w.sign))
	case openCall:
		if s == "" {
			s = "{}"
		}
		if v := jsontext.Value(s); !v.IsValid() || v.Kind() != '{' {
			return broken("the arguments of a call of %.60q are no JSON object", w.call.name)
		}
		w.blocks = append(w.blocks, callBlock(w.call, s))
	default:
	}
	w.open, w.sign = openNone, ""
	w.text.Reset()
	return nil
}
