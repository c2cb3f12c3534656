package fakeprovider

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ask is what a request wants.
type ask struct {
	dialect      dialect
	list         bool // the list of models
	model        string
	stream       bool
	sse          bool // Google: alt=sse
	includeUsage bool
	maxOutput    int64 // 0: not given
	choices      int64

	op         operation // of OpenAI
	inputs     int64     // of embeddings
	base64     bool      // vectors
	typ        string    // Content-Type of the body
	format     string    // response_format
	characters int64     // that are read aloud
	seconds    int64     // that are heard
}

// route finds the dialect of a request by its path, and for the one path that two share by its headers. ok is false for what
// no provider here serves.
func route(r *http.Request) (a ask, ok bool) {
	path, post, get := r.URL.Path, r.Method == http.MethodPost, r.Method == http.MethodGet
	if post && path == "/v1/chat/completions" {
		return ask{dialect: openAI}, true
	}
	if op := operations[path]; post && op != opChat {
		return ask{dialect: openAI, op: op, typ: r.Header.Get("Content-Type")}, true
	}
	if post && path == "/v1/messages" {
		return ask{dialect: anthropic}, true
	}
	if post && path == "/v1/messages/count_tokens" {
		return ask{dialect: anthropic, op: opCount}, true
	}
	if get && path == "/v1/models" {
		a := ask{dialect: openAI, list: true}
		if r.Header.Get("Anthropic-Version") != "" || r.Header.Get("X-Api-Key") != "" {
			a.dialect = anthropic
		}
		return a, true
	}
	if get && path == "/v1beta/models" {
		return ask{dialect: google, list: true}, true
	}
	rest, isGoogle := strings.CutPrefix(path, "/v1beta/models/")
	if !isGoogle {
		rest, isGoogle = strings.CutPrefix(path, "/v1/models/")
	}
	model, method, _ := strings.Cut(rest, ":")
	if !post || !isGoogle || model == "" {
		return ask{}, false
	}
	a = ask{dialect: google, model: model, op: googleOperations[method], stream: method == "streamGenerateContent", sse: r.URL.Query().Get("alt") == "sse"}
	return a, a.stream || a.op != opChat || method == "generateContent"
}

// fill reads the members of a body that shape the answer.
func (a *ask) fill(body []byte) error {
	if a.op.formed() {
		return a.fillForm(body)
	}
	var b struct {
		Model               string `json:"model"`
		Stream              bool   `json:"stream"`
		MaxTokens           int64  `json:"max_tokens"`
		MaxCompletionTokens int64  `json:"max_completion_tokens"`
		N                   int64  `json:"n"`
		StreamOptions       struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
		Requests         []json.RawMessage `json:"requests"`
		GenerationConfig struct {
			MaxOutputTokens int64 `json:"maxOutputTokens"`
			CandidateCount  int64 `json:"candidateCount"`
		} `json:"generationConfig"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	a.includeUsage = b.StreamOptions.IncludeUsage
	if a.dialect == google {
		a.maxOutput, a.choices = b.GenerationConfig.MaxOutputTokens, max(1, b.GenerationConfig.CandidateCount)
		a.inputs = max(1, int64(len(b.Requests)))
		return nil
	}
	a.model, a.stream, a.sse = b.Model, b.Stream, true
	a.maxOutput, a.choices = max(b.MaxTokens, b.MaxCompletionTokens), max(1, b.N)
	if a.dialect == openAI && a.op != opChat {
		return a.fillOperation(body)
	}
	return nil
}

// credentials returns what the request carries as a credential: one entry for each place.
func credentials(r *http.Request) map[string]string {
	found := map[string]string{}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Cookie", "Proxy-Authorization", "Api-Key"} {
		for _, v := range r.Header.Values(name) {
			found[name] = v
		}
	}
	if k := r.URL.Query().Get("key"); k != "" {
		found["?key="] = k
	}
	return found
}

// credentialName is the header in which a provider takes its key.
func credentialName(d dialect) string {
	switch d {
	case anthropic:
		return "X-Api-Key"
	case google:
		return "X-Goog-Api-Key"
	default:
		return "Authorization"
	}
}

// keyIn is the key that the request carries where its provider looks for it.
func keyIn(d dialect, r *http.Request) string {
	v := r.Header.Get(credentialName(d))
	if d == openAI {
		v, _ = strings.CutPrefix(v, "Bearer ")
	}
	return v
}

// contentType of an answer.
func (a ask) contentType() string {
	if typ := a.mediaType(); typ != "" {
		return typ
	}
	if a.stream && a.sse && a.dialect == openAI {
		return "text/event-stream; charset=utf-8"
	}
	if a.stream && a.sse {
		return "text/event-stream"
	}
	if a.dialect == google {
		return "application/json; charset=UTF-8"
	}
	return "application/json"
}

// models is the list of models in a provider's shape, for tests of a key; OpenAI's and Google's have one without a price in the built-in list.
func models(d dialect) string {
	switch d {
	case openAI:
		return `{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1721172741,"owned_by":"system"},{"id":"gpt-4o","object":"model","created":1715367049,"owned_by":"system"},{"id":"omni-moderation-latest","object":"model","created":1731689265,"owned_by":"system"}]}`
	case anthropic:
		return `{"data":[{"type":"model","id":"claude-sonnet-4-5","display_name":"Claude Sonnet 4.5","created_at":"2025-09-29T00:00:00Z"}],"has_more":false,"first_id":"claude-sonnet-4-5","last_id":"claude-sonnet-4-5"}`
	default:
		return `{"models":[{"name":"models/gemini-2.5-flash","version":"001","displayName":"Gemini 2.5 Flash","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]},{"name":"models/aqa","version":"001","displayName":"AQA","inputTokenLimit":7168,"outputTokenLimit":1024,"supportedGenerationMethods":["generateAnswer"]}]}`
	}
}
