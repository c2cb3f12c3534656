package back

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// fromOpenAI takes chat completions apart, of OpenAI and of servers that speak its format. A stream is over at data: [DONE].
type fromOpenAI struct {
	choices map[int]*openaiState
	done    bool
	use     openaiSaid
}

// openaiState is what is known of a choice.
type openaiState struct {
	calls   map[int]int // by the index that the server uses: the call, counted from 0
	ids     []string    // of the calls
	refused bool
	stopped bool
}

type openaiAnswer struct {
	Choices []openaiAnswerChoice `json:"choices"`
	Usage   *openaiSaid          `json:"usage"`
	Error   jsontext.Value       `json:"error"`
}

type openaiAnswerChoice struct {
	Index   int            `json:"index"`
	Delta   *openaiContent `json:"delta"`
	Message *openaiContent `json:"message"`
	Reason  *string        `json:"finish_reason"`
}

// openaiContent is a delta, or a message. Servers that speak the format tell what a model thought in one of two members of their own.
type openaiContent struct {
	Content      string             `json:"content"`
	Refusal      string             `json:"refusal"`
	ToolCalls    []openaiAnswerCall `json:"tool_calls"`
	FunctionCall jsontext.Value     `json:"function_call"`
	Audio        jsontext.Value     `json:"audio"`
	Thought      jsontext.Value     `json:"reasoning_content"`
	Reasoning    jsontext.Value     `json:"reasoning"`
}

type openaiAnswerCall struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type openaiSaid struct {
	Prompt     *int64 `json:"prompt_tokens"`
	Completion *int64 `json:"completion_tokens"`
	In         struct {
		Cached  int64 `json:"cached_tokens"`
		Written int64 `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	Out struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func (o *fromOpenAI) end() (bool, usage) {
	over := o.done && len(o.choices) > 0
	for _, c := range o.choices {
		over = over && c.stopped
	}
	u := usage{known: o.use.Prompt != nil && o.use.Completion != nil, input: value(o.use.Prompt), read: o.use.In.Cached, written: o.use.In.Written,
		output: value(o.use.Completion), reasoning: o.use.Out.Reasoning}
	if !u.sane() {
		u = usage{}
	}
	return over, u
}

func (o *fromOpenAI) event(data []byte, put func(piece) error) error {
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		o.done = true
		return nil
	}
	return o.answer(data, put, func(c openaiAnswerChoice) *openaiContent { return c.Delta })
}

func (o *fromOpenAI) whole(data []byte, put func(piece) error) error {
	if err := o.answer(data, put, func(c openaiAnswerChoice) *openaiContent { return c.Message }); err != nil {
		return err
	}
	o.done = true
	if over, _ := o.end(); !over {
		return broken("it has not ended")
	}
	return nil
}

func (o *fromOpenAI) answer(data []byte, put func(piece) error, of func(openaiAnswerChoice) *openaiContent) error {
	var a openaiAnswer
	if err := read(data, &a); err != nil {
		return err
	}
	if there(a.Error) {
		return openaiFailed(a.Error)
	}
	if a.Usage != nil {
		o.use = *a.Usage
	}
	for _, c := range a.Choices {
		if c.Index < 0 || c.Index >= maxChoices {
			return broken("a choice of index %d", c.Index)
		}
		if err := o.choice(c, value(of(c)), put); err != nil {
			return err
		}
	}
	return nil
}

// there says whether a member has a value that is not null.
func there(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != 'n' }

func (o *fromOpenAI) choice(c openaiAnswerChoice, said openaiContent, put func(piece) error) error {
	if o.choices == nil {
		o.choices = map[int]*openaiState{}
	}
	s := o.choices[c.Index]
	if s == nil {
		s = &openaiState{calls: map[int]int{}}
		o.choices[c.Index] = s
		if err := put(piece{kind: isBegin, choice: c.Index}); err != nil {
			return err
		}
	}
	if there(said.Audio) || there(said.FunctionCall) {
		return broken("sound, or a call in the old form, has no place in it")
	}
	for _, p := range []piece{{kind: isThought, text: text(said.Thought) + text(said.Reasoning)}, {kind: isText, text: said.Content}, {kind: isRefusal, text: said.Refusal}} {
		if p.choice = c.Index; p.text == "" {
			continue
		}
		s.refused = s.refused || p.kind == isRefusal
		if err := put(p); err != nil {
			return err
		}
	}
	for i, t := range said.ToolCalls {
		if err := s.call(c.Index, i, t, put); err != nil {
			return err
		}
	}
	if value(c.Reason) == "" || s.stopped {
		return nil
	}
	s.stopped = true
	return openaiStop(c, s.refused, put)
}

// text is a value that is a text; anything else is none.
func text(v jsontext.Value) (s string) {
	if v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return ""
}

// call takes a call, or a piece of one. A whole message has no indexes. Some servers give each call the index 0, and another id.
func (s *openaiState) call(choice, place int, t openaiAnswerCall, put func(piece) error) error {
	index := place
	if t.Index != nil {
		index = *t.Index
	}
	n, known := s.calls[index]
	if !known || t.ID != "" && s.ids[n] != t.ID {
		if t.Type != "" && t.Type != "function" {
			return broken("a call of type %.60q has no place in it", t.Type)
		}
		n = len(s.ids) // bounded by Converter.turn, behind which nothing is read any more
		s.calls[index], s.ids = n, append(s.ids, t.ID)
		if err := put(piece{kind: isCall, choice: choice, call: n, id: t.ID, name: t.Function.Name}); err != nil {
			return err
		}
	}
	return put(piece{kind: isArguments, choice: choice, call: n, text: t.Function.Arguments})
}

// openaiStop: finish_reason of a choice, and what servers that speak the format add: Mistral's model_length, OpenRouter's error and
// DeepSeek's insufficient_system_resource.
func openaiStop(c openaiAnswerChoice, refused bool, put func(piece) error) error {
	p := piece{kind: isStop, choice: c.Index}
	switch reason := *c.Reason; reason {
	case "stop":
		if p.stop = stopEnd; refused {
			p.stop = stopFilter
		}
	case "length", "model_length":
		p.stop = stopLength
	case "tool_calls":
		p.stop = stopCalls
	case "content_filter":
		p.stop = stopFilter
	case "error", "insufficient_system_resource":
		return failed(http.StatusBadGateway, reason, "", "the model gave no answer ("+reason+")")
	default:
		return broken("it stopped for the reason %.60q", reason)
	}
	return put(p)
}

// openaiFailed reads an error inside an answer. Servers that speak the format put an HTTP status into the code, or a text in the place of
// the object.
func openaiFailed(v jsontext.Value) error {
	var e struct {
		Message string         `json:"message"`
		Type    string         `json:"type"`
		Code    jsontext.Value `json:"code"`
	}
	if json.Unmarshal(v, &e) != nil {
		e.Message = text(v)
	}
	status, err := strconv.Atoi(string(e.Code))
	if err != nil || status < 400 || status > 599 {
		status = openaiStatus(e.Type, text(e.Code))
	}
	return failed(status, e.Type, text(e.Code), e.Message)
}
