package strict_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// TestTextBytesBoundsNormalizedText: for every character there is, written plainly and as an escape.
func TestTextBytesBoundsNormalizedText(t *testing.T) {
	for r := rune(0x80); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		plain := string(r)
		escaped := fmt.Sprintf(`\u%04x`, r)
		if r > 0xffff {
			escaped = fmt.Sprintf(`\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
		for _, text := range []string{plain, escaped} {
			want := max(len(text), len(norm.NFKC.String(plain)))
			if got := strict.TextBytes([]byte(text)); got < int64(want) {
				t.Errorf("%U as %q: %d bytes, want at least %d", r, text, got, want)
			}
		}
	}
	for _, text := range []string{"", `{"a":"plain \" \\ \n text"}`, `\`, `\u00`, `\\ufdfa`} {
		if got := strict.TextBytes([]byte(text)); got != int64(len(text)) {
			t.Errorf("%q: %d bytes, want %d", text, got, len(text))
		}
	}
	if long := strings.Repeat("ﷺ", 2<<20); strict.TextBytes([]byte(long)) < int64(len(norm.NFKC.String(long))) {
		t.Error("a long text is not bounded")
	}
	if got, want := strict.TextBytes([]byte(`"ﷺ"`)), int64(35); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func BenchmarkTextBytes(b *testing.B) {
	for name, unit := range map[string]string{"ascii": "plain text, ", "accents": "é", "ligature": "ﷺ"} {
		b.Run(name, func(b *testing.B) {
			body := make([]byte, 0, 1<<20)
			for len(body) < 1<<20 {
				body = append(body, unit...)
			}
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				strict.TextBytes(body)
			}
		})
	}
}
