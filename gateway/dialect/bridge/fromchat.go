package bridge

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// chat reads OpenAI's chat completions (parameter types of github.com/openai/openai-go/v3).
type chat struct {
	body
	talk
	messages bool // there, even if empty
}

// efforts are OpenAI's words for how much a model is to think, the least first.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// notCarried says why a field that OpenAI knows goes to its own models only.
var notCarried = map[string]string{
	"logit_bias": ownTokens, "prediction": onlyOpenAI, "verbosity": onlyOpenAI, "audio": noSound, "web_search_options": onlyOpenAI,
	"functions": "only tools are carried to models of other providers", "function_call": "only tool_choice is carried to models of other providers",
	"moderation": onlyOpenAI, "background": onlyOpenAI, "best_of": onlyOpenAI,
}

const (
	onlyOpenAI = "models of other providers know nothing like it: leave it out for this model"
	ownTokens  = "models of other providers have other tokens: leave it out for this model"
	noSound    = "sound is not carried to models of other providers in this format"
)

func readChat(raw []byte) (*talk, error) {
	c := &chat{}
	if err := strict.Read(raw, func(b *strict.Reader) error {
		c.body = body{b, raw}
		return c.members(c.table(), notCarried)
	}); err != nil {
		return nil, err
	}
	if !c.messages {
		return nil, invalid("messages", "messages are required")
	}
	return &c.talk, nil
}

// table is every member that may be carried, or that says what holds anyway.
func (c *chat) table() table {
	return table{
		"model":                 c.Text,
		"messages":              func() error { c.messages = true; return c.each(c.body, "messages", c.message) },
		"max_tokens":            func() error { return c.outputCap("max_tokens") },
		"max_completion_tokens": func() error { return c.outputCap("max_completion_tokens") },
		"stream":                func() (err error) { c.stream, err = c.Bool(); return err },
		"stream_options":        c.streamOptions,
		"n":                     func() error { return c.only("1", "models of other providers give one answer a call") },
		"service_tier":          func() error { _, err := c.OneOf("default"); return err },
		"store":                 func() error { return c.only("false", "only false is allowed here") },
		"temperature":           func() (err error) { c.temperature, err = c.raw(c.Number); return err },
		"top_p":                 func() (err error) { c.topP, err = c.raw(c.Number); return err },
		"presence_penalty":      func() (err error) { c.presence, err = c.unless("0"); return err },
		"frequency_penalty":     func() (err error) { c.frequency, err = c.unless("0"); return err },
		"seed":                  func() (err error) { c.seed, err = c.raw(c.Number); return err },
		"logprobs":              func() error { return c.only("false", ownTokens) },
		"top_logprobs":          func() error { return c.only("0", ownTokens) },
		"logit_bias":            func() error { return c.only("{}", ownTokens) },
		"stop":                  c.stops,
		"reasoning_effort":      c.reasoning,
		"user":                  func() error { return c.who("user") },
		"safety_identifier":     func() error { return c.who("safety_identifier") },
		"prompt_cache_key":      func() error { return c.ignore("prompt_cache_key", c.Text) },
		"prompt_cache_retention": func() error {
			return c.ignore("prompt_cache_retention", c.Text)
		},
		"prompt_cache_options": func() error { return c.ignore("prompt_cache_options", c.AnyObject) },
		"metadata":             func() error { return c.ignore("metadata", c.AnyObject) },
		"modalities": func() error {
			return c.Array(func() error { _, err := c.OneOf("text"); return err })
		},
		"response_format":     c.responseFormat,
		"tools":               func() error { return c.each(c.body, "tools", c.tool) },
		"tool_choice":         c.readChoice,
		"parallel_tool_calls": c.parallel,
	}
}

// only reads a value that may say nothing but what holds anyway.
func (c *chat) only(value, why string) error {
	raw, err := c.raw(c.Any)
	if err == nil && string(bytes.Join(bytes.Fields(raw), nil)) != value {
		return c.Refuse("%s", why)
	}
	return err
}

// unless reads a number; one that says what holds anyway is as good as nothing.
func (c *chat) unless(value string) (json.RawMessage, error) {
	raw, err := c.raw(c.Number)
	if err != nil || string(raw) == value || string(raw) == value+".0" {
		return nil, err
	}
	return raw, nil
}

// ignore reads what changes no answer.
func (t *talk) ignore(at string, read func() error) error {
	if !slices.Contains(t.ignored, at) {
		t.ignored = append(t.ignored, at)
	}
	return read()
}

func (c *chat) outputCap(name string) (err error) {
	if c.max > 0 {
		return c.Refuse("max_tokens and max_completion_tokens cannot both be given")
	}
	c.maxAt = name
	c.max, err = c.Int(1, strict.MaxOutput)
	return err
}

func (c *chat) streamOptions() error {
	return c.members(table{
		"include_usage": func() (err error) { c.wantsUsage, err = c.Bool(); return err },
		"include_obfuscation": func() error { // padding against who watches the wire: no part of an answer
			_, err := c.Bool()
			return err
		},
	}, nil)
}

func (c *chat) stops() error {
	if c.Next() != '[' {
		s, err := c.String()
		c.stop = []string{s}
		return err
	}
	return c.each(c.body, "stop", func(string) error {
		s, err := c.String()
		c.stop = append(c.stop, s)
		return err
	})
}

func (c *chat) reasoning() (err error) {
	c.effort.at = "reasoning_effort"
	c.effort.word, err = c.OneOf(efforts...)
	return err
}

// who reads who the app's user is, by the old name or the new one.
func (c *chat) who(name string) (err error) {
	c.userAt = name
	c.user, err = c.String()
	return err
}

func (c *chat) parallel() error {
	many, err := c.Bool()
	if !many {
		c.serial = "parallel_tool_calls"
	}
	return err
}

func (c *chat) responseFormat() error {
	kind, description := "", ""
	f := format{at: "response_format"}
	err := c.members(table{
		"type": func() (err error) { kind, err = c.OneOf("text", "json_object", "json_schema"); return err },
		"json_schema": func() error {
			return c.members(table{
				"name":        func() (err error) { f.name, err = c.String(); return err },
				"description": func() (err error) { description, err = c.String(); return err },
				"schema":      func() (err error) { f.schema, err = c.raw(c.AnyObject); return err },
				"strict":      func() error { _, err := c.Bool(); return err }, // other providers always keep to it
			}, nil)
		},
	}, nil)
	f.json = kind == "json_object" || kind == "json_schema"
	switch {
	case err != nil:
		return err
	case kind == "json_schema" && f.schema == nil:
		return invalid("response_format.json_schema.schema", "a schema is required for models of other providers")
	case kind != "json_schema" && f.schema != nil:
		return invalid("response_format.type", "must be json_schema where there is a json_schema")
	}
	if description != "" && f.schema != nil {
		with, ok := described(f.schema, description)
		if !ok {
			return invalid("response_format.json_schema.description", "the schema has a description of its own, and models of other providers take one")
		}
		f.schema = with
	}
	c.format = f
	return nil
}

func (c *chat) tool(at string) error {
	t := tool{at: at}
	kind := ""
	err := c.members(table{
		"type": func() (err error) { kind, err = c.OneOf("function"); return err },
		"function": func() error {
			return c.members(table{
				"name":        func() (err error) { t.name, err = c.String(); return err },
				"description": func() (err error) { t.description, err = c.String(); return err },
				"parameters":  func() (err error) { t.schema, err = c.raw(c.AnyObject); return err },
				"strict":      func() (err error) { t.strict, err = c.Bool(); return err },
			}, nil)
		},
	}, map[string]string{"custom": "only tools of type function are carried to models of other providers"})
	switch {
	case err != nil:
		return err
	case kind == "":
		return invalid(at+".type", "a tool has a type")
	case t.name == "":
		return invalid(at+".function.name", "a function has a name")
	}
	c.tools = append(c.tools, t)
	return nil
}

func (c *chat) readChoice() error {
	c.choice.at = "tool_choice"
	if c.Next() == '"' {
		word, err := c.OneOf("auto", "none", "required")
		c.choice.mode = map[string]mode{"auto": auto, "none": never, "required": required}[word]
		return err
	}
	kind := ""
	err := c.members(table{
		"type": func() (err error) { kind, err = c.OneOf("function"); return err },
		"function": func() error {
			return c.members(table{"name": func() (err error) { c.choice.name, err = c.String(); return err }}, nil)
		},
	}, map[string]string{"allowed_tools": "a choice among some of the tools is not carried to models of other providers: declare only those", "custom": "only tools of type function are carried to models of other providers"})
	if err == nil && (kind == "" || c.choice.name == "") {
		return invalid("tool_choice", "must be auto, none, required, or name a function")
	}
	c.choice.mode = one
	return err
}

// mimes are the images that all providers' models read, in one way or another.
var mimes = []string{"image/png", "image/jpeg", "image/webp", "image/gif"}

// dataURL takes a data URL in base64 apart (RFC 2397). raw is what stands between the quotes of a JSON text.
func dataURL(raw []byte) (mime, data string, ok bool) {
	const longest = 64
	comma := bytes.IndexByte(raw[:min(len(raw), longest)], ',')
	if comma < 0 {
		return "", "", false
	}
	head := strings.ReplaceAll(string(raw[:comma]), `\/`, "/")
	rest, isData := strings.CutPrefix(head, "data:")
	mime, base64 := strings.CutSuffix(rest, ";base64")
	return mime, string(raw[comma+1:]), isData && base64 && slices.Contains(mimes, mime)
}
