package upstream

import (
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
