// Package chat reads the seed's POST /proxy/chat: one shape of body for every provider. It checks it in the seed's words and writes
// it in the provider's own format, for that provider's dialect to read; the answer stays in the provider's shape. Pure: no network,
// no clock, no store, no money.
//
// Members that the seed does not know are dropped silently, as the seed does. What is known and cannot be carried to a provider
// is refused by name: not by Check, which takes what the seed takes, but by Read, once the call is known to be permitted.
package chat

import (
	"bytes"
	"encoding/json"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// defaultMaxTokens is the output cap that the seed sends to Anthropic, which requires one.
const defaultMaxTokens = 1024

// Read checks a body and returns the input for the provider's own dialect. Errors: *fields.Error with all failing members at once;
// Invalid for what is no JSON, and for a provider that is not known.
func Read(p passport.Provider, body []byte) (dialect.Input, error) {
	o, err := fields.Read(body, known...)
	if err != nil {
		return dialect.Input{}, err
	}
	r := readRequest(o)
	r.check(o)
	var in dialect.Input
	switch p {
	case passport.OpenAI:
		in = r.openai(o)
	case passport.Anthropic:
		in = r.anthropic(o)
	case passport.Google:
		in = r.google(o)
	default:
		return dialect.Input{}, problem.New(problem.Invalid, "%q is not a provider this broker knows", p)
	}
	if err := o.Err(); err != nil {
		return dialect.Input{}, err
	}
	return in, nil
}

// encode writes a body of ours. Its raw parts were accepted by fields.Read, so it cannot fail.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("chat: a body that cannot be encoded: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
