package dialect

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Model is what a list of models tells of one.
type Model struct {
	ID        string // as a call names it
	Provider  passport.Provider
	Kind      passport.Kind
	Context   int64 // model tokens of input; 0: unknown
	MaxOutput int64 // model tokens of one answer; 0: unknown
}

// Cursor says which part of a list is asked for: what comes behind After or before Before, ids in the list, at most Size of it.
type Cursor struct {
	After, Before           string
	AfterField, BeforeField string // the caller's names of them
	Size                    int
}

// Page is the part of a list that a cursor asks for, and whether there is more of the list beyond it. Errors: Invalid for an id that is not in
// the list.
func (c Cursor) Page(all []Model) (page []Model, more bool, err error) {
	find := func(id, field string) (int, error) {
		i := slices.IndexFunc(all, func(m Model) bool { return m.ID == id })
		if i < 0 {
			return 0, problem.New(problem.Invalid, "no model of this list has that id").In(field)
		}
		return i, nil
	}
	switch {
	case c.After != "" && c.Before != "":
		return nil, false, problem.New(problem.Invalid, "cannot stand beside %s", c.AfterField).In(c.BeforeField)
	case c.Before != "":
		end, err := find(c.Before, c.BeforeField)
		from := max(0, end-c.Size)
		return all[from:end], from > 0, err
	case c.After != "":
		i, err := find(c.After, c.AfterField)
		if err != nil {
			return nil, false, err
		}
		all = all[i+1:]
	}
	end := min(len(all), c.Size)
	return all[:end], end < len(all), nil
}

// Only refuses a query that has another parameter than those named, or one of them twice.
func Only(q url.Values, allowed ...string) error {
	for name, values := range q {
		if !slices.Contains(allowed, name) {
			return problem.New(problem.Invalid, "unknown or not allowed query parameter").In(Clean(name, MaxWord))
		}
		if len(values) > 1 {
			return problem.New(problem.Invalid, "must come once").In(name)
		}
	}
	return nil
}

// Number reads a whole number from min to max of a query; absent where it is left out.
func Number(q url.Values, name string, min, max, absent int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < min || n > max {
		return 0, problem.New(problem.Invalid, "must be a whole number from %d to %d", min, max).In(name)
	}
	return n, nil
}
