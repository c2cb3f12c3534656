package gemini_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func other(method, body string) dialect.Input {
	return dialect.Input{Model: "gemini-embedding-2", Method: method, Body: []byte(body)}
}

const (
	one       = `{"model":"models/gemini-embedding-2","content":{"role":"user","parts":[{"text":"hi"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"t","outputDimensionality":768}`
	batch     = `{"requests":[` + one + `,{"content":{"parts":{"text":"ho"}}}]}`
	smallPNG  = "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAAGklEQVR4nO3BgQAAAADDoPlTX+AIVQEAAHwDDDAAARSbMNkAAAAASUVORK5CYII="
	countBare = `{` + hello + `}`
	countFull = `{"generateContentRequest":{"model":"models/gemini-embedding-2",` + hello + `,"systemInstruction":{"parts":[{"text":"s"}]},"generationConfig":{"maxOutputTokens":5}}}`
)

// TestCountsAndEmbeddingsAreReadAndGoAsTheyAre.
func TestCountsAndEmbeddingsAreReadAndGoAsTheyAre(t *testing.T) {
	call := func(kind passport.Kind, use passport.Capability, body string, parts int64) passport.Call {
		return passport.Call{Provider: passport.Google, Kind: kind, Model: "gemini-embedding-2", Uses: []passport.Capability{use}, BodyBytes: int64(len(body)), Parts: parts, Choices: 1}
	}
	for _, c := range []struct {
		method, body string
		want         passport.Call
	}{
		{gemini.Embed, one, call(passport.KindEmbedding, passport.Embeddings, one, 1)},
		{gemini.BatchEmbed, batch, call(passport.KindEmbedding, passport.Embeddings, batch, 2)},
		{gemini.CountTokens, countBare, call(passport.KindCount, passport.Chat, countBare, 0)},
		{gemini.CountTokens, countFull, call(passport.KindCount, passport.Chat, countFull, 0)},
	} {
		r, err := gemini.New().Read(other(c.method, c.body))
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.body, err)
			continue
		}
		if d := cmp.Diff(c.want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
			t.Error(d)
		}
		if got := string(r.Body(0)); got != c.body || r.Path != "/v1beta/models/gemini-embedding-2:"+c.method {
			t.Errorf("%s: the body became\n%s", r.Path, got)
		}
	}
	shown := `{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + smallPNG + `"}}]}}`
	r, err := gemini.New().Read(other(gemini.Embed, shown))
	if err != nil || len(r.Call.Images) != 1 || r.Call.Images[0].Width != 64 || r.Call.BodyBytes != int64(len(shown)-len(smallPNG)) {
		t.Errorf("an image: got %+v %v", r, err)
	}
}

func TestWhatCountsAndEmbeddingsRefuse(t *testing.T) {
	sound := `{"inlineData":{"mimeType":"audio/wav","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="}}`
	for _, c := range []struct{ method, body, field, words string }{
		{gemini.Embed, `{}`, "content", "required"},
		{gemini.Embed, `{"content":null}`, "content", "required"},
		{gemini.Embed, `{"content":{"parts":[{"text":"x"}]},"model":"models/gemini-2.5-pro"}`, "model", "as in the path"},
		{gemini.Embed, `{"content":{"parts":[{"text":"x"}]},"model":"gemini-embedding-2"}`, "model", "models/gemini-embedding-2"},
		{gemini.Embed, `{"content":{"parts":[{"text":"x"}]},"task_type":"X"}`, "task_type", "spelled taskType"},
		{gemini.Embed, `{"content":{"parts":[{"text":"x"}]},"embedContentConfig":{}}`, "embedContentConfig", "unknown or not allowed"},
		{gemini.Embed, `{"content":{"parts":[{"text":"x"}]},"outputDimensionality":0}`, "outputDimensionality", "from 1"},
		{gemini.Embed, `{"content":{"parts":[{"fileData":{}}]}}`, "content.parts[0].fileData", "inlineData"},
		{gemini.Embed, `{"content":{"parts":[{"functionCall":{}}]}}`, "content.parts[0].functionCall", "unknown or not allowed"},
		{gemini.Embed, `{"content":{"parts":[` + sound + `]}}`, "content.parts[0].inlineData.mimeType", "only images"},
		{gemini.Embed, `{"content":{"parts":[{"inlineData":{"mimeType":"application/pdf","data":""}}]}}`, "content.parts[0].inlineData.mimeType", "only images"},
		{gemini.BatchEmbed, `{}`, "requests", "required"},
		{gemini.BatchEmbed, `{"requests":[]}`, "requests", "required"},
		{gemini.BatchEmbed, `{"requests":[{}]}`, "requests[0].content", "required"},
		{gemini.BatchEmbed, `{"requests":[` + one + `,{"content":{},"model":"models/gemini-embedding-001"}]}`, "requests[1].model", "as in the path"},
		{gemini.BatchEmbed, one, "model", "named in the path"},
		{gemini.CountTokens, `{}`, "contents", "required"},
		{gemini.CountTokens, `{"generateContentRequest":{}}`, "contents", "required"},
		{gemini.CountTokens, `{` + hello + `,"generateContentRequest":{` + hello + `}}`, "contents", "by themselves or"},
		{gemini.CountTokens, `{"generateContentRequest":{` + hello + `,"model":"models/other"}}`, "generateContentRequest.model", "as in the path"},
		{gemini.CountTokens, `{"generateContentRequest":{` + hello + `,"cachedContent":"c"}}`, "generateContentRequest.cachedContent", "stored objects"},
		{gemini.CountTokens, `{` + hello + `,"generationConfig":{}}`, "generationConfig", "generateContentRequest"},
		{gemini.CountTokens, `{"contents":[{"parts":[{"fileData":{}}]}]}`, "contents[0].parts[0].fileData", "inlineData"},
	} {
		dialecttest.Refused(t, gemini.New(), other(c.method, c.body), c.field, c.words)
	}
	for _, method := range []string{gemini.Embed, gemini.CountTokens} {
		i := other(method, one)
		i.Query = map[string][]string{"alt": {"sse"}}
		dialecttest.Refused(t, gemini.New(), i, "alt", "for a stream")
	}
}

func TestReadersOfEmbeddingsCannotBeMadeToDiffer(t *testing.T) {
	with := func(method string) func(string) dialect.Input {
		return func(body string) dialect.Input { return other(method, body) }
	}
	dialecttest.Attacks(t, gemini.New(), with(gemini.Embed), `{"model":"models/gemini-embedding-2","content":{"parts":[{"text":"hi"}]}}`, "model", "content")
	dialecttest.Attacks(t, gemini.New(), with(gemini.CountTokens), countBare, "contents")
}

// TestUsageOfEmbeddings: known where Google tells it, and unknown where it does not or cannot be true.
func TestUsageOfEmbeddings(t *testing.T) {
	r, err := gemini.New().Read(other(gemini.BatchEmbed, batch))
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"embeddings":[{"values":[0.1,-2e-3]}]`
	for tail, want := range map[string]passport.Usage{
		`,"usageMetadata":{"promptTokenCount":5,"promptTokenDetails":[{"modality":"TEXT","tokenCount":5}]}}`:                                          {Known: true, Input: 5},
		`,"usageMetadata":{"promptTokenCount":300,"promptTokenDetails":[{"modality":"IMAGE","tokenCount":258},{"modality":"TEXT","tokenCount":42}]}}`: {Known: true, Input: 300, InputImage: 258},
		`}`:                      {},
		`,"usageMetadata":{}}`:   {},
		`,"usageMetadata":null}`: {},
		`,"usageMetadata":[1]}`:  {},
		`,"usageMetadata":{"promptTokenCount":0}}`:                                                            {},
		`,"usageMetadata":{"promptTokenCount":-1}}`:                                                           {},
		`,"usageMetadata":{"promptTokenCount":5,"promptTokenDetails":[{"modality":"IMAGE","tokenCount":6}]}}`: {},
		`,"usageMetadata":{"promptTokenCount":5,"promptTokenDetails":[{"modality":"VIDEO","tokenCount":1}]}}`: {},
		`,"usageMetadata":{"promptTokenCount":5}`:                                                             {},
	} {
		out, u := dialecttest.Play(t, r.Tap, []byte(head+tail))
		if u != want || out != head+tail {
			t.Errorf("%s: got %+v, want %+v", tail, u, want)
		}
	}
	c, err := gemini.New().Read(other(gemini.CountTokens, countBare))
	if err != nil {
		t.Fatal(err)
	}
	if _, u := dialecttest.Play(t, c.Tap, []byte(`{"totalTokens":7}`)); u != (passport.Usage{Known: true}) {
		t.Errorf("a count: %+v", u)
	}
}

func FuzzReadOther(f *testing.F) {
	for _, body := range []string{one, batch, countBare, countFull} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, method := range []string{gemini.Embed, gemini.BatchEmbed, gemini.CountTokens} {
			r, err := gemini.New().Read(other(method, body))
			if err != nil {
				if problem.KindOf(err) != problem.Invalid {
					t.Fatalf("got %v, want Invalid", err)
				}
				continue
			}
			if string(r.Body(0)) != body || r.Call.BodyBytes < 0 || r.Call.MaxOutput != (passport.Limit{}) {
				t.Fatalf("got %+v", r.Call)
			}
			if method == gemini.Embed {
				for how, v := range dialecttest.Seen([]byte(body), "model") {
					if v != "" && v != "null" && v != `"models/gemini-embedding-2"` {
						t.Fatalf("the %s reader sees the model %s in %s", how, v, body)
					}
				}
			}
			if strings.Contains(r.Path, "?") {
				t.Fatal(r.Path)
			}
		}
	})
}

func FuzzEmbedTap(f *testing.F) {
	r, err := gemini.New().Read(other(gemini.Embed, one))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":5}}`), uint(3))
	f.Fuzz(func(t *testing.T, answer []byte, at uint) { dialecttest.FuzzTap(t, r.Tap, answer, at) })
}
