package sdks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

func TestOpenAI(t *testing.T) {
	show(t, "openai-go", "github.com/openai/openai-go/v3", every, map[string]func(*attempt) error{
		"unary": openAIUnary, "sdk-key": withKey(openAIUnary), "stream": openAIStream, "tools": openAITools,
		"stream-tools": openAIStreamTools, "structured": openAIStructured, "images-in": openAIImage, "embeddings": openAIEmbeddings,
		"image-generation": openAIImages, "models": openAIModels, "speech": openAISpeech, "transcription": openAITranscription,
		"responses": openAIResponses, "stream-responses": openAIStreamResponses, "responses-tools": openAIResponsesTools, "responses-structured": openAIResponsesStructured,
		"error-400": openAIFails(400), "error-404": openAIFails(404), "error-409": openAIFails(409), "error-422": openAIFails(422),
		"error-429": openAIFails(429), "error-500": openAIFails(500), "error-529": openAIOverloaded,
		"error-refused": openAIRefused, "error-401": openAIWrongKey, "error-403": openAIFails(403), "error-rate": openAIRate, "error-spent": openAISpent,
		"retry": openAIRetry, "mid-stream-error": openAIMidStream, "revoked": openAIRevoked, "abort": openAIAbort, "parallel": openAIParallel,
	})
}

func openAIClient(a *attempt, o ...option.RequestOption) openai.Client {
	return openai.NewClient(append([]option.RequestOption{option.WithBaseURL(a.Base + "/v1"), option.WithAPIKey(a.Key), option.WithHTTPClient(a.http())}, o...)...)
}

// openAIChat is a plain question with the mark of the case.
func openAIChat(a *attempt) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: a.Model, MaxCompletionTokens: openai.Int(500), Temperature: openai.Float(0.5),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be short."), openai.UserMessage(a.Case)}}
}

func openAISays(a *attempt, c openai.Client) error {
	got, err := c.Chat.Completions.New(context.Background(), openAIChat(a))
	if err != nil {
		return err
	}
	if len(got.Choices) != 1 {
		return fmt.Errorf("%d choices", len(got.Choices))
	}
	return first(want("the text", got.Choices[0].Message.Content, said), want("the finish reason", got.Choices[0].FinishReason, "stop"),
		want("the model", got.Model, a.Model), want("usage is there", got.Usage.PromptTokens > 0 && got.Usage.CompletionTokens > 0, true),
		want("the sum of usage", got.Usage.TotalTokens, got.Usage.PromptTokens+got.Usage.CompletionTokens), want("the id is there", got.ID != "", true))
}

func openAIUnary(a *attempt) error { return openAISays(a, openAIClient(a)) }

// openAIRead reads a stream to its end with the SDK's own accumulator.
func openAIRead(a *attempt, p openai.ChatCompletionNewParams) (openai.ChatCompletionAccumulator, error) {
	p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	c := openAIClient(a)
	s := c.Chat.Completions.NewStreaming(context.Background(), p)
	defer s.Close()
	var acc openai.ChatCompletionAccumulator
	for s.Next() {
		if !acc.AddChunk(s.Current()) {
			return acc, fmt.Errorf("the accumulator refuses %s", s.Current().RawJSON())
		}
	}
	return acc, s.Err()
}

func openAIStream(a *attempt) error {
	acc, err := openAIRead(a, openAIChat(a))
	if err != nil || len(acc.Choices) != 1 {
		return fmt.Errorf("%d choices, %w", len(acc.Choices), err)
	}
	return first(want("the text", acc.Choices[0].Message.Content, said), want("the finish reason", acc.Choices[0].FinishReason, "stop"),
		want("usage is there", acc.Usage.TotalTokens > 0, true))
}

func openAITool(name string, schema map[string]any) openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Description: openai.String("tells the " + name), Parameters: schema})
}

func openAITools(a *attempt) error {
	c, p := openAIClient(a), openAIChat(a)
	p.Tools = []openai.ChatCompletionToolUnionParam{openAITool("weather", weatherSchema)}
	got, err := c.Chat.Completions.New(context.Background(), p)
	if err != nil {
		return err
	}
	m := got.Choices[0].Message
	if len(m.ToolCalls) != 1 {
		return fmt.Errorf("calls of tools: %s", got.RawJSON())
	}
	call := m.ToolCalls[0]
	if err := first(want("the finish reason", got.Choices[0].FinishReason, "tool_calls"), want("the tool", call.Function.Name, "weather"),
		sameJSON("its input", call.Function.Arguments, weatherInput), want("its id is there", call.ID != "", true)); err != nil {
		return err
	}
	p.Messages = append(p.Messages, m.ToParam(), openai.ToolMessage("21 degrees", call.ID))
	if got, err = c.Chat.Completions.New(context.Background(), p); err != nil {
		return err
	}
	return want("the text", got.Choices[0].Message.Content, "It is mild.")
}

func openAIStreamTools(a *attempt) error {
	p := openAIChat(a)
	p.Tools = []openai.ChatCompletionToolUnionParam{openAITool("weather", weatherSchema), openAITool("clock", clockSchema)}
	acc, err := openAIRead(a, p)
	if err != nil || len(acc.Choices) != 1 || len(acc.Choices[0].Message.ToolCalls) != 2 {
		return fmt.Errorf("%+v %w", acc.Choices, err)
	}
	m := acc.Choices[0].Message
	return first(want("the text", m.Content, "Let me see."), want("the finish reason", acc.Choices[0].FinishReason, "tool_calls"),
		want("the first tool", m.ToolCalls[0].Function.Name, "weather"), sameJSON("its input", m.ToolCalls[0].Function.Arguments, weatherInput),
		want("the second tool", m.ToolCalls[1].Function.Name, "clock"), sameJSON("its input", m.ToolCalls[1].Function.Arguments, clockInput),
		want("the ids differ", m.ToolCalls[0].ID != m.ToolCalls[1].ID && m.ToolCalls[0].ID != "", true))
}

func openAIStructured(a *attempt) error {
	c, p := openAIClient(a), openAIChat(a)
	p.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "person", Strict: openai.Bool(true), Schema: personSchema}}}
	got, err := c.Chat.Completions.New(context.Background(), p)
	if err != nil {
		return err
	}
	return first(sameJSON("the text", got.Choices[0].Message.Content, `{"name":"Ada","age":36}`), want("the finish reason", got.Choices[0].FinishReason, "stop"))
}

func openAIImage(a *attempt) error {
	c, p := openAIClient(a), openAIChat(a)
	p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(a.Case),
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + a.Picture})})}
	got, err := c.Chat.Completions.New(context.Background(), p)
	if err != nil {
		return err
	}
	return want("the text", got.Choices[0].Message.Content, said)
}

func openAIEmbeddings(a *attempt) error {
	c := openAIClient(a)
	model := map[string]string{"openai": "text-embedding-3-small", "google": "gemini-embedding-001"}[a.target]
	got, err := c.Embeddings.New(context.Background(), openai.EmbeddingNewParams{Model: model,
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{a.Case, "second"}}})
	if err != nil {
		return err
	}
	if len(got.Data) != 2 || len(got.Data[0].Embedding) == 0 {
		return fmt.Errorf("embeddings: %.300s", got.RawJSON())
	}
	return first(want("the second's index", got.Data[1].Index, 1), want("usage is there", got.Usage.PromptTokens > 0, true))
}

func openAIImages(a *attempt) error {
	c := openAIClient(a)
	got, err := c.Images.Generate(context.Background(), openai.ImageGenerateParams{Model: "gpt-image-1", Prompt: a.Case, Size: "1024x1024", Quality: "low"})
	if err != nil {
		return err
	}
	if len(got.Data) != 1 || got.Data[0].B64JSON == "" {
		return fmt.Errorf("images: %.300s", got.RawJSON())
	}
	return nil
}

func openAIModels(a *attempt) error {
	c := openAIClient(a)
	pages := c.Models.ListAutoPaging(context.Background())
	var ids []string
	for pages.Next() {
		ids = append(ids, pages.Current().ID)
	}
	if err := first(pages.Err(), listed(ids, a.target, a.Model)); err != nil {
		return err
	}
	one, err := c.Models.Get(context.Background(), a.Model)
	if err != nil {
		return err
	}
	return want("the model", one.ID, a.Model)
}

// openAIError is the SDK's own error with a status.
func openAIError(err error, status int) (*openai.Error, error) {
	var e *openai.Error
	if !errors.As(err, &e) {
		return nil, fmt.Errorf("got %w, want an API error of status %d", cmpErr(err), status)
	}
	if e.StatusCode != status || e.Message == "" || e.Type == "" {
		return e, fmt.Errorf("got %d, %q, %q, want an API error of status %d with message and type", e.StatusCode, e.Message, e.Type, status)
	}
	return e, nil
}

func cmpErr(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

// openAIFails makes a call without another try, which must end with a status.
func openAIFails(status int) func(*attempt) error {
	return func(a *attempt) error {
		c := openAIClient(a, option.WithMaxRetries(0))
		_, err := c.Chat.Completions.New(context.Background(), openAIChat(a))
		_, err = openAIError(err, status)
		return err
	}
}

// openAIOverloaded: 529 is Anthropic's status; OpenAI's own word for the same is 503.
func openAIOverloaded(a *attempt) error {
	if a.target == "openai" {
		return openAIFails(529)(a)
	}
	return openAIFails(503)(a)
}

func openAIRefused(a *attempt) error {
	c, p := openAIClient(a), openAIChat(a)
	p.Model = a.noSuchModel("openai")
	_, err := c.Chat.Completions.New(context.Background(), p)
	e, err := openAIError(err, 400)
	if err != nil {
		return err
	}
	return want("the field", e.Param, "model")
}

func openAIWrongKey(a *attempt) error {
	c := openAIClient(a, option.WithAPIKey("sk-of-somebody-else"))
	_, err := c.Chat.Completions.New(context.Background(), openAIChat(a))
	_, err = openAIError(err, 401)
	return first(err, a.sent(1))
}

func openAIRate(a *attempt) error {
	c := openAIClient(a, option.WithMaxRetries(0))
	if err := openAISays(a, c); err != nil {
		return err
	}
	_, err := c.Chat.Completions.New(context.Background(), openAIChat(a))
	e, err := openAIError(err, 429)
	if err != nil {
		return err
	}
	return first(want("the code", e.Code, "rate_limit_exceeded"), want("Retry-After is there", e.Response.Header.Get("Retry-After") != "", true))
}

func openAISpent(a *attempt) error {
	c := openAIClient(a)
	if err := openAISays(a, c); err != nil {
		return err
	}
	_, err := c.Chat.Completions.New(context.Background(), openAIChat(a))
	e, err := openAIError(err, 429)
	if err != nil {
		return err
	}
	return first(want("the code", e.Code, "insufficient_quota"), a.sent(2))
}

func openAIRetry(a *attempt) error { return first(openAISays(a, openAIClient(a)), a.sent(2)) }

func openAIMidStream(a *attempt) error {
	acc, err := openAIRead(a, openAIChat(a))
	if err == nil {
		return fmt.Errorf("the stream ended well: %v", acc.Choices)
	}
	if len(acc.Choices) != 1 {
		return fmt.Errorf("nothing came before %w", err)
	}
	return first(want("what came before", acc.Choices[0].Message.Content, "piece-0 piece-1 "), want("the finish reason", acc.Choices[0].FinishReason, ""))
}

func openAIRevoked(a *attempt) error {
	acc, err := openAIRead(a, openAIChat(a))
	if err == nil || len(acc.Choices) > 0 && acc.Choices[0].FinishReason != "" {
		return fmt.Errorf("the stream ended well: %v, %v", acc.Choices, err)
	}
	return nil
}

func openAIAbort(a *attempt) error {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	c := openAIClient(a)
	s := c.Chat.Completions.NewStreaming(ctx, openAIChat(a))
	defer s.Close()
	for s.Next() {
		if cs := s.Current().Choices; len(cs) > 0 && cs[0].Delta.Content != "" {
			leave()
		}
	}
	return want("it was cancelled", errors.Is(s.Err(), context.Canceled), true)
}

func openAIParallel(a *attempt) error {
	c := openAIClient(a)
	return at30(func() error { return openAISays(a, c) })
}
