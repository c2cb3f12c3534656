package sdks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func TestAnthropic(t *testing.T) {
	show(t, "anthropic-go", "github.com/anthropics/anthropic-sdk-go", every, map[string]func(*attempt) error{
		"unary": anthropicUnary, "sdk-key": withKey(anthropicUnary), "stream": anthropicStream, "tools": anthropicTools,
		"stream-tools": anthropicStreamTools, "structured": anthropicStructured, "images-in": anthropicImage, "models": anthropicModels,
		"count-tokens": anthropicCount, "error-400": anthropicFails(400), "error-404": anthropicFails(404), "error-409": anthropicFails(409),
		"error-422": anthropicFails(422), "error-429": anthropicFails(429), "error-500": anthropicFails(500), "error-529": anthropicFails(529),
		"error-refused": anthropicRefused, "error-401": anthropicWrongKey, "error-403": anthropicFails(403), "error-rate": anthropicRate,
		"error-spent": anthropicSpent, "retry": anthropicRetry, "mid-stream-error": anthropicMidStream, "revoked": anthropicRevoked, "abort": anthropicAbort, "parallel": anthropicParallel,
	})
}

func anthropicClient(a *attempt, o ...option.RequestOption) anthropic.Client {
	return anthropic.NewClient(append([]option.RequestOption{option.WithBaseURL(a.Base + "/anthropic"), option.WithAPIKey(a.Key), option.WithHTTPClient(a.http())}, o...)...)
}

func anthropicChat(a *attempt) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: a.Model, MaxTokens: 500, System: []anthropic.TextBlockParam{{Text: "Be short."}}, Temperature: anthropic.Float(0.5),
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(a.Case))}}
}

// anthropicText is the text of a message that has nothing else.
func anthropicText(m anthropic.Message) string {
	text := ""
	for _, b := range m.Content {
		text += b.Text
	}
	return text
}

func anthropicIs(a *attempt, m anthropic.Message, text string) error {
	return first(want("the text", anthropicText(m), text), want("the stop reason", m.StopReason, anthropic.StopReasonEndTurn), want("the model", m.Model, a.Model),
		want("the role", string(m.Role), "assistant"), want("usage is there", m.Usage.InputTokens > 0 && m.Usage.OutputTokens > 0, true), want("the id is there", m.ID != "", true))
}

func anthropicSays(a *attempt, c anthropic.Client) error {
	got, err := c.Messages.New(context.Background(), anthropicChat(a))
	if err != nil {
		return err
	}
	return anthropicIs(a, *got, said)
}

func anthropicUnary(a *attempt) error { return anthropicSays(a, anthropicClient(a)) }

// anthropicRead reads a stream to its end with the SDK's own accumulator.
func anthropicRead(a *attempt, p anthropic.MessageNewParams) (anthropic.Message, error) {
	c := anthropicClient(a)
	s := c.Messages.NewStreaming(context.Background(), p)
	defer s.Close()
	var m anthropic.Message
	last := ""
	for s.Next() {
		e := s.Current()
		if err := m.Accumulate(e); err != nil {
			return m, err
		}
		last = e.Type
	}
	if s.Err() == nil && last != "message_stop" {
		return m, fmt.Errorf("the stream ends with %q", last)
	}
	return m, s.Err()
}

func anthropicStream(a *attempt) error {
	m, err := anthropicRead(a, anthropicChat(a))
	if err != nil {
		return err
	}
	return anthropicIs(a, m, said)
}

func anthropicTool(name string, schema map[string]any) anthropic.ToolUnionParam {
	required, _ := schema["required"].([]string)
	return anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{Name: name, Description: anthropic.String("tells the " + name),
		InputSchema: anthropic.ToolInputSchemaParam{Properties: schema["properties"], Required: required}}}
}

// anthropicCalls are the tool_use blocks of a message.
func anthropicCalls(m anthropic.Message) []anthropic.ContentBlockUnion {
	var calls []anthropic.ContentBlockUnion
	for _, b := range m.Content {
		if b.Type == "tool_use" {
			calls = append(calls, b)
		}
	}
	return calls
}

func anthropicTools(a *attempt) error {
	c, p := anthropicClient(a), anthropicChat(a)
	p.Tools = []anthropic.ToolUnionParam{anthropicTool("weather", weatherSchema)}
	got, err := c.Messages.New(context.Background(), p)
	if err != nil {
		return err
	}
	calls := anthropicCalls(*got)
	if len(calls) != 1 {
		return fmt.Errorf("calls of tools: %s", got.RawJSON())
	}
	if err := first(want("the stop reason", got.StopReason, anthropic.StopReasonToolUse), want("the tool", calls[0].Name, "weather"),
		sameJSON("its input", string(calls[0].Input), weatherInput), want("its id is there", calls[0].ID != "", true)); err != nil {
		return err
	}
	p.Messages = append(p.Messages, got.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(calls[0].ID, "21 degrees", false)))
	if got, err = c.Messages.New(context.Background(), p); err != nil {
		return err
	}
	return want("the text", anthropicText(*got), "It is mild.")
}

func anthropicStreamTools(a *attempt) error {
	p := anthropicChat(a)
	p.Tools = []anthropic.ToolUnionParam{anthropicTool("weather", weatherSchema), anthropicTool("clock", clockSchema)}
	m, err := anthropicRead(a, p)
	if err != nil {
		return err
	}
	calls := anthropicCalls(m)
	if len(calls) != 2 {
		return fmt.Errorf("calls of tools: %+v", m.Content)
	}
	return first(want("the text", anthropicText(m), "Let me see."), want("the stop reason", m.StopReason, anthropic.StopReasonToolUse),
		want("the first tool", calls[0].Name, "weather"), sameJSON("its input", string(calls[0].Input), weatherInput),
		want("the second tool", calls[1].Name, "clock"), sameJSON("its input", string(calls[1].Input), clockInput),
		want("the ids differ", calls[0].ID != calls[1].ID && calls[0].ID != "", true))
}

func anthropicStructured(a *attempt) error {
	c, p := anthropicClient(a), anthropicChat(a)
	p.OutputConfig = anthropic.OutputConfigParam{Format: anthropic.JSONOutputFormatParam{Schema: personSchema}}
	got, err := c.Messages.New(context.Background(), p)
	if err != nil {
		return err
	}
	return first(sameJSON("the text", anthropicText(*got), `{"name":"Ada","age":36}`), want("the stop reason", got.StopReason, anthropic.StopReasonEndTurn))
}

func anthropicImage(a *attempt) error {
	c, p := anthropicClient(a), anthropicChat(a)
	p.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(a.Case), anthropic.NewImageBlockBase64("image/png", a.Picture))}
	got, err := c.Messages.New(context.Background(), p)
	if err != nil {
		return err
	}
	return anthropicIs(a, *got, said)
}

func anthropicModels(a *attempt) error {
	c := anthropicClient(a)
	pages := c.Models.ListAutoPaging(context.Background(), anthropic.ModelListParams{Limit: anthropic.Int(2)})
	var ids []string
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	if err := first(pages.Err(), listed(ids, a.target, a.Model)); err != nil {
		return err
	}
	one, err := c.Models.Get(context.Background(), a.Model, anthropic.ModelGetParams{})
	if err != nil {
		return err
	}
	return want("the model", one.ID, a.Model)
}

func anthropicCount(a *attempt) error {
	c, p := anthropicClient(a), anthropicChat(a)
	got, err := c.Messages.CountTokens(context.Background(), anthropic.MessageCountTokensParams{Model: p.Model, Messages: p.Messages})
	if err != nil {
		return err
	}
	return want("tokens are counted", got.InputTokens > 0, true)
}

// anthropicTypes are the error types that the API has for a status (https://docs.anthropic.com/en/api/errors); others are free.
var anthropicTypes = map[int]anthropic.ErrorType{400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
	429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}

func anthropicError(err error, status int) (*anthropic.Error, error) {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return nil, fmt.Errorf("got %w, want an API error of status %d", cmpErr(err), status)
	}
	if e.StatusCode != status || e.Type() == "" || e.RequestID == "" {
		return e, fmt.Errorf("got %d, type %q, request id %q, want an API error of status %d with type and id", e.StatusCode, e.Type(), e.RequestID, status)
	}
	if wanted := anthropicTypes[status]; wanted != "" && e.Type() != wanted {
		return e, want("the type", e.Type(), wanted)
	}
	return e, nil
}

func anthropicFails(status int) func(*attempt) error {
	return func(a *attempt) error {
		c := anthropicClient(a, option.WithMaxRetries(0))
		_, err := c.Messages.New(context.Background(), anthropicChat(a))
		_, err = anthropicError(err, status)
		return err
	}
}

func anthropicRefused(a *attempt) error {
	c, p := anthropicClient(a), anthropicChat(a)
	p.Model = a.noSuchModel("anthropic")
	_, err := c.Messages.New(context.Background(), p)
	_, err = anthropicError(err, 400)
	return err
}

func anthropicWrongKey(a *attempt) error {
	c := anthropicClient(a, option.WithAPIKey("sk-ant-of-somebody-else"))
	_, err := c.Messages.New(context.Background(), anthropicChat(a))
	_, err = anthropicError(err, 401)
	return first(err, a.sent(1))
}

func anthropicRate(a *attempt) error {
	c := anthropicClient(a, option.WithMaxRetries(0))
	if err := anthropicSays(a, c); err != nil {
		return err
	}
	_, err := c.Messages.New(context.Background(), anthropicChat(a))
	e, err := anthropicError(err, 429)
	if err != nil {
		return err
	}
	return want("Retry-After is there", e.Response.Header.Get("Retry-After") != "", true)
}

func anthropicSpent(a *attempt) error {
	c := anthropicClient(a)
	if err := anthropicSays(a, c); err != nil {
		return err
	}
	_, err := c.Messages.New(context.Background(), anthropicChat(a))
	_, err = anthropicError(err, 429)
	return first(err, a.sent(2))
}

func anthropicRetry(a *attempt) error { return first(anthropicSays(a, anthropicClient(a)), a.sent(2)) }

func anthropicMidStream(a *attempt) error {
	m, err := anthropicRead(a, anthropicChat(a))
	if err == nil {
		return fmt.Errorf("the stream ended well: %v", m.Content)
	}
	return first(want("what came before", anthropicText(m), "piece-0 piece-1 "), want("the stop reason", m.StopReason, ""))
}

func anthropicRevoked(a *attempt) error {
	m, err := anthropicRead(a, anthropicChat(a))
	if err == nil || m.StopReason != "" {
		return fmt.Errorf("the stream ended well: %v, %v", m.Content, err)
	}
	return nil
}

func anthropicAbort(a *attempt) error {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	c := anthropicClient(a)
	s := c.Messages.NewStreaming(ctx, anthropicChat(a))
	defer s.Close()
	for s.Next() {
		if s.Current().Type == "content_block_delta" {
			leave()
		}
	}
	return want("it was cancelled", errors.Is(s.Err(), context.Canceled), true)
}

func anthropicParallel(a *attempt) error {
	c := anthropicClient(a)
	return at30(func() error { return anthropicSays(a, c) })
}
