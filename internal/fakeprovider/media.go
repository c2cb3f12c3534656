package fakeprovider

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"
	"unicode/utf8"
)

// What a model that makes images or writes down sound can count at most: the largest image at high quality
// (https://developers.openai.com/api/docs/guides/image-generation), its window and its longest answer
// (https://developers.openai.com/api/docs/models/gpt-4o-transcribe).
const (
	imageTokens  = 6240
	heardTokens  = 16_000
	writtenMost  = 2000
	speechLength = 4096
)

// formed says whether an operation's body is a form in parts.
func (o operation) formed() bool { return o == opTranscriptions || o == opTranslations }

// fillForm reads the form of a transcription, and says what a provider would refuse.
func (a *ask) fillForm(body []byte) error {
	_, params, err := mime.ParseMediaType(a.typ)
	if err != nil {
		return err
	}
	form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(maxBody)
	if err != nil {
		return err
	}
	value := func(name string) string { return strings.Join(form.Value[name], "") }
	a.model, a.format, a.stream, a.sse, a.choices = value("model"), value("response_format"), value("stream") == "true", true, 1
	files := form.File["file"]
	if len(files) != 1 {
		return errors.New("there must be one file")
	}
	if files[0].Filename == "" || !strings.Contains(files[0].Filename, ".") {
		return errors.New("the file's name says nothing")
	}
	f, err := files[0].Open()
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 44)
	if n, _ := f.Read(head); n == len(head) && string(head[:4]) == "RIFF" {
		each := int64(binary.LittleEndian.Uint32(head[28:]))
		a.seconds = (files[0].Size - int64(len(head)) + each - 1) / max(each, 1)
	}
	if a.model == "whisper-1" && a.seconds == 0 {
		return errors.New("the fake provider hears WAV only")
	}
	return nil
}

// fillMedia reads what shapes an image or speech.
func (a *ask) fillMedia(body []byte) error {
	var b struct {
		Prompt         *string `json:"prompt"`
		Input          *string `json:"input"`
		Voice          *string `json:"voice"`
		ResponseFormat string  `json:"response_format"`
		Instructions   string  `json:"instructions"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	a.format = b.ResponseFormat
	if a.op == opImages {
		if b.Prompt == nil {
			return errors.New("no prompt")
		}
		return nil
	}
	if b.Input == nil || b.Voice == nil || utf8.RuneCountInString(*b.Input) > speechLength {
		return errors.New("no voice, or no input of 4096 characters at most")
	}
	a.characters = int64(utf8.RuneCountInString(*b.Input) + utf8.RuneCountInString(b.Instructions))
	return nil
}

// images is the object of https://platform.openai.com/docs/api-reference/images/object.
func (r reply) images() []byte {
	data := make([]string, r.choices)
	for i := range data {
		data[i] = fmt.Sprintf(`{"b64_json":"%s"}`, strings.Repeat("iVBORw0KGgo", 9000))
	}
	return fmt.Appendf(nil, `{"created":%d,"background":"opaque","data":[%s],"output_format":"png","quality":"high","size":"1024x1024"%s}`, created, strings.Join(data, ","),
		r.usageMember(fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"image_tokens":0,"text_tokens":%d},"output_tokens":%d,"total_tokens":%d,`+
			`"output_tokens_details":{"image_tokens":%d,"text_tokens":0}}`, r.tokens.Input, r.tokens.Input, r.tokens.Output, r.tokens.Input+r.tokens.Output, r.tokens.Output)))
}

// sound is what a model says: not an MP3, but nobody here listens.
func (r reply) sound() []byte { return []byte("ID3\x04\x00\x00\x00" + strings.Join(r.text, "")) }

// heardUsage is in model tokens, or in seconds for whisper-1 (https://platform.openai.com/docs/api-reference/audio/json-object).
func (r reply) heardUsage() string {
	if r.model == "whisper-1" {
		return r.usageMember(fmt.Sprintf(`{"type":"duration","seconds":%d}`, r.tokens.Input))
	}
	return r.usageMember(fmt.Sprintf(`{"type":"tokens","input_tokens":%d,"input_token_details":{"text_tokens":0,"audio_tokens":%d},"output_tokens":%d,"total_tokens":%d}`,
		r.tokens.Input, r.tokens.Input, r.tokens.Output, r.tokens.Input+r.tokens.Output))
}

func (r reply) transcription(text string) []byte {
	switch r.ask.format {
	case "text":
		return []byte(text + "\n")
	case "srt":
		return []byte("1\n00:00:00,000 --> 00:00:01,000\n" + text + "\n")
	case "vtt":
		return []byte("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n" + text + "\n")
	case "verbose_json":
		return fmt.Appendf(nil, `{"task":"transcribe","language":"english","duration":%d.0,"text":%s,"segments":[]%s}`, r.ask.seconds, quote(text), r.heardUsage())
	default:
		return fmt.Appendf(nil, `{"text":%s%s}`, quote(text), r.heardUsage())
	}
}

// transcriptionStream follows https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event.
func (r reply) transcriptionStream() (head string, pieces []string, tail string) {
	for _, t := range r.text {
		pieces = append(pieces, fmt.Sprintf("data: {\"type\":\"transcript.text.delta\",\"delta\":%s}\n\n", quote(t)))
	}
	return "", pieces, fmt.Sprintf("data: {\"type\":\"transcript.text.done\",\"text\":%s%s}\n\n", quote(strings.Join(r.text, "")), r.heardUsage())
}

// mediaType is the Content-Type of an answer that is no JSON; empty: it is.
func (a ask) mediaType() string {
	switch {
	case a.op == opSpeech && (a.format == "" || a.format == "mp3"):
		return "audio/mpeg"
	case a.op == opSpeech:
		return "audio/" + a.format
	case a.op.formed() && (a.format == "text" || a.format == "srt" || a.format == "vtt"):
		return "text/plain; charset=utf-8"
	default:
		return ""
	}
}
