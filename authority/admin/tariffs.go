package admin

import (
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Prices and headers are typed a line each, so that they can be pasted, and need no script:
//
//	model input output [cached=…] [context=…] [most=…] [kind=embedding]
//	Name: value

func lines(text string) (out []string) {
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func readHeaders(text string) (out []passport.Header, err error) {
	for _, l := range lines(text) {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return nil, problem.New(problem.Invalid, "%.60q is not Name: value", l).In("headers")
		}
		out = append(out, passport.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return out, nil
}

func headerLines(hs []passport.Header) string {
	var b strings.Builder
	for _, h := range hs {
		b.WriteString(h.Name + ": " + h.Value + "\n")
	}
	return b.String()
}

func readTariffs(text string) (out []passport.ModelTariff, err error) {
	for _, l := range lines(text) {
		t, err := readTariff(strings.Fields(l))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func readTariff(words []string) (passport.ModelTariff, error) {
	bad := func(format string, args ...any) (passport.ModelTariff, error) {
		return passport.ModelTariff{}, problem.New(problem.Invalid, format, args...).In("models")
	}
	if len(words) < 3 {
		return bad("%.60q needs a model and two prices, like: small 0.15 0.60 (0 is written as 0)", strings.Join(words, " "))
	}
	t := passport.ModelTariff{Model: words[0], Kind: passport.KindChat}
	var ok bool
	if t.Input, ok = passport.PriceFromDollars(words[1]); !ok {
		return bad("%.60s: %.20q is not dollars for a million model tokens, like 0.15", t.Model, words[1])
	}
	if t.Output, ok = passport.PriceFromDollars(words[2]); !ok {
		return bad("%.60s: %.20q is not dollars for a million model tokens, like 0.60", t.Model, words[2])
	}
	for _, w := range words[3:] {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case name == "cached":
			p, priced := passport.PriceFromDollars(value)
			if !priced {
				return bad("%.60s: cached=%.20q is not dollars for a million model tokens", t.Model, value)
			}
			t.CacheRead = passport.LimitOf(int64(p))
		case name == "kind":
			t.Kind = passport.Kind(value)
		case name == "context" && err == nil:
			t.Context = n
		case name == "most" && err == nil:
			t.MaxOutput = n
		default:
			return bad("%.60s: %.40q is not understood: cached=, context=, most= or kind=", t.Model, w)
		}
	}
	return t, nil
}

// tariffLine is a model as it would be typed.
func tariffLine(t passport.ModelTariff) string {
	dollars := func(p passport.Price) string { return strings.TrimPrefix(passport.Money(p).String(), "$") }
	s := t.Model + " " + dollars(t.Input) + " " + dollars(t.Output)
	if n, ok := t.CacheRead.Get(); ok {
		s += " cached=" + dollars(passport.Price(n))
	}
	if t.Context > 0 {
		s += " context=" + strconv.FormatInt(t.Context, 10)
	}
	if t.MaxOutput > 0 {
		s += " most=" + strconv.FormatInt(t.MaxOutput, 10)
	}
	if t.Kind != passport.KindChat {
		s += " kind=" + string(t.Kind)
	}
	return s
}

// TariffLine is a price as the owner would type it.
func TariffLine(t passport.ModelTariff) string { return tariffLine(t) }

func tariffLines(ts []passport.ModelTariff) string {
	var b strings.Builder
	for _, t := range ts {
		b.WriteString(tariffLine(t) + "\n")
	}
	return b.String()
}
