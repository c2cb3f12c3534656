package passport_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var someModels = []string{"gpt-4o", "gpt-4o-mini", "o3", ""}

func limit(most int64) *rapid.Generator[passport.Limit] {
	return rapid.Custom(func(t *rapid.T) passport.Limit {
		if rapid.Bool().Draw(t, "absent") {
			return passport.Limit{}
		}
		return passport.LimitOf(number(most).Draw(t, "n"))
	})
}

// list draws a sublist of all, in any order; nil, empty and twice the same too.
func list[T any](all []T) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		switch rapid.IntRange(0, 5).Draw(t, "shape") {
		case 0:
			return nil
		case 1:
			return []T{}
		}
		return rapid.SliceOfN(rapid.SampledFrom(all), 1, len(all)+1).Draw(t, "list")
	})
}

func drawDetail() *rapid.Generator[passport.Detail] {
	return rapid.Custom(func(t *rapid.T) passport.Detail {
		return passport.Detail{
			Provider: rapid.SampledFrom(passport.Providers).Draw(t, "provider"), Models: list(someModels).Draw(t, "models"),
			Capabilities:   list(passport.Capabilities).Draw(t, "capabilities"),
			MaxBudgetCents: limit(passport.MaxCents).Draw(t, "cents"), MaxRequests: limit(passport.MaxCalls).Draw(t, "calls"),
			RateLimit: limit(passport.MaxRate).Draw(t, "rate"), ExpiresAt: limit(1<<40).Draw(t, "end"), MaxDelegationDepth: limit(passport.MaxDelegation).Draw(t, "depth"),
		}
	})
}

// drawNarrowing draws what is, more often than not, a narrowing of d.
func drawNarrowing(d passport.Detail) *rapid.Generator[passport.Detail] {
	return rapid.Custom(func(t *rapid.T) passport.Detail {
		n := drawDetail().Draw(t, "any")
		if rapid.Bool().Draw(t, "same provider") {
			n.Provider = ""
		} else {
			n.Provider = d.Provider
		}
		if len(d.Models) > 0 {
			n.Models = list(d.Models).Draw(t, "of models")
		}
		n.Capabilities = nil
		if len(d.Capabilities) > 0 {
			n.Capabilities = list(d.Capabilities).Draw(t, "of capabilities")
		}
		for _, l := range limits(&d, &n) {
			had, set := l[0].Get()
			if asked, ok := l[1].Get(); set && ok && rapid.IntRange(0, 9).Draw(t, "keep within") > 0 {
				*l[1] = passport.LimitOf(min(asked, had))
			}
		}
		return n
	})
}

// limits pairs the limits of two details.
func limits(a, b *passport.Detail) [][2]*passport.Limit {
	return [][2]*passport.Limit{
		{&a.MaxBudgetCents, &b.MaxBudgetCents}, {&a.MaxRequests, &b.MaxRequests}, {&a.RateLimit, &b.RateLimit},
		{&a.ExpiresAt, &b.ExpiresAt}, {&a.MaxDelegationDepth, &b.MaxDelegationDepth},
	}
}

// within says in words of its own why small is not covered by big; empty if it is.
func within(small, big passport.Detail) string {
	if small.Provider != big.Provider {
		return "provider"
	}
	if len(big.Models) > 0 && len(small.Models) == 0 {
		return "any model"
	}
	for _, m := range small.Models {
		if len(big.Models) > 0 && !slices.Contains(big.Models, m) {
			return "model " + m
		}
	}
	for _, c := range small.Capabilities {
		if !slices.Contains(big.Capabilities, c) {
			return "capability " + string(c)
		}
	}
	for i, l := range limits(&small, &big) {
		had, limited := l[1].Get()
		if has, ok := l[0].Get(); limited && (!ok || has > had) {
			return fmt.Sprint("limit ", i)
		}
	}
	return ""
}

func TestNarrowNeverWidens(t *testing.T) {
	narrowed := 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawDetail().Draw(t, "detail")
		n := rapid.OneOf(drawNarrowing(d), drawDetail()).Draw(t, "narrowing")
		before := fmt.Sprintf("%+v", d)
		got, err := d.Narrow(n)
		if after := fmt.Sprintf("%+v", d); after != before {
			t.Fatalf("Narrow changed its receiver from %s to %s", before, after)
		}
		if err != nil {
			if p := problem.From(err); p.Kind != problem.Invalid || p.Field == "" {
				t.Fatalf("got %v, want Invalid with a field", err)
			}
			if got.Provider != "" || got.Capabilities != nil {
				t.Fatalf("a refusal gave %+v", got)
			}
			return
		}
		narrowed++
		if why := within(got, d); why != "" {
			t.Fatalf("%+v goes beyond %+v: %s", got, d, why)
		}
		for i, l := range limits(&got, &n) { // it is what was said, where something was said; else inherited
			want := *l[1]
			if _, ok := want.Get(); !ok {
				want = *limits(&d, &d)[i][0]
			}
			if *l[0] != want {
				t.Fatalf("limit %d: got %v, want %v", i, *l[0], want)
			}
		}
	})
	if narrowed == 0 {
		t.Error("nothing was ever narrowed: the test has seen nothing")
	}
}

// What d covers is not lost where it is not given up: a narrowing within d is not refused.
func TestNarrowTakesEveryNarrowing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDetail().Draw(t, "detail")
		n := drawDetail().Draw(t, "narrowing")
		n.Provider = d.Provider
		full := n // with what it inherits
		if full.Models == nil {
			full.Models = d.Models
		}
		if full.Capabilities == nil {
			full.Capabilities = d.Capabilities
		}
		for i, l := range limits(&full, &n) {
			if _, ok := l[0].Get(); !ok {
				*l[0] = *limits(&d, &d)[i][0]
			}
		}
		_, err := d.Narrow(n)
		if why := within(full, d); (why == "") != (err == nil) {
			t.Fatalf("got %v, want %q", err, why)
		}
	})
}

func TestNarrowByNothingChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDetail().Draw(t, "detail")
		got, err := d.Narrow(passport.Detail{})
		if err != nil || cmp.Diff(d, got, cmp.AllowUnexported(passport.Limit{})) != "" {
			t.Fatalf("got %+v, %v; want %+v", got, err, d)
		}
	})
}

func TestNarrowTwiceIsWithinBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDetail().Draw(t, "detail")
		n := drawNarrowing(d).Draw(t, "first")
		one, err := d.Narrow(n)
		if err != nil {
			t.Skip("not a narrowing")
		}
		same, err := one.Narrow(n)
		if err != nil || cmp.Diff(one, same, cmp.AllowUnexported(passport.Limit{})) != "" {
			t.Fatalf("narrowing by the same again: got %+v, %v; want %+v", same, err, one)
		}
		two, err := one.Narrow(drawNarrowing(one).Draw(t, "second"))
		if err != nil {
			return
		}
		if why := within(two, one) + within(two, d); why != "" {
			t.Fatalf("%+v goes beyond: %s", two, why)
		}
	})
}

// What a narrowed detail permits, the wide one permits.
func TestNarrowedPermitsNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDetail().Draw(t, "detail")
		got, err := d.Narrow(drawNarrowing(d).Draw(t, "narrowing"))
		if err != nil {
			t.Skip("not a narrowing")
		}
		c := passport.Call{
			Provider: rapid.SampledFrom(passport.Providers).Draw(t, "provider"), Model: rapid.SampledFrom(someModels).Draw(t, "model"),
			Uses: list(passport.Capabilities).Draw(t, "uses"),
		}
		if got.Permits(c) == nil && d.Permits(c) != nil {
			t.Fatalf("%+v permits %+v, and %+v does not", got, c, d)
		}
	})
}

func TestWideningIsRefusedWithItsField(t *testing.T) {
	l := passport.LimitOf
	d := passport.Detail{
		Provider: passport.OpenAI, Models: []string{"a", "b"}, Capabilities: []passport.Capability{passport.Chat},
		MaxBudgetCents: l(5), MaxRequests: l(5), RateLimit: l(5), ExpiresAt: l(5), MaxDelegationDepth: l(0),
	}
	for name, r := range map[string]struct {
		n     passport.Detail
		field string
	}{
		"provider":           {passport.Detail{Provider: passport.Google}, "provider"},
		"model":              {passport.Detail{Models: []string{"a", "c"}}, "models"},
		"model in capitals":  {passport.Detail{Models: []string{"A"}}, "models"},
		"any model":          {passport.Detail{Models: []string{}}, "models"},
		"capability":         {passport.Detail{Capabilities: []passport.Capability{passport.Chat, passport.Images}}, "capabilities"},
		"unknown capability": {passport.Detail{Capabilities: []passport.Capability{"root"}}, "capabilities"},
		"money":              {passport.Detail{MaxBudgetCents: l(6)}, "maxBudgetCents"},
		"calls":              {passport.Detail{MaxRequests: l(6)}, "maxRequests"},
		"rate":               {passport.Detail{RateLimit: l(6)}, "rateLimit"},
		"end":                {passport.Detail{ExpiresAt: l(6)}, "expiresAt"},
		"depth":              {passport.Detail{MaxDelegationDepth: l(1)}, "maxDelegationDepth"},
		"negative money":     {passport.Detail{MaxBudgetCents: l(-1)}, "maxBudgetCents"},
		"negative calls":     {passport.Detail{MaxRequests: l(-1)}, "maxRequests"},
	} {
		if _, err := d.Narrow(r.n); problem.KindOf(err) != problem.Invalid || problem.From(err).Field != r.field {
			t.Errorf("%s: got %v, want Invalid in %s", name, err, r.field)
		}
	}
	open := passport.Detail{Provider: passport.OpenAI} // no limit set: any is a narrowing, within the bounds
	if _, err := open.Narrow(passport.Detail{MaxBudgetCents: l(passport.MaxCents + 1)}); problem.From(err).Field != "maxBudgetCents" {
		t.Errorf("past the bound: got %v", err)
	}
}

func TestCheck(t *testing.T) {
	l := passport.LimitOf
	good := passport.Detail{Provider: passport.Google, Models: []string{strings.Repeat("m", passport.MaxModelName)}, Capabilities: passport.Capabilities,
		MaxBudgetCents: l(passport.MaxCents), MaxRequests: l(passport.MaxCalls), RateLimit: l(passport.MaxRate), MaxDelegationDepth: l(passport.MaxDelegation)}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, r := range map[string]struct {
		change func(*passport.Detail)
		field  string
	}{
		"no provider":     {func(d *passport.Detail) { d.Provider = "" }, "provider"},
		"provider's case": {func(d *passport.Detail) { d.Provider = "Google" }, "provider"},
		"many models":     {func(d *passport.Detail) { d.Models = make([]string, passport.MaxModels+1) }, "models"},
		"long model":      {func(d *passport.Detail) { d.Models = []string{strings.Repeat("m", passport.MaxModelName+1)} }, "models"},
		"capability":      {func(d *passport.Detail) { d.Capabilities = []passport.Capability{"Chat"} }, "capabilities"},
		"money":           {func(d *passport.Detail) { d.MaxBudgetCents = l(passport.MaxCents + 1) }, "maxBudgetCents"},
		"most money":      {func(d *passport.Detail) { d.MaxBudgetCents = l(math.MaxInt64) }, "maxBudgetCents"},
		"calls":           {func(d *passport.Detail) { d.MaxRequests = l(passport.MaxCalls + 1) }, "maxRequests"},
		"rate":            {func(d *passport.Detail) { d.RateLimit = l(passport.MaxRate + 1) }, "rateLimit"},
		"negative rate":   {func(d *passport.Detail) { d.RateLimit = l(-1) }, "rateLimit"},
		"end":             {func(d *passport.Detail) { d.ExpiresAt = l(1<<40 + 1) }, "expiresAt"},
		"depth":           {func(d *passport.Detail) { d.MaxDelegationDepth = l(passport.MaxDelegation + 1) }, "maxDelegationDepth"},
	} {
		d := good
		r.change(&d)
		if err := d.Check(); problem.KindOf(err) != problem.Invalid || problem.From(err).Field != r.field {
			t.Errorf("%s: got %v, want Invalid in %s", name, err, r.field)
		}
	}
}

func TestPermits(t *testing.T) {
	chat := []passport.Capability{passport.Chat}
	named := passport.Detail{Provider: passport.OpenAI, Models: []string{"a", "b"}, Capabilities: []passport.Capability{passport.Chat, passport.Images}}
	anyModel := passport.Detail{Provider: passport.OpenAI, Capabilities: chat}
	for _, r := range []struct {
		name   string
		d      passport.Detail
		c      passport.Call
		kind   problem.Kind
		detail string // empty: permitted
	}{
		{"named", named, passport.Call{Provider: passport.OpenAI, Model: "b", Uses: chat}, 0, ""},
		{"any", anyModel, passport.Call{Provider: passport.OpenAI, Model: "x", Uses: chat}, 0, ""},
		{"all that is used", named, passport.Call{Provider: passport.OpenAI, Model: "a", Uses: named.Capabilities}, 0, ""},
		{"model", named, passport.Call{Provider: passport.OpenAI, Model: "m", Uses: chat}, problem.ModelNotGranted, "Model 'm' is not permitted by this grant. Allowed models: a, b"},
		{"model's case", named, passport.Call{Provider: passport.OpenAI, Model: "A", Uses: chat}, problem.ModelNotGranted, "Model 'A' is not permitted by this grant. Allowed models: a, b"},
		{"provider", anyModel, passport.Call{Provider: passport.Google, Model: "g", Uses: chat}, problem.ModelNotGranted, "Model 'g' is not permitted by this grant. Allowed provider: openai"},
		{"capability", named, passport.Call{Provider: passport.OpenAI, Model: "a", Uses: []passport.Capability{passport.Chat, passport.Audio}},
			problem.CapabilityNotGranted, "Capability 'audio' is not permitted by this grant. Allowed capabilities: chat, images"},
		{"uses nothing", named, passport.Call{Provider: passport.OpenAI, Model: "a"}, problem.CapabilityNotGranted, "a call that uses no capability is not permitted"},
		{"nothing of nothing", passport.Detail{}, passport.Call{}, problem.CapabilityNotGranted, "a call that uses no capability is not permitted"},
		{"no capability", passport.Detail{Provider: passport.OpenAI}, passport.Call{Provider: passport.OpenAI, Model: "a", Uses: chat},
			problem.CapabilityNotGranted, "Capability 'chat' is not permitted by this grant. Allowed capabilities: "},
	} {
		err := r.d.Permits(r.c)
		if r.detail == "" && err == nil {
			continue
		}
		if err == nil || problem.KindOf(err) != r.kind || problem.From(err).Detail != r.detail {
			t.Errorf("%s: got %v, want %q", r.name, err, r.detail)
		}
	}
}

// 0 is nothing, and so is what was never set.
func TestZeroIsNothing(t *testing.T) {
	for _, d := range []passport.Detail{{}, {MaxBudgetCents: passport.LimitOf(0)}} {
		if d.Cap() != 0 {
			t.Errorf("%+v has a cap of %v", d, d.Cap())
		}
	}
	if got := (passport.Detail{MaxBudgetCents: passport.LimitOf(passport.MaxCents)}).Cap(); got != passport.MaxMoney {
		t.Errorf("got %d, want %d", got, passport.MaxMoney)
	}
	if passport.LimitOf(0) == (passport.Limit{}) {
		t.Error("0 and absent are the same")
	}
}

func TestLimitInJSON(t *testing.T) {
	type box struct {
		L passport.Limit `json:"l,omitzero"`
	}
	for _, l := range []passport.Limit{{}, passport.LimitOf(0), passport.LimitOf(7), passport.LimitOf(math.MaxInt64)} {
		text, err := json.Marshal(box{l})
		var back box
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back.L != l {
			t.Errorf("%v: got %v by %s, %v", l, back.L, text, err)
		}
	}
	for l, want := range map[passport.Limit]string{{}: "{}", passport.LimitOf(0): `{"l":0}`} {
		if got, _ := json.Marshal(box{l}); string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got, _ := json.Marshal(passport.Limit{}); string(got) != "null" {
		t.Errorf("got %s, want null", got)
	}
	for _, text := range []string{"null", "-1", "1.5", "1e3", `"5"`, "true", "[]", "{}", "9223372036854775808", "1e999", ""} {
		var b box
		if err := json.Unmarshal([]byte(`{"l":`+text+`}`), &b); err == nil {
			t.Errorf("%q: got %v, want an error", text, b.L)
		}
		if _, ok := b.L.Get(); ok {
			t.Errorf("%q: a limit of %v came of it", text, b.L)
		}
	}
}
