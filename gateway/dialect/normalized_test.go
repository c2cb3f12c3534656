package dialect_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
)

// TestBodyBytesBoundNormalizedText: a tokenizer that normalizes may see more bytes than were sent, and they are held for.
func TestBodyBytesBoundNormalizedText(t *testing.T) {
	text := strings.Repeat("ﷺ", 1000)
	want := int64(len(norm.NFKC.String(text)))
	for name, c := range map[string]struct {
		d  dialect.Dialect
		in dialect.Input
	}{
		"openai":    {openai.New(), dialect.Input{Body: []byte(`{"model":"m","messages":[{"role":"user","content":"` + text + `"}]}`)}},
		"anthropic": {anthropic.New(), dialect.Input{Body: []byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"` + text + `"}]}`)}},
		"google":    {gemini.New(), dialect.Input{Model: "m", Method: gemini.Generate, Body: []byte(`{"contents":[{"parts":[{"text":"` + text + `"}]}]}`)}},
	} {
		r, err := c.d.Read(c.in)
		if err != nil {
			t.Fatal(name, err)
		}
		if r.Call.BodyBytes < want {
			t.Errorf("%s: %d bytes, want at least %d", name, r.Call.BodyBytes, want)
		}
	}
}
