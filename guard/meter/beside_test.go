package meter_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// A price that was announced holds from its day on, for what is held and for what is charged.
func TestAnAnnouncedPriceHoldsFromItsDay(t *testing.T) {
	used := passport.Usage{Known: true, Input: 1000, Output: 1000}
	for _, tt := range []struct {
		day  string
		want passport.Money
	}{{"2026-12-30T23:59:59Z", 750 + 3750}, {"2026-12-31T00:00:00Z", 1500 + 7500}, {"2027-06-01T00:00:00Z", 9000}} {
		now, err := time.Parse(time.RFC3339, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		d := open(t)
		d.clock.now = now
		g := d.addGrant("g2", passport.Detail{Provider: passport.Google, Capabilities: []passport.Capability{passport.Chat},
			MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(10), RateLimit: passport.LimitOf(10)})
		c := ask(passport.LimitOf(1000))
		c.Provider, c.Model, c.Parts = passport.Google, "gemini-3.8-flash", 1
		r, err := d.Reserve(t.Context(), g, 0, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Settle(t.Context(), passport.Finished, used); got != tt.want || r.Amount < got {
			t.Errorf("%s: charged %d of %d held, want %d", tt.day, got, r.Amount, tt.want)
		}
		if got := priceOf(t, passport.Google, c.Model).At(now).ShortChat(); got != tt.want-tt.want*5/12 { // half the output
			t.Errorf("%s: a short chat costs %d", tt.day, got)
		}
	}
}

// What the built-in list says of names that are served by dearer models is not believed.
func TestWithdrawnNamesHaveNoPrice(t *testing.T) {
	all := tariff(t)
	for preset, models := range map[passport.Preset][]string{"xai": {"grok-4-1-fast-reasoning", "grok-4-fast-non-reasoning", "grok-code-fast-1", "grok-4-0709"},
		"deepseek": {"deepseek-chat", "deepseek-reasoner"}} {
		info, _ := preset.Info()
		list := all.WithAdded([]passport.Compatible{{Name: "added", Preset: preset, Base: info.Base}})
		for _, m := range models {
			if p, ok := list.Price("added", m); ok {
				t.Errorf("%s costs %v", m, p)
			}
		}
	}
	info, _ := passport.Preset("deepseek").Info()
	flash, _ := all.WithAdded([]passport.Compatible{{Name: "added", Preset: "deepseek", Base: info.Base}}).Price("added", "deepseek-v4-flash")
	if flash.Input != 300_000 || flash.Output != 1_200_000 {
		t.Errorf("at the peak deepseek-v4-flash costs %d and %d", flash.Input, flash.Output)
	}
}

// At a host that keeps data in a region all of OpenAI's costs a tenth more, and nobody else's.
func TestRegionalHosts(t *testing.T) {
	base := tariff(t)
	for _, host := range []string{"api.openai.com", "us.api.openai.com.example", "api.anthropic.com", "127.0.0.1"} {
		if base.AtHost(passport.OpenAI, host) != base {
			t.Errorf("%s has other prices", host)
		}
	}
	eu := base.AtHost(passport.OpenAI, "EU.api.openai.com")
	if eu.Version() == base.Version() {
		t.Error("the tariff has the same name")
	}
	before, _ := base.Price(passport.OpenAI, "gpt-5.4")
	after, _ := eu.Price(passport.OpenAI, "gpt-5.4")
	if after.Input*10 != before.Input*11 || after.Output*10 != before.Output*11 || after.Tiers[0].Output*10 != before.Tiers[0].Output*11 {
		t.Errorf("%+v\n%+v", before, after)
	}
	if again, _ := base.Price(passport.OpenAI, "gpt-5.4"); again.Tiers[0] != before.Tiers[0] {
		t.Error("the other tariff has changed")
	}
	google, _ := base.Price(passport.Google, "gemini-3.8-flash")
	if same, _ := eu.Price(passport.Google, "gemini-3.8-flash"); same.Input != google.Input {
		t.Error("Google costs more too")
	}
}

// What a reseller told that it takes is charged where it is more than what was used costs here, above the hold too.
func TestWhatAResellerTakesIsCharged(t *testing.T) {
	for told, want := range map[passport.Money]passport.Money{0: 30, 29: 30, 31: 31, 5_000_000: 5_000_000} {
		d := open(t)
		r := d.mustReserve(ask(passport.LimitOf(1000)))
		got := r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 10, Output: 10, Told: told})
		if got != want || d.standing().Total.Settled != want {
			t.Errorf("told %d: charged %d of %d held, want %d", told, got, r.Amount, want)
		}
		if frozen := len(d.frozen) > 0; frozen != (want > r.Amount) {
			t.Errorf("told %d: frozen %v", told, frozen)
		}
	}
}
