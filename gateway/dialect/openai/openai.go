// Package openai is the dialect of OpenAI's chat completions (POST /v1/chat/completions). It translates that provider's bytes
// and nothing else: pure, no network, no clock, no store, no money.
//
// What may go through is on a list; every field on it is either bounded by what passport.Call says or costs nothing. Fields and
// their meaning: https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create and the
// parameter types of github.com/openai/openai-go/v3.
//
// What is put into a body that the caller left out, and why:
//   - service_tier "default": without it the project's setting decides, which may be the dearer priority tier. Other tiers are refused.
//   - store false: new accounts store completions unless told otherwise (guide "Migrate to the Responses API"), and stored objects
//     of all apps would lie under the one key. true is refused.
//   - stream_options.include_usage true in streams: without it a stream does not say what it cost. The usage chunk is hidden
//     again from a caller who did not ask for it; the "usage":null of the other chunks stays, clients skip it.
//   - an output cap, named max_completion_tokens for OpenAI's own models and max_tokens for others, which servers that speak this
//     format have known longest. A max_tokens for one of OpenAI's own models is renamed: reasoning models refuse the old name, and
//     it is the new one that is documented to cover reasoning.
package openai

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/passport"
)

const path = "/v1/chat/completions"

// chat is the dialect of OpenAI itself if it has no other server.
type chat struct{ other *Other }

// New is the dialect of chat completions.
func New() dialect.Dialect { return chat{} }

// Provider is OpenAI.
func (chat) Provider() passport.Provider { return passport.OpenAI }

// Read checks a chat completion strictly. Errors: Invalid with the field at fault.
func (d chat) Read(in dialect.Input) (*dialect.Request, error) {
	if len(in.Query) > 0 {
		return nil, errQuery
	}
	r := &request{choices: 1, other: d.other}
	if err := strict.Read(in.Body, r.read); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	asked, capped := r.max.Get()
	r.place(in.Body)
	edits, slot := r.edits(asked)
	hide := r.stream && !r.wantsUsage
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.OpenAI, Kind: passport.KindChat, Model: r.model, Uses: r.uses(), Stream: r.stream,
			BodyBytes: r.found.TextBytes(in.Body) + strict.Growth(edits), Parts: r.parts, Images: r.found.Images, Clips: r.found.Clips, MaxOutput: r.max, Choices: r.choices,
		},
		Path: path,
		Body: func(maxOutput int64) []byte {
			if capped && maxOutput < asked {
				lower, _ := r.edits(maxOutput)
				return strict.Splice(in.Body, lower...)
			}
			if capped {
				return strict.Splice(in.Body, edits...)
			}
			return strict.Splice(in.Body, append(edits[:len(edits):len(edits)], slot.With(maxOutput))...)
		},
		Tap: func() dialect.Tap {
			return tap.New(&answer{other: r.thinks, use: usage{beside: r.beside(), sold: r.other != nil && r.other.Quirks.BoundByPrice}}, hide)
		},
	}, nil
}
