package openai

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxImages bounds n, as OpenAI does.
const maxImages = 10

// images is POST /v1/images/generations (developers.openai.com/api/reference/resources/images/methods/generate and ImageGenerateParams
// of openai-go). What an image costs at most is in a table for the sizes and qualities that may go through here; a model without a
// table is refused by the meter.
type images struct{ chat }

// NewImages is the dialect of making images.
func NewImages() dialect.Dialect { return images{} }

// Read checks a call strictly. Errors: Invalid with the field at fault.
func (images) Read(in dialect.Input) (*dialect.Request, error) {
	if len(in.Query) > 0 {
		return nil, errQuery
	}
	p := picture{n: 1}
	if err := strict.Read(in.Body, p.read); err != nil {
		return nil, err
	}
	if err := strict.Model(p.model); err != nil {
		return nil, err
	}
	if !p.prompt {
		return nil, problem.New(problem.Invalid, "there is no prompt").In("prompt")
	}
	return &dialect.Request{
		Call: passport.Call{Provider: passport.OpenAI, Kind: passport.KindImage, Model: p.model, Uses: []passport.Capability{passport.Images},
			BodyBytes: strict.TextBytes(in.Body), Parts: 1, Choices: p.n},
		Path: "/v1/images/generations",
		Body: func(int64) []byte { return in.Body },
		Tap:  func() dialect.Tap { return tap.NewSkim(drawn, "data") },
	}, nil
}

// picture is what is read of a body.
type picture struct {
	model  string
	prompt bool
	n      int64
}

// undrawn says why a field of images that OpenAI knows may not go through.
var undrawn = map[string]string{
	"stream":            "images are not streamed here: one event would be longer than any that is let through",
	"partial_images":    "images are not streamed here, and each partial image is billed besides",
	"complexity":        "what an image costs at a complexity has no known bound",
	"frame_count":       "what moving images cost has no known bound",
	"frame_duration_ms": "what moving images cost has no known bound",
	"svg":               "what drawings of another model cost has no known bound",
	"style":             "only retired models had styles; describe it in the prompt",
}

func (p *picture) read(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "model":
			p.model, err = b.String()
			return err
		case "prompt":
			p.prompt = true
			return b.Text()
		}
		if b.Null() {
			return p.known(b, name)
		}
		if why, ok := undrawn[name]; ok {
			return undrawing(b, name, why)
		}
		return p.option(b, name)
	})
}

// undrawing refuses a field, unless it says what is so without it.
func undrawing(b *strict.Reader, name, why string) error {
	switch name {
	case "stream":
		return off(b, why)
	case "partial_images":
		if n, err := b.Int(0, maxImages); err != nil || n == 0 {
			return err
		}
	}
	return b.Refuse("%s", why)
}

func (p *picture) known(b *strict.Reader, name string) error {
	switch name {
	case "n", "size", "quality", "background", "moderation", "output_format", "output_compression", "response_format", "user", "safety_identifier":
		return nil
	}
	if _, ok := undrawn[name]; ok {
		return nil
	}
	return b.Unknown()
}

// option reads a member that is within the table of what an image costs.
func (p *picture) option(b *strict.Reader, name string) (err error) {
	switch name {
	case "n":
		p.n, err = b.Int(1, maxImages)
		return err
	case "size":
		_, err = b.OneOf("auto", "1024x1024", "1536x1024", "1024x1536")
		return err
	case "quality":
		_, err = b.OneOf("auto", "low", "medium", "high")
		return err
	case "background":
		_, err = b.OneOf("auto", "transparent", "opaque")
		return err
	case "moderation":
		_, err = b.OneOf("auto", "low")
		return err
	case "output_format":
		_, err = b.OneOf("png", "jpeg", "webp")
		return err
	case "output_compression":
		_, err = b.Int(0, 100)
		return err
	case "response_format":
		_, err = b.OneOf("b64_json")
		return err
	case "user", "safety_identifier":
		return b.Text()
	default:
		return b.Unknown()
	}
}

// drawn reads the usage of an answer (type ImagesResponseUsage of openai-go). Output that is not told apart is images, which are not
// cheaper than text.
func drawn(b *strict.Reader) (passport.Usage, error) {
	u, text := usage{}, int64(0)
	err := b.Object(func(name string) error {
		if name != "usage" || b.Next() != '{' {
			return b.Any()
		}
		u = usage{there: true, prompt: -1, completion: -1}
		return b.Object(func(name string) (err error) {
			switch {
			case b.Null():
			case name == "input_tokens":
				u.prompt, err = b.Int(0, most)
			case name == "output_tokens":
				u.completion, err = b.Int(0, most)
			case name == "input_tokens_details":
				return details(b, map[string]*int64{"cached_tokens": &u.cached, "image_tokens": &u.image})
			case name == "output_tokens_details":
				return details(b, map[string]*int64{"text_tokens": &text})
			default:
				return b.Any()
			}
			return err
		})
	})
	out := u.passport()
	if out.Known {
		out.OutputImage = out.Output - text
	}
	return out, err
}
