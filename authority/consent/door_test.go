package consent_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/authority/consent"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// TestTheHeadingIsWhereTheAccessGoes: not what the app claims; and whether that place has proved that it asks is said plainly.
func TestTheHeadingIsWhereTheAccessGoes(t *testing.T) {
	for _, c := range []struct {
		site       string
		checked    bool
		says, nots []string
	}{
		{"app.example.org", true, []string{"<title>Request from example.org", `<h1 class="site">app.<wbr><wbr><b>example.<wbr>org<wbr></b></h1>`, "Address checked", "not whether it is good", "Deny now", `value="5.00"`},
			[]string{"Not checked", "Nobody has checked", `name="sure"`, "btn wide wait", "notes.example.com"}},
		{"app.example.org", false, []string{"<title>Request from an unchecked app", `<h1 class="site">app.<wbr><wbr><b>example.<wbr>org<wbr></b></h1>`, "Not checked", `name="sure"`, "btn wide wait", `value="1.00"`},
			[]string{"Address checked", "notes.example.com"}},
		{"localhost", false, []string{`<h1 class="site"><b>this computer</b></h1>`, "Not checked", "Any program on this computer can ask so"}, []string{"Address checked"}},
		{"com.example.app:", false, []string{"an app on this device", "com.example.app:", "any app of the device can claim", "Not checked"}, []string{"Address checked"}},
		{"xn--penai-iye.com", true, []string{"can be taken for <strong>openai.com</strong>", "xn--penai-iye"}, []string{"оpenai"}},
	} {
		w := newWorld(t, openai())
		w.grant.Client, w.grant.Site, w.grant.Checked = "c1", c.site, c.checked
		page := w.get().Body.String()
		for _, s := range c.says {
			if !strings.Contains(page, s) {
				t.Errorf("%s %v: %q is missing in %s", c.site, c.checked, s, page)
			}
		}
		for _, s := range c.nots {
			if strings.Contains(page, s) {
				t.Errorf("%s %v: says %q", c.site, c.checked, s)
			}
		}
	}
}

// TestACheckedAppIsApprovedWithoutTheStatement, and no other.
func TestACheckedAppIsApprovedWithoutTheStatement(t *testing.T) {
	for _, checked := range []bool{true, false} {
		w := newWorld(t, openai())
		w.grant.Site, w.grant.Checked = "app.example.org", checked
		f := form(w.get().Body.String())
		f.Set("decision", "approve")
		rec := w.post(f)
		if (w.given != nil) != checked || (rec.Code == 303) != checked {
			t.Errorf("checked %v: got %d, given %v", checked, rec.Code, w.given)
		}
	}
}

// door is one that a grant came by.
type door struct {
	mine bool
	link bool
}

func (d door) Mine(*http.Request, passport.Grant) error {
	if !d.mine {
		return problem.New(problem.Forbidden, "opened in another browser")
	}
	return nil
}

func (d door) Answer(*http.Request, passport.Grant) (string, bool, bool) {
	return "/oauth/return/019abc", d.link, d.mine
}

// with serves the page with another setting.
func (w *world) with(change func(*consent.Config)) {
	pages, err := web.New(web.Options{PublicURL: "https://passport.example"})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := consent.Config{Pages: pages, People: w, Grants: func(passport.Payer) consent.Grants { return w }, Prices: w, Devices: w, Limits: limits, Now: w.clock}
	change(&cfg)
	c, err := consent.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mux = http.NewServeMux()
	for p, h := range c.Routes() {
		w.mux.HandleFunc(p, h)
	}
}

// behind puts a door before the page.
func (w *world) behind(d door) { w.with(func(c *consent.Config) { c.Doors = d }) }

// TestAnotherBrowserDecidesNothing: neither what is shown nor a form that was shown before gives or denies anything.
func TestAnotherBrowserDecidesNothing(t *testing.T) {
	w := newWorld(t, openai())
	w.behind(door{mine: true})
	ready := w.ready()
	w.behind(door{})
	deny := url.Values{"csrf": ready["csrf"], "decision": {"deny"}}
	for _, rec := range []*httptest.ResponseRecorder{w.get(), w.post(ready), w.post(deny)} {
		if rec.Code != 403 || w.given != nil || w.denied != 0 || strings.Contains(rec.Body.String(), "gpt-4o") {
			t.Errorf("got %d, given %v, denied %d", rec.Code, w.given, w.denied)
		}
	}
	w.behind(door{mine: true})
	if rec := w.post(ready); rec.Code != 303 || w.given == nil {
		t.Errorf("its own browser: got %d %s", rec.Code, rec.Body)
	}
}

// TestTheAnswerLeadsBack: by itself, or on a link where browsers do not follow by themselves.
func TestTheAnswerLeadsBack(t *testing.T) {
	const refresh = `<meta http-equiv="refresh" content="0;url=/oauth/return/019abc">`
	for _, c := range []struct {
		door     door
		by, link bool
	}{{door{mine: true}, true, true}, {door{mine: true, link: true}, false, true}, {door{}, false, false}} {
		for _, state := range []passport.GrantState{passport.GrantActive, passport.GrantDenied, passport.GrantExpired} {
			w := newWorld(t, openai())
			w.behind(c.door)
			w.grant.State = state
			page := w.get().Body.String()
			if strings.Contains(page, refresh) != c.by || strings.Contains(page, `href="/oauth/return/019abc"`) != c.link {
				t.Errorf("%s by %+v: got %s", state, c.door, page)
			}
		}
	}
}
