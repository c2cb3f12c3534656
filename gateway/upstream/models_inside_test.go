package upstream

import (
	"slices"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestPricesAreDecimals: a provider's list has thousands of them, and a short text can stand for a number of a million digits.
func TestPricesAreDecimals(t *testing.T) {
	for text, want := range map[any]passport.Limit{
		"0.00000015": passport.LimitOf(150_000), 0.5: passport.LimitOf(500_000_000_000), "0": passport.LimitOf(0),
		"1p1": {}, "1p1000000": {}, "0x1p-9": {}, "1e3": {}, "1/2": {}, "1_0": {}, "-1": {}, "+1": {}, "": {}, ".": {},
	} {
		if got := said(text, 1_000_000); got != want {
			t.Errorf("%v: got %v, want %v", text, got, want)
		}
	}
}

// Where longer prompts cost more, the price that is shown for a line of the owner's is the dearest.
func TestTheDearestPriceOfAModelIsListed(t *testing.T) {
	const text = `{"data":[{"id":"a/b","pricing":{"prompt":"0.000001","completion":"0.000002","overrides":[
		{"min_prompt_tokens":128000,"prompt":"0.0000015","completion":"0.0000001"},{"min_prompt_tokens":256000,"prompt":"0.0000025","completion":"0.000003"}]}},
		{"id":"c/d","pricing":{"overrides":[{"prompt":"1","completion":"1"}]}}]}`
	got, err := readList([]byte(text))
	want := []Listed{{Model: "a/b", Input: passport.LimitOf(2_500_000), Output: passport.LimitOf(3_000_000)}, {Model: "c/d"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
