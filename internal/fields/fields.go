// Package fields reads one JSON object from outside, strictly, and says everything that is wrong with it at once, in the
// words and the shape that the seed's clients know (Zod 3's flatten). It owns nothing and may not touch I/O, HTTP or policy.
//
//	o, err := fields.Read(body, "appName", "scope")   // syntax, duplicates, case variants
//	name := o.String("appName", 1)
//	scope := o.Object("scope", "provider", "models")  // what is wrong inside is listed under "scope"
//	provider := scope.Enum("provider", "openai", "anthropic", "google")
//	if err := o.Err(); err != nil { ... }             // *Error: all failing members at once
package fields

import (
	"maps"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Error is what is wrong with a body: Form about the whole, Fields by top-level member. It unwraps to a problem of kind
// Invalid that names the first member, for edges that do not shape it themselves.
type Error struct {
	Form   []string
	Fields map[string][]string
}

// Error is all of it in one line, members in alphabetical order.
func (e *Error) Error() string {
	parts := slices.Clone(e.Form)
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, name+": "+strings.Join(e.Fields[name], ", "))
	}
	return "validation failed: " + strings.Join(parts, "; ")
}

// Unwrap is the problem that the error amounts to.
func (e *Error) Unwrap() error {
	p := problem.New(problem.Invalid, "%s", e.Error())
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		return problem.New(problem.Invalid, "%s", strings.Join(e.Fields[name], ", ")).In(name)
	}
	return p
}

// Add says that something is wrong with a member; an empty name means the whole body.
func (e *Error) Add(name, message string) {
	if name == "" {
		e.Form = append(e.Form, message)
		return
	}
	if e.Fields == nil {
		e.Fields = map[string][]string{}
	}
	e.Fields[name] = append(e.Fields[name], message)
}

// OrNil is e as an error, or nil if nothing was added.
func (e *Error) OrNil() error {
	if len(e.Form) == 0 && len(e.Fields) == 0 {
		return nil
	}
	return e
}
