package fields

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Required is the word for a member that is missing.
const Required = "Required"

// maxInteger is the largest whole number that every JSON reader agrees on (RFC 8259 §6).
const maxInteger = 1<<53 - 1

// Object is a JSON object whose members are checked one by one. What is wrong is collected, under the name of the top-level
// member; the methods then return zero values. An Object that stands for a missing or wrong member reports nothing more.
type Object struct {
	members map[string]jsontext.Value
	report  *Error
	top     string // top-level member in which this object lies; empty for the body itself
	gone    bool   // stands for what is missing or no object, and was reported
}

// Err is everything that is wrong so far as *Error, or nil.
func (o *Object) Err() error { return o.report.OrNil() }

// Has says whether a member is there, null included.
func (o *Object) Has(name string) bool { _, ok := o.members[name]; return ok }

// Raw is a member's bytes as they stand in the body; nil if it is not there.
func (o *Object) Raw(name string) jsontext.Value { return o.members[name] }

// Fail reports something about a member in the caller's own words.
func (o *Object) Fail(name, format string, args ...any) {
	if !o.gone {
		o.report.Add(o.under(name), fmt.Sprintf(format, args...))
	}
}

// String is a text of at least min characters; it must be there.
func (o *Object) String(name string, min int) string {
	v, ok := o.want(name, "string", true)
	if !ok {
		return ""
	}
	s := unquote(v)
	if len(s) < min && len([]rune(s)) < min {
		o.Fail(name, "String must contain at least %d character(s)", min)
	}
	return s
}

// OptString is a text that may be missing.
func (o *Object) OptString(name string) (s string, ok bool) {
	v, ok := o.want(name, "string", false)
	if !ok {
		return "", false
	}
	return unquote(v), true
}

// OptBool is true or false, or missing.
func (o *Object) OptBool(name string) (b, ok bool) {
	v, ok := o.want(name, "boolean", false)
	return ok && v.Kind() == jsontext.KindTrue, ok
}

// OptNumber is a number as it is written, or nil if it is missing. It is not converted: no float comes in here.
func (o *Object) OptNumber(name string) jsontext.Value {
	v, _ := o.want(name, "number", false)
	return v
}

// Int is a whole number from min that must be there.
func (o *Object) Int(name string, min int64) int64 {
	v, ok := o.want(name, "number", true)
	if !ok {
		return 0
	}
	n, _ := o.integer(name, v, min)
	return n
}

// OptInt is a whole number from min that may be missing.
func (o *Object) OptInt(name string, min int64) (n int64, ok bool) {
	v, ok := o.want(name, "number", false)
	if !ok {
		return 0, false
	}
	return o.integer(name, v, min)
}

// integer is a whole number, however it is written: 1000, 1e3 and 1000.0 are one. All that is wrong with it is reported.
func (o *Object) integer(name string, v jsontext.Value, min int64) (int64, bool) {
	n, whole := floor(string(v))
	if !whole {
		o.Fail(name, "Expected integer, received float")
	}
	if n < min {
		o.Fail(name, "Number must be greater than or equal to %d", min)
	}
	if whole && n > maxInteger {
		o.Fail(name, "Number must be less than or equal to %d", int64(maxInteger))
	}
	if !whole || n < min || n > maxInteger {
		return 0, false
	}
	return n, true
}

// Enum is one of the allowed texts; it must be there.
func (o *Object) Enum(name string, allowed ...string) string {
	if !o.Has(name) {
		o.Fail(name, Required)
		return ""
	}
	return o.enum(name, o.members[name], allowed)
}

func (o *Object) enum(name string, v jsontext.Value, allowed []string) string {
	list := "'" + strings.Join(allowed, "' | '") + "'"
	if v.Kind() != jsontext.KindString {
		o.Fail(name, "Expected %s, received %s", list, Kind(v))
		return ""
	}
	s := unquote(v)
	if !slices.Contains(allowed, s) {
		o.Fail(name, "Invalid enum value. Expected %s, received '%s'", list, s)
		return ""
	}
	return s
}

// Array is a list that must be there; its elements are as they stand in the body. Not nil if it was good.
func (o *Object) Array(name string) []jsontext.Value {
	v, ok := o.want(name, "array", true)
	if !ok {
		return nil
	}
	return elements(v)
}

// OptArray is a list that may be missing.
func (o *Object) OptArray(name string) []jsontext.Value {
	v, ok := o.want(name, "array", false)
	if !ok {
		return nil
	}
	return elements(v)
}

// Strings is a list of texts that must be there and may be empty.
func (o *Object) Strings(name string) []string {
	list := o.Array(name)
	if list == nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		if v.Kind() != jsontext.KindString {
			o.Fail(name, "Expected string, received %s", Kind(v))
			continue
		}
		out = append(out, unquote(v))
	}
	return out
}

// Enums is a list of allowed texts that must be there and may be empty.
func (o *Object) Enums(name string, allowed ...string) []string {
	list := o.Array(name)
	if list == nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, o.enum(name, v, allowed))
	}
	return out
}

// Object is an object that must be there. What is wrong inside is listed under the top-level member.
func (o *Object) Object(name string, known ...string) *Object {
	v, ok := o.want(name, "object", true)
	if !ok {
		return &Object{report: o.report, gone: true}
	}
	return o.Inside(name, v, known...)
}

// Inside is a value that lies in a member of o, read as an object: an element of a list, for example.
func (o *Object) Inside(name string, v jsontext.Value, known ...string) *Object {
	in := &Object{report: o.report, top: o.under(name)}
	if err := in.read(v, known); err != nil {
		in.Fail("", "%s", err.Error()) // cannot be: Read has accepted it
	}
	in.gone = in.members == nil
	return in
}

// want is a member of a kind in Zod's words. What is missing is reported if it is required.
func (o *Object) want(name, kind string, required bool) (jsontext.Value, bool) {
	v, ok := o.members[name]
	if !ok {
		if required {
			o.Fail(name, Required)
		}
		return nil, false
	}
	if got := Kind(v); got != kind {
		o.Fail(name, "Expected %s, received %s", kind, got)
		return nil, false
	}
	return v, true
}

// under is the name under which a member of o is reported.
func (o *Object) under(name string) string {
	if o.top != "" {
		return o.top
	}
	return name
}

// Kind is Zod's word for what a value is: string, number, boolean, null, array, object; undefined if it is missing.
func Kind(v jsontext.Value) string {
	switch v.Kind() {
	case jsontext.KindString:
		return "string"
	case jsontext.KindNumber:
		return "number"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "boolean"
	case jsontext.KindNull:
		return "null"
	case jsontext.KindBeginArray:
		return "array"
	case jsontext.KindBeginObject:
		return "object"
	default:
		return "undefined"
	}
}

// Text is the text that a JSON string stands for; empty for any other value.
func Text(v jsontext.Value) string {
	if v.Kind() != jsontext.KindString {
		return ""
	}
	return unquote(v)
}

// elements takes a list apart that a decoder has accepted.
func elements(v jsontext.Value) []jsontext.Value {
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	out := []jsontext.Value{}
	if _, err := d.ReadToken(); err != nil {
		return out
	}
	for d.PeekKind() != jsontext.KindEndArray {
		e, err := value(d, v)
		if err != nil {
			return out
		}
		out = append(out, e)
	}
	return out
}
