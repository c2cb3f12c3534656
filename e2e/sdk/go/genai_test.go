package sdks_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genai"
)

func TestGenAI(t *testing.T) {
	show(t, "genai-go", "google.golang.org/genai", []string{"google"}, map[string]func(*attempt) error{
		"unary": genAIUnary, "sdk-key": withKey(genAIUnary), "stream": genAIStream, "tools": genAITools, "stream-tools": genAIStreamTools,
		"structured": genAIStructured, "images-in": genAIImage, "embeddings": genAIEmbeddings, "models": genAIModels, "count-tokens": genAICount,
		"error-400": genAIFails(400), "error-404": genAIFails(404), "error-409": genAIFails(409), "error-422": genAIFails(422), "error-429": genAIFails(429),
		"error-500": genAIFails(500), "error-529": genAIFails(529), "error-refused": genAIRefused, "error-401": genAIWrongKey, "error-403": genAIFails(403),
		"error-rate": genAIRate, "error-spent": genAISpent, "retry": genAIRetry, "mid-stream-error": genAIMidStream, "revoked": genAIRevoked, "abort": genAIAbort,
		"parallel": func(a *attempt) error { return at30(func() error { return genAISays(a, nil) }) },
	})
}

func genAIModelsOf(a *attempt, key string, retry *genai.HTTPRetryOptions) (*genai.Models, error) {
	c, err := genai.NewClient(context.Background(), &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: a.http(),
		HTTPOptions: genai.HTTPOptions{BaseURL: a.Base + "/google", RetryOptions: retry}})
	if err != nil {
		return nil, err
	}
	return c.Models, nil
}

func genAIConfig() *genai.GenerateContentConfig {
	return &genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText("Be short.", genai.RoleUser), MaxOutputTokens: 500, Temperature: genai.Ptr[float32](0.5)}
}

// genAIAsk makes one call with the mark of the case.
func genAIAsk(a *attempt, retry *genai.HTTPRetryOptions, more ...*genai.Part) (*genai.GenerateContentResponse, error) {
	m, err := genAIModelsOf(a, a.Key, retry)
	if err != nil {
		return nil, err
	}
	parts := append([]*genai.Part{{Text: a.Case}}, more...)
	return m.GenerateContent(context.Background(), a.Model, []*genai.Content{{Role: genai.RoleUser, Parts: parts}}, genAIConfig())
}

func genAIIs(a *attempt, got *genai.GenerateContentResponse, text string) error {
	if len(got.Candidates) != 1 {
		return fmt.Errorf("%d candidates", len(got.Candidates))
	}
	return first(want("the text", got.Text(), text), want("the finish reason", got.Candidates[0].FinishReason, genai.FinishReasonStop),
		want("the model", got.ModelVersion, a.Model), want("usage is there", got.UsageMetadata != nil && got.UsageMetadata.TotalTokenCount > 0, true))
}

func genAISays(a *attempt, retry *genai.HTTPRetryOptions) error {
	got, err := genAIAsk(a, retry)
	if err != nil {
		return err
	}
	return genAIIs(a, got, said)
}

func genAIUnary(a *attempt) error { return genAISays(a, nil) }

// genAIRead reads a stream: its text, its calls of tools and its last finish reason.
func genAIRead(ctx context.Context, a *attempt, conf *genai.GenerateContentConfig, each func()) (text string, calls []*genai.FunctionCall, finish genai.FinishReason, err error) {
	m, err := genAIModelsOf(a, a.Key, nil)
	if err != nil {
		return "", nil, "", err
	}
	var all strings.Builder
	for got, err := range m.GenerateContentStream(ctx, a.Model, genai.Text(a.Case), conf) {
		if err != nil {
			return all.String(), calls, finish, err
		}
		all.WriteString(got.Text())
		calls = append(calls, got.FunctionCalls()...)
		if len(got.Candidates) > 0 && got.Candidates[0].FinishReason != "" {
			finish = got.Candidates[0].FinishReason
		}
		each()
	}
	return all.String(), calls, finish, nil
}

func genAIStream(a *attempt) error {
	text, _, finish, err := genAIRead(context.Background(), a, genAIConfig(), func() {})
	return first(err, want("the text", text, said), want("the finish reason", finish, genai.FinishReasonStop))
}

func genAITool(names map[string]map[string]any) []*genai.Tool {
	t := &genai.Tool{}
	for name, schema := range names {
		t.FunctionDeclarations = append(t.FunctionDeclarations, &genai.FunctionDeclaration{Name: name, Description: "tells the " + name, ParametersJsonSchema: schema})
	}
	return []*genai.Tool{t}
}

func genAICall(what string, call *genai.FunctionCall, name, input string) error {
	args, err := json.Marshal(call.Args)
	return first(err, want(what, call.Name, name), sameJSON(what+"'s input", string(args), input))
}

func genAITools(a *attempt) error {
	m, err := genAIModelsOf(a, a.Key, nil)
	if err != nil {
		return err
	}
	conf, said := genAIConfig(), genai.Text(a.Case)
	conf.Tools = genAITool(map[string]map[string]any{"weather": weatherSchema})
	got, err := m.GenerateContent(context.Background(), a.Model, said, conf)
	if err != nil {
		return err
	}
	calls := got.FunctionCalls()
	if len(calls) != 1 {
		return fmt.Errorf("%d calls of tools", len(calls))
	}
	if err := genAICall("the tool", calls[0], "weather", weatherInput); err != nil {
		return err
	}
	said = append(said, got.Candidates[0].Content, genai.NewContentFromFunctionResponse("weather", map[string]any{"output": "21 degrees"}, genai.RoleUser))
	if got, err = m.GenerateContent(context.Background(), a.Model, said, conf); err != nil {
		return err
	}
	return want("the text", got.Text(), "It is mild.")
}

func genAIStreamTools(a *attempt) error {
	conf := genAIConfig()
	conf.Tools = genAITool(map[string]map[string]any{"weather": weatherSchema, "clock": clockSchema})
	text, calls, _, err := genAIRead(context.Background(), a, conf, func() {})
	if err != nil || len(calls) != 2 {
		return fmt.Errorf("%d calls of tools, %w", len(calls), err)
	}
	return first(want("the text", text, "Let me see."), genAICall("the first tool", calls[0], "weather", weatherInput), genAICall("the second tool", calls[1], "clock", clockInput))
}

func genAIStructured(a *attempt) error {
	m, err := genAIModelsOf(a, a.Key, nil)
	if err != nil {
		return err
	}
	conf := genAIConfig()
	conf.ResponseMIMEType, conf.ResponseJsonSchema = "application/json", personSchema
	got, err := m.GenerateContent(context.Background(), a.Model, genai.Text(a.Case), conf)
	if err != nil {
		return err
	}
	return sameJSON("the text", got.Text(), `{"name":"Ada","age":36}`)
}

func genAIImage(a *attempt) error {
	png, err := base64.StdEncoding.DecodeString(a.Picture)
	if err != nil {
		return err
	}
	got, err := genAIAsk(a, nil, genai.NewPartFromBytes(png, "image/png"))
	if err != nil {
		return err
	}
	return genAIIs(a, got, said)
}

func genAIEmbeddings(a *attempt) error {
	m, err := genAIModelsOf(a, a.Key, nil)
	if err != nil {
		return err
	}
	got, err := m.EmbedContent(context.Background(), "gemini-embedding-001", []*genai.Content{genai.NewContentFromText(a.Case, genai.RoleUser), genai.NewContentFromText("second", genai.RoleUser)}, nil)
	if err != nil {
		return err
	}
	return first(want("the number of embeddings", len(got.Embeddings), 2), want("values are there", len(got.Embeddings) > 0 && len(got.Embeddings[0].Values) > 0, true))
}

func genAIModels(a *attempt) error {
	m, err := genAIModelsOf(a, a.Key, nil)
	if err != nil {
		return err
	}
	var names []string
	for model, err := range m.All(context.Background()) {
		if err != nil {
			return err
		}
		names = append(names, strings.TrimPrefix(model.Name, "models/"))
	}
	if err := listed(names, a.target, a.Model); err != nil {
		return err
	}
	one, err := m.Get(context.Background(), a.Model, nil)
	if err != nil {
		return err
	}
	return want("the model", one.Name, "models/"+a.Model)
}

func genAICount(a *attempt) error {
	m, err := genAIModelsOf(a, a.Key, nil)
	if err != nil {
		return err
	}
	got, err := m.CountTokens(context.Background(), a.Model, genai.Text(a.Case), nil)
	if err != nil {
		return err
	}
	return want("tokens are counted", got.TotalTokens > 0, true)
}

// genAIStatus is the word that the API has for a status (https://cloud.google.com/apis/design/errors); others are free.
var genAIStatus = map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}

func genAIError(err error, status int) error {
	var e genai.APIError
	if !errors.As(err, &e) {
		return fmt.Errorf("got %w, want an API error of status %d", cmpErr(err), status)
	}
	if e.Code != status || e.Message == "" || e.Status == "" {
		return fmt.Errorf("got %d, %q, %q, want an API error of status %d with message and status", e.Code, e.Message, e.Status, status)
	}
	if wanted := genAIStatus[status]; wanted != "" {
		return want("the status", e.Status, wanted)
	}
	return nil
}

func genAIFails(status int) func(*attempt) error {
	return func(a *attempt) error {
		_, err := genAIAsk(a, nil)
		return genAIError(err, status)
	}
}

func genAIRefused(a *attempt) error {
	a.Model = "no-such-model"
	_, err := genAIAsk(a, nil)
	return genAIError(err, 400)
}

func genAIWrongKey(a *attempt) error {
	a.Key = "AIza-of-somebody-else"
	_, err := genAIAsk(a, nil)
	return first(genAIError(err, 401), a.sent(1))
}

func genAIRate(a *attempt) error {
	if err := genAISays(a, nil); err != nil {
		return err
	}
	_, err := genAIAsk(a, nil)
	return genAIError(err, 429)
}

func genAISpent(a *attempt) error { return first(genAIRate(a), a.sent(2)) }

// genAIRetry: this SDK tries again only where it is told to.
func genAIRetry(a *attempt) error {
	return first(genAISays(a, &genai.HTTPRetryOptions{Attempts: genai.Ptr[int32](3), InitialDelay: genai.Ptr(0.01)}), a.sent(2))
}

func genAIMidStream(a *attempt) error {
	text, _, finish, err := genAIRead(context.Background(), a, genAIConfig(), func() {})
	if err == nil {
		return fmt.Errorf("the stream ended well: %q", text)
	}
	return first(want(fmt.Sprintf("what came before (%v)", err), text, "piece-0 piece-1 "), want("the finish reason", finish, ""))
}

func genAIRevoked(a *attempt) error {
	text, _, finish, err := genAIRead(context.Background(), a, genAIConfig(), func() {})
	var e genai.APIError
	if !errors.As(err, &e) || finish != "" {
		return fmt.Errorf("after %q and the finish reason %q: %w, want an API error", text, finish, cmpErr(err))
	}
	return nil
}

func genAIAbort(a *attempt) error {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	_, _, _, err := genAIRead(ctx, a, genAIConfig(), leave)
	return want("it was cancelled", errors.Is(err, context.Canceled), true)
}
