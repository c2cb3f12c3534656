package consent_test

import (
	"bytes"
	"compress/gzip"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/passport"
	"github.com/google/go-cmp/cmp"
)

// hostile is a request that tries everything in every text that an app can send.
func hostile(w *world) {
	const x = `"><script>alert(1)</script><img src=x onerror=alert(1)><a href="https://evil.example">` + "\u202e\u200b✅ Verified OpenAI' style='x"
	w.grant.AppName, w.grant.Reason, w.grant.AppURL = x, x+strings.Repeat(" Approve now.", 400), "https://openai.com@xn--penai-iye.com/"+url.PathEscape(x)
	w.grant.Asked[0].Models = append(w.grant.Asked[0].Models, x)
}

func TestHostileTextStaysText(t *testing.T) {
	for name, d := range map[string]passport.Detail{"one": openai()} {
		w := newWorld(t, d)
		hostile(w)
		first := w.get().Body.String()
		again := w.post(url.Values{"csrf": {w.visitor.CSRF()}, "decision": {"update"}, "budget.0": {`"><script>`}, "stamp": {`"><script>`}}).Body.String()
		for _, page := range []string{first, again} {
			if m := regexp.MustCompile(`(?i)<script[^>]*>|<img|<[a-z][^<>]*\s(?:on[a-z]+|style)=|href="https?:`).FindAllString(page, -1); len(m) != 1 || !strings.HasPrefix(m[0], `<script src="/static/app.`) {
				t.Errorf("%s: live markup %q", name, m)
			}
			if strings.ContainsAny(page, "\u202e\u200b") || strings.Contains(page, "<a href=\"https://evil") {
				t.Errorf("%s: a hidden character or a link came through", name)
			}
			h1 := page[strings.Index(page, "<h1"):strings.Index(page, "</h1>")]
			if strings.Contains(h1, "example") || strings.Contains(h1, "penai") {
				t.Errorf("the heading is the app's: %s", h1)
			}
			for _, s := range []string{"xn--penai-iye.", "It gave a name that AIPassport does not show", "can be taken for <strong>openai.com</strong>", "written with another name in front", "Not checked", "U&#43;202E"} {
				if !strings.Contains(page, s) {
					t.Errorf("%s: the page does not say %q", name, s)
				}
			}
		}
	}
}

func TestNoForbiddenWords(t *testing.T) {
	w := newWorld(t, openai())
	page := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(w.get().Body.String(), " ")
	for _, bad := range []string{"scope", "OAuth", "resource owner", "micro", "unlimited", "secure", "100 %", "Are you sure", "Cancel", "Verified", "Trusted", "Official", "Please", "please", "!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page says %q", bad)
		}
	}
}

func TestPageBudget(t *testing.T) {
	w := newWorld(t, openai())
	b := w.get().Body.Bytes()
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	g.Write(b)
	g.Close()
	if len(b) > 25_000 || z.Len() > 7_000 {
		t.Errorf("%d bytes, %d gzipped; at most 25,000 and 7,000", len(b), z.Len())
	}
	t.Log(len(b), "bytes,", z.Len(), "gzipped")
	if n := strings.Count(string(b), `="/static/`); n != 3 {
		t.Errorf("%d files are asked for, want css, js and icon", n)
	}
}

func TestBuysIsRoundedDownAndNamesTheDearest(t *testing.T) {
	for _, c := range []struct {
		budget, calls, want string
	}{
		{"1.00", "5000", "About 2,200 short chats with gpt-4o-mini, or about 130 short chats with gpt-4o."},
		{"5.00", "2000", "All 2,000 calls with gpt-4o-mini, or about 660 short chats with gpt-4o."},
	} {
		w := newWorld(t, openai())
		f := w.ready()
		f.Set("decision", "update")
		f.Set("budget.0", c.budget)
		f.Set("calls.0", c.calls)
		if page := w.post(f).Body.String(); !strings.Contains(page, `<strong data-out="buys">`+c.want+`</strong>`) {
			t.Errorf("%s: got %s", strconv.Quote(c.want), regexp.MustCompile(`data-out="buys">[^<]*`).FindString(page))
		}
	}
}

func TestOrderAndEqualityOfTheButtons(t *testing.T) {
	w := newWorld(t, openai())
	page := w.get().Body.String()
	var order []string
	for _, b := range buttons.FindAllString(page, -1) {
		if m := regexp.MustCompile(`name="decision" value="([a-z]+)"`).FindStringSubmatch(b); m != nil {
			order = append(order, m[1])
			if m[1] != "approve" && !strings.Contains(b, "formnovalidate") {
				t.Errorf("%s needs a valid form", b)
			}
			if m[1] == "approve" && strings.Contains(b, "pri") {
				t.Error("approve is filled for an unchecked app")
			}
		}
	}
	if d := cmp.Diff([]string{"update", "deny", "update", "deny", "approve"}, order); d != "" {
		t.Errorf("the first submit button must be the harmless one, and deny before approve: %s", d)
	}
	at := -1
	for _, s := range []string{"What it may do</h2>", "With which models</h2>", "How much at most</h2>", "For how long</h2>", `value="deny" formnovalidate>Deny<small>`, `value="approve"`} {
		next := strings.Index(page, s)
		if next <= at {
			t.Errorf("%s is out of order", s)
		}
		at = next
	}
	if strings.Count(page, "<h1") != 1 || !strings.Contains(page, `name="sure" id="sure" value="yes" required>`) {
		t.Error("one heading and one unticked statement are wanted")
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	w := newWorld(t, openai())
	f := w.ready()
	f.Set("csrf", "x")
	if rec := w.post(f); rec.Code != 403 || w.given != nil {
		t.Errorf("wrong token: %d", rec.Code)
	}
	f = w.ready()
	r := httptest.NewRequest("POST", "https://passport.example/consent/019abc", strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	if rec.Code != 403 || w.given != nil {
		t.Errorf("another site: %d", rec.Code)
	}
}

// TestOurOwnSidecarHasANameThatIsShown: the rules for names hold for our own client too.
func TestOurOwnSidecarHasANameThatIsShown(t *testing.T) {
	w := newWorld(t, openai())
	w.grant.AppName, w.grant.Site = passport.CommandLine().Name, "localhost"
	if page := w.get().Body.String(); !strings.Contains(page, passport.CommandLine().Name) || strings.Contains(page, "does not show") {
		t.Error("the page withholds the name of aipassport connect")
	}
}
