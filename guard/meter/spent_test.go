package meter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// spentEvents counts what was told of the desk's grant.
func (d *desk) spentEvents() (n int) {
	d.t.Helper()
	events, err := d.ledger.EventsOf(d.t.Context(), d.grant.ID, 100)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, ev := range events {
		if ev.Kind == passport.GrantSpent {
			n++
		}
	}
	return n
}

// TestAGrantIsSpentWhenNoCallFits: not when a dear call is refused, and not before a call is. The smallest call to the desk's model holds
// 593: a byte and the template's 80 tokens in, 256 out.
func TestAGrantIsSpentWhenNoCallFits(t *testing.T) {
	d := open(t, func(_ *meter.Config, detail *passport.Detail) {
		detail.Models, detail.MaxBudgetCents = []string{"plain"}, passport.LimitOf(1)
	})
	refuse := func(told int, why string) {
		t.Helper()
		if _, err := d.reserve(ask(passport.LimitOf(2_000_000))); problem.KindOf(err) != problem.BudgetSpent {
			t.Fatalf("got %v, want the budget spent", err)
		}
		if n := d.spentEvents(); n != told {
			t.Errorf("told %d times, want %d: %s, %s is left", n, told, why, d.standing().Total.Left())
		}
	}
	refuse(0, "all of the money is left")
	d.clock.add(time.Minute)
	r := d.mustReserve(ask(passport.LimitOf(4460))) // all of it
	refuse(0, "what is held may come back")
	r.Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 487, Output: 4460})
	d.clock.add(time.Minute)
	refuse(0, "the smallest call costs 593")
	c := ask(passport.LimitOf(1))
	c.BodyBytes = 1
	d.mustReserve(c).Settle(t.Context(), passport.Finished, passport.Usage{Known: true, Input: 1})
	refuse(0, "it was looked at within the minute")
	d.clock.add(time.Minute)
	d.ledger.Fail("TellSpent", storetest.Before, errors.New("no disk"))
	refuse(0, "the ledger fails")
	if len(d.errs) != 1 {
		t.Errorf("got errors %v, want one", d.errs)
	}
	d.ledger.Fail("TellSpent", storetest.Before, nil)
	refuse(1, "it is tried again at once")
	d.clock.add(time.Minute)
	refuse(1, "once")
	d.balanced()
}

// TestLeastIsOfWhatAGrantMayCall.
func TestLeastIsOfWhatAGrantMayCall(t *testing.T) {
	tf := tariff(t).With(plain)
	detail := func(p passport.Provider, c passport.Capability, models ...string) passport.Detail {
		return passport.Detail{Provider: p, Models: models, Capabilities: []passport.Capability{c}}
	}
	least := func(ds ...passport.Detail) passport.Money { return tf.Least(passport.Grant{Details: ds}) }
	one := least(detail(passport.OpenAI, passport.Chat, "plain"))
	if one != 593 {
		t.Errorf("got %d, want 593", one)
	}
	dear, all := least(detail(passport.Anthropic, passport.Chat, "claude-opus-4-1")), least(detail(passport.Anthropic, passport.Chat))
	if dear < 256*75 || all >= dear || all == 0 {
		t.Errorf("got %s for a dear model and %s for all of a provider", dear, all)
	}
	if got := least(detail(passport.Anthropic, passport.Chat, "claude-opus-4-1"), detail(passport.OpenAI, passport.Chat, "plain")); got != one {
		t.Errorf("got %s, want that of the cheaper provider", got)
	}
	for _, none := range []passport.Money{least(), least(detail(passport.OpenAI, passport.Embeddings, "plain")), least(detail(passport.OpenAI, passport.Chat, "gpt-99"))} {
		if none <= passport.MaxMoney {
			t.Errorf("got %s, want more than any cap covers: nothing can be called", none)
		}
	}
}
