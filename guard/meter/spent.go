package meter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of telling that a grant is spent.
const (
	spentEvery    = time.Minute     // how often one grant that is refused is looked at
	spentSize     = 4096            // grants whose last look is remembered; with more, all are forgotten
	spentDeadline = 2 * time.Second // for the ledger; then the next refusal tries again
)

// Least is the least that a call of a grant can hold: one byte to the cheapest model that it may use, with the shortest answer that an
// output cap of ours allows (256 model tokens, or the model's limit where that is lower). More than any cap covers: nothing can be called.
func (t *Tariff) Least(g passport.Grant) passport.Money {
	least := passport.Money(beyond)
	for _, d := range g.Details {
		for _, p := range t.within(d) {
			c := passport.Call{Provider: d.Provider, Kind: p.Kind, Model: p.Model, BodyBytes: 1, Parts: 1, Choices: 1}
			if _, fewest, err := outputBounds(p, c); err == nil {
				least = min(least, p.WorstCase(c, fewest))
			}
		}
	}
	return least
}

// within lists the prices of the models that a detail is for.
func (t *Tariff) within(d passport.Detail) (out []ModelPrice) {
	for _, name := range d.Models {
		if p, ok := t.Price(d.Provider, name); ok {
			out = append(out, p)
		}
	}
	if len(d.Models) == 0 {
		for k, p := range t.models {
			if k.provider == d.Provider {
				out = append(out, p)
			}
		}
	}
	return slices.DeleteFunc(out, func(p ModelPrice) bool {
		return !slices.ContainsFunc(d.Capabilities, func(c passport.Capability) bool { return slices.Contains(kindsOf[c], p.Kind) })
	})
}

// kindsOf are the kinds of calls that a capability is for.
var kindsOf = map[passport.Capability][]passport.Kind{
	passport.Chat:       {passport.KindChat},
	passport.Code:       {passport.KindChat},
	passport.Search:     {passport.KindChat},
	passport.Embeddings: {passport.KindEmbedding},
	passport.Images:     {passport.KindImage, passport.KindChat},
	passport.Audio:      {passport.KindTranscription, passport.KindSpeech, passport.KindChat},
}

// tellSpent lets the ledger tell that a grant is spent, when a call of it was refused for lack of money and what is left pays for no call
// that it could make.
func (m *Meter) tellSpent(ctx context.Context, g passport.Grant, refusal error) {
	if problem.KindOf(refusal) != problem.BudgetSpent || !m.looksAt(g.ID) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spentDeadline)
	defer cancel()
	if err := m.c.Ledger.TellSpent(ctx, g.ID, m.c.Tariff.Now().Least(g), m.c.Now()); err != nil {
		m.c.OnTellError(fmt.Errorf("tell that grant %s is spent: %w", g.ID, err))
		m.mu.Lock()
		delete(m.spent, g.ID)
		m.mu.Unlock()
	}
}

// looksAt says whether a grant is to be looked at now, and notes that it was.
func (m *Meter) looksAt(g passport.GrantID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.c.Now()
	if last, ok := m.spent[g]; ok && now.Sub(last).Abs() < spentEvery {
		return false
	}
	if len(m.spent) >= spentSize {
		clear(m.spent)
	}
	m.spent[g] = now
	return true
}
