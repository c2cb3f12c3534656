package chat

import "github.com/devrelopers/aipassport/internal/fields"

// known are the members of a body that mean something here.
var known = []string{"model", "messages", "max_tokens", "max_completion_tokens", "stream", "temperature", "top_p", "stop", "system",
	"tools", "tool_choice"}

// Check checks a body as far as that goes without knowing the provider, and returns the model it names. Errors as of Read.
func Check(body []byte) (model string, err error) {
	o, err := fields.Read(body, known...)
	if err != nil {
		return "", err
	}
	readRequest(o)
	model, _ = o.OptString("model")
	return model, o.Err()
}
