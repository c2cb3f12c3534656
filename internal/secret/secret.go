// Package secret holds text that must not be printed, logged, compared or encoded by accident.
// It owns nothing; it may not touch I/O.
package secret

import (
	"crypto/subtle"
	"errors"
	"log/slog"
)

const mask = "[secret]"

// Text is a secret. However it is printed or encoded, it shows as [secret] or as an address. fmt prints the unexported fields of
// an outer struct without asking String, and follows a pointer there when the verb does not fit ("%s" of a pointer to bytes); a
// function it never looks into, and a function makes that Texts cannot be compared with == either. The zero Text is empty.
type Text struct{ bytes func() []byte }

// New keeps a copy of s.
func New(s string) Text { return FromBytes([]byte(s)) }

// FromBytes keeps b itself, not a copy.
func FromBytes(b []byte) Text { return Text{func() []byte { return b }} }

// Reveal returns the secret. Its callers are listed in internal/archtest.
func (t Text) Reveal() string {
	if t.bytes == nil {
		return ""
	}
	return string(t.bytes())
}

// Empty says whether there is no secret.
func (t Text) Empty() bool { return t.bytes == nil || len(t.bytes()) == 0 }

// Equal compares in constant time (for equal lengths).
func (t Text) Equal(s string) bool {
	return t.bytes != nil && subtle.ConstantTimeCompare(t.bytes(), []byte(s)) == 1
}

func (t Text) String() string   { return mask }
func (t Text) GoString() string { return mask }

// LogValue keeps the secret out of slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText keeps the secret out of JSON, XML and the like.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText refuses: a secret does not come in by a decoder.
func (t *Text) UnmarshalText([]byte) error { return errors.New("a secret is not decoded from text") }
