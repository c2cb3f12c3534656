package consent

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// choice is what the person has chosen so far.
type choice struct {
	Details []detailChoice // one for each asked detail
	Life    time.Duration
	Sure    bool
	Stamp   string
	Device  *Device // nil: it came by another door
	Back    bool    // it was made before a fresh sign-in
}

// detailChoice is the choice for one provider. Caps and Models are by index of what was asked.
type detailChoice struct {
	Kept                     bool
	Caps, Models             []bool
	Clamp                    bool // shorter answers rather than errors where the money is short
	Cents, Calls, Rate       int64
	CentsIn, CallsIn, RateIn string // as typed
}

// minCents is the least that can be given.
const minCents = 10

// life is a lifetime to choose.
type life struct {
	Label string
	For   time.Duration
}

var lives = []life{{"1 hour", time.Hour}, {"1 day", 24 * time.Hour}, {"7 days", 7 * 24 * time.Hour}, {"30 days", 30 * 24 * time.Hour}}

// ordinary are the capabilities that are ticked at the start; the others cost more or are hard to foresee.
var ordinary = []passport.Capability{passport.Chat, passport.Embeddings}

// bounds are what the fields of a detail may hold: what was asked is the most.
type bounds struct{ MinCents, MaxCents, MinCalls, MaxCalls, MinRate, MaxRate int64 }

// boundsOf leaves room for the person's own number where the app left a limit out.
func boundsOf(d passport.Detail) bounds {
	b := bounds{MaxCents: d.MaxBudgetCents.Or(passport.MaxCents), MaxCalls: d.MaxRequests.Or(passport.MaxCalls), MaxRate: d.RateLimit.Or(passport.MaxRate)}
	b.MinCents, b.MinCalls, b.MinRate = min(minCents, b.MaxCents), min(1, b.MaxCalls), min(1, b.MaxRate)
	return b
}

// start is what the page shows first: ordinary capabilities, models that have a price, a low cap, a short life.
func (c *Consent) start(g passport.Grant, d *Device) choice {
	low := lowOf(g, d)
	ch := choice{Life: low.life, Device: d}
	for _, d := range g.Asked {
		b, prices := boundsOf(d), c.cfg.Prices.Models(d.Provider)
		dc := detailChoice{Kept: true, Cents: min(low.cents, b.MaxCents),
			Calls: min(c.cfg.Limits.MaxRequests.Or(0), b.MaxCalls), Rate: min(c.cfg.Limits.RateLimit.Or(0), b.MaxRate)}
		dc.Clamp = d.Clamps()
		for _, capability := range d.Capabilities {
			dc.Caps = append(dc.Caps, slices.Contains(ordinary, capability))
		}
		for _, m := range d.Models {
			dc.Models = append(dc.Models, slices.ContainsFunc(prices, func(p ModelInfo) bool { return p.Name == m }))
		}
		dc.CentsIn, dc.CallsIn, dc.RateIn = dollars(dc.Cents), strconv.FormatInt(dc.Calls, 10), strconv.FormatInt(dc.Rate, 10)
		ch.Details = append(ch.Details, dc)
	}
	return ch
}

// read takes the person's choice from the form. What cannot be read is an error at its field; nothing is guessed.
func (c *Consent) read(f url.Values, g passport.Grant, d *Device) (choice, web.FieldErrors) {
	ch := choice{Sure: f.Get("sure") == "yes", Device: d}
	var errs web.FieldErrors
	kept := 0
	for i, asked := range g.Asked {
		n := strconv.Itoa(i)
		dc := detailChoice{Kept: len(g.Asked) == 1 || f.Get("keep."+n) == "yes",
			Caps: ticked(f["cap."+n], len(asked.Capabilities)), Models: ticked(f["model."+n], len(asked.Models)),
			Clamp: f.Get("clamp."+n) == "yes", CentsIn: typed(f, "budget."+n), CallsIn: typed(f, "calls."+n), RateIn: typed(f, "rate."+n)}
		wrong := dc.parse(asked, n)
		ch.Details = append(ch.Details, dc)
		if dc.Kept {
			kept++
			errs = append(errs, wrong...)
		}
	}
	if kept == 0 {
		errs = append(errs, web.FieldError{Field: "keep-0", Text: "Choose at least one provider, or deny."})
	}
	seconds, ok := web.ReadWhole(f.Get("life"))
	at := slices.IndexFunc(lives, func(l life) bool { return ok && int64(l.For/time.Second) == seconds })
	if at < 0 {
		at = 1
		errs = append(errs, web.FieldError{Field: "lives", Text: "Choose how long."})
	}
	ch.Life = lives[at].For
	return ch, errs
}

// parse reads the numbers and says what is wrong with a detail.
func (dc *detailChoice) parse(d passport.Detail, n string) web.FieldErrors {
	var errs web.FieldErrors
	wrong := func(field, format string, args ...any) {
		errs = append(errs, web.FieldError{Field: field + "-" + n, Text: fmt.Sprintf(format, args...)})
	}
	b := boundsOf(d)
	if !slices.Contains(dc.Caps, true) {
		wrong("caps", "Tick at least one thing that it may do, or deny.")
	}
	if len(d.Models) > 0 && !slices.Contains(dc.Models, true) {
		wrong("models", "Tick at least one model, or deny.")
	}
	var ok bool
	if dc.Cents, ok = web.ReadDollars(dc.CentsIn); !ok || dc.Cents < b.MinCents || dc.Cents > b.MaxCents {
		wrong("budget", "Money must be between %s and %s.", centsText(b.MinCents), centsText(b.MaxCents))
	}
	if dc.Calls, ok = web.ReadWhole(dc.CallsIn); !ok || dc.Calls < b.MinCalls || dc.Calls > b.MaxCalls {
		wrong("calls", "Calls must be between %s and %s.", web.Num(b.MinCalls), web.Num(b.MaxCalls))
	}
	if dc.Rate, ok = web.ReadWhole(dc.RateIn); !ok || dc.Rate < b.MinRate || dc.Rate > b.MaxRate {
		wrong("rate", "Speed must be between %s and %s calls a minute.", web.Num(b.MinRate), web.Num(b.MaxRate))
	}
	return errs
}

// approval is the choice as the control of grants takes it.
func (c *Consent) approval(v web.Visitor, g passport.Grant, ch choice) passport.Approval {
	a := passport.Approval{Owner: v.ID, Payer: v.Payer(), Lifetime: ch.Life, Defaults: c.cfg.Limits}
	for i, d := range g.Asked {
		dc := ch.Details[i]
		n := passport.Detail{Provider: d.Provider, Capabilities: chosen(d.Capabilities, dc.Caps), MaxBudgetCents: passport.LimitOf(dc.Cents),
			MaxRequests: passport.LimitOf(dc.Calls), RateLimit: passport.LimitOf(dc.Rate)}
		if dc.Clamp != d.Clamps() {
			n.ClampOutput = &dc.Clamp
		}
		if len(d.Models) > 0 { // an empty list would mean any model; read has refused to choose none
			n.Models = chosen(d.Models, dc.Models)
		}
		if !dc.Kept { // what is not kept is not looked at, and may hold what could not be read
			n = passport.Detail{Provider: d.Provider}
		}
		a.Narrowed, a.Kept = append(a.Narrowed, n), append(a.Kept, dc.Kept)
	}
	return a
}

// chosen is never nil: nothing chosen is nothing given.
func chosen[T any](all []T, ticked []bool) []T {
	out := []T{}
	for i, x := range all {
		if ticked[i] {
			out = append(out, x)
		}
	}
	return out
}

// ticked reads which of n boxes came back; they send their index, so that no text of the app's comes back.
func ticked(values []string, n int) []bool {
	out := make([]bool, n)
	for _, v := range values {
		if i, ok := web.ReadWhole(v); ok && i < int64(n) {
			out[i] = true
		}
	}
	return out
}

// typed is what stands in a field for a number, to be shown again if it cannot be read: at most 20 characters, and only those that keys of a
// plain keyboard make.
func typed(f url.Values, name string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, f.Get(name))
	s = strings.TrimSpace(s)
	return s[:min(len(s), 20)]
}

func dollars(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

func centsText(c int64) string { return web.USD(passport.Money(c) * passport.Cent) }
