package strict

import (
	"slices"
	"strconv"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Edit puts Text in the place of the Cut bytes at At.
type Edit struct {
	At, Cut int
	Text    string
}

// Splice returns body with the edits made, in a copy; edits at one place keep their order. Without edits it is body itself.
func Splice(body []byte, edits ...Edit) []byte {
	if len(edits) == 0 {
		return body
	}
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { return a.At - b.At })
	out := make([]byte, 0, len(body)+int(Growth(edits)))
	from := 0
	for _, e := range edits {
		out = append(out, body[from:e.At]...)
		out = append(out, e.Text...)
		from = e.At + e.Cut
	}
	return append(out, body[from:]...)
}

// Growth is by how many bytes the edits make a body longer.
func Growth(edits []Edit) int64 {
	n := 0
	for _, e := range edits {
		n += len(e.Text) - e.Cut
	}
	return int64(n)
}

// Slot is where the value of an optional member goes that the caller left out. The zero Slot is no place at all.
type Slot struct {
	Edit  // its Text comes before the value
	After string
}

// With is the edit that puts a number in the slot.
func (s Slot) With(n int64) Edit {
	e := s.Edit
	e.Text += strconv.FormatInt(n, 10) + s.After
	return e
}

// MaxOutput bounds an output cap that is taken from a caller, in model tokens: far above any model's, far below overflow.
const MaxOutput = 1_000_000_000

// Model checks a model's name from a caller: short, printable, one word.
func Model(name string) error {
	if name == "" {
		return problem.New(problem.Invalid, "a model must be named").In("model")
	}
	if len(name) > passport.MaxModelName {
		return problem.New(problem.Invalid, "a model's name has at most %d bytes", passport.MaxModelName).In("model")
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return problem.New(problem.Invalid, "a model's name has letters, digits and punctuation only").In("model")
		}
	}
	return nil
}
