// Package strict reads a request body in one pass, and in one way only: what it accepts means the same to every JSON reader,
// so that the very bytes may be forwarded. Valid UTF-8, no byte order mark, unique names at every level, names of members that
// matter known and spelled exactly (no other case, no escapes), depth at most 64, exactly one value. It gives back where values
// stand, so that others can be spliced in without writing the body anew. It knows no field; it may not touch I/O.
package strict

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/devrelopers/aipassport/internal/problem"
)

// MaxDepth bounds how deep objects and arrays may lie in each other.
const MaxDepth = 64

// Reader walks one body. All its errors are Invalid and name the member at fault, like messages[0].content[1].type.
type Reader struct {
	d    *jsontext.Decoder
	src  bytes.Buffer // what d reads from
	body []byte
}

// reused bounds the bodies after which a reader is used again, in bytes. jsontext keeps the names of each level until another body goes as
// deep: those of large bodies, or of refused ones, which may be deeper than MaxDepth, could fill the memory, and nobody would count it.
const reused = 16 << 10

// readers are used again: what jsontext keeps to find names that come twice is a sixth of what a call allocates. Between two uses they hold
// no body; names of members may lie in their scratch space, which nothing reads.
var readers = sync.Pool{New: func() any { return &Reader{d: jsontext.NewDecoder(bytes.NewReader(nil))} }}

// Read walks body by top, which must read exactly one value, and sees to it that nothing follows. top may not keep the Reader.
func Read(body []byte, top func(r *Reader) error) error {
	r := readers.Get().(*Reader)
	r.src, r.body = *bytes.NewBuffer(body), body
	r.d.Reset(&r.src)
	if err := top(r); err != nil {
		return err
	}
	if _, err := r.d.ReadToken(); err != io.EOF {
		return problem.New(problem.Invalid, "the body has more than one JSON value")
	}
	if len(body) <= reused {
		r.src, r.body = bytes.Buffer{}, nil
		r.d.Reset(&r.src)
		readers.Put(r)
	}
	return nil
}

// Object reads an object: member is called for each name and must read the value. Names with escapes are refused, because a
// reader that does not unescape them would see another member.
func (r *Reader) Object(member func(name string) error) error {
	if err := r.open(jsontext.KindBeginObject, "object"); err != nil {
		return err
	}
	for r.d.PeekKind() != jsontext.KindEndObject {
		raw, err := r.d.ReadValue()
		if err != nil {
			return r.syntax(err)
		}
		if bytes.IndexByte(raw, '\\') >= 0 {
			return r.Refuse("the name of a member cannot be written with escapes")
		}
		if err := member(string(raw[1 : len(raw)-1])); err != nil {
			return err
		}
	}
	return r.close()
}

// Array reads an array: element is called before each element and must read it.
func (r *Reader) Array(element func() error) error {
	if err := r.open(jsontext.KindBeginArray, "array"); err != nil {
		return err
	}
	for r.d.PeekKind() != jsontext.KindEndArray {
		if err := element(); err != nil {
			return err
		}
	}
	return r.close()
}

func (r *Reader) open(k jsontext.Kind, name string) error {
	if err := r.want(k, name); err != nil {
		return err
	}
	if _, err := r.d.ReadToken(); err != nil {
		return r.syntax(err)
	}
	if r.d.StackDepth() > MaxDepth {
		return r.deep()
	}
	return nil
}

func (r *Reader) close() error {
	if _, err := r.d.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return nil
}

// want is an error unless the next value is of a kind.
func (r *Reader) want(k jsontext.Kind, name string) error {
	got := r.d.PeekKind()
	if got == k {
		return nil
	}
	if got == jsontext.KindInvalid {
		_, err := r.d.ReadToken()
		return r.syntax(err)
	}
	return problem.New(problem.Invalid, "expected %s, received %s", name, kindName(got)).In(r.next())
}

// next is the name of the value that comes next.
func (r *Reader) next() string {
	at := r.d.StackPointer()
	kind, n := r.d.StackIndex(r.d.StackDepth())
	if kind != jsontext.KindBeginArray {
		return Field(at)
	}
	if n > 0 {
		at = at.Parent()
	}
	return Field(at.AppendToken(strconv.FormatInt(n, 10)))
}

// Next is the kind of the next value: one of n f t " 0 { [; anything else is the end or an error that the next read tells.
func (r *Reader) Next() jsontext.Kind { return r.d.PeekKind() }

// Null reads a null if one is next, and says so. Where a member may be left out, null means that it was.
func (r *Reader) Null() bool {
	if r.d.PeekKind() != jsontext.KindNull {
		return false
	}
	_, err := r.d.ReadToken()
	return err == nil
}

// String reads a string and returns the text that it stands for.
func (r *Reader) String() (string, error) {
	if err := r.want(jsontext.KindString, "string"); err != nil {
		return "", err
	}
	t, err := r.d.ReadToken()
	if err != nil {
		return "", r.syntax(err)
	}
	return t.String(), nil
}

// Text reads a string of any content and length without keeping it.
func (r *Reader) Text() error { return r.scalar(jsontext.KindString, "string") }

// Data reads a string of any length and returns what stands between its quotes, as it is written there, and where that is. It is a part
// of the body.
func (r *Reader) Data() (raw []byte, at int, err error) {
	if err := r.want(jsontext.KindString, "string"); err != nil {
		return nil, 0, err
	}
	v, err := r.d.ReadValue()
	if err != nil {
		return nil, 0, r.syntax(err)
	}
	end := r.End() - 1
	at = end - (len(v) - 2)
	return r.body[at:end], at, nil
}

// Number reads a number of any size without keeping it.
func (r *Reader) Number() error { return r.scalar(jsontext.KindNumber, "number") }

func (r *Reader) scalar(k jsontext.Kind, name string) error {
	if err := r.want(k, name); err != nil {
		return err
	}
	if _, err := r.d.ReadToken(); err != nil {
		return r.syntax(err)
	}
	return nil
}

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	k := r.d.PeekKind()
	if k != jsontext.KindTrue && k != jsontext.KindFalse {
		return false, r.want(jsontext.KindTrue, "boolean")
	}
	if _, err := r.d.ReadToken(); err != nil {
		return false, r.syntax(err)
	}
	return k == jsontext.KindTrue, nil
}

// OneOf reads a string that must be one of the allowed ones.
func (r *Reader) OneOf(allowed ...string) (string, error) {
	s, err := r.String()
	if err != nil {
		return "", err
	}
	for _, a := range allowed {
		if s == a {
			return s, nil
		}
	}
	if len(allowed) == 1 {
		return "", r.Refuse("only %q is allowed here", allowed[0])
	}
	return "", r.Refuse("must be one of %s", strings.Join(allowed, ", "))
}

// Strings reads an array of strings.
func (r *Reader) Strings() error { return r.Array(r.Text) }

// Any reads a value of any shape, within MaxDepth and with unique names; its names are the caller's own.
func (r *Reader) Any() error {
	raw, err := r.d.ReadValue() // which looks for names that come twice, and goes no deeper than 10,000
	if err != nil {
		return r.syntax(err)
	}
	if r.d.StackDepth()+deepest(raw) > MaxDepth {
		return r.deep()
	}
	return nil
}

// deepest is how deep objects and arrays lie in each other in a value that is valid.
func deepest(value []byte) (most int) {
	depth := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			for i++; value[i] != '"'; i++ {
				if value[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

// AnyObject reads an object with any members.
func (r *Reader) AnyObject() error {
	if err := r.want(jsontext.KindBeginObject, "object"); err != nil {
		return err
	}
	return r.Any()
}

// Begin is where the next value begins in the body; to be called before it is read.
func (r *Reader) Begin() int {
	at := int(r.d.InputOffset())
	for at < len(r.body) && strings.IndexByte(" \t\r\n:,", r.body[at]) >= 0 {
		at++
	}
	return at
}

// End is where the last value or name that was read ends in the body; right after the start of an object was read, it is
// where its first member can be put.
func (r *Reader) End() int { return int(r.d.InputOffset()) }

// Refuse is an error about the member that was read last, or whose name was.
func (r *Reader) Refuse(format string, args ...any) error {
	p := problem.New(problem.Invalid, format, args...)
	if at := Field(r.d.StackPointer()); at != "" {
		return p.In(at)
	}
	return p
}

// RefuseAt is like Refuse, about another member beside or below that one.
func (r *Reader) RefuseAt(name, format string, args ...any) error {
	at := Field(r.d.StackPointer())
	if at != "" && !strings.HasPrefix(name, "[") {
		at += "."
	}
	return problem.New(problem.Invalid, format, args...).In(at + name)
}

// Unknown refuses a member that is not on the list of what may go through.
func (r *Reader) Unknown() error { return r.Refuse("unknown or not allowed field") }

func (r *Reader) deep() error {
	return problem.New(problem.Invalid, "the JSON is nested deeper than %d levels", MaxDepth)
}

// syntax says what is wrong with the JSON, without repeating any of the body but names.
func (r *Reader) syntax(err error) error {
	e, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return problem.Wrap(err, problem.Invalid, "the body is not valid JSON")
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return problem.New(problem.Invalid, "the member comes twice").In(Field(e.JSONPointer))
	}
	return problem.Wrap(e.Err, problem.Invalid, "the body is not valid JSON at byte %d", e.ByteOffset) // e itself names members
}

// maxField bounds how much of the caller's own names an error repeats, in bytes.
const maxField = 200

// Field writes a JSON pointer (RFC 6901) the way people write it: messages[0].content.
func Field(p jsontext.Pointer) string {
	var b strings.Builder
	for t := range p.Tokens() {
		if b.Len()+len(t) > maxField {
			return b.String() + "..."
		}
		if _, err := strconv.Atoi(t); err == nil {
			b.WriteString("[" + t + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(t)
	}
	return b.String()
}

func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "boolean"
	case jsontext.KindString:
		return "string"
	case jsontext.KindNumber:
		return "number"
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	default:
		return "nothing"
	}
}
