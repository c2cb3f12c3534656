package media

import "encoding/binary"

// sniff says what an image is by its first bytes, and how its size is read. Anything else: nil.
func sniff(b []byte) (format string, size func([]byte) (w, h int64, ok bool)) {
	switch {
	case has(b, 0, "\x89PNG\r\n\x1a\n"):
		return "image/png", pngSize
	case has(b, 0, "\xff\xd8\xff"):
		return "image/jpeg", jpegSize
	case has(b, 0, "GIF87a"), has(b, 0, "GIF89a"):
		return "image/gif", gifSize
	case has(b, 0, "RIFF") && has(b, 8, "WEBP"):
		return "image/webp", webpSize
	default:
		return "", nil
	}
}

// has says whether s stands at a place.
func has(b []byte, at int, s string) bool { return len(b) >= at+len(s) && string(b[at:at+len(s)]) == s }

// pngSize reads IHDR, which comes first (PNG specification, third edition, §5.6).
func pngSize(b []byte) (w, h int64, ok bool) {
	if len(b) < 24 || !has(b, 12, "IHDR") {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint32(b[16:])), int64(binary.BigEndian.Uint32(b[20:])), true
}

// jpegSize walks the segments to the frame header (ITU-T T.81, B.2.2). A small picture in the metadata is inside a segment, and passed
// over with it. A height that is to come later (DNL) is 0 here, and refused.
func jpegSize(b []byte) (w, h int64, ok bool) {
	for at := 2; at+4 <= len(b); {
		if b[at] != 0xff {
			return 0, 0, false
		}
		marker := b[at+1]
		switch {
		case marker == 0xff: // a fill byte
			at++
			continue
		case marker == 0x01 || 0xd0 <= marker && marker <= 0xd7: // these stand alone
			at += 2
			continue
		case marker == 0x00 || marker == 0xd8 || marker == 0xd9 || marker == 0xda: // the scan begins, or all ends, without a frame
			return 0, 0, false
		case 0xc0 <= marker && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if at+9 > len(b) {
				return 0, 0, false
			}
			return int64(binary.BigEndian.Uint16(b[at+7:])), int64(binary.BigEndian.Uint16(b[at+5:])), true
		}
		length := int(binary.BigEndian.Uint16(b[at+2:]))
		if length < 2 {
			return 0, 0, false
		}
		at += 2 + length
	}
	return 0, 0, false
}

// gifSize is the screen, or the first picture where that reaches beyond it: decoders grow the one for the other (GIF89a, 18 to 26).
func gifSize(b []byte) (w, h int64, ok bool) {
	if len(b) < 13 {
		return 0, 0, false
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint16(b[at:])) }
	w, h = word(6), word(8)
	at := 13
	if b[10]&0x80 != 0 {
		at += 3 << (b[10]&7 + 1)
	}
	for at < len(b) {
		switch b[at] {
		case 0x2c:
			if at+9 > len(b) {
				return 0, 0, false
			}
			return max(w, word(at+1)+word(at+5)), max(h, word(at+3)+word(at+7)), true
		case 0x21: // an extension: a label, then blocks up to an empty one
			for at += 2; at < len(b) && b[at] != 0; {
				at += 1 + int(b[at])
			}
			at++
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// webpSize reads the first chunk (RFC 9649 §2.5 to 2.7).
func webpSize(b []byte) (w, h int64, ok bool) {
	if len(b) < 30 {
		return 0, 0, false
	}
	u24 := func(at int) int64 { return int64(b[at]) | int64(b[at+1])<<8 | int64(b[at+2])<<16 }
	switch string(b[12:16]) {
	case "VP8 ": // RFC 6386 §9.1
		if b[20]&1 != 0 || !has(b, 23, "\x9d\x01\x2a") {
			return 0, 0, false
		}
		return int64(binary.LittleEndian.Uint16(b[26:]) & 0x3fff), int64(binary.LittleEndian.Uint16(b[28:]) & 0x3fff), true
	case "VP8L":
		if b[20] != 0x2f {
			return 0, 0, false
		}
		bits := binary.LittleEndian.Uint32(b[21:])
		return int64(bits&0x3fff) + 1, int64(bits>>14&0x3fff) + 1, true
	case "VP8X":
		return u24(24) + 1, u24(27) + 1, true
	default:
		return 0, 0, false
	}
}

// wavSeconds is how long so many bytes of plain sound last at most, rounded up, as the header at the very beginning of a WAV file
// says (RIFF, "fmt ": whole samples or floating point, 8,000 to 192,000 a second). Not ok: it is something else.
func wavSeconds(b []byte, size int64) (seconds int64, ok bool) {
	if len(b) < 36 || !has(b, 0, "RIFF") || !has(b, 8, "WAVEfmt ") {
		return 0, false
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint16(b[at:])) }
	kind, channels, rate, bits := word(20), word(22), int64(binary.LittleEndian.Uint32(b[24:])), word(34)
	if kind != 1 && kind != 3 || channels < 1 || channels > 8 || rate < 8_000 || rate > 192_000 || bits < 8 || bits > 64 || bits%8 != 0 {
		return 0, false
	}
	each := rate * channels * bits / 8
	return (size + each - 1) / each, true
}
