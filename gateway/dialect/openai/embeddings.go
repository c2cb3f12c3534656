package openai

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxInputs bounds the texts of one call of embeddings, as OpenAI does (API reference, embeddings, input).
const maxInputs = 2048

// embeddings is POST /v1/embeddings (developers.openai.com/api/reference/resources/embeddings/methods/create and
// EmbeddingNewParams of openai-go). Each input has the model's window to itself; there is no output to pay for.
type embeddings struct{ chat }

// NewEmbeddings is the dialect of embeddings.
func NewEmbeddings() dialect.Dialect { return embeddings{} }

// Read checks a call of embeddings strictly. Errors: Invalid with the field at fault.
func (embeddings) Read(in dialect.Input) (*dialect.Request, error) {
	if len(in.Query) > 0 {
		return nil, errQuery
	}
	var e embed
	if err := strict.Read(in.Body, e.read); err != nil {
		return nil, err
	}
	if err := strict.Model(e.model); err != nil {
		return nil, err
	}
	if e.inputs == 0 {
		return nil, problem.New(problem.Invalid, "there is no input").In("input")
	}
	return &dialect.Request{
		Call: passport.Call{Provider: passport.OpenAI, Kind: passport.KindEmbedding, Model: e.model, Uses: []passport.Capability{passport.Embeddings},
			BodyBytes: strict.TextBytes(in.Body), Parts: e.inputs, Choices: 1},
		Path: "/v1/embeddings",
		Body: func(int64) []byte { return in.Body },
		Tap:  func() dialect.Tap { return tap.NewSkim(embedded, "data") },
	}, nil
}

var errQuery = problem.New(problem.Invalid, "this endpoint takes no query parameters")

// embed is what is read of a body.
type embed struct {
	model  string
	inputs int64
}

func (e *embed) read(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "model":
			e.model, err = b.String()
			return err
		case "input":
			return e.input(b)
		case "dimensions", "user", "encoding_format":
			if b.Null() {
				return nil
			}
		}
		switch name {
		case "dimensions":
			_, err = b.Int(1, most)
			return err
		case "user":
			return b.Text()
		case "encoding_format":
			_, err = b.OneOf("float", "base64")
			return err
		default:
			return b.Unknown()
		}
	})
}

// input is a text, a list of texts, a text in model tokens, or a list of such.
func (e *embed) input(b *strict.Reader) error {
	if b.Next() != '[' {
		e.inputs = 1
		return b.Text()
	}
	tokens := false
	err := b.Array(func() error {
		switch b.Next() {
		case '0':
			tokens = true
			return b.Number()
		case '[':
			e.inputs++
			return b.Array(b.Number)
		default:
			e.inputs++
			return b.Text()
		}
	})
	if err == nil && tokens && e.inputs > 0 {
		return b.Refuse("texts and model tokens cannot be mixed")
	}
	if tokens {
		e.inputs = 1
	}
	if err == nil && e.inputs > maxInputs {
		return b.Refuse("at most %d inputs can be embedded in one call", maxInputs)
	}
	return err
}

// embedded reads the usage of an answer (type CreateEmbeddingResponseUsage of openai-go).
func embedded(b *strict.Reader) (passport.Usage, error) {
	tokens := int64(-1)
	err := b.Object(func(name string) error {
		if name != "usage" || b.Next() != '{' {
			return b.Any()
		}
		return details(b, map[string]*int64{"prompt_tokens": &tokens})
	})
	if err != nil || tokens < 0 {
		return passport.Usage{}, err
	}
	return passport.Usage{Known: true, Input: tokens}, nil
}
