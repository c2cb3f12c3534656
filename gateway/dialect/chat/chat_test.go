package chat_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/chat"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var native = map[passport.Provider]dialect.Dialect{passport.OpenAI: openai.New(), passport.Anthropic: anthropic.New(), passport.Google: gemini.New()}

// same fails unless two JSON texts mean the same.
func same(t *testing.T, got []byte, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if d := cmp.Diff(b, a); d != "" {
		t.Errorf("want -, got +: %s", d)
	}
}

// whole is a conversation with everything that can be carried to every provider.
const whole = `{"model":"m-1","max_tokens":150,"stream":true,"temperature":0.50,"top_p":1,"stop":"END","system":"be brief","unknown":{"a":[]},
 "messages":[{"role":"system","content":"and kind"},{"role":"user","content":"<hi> & \u00e9"},
 {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1.0}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},
 {"role":"tool","tool_call_id":"c1","content":"{\"r\":1}"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"plain"}]},
 {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"extra":1}],
 "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"name":"g","input_schema":{"type":"object","properties":{}}}],
 "tool_choice":{"type":"function","function":{"name":"f"}}}`

func TestWholeConversation(t *testing.T) {
	for _, c := range []struct {
		provider passport.Provider
		want     string
		in       dialect.Input
		call     passport.Call
	}{
		{passport.OpenAI, `{"model":"m-1","max_tokens":150,"stream":true,"temperature":0.5,"top_p":1,"stop":["END"],"messages":[{"role":"system","content":"be brief"},
 {"role":"system","content":"and kind"},{"role":"user","content":"<hi> & é"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1.0}"}},
 {"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"c1","content":"{\"r\":1}"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"plain"}]},
 {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],
 "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}],
 "tool_choice":{"type":"function","function":{"name":"f"}}}`, dialect.Input{}, passport.Call{Parts: 9}},
		{passport.Anthropic, `{"model":"m-1","max_tokens":150,"stream":true,"temperature":0.5,"top_p":1,"stop_sequences":["END"],"system":[{"type":"text","text":"be brief"},{"type":"text","text":"and kind"}],
 "messages":[{"role":"user","content":"<hi> & é"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{"x":1.0}},{"type":"tool_use","id":"c2","name":"g","input":{}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"{\"r\":1}"},{"type":"tool_result","tool_use_id":"c2","content":"plain"}]},
 {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],
 "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"tool","name":"f"}}`,
			dialect.Input{}, passport.Call{Parts: 8}},
		{passport.Google, `{"generationConfig":{"maxOutputTokens":150,"temperature":0.5,"topP":1,"stopSequences":["END"]},"systemInstruction":{"parts":[{"text":"be brief"},{"text":"and kind"}]},
 "contents":[{"role":"user","parts":[{"text":"<hi> & é"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":1.0}}},{"functionCall":{"name":"g","args":{}}}]},
 {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"result":"plain"}}}]},
 {"role":"user","parts":[{"text":"a"},{"text":"b"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}},{"name":"g","parametersJsonSchema":{"type":"object","properties":{}}}]}],
 "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}`,
			dialect.Input{Model: "m-1", Method: "streamGenerateContent", Query: url.Values{"alt": {"sse"}}}, passport.Call{Parts: 8}},
	} {
		t.Run(string(c.provider), func(t *testing.T) {
			in, err := chat.Read(c.provider, []byte(whole))
			if err != nil {
				t.Fatal(err)
			}
			same(t, in.Body, c.want)
			body := in.Body
			in.Body = nil
			if d := cmp.Diff(c.in, in); d != "" {
				t.Error(d)
			}
			in.Body = body
			r, err := native[c.provider].Read(in)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := r.Call.MaxOutput.Get(); n != 150 || r.Call.Model != "m-1" || !r.Call.Stream || r.Call.Parts != c.call.Parts {
				t.Errorf("got %+v", r.Call)
			}
		})
	}
}

// TestSeedsOwnBody: what repo-mood sends, and the default of 1024 that Anthropic gets.
func TestSeedsOwnBody(t *testing.T) {
	in, err := chat.Read(passport.Anthropic, []byte(`{"model":"claude-sonnet-4-20250514","max_tokens":150,"messages":[{"role":"user","content":"p"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	same(t, in.Body, `{"model":"claude-sonnet-4-20250514","max_tokens":150,"messages":[{"role":"user","content":"p"}]}`)
	for provider, want := range map[passport.Provider]string{
		passport.Anthropic: `{"model":"m","max_tokens":1024,"messages":[]}`, passport.OpenAI: `{"model":"m","messages":[]}`, passport.Google: `{"contents":[]}`,
	} {
		in, err := chat.Read(provider, []byte(`{"model":"m","messages":[],"stream":null,"max_tokens":null,"tools":null,"tool_choice":null,"stop":null,"system":null,"temperature":null,"top_p":null,"status":"approved"}`))
		if err != nil {
			t.Fatal(err)
		}
		same(t, in.Body, want)
		if _, err := native[provider].Read(in); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckSaysWhatTheSeedSays, once each, and nothing about what only a provider cannot take.
func TestCheckSaysWhatTheSeedSays(t *testing.T) {
	for body, want := range map[string]map[string][]string{
		`{"model":5,"messages":[]}`:                                          {"model": {"Expected string, received number"}},
		`{"model":null,"messages":null}`:                                     {"model": {"Expected string, received null"}, "messages": {"Expected array, received null"}},
		`{"model":"","messages":[]}`:                                         nil,
		`{"model":"m","messages":[{"role":"tool","content":"x"}]}`:           nil,
		`{"model":"m","messages":[{"role":"root","content":"x"}]}`:           nil,
		`{"model":"m","messages":[{"role":"","content":"x"}]}`:               nil,
		`{"model":"m","messages":[{"role":"user","content":"","name":"n"}]}`: nil,
		`{"model":"m","messages":[{"role":"user","content":5}],"x":1}`:       {"messages": {"Expected string, received number"}},
	} {
		model, err := chat.Check([]byte(body))
		e, _ := errors.AsType[*fields.Error](err)
		if (e == nil) != (want == nil) || e != nil && !cmp.Equal(e.Fields, want) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
		if want == nil && !strings.Contains(body, `"model":"`+model+`"`) {
			t.Errorf("%s: the model is %q", body, model)
		}
	}
}

func TestToolChoices(t *testing.T) {
	for choice, want := range map[string][3]string{
		`"auto"`:                     {`"auto"`, `{"type":"auto"}`, `{"mode":"AUTO"}`},
		`"none"`:                     {`"none"`, `{"type":"none"}`, `{"mode":"NONE"}`},
		`"required"`:                 {`"required"`, `{"type":"any"}`, `{"mode":"ANY"}`},
		`{"type":"any"}`:             {`"required"`, `{"type":"any"}`, `{"mode":"ANY"}`},
		`{"type":"auto"}`:            {`"auto"`, `{"type":"auto"}`, `{"mode":"AUTO"}`},
		`{"type":"tool","name":"f"}`: {`{"type":"function","function":{"name":"f"}}`, `{"type":"tool","name":"f"}`, `{"mode":"ANY","allowedFunctionNames":["f"]}`},
	} {
		body := []byte(`{"model":"m","messages":[],"tool_choice":` + choice + `}`)
		for i, provider := range passport.Providers {
			in, err := chat.Read(provider, body)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Choice json.RawMessage `json:"tool_choice"`
				Config struct {
					Calling json.RawMessage `json:"functionCallingConfig"`
				} `json:"toolConfig"`
			}
			if err := json.Unmarshal(in.Body, &got); err != nil {
				t.Fatal(err)
			}
			if provider == passport.Google {
				got.Choice = got.Config.Calling
			}
			same(t, got.Choice, want[i])
		}
	}
}

const anyRole = "Invalid enum value. Expected 'system' | 'developer' | 'user' | 'assistant' | 'tool', received "

func TestEveryFailureAtOnceInTheSeedsWords(t *testing.T) {
	for _, c := range []struct {
		name, body string
		provider   passport.Provider
		form       []string
		fields     map[string][]string
	}{
		{"nothing", `{}`, passport.OpenAI, nil, map[string][]string{"model": {"Required"}, "messages": {"Required"}}},
		{"a list", `[]`, passport.OpenAI, []string{"Expected object, received array"}, nil},
		{"wrong kinds", `{"model":5,"messages":"x","max_tokens":"5","stream":1,"temperature":"a","top_p":[],"stop":5,"system":{},"tools":"t","tool_choice":"maybe"}`, passport.OpenAI, nil, map[string][]string{
			"model": {"Expected string, received number"}, "messages": {"Expected array, received string"}, "max_tokens": {"Expected number, received string"},
			"stream": {"Expected boolean, received number"}, "temperature": {"Expected number, received string"}, "top_p": {"Expected number, received array"},
			"stop": {"Expected string, received number"}, "system": {"Expected string, received object"}, "tools": {"Expected array, received string"},
			"tool_choice": {"Invalid enum value. Expected 'auto' | 'none' | 'required', received 'maybe'"}}},
		{"messages", `{"model":"m","messages":[5,{},{"role":"user"},{"role":1,"content":2},{"role":"user","content":null}]}`, passport.OpenAI, nil, map[string][]string{
			"messages": {"Expected object, received number", "Required", "Required", "Required", "Expected string, received number", "Expected string, received number", "Expected string, received null"}}},
		{"an image", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, passport.OpenAI, nil, map[string][]string{
			"messages": {"Invalid enum value. Expected 'text', received 'image_url'"}}},
		{"roles", `{"model":"m","messages":[{"role":"root","content":"x"},{"role":"","content":"x"},{"role":"User","content":5}]}`, passport.Google, nil, map[string][]string{"messages": {
			"Expected string, received number", anyRole + "'root'", anyRole + "''", anyRole + "'User'"}}},
		{"no model", `{"model":"","messages":[]}`, passport.OpenAI, nil, map[string][]string{"model": {"String must contain at least 1 character(s)"}}},
		{"tool without id", `{"model":"m","messages":[{"role":"tool","content":"x"}]}`, passport.OpenAI, nil, map[string][]string{"messages": {"A tool's message needs tool_call_id"}}},
		{"user calls", `{"model":"m","messages":[{"role":"user","content":"x","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":""}}]}]}`, passport.OpenAI, nil,
			map[string][]string{"messages": {"Only an assistant calls tools"}}},
		{"both caps", `{"model":"m","messages":[],"max_tokens":5,"max_completion_tokens":5}`, passport.OpenAI, nil, map[string][]string{"max_completion_tokens": {"Give max_tokens or max_completion_tokens, not both"}}},
		{"zero", `{"model":"m","messages":[],"max_tokens":0}`, passport.OpenAI, nil, map[string][]string{"max_tokens": {"Number must be greater than or equal to 1"}}},
		{"fraction", `{"model":"m","messages":[],"max_tokens":1.5}`, passport.OpenAI, nil, map[string][]string{"max_tokens": {"Expected integer, received float"}}},
		{"too many", `{"model":"m","messages":[],"max_tokens":1000000001}`, passport.OpenAI, nil, map[string][]string{"max_tokens": {"Number must be less than or equal to 1000000000"}}},
		{"twice", `{"model":"m","messages":[],"model":"n"}`, passport.OpenAI, nil, map[string][]string{"model": {"Duplicate member 'model'"}}},
		{"case", `{"model":"m","messages":[],"Max_Tokens":5}`, passport.OpenAI, nil, map[string][]string{"Max_Tokens": {"Must be spelled 'max_tokens'"}}},
		{"inner case", `{"model":"m","messages":[{"role":"user","content":"x","Role":"tool"}]}`, passport.OpenAI, nil, map[string][]string{"messages": {"Must be spelled 'role'"}}},
		{"name", `{"model":"m","messages":[{"role":"user","content":"x","name":"n"}]}`, passport.Anthropic, nil, map[string][]string{"messages": {"This provider has no 'name' in messages"}}},
		{"arguments", `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"[1]"}}]}]}`, passport.Anthropic, nil,
			map[string][]string{"messages": {"The arguments of a tool call must be one JSON object"}}},
		{"arguments twice", `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{\"a\":1,\"a\":2}"}}]}]}`, passport.Google, nil,
			map[string][]string{"messages": {"The arguments of a tool call must be one JSON object"}}},
		{"result of nothing", `{"model":"m","messages":[{"role":"tool","tool_call_id":"i","content":"x"}]}`, passport.Google, nil,
			map[string][]string{"messages": {"The tool_call_id 'i' belongs to no call before it"}}},
		{"hosted tool", `{"model":"m","messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, passport.Anthropic, nil,
			map[string][]string{"tools": {"Invalid enum value. Expected 'custom', received 'web_search_20250305'"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := chat.Read(c.provider, []byte(c.body))
			e, ok := errors.AsType[*fields.Error](err)
			if !ok {
				t.Fatalf("got %v, want a fields.Error", err)
			}
			if d := cmp.Diff(fields.Error{Form: c.form, Fields: c.fields}, *e); d != "" {
				t.Error(d)
			}
		})
	}
	for _, body := range []string{"", "{", "\ufeff{}", "{}{}", "{\"model\":\"\xff\"}", strings.Repeat("[", 100)} {
		_, err := chat.Read(passport.OpenAI, []byte(body))
		if _, ok := errors.AsType[*fields.Error](err); ok || problem.KindOf(err) != problem.Invalid {
			t.Errorf("%q: got %v, want a problem of kind Invalid", body, err)
		}
	}
	if _, err := chat.Read("acme", []byte(`{"model":"m","messages":[]}`)); problem.KindOf(err) != problem.Invalid {
		t.Errorf("got %v", err)
	}
}

// FuzzRead: what is accepted here is written so that the provider's own dialect can read it; it may refuse it, but only as Invalid,
// and what it accepts has the model and the cap that were given here.
func FuzzRead(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`))
	f.Add([]byte(`{"model":"m","messages":[],"tools":[{"name":"n"}],"stop":["a"],"system":[{"type":"text","text":"x"}],"max_completion_tokens":7}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for provider, d := range native {
			in, err := chat.Read(provider, body)
			if err != nil {
				if problem.KindOf(err) != problem.Invalid {
					t.Fatalf("%q: %v is not Invalid", body, err)
				}
				continue
			}
			if !json.Valid(in.Body) {
				t.Fatalf("%q became %q", body, in.Body)
			}
			r, err := d.Read(in)
			if err != nil {
				if problem.KindOf(err) != problem.Invalid {
					t.Fatalf("%q: %v is not Invalid", in.Body, err)
				}
				if p := problem.From(err); p.Field != "model" && !strings.Contains(p.Detail, "nested deeper") {
					t.Fatalf("%q was written as %q, which is refused: %v", body, in.Body, err)
				}
				continue
			}
			var asked struct{ Model string }
			if err := json.Unmarshal(body, &asked); err != nil || asked.Model != r.Call.Model {
				t.Fatalf("%q: the model is %q, %v", body, r.Call.Model, err)
			}
		}
	})
}
