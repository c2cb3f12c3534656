package strict

import (
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A body longer than longBody is more than any model takes: it is not looked through, but taken for the worst there is.
const (
	longBody   = 4 << 20
	mostGrowth = 11 // U+FDFA
)

// escape is the length of \u and its four digits.
const escape = 6

// TextBytes bounds how many bytes a body has for a tokenizer that brings text to NFKC first, as Anthropic's published one does
// (anthropic-tokenizer-typescript, index.ts): one character of 3 bytes can become 33 there. It is never below len(body), and
// equal to it for ASCII without escapes up to 4 MiB. The body must be JSON.
func TextBytes(body []byte) int64 {
	n := len(body)
	if n > longBody {
		return int64(n) * mostGrowth
	}
	for i := 0; i < len(body); {
		switch c := body[i]; {
		case c >= utf8.RuneSelf:
			_, size := utf8.DecodeRune(body[i:])
			n += growth(body[i:i+size], size)
			i += size
		case c == '\\' && i+escape <= len(body) && body[i+1] == 'u':
			// Half a surrogate pair is no character of its own, and what whole ones become is within their twelve bytes.
			if r, err := strconv.ParseUint(string(body[i+2:i+escape]), 16, 16); err == nil {
				n += growth(utf8.AppendRune(nil, rune(r)), escape)
			}
			i += escape
		case c == '\\':
			i += 2
		default:
			i++
		}
	}
	return int64(n)
}

// growth is how many bytes more than written the compatibility decomposition of a character has. Where NFKC composes it again,
// that is too many.
func growth(char []byte, written int) int {
	return max(0, len(norm.NFKC.Properties(char).Decomposition())-written)
}
