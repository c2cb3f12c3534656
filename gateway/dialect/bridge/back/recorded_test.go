package back_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/bridge/back"
	"github.com/devrelopers/aipassport/passport"
)

var update = flag.Bool("update", false, "write the golden files anew")

var info = back.Info{Model: "asked/for", ID: "rv1", Created: 1700000000, IncludeUsage: true, Thinks: true, CallID: func(id, sign string) string { return id + sign }}

// events cuts a recording into the data of its events: a line each.
func events(stream string) (list []string) {
	for line := range strings.Lines(stream) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			list = append(list, strings.TrimRight(data, "\r\n"))
		}
	}
	return list
}

// play turns a stream, whole to its end.
func play(t testing.TB, c *back.Converter, stream string) string {
	t.Helper()
	var out bytes.Buffer
	for _, e := range events(stream) {
		b, err := c.Event([]byte(e))
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		out.Write(b)
	}
	out.Write(c.End())
	return out.String()
}

func turned(t testing.TB, to, from passport.Provider, i back.Info, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := back.New(to, from, i)
	if strings.HasSuffix(file, ".sse") {
		return play(t, c, string(b))
	}
	whole, err := c.Whole(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(whole) + "\n"
}

func TestRecordedAnswers(t *testing.T) {
	for _, c := range []struct {
		from  passport.Provider
		files []string
	}{
		{passport.Anthropic, []string{"testdata/anthropic_tools.sse", "testdata/anthropic_tools.json", "../../anthropic/testdata/stream.sse", "../../anthropic/testdata/unary.json"}},
		{passport.Google, []string{"testdata/google_tools.sse", "testdata/google_tools.json", "../../gemini/testdata/stream.sse", "../../gemini/testdata/unary.json"}},
		{passport.OpenAI, []string{"testdata/openai_tools.sse", "testdata/openai_tools.json", "../../openai/testdata/stream.sse", "../../openai/testdata/unary.json"}},
	} {
		for _, file := range c.files {
			for _, to := range []passport.Provider{passport.OpenAI, passport.Anthropic} {
				name := string(c.from) + "_" + strings.TrimPrefix(filepath.Base(file), string(c.from)+"_")
				golden := filepath.Join("testdata", "golden", string(to)+"_from_"+name)
				got := turned(t, to, c.from, info, file)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
				}
			}
		}
	}
}
