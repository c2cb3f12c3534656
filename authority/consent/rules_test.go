package consent_test

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/passport"
)

// everything is a request for all that there is.
func everything() passport.Detail {
	d := openai()
	d.Capabilities = []passport.Capability{passport.Chat, passport.Embeddings, passport.Images, passport.Audio, passport.Code, passport.Search}
	d.MaxBudgetCents, d.MaxRequests, d.RateLimit = passport.LimitOf(100_000), passport.LimitOf(1_000_000), passport.LimitOf(10_000)
	return d
}

// doorsOf are the ways that a request comes: what the page says of them, and where it starts.
var doorsOf = []struct {
	name        string
	set         func(*world)
	money, life string
	sworn       bool
}{
	{"claimed", func(*world) {}, "1.00", "86400", true},
	{"unchecked", func(w *world) { w.grant.Site = "app.example.org" }, "1.00", "86400", true},
	{"this computer", func(w *world) { w.grant.Site = "localhost" }, "1.00", "86400", true},
	{"device", func(w *world) {
		w.device = &consent.Device{Code: "WDJB-MJHT", From: "192.0.2.44", Asked: w.now, Ends: w.now.Add(9 * time.Minute)}
	}, "2.00", "604800", true},
	{"a device of a checked app", func(w *world) {
		w.grant.Site, w.grant.Checked = "app.example.org", true
		w.device = &consent.Device{Code: "WDJB-MJHT", From: "192.0.2.44", Asked: w.now, Ends: w.now.Add(9 * time.Minute)}
	}, "2.00", "604800", true},
	{"checked", func(w *world) { w.grant.Site, w.grant.Checked = "app.example.org", true }, "5.00", "604800", false},
}

// The doors that differ in what they show of an app's texts, by their place in doorsOf.
const claimed, device, checked = 0, 3, 5

// TestOfTheAddressOnlyTheHostIsShown: no path, query, user, password or port 443, wherever it comes from; its labels are all ASCII and break at dots only.
func TestOfTheAddressOnlyTheHostIsShown(t *testing.T) {
	for raw, want := range map[string]string{
		"https://notes.example.com:443/secret-path?secret-query=1#secret-part": "notes.<wbr><wbr><b>example.<wbr>com<wbr></b></span>",
		"https://secret-user:secret-word@notes.example.com/":                   "notes.<wbr><wbr><b>example.<wbr>com<wbr></b></span>",
		"https://notes.example.com:8443/secret":                                "notes.<wbr><wbr><b>example.<wbr>com<wbr></b>:8443</span>",
		"https://ünï.example.co.uk/secret":                                     "xn--n-nga1b.<wbr><wbr><b>example.<wbr>co.<wbr>uk<wbr></b></span>",
	} {
		w := newWorld(t, openai())
		w.grant.AppURL = raw
		page := w.get().Body.String()
		at := strings.Index(page, `<span class="addr">`)
		if at < 0 || strings.Contains(page, "secret") || strings.Contains(page, ":443") || strings.Contains(page, "ünï") {
			t.Errorf("%s: the page shows more than the host, or nothing", raw)
			continue
		}
		if got, _, _ := strings.Cut(page[at:], "</span>"); got+"</span>" != `<span class="addr">`+want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

// TestALookalikeOfAKnownAppIsNamed: an address that can be taken for one of the owner's apps, or for a well-known site, is said not to be it; that a
// site has nothing yet is said only where it is the site that gets the access.
func TestALookalikeOfAKnownAppIsNamed(t *testing.T) {
	for _, c := range []struct {
		site, claim, like string
		first             bool
	}{
		{site: "fieldn0tes.org", like: "fieldnotes.org", first: true},
		{site: "fieldnotes.org"},
		{site: "elsewhere.org", first: true},
		{site: "localhost"},
		{claim: "https://fieldn0tes.org", like: "fieldnotes.org"},
		{claim: "https://openai.com.evil.org", like: "openai.com"},
	} {
		w := newWorld(t, openai())
		w.with(func(cfg *consent.Config) {
			cfg.Known = func(context.Context, passport.Payer) []string { return []string{"fieldnotes.org"} }
		})
		w.grant.Site, w.grant.AppURL = c.site, c.claim
		page := w.get().Body.String()
		says := strings.Contains(page, "can be taken for <strong>"+c.like+"</strong>, and it is <strong>not</strong> that site")
		if says != (c.like != "") || strings.Contains(page, "can be taken for") != (c.like != "") {
			t.Errorf("%+v: the page says of a look-alike: %v", c, says)
		}
		if strings.Contains(page, "First request") != c.first {
			t.Errorf("%+v: first request: %v", c, !c.first)
		}
	}
}

// TestTheReasonIsQuotedAndFolded: 280 characters, the rest behind a fold; never a link, a heading or a list, and nothing that turns or hides text.
func TestTheReasonIsQuotedAndFolded(t *testing.T) {
	w := newWorld(t, openai())
	w.grant.Reason = "# Urgent\n* go to [us](https://evil.example) https://evil.example\u202E\u200B " + strings.Repeat("x", 300) + "the end"
	page := w.get().Body.String()
	own := page[strings.Index(page, `<figure class="own">`):strings.Index(page, "</figure>")]
	shown, rest, folded := strings.Cut(own, "<details>")
	if !folded || strings.Contains(shown, "the end") || !strings.Contains(rest, "the end") || !strings.Contains(shown, "Why it asks, in its own words:") {
		t.Errorf("got %s", own)
	}
	if text := regexp.MustCompile(`<bdi>([^<]*)…</bdi>`).FindStringSubmatch(shown); text == nil || len([]rune(text[1])) != 280 {
		t.Errorf("280 characters are shown before the fold, not %q", text)
	}
	for _, bad := range []string{"<a", "href", "<h1", "<li", "\u202E", "\u200B"} {
		if strings.Contains(own, bad) {
			t.Errorf("the reason has %q", bad)
		}
	}
	w.grant.Reason = "To summarise."
	if page = w.get().Body.String(); strings.Contains(page, "Show all") {
		t.Error("a short reason is folded")
	}
}

// TestWhereEachDoorStarts: by whatever door, nothing that costs more is ticked, the money and the life start low, and nothing offers to be remembered
// or to take all.
func TestWhereEachDoorStarts(t *testing.T) {
	for _, c := range doorsOf {
		w := newWorld(t, everything())
		c.set(w)
		page := w.get().Body.String()
		f := form(page)
		if f.Get("budget.0") != c.money || f.Get("life") != c.life || !slices.Equal(f["cap.0"], []string{"0", "1"}) || f.Get("sure") != "" {
			t.Errorf("%s: it starts with %v", c.name, f)
		}
		if strings.Contains(page, `name="sure"`) != c.sworn || strings.Contains(page, `class="btn wide pri"`) == c.sworn || strings.Contains(page, `class="hold"`) != c.sworn {
			t.Errorf("%s: the statement, the wait and the filled button", c.name)
		}
		for _, bad := range []string{"emember", "elect all", "all of them", "lways allow", "ecommended", "imited time", "seconds left"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page says %q", c.name, bad)
			}
		}
	}
}

// TestTheWarningComesFirst: before whatever is chosen, and a way to deny stands in it.
func TestTheWarningComesFirst(t *testing.T) {
	for _, c := range doorsOf {
		w := newWorld(t, openai())
		c.set(w)
		page := w.get().Body.String()
		at := -1
		for _, s := range []string{"<h1", `<div class="note `, `value="deny" formnovalidate>Deny now`, "What it may do</h2>", `value="deny" formnovalidate>Deny<small>`, `value="approve"`} {
			next := strings.Index(page, s)
			if next <= at {
				t.Errorf("%s: %s is missing or out of order", c.name, s)
			}
			at = next
		}
	}
}

// TestAnAnswerIsFinal: whatever is pressed afterwards changes nothing.
func TestAnAnswerIsFinal(t *testing.T) {
	w := newWorld(t, openai())
	again, deny := w.ready(), url.Values{"csrf": {w.visitor.CSRF()}, "decision": {"deny"}}
	again.Set("budget.0", "20")
	w.post(w.ready())
	given := *w.given
	w.given = nil
	for _, f := range []url.Values{again, deny} {
		rec := w.post(f)
		if w.given != nil || w.denied != 0 || !strings.Contains(rec.Body.String(), "You gave up to $1.00") {
			t.Errorf("after it was approved, %s: %d", f.Get("decision"), rec.Code)
		}
	}
	if w.grant.State != passport.GrantActive || w.grant.Details[0].Cap() != passport.Dollar || given.Lifetime != 24*time.Hour {
		t.Errorf("the grant is %+v", w.grant)
	}
}

// hostileTexts are what an app may send as any of its texts.
var hostileTexts = map[string]string{
	"10 kB":      strings.Repeat("Approve this now ", 600),
	"one word":   strings.Repeat("W", 10_000),
	"script":     `</title></textarea></p><script>alert(1)</script><svg onload=alert(1)>`,
	"attributes": `" autofocus onfocus=alert(1) x="' onload='`,
	"template":   "{{.}} ${x} <%= x %>",
	"right":      "\u202Eevorppa\u202C \u2067abc\u2069 \u061C",
	"zero width": "App\u200B\u200C\u200D\u2060\uFEFFrove",
	"emoji":      "✅🔒 Verified 👍🏽 \U0001F468\u200D\U0001F469\u200D\U0001F467",
	"homoglyphs": "ОреnАI аррrоvеd",
	"stacked":    "a" + strings.Repeat("\u0301", 500),
	"controls":   "a\x00b\x07c\x1b[31md\u2028e\u2029f\u0085g",
	"tags":       "a\U000E0041\U000E0042",
	"not UTF-8":  "a\xff\xfe\xc0\xafb",
	"javascript": "javascript:alert(1)//https://a.example",
}

// harmless reports what of a page could harm: markup or attributes of the app's, characters that turn, hide or stack, one word that widens it.
func harmless(t *testing.T, name, page string) {
	t.Helper()
	bare := regexp.MustCompile(`="[^"]*"`).ReplaceAllString(page, "=")
	if m := regexp.MustCompile(`(?i)<(?:script|img|iframe|object|base|link|style|textarea)\b[^>]*>|<[a-z][^<>]*\s(?:on[a-z]+|style|autofocus)\b`).FindAllString(bare, -1); len(m) != 3 ||
		strings.Join(m, "") != "<link rel= href= type=><link rel= href=><script src= defer>" {
		t.Errorf("%s: live markup %q", name, m)
	}
	if m := regexp.MustCompile(`(?:href|src|action|content)="(?:https?|javascript|data|//)[^"]*`).FindString(page); m != "" {
		t.Errorf("%s: leads elsewhere: %s", name, m)
	}
	if i := strings.IndexFunc(page, func(r rune) bool {
		return r == '\uFFFD' || r >= 0xE0000 || strings.ContainsRune("\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069\u061C\u200B\u200C\u200D\u2060\uFEFF\u2028\u2029\u0085\x00\x07\x1b", r)
	}); i >= 0 {
		t.Errorf("%s: a character that hides or turns came through: %q", name, page[max(0, i-40):min(len(page), i+8)])
	}
	if strings.Contains(page, strings.Repeat("\u0301", 3)) {
		t.Errorf("%s: piled marks came through", name)
	}
	if len(page) > 60_000 {
		t.Errorf("%s: the page has %d bytes", name, len(page))
	}
	heading := page[strings.Index(page, "<title"):strings.Index(page, "</title>")] + page[strings.Index(page, "<h1"):strings.Index(page, "</h1>")]
	for _, s := range []string{"pprove t", "WWWW", "Verified", "alert", "{{", "evorppa"} {
		if strings.Contains(heading, s) {
			t.Errorf("%s: the heading has %q", name, s)
		}
	}
}

// TestHostileTextIsHarmless: in a name, an address, a reason and a model's name, on every page that this package shows.
func TestHostileTextIsHarmless(t *testing.T) {
	for name, x := range hostileTexts {
		for _, c := range []int{claimed, device, checked} {
			c := doorsOf[c]
			w := newWorld(t, openai())
			c.set(w)
			w.grant.AppName, w.grant.AppURL, w.grant.Reason = x, "https://a.example/"+x, x
			w.grant.Asked[0].Models = append(w.grant.Asked[0].Models, x)
			harmless(t, name+", "+c.name, w.get().Body.String())
			f := w.ready()
			f.Set("budget.0", x)
			f.Set("stamp", x)
			harmless(t, name+", wrong, "+c.name, w.post(f).Body.String())
			f = w.ready()
			f.Add("model.0", "2")
			w.post(f)
			harmless(t, name+", given, "+c.name, w.get().Body.String())
		}
		w := newMore(t)
		w.grant.AppName, w.grant.AppURL, w.grant.Reason = x, x, x
		w.grant.Asked[0].Models = append(w.grant.Asked[0].Models, x)
		harmless(t, name+", more", w.get().Body.String())
	}
}
