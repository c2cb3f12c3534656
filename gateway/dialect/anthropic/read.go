package anthropic

import (
	"slices"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// request is what is read of a body, and where.
type request struct {
	model    string
	stream   bool
	thinks   bool  // asks for thinking
	budget   int64 // of it
	hour     bool  // asks for a cache of an hour
	messages bool  // there, even if empty
	parts    int64
	max      passport.Limit
	maxAt    strict.Edit // in the place of its value
	found    media.Found
	search   search
	searched bool // a block is of a search that was

	open      int // behind the brace that opens the body
	tierGiven bool
	tierNull  strict.Edit // of a null that stands for the tier
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

func (r *request) member(b *strict.Reader, name string) (err error) {
	switch name {
	case "model":
		r.model, err = b.String()
		return err
	case "messages":
		r.messages = true
		return b.Array(func() error { r.parts++; return r.message(b) })
	case "max_tokens":
		at := b.Begin()
		n, err := b.Int(0, strict.MaxOutput)
		r.max, r.maxAt = passport.LimitOf(n), strict.Edit{At: at, Cut: b.End() - at}
		return err
	case "system":
		return r.system(b)
	case "tools":
		if b.Null() {
			return nil
		}
		return b.Array(func() error { r.parts++; return r.tool(b) })
	case "service_tier":
		return r.serviceTier(b)
	}
	if why, ok := refused[name]; ok {
		return b.Refuse("%s", why)
	}
	return r.harmless(b, name)
}

// harmless reads the members that cost nothing but their bytes. A null is as good as nothing.
func (r *request) harmless(b *strict.Reader, name string) (err error) {
	if !slices.Contains(optional, name) {
		return b.Unknown()
	}
	if b.Null() {
		return nil
	}
	switch name {
	case "stream":
		r.stream, err = b.Bool()
		return err
	case "temperature", "top_p", "top_k":
		return b.Number()
	case "stop_sequences":
		return b.Strings()
	case "metadata":
		return metadata(b)
	case "cache_control":
		return r.cacheControl(b)
	case "tool_choice":
		return toolChoice(b)
	case "thinking":
		return r.thinking(b)
	case "output_config":
		return outputConfig(b)
	case "output_format":
		return format(b)
	case "speed":
		_, err = b.OneOf("standard")
		return err
	case "inference_geo":
		_, err = b.OneOf("global")
		return err
	default:
		return b.Unknown()
	}
}

var optional = []string{"stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "cache_control", "tool_choice", "thinking",
	"output_config", "output_format", "speed", "inference_geo"}

// refused says why a field that Anthropic knows may not go through.
var refused = map[string]string{
	"container":          "containers are shared by all apps under one key and have a price of their own",
	"mcp_servers":        "hosted tools cannot be priced: what those of other servers bring is not bounded",
	"context_management": "context management is not priced, so it is not allowed",
	"thread":             "a thread's history is with the provider, so its input cannot be bounded; send the messages",
	"diagnostics":        "diagnostics would tell about messages of other apps",
	"fallbacks":          "fallbacks would answer with another model than the one that was checked",
	"user_profile_id":    "user profiles are shared by all apps under one key",
}

// system is a text or a list of text blocks; each counts as a part.
func (r *request) system(b *strict.Reader) error {
	switch {
	case b.Null():
		return nil
	case b.Next() == '[':
		return b.Array(func() error { r.parts++; return r.block(b, textOnly) })
	default:
		r.parts++
		return b.Text()
	}
}

func (r *request) serviceTier(b *strict.Reader) error {
	r.tierGiven = true
	at := b.Begin()
	if b.Null() {
		r.tierNull = strict.Edit{At: at, Cut: b.End() - at, Text: `"standard_only"`}
		return nil
	}
	_, err := b.OneOf("standard_only")
	return err
}

// check looks at what only the whole body tells.
func (r *request) check() error {
	if err := strict.Model(r.model); err != nil {
		return err
	}
	if !r.messages {
		return problem.New(problem.Invalid, "messages are required").In("messages")
	}
	if _, ok := r.max.Get(); !ok {
		return problem.New(problem.Invalid, "max_tokens is required").In("max_tokens")
	}
	if r.searched && r.search.open == 0 {
		return problem.New(problem.Invalid, "what a search found is sealed, so its bytes do not bound it: give the tool %s too", webSearch).In("messages")
	}
	return nil
}

// edits is what has to be put into the body.
func (r *request) edits() []strict.Edit {
	_, e := r.search.count()
	switch {
	case r.tierNull.Cut > 0:
		return append(e, r.tierNull)
	case r.tierGiven:
		return e
	default:
		return append(e, strict.Edit{At: r.open, Text: `"service_tier":"standard_only",`})
	}
}

// leastOutput is the lowest cap that leaves room for an answer: max_tokens must be above budget_tokens (page "Extended thinking").
func (r *request) leastOutput() int64 {
	if !r.thinks || r.budget == 0 {
		return 0
	}
	return r.budget + dialect.LeastAnswer
}

// uses is what the grant must allow.
func (r *request) uses() []passport.Capability {
	if r.search.open > 0 {
		return []passport.Capability{passport.Chat, passport.Search}
	}
	return []passport.Capability{passport.Chat}
}

func metadata(b *strict.Reader) error {
	return b.Object(func(name string) error {
		switch {
		case name != "user_id":
			return b.Unknown()
		case b.Null():
			return nil
		default:
			return b.Text()
		}
	})
}

// cacheControl reads a cache breakpoint. Holds reckon with the dearest write, so both lifetimes may go through.
func (r *request) cacheControl(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = b.OneOf("ephemeral")
		case "ttl":
			if b.Null() {
				return nil
			}
			ttl, err := b.OneOf("5m", "1h")
			r.hour = r.hour || ttl == "1h"
			return err
		default:
			return b.Unknown()
		}
		return err
	})
}

func toolChoice(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = b.OneOf("auto", "any", "tool", "none")
		case "name":
			return b.Text()
		case "disable_parallel_tool_use":
			_, err = b.Bool()
		default:
			return b.Unknown()
		}
		return err
	})
}

func (r *request) thinking(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err := b.OneOf("enabled", "disabled", "adaptive")
			r.thinks = kind != "disabled"
			return err
		case "budget_tokens":
			r.budget, err = b.Int(0, strict.MaxOutput)
		case "display":
			if b.Null() {
				return nil
			}
			return b.Text()
		default:
			return b.Unknown()
		}
		return err
	})
}

func outputConfig(b *strict.Reader) error {
	return b.Object(func(name string) error {
		switch {
		case name != "effort" && name != "format":
			return b.Unknown()
		case b.Null():
			return nil
		case name == "effort":
			return b.Text()
		default:
			return format(b)
		}
	})
}

func format(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = b.OneOf("json_schema")
			return err
		case "schema":
			return b.AnyObject()
		default:
			return b.Unknown()
		}
	})
}
