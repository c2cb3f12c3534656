package consent_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/passport"
)

// fromDevice is a request that a device waits for.
func fromDevice(t *testing.T) *world {
	w := newWorld(t, openai())
	w.device = &consent.Device{Code: "WDJB-MJHT", From: "192.0.2.44", Asked: w.now.Add(-40 * time.Second), Ends: w.now.Add(9 * time.Minute)}
	return w
}

// TestADeviceIsToldByItsCode: the code large, who asked and from where, the warning before all choices, its own statement and its own low
// start. The page says nothing of an app whose address it is.
func TestADeviceIsToldByItsCode(t *testing.T) {
	w := fromDevice(t)
	page := w.get().Body.String()
	at := 0
	for _, s := range []string{"<title>Request from a device", "Does your device show this code?", `aria-label="Code: W, D, J, B, dash, M, J, H, T"`,
		"<b>W</b><b>D</b><b>J</b><b>B</b><span>–</span><b>M</b>", "40 seconds ago", "192.0.2.44", "another network", "Field Notes", "Not checked",
		"Did someone send you this code", "Deny now", "What it may do", `name="sure"`, "I see this code on a screen in front of me."} {
		i := strings.Index(page[at:], s)
		if i < 0 {
			t.Fatalf("%q is missing, or stands before what it should follow, in %s", s, page)
		}
		at += i
	}
	for _, s := range []string{"An app that nobody checked", "It says it is at", "I started this myself", " checked required"} {
		if strings.Contains(page, s) {
			t.Errorf("the page of a device says %q", s)
		}
	}
	f := form(page)
	if f.Get("budget.0") != "2.00" || f.Get("life") != "604800" || f.Get("sure") != "" || !strings.Contains(page, "Devices start at $2.00") {
		t.Errorf("it starts at %v", f)
	}
	w.device.SameNetwork, w.device.Asked = true, w.now.Add(-5*time.Minute)
	if page = w.get().Body.String(); !strings.Contains(page, "the same network as this browser") || !strings.Contains(page, "5 minutes ago") {
		t.Errorf("got %s", page)
	}
	if len(page) > 25_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

func TestADeviceIsApprovedByItsStatement(t *testing.T) {
	w := fromDevice(t)
	f := w.ready()
	f.Del("sure")
	if rec := w.post(f); rec.Code != 422 || !strings.Contains(rec.Body.String(), "Tick that you see the code on a screen of yours, or deny.") ||
		!strings.Contains(rec.Body.String(), "Does your device show this code?") {
		t.Errorf("without the statement: got %d %s", rec.Code, rec.Body)
	}
	if w.given != nil {
		t.Fatal("it was approved without the statement")
	}
	f.Set("sure", "yes")
	if rec := w.post(f); rec.Code != 303 || w.given == nil || w.given.Lifetime != 7*24*time.Hour {
		t.Errorf("got %d, given %+v", rec.Code, w.given)
	}
}

// TestACodeThatExpiredIsAnsweredNoMore: whatever its grant says; and where nobody can say whether a device waits, nothing is shown.
func TestACodeThatExpiredIsAnsweredNoMore(t *testing.T) {
	w := fromDevice(t)
	f := w.ready()
	w.now = w.device.Ends
	if rec := w.get(); rec.Code != 410 || !strings.Contains(rec.Body.String(), "no longer open") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if w.post(f); w.given != nil || w.grant.State != passport.GrantPending {
		t.Errorf("it was answered: %s", w.grant.State)
	}
	w = fromDevice(t)
	f = w.ready()
	w.device, w.lost = nil, errors.New("the disk burns")
	if rec := w.get(); rec.Code != 500 {
		t.Errorf("got %d", rec.Code)
	}
	if w.post(f); w.given != nil {
		t.Error("it was approved as an app")
	}
}
