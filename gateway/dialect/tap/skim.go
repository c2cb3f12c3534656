package tap

import (
	"bytes"
	"encoding/json"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// maxSkimmed bounds what Skim keeps of an answer, in bytes. Of one that has more besides the member that is passed over, the usage is unknown.
const maxSkimmed = 256 << 10

// skim is a dialect.Tap for answers in one JSON object whose bulk is the value of one member: vectors, or images. It passes all bytes at
// once and keeps none of that value, so that the usage behind it is found however long it is.
type skim struct {
	read func(b *strict.Reader) (passport.Usage, error)
	bulk string // the member whose value is passed over

	kept    []byte // the answer with 0 for that value
	name    []byte // of the member of the whole that is being read
	depth   int
	text    bool // inside a string
	escape  bool // after a backslash
	naming  bool // the next string of the whole is a name
	named   bool // this string is one
	passing bool // inside that value
	over    bool // more than maxSkimmed is to be kept
	fault   error
}

// NewSkim makes a tap that reads the usage of an answer from all but the value of one of its members.
func NewSkim(read func(b *strict.Reader) (passport.Usage, error), bulk string) dialect.Tap {
	return &skim{read: read, bulk: bulk}
}

// Pass takes bytes from the provider and returns them.
func (s *skim) Pass(p []byte) ([]byte, error) {
	if s.fault == nil && len(s.kept) == 0 {
		if form, err := sniff(bytes.TrimLeft(p, " \t\r\n")); err != nil || form != object && form != unseen {
			s.fault = problem.New(problem.UpstreamFailed, "the provider's answer is not in its own format")
		}
	}
	if s.fault != nil {
		return nil, s.fault
	}
	for _, c := range p {
		s.take(c)
	}
	return p, nil
}

// take follows the brackets and strings of the answer, and keeps what is outside of the bulk.
func (s *skim) take(c byte) {
	switch {
	case s.text:
		s.inText(c)
	case c == '"':
		s.text, s.named = true, s.depth == 1 && s.naming
		if s.named {
			s.name, s.naming = s.name[:0], false
		}
	case c == '{' || c == '[':
		s.depth++
		s.naming = s.depth == 1
	case c == '}' || c == ']':
		s.depth--
		s.passing = s.passing && s.depth > 0
	case c == ',' && s.depth == 1:
		s.naming, s.passing = true, false
	case c == ':' && s.depth == 1 && !s.passing && string(s.name) == s.bulk:
		s.keep(':')
		s.keep('0')
		s.passing = true
		return
	}
	if !s.passing {
		s.keep(c)
	}
}

func (s *skim) inText(c byte) {
	switch {
	case s.escape:
		s.escape = false
	case c == '\\':
		s.escape = true
	case c == '"':
		s.text = false
		return
	}
	if s.named && len(s.name) <= len(s.bulk) {
		s.name = append(s.name, c)
	}
}

func (s *skim) keep(c byte) {
	if len(s.kept) == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
		return
	}
	if s.over = s.over || len(s.kept) >= maxSkimmed; !s.over {
		s.kept = append(s.kept, c)
	}
}

// Over says nothing: such an answer has no end mark.
func (s *skim) Over() (passport.Usage, bool) { return passport.Usage{}, false }

// End returns the usage.
func (s *skim) End() ([]byte, passport.Usage) {
	var u passport.Usage
	if s.fault != nil || s.over {
		return nil, u
	}
	if strict.Read(s.kept, func(b *strict.Reader) (err error) { u, err = s.read(b); return err }) != nil || !u.Sane() {
		return nil, passport.Usage{}
	}
	return nil, u
}

// Seen says whether the answer is whole.
func (s *skim) Seen() passport.Seen {
	return passport.Seen{Whole: s.fault == nil && s.depth == 0 && (s.over || json.Valid(s.kept))}
}
