package media_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/passport"
)

var all = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

func look(t testing.TB, b []byte, mime string) (passport.Image, error) {
	t.Helper()
	var f media.Found
	if err := f.Image([]byte(base64.StdEncoding.EncodeToString(b)), 0, mime, "", all...); err != nil {
		return passport.Image{}, err
	}
	return f.Images[0], nil
}

func encoded(t testing.TB, mime string, w, h int) []byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, w, h), []color.Color{color.Black, color.White})
	var b bytes.Buffer
	var err error
	switch mime {
	case "image/png":
		err = png.Encode(&b, m)
	case "image/jpeg":
		err = jpeg.Encode(&b, m, nil)
	default:
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSizesOfWhatRealEncodersWrite: the standard library's, and WebP files written out.
func TestSizesOfWhatRealEncodersWrite(t *testing.T) {
	for _, mime := range all[:3] {
		for _, size := range [][2]int{{1, 1}, {640, 480}, {3, 2000}, {1999, 1}} {
			b := encoded(t, mime, size[0], size[1])
			i, err := look(t, b, mime)
			if err != nil || i.Width != int64(size[0]) || i.Height != int64(size[1]) {
				t.Errorf("%s %v: %d x %d, %v", mime, size, i.Width, i.Height, err)
			}
			c, _, err := image.DecodeConfig(bytes.NewReader(b))
			if err != nil || int64(c.Width) != i.Width || int64(c.Height) != i.Height {
				t.Errorf("%s %v: a decoder sees %+v, %v", mime, size, c, err)
			}
		}
	}
	riff := func(chunk string) []byte { return []byte("RIFF\x00\x00\x00\x00WEBP" + chunk) }
	for name, b := range map[string][]byte{
		"VP8":  riff("VP8 \x00\x00\x00\x00" + "\x10\x00\x00\x9d\x01\x2a\x20\x03\x58\x02pad"),
		"VP8L": riff("VP8L\x00\x00\x00\x00" + "\x2f\x1f\xc3\x95\x00padpadpad"),
		"VP8X": riff("VP8X\x0a\x00\x00\x00" + "\x00\x00\x00\x00\x1f\x03\x00\x57\x02\x00"),
	} {
		if i, err := look(t, b, "image/webp"); err != nil || i.Width != 800 || i.Height != 600 {
			t.Errorf("%s: %d x %d, %v", name, i.Width, i.Height, err)
		}
	}
}

// TestHeadersThatLie: of two sizes that a file has, the one that decoders go by, or the larger, or none at all.
func TestHeadersThatLie(t *testing.T) {
	small, large := encoded(t, "image/jpeg", 8, 8), encoded(t, "image/jpeg", 4000, 3000)
	thumbnail := append([]byte("\xff\xd8\xff\xe1"), binary.BigEndian.AppendUint16(nil, uint16(2+len(small)))...)
	thumbnail = append(append(thumbnail, small...), large[2:]...)
	if i, err := look(t, thumbnail, "image/jpeg"); err != nil || i.Width != 4000 {
		t.Errorf("a large image with a small one in its metadata: %+v, %v", i, err)
	}
	grown := encoded(t, "image/gif", 5, 5)
	binary.LittleEndian.PutUint16(grown[bytes.IndexByte(grown, 0x2c)+5:], 900) // the picture's own width
	if i, err := look(t, grown, "image/gif"); err != nil || i.Width != 900 || i.Height != 5 {
		t.Errorf("a picture that reaches beyond its screen: %+v, %v", i, err)
	}
	noSize := encoded(t, "image/png", 7, 7)
	copy(noSize[12:], "tEXt")
	huge := encoded(t, "image/png", 7, 7)
	binary.BigEndian.PutUint32(huge[16:], 65_536)
	zero := encoded(t, "image/jpeg", 7, 7)
	at := bytes.Index(zero, []byte{0xff, 0xc0})
	zero[at+5], zero[at+6] = 0, 0 // the height comes later
	padded := append([]byte("\xff\xd8\xff\xe2\xff\xff"), make([]byte, 0xffff-2)...)
	padded = append(append(bytes.Clone(padded), padded[2:]...), append(padded[2:], append(padded[2:], small[2:]...)...)...)
	for name, c := range map[string]struct {
		b    []byte
		mime string
	}{
		"no IHDR first": {noSize, "image/png"}, "65,536 pixels": {huge, "image/png"}, "no height": {zero, "image/jpeg"}, "cut": {large[:20], "image/jpeg"},
		"another kind than is said": {small, "image/png"}, "no kind": {small, ""}, "text": {[]byte("hello there, no image"), "image/png"},
		"the size too far behind": {padded, "image/jpeg"}, "a scan without a frame": {[]byte("\xff\xd8\xff\xda\x00\x02\xff\xc0\x00\x0b\x08\x00\x01\x00\x01"), "image/jpeg"},
		"SVG": {[]byte("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"), "image/svg+xml"},
		"BMP": {[]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00"), "image/bmp"}, "nothing": {nil, "image/png"},
	} {
		if i, err := look(t, c.b, c.mime); err == nil {
			t.Errorf("%s: taken as %+v", name, i)
		}
	}
	var f media.Found
	if err := f.Image([]byte(base64.StdEncoding.EncodeToString(encoded(t, "image/gif", 1, 1))), 0, "image/gif", "", "image/png"); err == nil {
		t.Error("a format that is not allowed was taken")
	}
}

func TestBase64AsJSONHasIt(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString(append(encoded(t, "image/png", 9, 9), bytes.Repeat([]byte{0xff}, 400_000)...))
	for text, ok := range map[string]bool{
		plain: true, strings.ReplaceAll(plain, "/", `\/`): true, strings.TrimRight(plain, "="): true,
		strings.ReplaceAll(plain, "/", `\u002f`): false, plain[:40] + "!" + plain[41:]: false, strings.NewReplacer("+", "-", "/", "_").Replace(plain): false, "": false, "====": false, `\`: false,
	} {
		var f media.Found
		err := f.Image([]byte(text), 5, "image/png", "high", all...)
		if (err == nil) != ok {
			t.Errorf("%.50q: %v", text, err)
		}
		if ok && (f.Images[0].Bytes != int64(len(text)) || f.TextBytes([]byte("12345"+text+"67")) != 7) {
			t.Errorf("%.50q: %+v", text, f)
		}
	}
	var f media.Found
	for range media.Most {
		if err := f.Sound([]byte("aGk="), 0, "audio/mp3"); err != nil {
			t.Fatal(err)
		}
	}
	if f.Sound([]byte("aGk="), 0, "audio/mp3") == nil || f.Image([]byte(plain), 0, "image/png", "", all...) == nil {
		t.Error("there is no bound on how many")
	}
}

// wav is a header that says: so many bits, channels, samples a second; and some bytes.
func wav(kind, channels uint16, rate uint32, bits uint16, n int) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels*bits/8)) // bytes a second
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)              // bytes a sample
	b = binary.LittleEndian.AppendUint16(b, bits)
	return append(append(b, "data\x00\x00\x00\x00"...), make([]byte, n)...)
}

func TestHowLongSoundIs(t *testing.T) {
	lying, thin := wav(1, 1, 8_000, 16, 160_000), wav(1, 1, 8_000, 16, 160_000)
	lying[28]++ // bytes a second
	thin[32]++  // bytes a sample
	for name, c := range map[string]struct {
		b    []byte
		want int64 // -1: unknown
	}{
		"ten seconds and a begun one": {wav(1, 1, 8_000, 16, 160_000), 11},
		"stereo":                      {wav(1, 2, 44_100, 16, 1_764_000-44), 10}, "floating point": {wav(3, 1, 16_000, 32, 64_000), 2},
		"compressed": {wav(0x31, 1, 8_000, 8, 100), -1}, "one sample a second": {wav(1, 1, 1, 8, 100), -1}, "no channel": {wav(1, 0, 8_000, 8, 100), -1},
		"4 bits": {wav(1, 1, 8_000, 4, 100), -1}, "mp3": {[]byte("ID3\x03\x00"), -1}, "a short header": {wav(1, 1, 8_000, 8, 0)[:30], -1},
		"bytes a second that disagree": {lying, -1}, "bytes a sample that disagree": {thin, -1},
	} {
		for _, mime := range []string{"audio/wav", "audio/x-wav", "audio/wave"} {
			if got := seconds(t, c.b, mime); got != c.want {
				t.Errorf("%s, %s: %d seconds, want %d", name, mime, got, c.want)
			}
		}
	}
}

// seconds is how long a clip of a type lasts; -1: that is unknown.
func seconds(t *testing.T, b []byte, mime string) int64 {
	t.Helper()
	var f media.Found
	if err := f.Sound([]byte(base64.StdEncoding.EncodeToString(b)), 0, mime); err != nil {
		t.Fatalf("%s: %v", mime, err)
	}
	return f.Clips[0].Seconds.Or(-1)
}

// TestHowLongSoundOfAnotherTypeIsIsUnknown: a header before MP3 says that megabytes last a second; whoever is told that it is MP3 plays them in minutes.
func TestHowLongSoundOfAnotherTypeIsIsUnknown(t *testing.T) {
	b := append(wav(1, 8, 192_000, 64, 0), bytes.Repeat(frame(), 17_300)...) // 7.2 MB, seven and a half minutes
	if got := seconds(t, b, "audio/wav"); got != 1 {
		t.Errorf("as samples it lasts %d seconds, not one", got)
	}
	for _, mime := range []string{"audio/mp3", "audio/mpeg", "audio/ogg", "audio/flac", "audio/aac", "audio/aiff", "audio/", ""} {
		if got := seconds(t, b, mime); got != -1 {
			t.Errorf("called %q it lasts %d seconds", mime, got)
		}
	}
	if got := seconds(t, bytes.Repeat(frame(), 39), "audio/wav"); got != -1 {
		t.Errorf("MP3 that is called WAV lasts %d seconds", got)
	}
}

// FuzzImage: whatever comes, the reader does not panic, stays within its bounds, and does not see less than a decoder does.
func FuzzImage(f *testing.F) {
	for _, mime := range all[:3] {
		f.Add(encoded(f, mime, 30, 20))
	}
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x1f\x03\x00\x57\x02\x00"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f\x1f\xc3\x95\x00padpadpad"))
	f.Add(wav(1, 1, 8_000, 8, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		text := []byte(base64.StdEncoding.EncodeToString(b))
		c, kind, err := image.DecodeConfig(bytes.NewReader(b))
		for _, mime := range all {
			var found media.Found
			if found.Image(text, 0, mime, "", all...) != nil {
				continue
			}
			i := found.Images[0]
			if i.Width < 1 || i.Height < 1 || i.Width > media.MaxSide || i.Height > media.MaxSide {
				t.Fatalf("%d x %d", i.Width, i.Height)
			}
			if err == nil && "image/"+kind == mime && (int64(c.Width) > i.Width || int64(c.Height) > i.Height) {
				t.Fatalf("%s: a decoder sees %d x %d, the reader %d x %d", mime, c.Width, c.Height, i.Width, i.Height)
			}
		}
		var found media.Found
		if found.Sound(text, 0, "audio/wav") == nil && found.Clips[0].Seconds.Or(0) < 0 {
			t.Fatal("less than no time")
		}
	})
}
