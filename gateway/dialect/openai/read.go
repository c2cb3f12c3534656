package openai

import (
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxChoices bounds n: answers asked for in one call.
const maxChoices = 16

// span is where a value stands in the body. The zero span is nowhere.
type span struct{ from, to int }

func (s span) there() bool { return s.to > 0 }

// put is the edit that puts text where the value stands.
func (s span) put(text string) strict.Edit {
	return strict.Edit{At: s.from, Cut: s.to - s.from, Text: text}
}

// request is what is read of a body, and where.
type request struct {
	model      string
	stream     bool
	wantsUsage bool
	thinks     bool // asks for an effort of reasoning
	messages   bool // there, even if empty
	parts      int64
	choices    int64
	max        passport.Limit
	speaks     bool // hears or speaks
	found      media.Found

	other        *Other // nil: OpenAI
	open         int    // behind the brace that opens the body
	options      span   // of stream_options, name and value
	maxName      span   // of the name of the cap that was given
	maxGiven     string // that name
	maxValue     span   // of the cap that was given, by either name
	maxNull      span   // of a null that stands for a cap
	maxNullName  string
	tierGiven    bool
	storeGiven   bool
	tierNull     span
	storeNull    span
	optionsNull  span
	optionsOpen  int // behind the brace that opens stream_options
	optionsEmpty bool
	usage        span // of the value of include_usage that is not true
	dropped      []strict.Edit
}

// read reads the body.
func (r *request) read(b *strict.Reader) error {
	seen := false
	return b.Object(func(name string) error {
		if !seen {
			r.open, seen = b.End()-len(name)-2, true // its quotes are plain: a name has no escapes
		}
		return r.member(b, name)
	})
}

// member reads one top-level member: everything that may go through, and a word on what costs extra.
func (r *request) member(b *strict.Reader, name string) (err error) {
	switch name {
	case "model":
		r.model, err = b.String()
		return err
	case "messages":
		r.messages = true
		return b.Array(func() error { r.parts++; return r.message(b) })
	case "max_tokens", "max_completion_tokens":
		return r.outputCap(b, name)
	case "stream":
		if b.Null() {
			return nil
		}
		r.stream, err = b.Bool()
		return err
	case "stream_options":
		return r.streamOptions(b)
	case "n":
		if b.Null() {
			return nil
		}
		r.choices, err = b.Int(1, maxChoices)
		return err
	case "service_tier":
		r.tierGiven = true
		return only(b, &r.tierNull, func() error { _, err := b.OneOf("default"); return err })
	case "store":
		r.storeGiven = true
		return only(b, &r.storeNull, func() error {
			on, err := b.Bool()
			if err == nil && on {
				return b.Refuse("stored completions of all apps would lie under one key; only false is allowed here")
			}
			return err
		})
	}
	if why, ok := refused[name]; ok {
		return b.Refuse("%s", why)
	}
	if b.Null() {
		return known(b, name)
	}
	return r.harmless(b, name)
}

// harmless reads the members that cost nothing but their bytes.
func (r *request) harmless(b *strict.Reader, name string) error {
	switch name {
	case "temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "seed":
		return b.Number()
	case "logprobs", "parallel_tool_calls":
		_, err := b.Bool()
		return err
	case "reasoning_effort":
		r.thinks = true
		return b.Text()
	case "user", "safety_identifier", "prompt_cache_key", "verbosity":
		return b.Text()
	case "prompt_cache_retention":
		_, err := b.OneOf("in_memory", "in-memory", "24h")
		return err
	case "prompt_cache_options":
		return cacheOptions(b)
	case "stop":
		if b.Next() == '[' {
			return b.Strings()
		}
		return b.Text()
	case "logit_bias", "metadata":
		return b.AnyObject()
	case "modalities":
		return b.Array(func() error { return r.modality(b) })
	case "audio":
		return r.speech(b)
	case "response_format":
		return responseFormat(b)
	case "tools":
		return b.Array(func() error { r.parts++; return tool(b) })
	case "functions":
		return b.Array(func() error { r.parts++; return function(b) })
	case "tool_choice", "function_call":
		return choice(b)
	default:
		return b.Unknown()
	}
}

// known refuses a null for a name that is not on the list.
func known(b *strict.Reader, name string) error {
	switch name {
	case "temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "seed", "logprobs", "parallel_tool_calls",
		"user", "safety_identifier", "prompt_cache_key", "reasoning_effort", "verbosity", "prompt_cache_retention", "prompt_cache_options",
		"stop", "logit_bias", "metadata", "modalities", "audio", "response_format", "tools", "functions", "tool_choice", "function_call":
		return nil
	default:
		return b.Unknown()
	}
}

// refused says why a field that OpenAI knows may not go through.
var refused = map[string]string{
	"web_search_options": "hosted tools cannot be priced here: how often the model searches is neither bounded nor told",
	"prediction":         "predicted outputs are billed beyond the output cap",
	"moderation":         "moderation is not allowed here",
	"background":         "background calls are not allowed",
	"best_of":            "best_of is not allowed; use n",
}

// only reads a value by f; of a null it keeps the place.
func only(b *strict.Reader, null *span, f func() error) error {
	at := b.Begin()
	if b.Null() {
		*null = span{at, b.End()}
		return nil
	}
	return f()
}

// outputCap reads max_tokens or max_completion_tokens. Both are refused: which of them holds is the provider's whim.
func (r *request) outputCap(b *strict.Reader, name string) error {
	end := b.End()
	at := b.Begin()
	if b.Null() {
		if !r.maxNull.there() || name == "max_completion_tokens" {
			r.maxNull, r.maxNullName = span{at, b.End()}, name
		}
		return nil
	}
	if _, twice := r.max.Get(); twice {
		return b.Refuse("max_tokens and max_completion_tokens cannot both be given")
	}
	n, err := b.Int(1, strict.MaxOutput)
	if err != nil {
		return err
	}
	r.max = passport.LimitOf(n)
	r.maxValue = span{at, b.End()}
	r.maxName, r.maxGiven = span{end - len(name) - 1, end - 1}, name
	return nil
}

func (r *request) streamOptions(b *strict.Reader) error {
	from := b.End() - len(`"stream_options"`)
	defer func() { r.options = span{from, b.End()} }()
	at := b.Begin()
	if b.Null() {
		r.optionsNull = span{at, b.End()}
		return nil
	}
	r.optionsOpen, r.optionsEmpty = at+1, true
	return b.Object(func(name string) error {
		r.optionsEmpty = false
		switch name {
		case "include_usage":
			at := b.Begin()
			if b.Null() {
				r.usage = span{at, b.End()}
				return nil
			}
			on, err := b.Bool()
			if !on {
				r.usage = span{at, b.End()}
			}
			r.wantsUsage = on
			return err
		case "include_obfuscation":
			if b.Null() {
				return nil
			}
			_, err := b.Bool()
			return err
		default:
			return b.Unknown()
		}
	})
}

// check looks at what only the whole body tells.
func (r *request) check() error {
	if err := strict.Model(r.model); err != nil {
		return err
	}
	if !r.messages {
		return problem.New(problem.Invalid, "messages are required").In("messages")
	}
	return nil
}

// usualEdits are the edits that a body needs, and the cap.
const usualEdits = 5

// edits is what has to be put into the body, with an output cap that is no higher than a given one, and the place for a cap where none
// was given.
func (r *request) edits(max int64) ([]strict.Edit, strict.Slot) {
	e := make([]strict.Edit, 0, usualEdits)
	value := func(null span, text, member string, given bool) {
		switch {
		case null.there():
			e = append(e, null.put(text))
		case !given:
			e = append(e, strict.Edit{At: r.open, Text: member})
		}
	}
	switch {
	case r.other == nil:
		value(r.tierNull, `"default"`, `"service_tier":"default",`, r.tierGiven)
		value(r.storeNull, "false", `"store":false,`, r.storeGiven)
	case r.other.Quirks.NoUsageOption:
		e = append(e, r.dropped...)
	}
	if r.stream && !(r.other != nil && r.other.Quirks.NoUsageOption) {
		e = append(e, r.usageEdit()...)
	}
	e = append(e, r.priceEdit()...)
	name := r.capName()
	return append(e, r.given(name, max)...), r.slot(name)
}

// given gives a max_tokens the name that the model wants, and a cap the value that it gets if that is lower. If the name stands
// there with a null, the two change places.
func (r *request) given(name string, max int64) (e []strict.Edit) {
	asked, _ := r.max.Get()
	number := strconv.FormatInt(max, 10)
	// OpenAI's other models are sent the new name as it came: servers of its own know both.
	other := r.maxName.there() && name != r.maxGiven && (r.other != nil || r.maxGiven == "max_tokens")
	if other && r.maxNull.there() {
		return []strict.Edit{r.maxNull.put(number), r.maxValue.put("null")}
	}
	if other {
		e = append(e, r.maxName.put(name))
	}
	if max < asked {
		e = append(e, r.maxValue.put(number))
	}
	return e
}

// usageEdit makes a stream say what it cost.
func (r *request) usageEdit() []strict.Edit {
	const on = `"include_usage":true`
	switch {
	case r.wantsUsage:
		return nil
	case r.usage.there():
		return []strict.Edit{r.usage.put("true")}
	case r.optionsNull.there():
		return []strict.Edit{r.optionsNull.put("{" + on + "}")}
	case r.optionsOpen > 0 && r.optionsEmpty:
		return []strict.Edit{{At: r.optionsOpen, Text: on}}
	case r.optionsOpen > 0:
		return []strict.Edit{{At: r.optionsOpen, Text: on + ","}}
	default:
		return []strict.Edit{{At: r.open, Text: `"stream_options":{` + on + `},`}}
	}
}

// slot is where an output cap goes: in the place of a null that already has the right name, else in front.
func (r *request) slot(name string) strict.Slot {
	if r.maxNull.there() && r.maxNullName == name {
		return strict.Slot{Edit: r.maxNull.put("")}
	}
	return strict.Slot{Edit: strict.Edit{At: r.open, Text: `"` + name + `":`}, After: ","}
}

// capName is what the output cap of a model is called. OpenAI's own chat models all know the new name; on other models' servers
// the old one is the known one, and it covers all that is generated.
func capName(model string) string {
	m := strings.TrimPrefix(model, "ft:")
	reasoning := len(m) > 1 && m[0] == 'o' && '0' <= m[1] && m[1] <= '9'
	for _, own := range []string{"gpt-", "chatgpt-", "codex-"} {
		if reasoning || strings.HasPrefix(m, own) {
			return "max_completion_tokens"
		}
	}
	return "max_tokens"
}
