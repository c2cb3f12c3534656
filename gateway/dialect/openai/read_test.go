package openai_test

import (
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
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
