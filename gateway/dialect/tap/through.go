package tap

import (
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/passport"
)

// through is a dialect.Tap for answers that are not JSON and tell no usage: sound, or plain text. It looks at nothing.
type through struct{ ended bool }

// NewThrough makes a tap that lets everything pass. What the answer cost is unknown to it: the hold.
func NewThrough() dialect.Tap { return &through{} }

// Pass returns p.
func (t *through) Pass(p []byte) ([]byte, error) { return p, nil }

// Over says nothing: such an answer has no end mark.
func (t *through) Over() (passport.Usage, bool) { return passport.Usage{}, false }

// End notes that the answer has ended well.
func (t *through) End() ([]byte, passport.Usage) {
	t.ended = true
	return nil, passport.Usage{}
}

// Seen says whether it has.
func (t *through) Seen() passport.Seen { return passport.Seen{Whole: t.ended} }
