package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/passport"
)

const embed = `{"model":"text-embedding-3-small","input":"hi"}`

// TestEmbeddingsRead: what is read of a call of embeddings; its bytes go on as they are.
func TestEmbeddingsRead(t *testing.T) {
	for _, c := range []struct {
		name, input string
		inputs      int64
	}{
		{"a text", `"hi"`, 1},
		{"texts", `["a","b","c"]`, 3},
		{"model tokens", `[1,2,3,4]`, 1},
		{"lists of model tokens", `[[1,2],[3]]`, 2},
	} {
		body := `{"input":` + c.input + `,"model":"m","dimensions":5,"encoding_format":"base64","user":null}`
		r, err := openai.NewEmbeddings().Read(in(body))
		if err != nil {
			t.Fatal(c.name, err)
		}
		want := passport.Call{Provider: passport.OpenAI, Kind: passport.KindEmbedding, Model: "m", Uses: []passport.Capability{passport.Embeddings},
			BodyBytes: int64(len(body)), Parts: c.inputs, Choices: 1}
		if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{}), cmp.AllowUnexported(passport.Claim{})); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if got := string(r.Body(7)); got != body || r.Path != "/v1/embeddings" {
			t.Errorf("%s: %s %s", c.name, r.Path, got)
		}
	}
}

func TestEmbeddingsRefused(t *testing.T) {
	for _, c := range []struct{ body, field, words string }{
		{`{"model":"m"}`, "input", "there is no input"},
		{`{"model":"m","input":[]}`, "input", "there is no input"},
		{`{"input":"x"}`, "model", "must be named"},
		{`{"model":"m","input":null}`, "input", "expected string"},
		{`{"model":"m","input":["a",1]}`, "input", "cannot be mixed"},
		{`{"model":"m","input":["a",["b"]]}`, "input[1][0]", "expected number"},
		{`{"model":"m","input":{"a":1}}`, "input", "expected string"},
		{`{"model":"m","input":[` + strings.Repeat(`"",`, 2048) + `""]}`, "input", "at most 2048"},
		{`{"model":"m","input":"x","encoding_format":"int8"}`, "encoding_format", "must be one of"},
		{`{"model":"m","input":"x","dimensions":1.5}`, "dimensions", "whole number"},
		{`{"model":"m","input":"x","service_tier":"flex"}`, "service_tier", "unknown"},
	} {
		dialecttest.Refused(t, openai.NewEmbeddings(), in(c.body), c.field, c.words)
	}
	dialecttest.Attacks(t, openai.NewEmbeddings(), in, embed, "model", "input")
}

// TestEmbeddingsUsage: it is found behind vectors of any size, and never guessed.
func TestEmbeddingsUsage(t *testing.T) {
	r, err := openai.NewEmbeddings().Read(in(embed))
	if err != nil {
		t.Fatal(err)
	}
	vectors := `[{"object":"embedding","index":0,"embedding":[` + strings.Repeat("0.0123,-1e-5,", 400) + `1]},{"embedding":"a\"]}data\\"}]`
	for _, c := range []struct {
		name, answer string
		tokens       int64 // -1: unknown
	}{
		{"usual", `{"object":"list","data":` + vectors + `,"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}` + "\n", 8},
		{"usage first", ` {"usage":{"prompt_tokens":8,"total_tokens":8}, "data" : ` + vectors + ` }`, 8},
		{"no vectors", `{"usage":{"prompt_tokens":0,"total_tokens":0}}`, 0},
		{"usage inside only", `{"data":[{"usage":{"prompt_tokens":8}}]}`, -1},
		{"a name that is a value", `{"object":"data","x":["data"],"usage":{"prompt_tokens":3}}`, 3},
		{"none", `{"data":[]}`, -1},
		{"null", `{"data":[],"usage":null}`, -1},
		{"less than none", `{"data":[],"usage":{"prompt_tokens":-1}}`, -1},
		{"twice", `{"data":[],"usage":{"prompt_tokens":8},"usage":{"prompt_tokens":1}}`, -1},
		{"cut", `{"data":[1,2`, -1},
		{"two", `{"usage":{"prompt_tokens":8}}{}`, -1},
		{"much besides", `{"x":"` + strings.Repeat("x", 300<<10) + `","usage":{"prompt_tokens":8}}`, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, u := dialecttest.Play(t, r.Tap, []byte(c.answer))
			want := passport.Usage{Known: c.tokens >= 0, Input: max(c.tokens, 0)}
			if out != c.answer || u != want {
				t.Errorf("got %+v, want %+v; %d bytes of %d", u, want, len(out), len(c.answer))
			}
			tp := r.Tap()
			tp.Pass([]byte(c.answer))
			if whole := c.name != "cut" && c.name != "two"; tp.Seen().Whole != whole {
				t.Errorf("whole: %v", !whole)
			}
		})
	}
	for _, no := range []string{"<html>", "[1]", "data: {}\n\n"} {
		if _, err := r.Tap().Pass([]byte(no)); err == nil {
			t.Errorf("%q was taken for an answer", no)
		}
	}
}

func FuzzEmbeddings(f *testing.F) {
	f.Add(embed, `{"data":[{"embedding":"x"}],"usage":{"prompt_tokens":1}}`, uint(9))
	f.Fuzz(func(t *testing.T, body, answer string, at uint) {
		readAny(t, openai.NewEmbeddings(), dialect.Input{Body: []byte(body)})
		r, err := openai.NewEmbeddings().Read(in(embed))
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.FuzzTap(t, r.Tap, []byte(answer), at)
	})
}

// readAny fails if what is accepted goes upstream as something else than JSON, or with more bytes than are held for.
func readAny(t *testing.T, d dialect.Dialect, in dialect.Input) {
	r, err := d.Read(in)
	if err != nil {
		return
	}
	bound := r.Call.BodyBytes + 64 // and the output cap
	for _, i := range r.Call.Images {
		bound += i.Bytes
	}
	for _, c := range r.Call.Clips {
		bound += c.Bytes
	}
	for _, out := range []int64{1, 4096} {
		if got := int64(len(r.Body(out))); got > bound || r.Call.Parts < 0 || r.Call.Choices < 1 || len(r.Call.Uses) == 0 {
			t.Fatalf("%d bytes go out, %+v", got, r.Call)
		}
	}
}
