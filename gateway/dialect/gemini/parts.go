package gemini

import "github.com/devrelopers/aipassport/gateway/dialect/strict"

// content reads one turn, or the system instruction. Its parts may stand alone, without their list.
func content(b *strict.Reader) error {
	return members(b, func(name string) reader {
		switch name {
		case "role":
			return func() error { _, err := b.OneOf("user", "model", "function", "system", "tool"); return err }
		case "parts":
			return func() error {
				if b.Next() == '{' {
					return part(b)
				}
				return b.Array(func() error { return part(b) })
			}
		default:
			return nil
		}
	})
}

// part reads one part: text, or a function's call or result. Bytes do not bound what images, sound and files cost.
func part(b *strict.Reader) error {
	return members(b, func(name string) reader {
		switch name {
		case "text", "thoughtSignature":
			return b.Text
		case "thought":
			return func() error { _, err := b.Bool(); return err }
		case "functionCall":
			return func() error { return call(b, "args") }
		case "functionResponse":
			return func() error { return call(b, "response") }
		default:
			return nil
		}
	})
}

// call reads a function's call or response; payload is the name of the member with the free object.
func call(b *strict.Reader, payload string) error {
	return members(b, func(name string) reader {
		switch name {
		case "id", "name", "scheduling":
			return b.Text
		case "willContinue":
			return func() error { _, err := b.Bool(); return err }
		case "parts":
			return func() error { return b.Refuse("%s", unpriced) }
		case payload:
			return b.AnyObject
		default:
			return nil
		}
	})
}

// tool reads declarations of functions, which the caller runs itself: they cost their bytes.
func (r *request) tool(b *strict.Reader) error {
	return members(b, func(name string) reader {
		if name != "functionDeclarations" {
			return nil
		}
		return func() error { return b.Array(func() error { r.parts++; return declaration(b) }) }
	})
}

func declaration(b *strict.Reader) error {
	return members(b, func(name string) reader {
		switch name {
		case "name", "description", "behavior":
			return b.Text
		case "parameters", "response":
			return b.AnyObject
		case "parametersJsonSchema", "responseJsonSchema":
			return b.Any
		default:
			return nil
		}
	})
}

func toolConfig(b *strict.Reader) error {
	return members(b, func(name string) reader {
		if name != "functionCallingConfig" {
			return nil
		}
		return func() error {
			return members(b, func(name string) reader {
				switch name {
				case "mode":
					return b.Text
				case "allowedFunctionNames":
					return b.Strings
				case "streamFunctionCallArguments":
					return func() error { _, err := b.Bool(); return err }
				default:
					return nil
				}
			})
		}
	})
}
