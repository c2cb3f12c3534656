package admin_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// TestTheOwnerLimitsAMember: on a page of its own, which tells the sum of the month; the member sees it on theirs, and can set less.
func TestTheOwnerLimitsAMember(t *testing.T) {
	w := newWorld(t)
	w.grace()
	says(t, w.get("/people").Body.String(), `href="/people/m1/limit"`)
	page := w.get("/people/m1/limit").Body.String()
	says(t, page, "What Grace &lt;b&gt; may spend a month", "No limit.", `action="/people/m1/limit"`)
	if strings.Contains(page, `value="remove"`) || strings.Contains(page, "OpenAI") {
		t.Error("the page has what is not to be done")
	}
	if rec := w.post("/people/m1/limit", url.Values{"do": {"set"}, "money": {"1e3"}}); rec.Code != 422 || !strings.Contains(rec.Body.String(), "Write dollars as 20 or 20.50") {
		t.Errorf("%d: %s", rec.Code, rec.Body)
	}
	for path, f := range map[string]url.Values{"/people/p1/limit": {"do": {"set"}, "money": {"1"}}, "/people/m1/limit": {"do": {"SET"}, "money": {"1"}}} {
		if path == "/people/p1/limit" {
			if rec := w.get(path); rec.Code != http.StatusNotFound {
				t.Errorf("GET %s: %d", path, rec.Code)
			}
			continue
		}
		if rec := w.post(path, f); rec.Code < 400 || len(w.who) != 0 {
			t.Errorf("POST %s: %d, %v", path, rec.Code, w.who)
		}
	}
	says(t, w.after("/people/m1/limit", url.Values{"do": {"set"}, "money": {"5"}}), "The limit holds from their next call on.")
	w.limits[0].Own, w.limits[0].Cap, w.limits[0].Settled = passport.LimitOf(3e6), 3e6, 1e6
	says(t, w.get("/people/m1/limit").Body.String(), "spent of $3.00 in November", `value="5.00"`, `value="remove"`)

	w.visitor = web.NewVisitor("m1", "Grace", passport.RoleMember, []byte("session"))
	page = w.get("/limits").Body.String()
	says(t, page, "The owner of this broker lets you spend $5.00 a month at most.", "spent of $3.00 in November", `value="3.00"`, `href="/limits"`)
	w.limits[0].Own, w.limits[0].Cap = passport.Limit{}, 5e6
	page = w.get("/limits").Body.String()
	says(t, page, "spent of $5.00 in November")
	if strings.Contains(page, `value="remove"`) {
		t.Error("a member can take the owner's limit away")
	}
	w.after("/limits/openai", url.Values{"do": {"set"}, "money": {"2"}})
	if !slices.ContainsFunc(w.limits, func(c passport.Ceiling) bool { return c.ID == passport.KeyCeilingOf("m1", passport.OpenAI) }) {
		t.Errorf("got %+v", w.limits)
	}
}

// TestNotesOfLimitsAreInWords: nobody reads the ledger's names, and everybody only what is theirs to know.
func TestNotesOfLimitsAreInWords(t *testing.T) {
	w := newWorld(t)
	w.grace()
	w.keys = []vault.Entry{{Credential: passport.Credential{ID: "k1", Provider: passport.OpenAI, Label: "work"}}}
	notes := []string{"limit a month, person: from none to $1,000.00", "limit a month, key:openai, 202611: $4.00 of $5.00 is spent", "limit a month, credential:k1: from $1.00 to none",
		"limit a month, credential:gone, 202610: all of $1.00 is spent", "most a month, person:m1: from none to $5.00", "limit a month, nonsense", "$1 of $2 is spent"}
	for _, n := range notes {
		w.events = append(w.events, passport.Event{Kind: passport.CeilingSet, Actor: "owner:p1", Note: n, At: w.now})
	}
	for _, path := range []string{"/activity", "/activity.json"} {
		says(t, w.get(path).Body.String(), "your monthly limit: from none to $1,000.00", "the monthly limit of your OpenAI keys, November 2026: $4.00 of $5.00 is spent",
			"the monthly limit of the key “work”: from $1.00 to none", "the monthly limit of a key that is not there any more, October 2026: all of $1.00 is spent",
			"the most that Grace ", "limit a month, nonsense", "$1 of $2 is spent")
	}
	w.visitor = web.NewVisitor("m1", "Grace", passport.RoleMember, []byte("session"))
	says(t, w.get("/activity").Body.String(), "the most that the owner lets you spend a month: from none to $5.00", "the owner")
}
