package openai

import "github.com/devrelopers/aipassport/gateway/dialect/strict"

// message reads one message of any role. The members of all roles are taken together: which of them go with which role is the
// provider's to say, and none of them costs more than its bytes.
func (r *request) message(b *strict.Reader) error {
	role := false
	err := b.Object(func(name string) (err error) {
		switch name {
		case "role":
			role = true
			_, err = b.OneOf("system", "developer", "user", "assistant", "tool", "function")
			return err
		case "content":
			return r.content(b)
		case "name", "refusal", "tool_call_id":
			if b.Null() {
				return nil
			}
			return b.Text()
		case "tool_calls":
			if b.Null() {
				return nil
			}
			return b.Array(func() error { return toolCall(b) })
		case "function_call":
			if b.Null() {
				return nil
			}
			return named(b, "name", "arguments")
		case "annotations": // of an answer, which the SDKs put back whole into the messages of the next call
			if b.Null() {
				return nil
			}
			return b.Array(b.AnyObject)
		case "audio":
			if b.Null() {
				return nil
			}
			return b.Refuse("earlier speech is stored with the provider, where all apps' lies under one key; send its transcript as text")
		default:
			return b.Unknown()
		}
	})
	if err == nil && !role {
		return b.RefuseAt("role", "a message has a role")
	}
	return err
}

// content is a text, null, or a list of parts.
func (r *request) content(b *strict.Reader) error {
	switch {
	case b.Null():
		return nil
	case b.Next() == '[':
		return b.Array(func() error { return r.part(b) })
	default:
		return b.Text()
	}
}

// cacheOptions reads prompt_cache_options or a prompt_cache_breakpoint. Writes into the cache are held for at their rate; longer
// lifetimes than the default have none.
func cacheOptions(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "mode":
			_, err = b.OneOf("implicit", "explicit")
		case "ttl":
			_, err = b.OneOf("30m")
		default:
			return b.Unknown()
		}
		return err
	})
}

func toolCall(b *strict.Reader) error {
	return b.Object(func(name string) error {
		switch name {
		case "id", "type":
			return b.Text()
		case "index":
			return b.Number()
		case "function":
			return named(b, "name", "arguments")
		case "custom":
			return named(b, "name", "input")
		default:
			return b.Unknown()
		}
	})
}

// named reads an object whose members are all texts.
func named(b *strict.Reader, names ...string) error {
	return b.Object(func(name string) error {
		for _, n := range names {
			if n == name {
				return b.Text()
			}
		}
		return b.Unknown()
	})
}

// tool reads a tool that the caller runs itself: those cost their bytes. Hosted tools are not on this endpoint.
func tool(b *strict.Reader) error {
	kind := false
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind = true
			_, err = b.OneOf("function", "custom")
			return err
		case "function":
			return function(b)
		case "custom":
			return custom(b)
		default:
			return b.Unknown()
		}
	})
	if err == nil && !kind {
		return b.RefuseAt("type", "a tool has a type")
	}
	return err
}

func function(b *strict.Reader) error {
	return b.Object(func(name string) error { return ofFunction(b, name) })
}

// ofFunction reads one member of a function.
func ofFunction(b *strict.Reader, name string) error {
	switch name {
	case "name":
		return b.Text()
	case "description", "parameters", "strict":
		if b.Null() {
			return nil
		}
	}
	switch name {
	case "description":
		return b.Text()
	case "parameters":
		return b.AnyObject()
	case "strict":
		_, err := b.Bool()
		return err
	default:
		return b.Unknown()
	}
}

func custom(b *strict.Reader) error {
	return b.Object(func(name string) error {
		switch name {
		case "name", "description":
			return b.Text()
		case "format":
			return b.AnyObject()
		default:
			return b.Unknown()
		}
	})
}

// choice reads tool_choice or function_call: a word, or an object that names what was declared elsewhere.
func choice(b *strict.Reader) error {
	if b.Next() == '"' {
		return b.Text()
	}
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = b.OneOf("function", "custom", "allowed_tools")
			return err
		case "name":
			return b.Text()
		case "function", "custom":
			return named(b, "name")
		case "allowed_tools":
			return b.AnyObject()
		default:
			return b.Unknown()
		}
	})
}

func responseFormat(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = b.OneOf("text", "json_object", "json_schema")
			return err
		case "json_schema":
			return schema(b)
		default:
			return b.Unknown()
		}
	})
}

func schema(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "name", "description":
			return b.Text()
		case "schema":
			return b.AnyObject()
		case "strict":
			if b.Null() {
				return nil
			}
			_, err = b.Bool()
			return err
		default:
			return b.Unknown()
		}
	})
}
