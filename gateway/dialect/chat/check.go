package chat

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/internal/fields"
)

// known are the members of a body that mean something here.
var known = []string{"model", "messages", "max_tokens", "max_completion_tokens", "stream", "temperature", "top_p", "stop", "system",
	"tools", "tool_choice"}

// Check checks a body as far as that goes without knowing the provider, and returns the model it names. Errors as of Read.
func Check(body []byte) (model string, err error) {
	o, err := fields.Read(body, known...)
	if err != nil {
		return "", err
	}
	return readRequest(o).model, o.Err()
}

// roles are those that every provider has in some way.
var roles = []string{"system", "developer", "user", "assistant", "tool"}

// check reports what the seed takes and no provider does.
func (r request) check(o *fields.Object) {
	if r.model == "" && o.Raw("model").Kind() == jsontext.KindString {
		o.Fail("model", "String must contain at least 1 character(s)")
	}
	for _, t := range r.turns {
		switch {
		case !t.roled:
		case !slices.Contains(roles, t.role):
			o.Fail("messages", "Invalid enum value. Expected '%s', received '%s'", strings.Join(roles, "' | '"), t.role)
		case t.role == "tool" && t.callID == "":
			o.Fail("messages", "A tool's message needs tool_call_id")
		}
	}
}
