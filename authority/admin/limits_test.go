package admin_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

func (w *world) CeilingsNow(context.Context, passport.Payer) ([]passport.Ceiling, error) {
	return w.limits, w.broken
}

func (w *world) SetCeiling(_ context.Context, id passport.CeilingID, most passport.Money, actor string) error {
	w.who = append(w.who, actor)
	for i := range w.limits {
		if w.limits[i].ID == id {
			w.limits[i].Cap, w.limits[i].Own = most, passport.LimitOf(int64(most))
			return w.broken
		}
	}
	w.limits = append(w.limits, passport.Ceiling{ID: id, Month: passport.MonthOf(w.now), Cap: most, Own: passport.LimitOf(int64(most))})
	return w.broken
}

func (w *world) RemoveCeiling(_ context.Context, id passport.CeilingID, actor string) error {
	w.who = append(w.who, actor)
	w.limits = slices.DeleteFunc(w.limits, func(c passport.Ceiling) bool { return c.ID == id })
	return w.broken
}

func (w *world) LimitMember(_ context.Context, member passport.PersonID, most passport.Limit, actor string) error {
	w.who = append(w.who, actor+" limits "+string(member))
	id := passport.PersonCeilingOf(passport.Payer(member))
	w.limits = slices.DeleteFunc(w.limits, func(c passport.Ceiling) bool { return c.ID == id })
	if n, ok := most.Get(); ok {
		w.limits = append(w.limits, passport.Ceiling{ID: id, Month: passport.MonthOf(w.now), Cap: passport.Money(n), Most: most})
	}
	return w.broken
}

func says(t *testing.T, page string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(page, word) {
			t.Errorf("the page does not say %q", word)
		}
	}
}

func TestLimitsAreSetChangedAndRemoved(t *testing.T) {
	w := newWorld(t)
	page := w.get("/limits").Body.String()
	says(t, page, "All apps together", "OpenAI", "Google", "No limit.", "1 Dec 2026, 00:00 UTC", `action="/limits/all"`, `action="/limits/openai"`)
	if strings.Contains(page, `value="remove"`) {
		t.Error("there is nothing to remove")
	}
	says(t, w.after("/limits/all", url.Values{"do": {"set"}, "money": {" 50 "}}), "The limit holds from now on.", `value="50.00"`)
	w.after("/limits/openai", url.Values{"do": {"set"}, "money": {"0"}})
	w.after("/limits/all", url.Values{"do": {"set"}, "money": {"20.5"}})
	want := []passport.Ceiling{{ID: passport.PersonCeiling, Month: 202611, Cap: 2050 * passport.Cent, Own: passport.LimitOf(20_500_000)},
		{ID: passport.KeyCeiling(passport.OpenAI), Month: 202611, Own: passport.LimitOf(0)}}
	if !slices.Equal(w.limits, want) || !slices.Equal(w.who, []string{"owner:p1", "owner:p1", "owner:p1"}) {
		t.Errorf("set %+v by %v", w.limits, w.who)
	}
	w.limits[0].Earlier, w.limits[0].Settled, w.limits[0].Held = 4*passport.Dollar, passport.Dollar, passport.Dollar/2
	says(t, w.get("/limits").Body.String(), ">$5.00</b>", "spent of $20.50 in November", ">$15.00</strong>", "$0.50 is held for running calls",
		"$5.00 of $20.50 spent, $0.50 held", ">$0.00</b>")
	says(t, w.after("/limits/all", url.Values{"do": {"remove"}, "money": {"nonsense"}}), "The limit is removed.")
	if len(w.limits) != 1 {
		t.Errorf("got %+v, want one removed", w.limits)
	}
}

func TestWhatIsNoLimitIsSaidAtItsField(t *testing.T) {
	w := newWorld(t)
	for _, in := range []string{"", "-1", "1e3", "5.001", "5,00", "$5", "1000000001", "NaN", `"><b>`} {
		rec := w.post("/limits/openai", url.Values{"do": {"set"}, "money": {in}})
		page := rec.Body.String()
		if rec.Code != 422 || len(w.limits) != 0 || strings.Contains(page, "<b>") && !strings.Contains(page, "&lt;b&gt;") {
			t.Errorf("%q: %d, %+v", in, rec.Code, w.limits)
		}
		says(t, page, `aria-invalid="true"`, "Write dollars as 20 or 20.50, at most $1,000,000,000.", "There is a problem")
	}
	for path, f := range map[string]url.Values{"/limits/anthropic": {"do": {"set"}, "money": {"1"}}, "/limits/person": {"do": {"remove"}}} {
		if rec := w.post(path, f); rec.Code != 404 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	for _, do := range []url.Values{{"money": {"1"}}, {"do": {"SET"}, "money": {"1"}}} {
		if rec := w.post("/limits/all", do); rec.Code < 400 || rec.Code >= 500 {
			t.Errorf("%v: %d", do, rec.Code)
		}
	}
	if len(w.who) != 0 {
		t.Errorf("something was set: %+v", w.limits)
	}
	if rec := w.post("/limits/all", url.Values{"do": {"set"}, "money": {"1000000000"}}); rec.Code != 303 {
		t.Errorf("the most: %d", rec.Code)
	}
}

func TestTheListTellsOfLimitsThatAreNearlyUsedUp(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	month := passport.MonthOf(w.now)
	w.limits = []passport.Ceiling{
		{ID: passport.KeyCeiling(passport.OpenAI), Month: month, Cap: 10e6, Earlier: 4e6, Settled: 4e6},
		{ID: passport.KeyCeiling(passport.Google), Month: month, Cap: 10e6, Settled: 7_999_999},
		{ID: passport.PersonCeiling, Month: month, Cap: 20e6, Settled: 20e6},
	}
	page := w.get("/").Body.String()
	says(t, page, "<strong>80 % of your limit for November</strong> is spent for OpenAI.", "is used up</strong> for all apps together", ">$20.00</span><small>of $20.00, your limit")
	if strings.Contains(page, "spent for Google") {
		t.Error("79 % are told of")
	}
	w.limits = nil
	says(t, w.get("/").Body.String(), "$25.22</span><small>all apps, UTC month")
}
