package fakeprovider

import (
	"encoding/json"
	"fmt"
	"strings"
)

// dialect is whose wire format is spoken.
type dialect int

const (
	openAI dialect = iota + 1
	anthropic
	google
)

func (d dialect) String() string {
	switch d {
	case openAI:
		return "openai"
	case anthropic:
		return "anthropic"
	case google:
		return "google"
	default:
		return "none"
	}
}

// Tokens is what an answer reports as consumed.
type Tokens struct{ Input, Output int64 }

// created is the time that answers carry: a fixed one, so that answers are the same every time.
const created = 1_700_000_000

// reply is one answer before it is put in a dialect's words.
type reply struct {
	ask     ask
	model   string
	id      string
	text    []string // the pieces a stream sends; joined in a unary answer
	choices int64
	tokens  Tokens
	usage   string // raw JSON in place of the usage object; "-" leaves it out; empty: from tokens
	asked   bool   // OpenAI: stream_options.include_usage was set
	finish  string // finish reason in OpenAI's words: stop or length; tool calls have their own
	tools   []Tool
}

func (r reply) usageOr(made string) string {
	if r.usage != "" {
		return r.usage
	}
	return made
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("fakeprovider: a string that is no JSON: " + err.Error())
	}
	return string(b)
}

// unary is the whole answer in one body.
func (r reply) unary(d dialect) []byte {
	text := strings.Join(r.text, "")
	switch r.ask.op {
	case opEmbeddings:
		return r.embeddings()
	case opResponses:
		return []byte(r.response(r.ended()))
	case opCount:
		return r.count(d)
	case opEmbed, opBatch:
		return r.googleEmbeddings()
	case opImages:
		return r.images()
	case opSpeech:
		return r.sound()
	case opTranscriptions, opTranslations:
		return r.transcription(text)
	}
	switch d {
	case openAI:
		return r.openAIUnary(text)
	case anthropic:
		return r.anthropicUnary(text)
	default:
		return []byte(r.googleChunk(text, true, r.tokens.Output))
	}
}

// stream is the answer in pieces: head goes out at once, then one element for each piece of text, then the tail.
func (r reply) stream(d dialect, sse bool) (head string, pieces []string, tail string) {
	if r.ask.op == opResponses {
		return r.responseStream()
	}
	if r.ask.op.formed() {
		return r.transcriptionStream()
	}
	switch d {
	case openAI:
		return r.openAIStream()
	case anthropic:
		return r.anthropicStream()
	default:
		return r.googleStream(sse)
	}
}

// openAIUsage is the usage object of https://platform.openai.com/docs/api-reference/chat/object.
func (r reply) openAIUsage() string {
	return r.usageOr(fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,`+
		`"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`, r.tokens.Input, r.tokens.Output, r.tokens.Input+r.tokens.Output))
}

func (r reply) openAIUnary(text string) []byte {
	var choices []string
	for i := range max(1, r.choices) {
		choices = append(choices, fmt.Sprintf(`{"index":%d,"message":{"role":"assistant","content":%s%s,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%s"}`,
			i, r.openAIContent(text), r.openAITools(), r.finishReason()))
	}
	usage := `,"usage":` + r.openAIUsage()
	if r.usage == "-" {
		usage = ""
	}
	return fmt.Appendf(nil, `{"id":"chatcmpl-%s","object":"chat.completion","created":%d,"model":%s,"choices":[%s]%s,"service_tier":"default","system_fingerprint":"fp_fake"}`,
		r.id, created, quote(r.model), strings.Join(choices, ","), usage)
}

// openAIStream follows https://platform.openai.com/docs/api-reference/chat-streaming: with include_usage every chunk has a null
// usage and one more chunk, without choices, has the usage.
func (r reply) openAIStream() (string, []string, string) {
	null := ""
	if r.asked {
		null = `,"usage":null`
	}
	chunk := func(choices, usage string) string {
		return fmt.Sprintf(`data: {"id":"chatcmpl-%s","object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default","system_fingerprint":"fp_fake","choices":[%s]%s}`+"\n\n",
			r.id, created, quote(r.model), choices, usage)
	}
	each := func(format string, args ...any) string {
		var b strings.Builder
		for i := range max(1, r.choices) {
			b.WriteString(chunk(fmt.Sprintf(`{"index":%d,`, i)+fmt.Sprintf(format, args...)+"}", null))
		}
		return b.String()
	}
	head := each(`"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null`)
	var pieces []string
	for _, t := range r.text {
		pieces = append(pieces, each(`"delta":{"content":%s},"logprobs":null,"finish_reason":null`, quote(t)))
	}
	tail := ""
	for _, delta := range r.openAIToolDeltas() {
		tail += each(`"delta":{"tool_calls":[%s]},"logprobs":null,"finish_reason":null`, delta)
	}
	tail += each(`"delta":{},"logprobs":null,"finish_reason":"%s"`, r.finishReason())
	if r.asked && r.usage != "-" {
		tail += chunk("", `,"usage":`+r.openAIUsage())
	}
	return head, pieces, tail + "data: [DONE]\n\n"
}

func (r reply) stopReason() string {
	if r.finish == "length" {
		return "max_tokens"
	}
	if len(r.tools) > 0 {
		return "tool_use"
	}
	return "end_turn"
}

func (r reply) anthropicUnary(text string) []byte {
	usage := `,"usage":` + r.usageOr(fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":%d,"service_tier":"standard"}`, r.tokens.Input, r.tokens.Output))
	if r.usage == "-" {
		usage = ""
	}
	return fmt.Appendf(nil, `{"id":"msg_%s","type":"message","role":"assistant","model":%s,"content":[%s],"stop_reason":"%s","stop_sequence":null%s}`,
		r.id, quote(r.model), strings.Join(r.anthropicContent(text), ","), r.stopReason(), usage)
}

// anthropicStream follows https://docs.anthropic.com/en/docs/build-with-claude/streaming: the output_tokens of message_delta are cumulative.
func (r reply) anthropicStream() (string, []string, string) {
	ev := func(name, format string, args ...any) string {
		return "event: " + name + "\ndata: " + fmt.Sprintf(`{"type":"`+name+`"`+format+`}`, args...) + "\n\n"
	}
	startUsage := `,"usage":` + r.usageOr(fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}`, r.tokens.Input))
	endUsage := `,"usage":` + r.usageOr(fmt.Sprintf(`{"output_tokens":%d}`, r.tokens.Output))
	if r.usage == "-" {
		startUsage, endUsage = "", ""
	}
	head := ev("message_start", `,"message":{"id":"msg_%s","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null%s}`, r.id, quote(r.model), startUsage)
	textEnd := ""
	if r.hasText() {
		head += ev("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
		textEnd = ev("content_block_stop", `,"index":0`)
	}
	head += ev("ping", "")
	var pieces []string
	for _, t := range r.text {
		pieces = append(pieces, ev("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":%s}`, quote(t)))
	}
	tail := textEnd + r.anthropicToolBlocks(ev) +
		ev("message_delta", `,"delta":{"stop_reason":"%s","stop_sequence":null}%s`, r.stopReason(), endUsage) + ev("message_stop", "")
	return head, pieces, tail
}

// googleChunk is a GenerateContentResponse (https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse).
func (r reply) googleChunk(text string, last bool, output int64) string {
	finish := ""
	if last {
		finish = `,"finishReason":"STOP"`
		if r.finish == "length" {
			finish = `,"finishReason":"MAX_TOKENS"`
		}
	}
	usage := `,"usageMetadata":` + r.usageOr(fmt.Sprintf(`{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]}`,
		r.tokens.Input, output, r.tokens.Input+output, r.tokens.Input))
	if r.usage == "-" {
		usage = ""
	}
	return fmt.Sprintf(`{"candidates":[{"content":{"parts":[%s],"role":"model"}%s,"index":0}]%s,"modelVersion":%s,"responseId":"%s"}`,
		strings.Join(r.googleParts(text, last), ","), finish, usage, quote(r.model), r.id)
}

// googleStream is server-sent events with CRLF line ends for alt=sse, else one JSON array that grows.
func (r reply) googleStream(sse bool) (head string, pieces []string, tail string) {
	n := int64(len(r.text))
	for i, t := range r.text {
		c := r.googleChunk(t, false, r.tokens.Output*int64(i+1)/max(1, n))
		switch {
		case sse:
			c = "data: " + c + "\r\n\r\n"
		case i == 0:
			c = "[" + c
		default:
			c = "\n,\r\n" + c
		}
		pieces = append(pieces, c)
	}
	end := r.googleChunk("", true, r.tokens.Output)
	if sse {
		return "", pieces, "data: " + end + "\r\n\r\n"
	}
	if n == 0 {
		return "", nil, "[" + end + "\n]\n"
	}
	return "", pieces, "\n,\r\n" + end + "\n]\n"
}

// errorBody is a provider's own envelope of an error.
func errorBody(d dialect, status int, message string) string {
	kind := map[int][3]string{
		400: {"invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"},
		401: {"invalid_request_error", "authentication_error", "UNAUTHENTICATED"},
		403: {"invalid_request_error", "permission_error", "PERMISSION_DENIED"},
		404: {"invalid_request_error", "not_found_error", "NOT_FOUND"},
		429: {"requests", "rate_limit_error", "RESOURCE_EXHAUSTED"},
		503: {"server_error", "overloaded_error", "UNAVAILABLE"},
		529: {"server_error", "overloaded_error", "UNAVAILABLE"},
	}[status]
	if kind[0] == "" {
		kind = [3]string{"server_error", "api_error", "INTERNAL"}
	}
	switch d {
	case openAI:
		code := map[int]string{401: `"invalid_api_key"`, 404: `"model_not_found"`, 429: `"rate_limit_exceeded"`}[status]
		if code == "" {
			code = "null"
		}
		return fmt.Sprintf(`{"error":{"message":%s,"type":"%s","param":null,"code":%s}}`, quote(message), kind[0], code)
	case anthropic:
		return fmt.Sprintf(`{"type":"error","error":{"type":"%s","message":%s},"request_id":"req_fake"}`, kind[1], quote(message))
	default:
		return fmt.Sprintf(`{"error":{"code":%d,"message":%s,"status":"%s"}}`, status, quote(message), kind[2])
	}
}

// errorEvent is how a provider tells in a stream that it cannot go on.
// Anthropic: https://docs.anthropic.com/en/docs/build-with-claude/streaming#error-events. OpenAI's SDKs raise what has a member error.
func errorEvent(d dialect) string {
	data := "data: " + errorBody(d, 529, "the fake provider was told to fail")
	switch d {
	case anthropic:
		return "event: error\n" + data + "\n\n"
	case google:
		return data + "\r\n\r\n"
	default:
		return data + "\n\n"
	}
}
