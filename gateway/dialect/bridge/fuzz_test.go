package bridge_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/bridge"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// FuzzBridge: no body makes it panic, what it refuses is Invalid, what it writes is bounded by what it read, says all texts that were said,
// and is read by the other provider's own dialect, or refused as Invalid with a place of the caller's.
func FuzzBridge(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for way := range ways {
			f.Add(uint8(way), body)
		}
	}
	f.Add(uint8(0), []byte(`{"messages":[{"role":"user","content":"\u0000\ud83d\ude00"}]}`))
	f.Fuzz(func(t *testing.T, way uint8, body []byte) {
		w := ways[int(way)%len(ways)]
		turned, err := bridge.Read(w.from, w.to, w.model, body)
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%s\n%v", body, err)
			}
			return
		}
		// Each byte can become six (an escape), and each message, part, call and tool gets names and braces around it.
		if got, most := len(turned.In.Body), 8*len(body)+4096; got > most {
			t.Fatalf("%d bytes became %d", len(body), got)
		}
		if !json.Valid(turned.In.Body) {
			t.Fatalf("%s\nbecame no JSON:\n%s", body, turned.In.Body)
		}
		again, err := bridge.Read(w.from, w.to, w.model, body)
		if err != nil || !bytes.Equal(again.In.Body, turned.In.Body) {
			t.Fatalf("%s\nbecame\n%s\nand then\n%s %v", body, turned.In.Body, again.In.Body, err)
		}
		req, err := dialects[w.to].Read(turned.In)
		if err != nil {
			if p := problem.From(turned.Error(err)); p.Kind != problem.Invalid {
				t.Fatalf("%s\n%v", turned.In.Body, err)
			}
			return
		}
		if req.Call.Model != w.model || req.Call.Choices != 1 || req.Call.Stream != turned.Stream {
			t.Fatalf("%s\n%+v", body, req.Call)
		}
		if said := saidIn(body); !strings.Contains(string(req.Body(10)), said) {
			t.Fatalf("%s\nbecame\n%s\nwithout %q", body, req.Body(10), said)
		}
	})
}

// ways are all that a request can go, with models of each sort.
var ways = []struct {
	from, to passport.Provider
	model    string
}{
	{passport.OpenAI, passport.Anthropic, "claude-sonnet-4-5"}, {passport.OpenAI, passport.Anthropic, "claude-opus-4-7"},
	{passport.OpenAI, passport.Google, "gemini-2.5-pro"}, {passport.OpenAI, passport.Google, "gemini-3-pro-preview"},
	{passport.Anthropic, passport.OpenAI, "gpt-4o"}, {passport.Anthropic, passport.Google, "gemini-2.5-pro"}, {passport.Anthropic, passport.Google, "gemini-3-pro-preview"},
}

// saidIn is the plain text of the last message of a body, if it is one that every writer spells alike.
func saidIn(body []byte) string {
	var b struct{ Messages []struct{ Content any } }
	if json.Unmarshal(body, &b) != nil || len(b.Messages) == 0 {
		return ""
	}
	s, _ := b.Messages[len(b.Messages)-1].Content.(string)
	if !plain.MatchString(s) {
		return ""
	}
	return s
}

var plain = regexp.MustCompile(`^[a-zA-Z0-9 .,?]*$`)

// TestTheTableOfTheDocs names every member that the tests turn or see refused, and no other.
func TestTheTableOfTheDocs(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/reference/universal.md")
	if err != nil {
		t.Fatal(err)
	}
	half := func(from, to string) string {
		_, rest, _ := strings.Cut(string(doc), from)
		part, _, ok := strings.Cut(rest, to)
		if !ok {
			t.Fatalf("no part between %q and %q", from, to)
		}
		return part
	}
	for _, c := range []struct {
		doc    string
		fields []field
	}{
		{half("### From OpenAI's chat completions", "### From Anthropic's messages"), chatFields},
		{half("### From Anthropic's messages", "### From OpenAI's embeddings"), messagesFields},
	} {
		tested := "messages stream model prompt_cache_breakpoint input_audio file name refusal developer system image_url tool tool_calls tool_use tool_result citations disable_parallel_tool_use max_completion_tokens " +
			"prompt_cache_key prompt_cache_retention prompt_cache_options metadata annotations include_usage max_tokens"
		for _, f := range c.fields {
			var members map[string]any
			if err := json.Unmarshal([]byte("{"+f.more+"}"), &members); err != nil {
				t.Fatal(f.more, err)
			}
			for name := range members {
				tested += " " + name
				if name != "nonsense" && !strings.Contains(c.doc, "`"+name+"`") {
					t.Errorf("the table has no %s", name)
				}
			}
		}
		for line := range strings.Lines(c.doc) {
			cells := strings.Split(line, "|")
			if len(cells) < 4 {
				continue
			}
			for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				if !strings.Contains(" "+tested+" ", " "+m[1]+" ") {
					t.Errorf("no test turns %s", m[1])
				}
			}
		}
	}
}
