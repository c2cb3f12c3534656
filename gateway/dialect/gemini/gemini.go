// Package gemini is the dialect of Google's Gemini API (models/{model}:generateContent, :streamGenerateContent, :countTokens, :embedContent,
// :batchEmbedContents, and the list of models). It translates that provider's bytes and nothing else: pure, no network, no clock, no
// store, no money.
//
// What may go through is on a list; every field on it is either bounded by what passport.Call says or costs nothing. Fields and
// their meaning: https://ai.google.dev/api/generate-content and what google.golang.org/genai sends to the Gemini API.
//
// Google takes each member in two spellings, camelCase and the snake_case of its protocol buffers. Official clients send
// camelCase; the other spelling is refused, so that no member can be given twice.
//
// What is put into a body that the caller left out: generationConfig.maxOutputTokens. Observed is that it bounds thoughts and
// answer together (googleapis/python-genai#2062), which is not documented. The service tier is standard unless the body asks for
// another (type ServiceTier), and such bodies are refused.
package gemini

import (
	"regexp"
	"slices"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// The methods that this dialect reads: what follows the colon in a path.
const (
	Generate    = "generateContent"
	Stream      = "streamGenerateContent"
	CountTokens = "countTokens"
	Embed       = "embedContent"
	BatchEmbed  = "batchEmbedContents"
)

type generate struct{}

// New is the dialect of all of them.
func New() dialect.Dialect { return generate{} }

// Provider is Google.
func (generate) Provider() passport.Provider { return passport.Google }

// models are names that may stand in a path as they are.
var models = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-])*$`)

// Read checks a request strictly. Model and method come from the path. Errors: NotFound for a method that is not read here, else
// Invalid with the field at fault.
func (generate) Read(in dialect.Input) (*dialect.Request, error) {
	switch in.Method {
	case Generate, Stream, CountTokens, Embed, BatchEmbed:
	default:
		return nil, problem.New(problem.NotFound, "this broker has no method %q", dialect.Clean(in.Method, dialect.MaxWord))
	}
	if err := strict.Model(in.Model); err != nil {
		return nil, err
	}
	if !models.MatchString(in.Model) {
		return nil, problem.New(problem.Invalid, "a model's name has letters, digits, dots and dashes only").In("model")
	}
	query, err := alt(in)
	if err != nil {
		return nil, err
	}
	switch in.Method {
	case CountTokens:
		return readCount(in, query)
	case Embed, BatchEmbed:
		return readEmbed(in, query)
	default:
		return readGenerate(in, query)
	}
}

func readGenerate(in dialect.Input, query string) (*dialect.Request, error) {
	r := &request{choices: 1}
	if err := strict.Read(in.Body, r.read); err != nil {
		return nil, err
	}
	if !r.contents {
		return nil, problem.New(problem.Invalid, "contents are required").In("contents")
	}
	asked, capped := r.max.Get()
	least := int64(0)
	if r.thinking > 0 {
		least = r.thinking + dialect.LeastAnswer
	}
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.Google, Kind: passport.KindChat, Model: in.Model, Uses: r.uses(), Stream: in.Method == Stream,
			BodyBytes: r.found.TextBytes(in.Body), Parts: r.parts, Images: r.found.Images, Clips: r.found.Clips, MaxOutput: r.max,
			MinOutput: least, Choices: r.choices,
		},
		// v1beta has every field of v1, so both of the caller's paths lead there.
		Path: "/v1beta/models/" + in.Model + ":" + in.Method + query,
		Body: func(maxOutput int64) []byte {
			switch {
			case capped && maxOutput < asked:
				return strict.Splice(in.Body, strict.Slot{Edit: r.maxAt}.With(maxOutput))
			case capped:
				return in.Body
			}
			return strict.Splice(in.Body, r.slot().With(maxOutput))
		},
		Tap: func() dialect.Tap { return tap.New(&answer{}, false) },
	}, nil
}

// alt is the query that goes on: how a stream is framed, and nothing else.
func alt(in dialect.Input) (string, error) {
	for name := range in.Query {
		if name != "alt" && name != "$alt" {
			return "", problem.New(problem.Invalid, "unknown or not allowed query parameter").In(dialect.Clean(name, dialect.MaxWord))
		}
	}
	values := slices.Concat(in.Query["alt"], in.Query["$alt"])
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) == 1 && values[0] == "json":
		return "?alt=json", nil
	case len(values) == 1 && values[0] == "sse" && (in.Method == Generate || in.Method == Stream):
		return "?alt=sse", nil
	default:
		return "", problem.New(problem.Invalid, "must be json, or sse for a stream, once").In("alt")
	}
}
