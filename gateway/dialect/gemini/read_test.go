package gemini_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

const hello = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`

func in(body string) dialect.Input {
	return dialect.Input{Model: "gemini-2.5-flash", Method: gemini.Generate, Body: []byte(body)}
}

// full is a body with every field that may go through.
const full = `{"contents":[{"role":"user","parts":[{"text":"hi"},{"text":"t","thought":true,"thoughtSignature":"AA=="}]},
 {"role":"model","parts":[{"functionCall":{"id":"i","name":"f","args":{"max_output_tokens":1,"\u0061":2}}}]},{"role":"function","parts":{"functionResponse":{"id":"i","name":"f","response":{"r":1},"willContinue":false,"scheduling":"SILENT"}}}],
 "systemInstruction":{"parts":[{"text":"s"}]},"generationConfig":{"maxOutputTokens":800,"temperature":0.1,"topP":1,"topK":40.0,"candidateCount":2,"stopSequences":["x"],"responseMimeType":"application/json",
 "responseSchema":{"type":"OBJECT"},"responseJsonSchema":true,"presencePenalty":-1,"frequencyPenalty":1,"seed":5,"responseLogprobs":true,"logprobs":3,"responseModalities":["TEXT"],
 "thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1,"thinkingLevel":"LOW"}},
 "tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT"},"behavior":"BLOCKING"},{"name":"g","parametersJsonSchema":{},"response":{},"responseJsonSchema":{}}]}],
 "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"],"streamFunctionCallArguments":false}},"safetySettings":[{"category":"c","threshold":"t"}]}`

func TestEveryAllowedFieldIsRead(t *testing.T) {
	i := in(full)
	i.Method, i.Query = gemini.Stream, url.Values{"alt": {"sse"}}
	r, err := gemini.New().Read(i)
	if err != nil {
		t.Fatal(err)
	}
	want := passport.Call{Provider: passport.Google, Kind: passport.KindChat, Model: "gemini-2.5-flash", Uses: []passport.Capability{passport.Chat}, Stream: true,
		BodyBytes: int64(len(full)), Parts: 6, MaxOutput: passport.LimitOf(800), Choices: 2}
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(r.Call.MaxOutput.Or(0))); got != full {
		t.Errorf("the body was changed to\n%s", got)
	}
	if r.Path != "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse" || len(r.Header) != 0 {
		t.Errorf("got %q %v", r.Path, r.Header)
	}
}

func TestWhatGoesUpstream(t *testing.T) {
	for body, want := range map[string]string{
		`{` + hello + `}`:                                                                 `{"generationConfig":{"maxOutputTokens":77},` + hello + `}`,
		`{` + hello + `,"generationConfig":{ }}`:                                          `{` + hello + `,"generationConfig":{"maxOutputTokens":77 }}`,
		`{` + hello + `,"generationConfig":{"topK":1}}`:                                   `{` + hello + `,"generationConfig":{"maxOutputTokens":77,"topK":1}}`,
		`{` + hello + `,"generationConfig" : null}`:                                       `{` + hello + `,"generationConfig" : {"maxOutputTokens":77}}`,
		`{` + hello + `,"generationConfig":{"topK":1,"maxOutputTokens": null ,"topP":1}}`: `{` + hello + `,"generationConfig":{"topK":1,"maxOutputTokens": 77 ,"topP":1}}`,
		`{` + hello + `,"generationConfig":{"maxOutputTokens":5}}`:                        `{` + hello + `,"generationConfig":{"maxOutputTokens":5}}`,
		`{` + hello + `,"tools":null,"systemInstruction":null,"toolConfig":null}`:         `{"generationConfig":{"maxOutputTokens":77},` + hello + `,"tools":null,"systemInstruction":null,"toolConfig":null}`,
	} {
		r, err := gemini.New().Read(in(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if got := string(r.Body(77)); got != want || r.Call.BodyBytes != int64(len(body)) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestImagesAndSoundAreReadAndLeftOutOfTheText.
func TestImagesAndSoundAreReadAndLeftOutOfTheText(t *testing.T) {
	const png = "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAAGklEQVR4nO3BgQAAAADDoPlTX+AIVQEAAHwDDDAAARSbMNkAAAAASUVORK5CYII="
	wav := base64.StdEncoding.EncodeToString(append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"), make([]byte, 40_000)...))
	body := func(png, wav, mp3 string) string {
		return `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + png + `"},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}},
			{"inlineData":{"data":"` + wav + `","mimeType":"audio/wav","displayName":"n"}},{"inlineData":{"mimeType":"audio/mp3","data":"` + mp3 + `"}}]}],
			"generationConfig":{"maxOutputTokens":5,"mediaResolution":"MEDIA_RESOLUTION_LOW"}}`
	}
	sent := body(strings.ReplaceAll(png, "/", `\/`), wav, "aGk=")
	r, err := gemini.New().Read(in(sent))
	if err != nil {
		t.Fatal(err)
	}
	want := passport.Call{Provider: passport.Google, Kind: passport.KindChat, Model: "gemini-2.5-flash", Uses: []passport.Capability{passport.Chat, passport.Audio},
		BodyBytes: int64(len(body("", "", ""))), Parts: 1, MaxOutput: passport.LimitOf(5), Choices: 1,
		Images: []passport.Image{{Width: 64, Height: 48, Detail: "auto", Bytes: int64(len(strings.ReplaceAll(png, "/", `\/`)))}},
		Clips:  []passport.Clip{{Seconds: passport.LimitOf(3), Bytes: int64(len(wav))}, {Bytes: 4}}} // 40,000 bytes at 16,000 a second
	if d := cmp.Diff(want, r.Call, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Error(d)
	}
	if got := string(r.Body(5)); got != sent {
		t.Errorf("the body was changed to %.300s", got)
	}
	// The provider is told the type, so a header counts for none but its own.
	for mime, want := range map[string]passport.Limit{"audio/wav": passport.LimitOf(3), "audio/x-wav": passport.LimitOf(3), "audio/wave": passport.LimitOf(3),
		"audio/mp3": {}, "audio/mpeg": {}, "audio/ogg": {}} {
		r, err := gemini.New().Read(in(`{"contents":[{"parts":[{"inlineData":{"data":"` + wav + `","mimeType":"` + mime + `"}}]}]}`))
		if err != nil || len(r.Call.Clips) != 1 || r.Call.Clips[0].Seconds != want {
			t.Errorf("WAV called %s: %v", mime, err)
		}
	}
	for _, mime := range []string{"audio/WAV", "audio/wav; codecs=1", "AUDIO/mp3", "audio/basic"} {
		dialecttest.Refused(t, gemini.New(), in(`{"contents":[{"parts":[{"inlineData":{"data":"`+wav+`","mimeType":"`+mime+`"}}]}]}`), "contents[0].parts[0].inlineData.mimeType", "can be priced")
	}
}

// TestWhatCostsExtraIsRefusedByName: one case for each parameter that costs more than the call says (THREATS row 4).
func TestWhatCostsExtraIsRefusedByName(t *testing.T) {
	for _, c := range []struct{ member, field, words string }{
		{`"cachedContent":"cachedContents/x"`, "cachedContent", "stored objects"},
		{`"cached_content":"cachedContents/x"`, "cached_content", "spelled cachedContent"},
		{`"labels":{}`, "labels", "owner"},
		{`"serviceTier":"priority"`, "serviceTier", "standard tier"},
		{`"serviceTier":null`, "serviceTier", "standard tier"},
		{`"service_tier":"priority"`, "service_tier", "spelled serviceTier"},
		{`"store":true`, "store", "logging"},
		{`"model":"models/other"`, "model", "path"},
		{`"anything":null`, "anything", "unknown or not allowed"},
		{`"generation_config":{}`, "generation_config", "spelled generationConfig"},
		{`"system_instruction":{}`, "system_instruction", "spelled systemInstruction"},
		{`"tools":[{"googleSearch":{}}]`, "tools[0].googleSearch", "hosted tools"},
		{`"tools":[{"google_search":{}}]`, "tools[0].google_search", "spelled googleSearch"},
		{`"tools":[{"googleSearchRetrieval":{}}]`, "tools[0].googleSearchRetrieval", "hosted tools"},
		{`"tools":[{"codeExecution":{}}]`, "tools[0].codeExecution", "hosted tools"},
		{`"tools":[{"urlContext":{}}]`, "tools[0].urlContext", "hosted tools"},
		{`"tools":[{"googleMaps":{}}]`, "tools[0].googleMaps", "hosted tools"},
		{`"tools":[{"fileSearch":{}}]`, "tools[0].fileSearch", "hosted tools"},
		{`"tools":[{"computerUse":{}}]`, "tools[0].computerUse", "hosted tools"},
		{`"tools":[{"mcpServers":[]}]`, "tools[0].mcpServers", "hosted tools"},
		{`"tools":[{"retrieval":null}]`, "tools[0].retrieval", "hosted tools"},
		{`"tools":[{"functionDeclarations":[{"name":"f","x":1}]}]`, "tools[0].functionDeclarations[0].x", "unknown or not allowed"},
		{`"toolConfig":{"retrievalConfig":{}}`, "toolConfig.retrievalConfig", "hosted tools"},
		{`"toolConfig":{"includeServerSideToolInvocations":true}`, "toolConfig.includeServerSideToolInvocations", "hosted tools"},
		{`"safetySettings":[{"x":"y"}]`, "safetySettings[0].x", "unknown or not allowed"},
		{`"systemInstruction":"s"`, "systemInstruction", "expected object"},
	} {
		dialecttest.Refused(t, gemini.New(), in(`{`+hello+`,`+c.member+`}`), c.field, c.words)
	}
	for _, c := range []struct{ member, field, words string }{
		{`"maxOutputTokens":0`, "maxOutputTokens", "from 1"},
		{`"maxOutputTokens":-1`, "maxOutputTokens", "from 1"},
		{`"maxOutputTokens":1.0`, "maxOutputTokens", "digits only"},
		{`"maxOutputTokens":1e3`, "maxOutputTokens", "digits only"},
		{`"maxOutputTokens":"100"`, "maxOutputTokens", "expected number, received string"},
		{`"maxOutputTokens":99999999999999999999`, "maxOutputTokens", "from 1"},
		{`"max_output_tokens":5`, "max_output_tokens", "spelled maxOutputTokens"},
		{`"candidateCount":9`, "candidateCount", "from 1 to 8"},
		{`"candidateCount":"2"`, "candidateCount", "expected number"},
		{`"candidate_count":2`, "candidate_count", "spelled candidateCount"},
		{`"responseModalities":["TEXT","IMAGE"]`, "responseModalities[1]", "TEXT"},
		{`"responseModalities":["AUDIO"]`, "responseModalities[0]", "TEXT"},
		{`"responseMimeType":"image/png"`, "responseMimeType", "one of"},
		{`"speechConfig":{}`, "speechConfig", "no endpoint"},
		{`"imageConfig":{}`, "imageConfig", "no endpoint"},
		{`"mediaResolution":"MEDIA_RESOLUTION_OF_TOMORROW"`, "mediaResolution", "one of"},
		{`"enableEnhancedCivicAnswers":true`, "enableEnhancedCivicAnswers", "hosted tools"},
		{`"routingConfig":{}`, "routingConfig", "another model"},
		{`"thinkingConfig":{"thinking_budget":5}`, "thinkingConfig.thinking_budget", "spelled thinkingBudget"},
		{`"MaxOutputTokens":5`, "MaxOutputTokens", "unknown or not allowed"},
	} {
		dialecttest.Refused(t, gemini.New(), in(`{`+hello+`,"generationConfig":{`+c.member+`}}`), "generationConfig."+c.field, c.words)
	}
	for _, c := range []struct{ part, field, words string }{
		{`{"inlineData":{"mimeType":"image/png","data":""}}`, "inlineData.data", "base64"},
		{`{"inlineData":{"mimeType":"image/png","data":"aGk="}}`, "inlineData.data", "not an image"},
		{`{"inlineData":{"mimeType":"image/gif","data":"R0lGODlhAQABAIAAAAAAAP8AACwAAAAAAQABAAACAkQBADs="}}`, "inlineData.data", "send one of"},
		{`{"inlineData":{"mimeType":"video/mp4","data":"aGk="}}`, "inlineData.mimeType", "can be priced"},
		{`{"inlineData":{"mimeType":"application/pdf","data":"aGk="}}`, "inlineData.mimeType", "can be priced"},
		{`{"inlineData":{"mime_type":"image/png"}}`, "inlineData.mime_type", "spelled mimeType"},
		{`{"text":"x","mediaResolution":{"numTokens":9}}`, "mediaResolution.numTokens", "unknown or not allowed"},
		{`{"inline_data":{}}`, "inline_data", "spelled inlineData"},
		{`{"fileData":{"fileUri":"https://x"}}`, "fileData", "in the body itself"},
		{`{"text":"x","videoMetadata":{}}`, "videoMetadata", "video cannot be priced"},
		{`{"executableCode":{}}`, "executableCode", "hosted tools"},
		{`{"codeExecutionResult":{}}`, "codeExecutionResult", "hosted tools"},
		{`{"toolCall":{}}`, "toolCall", "hosted tools"},
		{`{"functionResponse":{"name":"f","parts":[{"inlineData":{}}]}}`, "functionResponse.parts", "not priced yet"},
		{`{"functionCall":{"name":"f","response":{}}}`, "functionCall.response", "unknown or not allowed"},
		{`{"text":5}`, "text", "expected string"},
	} {
		dialecttest.Refused(t, gemini.New(), in(`{"contents":[{"parts":[`+c.part+`]}]}`), "contents[0].parts[0]."+c.field, c.words)
	}
	for body, field := range map[string]string{`{}`: "contents", `{"contents":null}`: "contents", `{"contents":"hi"}`: "contents", `{"contents":[{"role":"root","parts":[]}]}`: "contents[0].role"} {
		dialecttest.Refused(t, gemini.New(), in(body), field, "")
	}
}

func TestWhatIsInThePathIsChecked(t *testing.T) {
	for _, model := range []string{"", "..", "a/b", "../files", "a..b", ".a", "a.", "a%2fb", "a:b", "a?b", "a#b", "a b", "ä", strings.Repeat("m", 201)} {
		i := in(`{` + hello + `}`)
		i.Model = model
		dialecttest.Refused(t, gemini.New(), i, "model", "")
	}
	for _, method := range []string{"", "predict", "batchGenerateContent", "generateContent:x", "GenerateContent"} {
		i := in(`{` + hello + `}`)
		i.Method = method
		if _, err := gemini.New().Read(i); problem.KindOf(err) != problem.NotFound {
			t.Errorf("%q: got %v, want NotFound", method, err)
		}
	}
	for query, want := range map[string]string{"": "", "alt=sse": "?alt=sse", "alt=json": "?alt=json", "%24alt=sse": "?alt=sse", "%24alt=json%3Benum-encoding%3Dint": "alt", "alt=proto": "alt",
		"alt=sse&alt=json": "alt", "alt=sse&$alt=json": "alt", "key=x": "key", "fields=usageMetadata": "fields", "$fields=x": "$fields", "prettyPrint=false": "prettyPrint"} {
		i := in(`{` + hello + `}`)
		var err error
		if i.Query, err = url.ParseQuery(query); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(want, "?") && want != "" {
			dialecttest.Refused(t, gemini.New(), i, want, "")
			continue
		}
		r, err := gemini.New().Read(i)
		if err != nil || r.Path != "/v1beta/models/gemini-2.5-flash:generateContent"+want {
			t.Errorf("%q: got %+v %v", query, r, err)
		}
	}
}

func TestReadersCannotBeMadeToDiffer(t *testing.T) {
	dialecttest.Attacks(t, gemini.New(), in, `{`+hello+`,"generationConfig":{"maxOutputTokens":5},"tools":[]}`, "contents", "generationConfig", "tools")
	for _, config := range []string{`{"maxOutputTokens":5,"maxOutputTokens":9}`, `{"maxOutputTokens":5,"m\u0061xOutputTokens":9}`, `{"m\u0061xOutputTokens":9}`, `{"maxOutputTokens":5,"MaxOutputTokens":9}`,
		`{"maxOutputTokens":5,"maxoutputtokens":9}`, `{"maxOutputTokens":5,"max_output_tokens":9}`, `{"maxOutputTokens":5,"maxOutputToKens":9}`} {
		if _, err := gemini.New().Read(in(`{` + hello + `,"generationConfig":` + config + `}`)); problem.KindOf(err) != problem.Invalid || err == nil {
			t.Errorf("%s: got %v", config, err)
		}
	}
}

// TestALowerCapGoesInItsPlace, and leaves room for what the call sets aside for thoughts.
func TestALowerCapGoesInItsPlace(t *testing.T) {
	for _, c := range []struct {
		config, want string
		least        int64
	}{
		{`{"maxOutputTokens":5000}`, `{"maxOutputTokens":2000}`, 0},
		{`{"temperature":1,"maxOutputTokens": 5000 ,"thinkingConfig":{"thinkingBudget":-1}}`, `{"temperature":1,"maxOutputTokens": 2000 ,"thinkingConfig":{"thinkingBudget":-1}}`, 0},
		{`{"maxOutputTokens":5000,"thinkingConfig":{"thinkingBudget":700}}`, `{"maxOutputTokens":2000,"thinkingConfig":{"thinkingBudget":700}}`, 956},
		{`{"maxOutputTokens":1999}`, `{"maxOutputTokens":1999}`, 0},
	} {
		r, err := gemini.New().Read(in(`{` + hello + `,"generationConfig":` + c.config + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Body(2000)); got != `{`+hello+`,"generationConfig":`+c.want+`}` || r.Call.MinOutput != c.least {
			t.Errorf("got, with %d at least,\n%s\nwant\n%s", r.Call.MinOutput, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{full, `{` + hello + `}`, `{"generationConfig":null,` + hello + `}`, `{` + hello + `,"generationConfig":{"maxOutputTokens":null}}`, `{` + hello + `,"generationConfig":{}}`,
		`{` + hello + `,"generationConfig":{"max_output_tokens":5}}`, `{` + hello + `,"generationconfig":{"maxOutputTokens":5}}`} {
		f.Add([]byte(s), int64(7))
	}
	f.Fuzz(func(t *testing.T, body []byte, n int64) {
		r, err := gemini.New().Read(in(string(body)))
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%q: %v is not Invalid", body, err)
			}
			return
		}
		n = 1 + (n&0x7fffffff)%1000
		sent := r.Body(n)
		if !json.Valid(sent) || r.Call.BodyBytes != int64(len(body)) || r.Call.Choices < 1 {
			t.Fatalf("%q is sent as %q, %+v", body, sent, r.Call)
		}
		dialecttest.Agree(t, sent, min(n, r.Call.MaxOutput.Or(n)), "generationConfig", "maxOutputTokens")
		if r.Call.Choices > 1 {
			dialecttest.Agree(t, sent, r.Call.Choices, "generationConfig", "candidateCount")
		}
		for _, name := range []string{"generation_config", "cachedContent", "model", "serviceTier"} {
			if dialecttest.Seen(sent, name)["first, any case"] != "" {
				t.Fatalf("%s got through: %q", name, sent)
			}
		}
	})
}
