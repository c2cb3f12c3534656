package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// notice adds one as the newest.
func (w *world) notice(id passport.EventID, kind passport.EventKind, subject, note string, payer passport.Payer) {
	n := passport.Notice{ID: id, Kind: kind, Subject: subject, Payer: payer, At: w.now.Add(time.Duration(len(w.notices)) * time.Second), Note: note}
	w.notices = append([]passport.Notice{n}, w.notices...)
}

func TestNoticesStandOnTopUntilTheyAreDismissed(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	w.notice("n1", passport.GrantFirstUsed, "a", "its first call was made", w.visitor.Payer())
	w.notice("n2", passport.GrantUnusual, "a", "$2.00 in the last hour", w.visitor.Payer())
	w.notice("n3", passport.CredentialRefused, "cr0", "openai <b>mine</b>", w.visitor.Payer())
	w.notice("n4", passport.GrantSpent, "a", "another's", "somebody")
	page := w.get("/").Body.String()
	says(t, page, "Worth knowing", "First call", "An unusual hour", "$2.00 in the last hour", "A provider refused its key", "openai &lt;b&gt;mine&lt;/b&gt;", `<a href="/keys">your keys</a>`, `<a href="/grants/a">a.example.com</a>`, `value="n1">Dismiss<span class="vh">: First call, a.example.com`)
	for _, not := range []string{"another&#39;s", "not there"} {
		if strings.Contains(page, not) {
			t.Errorf("the page says %q", not)
		}
	}
	if page := w.after("/notices/dismiss", url.Values{"id": {"n2"}}); strings.Contains(page, "An unusual hour") || !strings.Contains(page, "First call") {
		t.Error("one was dismissed, and it is another that is gone")
	}
	if page := w.get("/grants?before=" + url.QueryEscape(w.now.Format(time.RFC3339Nano))).Body.String(); strings.Contains(page, "First call") {
		t.Error("older apps have notices too")
	}
	for _, bad := range []url.Values{{}, {"upTo": {"x"}}, {"upTo": {"-1"}}, {"upTo": {"0"}}, {"id": {strings.Repeat("x", 201)}}} {
		if rec := w.post("/notices/dismiss", bad); rec.Code != 422 || len(w.notices) != 3 {
			t.Errorf("%v: %d, %d left", bad, rec.Code, len(w.notices))
		}
	}
	// All that the page had are dismissed, not what came since.
	base := w.now
	w.now = w.now.Add(time.Minute)
	w.notice("n6", passport.GrantNearCap, "a", "came since", w.visitor.Payer())
	page = w.after("/notices/dismiss", url.Values{"upTo": {fmt.Sprint(base.Add(4 * time.Second).UnixMicro())}})
	if strings.Contains(page, "First call") || !strings.Contains(page, "came since") {
		t.Error("dismissing all takes what the page did not have, or leaves what it had")
	}
	w.notice("n5", passport.GrantSpent, "gone", "of an app that is not there", w.visitor.Payer())
	if page := w.get("/").Body.String(); strings.Contains(page, "not there") || !strings.Contains(page, "came since") {
		t.Error("a notice of no app hides others, or is shown")
	}
	for i := range 15 {
		w.notice(passport.EventID(fmt.Sprint("m", i)), passport.GrantSpent, "a", "n", w.visitor.Payer())
	}
	if page := w.get("/").Body.String(); strings.Count(page, `name="id" value="m`) != passport.MostNotices || !strings.Contains(page, "There are more, older ones.") {
		t.Error("notices are not bounded")
	}
}
