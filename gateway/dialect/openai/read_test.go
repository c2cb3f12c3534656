package openai_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

const hello = `"messages":[{"role":"user","content":"hi"}]`

// TestWhatGoesUpstream: what is put into a body, byte for byte.
func TestWhatGoesUpstream(t *testing.T) {
	const fixed = `"service_tier":"default","store":false,`
	for _, c := range []struct{ name, body, want string }{
		{"bare", `{"model":"gpt-4o",` + hello + `}`, `{` + fixed + `"max_completion_tokens":77,"model":"gpt-4o",` + hello + `}`},
		{"space", " {\n \"model\" : \"gpt-4o\" ,\n" + hello + "}\n", " {\n " + fixed + "\"max_completion_tokens\":77,\"model\" : \"gpt-4o\" ,\n" + hello + "}\n"},
		{"cap given", `{"max_completion_tokens":5,"model":"gpt-4o",` + hello + `}`, `{` + fixed + `"max_completion_tokens":5,"model":"gpt-4o",` + hello + `}`},
		{"old cap of our own model", `{"max_tokens":5,"model":"o3",` + hello + `}`, `{` + fixed + `"max_completion_tokens":5,"model":"o3",` + hello + `}`},
		{"old cap of another model", `{"max_tokens":5,"model":"qwen3",` + hello + `}`, `{` + fixed + `"max_tokens":5,"model":"qwen3",` + hello + `}`},
		{"no cap of another model", `{"model":"qwen3",` + hello + `}`, `{` + fixed + `"max_tokens":77,"model":"qwen3",` + hello + `}`},
		{"null cap", `{"model":"ft:gpt-4o:x","max_completion_tokens":null,` + hello + `}`, `{` + fixed + `"model":"ft:gpt-4o:x","max_completion_tokens":77,` + hello + `}`},
		{"null of the other cap", `{"model":"gpt-4o","max_tokens":null,` + hello + `}`, `{` + fixed + `"max_completion_tokens":77,"model":"gpt-4o","max_tokens":null,` + hello + `}`},
		{"old cap and null", `{"model":"gpt-4o","max_tokens":5,"max_completion_tokens":null,` + hello + `}`, `{` + fixed + `"model":"gpt-4o","max_tokens":null,"max_completion_tokens":5,` + hello + `}`},
		{"null and old cap", `{"model":"gpt-4o","max_completion_tokens":null,"max_tokens":5,` + hello + `}`, `{` + fixed + `"model":"gpt-4o","max_completion_tokens":5,"max_tokens":null,` + hello + `}`},
		{"tier and store", `{"service_tier":"default","store":false,"n":1,"max_tokens":1,"model":"m",` + hello + `}`, `{"service_tier":"default","store":false,"n":1,"max_tokens":1,"model":"m",` + hello + `}`},
		{"null tier and store", `{"service_tier":null,"store":null,"max_tokens":1,"model":"m",` + hello + `}`, `{"service_tier":"default","store":false,"max_tokens":1,"model":"m",` + hello + `}`},
		{"stream", `{"max_tokens":1,"stream":true,"model":"m",` + hello + `}`, `{` + fixed + `"stream_options":{"include_usage":true},"max_tokens":1,"stream":true,"model":"m",` + hello + `}`},
		{"options empty", `{"max_tokens":1,"stream":true,"stream_options":{ },"model":"m",` + hello + `}`, `{` + fixed + `"max_tokens":1,"stream":true,"stream_options":{"include_usage":true },"model":"m",` + hello + `}`},
		{"options null", `{"max_tokens":1,"stream":true,"stream_options":null,"model":"m",` + hello + `}`, `{` + fixed + `"max_tokens":1,"stream":true,"stream_options":{"include_usage":true},"model":"m",` + hello + `}`},
		{"options other", `{"max_tokens":1,"stream":true,"stream_options":{"include_obfuscation":false},"model":"m",` + hello + `}`, `{` + fixed + `"max_tokens":1,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"m",` + hello + `}`},
		{"usage false", `{"max_tokens":1,"stream":true,"stream_options":{"include_usage":false},"model":"m",` + hello + `}`, `{` + fixed + `"max_tokens":1,"stream":true,"stream_options":{"include_usage":true},"model":"m",` + hello + `}`},
		{"usage null", `{"max_tokens":1,"stream":true,"stream_options":{"include_usage":null},"model":"m",` + hello + `}`, `{` + fixed + `"max_tokens":1,"stream":true,"stream_options":{"include_usage":true},"model":"m",` + hello + `}`},
		{"usage true", `{"max_tokens":1,"stream":true,"stream_options":{"include_usage":true},"model":"m",` + hello + `}`, `{` + fixed + `"max_tokens":1,"stream":true,"stream_options":{"include_usage":true},"model":"m",` + hello + `}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := openai.New().Read(dialect.Input{Body: []byte(c.body)})
			if err != nil {
				t.Fatal(err)
			}
			got := string(r.Body(77))
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if again := string(r.Body(77)); again != got {
				t.Errorf("the second time it is\n%s", again)
			}
		})
	}
}

// TestALowerCapGoesInItsPlace: the caller's cap is lowered, whatever its name, and nothing else changes.
func TestALowerCapGoesInItsPlace(t *testing.T) {
	const fixed = `{"service_tier":"default","store":false,`
	for _, c := range []struct{ body, want string }{
		{`{"max_completion_tokens": 500 ,"model":"gpt-4o",` + hello + `}`, fixed + `"max_completion_tokens": 77 ,"model":"gpt-4o",` + hello + `}`},
		{`{"max_tokens":500,"model":"gpt-4o",` + hello + `}`, fixed + `"max_completion_tokens":77,"model":"gpt-4o",` + hello + `}`},
		{`{"max_tokens":500,"model":"qwen3",` + hello + `}`, fixed + `"max_tokens":77,"model":"qwen3",` + hello + `}`},
		{`{"model":"gpt-4o","max_tokens":500,"max_completion_tokens":null,` + hello + `}`, fixed + `"model":"gpt-4o","max_tokens":null,"max_completion_tokens":77,` + hello + `}`},
		{`{"max_tokens":76,"model":"qwen3",` + hello + `}`, fixed + `"max_tokens":76,"model":"qwen3",` + hello + `}`},
	} {
		r, err := openai.New().Read(in(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Body(77)); got != c.want || int64(len(got)) > r.Call.BodyBytes {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

func in(body string) dialect.Input { return dialect.Input{Body: []byte(body)} }

// full is a body with every field that may go through.
const full = `{"model":"gpt-4o","messages":[
 {"role":"system","content":"s"},{"role":"developer","content":[{"type":"text","text":"t","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}}],"name":"n"},
 {"role":"user","content":"hi"},
 {"role":"assistant","content":null,"refusal":null,"annotations":[{"type":"url_citation"}],"audio":null,"tool_calls":[{"id":"c","type":"function","index":0,"function":{"name":"f","arguments":"{}"}},{"id":"d","type":"custom","custom":{"name":"g","input":"x"}}]},
 {"role":"tool","tool_call_id":"c","content":"r"},{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"function_call":{"name":"f","arguments":"{}"}},
 {"role":"function","name":"f","content":"r"}],
 "max_completion_tokens":900,"temperature":1e0,"top_p":0.5,"n":3,"stop":["a","b"],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},
 "presence_penalty":-1,"frequency_penalty":2,"logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":20,"seed":-9223372036854775808,
 "tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object","properties":{"Model":{},"model":{"\u0061":1}}}}},{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}],
 "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"functions":[{"name":"f","parameters":null,"description":null}],"function_call":{"name":"f"},
 "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"a":1},"strict":null}},"reasoning_effort":"low","verbosity":"low","user":"u","metadata":{"k":"v"},
 "safety_identifier":"s","prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{"mode":"implicit","ttl":"30m"},"modalities":["text"],"store":false,"service_tier":"default"}`

func TestEveryAllowedFieldIsRead(t *testing.T) {
	body := full
	r, err := openai.New().Read(in(body))
	if err != nil {
		t.Fatal(err)
	}
	want := passport.Call{Provider: passport.OpenAI, Kind: passport.KindChat, Model: "gpt-4o", Uses: []passport.Capability{passport.Chat}, Stream: true,
		BodyBytes: int64(len(body)), Parts: 10, MaxOutput: passport.LimitOf(900), Choices: 3}
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(r.Call.MaxOutput.Or(0))); got != body {
		t.Errorf("the body was changed to\n%s", got)
	}
	if r.Path != "/v1/chat/completions" || len(r.Header) != 0 {
		t.Errorf("got %q %v", r.Path, r.Header)
	}
}

func TestNullIsAsGoodAsNothing(t *testing.T) {
	for _, name := range []string{"max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "stream", "stream_options", "presence_penalty",
		"frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "seed", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
		"response_format", "reasoning_effort", "verbosity", "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
		"prompt_cache_options", "modalities", "store", "service_tier"} {
		r, err := openai.New().Read(in(`{"model":"gpt-4o",` + hello + `,"` + name + `":null}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !json.Valid(r.Body(5)) || r.Call.Choices != 1 || r.Call.Stream || !r.Call.MaxOutput.IsZero() {
			t.Errorf("%s: got %+v", name, r.Call)
		}
	}
}

const pngURL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAAGklEQVR4nO3BgQAAAADDoPlTX+AIVQEAAHwDDDAAARSbMNkAAAAASUVORK5CYII=" // 64 by 48 pixels

// TestImagesAndSoundAreReadAndLeftOutOfTheText.
func TestImagesAndSoundAreReadAndLeftOutOfTheText(t *testing.T) {
	wav := base64.StdEncoding.EncodeToString(append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"), make([]byte, 40_000)...))
	_, data, _ := strings.Cut(pngURL, ",")
	body := func(head, data, wav, mp3 string) string {
		return `{"service_tier":"default","store":false,"model":"gpt-audio","max_completion_tokens":9,"modalities":["text","audio"],"audio":{"voice":"alloy","format":"mp3"},"messages":[{"role":"user","content":[
			{"type":"image_url","image_url":{"url":"` + head + data + `","detail":"low"}},{"image_url":{"url":"` + head + data + `"},"type":"image_url"},
			{"type":"input_audio","input_audio":{"data":"` + wav + `","format":"wav"}},{"type":"input_audio","input_audio":{"format":"mp3","data":"` + mp3 + `"}}]}]}`
	}
	sent := body(`data:image\/png;base64,`, data, wav, "aGk=")
	r, err := openai.New().Read(in(sent))
	if err != nil {
		t.Fatal(err)
	}
	want := passport.Call{Provider: passport.OpenAI, Kind: passport.KindChat, Model: "gpt-audio", Uses: []passport.Capability{passport.Chat, passport.Audio},
		BodyBytes: int64(len(body(`data:image\/png;base64,`, "", "", ""))), Parts: 1, MaxOutput: passport.LimitOf(9), Choices: 1,
		Images: []passport.Image{{Width: 64, Height: 48, Detail: "low", Bytes: int64(len(data))}, {Width: 64, Height: 48, Detail: "auto", Bytes: int64(len(data))}},
		Clips:  []passport.Clip{{Seconds: passport.LimitOf(3), Bytes: int64(len(wav))}, {Bytes: 4}}} // 40,000 bytes at 16,000 a second
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(9)); got != sent {
		t.Errorf("the body was changed to %.300s", got)
	}
	// The provider is told the format, so a header counts for none but its own; which of the two comes first does not matter.
	for format, want := range map[string]passport.Limit{`,"format":"wav"`: passport.LimitOf(3), `,"format":"mp3"`: {}, "": {}} {
		for _, audio := range []string{`"data":"` + wav + `"` + format, strings.TrimPrefix(format+`,"data":"`+wav+`"`, ",")} {
			r, err := openai.New().Read(in(`{"model":"gpt-audio","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{` + audio + `}}]}]}`))
			if err != nil || len(r.Call.Clips) != 1 || r.Call.Clips[0].Seconds != want {
				t.Errorf("WAV with %q: %v", format, err)
			}
		}
	}
	// Either of what makes an answer sound asks for the capability.
	for _, member := range []string{`"modalities":["audio"]`, `"audio":{"voice":"alloy"}`} {
		r, err := openai.New().Read(in(`{"model":"gpt-audio",` + hello + `,` + member + `}`))
		if err != nil || len(r.Call.Uses) != 2 || r.Call.Uses[1] != passport.Audio {
			t.Errorf("%s: %v", member, err)
		}
	}
}

// TestWhatCostsExtraIsRefusedByName: one case for each parameter that costs more than the call says (THREATS row 4).
func TestWhatCostsExtraIsRefusedByName(t *testing.T) {
	for _, c := range []struct{ member, field, words string }{
		{`"service_tier":"priority"`, "service_tier", "default"},
		{`"service_tier":"fast"`, "service_tier", "default"},
		{`"service_tier":"flex"`, "service_tier", "default"},
		{`"service_tier":"auto"`, "service_tier", "default"},
		{`"service_tier":1`, "service_tier", "expected string"},
		{`"store":true`, "store", "only false"},
		{`"web_search_options":{}`, "web_search_options", "hosted tools"},
		{`"web_search_options":null`, "web_search_options", "hosted tools"},
		{`"audio":{"voice":"a","format":"wav","speed":2}`, "audio.speed", "unknown or not allowed"},
		{`"audio":{"voice":{"id":"v"}}`, "audio.voice", "expected string"},
		{`"modalities":["text","image"]`, "modalities[1]", "text"},
		{`"prediction":{"type":"content","content":"x"}`, "prediction", "predicted"},
		{`"moderation":{"model":"m"}`, "moderation", "not allowed"},
		{`"background":true`, "background", "not allowed"},
		{`"best_of":5`, "best_of", "use n"},
		{`"previous_response_id":"r"`, "previous_response_id", "unknown or not allowed"},
		{`"conversation":"c"`, "conversation", "unknown or not allowed"},
		{`"extra_body":{}`, "extra_body", "unknown or not allowed"},
		{`"anything":null`, "anything", "unknown or not allowed"},
		{`"n":17`, "n", "from 1 to 16"},
		{`"n":0`, "n", "from 1 to 16"},
		{`"n":-1`, "n", "from 1 to 16"},
		{`"n":2.0`, "n", "digits only"},
		{`"n":1e1`, "n", "digits only"},
		{`"n":"3"`, "n", "expected number, received string"},
		{`"max_tokens":0`, "max_tokens", "from 1"},
		{`"max_tokens":-0`, "max_tokens", "from 1"},
		{`"max_tokens":-5`, "max_tokens", "from 1"},
		{`"max_tokens":1.0`, "max_tokens", "digits only"},
		{`"max_completion_tokens":1e3`, "max_completion_tokens", "digits only"},
		{`"max_tokens":1000000001`, "max_tokens", "from 1 to 1000000000"},
		{`"max_tokens":99999999999999999999999`, "max_tokens", "from 1"},
		{`"max_tokens":"5"`, "max_tokens", "expected number, received string"},
		{`"max_tokens":5,"max_completion_tokens":5`, "max_completion_tokens", "both"},
		{`"max_completion_tokens":5,"max_tokens":5`, "max_tokens", "both"},
		{`"stream":1`, "stream", "expected boolean, received number"},
		{`"stream":"true"`, "stream", "expected boolean, received string"},
		{`"stream_options":{"x":1}`, "stream_options.x", "unknown or not allowed"},
		{`"stream_options":{"include_usage":"no"}`, "stream_options.include_usage", "expected boolean"},
		{`"tools":[{"type":"web_search"}]`, "tools[0].type", "function, custom"},
		{`"tools":[{"type":"function","function":{"name":"f","x":1}}]`, "tools[0].function.x", "unknown or not allowed"},
		{`"tools":[{}]`, "tools[0].type", "has a type"},
		{`"tool_choice":{"type":"mcp"}`, "tool_choice.type", "one of"},
		{`"response_format":{"type":"grammar"}`, "response_format.type", "one of"},
		{`"prompt_cache_options":{"ttl":"12h"}`, "prompt_cache_options.ttl", "30m"},
		{`"prompt_cache_retention":"forever"`, "prompt_cache_retention", "one of"},
		{`"temperature":"1"`, "temperature", "expected number"},
		{`"stop":[1]`, "stop[0]", "expected string"},
	} {
		dialecttest.Refused(t, openai.New(), in(`{"model":"gpt-4o",`+hello+`,`+c.member+`}`), c.field, c.words)
	}
	for _, c := range []struct{ message, field, words string }{
		{`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}`, "messages[0].content[0].image_url.url", "in the body itself"},
		{`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,aGk="}}]}`, "messages[0].content[0].image_url.url", "in the body itself"},
		{`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}`, "messages[0].content[0].image_url.url", "not an image"},
		{`{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + pngURL + `","detail":"closest"}}]}`, "messages[0].content[0].image_url.detail", "one of"},
		{`{"role":"user","content":[{"type":"image_url","image_url":"` + pngURL + `"}]}`, "messages[0].content[0].image_url", "expected object"},
		{`{"role":"user","content":[{"type":"image_url"}]}`, "messages[0].content[0].type", "image_url part has image_url"},
		{`{"role":"user","content":[{"type":"text","text":"x","image_url":{"url":"` + pngURL + `"}}]}`, "messages[0].content[0].type", "image_url part has image_url"},
		{`{"role":"user","content":[{"image_url":{"url":"x"},"type":"text"}]}`, "messages[0].content[0].image_url.url", "in the body itself"},
		{`{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}`, "messages[0].content[0].input_audio.data", "base64"},
		{`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"ogg"}}]}`, "messages[0].content[0].input_audio.format", "one of"},
		{`{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}`, "messages[0].content[0].type", "cannot be priced"},
		{`{"role":"user","content":[{"file":{"file_data":"x"},"type":"file"}]}`, "messages[0].content[0].file", "cannot be priced"},
		{`{"role":"user","content":[{"type":"video"}]}`, "messages[0].content[0].type", "only text"},
		{`{"role":"user","content":[{"text":"x"}]}`, "messages[0].content[0].type", "has a type"},
		{`{"role":"user","content":[{"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]}`, "messages[0].content[0].prompt_cache_breakpoint.ttl", "30m"},
		{`{"role":"user","content":5}`, "messages[0].content", "expected string, received number"},
		{`{"role":"assistant","audio":{"id":"a"}}`, "messages[0].audio", "send its transcript"},
		{`{"role":"root","content":"x"}`, "messages[0].role", "one of"},
		{`{"content":"x"}`, "messages[0].role", "has a role"},
		{`{"role":"user","content":"x","Content":"y"}`, "messages[0].Content", "unknown or not allowed"},
		{`"x"`, "messages[0]", "expected object, received string"},
	} {
		dialecttest.Refused(t, openai.New(), in(`{"model":"gpt-4o","messages":[`+c.message+`]}`), c.field, c.words)
	}
	for body, field := range map[string]string{
		`{` + hello + `}`: "model", `{"model":"",` + hello + `}`: "model", `{"model":"a b",` + hello + `}`: "model", `{"model":"` + strings.Repeat("m", 201) + `",` + hello + `}`: "model",
		`{"model":null,` + hello + `}`: "model", `{"model":["m"],` + hello + `}`: "model", `{"model":"m"}`: "messages", `{"model":"m","messages":null}`: "messages", `{"model":"m","messages":{}}`: "messages",
	} {
		dialecttest.Refused(t, openai.New(), in(body), field, "")
	}
	q := in(`{"model":"m",` + hello + `}`)
	q.Query = url.Values{"x": {"1"}}
	dialecttest.Refused(t, openai.New(), q, "", "query")
}

func TestReadersCannotBeMadeToDiffer(t *testing.T) {
	dialecttest.Attacks(t, openai.New(), in, `{"model":"gpt-4o",`+hello+`,"max_tokens":5,"n":2,"stream":false,"service_tier":"default","store":false}`,
		"model", "messages", "max_tokens", "n", "stream", "service_tier", "store")
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{full, `{"model":"gpt-4o",` + hello + `}`, `{"model":"o3",` + hello + `,"max_tokens":5,"max_completion_tokens":null}`,
		`{"stream":true,"stream_options":{},"model":"m","messages":[],"store":null,"service_tier":null,"max_tokens":null}`,
		`{"model":"a","Model":"b",` + hello + `}`, `{"mode\u006c":"a",` + hello + `}`, `{"model":"a","ſtream":true,` + hello + `}`} {
		f.Add([]byte(s), int64(7))
	}
	f.Fuzz(func(t *testing.T, body []byte, n int64) {
		r, err := openai.New().Read(dialect.Input{Body: body})
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%q: %v is not Invalid", body, err)
			}
			return
		}
		n = 1 + (n&0x7fffffff)%1000
		sent := r.Body(n)
		if !json.Valid(sent) {
			t.Fatalf("%q is sent as %q, which is no JSON", body, sent)
		}
		if r.Call.BodyBytes > int64(len(sent)+len("null")) || r.Call.BodyBytes < int64(len(sent))-64 || r.Call.Choices < 1 {
			t.Fatalf("%q: %+v, sent %d", body, r.Call, len(sent))
		}
		dialecttest.Agree(t, sent, r.Call.Model, "model")
		dialecttest.Agree(t, sent, "default", "service_tier")
		dialecttest.Agree(t, sent, false, "store")
		caps := 0
		for _, name := range []string{"max_tokens", "max_completion_tokens"} {
			if v := dialecttest.Seen(sent, name)["last, any case"]; v != "" && v != "null" {
				dialecttest.Agree(t, sent, min(n, r.Call.MaxOutput.Or(n)), name)
				caps++
			}
		}
		if caps != 1 {
			t.Fatalf("%q is sent as %q with %d caps", body, sent, caps)
		}
		if r.Call.Stream {
			dialecttest.Agree(t, sent, true, "stream")
			dialecttest.Agree(t, sent, true, "stream_options", "include_usage")
		}
		if r.Call.Choices > 1 {
			dialecttest.Agree(t, sent, r.Call.Choices, "n")
		}
	})
}
