package fields

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/internal/problem"
)

// MaxDepth bounds how deep objects and arrays may lie in each other.
const MaxDepth = 64

// Read takes a body apart into the members of one object. Valid UTF-8, no byte order mark, unique names at every level, depth
// at most MaxDepth, one value and nothing behind it. A name that equals a known one in all but case, or a known one that is
// written with escapes, is refused; other unknown names are left alone, as the seed does. Errors: *problem.Error of kind
// Invalid for what is no JSON; *Error for a value that is no object, for duplicates and for wrong spellings.
func Read(body []byte, known ...string) (*Object, error) {
	o := &Object{report: &Error{}}
	if err := o.read(body, known); err != nil {
		return nil, err
	}
	if err := o.report.OrNil(); err != nil {
		return nil, err
	}
	return o, nil
}

// read fills o.members from body. Spellings are reported, not returned.
func (o *Object) read(body []byte, known []string) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	if k := d.PeekKind(); k != jsontext.KindBeginObject {
		v, err := value(d, body)
		if err != nil {
			return syntax(err)
		}
		if err := end(d); err != nil {
			return err
		}
		o.report.Add(o.top, "Expected object, received "+Kind(v))
		return nil
	}
	if _, err := d.ReadToken(); err != nil {
		return syntax(err)
	}
	o.members = map[string]jsontext.Value{}
	for d.PeekKind() != jsontext.KindEndObject {
		raw, err := d.ReadValue()
		if err != nil {
			return o.duplicate(err)
		}
		escaped := bytes.IndexByte(raw, '\\') >= 0
		name := unquote(raw)
		v, err := value(d, body)
		if err != nil {
			return o.duplicate(err)
		}
		o.spelling(name, escaped, known)
		o.members[name] = v
	}
	if _, err := d.ReadToken(); err != nil {
		return o.duplicate(err)
	}
	return end(d)
}

// spelling reports a name that another reader could take for a known one, and that we would not.
func (o *Object) spelling(name string, escaped bool, known []string) {
	for _, k := range known {
		if name == k && !escaped || !strings.EqualFold(name, k) {
			continue
		}
		o.report.Add(o.under(name), "Must be spelled '"+k+"'")
	}
}

// duplicate reports a name that comes twice under the top-level member where it is; other errors are returned.
func (o *Object) duplicate(err error) error {
	e, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || !errors.Is(err, jsontext.ErrDuplicateName) {
		return syntax(err)
	}
	top := ""
	for t := range e.JSONPointer.Tokens() {
		top = t
		break
	}
	r := &Error{}
	r.Add(o.under(top), "Duplicate member '"+e.JSONPointer.LastToken()+"'")
	return r
}

// value reads the next value as it stands in body, within MaxDepth.
func value(d *jsontext.Decoder, body []byte) (jsontext.Value, error) {
	from := d.InputOffset()
	base := d.StackDepth()
	for {
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
		if d.StackDepth() > MaxDepth {
			return nil, errDeep
		}
		if d.StackDepth() <= base {
			break
		}
	}
	raw := body[from:d.InputOffset()]
	return jsontext.Value(bytes.TrimLeft(raw, " \t\r\n:,")), nil
}

var errDeep = problem.New(problem.Invalid, "the JSON is nested deeper than %d levels", MaxDepth)

// end is nil if nothing is left.
func end(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	if err == io.EOF {
		return nil
	}
	return problem.New(problem.Invalid, "the body has more than one JSON value")
}

// syntax says that a body is no JSON, without repeating any of it.
func syntax(err error) error {
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return problem.Wrap(e.Err, problem.Invalid, "the body is not valid JSON at byte %d", e.ByteOffset) // e itself names members
	}
	return problem.Wrap(err, problem.Invalid, "the body is not valid JSON")
}

func unquote(raw jsontext.Value) string {
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "" // cannot be: the decoder has accepted it
	}
	return string(b)
}
