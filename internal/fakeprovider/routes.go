package fakeprovider

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// operation is a route of OpenAI besides chat completions.
type operation string

const (
	opChat           operation = "" // and whatever else the dialects have in common
	opEmbeddings     operation = "/v1/embeddings"
	opResponses      operation = "/v1/responses"
	opImages         operation = "/v1/images/generations"
	opSpeech         operation = "/v1/audio/speech"
	opTranscriptions operation = "/v1/audio/transcriptions"
	opTranslations   operation = "/v1/audio/translations"
	opCount          operation = "count" // Anthropic's and Google's, of a prompt's tokens: told, and never billed
	opEmbed          operation = "embedContent"
	opBatch          operation = "batchEmbedContents"
)

// operations are the paths that are an operation of their own.
var operations = map[string]operation{
	string(opEmbeddings):     opEmbeddings,
	string(opResponses):      opResponses,
	string(opImages):         opImages,
	string(opSpeech):         opSpeech,
	string(opTranscriptions): opTranscriptions,
	string(opTranslations):   opTranslations,
}

// googleOperations are Google's methods besides generateContent.
var googleOperations = map[string]operation{"countTokens": opCount, "embedContent": opEmbed, "batchEmbedContents": opBatch}

// window is how much of one text an embedding model takes, in model tokens.
const window = 8192

// embedInput counts what is to be embedded.
func embedInput(raw json.RawMessage) (inputs int64, wrong error) {
	var one string
	var many []json.RawMessage
	switch {
	case json.Unmarshal(raw, &one) == nil:
		return 1, nil
	case json.Unmarshal(raw, &many) != nil || len(many) == 0:
		return 1, errors.New("no input")
	case many[0][0] >= '0' && many[0][0] <= '9':
		return 1, nil
	default:
		return int64(len(many)), nil
	}
}

// fillOperation reads the members that shape the answer of an operation, and says what a provider would refuse.
func (a *ask) fillOperation(body []byte) (wrong error) {
	if a.op == opImages || a.op == opSpeech {
		return a.fillMedia(body)
	}
	var b struct {
		Input           json.RawMessage `json:"input"`
		EncodingFormat  string          `json:"encoding_format"`
		MaxOutputTokens int64           `json:"max_output_tokens"`
		Store           *bool           `json:"store"`
		ServiceTier     string          `json:"service_tier"`
		MaxTokens       *int64          `json:"max_tokens"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	a.maxOutput, a.choices = b.MaxOutputTokens, 1
	switch {
	case a.op == opEmbeddings:
		a.base64, a.maxOutput = b.EncodingFormat == "base64", 0
		a.inputs, wrong = embedInput(b.Input)
	case len(b.Input) == 0:
		return errors.New("no input")
	case b.MaxTokens != nil:
		return errors.New("max_tokens is not a parameter of responses")
	case b.MaxOutputTokens < 16:
		return errors.New("max_output_tokens must be at least 16")
	case b.Store == nil || *b.Store:
		return errors.New("the response would be stored")
	case b.ServiceTier != "default":
		return errors.New("the tier is the project's to say")
	}
	return wrong
}

// worst is the most that a provider can count for a request: a token a byte of input, all the output allowed.
func (a ask) worst(bodyBytes int64) Tokens {
	switch {
	case a.op == opEmbeddings:
		return Tokens{Input: min(bodyBytes, window*a.inputs)}
	case a.op == opImages:
		return Tokens{Input: bodyBytes, Output: imageTokens * a.choices}
	case a.op.formed() && a.model != "whisper-1":
		return Tokens{Input: heardTokens, Output: writtenMost}
	case a.op == opSpeech || a.op.formed():
		return a.usual(bodyBytes, 0)
	}
	return Tokens{Input: bodyBytes, Output: a.maxOutput * a.choices}
}

// usual is what an answer of so many pieces costs that nobody spoke of.
func (a ask) usual(bodyBytes int64, pieces int) Tokens {
	out := int64(pieces) * 2
	if a.maxOutput > 0 {
		out = min(out, a.maxOutput)
	}
	switch {
	case a.op == opEmbeddings, a.op == opCount, a.op == opEmbed, a.op == opBatch: // makes no text
		return Tokens{Input: bodyBytes/4 + 1}
	case a.op == opImages:
		return Tokens{Input: bodyBytes/4 + 1, Output: 272 * a.choices}
	case a.op == opSpeech:
		return Tokens{Input: a.characters}
	case a.op.formed() && a.model == "whisper-1":
		return Tokens{Input: a.seconds}
	case a.op.formed():
		return Tokens{Input: 10*a.seconds + 1, Output: out}
	default:
		return Tokens{Input: bodyBytes/4 + 1, Output: out * a.choices}
	}
}

// embeddings is CreateEmbeddingResponse of the API reference.
func (r reply) embeddings() []byte {
	vector := `[0.0023064255,-0.009327292,-0.0028842222]`
	if r.ask.base64 {
		vector = `"AAAAPwAAAD8AAAA/"`
	}
	data := make([]string, r.ask.inputs)
	for i := range data {
		data[i] = fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, vector)
	}
	return fmt.Appendf(nil, `{"object":"list","data":[%s],"model":%s%s}`, strings.Join(data, ","), quote(r.model),
		r.usageMember(fmt.Sprintf(`{"prompt_tokens":%d,"total_tokens":%d}`, r.tokens.Input, r.tokens.Input)))
}

// usageMember is the usage as the last member of an object.
func (r reply) usageMember(made string) string {
	if r.usage == "-" {
		return ""
	}
	return `,"usage":` + r.usageOr(made)
}
