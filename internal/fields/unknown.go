package fields

import (
	"maps"
	"slices"
)

// Unknown lists the members that are not in known, in alphabetical order, for callers that refuse them.
func (o *Object) Unknown(known ...string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !slices.Contains(known, name) {
			out = append(out, name)
		}
	}
	return out
}
