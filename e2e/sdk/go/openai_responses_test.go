package sdks_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

func openAIAsk(a *attempt) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: a.Model, MaxOutputTokens: openai.Int(500), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(a.Case)}}
}

func openAIResponses(a *attempt) error {
	c := openAIClient(a)
	got, err := c.Responses.New(context.Background(), openAIAsk(a))
	if err != nil {
		return err
	}
	return first(want("the text", got.OutputText(), said), want("the status", string(got.Status), "completed"), want("usage is there", got.Usage.TotalTokens > 0, true))
}

func openAIStreamResponses(a *attempt) error {
	c := openAIClient(a)
	s := c.Responses.NewStreaming(context.Background(), openAIAsk(a))
	defer s.Close()
	var text strings.Builder
	end := ""
	for s.Next() {
		e := s.Current()
		if e.Type == "response.output_text.delta" {
			text.WriteString(e.Delta)
		}
		end = e.Type
	}
	return first(s.Err(), want("the text", text.String(), said), want("the last event", end, "response.completed"))
}

func openAIResponsesTools(a *attempt) error {
	c, p := openAIClient(a), openAIAsk(a)
	p.Store = openai.Bool(false)
	p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", weatherSchema, false)}
	got, err := c.Responses.New(context.Background(), p)
	if err != nil {
		return err
	}
	if len(got.Output) != 2 || got.Output[1].Type != "function_call" {
		return fmt.Errorf("calls of tools: %s", got.RawJSON())
	}
	call, before := got.Output[1].AsFunctionCall(), got.Output[0].AsMessage().ToParam()
	if err := first(want("the text before", got.OutputText(), "Let me see."), want("the tool", call.Name, "weather"), sameJSON("its input", call.Arguments, weatherInput), want("its id is there", call.CallID != "", true)); err != nil {
		return err
	}
	param, result := call.ToParam(), responses.ResponseInputItemParamOfFunctionCallOutput("21 degrees")
	result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
	p.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage(a.Case, responses.EasyInputMessageRoleUser), {OfOutputMessage: &before}, {OfFunctionCall: &param}, result}}
	if got, err = c.Responses.New(context.Background(), p); err != nil {
		return err
	}
	return want("the text", got.OutputText(), "It is mild.")
}

func openAIResponsesStructured(a *attempt) error {
	c, p := openAIClient(a), openAIAsk(a)
	p.Text = responses.ResponseTextConfigParam{Format: responses.ResponseFormatTextConfigParamOfJSONSchema("person", personSchema)}
	got, err := c.Responses.New(context.Background(), p)
	if err != nil {
		return err
	}
	return first(sameJSON("the text", got.OutputText(), `{"name":"Ada","age":36}`), want("the status", string(got.Status), "completed"))
}
