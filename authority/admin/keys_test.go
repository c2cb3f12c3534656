package admin_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// twoKeys are two keys of OpenAI, the first of them lent, and one of Google in the environment.
func (w *world) twoKeys() {
	w.keys = []vault.Entry{
		{Credential: passport.Credential{ID: "work", Provider: passport.OpenAI, Label: "work", CreatedAt: w.now.Add(-time.Hour), TestedAt: w.now.Add(-2 * time.Minute), ChosenAt: w.now}, Used: true},
		{Credential: passport.Credential{ID: "spare", Provider: passport.OpenAI, Label: "<i>spare", CreatedAt: w.now}},
		{Credential: passport.Credential{ID: "env:GOOGLE_API_KEY", Provider: passport.Google, Label: "GOOGLE_API_KEY"}, FromEnv: true, EnvName: "GOOGLE_API_KEY", Used: true},
	}
}

// TestStateOfAKeyIsSaidInWords, on the list and on its page.
func TestStateOfAKeyIsSaidInWords(t *testing.T) {
	ago := func(w *world, d time.Duration) time.Time { return w.now.Add(-d) }
	for _, c := range []struct {
		tested  time.Duration // ago; negative: never
		said    string
		refused time.Duration
		want    string
	}{
		{-1, "", -1, "Not tested"},
		{2 * time.Minute, "", -1, "Works, tested 2 min ago"},
		{30 * time.Second, "", -1, "Works, tested just now"},
		{2 * time.Hour, "", -1, "Works, tested 23 Nov 2026, 13:04 UTC"},
		{5 * time.Minute, "not reached", -1, "Not reached, tested 5 min ago"},
		{5 * time.Minute, "answered with an error (503)", -1, "OpenAI answered with an error (503), tested 5 min ago"},
		{5 * time.Minute, "refused (401)", 5 * time.Minute, "Refused by OpenAI (401)"},
		{5 * time.Minute, "refused", 5 * time.Minute, "Refused by OpenAI"},
		{5 * time.Minute, "", time.Minute, "Refused by OpenAI"}, // in a call
		{5 * time.Minute, "the provider could not be asked", -1, "Not reached, tested 5 min ago"},
	} {
		w := newWorld(t)
		w.twoKeys()
		k := &w.keys[0].Credential
		k.TestedAt, k.RefusedAt, k.TestError = time.Time{}, time.Time{}, c.said
		if c.tested >= 0 {
			k.TestedAt = ago(w, c.tested)
		}
		if c.refused >= 0 {
			k.RefusedAt = ago(w, c.refused)
		}
		for _, path := range []string{"/keys", "/keys/work"} {
			page := w.get(path).Body.String()
			says(t, page, ">"+c.want+"</span>")
			if told := strings.Contains(page, "get an error, not a charge"); told != (c.refused >= 0) {
				t.Errorf("%s: a refusal is told: %v, want %v", path, told, c.refused >= 0)
			}
		}
	}
}

// TestDefaultKeyIsSwitched at once, and the page says who is lent what.
func TestDefaultKeyIsSwitched(t *testing.T) {
	w := newWorld(t)
	w.twoKeys()
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	w.add("b", passport.GrantPaused, passport.Balance{Cap: 5e6})
	w.add("c", passport.GrantRevoked, passport.Balance{Cap: 5e6})
	page := w.get("/keys").Body.String()
	says(t, page, "&lt;i&gt;spare", "2 apps use it", "No app uses it", "The default key of the provider at the time of each call")
	if strings.Count(page, ">Default</span>") != 2 {
		t.Error("want one default of each provider")
	}
	if strings.Contains(w.get("/keys/work").Body.String(), "Make it the default") {
		t.Error("what is the default can be made so")
	}
	says(t, w.get("/keys/spare").Body.String(), "Make it the default", "another OpenAI key is the default")
	says(t, w.after("/keys/spare/default", nil), "Apps use this key from the next call on.", ">Default</span>", "2 apps use it")
	if !w.keys[1].Used || w.keys[0].Used {
		t.Errorf("got %+v", w.keys)
	}
	if page := w.get("/keys/env:GOOGLE_API_KEY").Body.String(); strings.Contains(page, "/rotate") || strings.Contains(page, "/remove") || strings.Contains(page, "/default") {
		t.Error("a key of the environment can be changed here")
	}
	for _, path := range []string{"/keys/nobody", "/keys/nobody/remove"} {
		if rec := w.get(path); rec.Code != 404 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	for _, path := range []string{"/keys/nobody/test", "/keys/nobody/default", "/keys/nobody/rotate", "/keys/nobody/limit", "/keys/nobody/remove"} {
		if rec := w.post(path, url.Values{"do": {"set"}, "money": {"1"}, "key": {"sk-0123456789"}}); rec.Code != 404 || len(w.limits) > 0 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

// TestRemovalSaysWhoLosesWhat.
func TestRemovalSaysWhoLosesWhat(t *testing.T) {
	w := newWorld(t)
	w.twoKeys()
	ask := func(id, want string) {
		t.Helper()
		says(t, w.get("/keys/"+id+"/remove").Body.String(), want)
	}
	ask("work", "From then on apps use your key “&lt;i&gt;spare”.")
	ask("spare", "No app uses it, so none loses anything.")
	w.keys = append(w.keys[:1], w.keys[2:]...)
	ask("work", "No app uses it now. One that asks for OpenAI later gets an error, not a charge.")
	w.add("one", passport.GrantActive, passport.Balance{Cap: 5e6})
	ask("work", "one.example.com loses OpenAI: calls get an error, not a charge.")
	for _, id := range []passport.GrantID{"two", "three", "four", "five", "six"} {
		w.add(id, passport.GrantActive, passport.Balance{Cap: 5e6})
	}
	ask("work", "one.example.com, two.example.com, three.example.com, four.example.com, five.example.com and others lose OpenAI")
	w.keys = append(w.keys, vault.Entry{Credential: passport.Credential{ID: "env:OPENAI_API_KEY", Provider: passport.OpenAI, Label: "OPENAI_API_KEY"}, FromEnv: true, EnvName: "OPENAI_API_KEY"})
	ask("work", "From then on apps use the key from the environment.")
}

// TestSecretIsReplaced, only by one that the provider takes; neither is ever in an answer.
func TestSecretIsReplaced(t *testing.T) {
	const canary = "sk-canary-0123456789"
	for _, c := range []struct {
		key  string
		test error
		code int
		say  string
	}{
		{canary, nil, 303, "The new secret works and is in use."},
		{canary, problem.New(problem.CredentialRefused, "bad %s", canary), 422, "OpenAI refused it (401), so nothing was changed: the old secret is still in use."},
		{canary, problem.New(problem.UpstreamTimeout, "slow"), 422, "OpenAI could not be asked, so nothing was changed. The old secret is still in use."},
		{"", nil, 422, "The key: needs 8 to 500 characters."},
	} {
		w := newWorld(t)
		w.twoKeys()
		w.test = c.test
		rec := w.post("/keys/work/rotate", url.Values{"key": {c.key}})
		page := rec.Body.String()
		if rec.Code == 303 {
			page = w.get(rec.Header().Get("Location")).Body.String()
		}
		if rec.Code != c.code || !strings.Contains(page, c.say) || w.keys[0].Credential.RotatedAt.IsZero() == (c.code == 303) {
			t.Errorf("%+v: %d", c, rec.Code)
		}
		if strings.Contains(page, canary) || strings.Contains(page, "6789") {
			t.Errorf("%+v: the secret came back", c)
		}
	}
}

// TestAKeyIsRenamed: by a press, and what cannot be a name is said at the field.
func TestAKeyIsRenamed(t *testing.T) {
	w := newWorld(t)
	w.twoKeys()
	says(t, w.after("/keys/spare/rename", url.Values{"label": {"for <b>evenings"}}), "It has the new name.", "<bdi>for &lt;b&gt;evenings</bdi>", `value="for &lt;b&gt;evenings"`)
	rec := w.post("/keys/spare/rename", url.Values{"label": {" "}})
	says(t, rec.Body.String(), "There is a problem", "Your name for the key: must have 1 to 60 characters.", `value="for &lt;b&gt;evenings"`)
	if rec.Code != 422 || w.keys[1].Credential.Label != "for <b>evenings" || w.keys[0].Credential.Label != "work" {
		t.Errorf("%d, %q, %q", rec.Code, w.keys[1].Credential.Label, w.keys[0].Credential.Label)
	}
	if strings.Contains(w.get("/keys/env:GOOGLE_API_KEY").Body.String(), "/rename") {
		t.Error("a key of the environment has a form for its name")
	}
}

// TestOneKeyHasALimit: set, changed, reached and removed; others show none.
func TestOneKeyHasALimit(t *testing.T) {
	w := newWorld(t)
	w.twoKeys()
	says(t, w.after("/keys/work/limit", url.Values{"do": {"set"}, "money": {"20.50"}}), "The limit holds from now on.", "spent of $20.50 in November", `value="20.50"`)
	id := passport.CredentialCeiling("work")
	if len(w.limits) != 1 || w.limits[0].ID != id || w.limits[0].Cap != 2050*passport.Cent {
		t.Fatalf("got %+v", w.limits)
	}
	w.limits[0].Settled, w.limits[0].Held = 17e6, 1e6
	says(t, w.get("/keys").Body.String(), "$17.00", "of $20.50 in November", "$17.00 of $20.50 spent, $1.00 held", "No monthly limit of its own")
	says(t, w.get("/keys/work").Body.String(), "$2.50", "$1.00 is held for running calls", `class="bar hot big"`)
	says(t, w.get("/").Body.String(), "82 % of your limit for November", "your OpenAI key “work”", `href="/keys/work"`)
	w.limits[0].Settled = 20_500_000
	says(t, w.get("/").Body.String(), "Your limit for November is used up", "your OpenAI key “work”")
	for _, bad := range []string{"", "-1", "x", "1.234", "999999999999"} {
		rec := w.post("/keys/work/limit", url.Values{"do": {"set"}, "money": {bad}})
		if rec.Code != 422 || !strings.Contains(rec.Body.String(), "Write dollars as 20 or 20.50") || w.limits[0].Cap != 2050*passport.Cent {
			t.Errorf("%q: %d", bad, rec.Code)
		}
	}
	if rec := w.post("/keys/work/limit", nil); rec.Code != 422 {
		t.Errorf("nothing to do: %d", rec.Code)
	}
	says(t, w.after("/keys/work/limit", url.Values{"do": {"remove"}}), "The limit is removed.", "No limit of its own.")
	if len(w.limits) != 0 {
		t.Errorf("got %+v", w.limits)
	}
	// With a new key, in one form; a wrong amount keeps nothing.
	f := url.Values{"provider": {"openai"}, "label": {"third"}, "key": {"sk-0123456789"}, "money": {"x"}, "default": {"yes"}}
	if rec := w.post("/keys", f); rec.Code != 422 || len(w.keys) != 3 || strings.Contains(rec.Body.String(), "sk-0123456789") {
		t.Errorf("a wrong amount: %d, %d keys", rec.Code, len(w.keys))
	}
	f.Set("money", "7")
	w.after("/keys", f)
	if len(w.limits) != 1 || w.limits[0].ID != passport.CredentialCeiling("cr1") || w.limits[0].Cap != 7*passport.Dollar || !w.keys[3].Used || w.keys[0].Used {
		t.Errorf("got %+v, %+v", w.limits, w.keys)
	}
}

// TestModelsOfAKeyAreFolded: how many, how many with a price, and each where one looks.
func TestModelsOfAKeyAreFolded(t *testing.T) {
	w := newWorld(t)
	w.twoKeys()
	says(t, w.get("/keys/work").Body.String(), "Not asked lately.")
	w.found = []authority.Found{{Model: "gpt-4o", Priced: true}, {Model: "<b>x"}, {Model: "gpt-4o-mini", Priced: true}}
	says(t, w.get("/keys/work").Body.String(), "3 models, of which 2 with a price that is known here.", "<details><summary>Show them", "&lt;b&gt;x")
	says(t, w.get("/keys").Body.String(), "2 models priced")
}
