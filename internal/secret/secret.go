// Package secret holds text that must not be printed, logged, compared or encoded by accident.
// It owns nothing; it may not touch I/O.
package secret

import (
	"crypto/subtle"
	"errors"
	"log/slog"
)

const mask = "[secret]"

// Text is a secret. However it is printed or encoded, it shows as [secret]. The pointer inside keeps fmt
// from printing it as a field of an outer struct, which it does without asking String. The zero Text is empty.
type Text struct{ p *[]byte }

// New keeps a copy of s.
func New(s string) Text { b := []byte(s); return Text{&b} }

// FromBytes keeps b itself, not a copy.
func FromBytes(b []byte) Text { return Text{&b} }

// Reveal returns the secret. Its callers are listed in internal/archtest: guard/vault, gateway/upstream and this package.
func (t Text) Reveal() string {
	if t.p == nil {
		return ""
	}
	return string(*t.p)
}

// Empty says whether there is no secret.
func (t Text) Empty() bool { return t.p == nil || len(*t.p) == 0 }

// Equal compares in constant time (for equal lengths).
func (t Text) Equal(s string) bool {
	return t.p != nil && subtle.ConstantTimeCompare(*t.p, []byte(s)) == 1
}

func (t Text) String() string   { return mask }
func (t Text) GoString() string { return mask }

// LogValue keeps the secret out of slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText keeps the secret out of JSON, XML and the like.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText refuses: a secret does not come in by a decoder.
func (t *Text) UnmarshalText([]byte) error { return errors.New("a secret is not decoded from text") }
