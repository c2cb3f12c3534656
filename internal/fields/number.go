package fields

import (
	"strconv"
	"strings"
)

// Bounds of floor.
const (
	exactDigits  = 18  // that surely fit an int64
	finiteDigits = 309 // of the largest IEEE 754 double; what is longer is infinite to the readers that the seed's clients use
)

// floor is the largest whole number that is not above a JSON number (RFC 8259 §6), and whether that is the number itself. It is
// exact: no float is made. What has more than 18 digits is some number of that sign beyond every bound that a caller can set.
func floor(v string) (n int64, whole bool) {
	v, negative := strings.CutPrefix(v, "-")
	digits, e := decimal(v)
	places := len(digits) + e // digits before the point
	whole = e >= 0 && places <= finiteDigits
	switch {
	case digits == "":
		return 0, true
	case places > exactDigits:
		n = 1 << 62
	case places > 0:
		n, _ = strconv.ParseInt((digits + strings.Repeat("0", max(0, e)))[:places], 10, 64) // digits only, at most 18
	}
	if !negative {
		return n, whole
	}
	if e < 0 {
		n++ // towards minus infinity
	}
	return -n, whole
}

// decimal takes a number without sign apart: its digits without zeros around them, and the power of ten that they count.
func decimal(v string) (digits string, e int) {
	mantissa, exponent := v, "0"
	if i := strings.IndexAny(v, "eE"); i >= 0 {
		mantissa, exponent = v[:i], v[i+1:]
	}
	e, _ = strconv.Atoi(exponent)    // out of range it is the nearest int
	e = min(max(e, -(1<<40)), 1<<40) // far from overflow, and from every number of digits in a body
	before, after, _ := strings.Cut(mantissa, ".")
	e -= len(after)
	digits = strings.TrimLeft(before+after, "0")
	n := len(digits)
	digits = strings.TrimRight(digits, "0")
	return digits, e + n - len(digits)
}
