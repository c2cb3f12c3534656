package meter_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
	"pgregory.net/rapid"
)

// sold is plain's price for a model of another provider.
func sold(by passport.Provider, reasoning bool) meter.ModelPrice {
	p := plain
	p.Provider, p.Reasoning = by, reasoning
	return p
}

// inUS is a worst case of a model that may run in the US, where it costs a tenth more.
func inUS(m passport.Money) passport.Money { return m + (m+9)/10 }

// What a cut stream costs, for a call that held 1,080 for its input and 2 for each of 5,000 model tokens of output.
func TestACutStreamCostsWhatWasSeen(t *testing.T) {
	const hold, input, always = 11_080, 1080, 2 * 800 // nothing seen: two seconds of output that nobody saw
	told := passport.Usage{Known: true, Input: 100, CacheRead: 40, Output: 1}
	const exact = 60 + 40/2
	for _, tt := range []struct {
		name      string
		provider  passport.Provider
		reasoning bool
		why       passport.Outcome
		seen      passport.Seen
		change    func(*passport.Call)
		charged   passport.Money
	}{
		{"nothing said yet", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true}, nil, input + always},
		{"some text", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 500}, nil, input + 1000 + always},
		{"recalled", passport.OpenAI, false, passport.Recalled, passport.Seen{Plain: true, Bytes: 500}, nil, input + 1000 + always},
		{"broken", passport.OpenAI, false, passport.Broken, passport.Seen{Plain: true, Bytes: 500}, nil, input + 1000 + always},
		{"nobody read for a second", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 500, Unseen: time.Second}, nil, input + 1000 + always + 800},
		{"a stall", passport.OpenAI, false, passport.Broken, passport.Seen{Plain: true, Bytes: 500, Unseen: time.Minute}, nil, hold},
		{"much text", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 5000}, nil, hold},
		{"more text than there can be", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 1 << 62, Unseen: 1 << 62}, nil, hold},
		{"less than no text", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: -500, Unseen: -time.Hour}, nil, input + always},
		{"input told", passport.Anthropic, false, passport.ClientLeft, passport.Seen{Plain: true, Usage: told, Bytes: 500}, nil, exact + 1000 + always},
		{"output told is more than was seen", passport.Anthropic, false, passport.ClientLeft, passport.Seen{Plain: true, Usage: passport.Usage{Known: true, Input: 100, Output: 3000}}, nil, 100 + 6000},
		{"an input of 0 is not told", passport.Anthropic, false, passport.ClientLeft, passport.Seen{Plain: true, Usage: passport.Usage{Known: true, Output: 1}, Bytes: 500}, nil, inUS(input + 1000 + always)},
		{"input that cannot be", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Usage: passport.Usage{Known: true, Input: -1}, Bytes: 500}, nil, input + 1000 + always},
		{"more told than was held", passport.Anthropic, false, passport.ClientLeft, passport.Seen{Plain: true, Usage: passport.Usage{Known: true, Input: 50_000}}, nil, 50_000},
		{"more told, not understood", passport.Anthropic, false, passport.ClientLeft, passport.Seen{Usage: passport.Usage{Known: true, Input: 50_000}}, nil, 50_000},
		{"it goes on without its caller", passport.Google, false, passport.ClientLeft, passport.Seen{Plain: true, Usage: told, Bytes: 500}, nil, exact + 10_000},
		{"it goes on, and told nothing", passport.Google, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 500}, nil, hold},
		{"thinking that is shown as such", passport.Anthropic, true, passport.ClientLeft, passport.Seen{Plain: true, Usage: told, Bytes: 500}, nil, exact + 1000 + always},
		{"thinking that is hidden", passport.OpenAI, true, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 500}, nil, hold},
		{"not understood", passport.Anthropic, false, passport.ClientLeft, passport.Seen{Usage: told, Bytes: 500}, nil, inUS(hold)},
		{"nothing known", passport.OpenAI, false, passport.Broken, passport.Seen{}, nil, hold},
		{"no stream", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true}, func(c *passport.Call) { c.Stream = false }, hold},
		{"the usage never came", passport.OpenAI, false, passport.NoUsage, passport.Seen{Plain: true}, nil, hold},
		{"the broker died", passport.OpenAI, false, passport.Orphaned, passport.Seen{Plain: true}, nil, hold},
		{"an unknown outcome", passport.OpenAI, false, "surprise", passport.Seen{Plain: true}, nil, hold},
		{"two answers", passport.OpenAI, false, passport.ClientLeft, passport.Seen{Plain: true, Bytes: 501}, func(c *passport.Call) { c.Choices = 2 }, input + 1004 + 2*always},
	} {
		d := open(t, func(c *meter.Config, _ *passport.Detail) {
			c.Tariff = c.Tariff.Now().With(sold(tt.provider, tt.reasoning))
		})
		c := ask(passport.LimitOf(5000))
		c.Provider, c.Stream = tt.provider, true
		if tt.change != nil {
			tt.change(&c)
		}
		r := d.mustReserve(c)
		if got := r.Cut(t.Context(), tt.why, tt.seen); got != tt.charged {
			t.Errorf("%s: charged %d, want %d of %d", tt.name, got, tt.charged, r.Amount)
		}
		if got := r.Settle(t.Context(), passport.Finished, passport.Usage{}); got != tt.charged || len(d.ledger.settled) != 1 {
			t.Errorf("%s: settled again, for %d", tt.name, got)
		}
		if s := d.standing().Total; s.Held != 0 || s.Settled != tt.charged {
			t.Errorf("%s: the ledger has %+v", tt.name, s)
		}
		if got := d.ledger.settled[0].Why; got != tt.why {
			t.Errorf("%s: settled as %q", tt.name, got)
		}
		d.balanced()
	}
}

// Whatever was seen: a provider that nobody has looked at is charged the hold, and nothing is charged beyond the hold but what was
// told to be used, nor less than that, nor less than the text that came.
func TestACutStreamIsBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		provider := rapid.SampledFrom([]passport.Provider{passport.OpenAI, passport.Anthropic, passport.Google, "another"}).Draw(rt, "provider")
		price := sold(provider, rapid.Bool().Draw(rt, "reasoning"))
		d := open(t, func(c *meter.Config, p *passport.Detail) {
			c.Tariff, p.MaxBudgetCents = c.Tariff.Now().With(price), passport.LimitOf(1_000_000)
		})
		c := ask(passport.LimitOf(rapid.Int64Range(1, 20_000).Draw(rt, "cap")))
		c.Provider, c.Stream, c.Choices = provider, true, rapid.Int64Range(1, 4).Draw(rt, "choices")
		most := times(c.MaxOutput.Or(0), c.Choices)
		seen := passport.Seen{Plain: rapid.Bool().Draw(rt, "plain"), Bytes: rapid.Int64Range(0, most).Draw(rt, "bytes"),
			Unseen: time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(rt, "unseen"))}
		if rapid.Bool().Draw(rt, "told") {
			seen.Usage = passport.Usage{Known: true, Input: rapid.Int64Range(0, 2000).Draw(rt, "input"), Output: rapid.Int64Range(0, 2*most).Draw(rt, "output")}
		}
		r := d.mustReserve(c)
		got := r.Cut(t.Context(), passport.ClientLeft, seen)
		used, input := passport.Money(0), c.BodyBytes
		if seen.Usage.Known {
			used = price.Cost(seen.Usage)
			input = seen.Usage.Input
		}
		text := min(r.Amount, price.Cost(passport.Usage{Known: true, Input: min(input, c.BodyBytes), Output: seen.Bytes}))
		if got < used || got < text || got > max(r.Amount, used) || provider == "another" && got < r.Amount {
			rt.Fatalf("charged %s of %s: %s was told, the text is %s", got, r.Amount, used, text)
		}
	})
}

func times(a, b int64) int64 { return a * b }
