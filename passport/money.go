package passport

import (
	"math"
	"math/bits"
	"strconv"
)

// Money is an amount in whole micro-US-dollars (1 USD = 1,000,000; 1 cent = 10,000). Valid amounts are 0..MaxMoney;
// a negative Money appears only as a difference and is never stored.
type Money int64

// Units of Money.
const (
	MicroUSD Money = 1
	Cent     Money = 10_000
	Dollar   Money = 1_000_000
)

// MaxMoney bounds every single amount and cap (1e15 micro-dollars, a billion dollars), so that sums of a
// few of them cannot overflow an int64, in Go or in SQL.
const MaxMoney Money = 1_000_000_000 * Dollar

// Price is micro-dollars per million model tokens. It is never negative.
type Price int64

// Cost is the sum of tokens times prices, before the one division that BUDGET allows: in units of 1e-6 micro-dollars,
// 128 bits wide, so that it cannot overflow silently. The zero Cost is nothing.
type Cost struct{ hi, lo uint64 }

// Add returns c + tokens*price. Negative input is our bug or a provider's lie; both are refused by the callers,
// and here they count as the largest cost there is.
func (c Cost) Add(tokens int64, price Price) Cost {
	if tokens < 0 || price < 0 {
		return Cost{math.MaxUint64, math.MaxUint64}
	}
	hi, lo := bits.Mul64(uint64(tokens), uint64(price))
	lo, carry := bits.Add64(c.lo, lo, 0)
	hi, over := bits.Add64(c.hi, hi, carry)
	if over != 0 {
		return Cost{math.MaxUint64, math.MaxUint64}
	}
	return Cost{hi, lo}
}

// Money rounds the cost up to whole micro-dollars, once. Above MaxMoney it is MaxMoney+1, which no cap covers.
func (c Cost) Money() Money {
	const million = 1_000_000
	if c.hi >= million {
		return MaxMoney + 1
	}
	q, r := bits.Div64(c.hi, c.lo, million)
	if q > uint64(MaxMoney) {
		return MaxMoney + 1
	}
	if r > 0 {
		q++
	}
	return Money(q)
}

// String is the amount in dollars with all its digits, sign first: $1.25, $0.0132, -$0.000001. At least two decimals.
func (m Money) String() string {
	b, u := make([]byte, 0, 32), uint64(m)
	if m < 0 {
		b, u = append(b, '-'), -uint64(m)
	}
	b = strconv.AppendUint(append(b, '$'), u/1_000_000, 10)
	b = append(b, '.')
	for unit, frac := uint64(100_000), u%1_000_000; unit >= 10_000 || frac > 0; unit /= 10 {
		b, frac = append(b, '0'+byte(frac/unit)), frac%unit
	}
	return string(b)
}

// CentsUp is the amount in whole cents, rounded up: what was spent never looks smaller than it is.
func (m Money) CentsUp() int64 {
	if m <= 0 {
		return 0
	}
	return int64((m-1)/Cent) + 1
}
