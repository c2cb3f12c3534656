package openai

import (
	"bytes"

	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// imageFormats are those that the models take (guide "Images and vision").
var imageFormats = []string{"image/png", "image/jpeg", "image/webp", "image/gif"}

// part reads one part of a content: text, a refusal, an image or sound. The bytes of files do not tell how many pages they become.
func (r *request) part(b *strict.Reader) error {
	kind, shown := "", ""
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err = partType(b)
			return err
		case "text", "refusal":
			return b.Text()
		case "prompt_cache_breakpoint":
			if b.Null() {
				return nil
			}
			return cacheOptions(b)
		case "image_url":
			shown = name
			return r.image(b)
		case "input_audio":
			shown = name
			return r.sound(b)
		case "file":
			return b.Refuse(noFiles)
		default:
			return b.Unknown()
		}
	})
	switch {
	case err != nil:
		return err
	case kind == "":
		return b.RefuseAt("type", "a part has a type")
	case kind != shown && (shown != "" || kind == "image_url" || kind == "input_audio"):
		return b.RefuseAt("type", "an image_url part has image_url, an input_audio part input_audio, and other parts neither")
	}
	return nil
}

const noFiles = "files cannot be priced: their bytes do not tell how many pages of text and images they become"

func partType(b *strict.Reader) (string, error) {
	kind, err := b.String()
	if err != nil {
		return "", err
	}
	switch kind {
	case "text", "refusal", "image_url", "input_audio":
		return kind, nil
	case "file":
		return "", b.Refuse(noFiles)
	default:
		return "", b.Refuse("only text, refusal, image_url and input_audio parts are allowed")
	}
}

// image reads image_url: an image in the body itself. One that lies elsewhere has a size that nobody knows before it was billed.
func (r *request) image(b *strict.Reader) error {
	var raw []byte
	var at int
	detail := passport.DetailedAuto
	err := b.Object(func(name string) (err error) {
		switch name {
		case "url":
			raw, at, err = b.Data()
			return err
		case "detail":
			if b.Null() {
				return nil
			}
			s, err := b.OneOf("auto", "low", "high", "original")
			detail = passport.Detailed(s)
			return err
		default:
			return b.Unknown()
		}
	})
	if err != nil {
		return err
	}
	return seen(b, &r.found, "url", raw, at, detail)
}

// seen notes an image that was written as a data URL in a member.
func seen(b *strict.Reader, found *media.Found, name string, raw []byte, at int, detail passport.Detailed) error {
	mime, n := dataURL(raw)
	if n == 0 {
		return b.RefuseAt(name, "only images in the body itself are allowed (data:image/png;base64,...): how large one at an address is is not known before it was billed")
	}
	if err := found.Image(raw[n:], at+n, mime, detail, imageFormats...); err != nil {
		return b.RefuseAt(name, "%v", err)
	}
	return nil
}

// dataURL is the media type of a data URL in base64 (RFC 2397), and where its data begin; 0: it is something else.
func dataURL(raw []byte) (mime string, n int) {
	const longest = 64
	comma := bytes.IndexByte(raw[:min(len(raw), longest)], ',')
	if comma < 0 {
		return "", 0
	}
	head := bytes.ReplaceAll(raw[:comma], []byte(`\/`), []byte("/"))
	rest, isData := bytes.CutPrefix(head, []byte("data:"))
	kind, base64 := bytes.CutSuffix(rest, []byte(";base64"))
	if !isData || !base64 {
		return "", 0
	}
	return string(kind), comma + 1
}

// sound reads input_audio.
func (r *request) sound(b *strict.Reader) error {
	var raw []byte
	var at int
	format := ""
	err := b.Object(func(name string) (err error) {
		switch name {
		case "data":
			raw, at, err = b.Data()
		case "format":
			format, err = b.OneOf("wav", "mp3")
		default:
			return b.Unknown()
		}
		return err
	})
	if err != nil {
		return err
	}
	r.speaks = true
	if err := r.found.Sound(raw, at, "audio/"+format); err != nil {
		return b.RefuseAt("data", "%v", err)
	}
	return nil
}

// speech reads how an answer is to sound. What is said is within the output cap, at the price of sound.
func (r *request) speech(b *strict.Reader) error {
	r.speaks = true
	return b.Object(func(name string) (err error) {
		switch name {
		case "voice":
			return b.Text()
		case "format":
			_, err = b.OneOf("wav", "aac", "mp3", "flac", "opus", "pcm16")
			return err
		default:
			return b.Unknown()
		}
	})
}

// modality reads one of modalities.
func (r *request) modality(b *strict.Reader) error {
	m, err := b.OneOf("text", "audio")
	r.speaks = r.speaks || m == "audio"
	return err
}

// uses is what the grant must allow.
func (r *request) uses() []passport.Capability {
	if r.speaks {
		return []passport.Capability{passport.Chat, passport.Audio}
	}
	return []passport.Capability{passport.Chat}
}
