package sdks_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicstream "github.com/anthropics/anthropic-sdk-go/packages/ssestream"
	"github.com/openai/openai-go/v3"
	openaistream "github.com/openai/openai-go/v3/packages/ssestream"
)

// golden are the answers that the broker makes in one dialect from another's: <dialect>_from_<provider>_<answer>.sse, and for
// tools the same answer whole, in JSON.
const golden = "../../../gateway/dialect/bridge/back/testdata/golden"

// goldenTexts are what the streams without tools say.
var goldenTexts = map[string]string{
	"openai": `Hel"usage":{}loé ü`, "anthropic": `Hello "message_stop" ü!`, "google": `Once "finishReason": upon a ti]}me.`,
}

// TestGoldenStreams: the official accumulators take each stream that the broker is known to make, and have at its end the text,
// the tools, the reason and the usage that the whole answer has. It needs no lab.
func TestGoldenStreams(t *testing.T) {
	for _, to := range []string{"openai", "anthropic"} {
		files, err := filepath.Glob(filepath.Join(golden, to+"_from_*.sse"))
		if err != nil || len(files) < 2*len(every) {
			t.Errorf("%d streams of the dialect %s, want two of each provider: %v", len(files), to, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				name := strings.TrimSuffix(filepath.Base(file), ".sse")
				from, answer, _ := strings.Cut(strings.TrimPrefix(name, to+"_from_"), "_")
				stream, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				whole, text := []byte(nil), goldenTexts[from]
				if answer == "tools" {
					if whole, err = os.ReadFile(filepath.Join(golden, name+".json")); err != nil {
						t.Fatal(err)
					}
				} else if answer != "stream" || text == "" {
					t.Fatal("this test does not know what the stream says")
				}
				accumulate := map[string]func(stream, whole []byte, text string) error{"openai": openAIGolden, "anthropic": anthropicGolden}[to]
				if err := accumulate(stream, whole, text); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// events is a response with a stream of events in it.
func events(stream []byte) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(bytes.NewReader(stream))}
}

// openAIGolden compares what the accumulator has of a stream with the whole answer or, without one, with a text.
func openAIGolden(stream, whole []byte, text string) error {
	s := openaistream.NewStream[openai.ChatCompletionChunk](openaistream.NewDecoder(events(stream)), nil)
	var acc openai.ChatCompletionAccumulator
	for s.Next() {
		if !acc.AddChunk(s.Current()) {
			return fmt.Errorf("the accumulator refuses %s", s.Current().RawJSON())
		}
	}
	if s.Err() != nil || len(acc.Choices) != 1 {
		return fmt.Errorf("%d choices, %v", len(acc.Choices), s.Err())
	}
	got := acc.Choices[0]
	if whole == nil {
		return first(want("the text", got.Message.Content, text), want("the finish reason", got.FinishReason, "stop"),
			want("the tools", len(got.Message.ToolCalls), 0), want("usage is there", acc.Usage.PromptTokens > 0 && acc.Usage.CompletionTokens > 0, true),
			want("the sum of usage", acc.Usage.TotalTokens, acc.Usage.PromptTokens+acc.Usage.CompletionTokens))
	}
	var w openai.ChatCompletion
	if err := json.Unmarshal(whole, &w); err != nil {
		return err
	}
	wanted := w.Choices[0]
	if len(wanted.Message.ToolCalls) != 2 || len(got.Message.ToolCalls) != 2 {
		return fmt.Errorf("%d calls of tools in the stream, %d in the whole answer, want 2", len(got.Message.ToolCalls), len(wanted.Message.ToolCalls))
	}
	all := []error{want("the id", acc.ID, w.ID), want("the model", acc.Model, w.Model), want("the text", got.Message.Content, wanted.Message.Content),
		want("the finish reason", got.FinishReason, wanted.FinishReason), want("the prompt", acc.Usage.PromptTokens, w.Usage.PromptTokens),
		want("the cached of it", acc.Usage.PromptTokensDetails.CachedTokens, w.Usage.PromptTokensDetails.CachedTokens),
		want("the answer", acc.Usage.CompletionTokens, w.Usage.CompletionTokens), want("the sum of usage", acc.Usage.TotalTokens, w.Usage.TotalTokens)}
	for i, call := range got.Message.ToolCalls {
		other := wanted.Message.ToolCalls[i]
		all = append(all, want("the id of a call", call.ID, other.ID), want("its type", call.Type, other.Type), want("its tool", call.Function.Name, other.Function.Name),
			sameJSON("its input", call.Function.Arguments, orEmpty(other.Function.Arguments)))
	}
	return errors.Join(all...)
}

// orEmpty: no text at all stands for an input without members, too, as some providers write it.
func orEmpty(arguments string) string {
	if arguments == "" {
		return "{}"
	}
	return arguments
}

// anthropicGolden is openAIGolden of the other dialect.
func anthropicGolden(stream, whole []byte, text string) error {
	s := anthropicstream.NewStream[anthropic.MessageStreamEventUnion](anthropicstream.NewDecoder(events(stream)), nil)
	var got anthropic.Message
	last := ""
	for s.Next() {
		if err := got.Accumulate(s.Current()); err != nil {
			return err
		}
		last = s.Current().Type
	}
	if s.Err() != nil || last != "message_stop" {
		return fmt.Errorf("the stream ends with %q, %v", last, s.Err())
	}
	if whole == nil {
		return first(want("the text", anthropicText(got), text), want("the stop reason", got.StopReason, anthropic.StopReasonEndTurn),
			want("the blocks", len(got.Content), 1), want("usage is there", got.Usage.InputTokens > 0 && got.Usage.OutputTokens > 0, true))
	}
	var w anthropic.Message
	if err := json.Unmarshal(whole, &w); err != nil {
		return err
	}
	if len(got.Content) != len(w.Content) || len(anthropicCalls(got)) != 2 {
		return fmt.Errorf("%d blocks in the stream, %d in the whole answer, %d of them are calls, want 2", len(got.Content), len(w.Content), len(anthropicCalls(got)))
	}
	all := []error{want("the id", got.ID, w.ID), want("the model", got.Model, w.Model), want("the role", got.Role, w.Role), want("the stop reason", got.StopReason, w.StopReason),
		want("the prompt", got.Usage.InputTokens, w.Usage.InputTokens), want("what was read from the cache", got.Usage.CacheReadInputTokens, w.Usage.CacheReadInputTokens),
		want("the answer", got.Usage.OutputTokens, w.Usage.OutputTokens)}
	for i, b := range got.Content {
		other := w.Content[i]
		all = append(all, want("the type of a block", b.Type, other.Type), want("its text", b.Text, other.Text), want("its thinking", b.Thinking, other.Thinking),
			want("its signature", b.Signature, other.Signature), want("its id", b.ID, other.ID), want("its tool", b.Name, other.Name))
		if b.Type == "tool_use" {
			all = append(all, sameJSON("its input", string(b.Input), string(other.Input)))
		}
	}
	return errors.Join(all...)
}
