// Package media reads what the bytes of images and sound say of what they can cost: how large, how long. It looks at their
// headers only, within a bound, and refuses what it cannot read: a provider's decoder goes by the same header. It knows no
// provider; it may not touch I/O, clock or money.
package media

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of what is read.
const (
	Head    = 256 << 10 // bytes of an image in which its size must stand: photographs begin with metadata and colour profiles
	Most    = 500       // images and clips of one call, as OpenAI takes them
	MaxSide = 65_535    // pixels of width or height
)

// Found is what a body has besides text. The zero Found is nothing.
type Found struct {
	Images []passport.Image
	Clips  []passport.Clip
	cuts   []strict.Edit // of their bytes from the body
}

// TextBytes is strict.TextBytes of what the body has besides.
func (f *Found) TextBytes(body []byte) int64 { return strict.TextBytes(strict.Splice(body, f.cuts...)) }

// Image notes an image of one of the formats (image/png, image/jpeg, image/gif, image/webp) that was written in base64 at a
// place of the body; raw is that text as it stands in the JSON. The error says what is wrong with it, for the caller.
func (f *Found) Image(raw []byte, at int, mime string, detail passport.Detailed, formats ...string) error {
	if err := f.room(); err != nil {
		return err
	}
	head, err := decode(raw)
	if err != nil {
		return err
	}
	format, size := sniff(head)
	switch {
	case size == nil:
		return fmt.Errorf("the bytes are not an image of a kind that can be priced (%s)", strings.Join(formats, ", "))
	case !slices.Contains(formats, format):
		return fmt.Errorf("%s cannot be priced here; send one of %s", format, strings.Join(formats, ", "))
	case mime != format && !(mime == "image/jpg" && format == "image/jpeg"):
		return fmt.Errorf("the bytes are %s, and not what the call says they are", format)
	}
	w, h, ok := size(head)
	if !ok || w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return fmt.Errorf("the image does not say in its first %d bytes how large it is, or is larger than %d pixels", Head, MaxSide)
	}
	f.Images = append(f.Images, passport.Image{Width: w, Height: h, Detail: detail, Bytes: int64(len(raw))})
	f.cuts = append(f.cuts, strict.Edit{At: at, Cut: len(raw)})
	return nil
}

// wavTypes are the media types by which a WAV file goes.
var wavTypes = []string{"audio/wav", "audio/x-wav", "audio/wave"}

// Sound notes a clip, likewise. Its length is unknown unless it is plain sound in a WAV file, of which all numbers agree, and is called one:
// who is told another type may pass over the header and play what follows, of which a byte can last longer than a header says.
func (f *Found) Sound(raw []byte, at int, mime string) error {
	if err := f.room(); err != nil {
		return err
	}
	head, err := decode(raw)
	if err != nil {
		return err
	}
	clip := passport.Clip{Bytes: int64(len(raw))}
	if s, ok := wavSeconds(head, int64(base64.StdEncoding.DecodedLen(len(raw)))); ok && steadyWAV(head) && slices.Contains(wavTypes, mime) {
		clip.Seconds = passport.LimitOf(s)
	}
	f.Clips = append(f.Clips, clip)
	f.cuts = append(f.cuts, strict.Edit{At: at, Cut: len(raw)})
	return nil
}

func (f *Found) room() error {
	if len(f.Images)+len(f.Clips) >= Most {
		return fmt.Errorf("a call has at most %d images and clips", Most)
	}
	return nil
}

// decode is the beginning of what base64 in a JSON text stands for. The one escape that JSON writers put into base64 is \/.
func decode(raw []byte) ([]byte, error) {
	const text = (Head + 2) / 3 * 4
	if len(raw) > 2*text { // as long as escapes can make it
		raw = raw[:2*text]
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = bytes.ReplaceAll(raw, []byte(`\/`), []byte("/"))
		raw = bytes.TrimSuffix(raw, []byte(`\`)) // of a pair that was cut
	}
	if len(raw) > text {
		raw = raw[:text]
	}
	raw = bytes.TrimRight(raw, "=")
	head := make([]byte, base64.RawStdEncoding.DecodedLen(len(raw)))
	n, err := base64.RawStdEncoding.Decode(head, raw)
	if err != nil || n == 0 {
		return nil, errors.New("must be base64")
	}
	return head[:n], nil
}
