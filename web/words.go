package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

var funcs = template.FuncMap{"usd": USD, "left": USDLeft, "num": Num, "waves": waves, "stampTime": stampTime,
	"iso": func(t time.Time) string { return t.UTC().Format(time.RFC3339) }, "day": Day, "clock": Clock, "moment": Moment,
	"pair": func(a, b any) []any { return []any{a, b} }, "labels": labels,
	"num64": func(n int) string { return Num(int64(n)) },
	"count": func(n int, one, many string) string { return Count(int64(n), one, many) }}

// USD writes an amount that was spent, held or capped, never smaller than it is: $1,234.56; below a dollar up to four decimals
// when they are needed; below a hundredth of a cent "< $0.0001".
func USD(m passport.Money) string {
	switch {
	case m <= 0:
		return "$0.00"
	case m < 100:
		return "< $0.0001"
	case m < passport.Dollar:
		return small((m + 99) / 100)
	default:
		return cents((m + passport.Cent - 1) / passport.Cent)
	}
}

// USDLeft writes an amount that is left, never larger than it is.
func USDLeft(m passport.Money) string {
	switch {
	case m <= 0:
		return "$0.00"
	case m < 100:
		return "< $0.0001"
	case m < passport.Dollar:
		return small(m / 100)
	default:
		return cents(m / passport.Cent)
	}
}

// small writes hundredths of a cent with two to four decimals.
func small(h passport.Money) string {
	frac := strings.TrimRight(fmt.Sprintf("%04d", h%10_000), "0")
	for len(frac) < 2 {
		frac += "0"
	}
	return "$" + strconv.FormatInt(int64(h/10_000), 10) + "." + frac
}

func cents(c passport.Money) string { return "$" + Num(int64(c/100)) + fmt.Sprintf(".%02d", c%100) }

// Num writes a number with commas.
func Num(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count writes a number with its noun: "1 app", "2 apps".
func Count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Num(n) + " " + many
}

// About rounds down to two leading digits: "about 11,000"; below one, "less than one".
func About(n int64) string {
	if n < 1 {
		return "less than one"
	}
	p := int64(1)
	for n/p >= 100 {
		p *= 10
	}
	return "about " + Num(n/p*p)
}

// Day is a UTC day: "24 Nov 2026".
func Day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// Clock is a UTC time of day: "15:14 UTC".
func Clock(t time.Time) string { return t.UTC().Format("15:04 UTC") }

// Moment is a UTC day and time: "24 Nov 2026, 15:14 UTC".
func Moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// Ago says when something was, seen from now: within the hour how long ago, else when.
func Ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d < 0 || d >= time.Hour:
		return Moment(t)
	case d < time.Minute:
		return "just now"
	default:
		return strconv.Itoa(int(d/time.Minute)) + " min ago"
	}
}

func stampTime(t time.Time) string { return strings.ToUpper(t.UTC().Format("02 Jan 2006 15:04 UTC")) }

// Bar is a money bar: solid what was spent, pale what is held.
type Bar struct {
	Class      string // empty, hot at 80 %, full at 100 %
	Label      string
	Spent      string // percent of the width
	Held       string
	Percent    int64 // spent, rounded down; above 100 only if a bill was above its hold
	Big, Empty bool
	At         string // what the page calls it, if it has several that move
}

// NewBar measures a bar. A cap of nothing is full as soon as anything is spent.
func NewBar(b passport.Balance) Bar {
	bar := Bar{Label: fmt.Sprintf("%s of %s spent, %s held", USD(b.Settled), USD(b.Cap), USD(b.Held))}
	spent, held := tenths(b.Settled, b.Cap), tenths(b.Held, b.Cap)
	if held > 0 {
		held = max(held, 8) // a hold is seen, however small
	}
	bar.Percent = spent / 10
	switch {
	case b.Cap <= 0 || b.Settled >= b.Cap:
		bar.Class = "full"
	case spent >= 800:
		bar.Class = "hot"
	}
	spent = min(spent, 1000)
	held = min(held, 1000-spent)
	bar.Spent, bar.Held, bar.Empty = permille(spent), permille(held), b.Cap <= 0
	return bar
}

// tenths is the part of the whole in tenths of a percent, rounded down.
func tenths(part, whole passport.Money) int64 {
	if part <= 0 {
		return 0
	}
	if whole <= 0 {
		return 1000
	}
	return int64(min(part, 10*whole)) * 1000 / int64(whole)
}

func permille(t int64) string { return fmt.Sprintf("%d.%d", t/10, t%10) }

// waves is a quiet security-paper pattern: phase-shifted waves. Only a look, so floating point is at home here.
func waves() []string {
	var out []string
	for k := range 9 {
		var b strings.Builder
		for x := 0; x <= 400; x += 10 {
			t := float64(x) / 400 * 2 * math.Pi
			y := 60 + 38*math.Sin(3*t+float64(k)*.34)*math.Cos(t+float64(k)*.17)
			fmt.Fprintf(&b, "%s%d %.0f", map[bool]string{true: "M", false: "L"}[x == 0], x, y)
		}
		out = append(out, b.String())
	}
	return out
}

// labels cuts a host after its dots: the only places where it may break.
func labels(host string) []string { return strings.SplitAfter(host, ".") }
