package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/internal/problem"
)

// talk is a request in no provider's format. Places (at) are names of members in the caller's body.
type talk struct {
	system  []part // texts
	turns   []turn
	tools   []tool
	choice  choice
	serial  string // place of the wish that one tool is called at a time; empty: none
	format  format
	max     int64  // output cap; 0: none
	maxAt   string // place of it
	stop    []string
	effort  effort
	user    string // who the app's user is; empty: not said
	userAt  string
	ignored []string // places of what changes no answer and is not carried

	// Sampling, as the caller wrote the numbers; nil: not given.
	temperature, topP, topK, seed, presence, frequency json.RawMessage

	stream, wantsUsage bool

	pieces int // messages, parts, tools, calls and stop sequences, counted as they are read
}

// maxPieces bounds how many pieces a request may have: each takes some hundred bytes here, however small it is in its body.
const maxPieces = 20_000

// each reads an array of pieces and tells each its place.
func (t *talk) each(b body, at string, piece func(at string) error) error {
	i := -1
	return b.Array(func() error {
		if t.pieces++; t.pieces > maxPieces {
			return b.Refuse("a request to a model of another provider has at most %d messages, parts, tools, calls and stop sequences in all", maxPieces)
		}
		i++
		return piece(fmt.Sprintf("%s[%d]", at, i))
	})
}

type role int

const (
	user role = iota
	assistant
)

// turn is one message of one side.
type turn struct {
	role  role
	parts []part
	at    string
}

type kind int

const (
	text kind = iota
	image
	call   // of a tool, by the model
	result // of a call
)

// part is a piece of a turn. Which members have a value is its kind's to say.
type part struct {
	kind kind
	at   string

	text string // of a text

	mime string // of an image
	data string // of an image, in base64, as it stands between the quotes of a JSON text

	id     string          // of a call, and of the call that a result is for
	name   string          // of the tool that is called
	input  json.RawMessage // of a call: an object
	texts  []string        // of a result
	failed bool            // of a result
}

// tool is a function that the model may call and the app runs.
type tool struct {
	name, description string
	schema            json.RawMessage // nil: none
	strict            bool
	at                string
}

// choice is which tool must be called. The zero choice says nothing.
type choice struct {
	mode mode
	name string // of one
	at   string
}

type mode int

const (
	unsaid mode = iota
	auto
	never
	required
	one
)

// format is the form of the answer. The zero format is text.
type format struct {
	json   bool
	schema json.RawMessage // nil: any JSON object
	name   string
	at     string
}

// effort is how much the model is to think. Given is a word, a budget in model tokens, or a leave to decide by itself.
type effort struct {
	word     string // none minimal low medium high xhigh max; empty: not said
	budget   int64  // 0: not said
	adaptive bool
	show     bool // the caller may see the thoughts
	at       string
}

// object is a JSON object of ours.
type object map[string]any

func (o object) set(name string, v any, there bool) {
	if there {
		o[name] = v
	}
}

// encode writes a body. Its raw parts were read strictly, so it cannot fail.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("bridge: a body that cannot be encoded: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// isObject says whether a text is one JSON object, by the strict rules.
func isObject(text string) bool {
	return strict.Read([]byte(text), (*strict.Reader).AnyObject) == nil
}

// described is a schema with a description of the whole. False: it has one already.
func described(schema json.RawMessage, description string) (json.RawMessage, bool) {
	own, empty := false, true
	err := strict.Read(schema, func(b *strict.Reader) error {
		return b.Object(func(name string) error {
			own, empty = own || name == "description", false
			return b.Any()
		})
	})
	if err != nil || own {
		return schema, false
	}
	text := encode(description)
	rest := bytes.TrimLeft(schema, " \t\r\n")[1:]
	out := append([]byte(`{"description":`), text...)
	if !empty {
		out = append(out, ',')
	}
	return append(out, rest...), true
}

// body is a reader that also gives what it read as it was written.
type body struct {
	*strict.Reader
	bytes []byte
}

// raw reads a value by f and returns it as it was written.
func (b body) raw(f func() error) (json.RawMessage, error) {
	at := b.Begin()
	if err := f(); err != nil {
		return nil, err
	}
	return json.RawMessage(b.bytes[at:b.End()]), nil
}

// table is the members of an object and how each is read.
type table map[string]func() error

// members reads an object. A null is as good as nothing; what is not in the table is refused, and what is refused says why.
func (b body) members(t table, refused map[string]string) error {
	return b.Object(func(name string) error {
		read, ok := t[name]
		switch {
		case !ok && refused[name] != "":
			if b.Null() {
				return nil
			}
			return b.Refuse("%s", refused[name])
		case !ok:
			return b.Unknown()
		case b.Null():
			return nil
		default:
			return read()
		}
	})
}

func invalid(field, format string, args ...any) error {
	return problem.New(problem.Invalid, format, args...).In(field)
}

// compact is a JSON value without space between its parts.
func compact(v json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, v); err != nil {
		panic("bridge: a value that was read is no JSON: " + err.Error())
	}
	return b.Bytes()
}

// merged is the turns, those of one side that follow each other made one, and of those of the user's all results first: they answer the
// calls of the turn before.
func (t *talk) merged() []turn {
	var out []turn
	for _, next := range t.turns {
		if n := len(out); n > 0 && out[n-1].role == next.role {
			out[n-1].parts = append(out[n-1].parts, next.parts...) // room that is there is used: many small messages are not copied many times
			continue
		}
		out = append(out, next)
	}
	for i := range out {
		out[i].parts = resultsFirst(out[i].parts)
	}
	return out
}

func resultsFirst(parts []part) []part {
	var results, others []part
	for _, p := range parts {
		if p.kind == result {
			results = append(results, p)
		} else {
			others = append(others, p)
		}
	}
	return append(results, others...)
}

// Rename gives the model in a body that was read strictly another name, which is one that may stand in JSON as it is.
func Rename(raw []byte, model string) []byte {
	var e strict.Edit
	err := strict.Read(raw, func(b *strict.Reader) error {
		return b.Object(func(name string) error {
			if name != "model" {
				return b.Any()
			}
			at := b.Begin()
			err := b.Text()
			e = strict.Edit{At: at, Cut: b.End() - at, Text: `"` + model + `"`}
			return err
		})
	})
	if err != nil || e.Cut == 0 {
		return raw
	}
	return strict.Splice(raw, e)
}
