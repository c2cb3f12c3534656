package tap

import (
	"encoding/json"

	"github.com/devrelopers/aipassport/passport"
)

// Free is the Reader of an answer that costs nothing, whatever it says: a count. Its usage is known, and none, if the answer is one JSON object.
type Free struct{ whole bool }

// Event takes a piece of a stream, which no such answer is. Nothing is hidden.
func (*Free) Event([]byte) bool { return false }

// Whole takes the answer.
func (f *Free) Whole(data []byte) { f.whole = json.Valid(data) }

// Usage is none, once the answer is whole.
func (f *Free) Usage() passport.Usage { return passport.Usage{Known: f.whole} }

// Seen says nothing of a stream.
func (*Free) Seen() passport.Seen { return passport.Seen{} }
