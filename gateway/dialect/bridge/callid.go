package bridge

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// Gemini's models sign their calls of functions, and from Gemini 3 on take a call back only with its signature
// (ai.google.dev/gemini-api/docs/thought-signatures). Neither OpenAI's format nor Anthropic's has a place for it, but both bring a call's id
// back as it was given, in the call and in its result. So the signature travels in the id.
const signed = "-sig-"

// CallID is the id of a call for a client of another dialect: the model's own id and its signature, which may be empty. Its characters are
// those that Anthropic allows in an id.
func CallID(id, signature string) string {
	if signature == "" {
		return id
	}
	return id + signed + base64.RawURLEncoding.EncodeToString([]byte(signature))
}

// SplitCallID is what CallID was made of. An id from elsewhere is its own, without a signature.
func SplitCallID(id string) (own, signature string) {
	i := strings.LastIndex(id, signed)
	if i < 0 {
		return id, ""
	}
	s, err := base64.RawURLEncoding.DecodeString(id[i+len(signed):])
	if err != nil || len(s) == 0 || !printable.Match(s) {
		return id, ""
	}
	return id[:i], string(s)
}

// printable is what a signature can be: base64 of any alphabet.
var printable = regexp.MustCompile(`^[A-Za-z0-9+/=_.-]+$`)

// unsigned goes in the place of a signature where a call was made by another provider's model, or its signature got lost: the page on
// signatures names it for that.
const unsigned = "skip_thought_signature_validator"

// signs says whether a model takes calls back only with a signature: Gemini 3 and later.
func signs(model string) bool { return generation(model) >= 3 }

var generations = regexp.MustCompile(`^gemini-(\d{1,3})(?:[.-]|$)`)

// generation is the first number in the name of a Gemini model; 0: it has none.
func generation(model string) int {
	m := generations.FindStringSubmatch(model)
	if m == nil {
		return 0
	}
	n := 0
	for _, c := range []byte(m[1]) {
		n = n*10 + int(c-'0')
	}
	return n
}
