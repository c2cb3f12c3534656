package openai

import (
	"unicode/utf8"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxSpoken bounds the text of one call in characters, as OpenAI does.
const maxSpoken = 4096

// speech is POST /v1/audio/speech (developers.openai.com/api/reference/resources/audio/subresources/speech/methods/create and
// AudioSpeechNewParams of openai-go). Models that are billed by the character cost what the request says, whatever they answer, and
// the answer tells no usage: the hold is the bill. Models that are billed by what they say have no bound, and are refused by the meter.
type speech struct{ chat }

// NewSpeech is the dialect of reading aloud.
func NewSpeech() dialect.Dialect { return speech{} }

// sounds are the types that spoken answers have, by the formats that can be asked for; some servers do not say which.
var sounds = []string{"audio/mpeg", "audio/mp3", "audio/opus", "audio/ogg", "audio/aac", "audio/flac", "audio/x-flac", "audio/wav", "audio/x-wav",
	"audio/wave", "audio/pcm", "application/octet-stream"}

// Read checks a call strictly. Errors: Invalid with the field at fault.
func (speech) Read(in dialect.Input) (*dialect.Request, error) {
	if len(in.Query) > 0 {
		return nil, errQuery
	}
	var s spoken
	if err := strict.Read(in.Body, s.read); err != nil {
		return nil, err
	}
	if err := strict.Model(s.model); err != nil {
		return nil, err
	}
	switch {
	case s.said == 0:
		return nil, problem.New(problem.Invalid, "there is no input").In("input")
	case s.said > maxSpoken:
		return nil, problem.New(problem.Invalid, "at most %d characters can be read aloud in one call", maxSpoken).In("input")
	}
	return &dialect.Request{
		Call: passport.Call{Provider: passport.OpenAI, Kind: passport.KindSpeech, Model: s.model, Uses: []passport.Capability{passport.Audio},
			BodyBytes: strict.TextBytes(in.Body), Parts: 1, Characters: s.said + s.asked, Choices: 1},
		Path:    "/v1/audio/speech",
		Body:    func(int64) []byte { return in.Body },
		Answers: sounds,
		Tap:     tap.NewThrough,
	}, nil
}

// spoken is what is read of a body, in characters.
type spoken struct {
	model       string
	said, asked int64
}

func (s *spoken) read(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "model":
			s.model, err = b.String()
			return err
		case "input":
			s.said, err = characters(b)
			return err
		case "voice":
			if b.Next() == '{' {
				return b.Refuse("only voices with a name are allowed; others are the owner's")
			}
			return b.Text()
		case "instructions", "speed", "response_format", "stream_format":
			if b.Null() {
				return nil
			}
		}
		switch name {
		case "instructions":
			s.asked, err = characters(b)
			return err
		case "speed":
			return b.Number()
		case "response_format":
			_, err = b.OneOf("mp3", "opus", "aac", "flac", "wav", "pcm")
			return err
		case "stream_format":
			_, err = b.OneOf("audio")
			return err
		default:
			return b.Unknown()
		}
	})
}

// characters reads a text and counts it.
func characters(b *strict.Reader) (int64, error) {
	s, err := b.String()
	return int64(utf8.RuneCountInString(s)), err
}
