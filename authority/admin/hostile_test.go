package admin_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestHostileTextIsHarmlessToTheOwner: what an app calls itself, where it says it is, why it asks and which models it names neither come alive nor
// hide or turn anything on the owner's pages.
func TestHostileTextIsHarmlessToTheOwner(t *testing.T) {
	for name, x := range hostileTexts {
		for _, state := range []passport.GrantState{passport.GrantPending, passport.GrantActive, passport.GrantPaused, passport.GrantRevoked} {
			w := newWorld(t)
			w.add("a", state, passport.Balance{Cap: 5e6, Settled: 4500000})
			g := &w.list[0].Grant
			g.AppName, g.AppURL, g.Reason = x, "https://a.example/"+x, x
			for i := range g.Details {
				g.Details[i].Models = append(g.Details[i].Models, x)
			}
			for _, path := range []string{"/", "/grants", "/grants/a", "/grants/a/revoke", "/grants/a/resume"} {
				rec := w.get(path)
				page := rec.Body.String()
				if rec.Code >= 300 && rec.Code != 409 {
					continue
				}
				bare := regexp.MustCompile(`="[^"]*"`).ReplaceAllString(page, "=")
				if m := regexp.MustCompile(`(?i)<(?:img|iframe|object|base|style)\b[^>]*>|<script>|<[a-z][^<>]*\s(?:on[a-z]+|style|autofocus)\b`).FindString(bare); m != "" {
					t.Errorf("%s, %s, %s: live markup %q", name, state, path, m)
				}
				if i := strings.IndexFunc(page, func(r rune) bool {
					return r == '\uFFFD' || strings.ContainsRune("\u202C\u202E\u2067\u2069\u200B\u200D\u2060", r)
				}); i >= 0 {
					t.Errorf("%s, %s, %s: a character that hides or turns came through: %q", name, state, path, page[max(0, i-60):i])
				}
				if head := page[strings.Index(page, "<title"):strings.Index(page, "</title>")]; strings.Contains(head, "pprove") || strings.Contains(head, "Verified") {
					t.Errorf("%s, %s, %s: the title is the app's: %s", name, state, path, head)
				}
			}
		}
	}
}

// hostileTexts are what strangers may send, by what is wrong with them.
var hostileTexts = map[string]string{
	"script":     `</title></p><script>alert(1)</script><svg onload=alert(1)><img src=x>`,
	"attributes": `" autofocus onfocus=alert(1) x="' style='`,
	"right":      "\u202Eevorppa\u202C \u2067abc\u2069",
	"zero width": "App\u200B\u200D\u2060rove",
	"emoji":      "✅ Verified 🔒",
	"10 kB":      strings.Repeat("Approve this now ", 600),
	"control":    "a\x00\x07\x1b[31mb\x7f",
	"not UTF-8":  "a\xff\xfeb",
}

// TestHostileTextIsHarmlessWhereItIsToldAgain: on Usage, Activity, in notices and on an app's page models, notes, names of keys and of apps neither
// come alive nor hide or turn what stands beside them, and none makes a page large.
func TestHostileTextIsHarmlessWhereItIsToldAgain(t *testing.T) {
	alive := regexp.MustCompile(`(?i)<(?:img|iframe|object|base|style)\b[^>]*>|<script>|<[a-z][^<>]*\s(?:on[a-z]+|style|autofocus)\b`)
	for name, x := range hostileTexts {
		w := newWorld(t)
		w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 4500000, Calls: 1, CallsCap: 9})
		g, note := &w.list[0].Grant, clipped(x)
		g.AppName, g.AppURL, g.Reason, g.Details[0].Models = x, "https://a.example/"+x, x, []string{x}
		w.spend("a", x, 0, passport.Dollar)
		w.calls = []passport.Reservation{{ID: "r", Grant: "a", Provider: passport.OpenAI, Model: x, State: passport.ReservationSettled, Actual: 5, CreatedAt: w.now}}
		w.sdk = []passport.SDKKey{{ID: "k", Grant: "a", Name: note, ExpiresAt: w.now.Add(1)}}
		for _, kind := range []passport.EventKind{passport.CallCharged, passport.CredentialRenamed, passport.ClientAdded} {
			w.events = append(w.events, passport.Event{ID: "e", Kind: kind, At: w.now, Actor: x, Grant: "a", Note: note}, passport.Event{ID: "e", Kind: kind, At: w.now, Actor: "app:" + x, Note: note})
		}
		w.notices = []passport.Notice{{ID: "n", Kind: passport.GrantUnusual, Subject: "a", Payer: passport.OwnerPays, At: w.now, Note: note}, {ID: "m", Kind: passport.CredentialRefused, Subject: "c", Payer: passport.OwnerPays, At: w.now, Note: note}}
		for _, path := range []string{"/", "/usage", "/usage?by=model&range=24h", "/activity", "/activity?app=a", "/grants/a"} {
			rec := w.get(path)
			page := rec.Body.String()
			if rec.Code != 200 || len(page) > 30_000 {
				t.Errorf("%s, %s: %d, %d bytes", name, path, rec.Code, len(page))
			}
			if m := alive.FindString(regexp.MustCompile(`="[^"]*"`).ReplaceAllString(page, "=")); m != "" {
				t.Errorf("%s, %s: live markup %q", name, path, m)
			}
			outside := regexp.MustCompile(`<bdi>[^<]*</bdi>`).ReplaceAllString(page, "")
			if i := strings.IndexFunc(outside, func(r rune) bool {
				return strings.ContainsRune("\u202C\u202E\u2067\u2069\u200B\u200D\u2060\x00\x07\x1b\x7f", r)
			}); i >= 0 {
				t.Errorf("%s, %s: a character that hides or turns stands free: %q", name, path, outside[max(0, i-80):i+1])
			}
		}
	}
}

// clipped is a text as long as a note may be.
func clipped(s string) string { return s[:min(len(s), passport.MaxNote)] }

// TestWhatWasCheckedIsSaid: a site that proved that it asks is shown so in the lists as on the consent page, and no other.
func TestWhatWasCheckedIsSaid(t *testing.T) {
	for _, checked := range []bool{true, false} {
		w := newWorld(t)
		w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
		w.list[0].Grant.Site, w.list[0].Grant.Checked = "app.example.org", checked
		for _, path := range []string{"/", "/grants/a"} {
			page := w.get(path).Body.String()
			if strings.Contains(page, "Address checked") != checked || strings.Contains(page, "Not checked") == checked {
				t.Errorf("%s, checked %v: the page says otherwise", path, checked)
			}
		}
	}
}
