package dialect

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is kept of an upstream error, in bytes.
const (
	MaxMessage = 1000 // its message
	MaxWord    = 100  // its type, code and param
)

// What looks like a secret. Keys have known beginnings, also where the provider has masked their middle with stars; long
// runs that mix cases and digits, and long runs of hex, look like one. Names of models have no upper case and stay.
var (
	keyed  = regexp.MustCompile(`(?i)\b(bearer\s+|basic\s+|api[-_ ]?key[=:]\s*|key=)[^\s"',;&]+`)
	marked = regexp.MustCompile(`\b(sk-|pk-|AIza|AQ\.|ya29\.|eyJ|gsk_|xai-)[A-Za-z0-9_.*~+/=-]{3,}[A-Za-z0-9_*~+/=-]`)
	long   = regexp.MustCompile(`[A-Za-z0-9_+/=*-]{24,}`)
	hex    = regexp.MustCompile(`(?i)^[0-9a-f]{32,}$`)
)

const redacted = "[redacted]"

// Clean makes a text from a provider safe to show: valid UTF-8, no control characters, nothing that looks like a key, at most
// max bytes. An upstream error may repeat the key that it refuses.
func Clean(s string, max int) string {
	if len(s) > 16*max {
		s = s[:16*max]
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	s = keyed.ReplaceAllString(s, "${1}"+redacted)
	s = marked.ReplaceAllString(s, redacted)
	s = long.ReplaceAllStringFunc(s, func(run string) string {
		if looksRandom(run) {
			return redacted
		}
		return run
	})
	return cut(strings.TrimSpace(s), max)
}

func looksRandom(s string) bool {
	digit, upper, lower := false, false, false
	for _, c := range []byte(s) {
		digit = digit || '0' <= c && c <= '9'
		upper = upper || 'A' <= c && c <= 'Z'
		lower = lower || 'a' <= c && c <= 'z'
	}
	return digit && upper && lower || hex.MatchString(s)
}

// cut shortens to max bytes at the edge of a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}
