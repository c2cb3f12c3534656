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
	for name, x := range map[string]string{
		"script":     `</title></p><script>alert(1)</script><svg onload=alert(1)><img src=x>`,
		"attributes": `" autofocus onfocus=alert(1) x="' style='`,
		"right":      "\u202Eevorppa\u202C \u2067abc\u2069",
		"zero width": "App\u200B\u200D\u2060rove",
		"emoji":      "✅ Verified 🔒",
		"10 kB":      strings.Repeat("Approve this now ", 600),
		"not UTF-8":  "a\xff\xfeb",
	} {
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
