package dialect_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
)

// TestAPageIsThePartThatItsCursorAsksFor.
func TestAPageIsThePartThatItsCursorAsksFor(t *testing.T) {
	var all []dialect.Model
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		all = append(all, dialect.Model{ID: id})
	}
	for _, c := range []struct {
		after, before string
		size          int
		want          string
		more          bool
	}{
		{"", "", 5, "abcde", false}, {"", "", 9, "abcde", false}, {"", "", 2, "ab", true}, {"b", "", 2, "cd", true}, {"c", "", 2, "de", false}, {"e", "", 2, "", false},
		{"", "d", 2, "bc", true}, {"", "c", 2, "ab", false}, {"", "b", 2, "a", false}, {"", "a", 2, "", false},
	} {
		page, more, err := dialect.Cursor{After: c.after, Before: c.before, Size: c.size}.Page(all)
		got := ""
		for _, m := range page {
			got += m.ID
		}
		if got != c.want || more != c.more || err != nil {
			t.Errorf("%+v: got %q %v %v", c, got, more, err)
		}
	}
	for field, c := range map[string]dialect.Cursor{"after": {After: "x"}, "before": {Before: "x"}, "both": {After: "a", Before: "b", BeforeField: "both"}} {
		c.AfterField, c.BeforeField, c.Size = "after", field, 3
		if _, _, err := c.Page(all); problem.From(err).Field != field || problem.KindOf(err) != problem.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestQueriesOfLists(t *testing.T) {
	q := url.Values{"limit": {"7"}, "beta": {"true", "x"}}
	if err := dialect.Only(url.Values{"limit": {"7"}}, "limit"); err != nil {
		t.Error(err)
	}
	for _, allowed := range [][]string{{"limit"}, {"limit", "beta"}} {
		if err := dialect.Only(q, allowed...); problem.From(err).Field != "beta" {
			t.Errorf("%v: %v", allowed, err)
		}
	}
	got := map[string]int{}
	for _, text := range []string{"", "1", "20", "0", "21", "-1", "x", "1.0", "99999999999999999999"} {
		n, err := dialect.Number(url.Values{"limit": {text}}, "limit", 1, 20, 5)
		if got[text] = n; err != nil {
			got[text] = -1
		}
	}
	want := map[string]int{"": 5, "1": 1, "20": 20, "0": -1, "21": -1, "-1": -1, "x": -1, "1.0": -1, "99999999999999999999": -1}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
