package openai_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

const (
	draw = `{"model":"gpt-image-1.5","prompt":"hi","n":3,"size":"1024x1536","quality":"high","background":"transparent","moderation":"low","output_format":"webp","output_compression":50,"response_format":"b64_json","user":"u","stream":false,"partial_images":0,"style":null}`
	say  = `{"model":"tts-1","input":"hi","voice":"alloy","speed":1.5,"response_format":"opus","stream_format":"audio","instructions":"grüß"}`
)

func TestImagesAndSpeechRead(t *testing.T) {
	r, err := openai.NewImages().Read(in(draw))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Call; c.Kind != passport.KindImage || c.Uses[0] != passport.Images || c.Choices != 3 || c.BodyBytes != int64(len(draw)) || c.Model != "gpt-image-1.5" ||
		string(r.Body(9)) != draw || r.Path != "/v1/images/generations" || r.Answers != nil {
		t.Errorf("%+v %s", c, r.Path)
	}
	r, err = openai.NewSpeech().Read(in(say))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Call; c.Kind != passport.KindSpeech || c.Uses[0] != passport.Audio || c.Choices != 1 || c.Characters != 2+4 || c.Model != "tts-1" ||
		string(r.Body(9)) != say || r.Path != "/v1/audio/speech" || len(r.Answers) == 0 {
		t.Errorf("%+v %s", c, r.Path)
	}
	sound := "\x00\xff\xfb{not JSON"
	if out, u := dialecttest.Play(t, r.Tap, []byte(sound)); out != sound || u.Known {
		t.Errorf("%q %+v", out, u)
	}
	tp := r.Tap()
	tp.Pass([]byte(sound))
	if tp.Seen().Whole || tp.Seen().Plain {
		t.Error("it is whole before its end, or costs less than the hold when cut")
	}
	if tp.End(); !tp.Seen().Whole {
		t.Error("it is not whole at its end")
	}
}

func TestImagesAndSpeechRefused(t *testing.T) {
	with := func(body, from, to string) string {
		out := strings.Replace(body, from, to, 1)
		if out == body {
			t.Fatalf("%q is not in %s", from, body)
		}
		return out
	}
	for _, c := range []struct {
		d                  dialect.Dialect
		body, field, words string
	}{
		{openai.NewImages(), `{"model":"m"}`, "prompt", "no prompt"},
		{openai.NewImages(), `{"prompt":"m"}`, "model", "must be named"},
		{openai.NewImages(), with(draw, `"n":3`, `"n":11`), "n", "from 1 to 10"},
		{openai.NewImages(), with(draw, `1024x1536`, `3840x2160`), "size", "must be one of"},
		{openai.NewImages(), with(draw, `"high"`, `"max"`), "quality", "must be one of"},
		{openai.NewImages(), with(draw, `"webp"`, `"gif"`), "output_format", "must be one of"},
		{openai.NewImages(), with(draw, `"b64_json"`, `"url"`), "response_format", "only"},
		{openai.NewImages(), with(draw, `"stream":false`, `"stream":true`), "stream", "not streamed"},
		{openai.NewImages(), with(draw, `"partial_images":0`, `"partial_images":1`), "partial_images", "billed besides"},
		{openai.NewImages(), with(draw, `"style":null`, `"style":"vivid"`), "style", "retired"},
		{openai.NewImages(), with(draw, `"style":null`, `"complexity":"high"`), "complexity", "no known bound"},
		{openai.NewImages(), with(draw, `"style":null`, `"svg":{}`), "svg", "no known bound"},
		{openai.NewImages(), with(draw, `"style":null`, `"frame_count":9`), "frame_count", "no known bound"},
		{openai.NewImages(), with(draw, `"style":null`, `"image":"x"`), "image", "unknown"},
		{openai.NewSpeech(), `{"model":"m","voice":"v"}`, "input", "no input"},
		{openai.NewSpeech(), `{"model":"m","voice":"v","input":""}`, "input", "no input"},
		{openai.NewSpeech(), `{"model":"m","voice":"v","input":"` + strings.Repeat("ä", 4097) + `"}`, "input", "at most 4096"},
		{openai.NewSpeech(), with(say, `"alloy"`, `{"id":"voice_1"}`), "voice", "the owner's"},
		{openai.NewSpeech(), with(say, `"audio"`, `"sse"`), "stream_format", "only"},
		{openai.NewSpeech(), with(say, `"opus"`, `"ogg"`), "response_format", "must be one of"},
		{openai.NewSpeech(), with(say, `"speed":1.5`, `"loud":1`), "loud", "unknown"},
	} {
		dialecttest.Refused(t, c.d, in(c.body), c.field, c.words)
	}
	dialecttest.Attacks(t, openai.NewImages(), in, `{"model":"m","prompt":"hi","n":2,"size":"auto"}`, "model", "prompt", "n", "size")
	dialecttest.Attacks(t, openai.NewSpeech(), in, `{"model":"m","input":"hi","voice":"v"}`, "model", "input", "voice")
}

func TestImageUsage(t *testing.T) {
	r, err := openai.NewImages().Read(in(draw))
	if err != nil {
		t.Fatal(err)
	}
	picture := `{"created":1,"data":[{"b64_json":"` + strings.Repeat("iVBORw0", 2000) + `"}]`
	for _, c := range []struct {
		name, usage string
		want        passport.Usage
	}{
		{"all", `{"input_tokens":50,"input_tokens_details":{"image_tokens":10,"text_tokens":40},"output_tokens":100,"output_tokens_details":{"image_tokens":90,"text_tokens":10},"total_tokens":150}`,
			passport.Usage{Known: true, Input: 50, InputImage: 10, Output: 100, OutputImage: 90}},
		{"output in one", `{"input_tokens":50,"input_tokens_details":{"cached_tokens":5,"text_tokens":50},"output_tokens":100}`,
			passport.Usage{Known: true, Input: 50, CacheRead: 5, Output: 100, OutputImage: 100}},
		{"as seen of gpt-image-1.5", `{"input_tokens":50,"output_tokens":6543,"output_tokens_details":{"image_tokens":6208,"text_tokens":335}}`,
			passport.Usage{Known: true, Input: 50, Output: 6543, OutputImage: 6208}},
		{"more text than all", `{"input_tokens":50,"output_tokens":100,"output_tokens_details":{"text_tokens":101}}`, passport.Usage{}},
		{"no input", `{"output_tokens":100}`, passport.Usage{}},
		{"null", `null`, passport.Usage{}},
	} {
		answer := picture + `,"usage":` + c.usage + `}`
		if out, u := dialecttest.Play(t, r.Tap, []byte(answer)); out != answer || u != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, u, c.want)
		}
	}
}

const boundary = "x-y"

// part is one part of a form.
func part(disposition, value string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
}

func field(name, value string) string { return part(fmt.Sprintf("name=%q", name), value) }

var (
	wavFile = part(`name="file"; filename="a.WAV"`, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"+strings.Repeat("\x00", 16_000))
	end     = "--" + boundary + "--\r\n"
)

func formIn(body string) dialect.Input {
	return dialect.Input{Body: []byte(body), Header: http.Header{"Content-Type": {"multipart/form-data; boundary=" + boundary}}}
}

// TestFormsAreWrittenAnew: the fields that may go through, in their order, and a file whose name is ours.
func TestFormsAreWrittenAnew(t *testing.T) {
	body := field("model", "whisper-1") + wavFile + field("prompt", "grüß") + field("timestamp_granularities[]", "word") + field("timestamp_granularities[]", "segment") +
		field("response_format", "verbose_json") + field("temperature", "0.5") + field("language", "de") + field("stream", "true") + end
	r, err := openai.NewTranscriptions().Read(formIn(body))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Call; c.Kind != passport.KindTranscription || c.Uses[0] != passport.Audio || len(c.Clips) != 1 || c.Clips[0].Seconds != passport.LimitOf(2) || c.Clips[0].Bytes != 16_044 ||
		!c.Stream || c.Model != "whisper-1" || r.Path != "/v1/audio/transcriptions" || r.Answers != nil {
		t.Errorf("%+v", c)
	}
	got, sep := string(r.Body(1)), strings.TrimPrefix(r.Type, "multipart/form-data; boundary=")
	if strings.Contains(got, "a.WAV") || !strings.Contains(got, `name="file"; filename="audio.wav"`+"\r\nContent-Type: audio/wav\r\n\r\nRIFF") {
		t.Errorf("%s", got)
	}
	var order []string
	for p := range strings.SplitSeq(got, "--"+sep) {
		if head, value, ok := strings.Cut(p, "\r\n\r\n"); ok && !strings.Contains(head, "filename") {
			_, name, _ := strings.Cut(head, `name="`)
			order = append(order, strings.TrimSuffix(name, `"`)+"="+strings.TrimSuffix(value, "\r\n"))
		}
	}
	if want := "model=whisper-1 prompt=grüß timestamp_granularities[]=word timestamp_granularities[]=segment response_format=verbose_json temperature=0.5 language=de stream=true"; strings.Join(order, " ") != want {
		t.Errorf("got %s", strings.Join(order, " "))
	}
	// It is called what its bytes are, whatever name and type it came with: the length that was read counts for no other.
	renamed := strings.Replace(body, `filename="a.WAV"`, "filename=\"a.mp3\"\r\nContent-Type: audio/mpeg", 1)
	if r, err := openai.NewTranscriptions().Read(formIn(renamed)); err != nil || r.Call.Clips[0].Seconds != passport.LimitOf(2) || string(r.Body(1)) != got {
		t.Errorf("a WAV file called a.mp3: %v", err)
	}
	if again, _ := openai.NewTranscriptions().Read(formIn(body)); string(again.Body(1)) != got {
		t.Error("the second time it is another")
	}
	for format, none := range map[string]bool{"": true, "json": true, "text": false, "srt": false, "vtt": false} {
		r, err := openai.NewTranslations().Read(formIn(field("model", "m") + field("response_format", "json") + wavFile + end))
		if format != "" {
			r, err = openai.NewTranslations().Read(formIn(field("model", "m") + field("response_format", format) + wavFile + end))
		}
		if err != nil || (r.Answers == nil) != none || r.Path != "/v1/audio/translations" {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestFormsRefused(t *testing.T) {
	model := field("model", "m")
	for _, c := range []struct{ body, field, words string }{
		{model + end, "file", "no file"},
		{wavFile + end, "model", "must be named"},
		{model + wavFile + wavFile + end, "file", "twice"},
		{model + model + wavFile + end, "model", "twice"},
		{model + wavFile + field("chunking_strategy", "auto") + end, "chunking_strategy", "no known bound"},
		{model + wavFile + field("known_speaker_references[]", "data:") + end, "known_speaker_references[]", "heard besides"},
		{model + wavFile + field("keywords[]", "x") + end, "keywords[]", "unknown"},
		{model + wavFile + field("response_format", "diarized_json") + end, "response_format", "must be one of"},
		{model + wavFile + field("include[]", "everything") + end, "include[]", "must be one of"},
		{model + wavFile + field("stream", "1") + end, "stream", "must be one of"},
		{model + wavFile + field("prompt", "a\xff") + end, "prompt", "UTF-8"},
		{model + wavFile + field("prompt", strings.Repeat("a", 17<<10)) + end, "prompt", "at most"},
		{model + wavFile + part(`name="prompt"; filename="x.txt"`, "x") + end, "prompt", "not a file"},
		{model + part(`name="file"`, "x") + end, "file", "whose name ends in"},
		{model + part(`name="file"; filename="x.exe"`, "x") + end, "file", "whose name ends in"},
		{model + part(`name="file"; filename="x.mp3"`, "") + end, "file", "empty"},
		{model + wavFile + part(`name="prompt"; charset="utf-7"`, "x") + end, "", "each part"},
		{model + wavFile + part(`filename="x.mp3"`, "x") + end, "", "each part"},
		{model + wavFile + part("name=\"prompt\"\r\nContent-Transfer-Encoding: base64", "x") + end, "prompt", "cannot have the header"},
		{model + wavFile + part("name=\"prompt\"\r\nContent-Type: a\r\nContent-Type: b", "x") + end, "prompt", "cannot have the header"},
		{model + wavFile, "file", "not a form"},
		{strings.Repeat(field("include[]", "logprobs"), 33) + end, "", "at most 32"},
	} {
		dialecttest.Refused(t, openai.NewTranscriptions(), formIn(c.body), c.field, c.words)
	}
	dialecttest.Refused(t, openai.NewTranslations(), formIn(model+wavFile+field("language", "de")+end), "language", "unknown")
	for _, typ := range []string{"", "multipart/form-data", "multipart/form-data; boundary="} {
		dialecttest.Refused(t, openai.NewTranslations(), dialect.Input{Header: http.Header{"Content-Type": {typ}}, Body: []byte(model + wavFile + end)}, "Content-Type", "no boundary")
	}
	dialecttest.Problems(t, openai.NewTranslations(), func(b []byte) string { return string(b) })
}

// TestTranscriptionUsage: model tokens or seconds, whole and streamed; a begun second counts.
func TestTranscriptionUsage(t *testing.T) {
	r, err := openai.NewTranscriptions().Read(formIn(field("model", "m") + wavFile + end))
	if err != nil {
		t.Fatal(err)
	}
	tokens := `"usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59}`
	told := passport.Usage{Known: true, Input: 14, InputAudio: 10, Output: 45}
	for _, c := range []struct {
		name, answer string
		want         passport.Usage
	}{
		{"tokens", `{"text":"hi",` + tokens + `}`, told},
		{"seconds", `{"text":"hi","usage":{"type":"duration","seconds":9}}`, passport.Usage{Known: true, AudioSeconds: 9}},
		{"a begun second", `{"text":"hi","usage":{"type":"duration","seconds":9.01}}`, passport.Usage{Known: true, AudioSeconds: 10}},
		{"whole seconds", `{"text":"hi","usage":{"type":"duration","seconds":9.00}}`, passport.Usage{Known: true, AudioSeconds: 9}},
		{"less than none", `{"text":"hi","usage":{"type":"duration","seconds":-0.5}}`, passport.Usage{}},
		{"an exponent", `{"text":"hi","usage":{"type":"duration","seconds":1.5e3}}`, passport.Usage{}},
		{"none", `{"text":"hi"}`, passport.Usage{}},
		{"null", `{"text":"hi","usage":null}`, passport.Usage{}},
		{"half", `{"text":"hi","usage":{"input_tokens":1}}`, passport.Usage{}},
		{"more sound than all", `{"usage":{"input_tokens":1,"output_tokens":1,"input_token_details":{"audio_tokens":2}}}`, passport.Usage{}},
		{"a stream", `data: {"type":"transcript.text.delta","delta":"h",` + tokens + "}\n\ndata: {\"type\":\"transcript.text.done\",\"text\":\"hi\"," + tokens + "}\n\n", told},
		{"a stream that ends early", `data: {"type":"transcript.text.delta","delta":"h",` + tokens + "}\n\n", passport.Usage{}},
	} {
		if out, u := dialecttest.Play(t, r.Tap, []byte(c.answer)); out != c.answer || u != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, u, c.want)
		}
		tp := r.Tap()
		tp.Pass([]byte(c.answer))
		if s := tp.Seen(); s.Plain {
			t.Errorf("%s: a cut would cost less than the hold", c.name)
		}
		if tp.End(); tp.Seen().Whole == (c.name == "a stream that ends early") {
			t.Errorf("%s: whole %v", c.name, tp.Seen().Whole)
		}
	}
}

func FuzzForms(f *testing.F) {
	f.Add(field("model", "m")+wavFile+end, `{"text":"hi","usage":{"seconds":1}}`, uint(7))
	f.Fuzz(func(t *testing.T, body, answer string, at uint) {
		readAny(t, openai.NewTranscriptions(), formIn(body))
		readAny(t, openai.NewImages(), in(body))
		readAny(t, openai.NewSpeech(), in(body))
		r, err := openai.NewTranscriptions().Read(formIn(field("model", "m") + wavFile + end))
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.FuzzTap(t, r.Tap, []byte(answer), at)
		if r, err = openai.NewTranscriptions().Read(formIn(body)); err == nil {
			again := dialect.Input{Body: r.Body(1), Header: http.Header{"Content-Type": {r.Type}}}
			if _, err := openai.NewTranscriptions().Read(again); err != nil {
				t.Fatalf("what goes upstream is not what was read: %v", problem.From(err).Detail)
			}
		}
	})
}
