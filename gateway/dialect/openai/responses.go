package openai

import (
	"encoding/json"
	"strconv"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// responses is POST /v1/responses (developers.openai.com/api/reference/resources/responses/methods/create and ResponseNewParams of
// openai-go). What is put into a body: service_tier "default" and store false, for the same reasons as in chat completions, and an
// output cap, max_output_tokens, which covers what the model thinks.
//
// Nothing is stored, so nothing can be continued by an id: previous_response_id, conversation, prompt and references to items are
// refused. They would also be input that no byte of the body shows, and of another app perhaps: all objects lie under the one key.
type responses struct{ chat }

// NewResponses is the dialect of responses.
func NewResponses() dialect.Dialect { return responses{} }

// Read checks a response strictly. Errors: Invalid with the field at fault.
func (responses) Read(in dialect.Input) (*dialect.Request, error) {
	if len(in.Query) > 0 {
		return nil, errQuery
	}
	var r response
	if err := strict.Read(in.Body, r.read); err != nil {
		return nil, err
	}
	if err := strict.Model(r.model); err != nil {
		return nil, err
	}
	if !r.input {
		return nil, problem.New(problem.Invalid, "there is no input").In("input")
	}
	asked, capped := r.max.Get()
	edits := r.edits()
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.OpenAI, Kind: passport.KindChat, Model: r.model, Uses: []passport.Capability{passport.Chat}, Stream: r.stream,
			BodyBytes: r.found.TextBytes(in.Body) + strict.Growth(edits), Parts: r.parts, Images: r.found.Images, Hidden: r.hidden, MaxOutput: r.max, Choices: 1,
		},
		Path: "/v1/responses",
		Body: func(maxOutput int64) []byte {
			with := edits[:len(edits):len(edits)]
			switch {
			case !capped:
				with = append(with, r.slot().With(maxOutput))
			case maxOutput < asked:
				with = append(with, r.maxValue.put(strconv.FormatInt(maxOutput, 10)))
			}
			return strict.Splice(in.Body, with...)
		},
		Tap: func() dialect.Tap { return tap.NewLong(&responded{other: r.thinks}) },
	}, nil
}

// Cut is the event that ends a stream which we cut. Clients look for its type (ResponseErrorEvent of openai-go) or, as in all
// other streams, for a member error; none of the events that end a response follows.
func (responses) Cut(p *problem.Error) []byte {
	e := shape(p).Error
	data, err := json.Marshal(struct {
		Type    string        `json:"type"`
		Code    *string       `json:"code"`
		Message string        `json:"message"`
		Param   *string       `json:"param"`
		Number  int           `json:"sequence_number"` // how many came before is not counted
		Error   envelopeError `json:"error"`
	}{"error", e.Code, e.Message, e.Param, 0, e})
	if err != nil {
		panic("openai: an error that cannot be encoded: " + err.Error())
	}
	return append(append([]byte("event: error\ndata: "), data...), "\n\n"...)
}

// response is what is read of a body, and where.
type response struct {
	model  string
	stream bool
	input  bool // there, even if empty
	thinks bool // asks for an effort of reasoning
	hidden bool // has earlier reasoning, encrypted
	parts  int64
	max    passport.Limit
	found  media.Found

	open       int  // behind the brace that opens the body
	maxValue   span // of the cap that was given
	maxNull    span // of a null in its place
	tierGiven  bool
	tierNull   span
	storeGiven bool
	storeNull  span
}

// edits is what has to be put into the body, whatever the output cap.
func (r *response) edits() (e []strict.Edit) {
	for _, m := range []struct {
		given    bool
		null     span
		name, to string
	}{{r.tierGiven, r.tierNull, "service_tier", `"default"`}, {r.storeGiven, r.storeNull, "store", "false"}} {
		switch {
		case m.null.there():
			e = append(e, m.null.put(m.to))
		case !m.given:
			e = append(e, strict.Edit{At: r.open, Text: `"` + m.name + `":` + m.to + `,`})
		}
	}
	return e
}

// slot is where an output cap goes.
func (r *response) slot() strict.Slot {
	if r.maxNull.there() {
		return strict.Slot{Edit: r.maxNull.put("")}
	}
	return strict.Slot{Edit: strict.Edit{At: r.open, Text: `"max_output_tokens":`}, After: ","}
}
