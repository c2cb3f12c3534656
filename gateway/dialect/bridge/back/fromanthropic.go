package back

import (
	"github.com/go-json-experiment/json/jsontext"
)

// fromAnthropic takes messages apart. Blocks begin in order; their deltas and ends may interleave (anthropic-sdk-go, Message.Accumulate).
type fromAnthropic struct {
	blocks []anthropicBlock // of those that have begun
	calls  int
	begun  bool
	over   bool
	stop   bool
	use    anthropicUsage
}

// anthropicBlock is what is known of a block that has begun.
type anthropicBlock struct {
	kind  string
	call  int
	empty bool // a call without arguments so far
	input jsontext.Value
}

type anthropicEvent struct {
	Type         string            `json:"type"`
	Index        int               `json:"index"`
	Message      *anthropicMessage `json:"message"`
	ContentBlock *anthropicContent `json:"content_block"`
	Delta        *anthropicDelta   `json:"delta"`
	Usage        *anthropicUsage   `json:"usage"`
	Error        *anthropicError   `json:"error"`
}

type anthropicMessage struct {
	Type        string             `json:"type"`
	Content     []anthropicContent `json:"content"`
	StopReason  *string            `json:"stop_reason"`
	StopSeq     *string            `json:"stop_sequence"`
	StopDetails *anthropicDetails  `json:"stop_details"`
	Usage       *anthropicUsage    `json:"usage"`
	Error       *anthropicError    `json:"error"`
}

type anthropicDetails struct {
	Explanation *string `json:"explanation"`
	Category    *string `json:"category"`
}

type anthropicContent struct {
	Type      string         `json:"type"`
	Text      string         `json:"text"`
	Thinking  string         `json:"thinking"`
	Signature string         `json:"signature"`
	Data      string         `json:"data"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Input     jsontext.Value `json:"input"`
}

type anthropicDelta struct {
	Type        string            `json:"type"`
	Text        string            `json:"text"`
	PartialJSON string            `json:"partial_json"`
	Thinking    string            `json:"thinking"`
	Signature   string            `json:"signature"`
	StopReason  *string           `json:"stop_reason"`
	StopSeq     *string           `json:"stop_sequence"`
	StopDetails *anthropicDetails `json:"stop_details"`
}

type anthropicError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// anthropicUsage has pointers because what a message_delta leaves out was told before.
type anthropicUsage struct {
	Input   *int64 `json:"input_tokens"`
	Read    *int64 `json:"cache_read_input_tokens"`
	Written *int64 `json:"cache_creation_input_tokens"`
	Output  *int64 `json:"output_tokens"`
	Details *struct {
		Thinking int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
}

func (u *anthropicUsage) merge(n *anthropicUsage) {
	if n == nil {
		return
	}
	for _, f := range []struct{ old, new **int64 }{{&u.Input, &n.Input}, {&u.Read, &n.Read}, {&u.Written, &n.Written}, {&u.Output, &n.Output}} {
		if *f.new != nil {
			*f.old = *f.new
		}
	}
	if n.Details != nil {
		u.Details = n.Details
	}
}

// end: input_tokens are those that were neither read from the cache nor written to it (page "Prompt caching").
func (a *fromAnthropic) end() (bool, usage) {
	u := usage{known: a.use.Input != nil && a.use.Output != nil, read: value(a.use.Read), written: value(a.use.Written), output: value(a.use.Output)}
	u.input = value(a.use.Input) + u.read + u.written
	if a.use.Details != nil {
		u.reasoning = a.use.Details.Thinking
	}
	if !u.sane() {
		u = usage{}
	}
	return a.over, u
}

func (a *fromAnthropic) event(data []byte, put func(piece) error) error {
	var e anthropicEvent
	if err := read(data, &e); err != nil {
		return err
	}
	switch e.Type {
	case "ping":
		return nil
	case "error":
		said := value(e.Error)
		return failed(anthropicStatus(said.Type), said.Type, "", said.Message)
	case "message_start":
		if a.begun || e.Message == nil {
			return broken("a message_start where none is due")
		}
		a.begun = true
		a.use.merge(e.Message.Usage)
		return put(piece{kind: isBegin})
	case "message_stop":
		a.over = a.stop
		return nil
	}
	if !a.begun || a.over {
		return broken("an event outside of a message")
	}
	switch e.Type {
	case "content_block_start":
		return a.start(e, put)
	case "content_block_delta":
		return a.delta(e, put)
	case "content_block_stop":
		return a.blockStop(e, put)
	case "message_delta":
		a.use.merge(e.Usage)
		if e.Delta == nil || e.Delta.StopReason == nil {
			return nil
		}
		a.stop = true
		return anthropicStop(*e.Delta.StopReason, e.Delta.StopSeq, e.Delta.StopDetails, put)
	default:
		return broken("an event of type %.60q", e.Type)
	}
}

func (a *fromAnthropic) start(e anthropicEvent, put func(piece) error) error {
	if e.Index != len(a.blocks) || len(a.blocks) >= maxBlocks || e.ContentBlock == nil {
		return broken("a content block of index %d behind %d", e.Index, len(a.blocks))
	}
	b := *e.ContentBlock
	open := anthropicBlock{kind: b.Type, call: a.calls, empty: true}
	if b.Type == "tool_use" {
		a.calls++
		if len(b.Input) > 0 && string(b.Input) != "{}" {
			open.input = b.Input.Clone() // some servers tell it at once; if deltas come as well, those count
		}
	}
	a.blocks = append(a.blocks, open)
	b.Input = nil
	return anthropicPieces(b, open.call, put)
}

// anthropicPieces are the pieces of a block, without a call's arguments.
func anthropicPieces(b anthropicContent, call int, put func(piece) error) error {
	switch b.Type {
	case "text":
		return put(piece{kind: isText, text: b.Text})
	case "thinking":
		if err := put(piece{kind: isThought, text: b.Thinking}); err != nil || b.Signature == "" {
			return err
		}
		return put(piece{kind: isSignature, text: b.Signature})
	case "redacted_thinking":
		return put(piece{kind: isSealed, text: b.Data})
	case "tool_use":
		return put(piece{kind: isCall, call: call, id: b.ID, name: b.Name})
	default:
		return broken("a block of type %.60q has no place in it", b.Type)
	}
}

func (a *fromAnthropic) delta(e anthropicEvent, put func(piece) error) error {
	if e.Index < 0 || e.Index >= len(a.blocks) || e.Delta == nil {
		return broken("a delta for a block of index %d of %d", e.Index, len(a.blocks))
	}
	b := &a.blocks[e.Index]
	switch {
	case e.Delta.Type == "text_delta" && b.kind == "text":
		return put(piece{kind: isText, text: e.Delta.Text})
	case e.Delta.Type == "thinking_delta" && b.kind == "thinking":
		return put(piece{kind: isThought, text: e.Delta.Thinking})
	case e.Delta.Type == "signature_delta" && b.kind == "thinking":
		return put(piece{kind: isSignature, text: e.Delta.Signature})
	case e.Delta.Type == "input_json_delta" && b.kind == "tool_use":
		b.empty = b.empty && e.Delta.PartialJSON == ""
		return put(piece{kind: isArguments, call: b.call, text: e.Delta.PartialJSON})
	default:
		return broken("a delta of type %.60q in a block of type %.60q", e.Delta.Type, b.kind)
	}
}

// blockStop: a call without arguments sends no delta with any; they are an empty object then.
func (a *fromAnthropic) blockStop(e anthropicEvent, put func(piece) error) error {
	if e.Index < 0 || e.Index >= len(a.blocks) {
		return broken("the end of a block of index %d of %d", e.Index, len(a.blocks))
	}
	b := &a.blocks[e.Index]
	if b.kind != "tool_use" || !b.empty {
		return nil
	}
	b.empty = false
	if b.input == nil {
		b.input = jsontext.Value("{}")
	}
	text := string(b.input)
	b.input = nil
	return put(piece{kind: isArguments, call: b.call, text: text})
}

func (a *fromAnthropic) whole(data []byte, put func(piece) error) error {
	var m anthropicMessage
	if err := read(data, &m); err != nil {
		return err
	}
	switch {
	case m.Error != nil:
		return failed(anthropicStatus(m.Error.Type), m.Error.Type, "", m.Error.Message)
	case m.Type != "message" || m.StopReason == nil:
		return broken("it is no message that has ended")
	case len(m.Content) > maxBlocks:
		return broken("more than %d blocks", maxBlocks)
	}
	a.use.merge(m.Usage)
	a.over = true
	for _, b := range m.Content {
		if err := anthropicPieces(b, a.calls, put); err != nil {
			return err
		}
		if b.Type != "tool_use" {
			continue
		}
		if len(b.Input) == 0 {
			b.Input = jsontext.Value("{}")
		}
		if err := put(piece{kind: isArguments, call: a.calls, text: string(b.Input)}); err != nil {
			return err
		}
		a.calls++
	}
	return anthropicStop(*m.StopReason, m.StopSeq, m.StopDetails, put)
}

// anthropicStop: type StopReason of anthropic-sdk-go. pause_turn belongs to hosted tools, which are not asked for.
func anthropicStop(reason string, sequence *string, details *anthropicDetails, put func(piece) error) error {
	p := piece{kind: isStop}
	switch reason {
	case "end_turn":
		p.stop = stopEnd
	case "stop_sequence":
		p.stop, p.text = stopSequence, value(sequence)
	case "max_tokens", "model_context_window_exceeded":
		p.stop = stopLength
	case "tool_use":
		p.stop = stopCalls
	case "refusal":
		p.stop, p.text = stopFilter, value(value(details).Explanation)
	default:
		return broken("it stopped for the reason %.60q", reason)
	}
	return put(p)
}
