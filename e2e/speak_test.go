package e2e_test

import (
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// speaker is one way to call a model through the broker.
type speaker struct {
	name, provider, model string
	path, streamPath      string
	auth                  func(token string) http.Header
	body                  func(model, prompt string, maxTokens int, stream bool) string
}

func xAPIKey(t string) http.Header {
	return http.Header{"X-Api-Key": {t}, "Anthropic-Version": {"2023-06-01"}}
}
func xGoogKey(t string) http.Header { return http.Header{"X-Goog-Api-Key": {t}} }

func openAIBody(model, prompt string, maxTokens int, stream bool) string {
	s := ""
	if stream {
		s = `,"stream":true`
	}
	return fmt.Sprintf(`{"model":%q,"max_tokens":%d,"messages":[{"role":"user","content":"%s %s"}]%s}`, model, maxTokens, canaryPrompt, prompt, s)
}

func googleBody(_, prompt string, maxTokens int, _ bool) string {
	return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":"%s %s"}]}],"generationConfig":{"maxOutputTokens":%d}}`, canaryPrompt, prompt, maxTokens)
}

// native are the three dialects.
var native = []speaker{
	{"openai", "openai", "gpt-4o-mini", "/v1/chat/completions", "/v1/chat/completions", bearer, openAIBody},
	{"anthropic", "anthropic", "claude-sonnet-4-5", "/anthropic/v1/messages", "/anthropic/v1/messages", xAPIKey, openAIBody},
	{"google", "google", "gemini-2.5-flash", "/google/v1beta/models/gemini-2.5-flash:generateContent",
		"/google/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", xGoogKey, googleBody},
}

// proxied is the seed's route with each provider's grant.
var proxied = []speaker{
	{"proxy-openai", "openai", "gpt-4o-mini", "/proxy/chat", "/proxy/chat", bearer, openAIBody},
	{"proxy-anthropic", "anthropic", "claude-sonnet-4-5", "/proxy/chat", "/proxy/chat", bearer, openAIBody},
	{"proxy-google", "google", "gemini-2.5-flash", "/proxy/chat", "/proxy/chat", bearer, openAIBody},
}

var everyone = append(append([]speaker{}, native...), proxied...)

// anyone is everyone and those who reach another provider's model.
var anyone = append(append([]speaker{}, everyone...), turned...)

func (s speaker) scope(cents, calls int) string { return scope(s.provider, s.model, cents, calls) }

// call makes a unary call with a prompt.
func (b *broker) call(s speaker, token, prompt string) answer {
	b.t.Helper()
	return b.send("POST", s.path, s.body(s.model, prompt, 50, false), s.auth(token))
}

// stream is a streaming answer that is being read.
type stream struct {
	res  *http.Response
	next func() (testutil.Event, error, bool)
	stop func()
}

// stream opens a streaming call. The status is the caller's to look at.
func (b *broker) stream(s speaker, token, prompt string, maxTokens int) (*stream, error) {
	b.t.Helper()
	return b.streamBody(s, token, s.body(s.model, prompt, maxTokens, true))
}

func (b *broker) streamBody(s speaker, token, body string) (*stream, error) {
	b.t.Helper()
	res, err := b.open("POST", s.streamPath, body, s.auth(token))
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(res.Body, seenBy{b}), res.Body}
	next, stop := iter.Pull2(testutil.Events(res.Body))
	return &stream{res, next, stop}, nil
}

type seenBy struct{ b *broker }

func (s seenBy) Write(p []byte) (int, error) { s.b.received(p); return len(p), nil }

func (s *stream) close() {
	s.res.Body.Close()
	s.stop()
}

// piece reads until the n-th piece of content has come. It says what stood in the way.
func (s *stream) piece(n int) error {
	want := fmt.Sprintf("piece-%d ", n)
	for {
		e, err, ok := s.next()
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("the stream ended before %q", want)
		case strings.Contains(e.Data, want):
			return nil
		}
	}
}

// rest reads to the end and returns all data that came, and whether the stream ended between two events.
func (s *stream) rest() (all string, err error) {
	var sb strings.Builder
	for {
		e, err, ok := s.next()
		if err != nil {
			return sb.String(), err
		}
		if !ok {
			return sb.String(), nil
		}
		sb.WriteString(e.Data + "\n")
	}
}

// whole says whether a stream's text looks finished: an end mark that a cut stream must not have.
func whole(text string) bool {
	for _, mark := range []string{"[DONE]", "message_stop", `"finish_reason":"stop"`, `"finishReason":"STOP"`} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}
