package gemini

import (
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// content reads one turn, or the system instruction. Its parts may stand alone, without their list.
func (r *request) content(b *strict.Reader) error {
	return members(b, func(name string) reader {
		switch name {
		case "role":
			return func() error { _, err := b.OneOf("user", "model", "function", "system", "tool"); return err }
		case "parts":
			return func() error {
				if b.Next() == '{' {
					return r.part(b)
				}
				return b.Array(func() error { return r.part(b) })
			}
		default:
			return nil
		}
	})
}

// part reads one part: text, an image, sound, or a function's call or result. The bytes of video and documents do not tell what
// they cost.
func (r *request) part(b *strict.Reader) error {
	return members(b, func(name string) reader {
		switch name {
		case "text", "thoughtSignature":
			return b.Text
		case "thought":
			return func() error { _, err := b.Bool(); return err }
		case "inlineData":
			return func() error { return r.inlineData(b) }
		case "mediaResolution":
			return func() error { return partResolution(b) }
		case "functionCall":
			return func() error { return call(b, "args") }
		case "functionResponse":
			return func() error { return call(b, "response") }
		default:
			return nil
		}
	})
}

// What Gemini takes (pages "Image understanding" and "Audio understanding") and how much of can be known. HEIC and HEIF hide their size in
// boxes that are not read here.
var (
	imageFormats = []string{"image/png", "image/jpeg", "image/webp"}
	soundFormats = []string{"audio/wav", "audio/x-wav", "audio/wave", "audio/mp3", "audio/mpeg", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac"}
)

// inlineData reads an image or sound in the body itself.
func (r *request) inlineData(b *strict.Reader) error {
	var raw []byte
	var at int
	mime := ""
	err := members(b, func(name string) reader {
		switch name {
		case "mimeType":
			return func() (err error) { mime, err = b.String(); return err }
		case "data":
			return func() (err error) { raw, at, err = b.Data(); return err }
		case "displayName":
			return b.Text
		default:
			return nil
		}
	})
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(mime, "image/"):
		err = r.found.Image(raw, at, mime, passport.DetailedAuto, imageFormats...)
	case slices.Contains(soundFormats, mime):
		r.hears = true
		err = r.found.Sound(raw, at, mime)
	default:
		return b.RefuseAt("mimeType", "only images (%s) and sound (%s) can be priced", strings.Join(imageFormats, ", "), strings.Join(soundFormats, ", "))
	}
	if err != nil {
		return b.RefuseAt("data", "%v", err)
	}
	return nil
}

// partResolution reads how closely one image is to be looked at; the closest is held.
func partResolution(b *strict.Reader) error {
	return members(b, func(name string) reader {
		if name != "level" {
			return nil
		}
		return func() error {
			_, err := b.OneOf("MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH", "MEDIA_RESOLUTION_ULTRA_HIGH")
			return err
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
			return func() error { return b.Refuse("%s", nested) }
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
