package media

import (
	"bytes"
	"encoding/binary"

	"github.com/devrelopers/aipassport/passport"
)

// File says what a file of sound is, by its own bytes, and how long it lasts at most. Seconds are absent where nothing bounds them: of
// other formats than plain WAV and MP3 a byte can stand for any length of silence. An empty format is none that is known.
func File(b []byte) (format string, clip passport.Clip) {
	clip.Bytes = int64(len(b))
	seconds, ok := int64(0), false
	switch {
	case has(b, 0, "RIFF") && has(b, 8, "WAVE"):
		format = "wav"
		if seconds, ok = wavSeconds(b, clip.Bytes); ok {
			ok = steadyWAV(b)
		}
	case has(b, 0, "fLaC"):
		format = "flac"
	case has(b, 0, "OggS"):
		format = "ogg"
	case has(b, 4, "ftyp"):
		format = "m4a"
	case has(b, 0, "\x1a\x45\xdf\xa3"):
		format = "webm"
	default:
		if seconds, ok = mp3Seconds(b); ok {
			format = "mp3"
		}
	}
	if ok {
		clip.Seconds = passport.LimitOf(seconds)
	}
	return format, clip
}

// steadyWAV says whether the numbers that follow from others agree with them, so that it does not matter which a decoder goes by.
func steadyWAV(b []byte) bool {
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint16(b[at:])) }
	channels, bits, block := word(22), word(34), word(32)
	rate, each := int64(binary.LittleEndian.Uint32(b[24:])), int64(binary.LittleEndian.Uint32(b[28:]))
	return block == channels*bits/8 && each == rate*block
}

// slowest is the fewest bytes of MP3 that a second can have: 8 kbit/s (ISO/IEC 13818-3 §2.4.2.3; free formats are refused).
const slowest = 1000

// mp3Seconds adds up the frames of MPEG audio layer III from the beginning on, behind an ID3v2 tag. What follows the last frame that is in its
// place counts at the lowest rate. Not ok: it does not begin with some frames, or says of itself that it is longer than it is.
func mp3Seconds(b []byte) (seconds int64, ok bool) {
	const few = 3
	at := 0
	if has(b, 0, "ID3") && len(b) > 10 { // its size has seven bits a byte (ID3v2.4 §3.1)
		at = 10 + int(b[6]&0x7f)<<21 + int(b[7]&0x7f)<<14 + int(b[8]&0x7f)<<7 + int(b[9]&0x7f)
		if b[5]&0x10 != 0 {
			at += 10
		}
	}
	var samples, rate, frames int64
	first := []byte(nil)
	for at+4 <= len(b) {
		size, n, r := mp3Frame(b[at:])
		if size == 0 || rate != 0 && r != rate || at+size > len(b) {
			break
		}
		if frames == 0 {
			first = b[at : at+size]
		}
		at, samples, rate, frames = at+size, samples+n, r, frames+1
	}
	if frames < few || claims(first) > frames {
		return 0, false
	}
	rest := int64(len(b) - at)
	if rest == 128 && has(b, at, "TAG") {
		rest = 0
	}
	return (samples+rate-1)/rate + (rest+slowest-1)/slowest, true
}

// claims is how many frames the first one says that there are: Xing's and LAME's header; one of another kind claims too much to be taken.
func claims(first []byte) int64 {
	if bytes.Contains(first, []byte("VBRI")) {
		return 1 << 40
	}
	for _, mark := range []string{"Xing", "Info"} {
		if i := bytes.Index(first, []byte(mark)); i >= 0 && len(first) >= i+12 && first[i+7]&1 != 0 {
			return int64(binary.BigEndian.Uint32(first[i+8:]))
		}
	}
	return 0
}

// The rates of layer III (ISO/IEC 11172-3 §2.4.2.3 and 13818-3), in kbit/s and in samples a second of MPEG-1; MPEG-2 has half the samples,
// and 2.5 a quarter.
var (
	mp3Rates1  = [16]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}
	mp3Rates2  = [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}
	mp3Samples = [4]int{44_100, 48_000, 32_000, 0}
)

// mp3Frame reads the header of one frame: its size in bytes, its samples, and their rate. A size of 0: it is none.
func mp3Frame(h []byte) (size int, samples, rate int64) {
	version, layer := h[1]>>3&3, h[1]>>1&3
	if h[0] != 0xff || h[1]&0xe0 != 0xe0 || version == 1 || layer != 1 {
		return 0, 0, 0
	}
	kbits, hertz, each := mp3Rates2[h[2]>>4], mp3Samples[h[2]>>2&3], 576
	switch version {
	case 3:
		kbits, each = mp3Rates1[h[2]>>4], 1152
	case 2:
		hertz /= 2
	default:
		hertz /= 4
	}
	if kbits == 0 || hertz == 0 {
		return 0, 0, 0
	}
	return each/8*kbits*1000/hertz + int(h[2]>>1&1), int64(each), int64(hertz)
}
