package gemini

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// readCount reads a countTokens request: contents, or a whole generateContentRequest (ai.google.dev/api/tokens), which is read as one that
// asks for an answer.
func readCount(in dialect.Input, query string) (*dialect.Request, error) {
	r, given := &request{}, 0
	err := strict.Read(in.Body, func(b *strict.Reader) error {
		return members(b, func(name string) reader {
			switch name {
			case "contents":
				return func() error { given++; return r.member(b, name) }
			case "generateContentRequest":
				return func() error { given++; return r.counted(b, in.Model) }
			case "systemInstruction", "tools", "generationConfig", "toolConfig":
				return func() error { return b.Refuse("goes into generateContentRequest here") }
			default:
				return nil
			}
		})
	})
	switch {
	case err != nil:
		return nil, err
	case given != 1 || !r.contents:
		return nil, problem.New(problem.Invalid, "contents are required, by themselves or in a generateContentRequest").In("contents")
	}
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.Google, Kind: passport.KindCount, Model: in.Model, Uses: []passport.Capability{passport.Chat},
			BodyBytes: int64(len(in.Body)), Choices: 1,
		},
		Path: "/v1beta/models/" + in.Model + ":" + CountTokens + query,
		Body: func(int64) []byte { return in.Body },
		Tap:  func() dialect.Tap { return tap.New(&tap.Free{}, false) },
	}, nil
}

// counted reads the request that is to be counted.
func (r *request) counted(b *strict.Reader, model string) error {
	return b.Object(func(name string) error {
		if name == "model" {
			return sameModel(b, model)
		}
		return r.member(b, name)
	})
}

// sameModel reads a model that stands in a body besides the one in the path, which was checked against the grant.
func sameModel(b *strict.Reader, model string) error {
	named, err := b.String()
	if err == nil && named != "models/"+model {
		return b.Refuse("must be models/%s, as in the path", model)
	}
	return err
}
