package admin_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// hook is a webhook in memory.
type hook struct {
	set    bool
	w      passport.Webhook
	tested int
	broken error
}

func (h *hook) Set(_ context.Context, address, actor string) (string, error) {
	if !strings.HasPrefix(address, "https://") {
		return "", problem.New(problem.Invalid, "must begin with https://").In("url")
	}
	h.set, h.w = true, passport.Webhook{Site: strings.Join(strings.SplitN(address, "/", 4)[:3], "/"), CreatedAt: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)}
	return "whsec_once", nil
}

func (h *hook) Remove(context.Context, string) error { h.set = false; return nil }

func (h *hook) Test(context.Context, string) error {
	if !h.set {
		return problem.New(problem.NotFound, "there is no such webhook")
	}
	h.tested++
	return nil
}

func (h *hook) Status(context.Context) (passport.Webhook, error) {
	if !h.set {
		return passport.Webhook{}, problem.New(problem.NotFound, "there is no such webhook")
	}
	return h.w, h.broken
}

func TestTheWebhookIsSetTestedAndRemoved(t *testing.T) {
	w := newWorld(t)
	page := w.get("/settings").Body.String()
	says(t, page, "Set the webhook", `action="/settings/webhook"`)
	if strings.Contains(page, `value="test"`) || strings.Contains(page, `value="remove"`) {
		t.Error("there is nothing to test or remove")
	}
	rec := w.post("/settings/webhook", url.Values{"do": {"set"}, "url": {"http://a.example/<b>"}})
	if rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("a bad address: got %d, want 422", rec.Code)
	}
	says(t, rec.Body.String(), "The address must begin with https://.", `value="http://a.example/&lt;b&gt;"`)

	rec = w.post("/settings/webhook", url.Values{"do": {"set"}, "url": {" https://a.example/secret-path "}})
	page = rec.Body.String()
	says(t, page, "whsec_once", "https://a.example<", "Nothing was sent yet.")
	if rec.Header().Get("Cache-Control") != "no-store" || strings.Contains(page, "secret-path") {
		t.Error("the secret or the address could stay somewhere")
	}
	if strings.Contains(w.get("/settings").Body.String(), "whsec_once") {
		t.Error("the secret is shown twice")
	}
	says(t, w.after("/settings/webhook", url.Values{"do": {"test"}}), "A test is on its way.")
	if w.hook.tested != 1 {
		t.Errorf("tested %d times", w.hook.tested)
	}
	w.hook.w.LastAt, w.hook.w.LastKind = w.now, passport.GrantNearCap
	says(t, w.get("/settings").Body.String(), "80 % of its money is spent", "Delivered")
	w.hook.w.LastError, w.hook.w.Waiting, w.hook.w.NextAt = "answered 500", 2, w.now.Add(time.Minute)
	says(t, w.get("/settings").Body.String(), "Not delivered", "Answered 500.", "2 events wait.", "Tried again")
	says(t, w.after("/settings/webhook", url.Values{"do": {"remove"}}), "The webhook is removed", "Set the webhook")
	if rec := w.post("/settings/webhook", url.Values{"do": {"test"}}); rec.Code != http.StatusNotFound {
		t.Errorf("a test of nothing: got %d, want 404", rec.Code)
	}
	if rec := w.post("/settings/webhook", url.Values{"do": {"boom"}}); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("nonsense: got %d, want 422", rec.Code)
	}
}

func TestAnswersAreKeptWhereTheOwnerSaysSo(t *testing.T) {
	w := newWorld(t)
	w.add("g1", passport.GrantActive, passport.Balance{Cap: 100, CallsCap: 10})
	w.add("g2", passport.GrantRevoked, passport.Balance{Cap: 100, CallsCap: 10})
	says(t, w.get("/grants/g1").Body.String(), "Keep answers for a day", "What was said is never kept.")
	says(t, w.after("/grants/g1/answers", url.Values{"keep": {"yes"}}), "answers are kept for a day, sealed", "Keep no answers")
	if !w.list[0].Grant.KeepAnswers {
		t.Error("nothing was changed")
	}
	says(t, w.after("/grants/g1/answers", url.Values{"keep": {"no"}}), "Answers are not kept any more.")
	if rec := w.post("/grants/g1/answers", url.Values{"keep": {"maybe"}}); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("got %d, want 422", rec.Code)
	}
	if strings.Contains(w.get("/grants/g2").Body.String(), "Keep answers") {
		t.Error("an ended app has nothing to keep")
	}
}

func TestWhatHappenedIsShown(t *testing.T) {
	w := newWorld(t)
	w.add("g1", passport.GrantActive, passport.Balance{Cap: 100, CallsCap: 10})
	w.events = []passport.Event{{Kind: passport.GrantNearCap, At: w.now, Note: "$4.00 of $5.00 is spent"}, {Kind: passport.GrantApproved, At: w.now.Add(-time.Hour)}}
	says(t, w.get("/grants/g1").Body.String(), "What happened", "80 % of its money is spent", "$4.00 of $5.00 is spent", "Approved")
}
