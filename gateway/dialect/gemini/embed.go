package gemini

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// readEmbed reads embedContent, or batchEmbedContents, which is a list of the same (ai.google.dev/api/embeddings). Billed are the input tokens.
func readEmbed(in dialect.Input, query string) (*dialect.Request, error) {
	r, vectors := &request{}, "embedding"
	if in.Method == BatchEmbed {
		vectors = "embeddings"
	}
	err := strict.Read(in.Body, func(b *strict.Reader) error {
		if in.Method == Embed {
			return r.embed(b, in.Model)
		}
		return members(b, func(name string) reader {
			if name != "requests" {
				return nil
			}
			return func() error { return b.Array(func() error { return r.embed(b, in.Model) }) }
		})
	})
	switch {
	case err != nil:
		return nil, err
	case r.parts == 0 && in.Method == BatchEmbed:
		return nil, problem.New(problem.Invalid, "requests are required").In("requests")
	}
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.Google, Kind: passport.KindEmbedding, Model: in.Model, Uses: []passport.Capability{passport.Embeddings},
			BodyBytes: r.found.TextBytes(in.Body), Parts: r.parts, Images: r.found.Images, Choices: 1,
		},
		Path: "/v1beta/models/" + in.Model + ":" + in.Method + query,
		Body: func(int64) []byte { return in.Body },
		Tap:  func() dialect.Tap { return tap.NewSkim(embedded, vectors) },
	}, nil
}

// embed reads one EmbedContentRequest.
func (r *request) embed(b *strict.Reader, model string) error {
	r.parts++
	content := false
	err := members(b, func(name string) reader {
		switch name {
		case "content":
			return func() error { content = true; return r.embedContent(b) }
		case "model":
			return func() error { return sameModel(b, model) }
		case "taskType", "title":
			return b.Text
		case "outputDimensionality":
			return func() error { _, err := b.Int(1, strict.MaxOutput); return err }
		default:
			return nil
		}
	})
	if err == nil && !content {
		return b.RefuseAt("content", "content is required")
	}
	return err
}

// embedContent reads what an embedding is made of: text, and images where a model takes them. Of sound and video the price is known, and
// not how many model tokens an embedding counts for them.
func (r *request) embedContent(b *strict.Reader) error {
	part := func() error {
		return members(b, func(name string) reader {
			switch name {
			case "text":
				return b.Text
			case "inlineData":
				return func() error {
					if err := r.inlineData(b); err != nil {
						return err
					}
					if r.hears {
						return b.RefuseAt("mimeType", "of media only images can be embedded here: what sound counts for is not known")
					}
					return nil
				}
			default:
				return nil
			}
		})
	}
	return members(b, func(name string) reader {
		switch name {
		case "role":
			return b.Text
		case "parts":
			return func() error {
				if b.Next() == '{' {
					return part()
				}
				return b.Array(part)
			}
		default:
			return nil
		}
	})
}

// embedded reads the usage of embeddings (ai.google.dev/api/embeddings, EmbeddingUsageMetadata). Where it is missing, as with older models,
// what was held is charged; so it is where it says that nothing was read.
func embedded(b *strict.Reader) (passport.Usage, error) {
	var use usage
	err := b.Object(func(name string) error {
		if name == "usageMetadata" && b.Next() == '{' {
			return use.read(b)
		}
		return b.Any()
	})
	if err != nil || !use.there || use.prompt < 1 || use.odd {
		return passport.Usage{}, err
	}
	return passport.Usage{Known: true, Input: use.prompt, InputAudio: use.in.audio, InputImage: use.in.image}, nil
}
