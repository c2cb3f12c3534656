package bridge

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxTexts bounds the texts that are embedded in one call: Google takes so many in a batch (observed; langchain-ai/langchainjs#4491).
const maxTexts = 100

// batchEmbed is Google's method for several texts.
const batchEmbed = "batchEmbedContents"

// embed reads OpenAI's embeddings (EmbeddingNewParams of openai-go).
type embed struct {
	body
	texts      []string
	dimensions int64
	base64     bool
	ignored    []string
}

// ReadEmbeddings turns OpenAI's embeddings into Google's, for a model of that provider. Errors: Invalid with the caller's field.
func ReadEmbeddings(to passport.Provider, model string, raw []byte) (*Turned, error) {
	if to != passport.Google {
		return nil, problem.New(problem.Invalid, "%s has no embeddings", to.Title()).In("model")
	}
	e := &embed{}
	if err := strict.Read(raw, func(b *strict.Reader) error {
		e.body = body{b, raw}
		return e.members(e.table(), nil)
	}); err != nil {
		return nil, err
	}
	if len(e.texts) == 0 {
		return nil, invalid("input", "there is no input")
	}
	requests := []object{}
	for _, t := range e.texts {
		o := object{"model": "models/" + model, "content": object{"parts": []object{{"text": t}}}}
		o.set("outputDimensionality", e.dimensions, e.dimensions > 0)
		requests = append(requests, o)
	}
	return &Turned{In: dialect.Input{Model: model, Method: batchEmbed, Body: encode(object{"requests": requests})}, Ignored: e.ignored, Base64: e.base64,
		fields: map[string]string{"requests": "input"}}, nil
}

func (e *embed) table() table {
	return table{
		"model":      e.Text,
		"input":      e.inputs,
		"dimensions": func() (err error) { e.dimensions, err = e.Int(1, 1<<20); return err },
		"encoding_format": func() error {
			word, err := e.OneOf("float", "base64")
			e.base64 = word == "base64"
			return err
		},
		"user": func() error { e.ignored = []string{"user"}; return e.Text() },
	}
}

// inputs is a text or a list of texts. Model tokens are the provider's own.
func (e *embed) inputs() error {
	one := func() error {
		if k := e.Next(); k == '0' || k == '[' {
			return e.Refuse("models of other providers have other tokens: send the text")
		}
		if len(e.texts) == maxTexts {
			return e.Refuse("at most %d texts can be embedded in one call of this model's", maxTexts)
		}
		s, err := e.String()
		e.texts = append(e.texts, s)
		return err
	}
	if e.Next() != '[' {
		return one()
	}
	return e.Array(one)
}
