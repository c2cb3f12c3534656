package passport_test

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/devrelopers/aipassport/passport"
)

// number draws from all magnitudes: bounds and their neighbours as often as what lies between.
func number(most int64) *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64Range(0, most),
		rapid.Map(rapid.IntRange(0, 62), func(bits int) int64 { return min(most, int64(1)<<bits) }),
		rapid.Map(rapid.Int64Range(0, 3), func(d int64) int64 { return max(0, most-d) }),
		rapid.Int64Range(0, min(most, 1000)),
	)
}

// cost is what Cost.Money must be: the sum of all products, divided by a million once, rounded up, and never past MaxMoney+1.
func cost(tokens, prices []int64) passport.Money {
	sum := new(big.Int)
	for i := range tokens {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(tokens[i]), big.NewInt(prices[i])))
	}
	up, rest := new(big.Int).DivMod(sum, big.NewInt(1_000_000), new(big.Int))
	if rest.Sign() > 0 {
		up.Add(up, big.NewInt(1))
	}
	if most := big.NewInt(int64(passport.MaxMoney) + 1); up.Cmp(most) > 0 {
		up = most
	}
	return passport.Money(up.Int64())
}

func TestCostIsExactAndRoundedUpOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(number(math.MaxInt64), 0, 6).Draw(t, "tokens")
		prices := rapid.SliceOfN(number(math.MaxInt64), len(tokens), len(tokens)).Draw(t, "prices")
		var c passport.Cost
		for i := range tokens {
			c = c.Add(tokens[i], passport.Price(prices[i]))
		}
		if got, want := c.Money(), cost(tokens, prices); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

func TestCostOfKnownCalls(t *testing.T) {
	for _, r := range []struct {
		tokens int64
		price  passport.Price
		want   passport.Money
	}{
		{0, 0, 0}, {0, 1 << 40, 0}, {1 << 40, 0, 0},
		{1, 1, 1},                     // a millionth of a micro-dollar is a whole one
		{1_000_000, 150_000, 150_000}, // a million tokens at $0.15
		{1_000_000, 1, 1}, {1_000_001, 1, 2}, {999_999, 1, 1},
		{1_000_000, passport.Price(passport.MaxMoney), passport.MaxMoney},
		{1_000_001, passport.Price(passport.MaxMoney), passport.MaxMoney + 1},
		{1_000_000, passport.Price(passport.MaxMoney) + 3, passport.MaxMoney + 1},
		{math.MaxInt64, math.MaxInt64, passport.MaxMoney + 1},
	} {
		if got := (passport.Cost{}).Add(r.tokens, r.price).Money(); got != r.want {
			t.Errorf("%d tokens at %d: got %d, want %d", r.tokens, r.price, got, r.want)
		}
	}
}

// What cannot be, and what is too much, is dear and stays so: never cheap, never nothing.
func TestCostThatCannotBeIsTheLargest(t *testing.T) {
	const most = passport.MaxMoney + 1
	for name, c := range map[string]passport.Cost{
		"negative tokens": passport.Cost{}.Add(-1, 1), "negative price": passport.Cost{}.Add(1, -1), "both": passport.Cost{}.Add(-1, -1),
		"least tokens": passport.Cost{}.Add(math.MinInt64, 1), "nothing at a negative price": passport.Cost{}.Add(0, -1),
	} {
		if got := c.Money(); got != most {
			t.Errorf("%s: got %d, want %d", name, got, most)
		}
		if got := c.Add(1, 1).Add(0, 0).Money(); got != most {
			t.Errorf("%s, and more: got %d, want %d", name, got, most)
		}
	}
	var c passport.Cost
	for range 8 { // 2^126 each: past 128 bits
		if c = c.Add(math.MaxInt64, math.MaxInt64); c.Money() != most {
			t.Fatalf("got %d, want %d", c.Money(), most)
		}
	}
}

func TestMoneyReadsAsDollars(t *testing.T) {
	for m, want := range map[passport.Money]string{
		0: "$0.00", 1: "$0.000001", 10: "$0.00001", 10_000: "$0.01", 13_200: "$0.0132", 1_250_000: "$1.25", 1_000_000: "$1.00", 100_000: "$0.10",
		123_456_789: "$123.456789", -1: "-$0.000001", -1_500_000: "-$1.50", passport.MaxMoney: "$1000000000.00",
		math.MinInt64: "-$9223372036854.775808", math.MaxInt64: "$9223372036854.775807",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(m), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) { // no digit is lost
		m := passport.Money(rapid.Int64().Draw(t, "money"))
		text := strings.Replace(m.String(), "$", "", 1)
		got, ok := new(big.Rat).SetString(text)
		if want := big.NewRat(int64(m), 1_000_000); !ok || got.Cmp(want) != 0 {
			t.Fatalf("got %s, want %s", text, want)
		}
		if _, frac, _ := strings.Cut(text, "."); len(frac) < 2 || len(frac) > 6 {
			t.Fatalf("got %s, want 2 to 6 decimals", text)
		}
	})
}

func TestCentsUpNeverLooksSmaller(t *testing.T) {
	for m, want := range map[passport.Money]int64{
		0: 0, -1: 0, math.MinInt64: 0, 1: 1, 9_999: 1, 10_000: 1, 10_001: 2, 1_000_000: 100, passport.MaxMoney: passport.MaxCents, passport.MaxMoney + 1: passport.MaxCents + 1,
	} {
		if got := m.CentsUp(); got != want {
			t.Errorf("%d: got %d, want %d", int64(m), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := number(math.MaxInt64).Draw(t, "money")
		want := new(big.Int).Add(big.NewInt(m), big.NewInt(9_999))
		want.Div(want, big.NewInt(10_000))
		if got := passport.Money(m).CentsUp(); !want.IsInt64() || got != want.Int64() {
			t.Fatalf("got %d, want %s", got, want)
		}
	})
}

func TestUsageThatCannotBeIsNotSane(t *testing.T) {
	good := passport.Usage{Known: true, Input: 10, CacheRead: 3, CacheWrite: 3, CacheWrite1h: 4, Output: 5, Reasoning: 2}
	if !good.Sane() {
		t.Errorf("%+v is not sane", good)
	}
	for name, change := range map[string]func(*passport.Usage){
		"unknown":              func(u *passport.Usage) { u.Known = false },
		"negative input":       func(u *passport.Usage) { u.Input = -1 },
		"negative output":      func(u *passport.Usage) { u.Output = -1 },
		"negative cache read":  func(u *passport.Usage) { u.CacheRead = -1 },
		"negative cache write": func(u *passport.Usage) { u.CacheWrite = -1 },
		"negative 1h write":    func(u *passport.Usage) { u.CacheWrite1h = -1 },
		"negative reasoning":   func(u *passport.Usage) { u.Reasoning = -1 },
		"more cached than in":  func(u *passport.Usage) { u.CacheRead = 4 },
		"most output":          func(u *passport.Usage) { u.Output = math.MaxInt64 },
		"most cache":           func(u *passport.Usage) { u.CacheRead, u.CacheWrite, u.CacheWrite1h = math.MaxInt64, math.MaxInt64, 2 },
		"zero":                 func(u *passport.Usage) { *u = passport.Usage{} },
	} {
		u := good
		if change(&u); u.Sane() {
			t.Errorf("%s: %+v is sane", name, u)
		}
	}
}

func TestBalanceIsNeverNegative(t *testing.T) {
	if b := (passport.Balance{}); b.Left() != 0 || b.CallsLeft() != 0 {
		t.Errorf("the zero balance has %v and %d calls left", b.Left(), b.CallsLeft())
	}
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) int64 { return number(int64(passport.MaxMoney)).Draw(t, name) }
		b := passport.Balance{Cap: passport.Money(n("cap")), Settled: passport.Money(n("settled")), Held: passport.Money(n("held")), CallsCap: n("calls cap"), Calls: n("calls")}
		if got, want := b.Left(), max(0, b.Cap-b.Settled-b.Held); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
		if got, want := b.CallsLeft(), max(0, b.CallsCap-b.Calls); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

func ExampleMoney_String() {
	fmt.Println(passport.Dollar+25*passport.Cent, 13_200*passport.MicroUSD)
	// Output: $1.25 $0.0132
}
