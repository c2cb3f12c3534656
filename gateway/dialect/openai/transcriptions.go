package openai

import (
	"mime"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// hearing is POST /v1/audio/transcriptions and /v1/audio/translations (developers.openai.com/api/reference/resources/audio,
// AudioTranscriptionNewParams and AudioTranslationNewParams of openai-go). The form is read strictly and written anew, with the fields
// that may go through and nothing else; the file's own name stays here.
type hearing struct {
	chat
	path   string
	fields map[string]bool // that may go through, and whether more than once
}

// NewTranscriptions is the dialect of writing down what is heard.
func NewTranscriptions() dialect.Dialect {
	return hearing{path: "/v1/audio/transcriptions", fields: map[string]bool{"model": false, "language": false, "prompt": false, "temperature": false,
		"response_format": false, "stream": false, "include[]": true, "include": true, "timestamp_granularities[]": true, "timestamp_granularities": true}}
}

// NewTranslations is the dialect of writing it down in English.
func NewTranslations() dialect.Dialect {
	return hearing{path: "/v1/audio/translations", fields: map[string]bool{"model": false, "prompt": false, "temperature": false, "response_format": false}}
}

// texts are the types of answers that are no JSON.
var texts = []string{"text/plain", "text/vtt", "application/x-subrip"}

// Read checks a form strictly. Errors: Invalid with the field at fault.
func (h hearing) Read(in dialect.Input) (*dialect.Request, error) {
	if len(in.Query) > 0 {
		return nil, errQuery
	}
	_, params, err := mime.ParseMediaType(in.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, problem.New(problem.Invalid, "the Content-Type has no boundary between the parts of the form").In("Content-Type")
	}
	f, err := readForm(in.Body, params["boundary"], h.fields)
	if err != nil {
		return nil, err
	}
	if err := h.check(f); err != nil {
		return nil, err
	}
	format, clip := media.File(f.file)
	if format == "" {
		format = f.extension
	}
	body, typ := f.write(format)
	req := &dialect.Request{
		Call: passport.Call{Provider: passport.OpenAI, Kind: passport.KindTranscription, Model: f.first("model"), Uses: []passport.Capability{passport.Audio},
			Stream: f.first("stream") == "true", BodyBytes: strict.TextBytes(f.texts()) + int64(len(body)-len(f.file)), Parts: 1, Clips: []passport.Clip{clip}, Choices: 1},
		Path: h.path, Type: typ,
		Body: func(int64) []byte { return body },
		Tap:  func() dialect.Tap { return tap.New(&transcribed{}, false) },
	}
	switch f.first("response_format") {
	case "text", "srt", "vtt":
		req.Answers, req.Tap = texts, tap.NewThrough
	}
	return req, nil
}

// check looks at what the fields say.
func (h hearing) check(f *form) error {
	if err := strict.Model(f.first("model")); err != nil {
		return err
	}
	if f.file == nil {
		return problem.New(problem.Invalid, "there is no file").In("file")
	}
	for name, allowed := range map[string][]string{
		"response_format": {"json", "text", "srt", "verbose_json", "vtt"}, "stream": {"true", "false"}, "include": {"logprobs"}, "include[]": {"logprobs"},
		"timestamp_granularities": {"word", "segment"}, "timestamp_granularities[]": {"word", "segment"},
	} {
		for _, v := range f.values(name) {
			if !slices.Contains(allowed, v) {
				return problem.New(problem.Invalid, "must be one of %s", strings.Join(allowed, ", ")).In(name)
			}
		}
	}
	return nil
}

// transcribed reads the usage of a transcription, whole or streamed: model tokens, or seconds (types TranscriptionUsageTokens,
// TranscriptionUsageDuration and TranscriptionTextDoneEvent of openai-go).
type transcribed struct {
	use  passport.Usage
	done bool
}

// Event takes one event of a stream; only the last one tells the usage.
func (a *transcribed) Event(data []byte) bool {
	kind, use := "", passport.Usage{}
	if strict.Read(data, func(b *strict.Reader) error {
		return b.Object(func(name string) (err error) {
			switch name {
			case "type":
				kind, err = b.String()
			case "usage":
				use, err = heard(b)
			default:
				err = b.Any()
			}
			return err
		})
	}) == nil && kind == "transcript.text.done" {
		a.use, a.done = use, true
	}
	return false
}

// Whole takes a transcription that is not streamed.
func (a *transcribed) Whole(data []byte) {
	var use passport.Usage
	if strict.Read(data, func(b *strict.Reader) error {
		return b.Object(func(name string) (err error) {
			if name != "usage" {
				return b.Any()
			}
			use, err = heard(b)
			return err
		})
	}) == nil {
		a.use, a.done = use, true
	}
}

// heard reads one usage object.
func heard(b *strict.Reader) (passport.Usage, error) {
	if b.Null() {
		return passport.Usage{}, nil
	}
	in, out, seconds, audio := int64(-1), int64(-1), int64(-1), int64(0)
	err := b.Object(func(name string) (err error) {
		switch {
		case b.Null():
		case name == "input_tokens":
			in, err = b.Int(0, most)
		case name == "output_tokens":
			out, err = b.Int(0, most)
		case name == "input_token_details":
			return details(b, map[string]*int64{"audio_tokens": &audio})
		case name == "seconds":
			seconds, err = b.Up(most)
		default:
			return b.Any()
		}
		return err
	})
	switch {
	case err != nil:
		return passport.Usage{}, err
	case seconds >= 0:
		return passport.Usage{Known: true, AudioSeconds: seconds}, nil
	case in < 0 || out < 0:
		return passport.Usage{}, nil
	default:
		return passport.Usage{Known: true, Input: in, InputAudio: audio, Output: out}, nil
	}
}

// Usage is what the provider said at the end.
func (a *transcribed) Usage() passport.Usage { return a.use }

// Seen says whether the end has passed. What was heard is billed, whatever came of the text: a stream that is cut costs its hold.
func (a *transcribed) Seen() passport.Seen { return passport.Seen{Whole: a.done} }

// Ended says whether the event that ends a transcription has passed.
func (a *transcribed) Ended() bool { return a.done }
