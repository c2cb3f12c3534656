package meter

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// What decides on a price besides the model and what is used: the day, and where a provider works.

// At is the price at a time: what was announced, once it holds.
func (p ModelPrice) At(now time.Time) ModelPrice {
	if p.ThenFrom.IsZero() || now.Before(p.ThenFrom) {
		return p
	}
	p.Input, p.CacheRead, p.CacheWrite, p.CacheWrite1h, p.Output = p.Then.Input, p.Then.CacheRead, p.Then.CacheWrite, p.Then.CacheWrite1h, p.Then.Output
	p.Then, p.ThenFrom = Tier{}, time.Time{}
	return p
}

// anywhere are the starts and parts of the names of Anthropic's models that are billed alike wherever they run: those before Opus 4.6 and
// Sonnet 4.6 (platform.claude.com/docs/en/build-with-claude/data-residency, "Pricing").
var anywhere = struct{ starts, parts []string }{
	[]string{"claude-1", "claude-2", "claude-3", "claude-v", "claude-instant"}, []string{"-4-0", "-4-1", "-4-5", "-4-2025"}}

// located is a worst case with the tenth more that the later models of Anthropic cost in the US. The default of a workspace can have them run
// there, which no request shows (page "Data residency"). What such a call has cost is then not told in numbers that we know, and all of
// the hold is charged.
func (p ModelPrice) located(worst passport.Money) passport.Money {
	if p.Provider != passport.Anthropic || worst >= passport.MaxMoney ||
		slices.ContainsFunc(anywhere.starts, func(s string) bool { return strings.HasPrefix(p.Model, s) }) ||
		slices.ContainsFunc(anywhere.parts, func(s string) bool { return strings.Contains(p.Model, s) }) {
		return worst
	}
	return min(worst+(worst+9)/10, beyond)
}

// regional is the end of the names of OpenAI's hosts that keep data in a region, us.api.openai.com for one. The models that came out from
// 5 March 2026 on cost a tenth more there (developers.openai.com/api/docs/guides/your-data, "Data residency").
const regional = ".api.openai.com"

// AtHost returns the tariff for a provider that is called at this host: another one where that costs more. At a host of OpenAI's that keeps
// data in a region every model counts as one that costs a tenth more: the list does not say when a model came out.
func (t *Tariff) AtHost(provider passport.Provider, host string) *Tariff {
	if provider != passport.OpenAI || !strings.HasSuffix(strings.ToLower(host), regional) {
		return t
	}
	next := &Tariff{models: maps.Clone(t.models), listed: t.listed}
	for key, p := range t.models {
		if key.provider == provider {
			next.models[key] = p.scaled(11, 10)
		}
	}
	next.version = versionOf(t.date(), fmt.Appendf(nil, "%s %s", t.version, host))
	return next
}

// scaled is the price in another proportion, each number rounded up. What would be above the largest price there is is that.
func (p ModelPrice) scaled(num, den int64) ModelPrice {
	scale := func(all ...*passport.Price) {
		for _, n := range all {
			up := new(big.Int).Mul(big.NewInt(int64(*n)), big.NewInt(num))
			up.Quo(up.Add(up, big.NewInt(den-1)), big.NewInt(den))
			*n = maxPrice
			if up.IsInt64() {
				*n = min(maxPrice, passport.Price(up.Int64()))
			}
		}
	}
	scale(&p.Input, &p.CacheRead, &p.CacheWrite, &p.CacheWrite1h, &p.InputAudio, &p.CacheAudio, &p.InputImage, &p.CacheImage, &p.Output,
		&p.OutputReasoning, &p.OutputAudio, &p.OutputImage, &p.Search, &p.FileSearch, &p.Request, &p.AudioSecond, &p.Character)
	tier := func(t *Tier) { scale(&t.Input, &t.CacheRead, &t.CacheWrite, &t.CacheWrite1h, &t.Output) }
	tier(&p.Then)
	p.Tiers = slices.Clone(p.Tiers)
	for i := range p.Tiers {
		tier(&p.Tiers[i])
	}
	return p
}
