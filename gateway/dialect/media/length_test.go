package media_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/passport"
)

// frame is a frame of MPEG-1 layer III at 128 kbit/s and 44,100 samples a second: 417 bytes, 1,152 samples.
func frame() []byte { return append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...) }

// slow is one of MPEG-2.5 at 8 kbit/s and 8,000 samples a second: 72 bytes, 576 samples.
func slow() []byte { return append([]byte{0xff, 0xe3, 0x18, 0x00}, make([]byte, 68)...) }

func xing(frames uint32) []byte {
	f := frame()
	copy(f[36:], "Xing\x00\x00\x00\x01")
	binary.BigEndian.PutUint32(f[44:], frames)
	return f
}

// steady is a WAV file of 8,000 samples a second, of two bytes each.
func steady(n int) []byte { return wav(1, 1, 8_000, 16, n) }

func TestHowLongAFileLasts(t *testing.T) {
	id3 := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x0a"), make([]byte, 10)...)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	lying := steady(16_000)
	lying[28]++ // bytes a second
	thin := steady(16_000)
	thin[32]++ // bytes a sample
	for name, c := range map[string]struct {
		file    []byte
		format  string
		seconds int64 // -1: not known
	}{
		"wav":                     {steady(160_000), "wav", 11},
		"wav that disagrees":      {lying, "wav", -1},
		"wav of odd samples":      {thin, "wav", -1},
		"wav, compressed":         {wav(0x31, 1, 8_000, 8, 100), "wav", -1},
		"mp3, a second":           {bytes.Repeat(frame(), 38), "mp3", 1},
		"mp3, a second and a bit": {bytes.Repeat(frame(), 39), "mp3", 2},
		"mp3, slow":               {bytes.Repeat(slow(), 28), "mp3", 3}, // 2.016 seconds
		"mp3 behind a tag":        {join(id3, bytes.Repeat(frame(), 39)), "mp3", 2},
		"mp3 before an old tag":   {join(bytes.Repeat(frame(), 39), []byte("TAG"), make([]byte, 125)), "mp3", 2},
		"mp3, then something":     {join(bytes.Repeat(frame(), 39), make([]byte, 2_500)), "mp3", 5},
		"mp3, then another rate":  {join(bytes.Repeat(frame(), 3), bytes.Repeat(slow(), 28)), "mp3", 4}, // at 8 kbit/s, as it is
		"mp3, cut":                {bytes.Repeat(frame(), 39)[:39*417-10], "mp3", 2},
		"mp3 that counts itself":  {join(xing(10), bytes.Repeat(frame(), 9)), "mp3", 1},
		"mp3 that claims more":    {join(xing(11), bytes.Repeat(frame(), 9)), "", -1},
		"mp3 of another header":   {join(append([]byte{0xff, 0xfb, 0x90, 0x00}, append(append(make([]byte, 32), "VBRI"...), make([]byte, 377)...)...), bytes.Repeat(frame(), 9)), "", -1},
		"two frames":              {bytes.Repeat(frame(), 2), "", -1},
		"a free format":           {bytes.Repeat(append([]byte{0xff, 0xfb, 0x00, 0x00}, make([]byte, 413)...), 9), "", -1},
		"another layer":           {bytes.Repeat(append([]byte{0xff, 0xfd, 0x90, 0x00}, make([]byte, 413)...), 9), "", -1},
		"flac":                    {[]byte("fLaC\x00\x00\x00\x22"), "flac", -1},
		"ogg":                     {[]byte("OggS\x00\x02"), "ogg", -1},
		"mp4":                     {[]byte("\x00\x00\x00\x20ftypM4A "), "m4a", -1},
		"webm":                    {[]byte("\x1a\x45\xdf\xa3\x01"), "webm", -1},
		"text":                    {[]byte("hello"), "", -1},
		"nothing":                 {nil, "", -1},
		"a tag that is the whole": {[]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f_______"), "", -1},
	} {
		format, clip := media.File(c.file)
		want := passport.Clip{Bytes: int64(len(c.file))}
		if c.seconds >= 0 {
			want.Seconds = passport.LimitOf(c.seconds)
		}
		if format != c.format || clip != want {
			t.Errorf("%s: %q %+v, want %q %+v", name, format, clip, c.format, want)
		}
	}
}

// FuzzFile: no bytes last longer than the slowest MP3 or the thinnest WAV, and nothing panics.
func FuzzFile(f *testing.F) {
	f.Add(bytes.Repeat(frame(), 4))
	f.Add(bytes.Repeat(slow(), 4))
	f.Add(steady(9))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, clip := media.File(b)
		if s, ok := clip.Seconds.Get(); ok && (s < 0 || s > int64(len(b))/1000+3) {
			t.Fatalf("%d bytes last %d seconds", len(b), s)
		}
	})
}
