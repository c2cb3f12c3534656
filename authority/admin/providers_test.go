package admin_test

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// TestProvidersAreAddedChangedAndRemoved: what is left empty is as the kind has it; prices are what was written, to the millionth.
func TestProvidersAreAddedChangedAndRemoved(t *testing.T) {
	w := newWorld(t)
	says(t, w.get("/providers").Body.String(), "Add a provider", "OpenRouter", "Ollama")
	page := w.after("/providers", url.Values{"preset": {"mistral"}, "name": {"mistral"}, "headers": {"X-Team: blue"},
		"models": {"small 0.15 0.6 cached=0.000001 context=1000 most=20\r\n\r\nfree/one 0 0\nembed 0.1 0 kind=embedding"}})
	says(t, page, "The provider is there.", "api.mistral.ai", "small 0.15 0.60 cached=0.000001 context=1000 most=20", "free/one 0.00 0.00", "X-Team: blue")
	e, _ := w.roster.Find("mistral")
	want := passport.Compatible{Name: "mistral", Title: "Mistral", Preset: "mistral", Base: "https://api.mistral.ai/v1", Auth: passport.AuthBearer, Version: 1,
		CreatedAt: w.now, Headers: []passport.Header{{Name: "X-Team", Value: "blue"}}, Tariffs: []passport.ModelTariff{
			{Model: "small", Kind: passport.KindChat, Input: 150_000, Output: 600_000, CacheRead: passport.LimitOf(1), Context: 1000, MaxOutput: 20},
			{Model: "free/one", Kind: passport.KindChat}, {Model: "embed", Kind: passport.KindEmbedding, Input: 100_000}}}
	if d := cmp.Diff(want, e.Compatible, cmp.Comparer(func(a, b passport.Limit) bool { return a == b }), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}

	// Changed by version: a page that is out of date changes nothing.
	change := url.Values{"version": {"1"}, "base": {"https://api.mistral.ai/v2"}, "title": {"Le Chat"}, "models": {"small 1 2"}}
	says(t, w.after("/providers/mistral", change), "Kept.", "Le Chat", "https://api.mistral.ai/v2")
	if rec := w.post("/providers/mistral", change); rec.Code != 422 || !strings.Contains(rec.Body.String(), "has changed meanwhile") {
		t.Errorf("an old page: %d", rec.Code)
	}
	// The host stays: a key was given for it.
	change.Set("version", "2")
	change.Set("base", "https://evil.example/v1")
	if rec := w.post("/providers/mistral", change); rec.Code != 422 || !strings.Contains(rec.Body.String(), "host cannot be changed") {
		t.Errorf("another host: %d", rec.Code)
	}

	says(t, w.get("/providers/mistral/remove").Body.String(), "with its prices and its keys")
	says(t, w.after("/providers/mistral/remove", nil), "Removed, with its prices and its keys.")
	if rec := w.get("/providers/mistral"); rec.Code != 404 || len(w.roster.List()) != 0 {
		t.Errorf("it is still there: %d", rec.Code)
	}
}

// TestWhatIsNoProviderIsSaidAtItsField, and what was typed stays.
func TestWhatIsNoProviderIsSaidAtItsField(t *testing.T) {
	for _, c := range []struct{ field, member, in, say string }{
		{"p-name", "name", "openai", "not the name of a built-in provider"}, {"p-name", "name", "A B", "a-z"}, {"p-name", "name", "all", "a-z"},
		{"p-base", "base", "http://api.example.com/v1", "must begin with https"}, {"p-base", "base", "https://169.254.169.254/v1", "never sent to"},
		{"p-base", "base", "https://u:p@api.example.com/", "no user name"}, {"p-base", "base", "https://10.0.0.1/v1", "local server"},
		{"p-base", "base", "https://0x7f000001/v1", "four numbers"}, {"p-base", "base", "https://api.example.com/../v1", "no dots"},
		{"p-models", "models", "small 0.15", "two prices"}, {"p-models", "models", "small -1 2", "not dollars"}, {"p-models", "models", "small 1e3 2", "not dollars"},
		{"p-models", "models", "small 1 2 colour=red", "not understood"}, {"p-models", "models", "small 1 2 kind=video", "neither chat nor embedding"},
		{"p-models", "models", "small 1 2\nsmall 2 3", "twice"}, {"p-models", "models", "small 1000001 2", "not dollars"},
		{"p-headers", "headers", "Authorization: x", "cannot be set"}, {"p-headers", "headers", "no colon", "is not Name: value"},
		{"p-headers", "headers", "X-Forwarded-For: x", "cannot be set"}, {"p-preset", "preset", "skynet", "is none of"},
	} {
		w := newWorld(t)
		f := url.Values{"preset": {"other"}, "name": {"lab"}, "base": {"https://api.example.com/v1"}}
		f.Set(c.member, c.in)
		rec := w.post("/providers", f)
		if page := rec.Body.String(); rec.Code != 422 || !strings.Contains(page, `href="#`+c.field+`"`) || !strings.Contains(page, c.say) {
			t.Errorf("%+v: %d", c, rec.Code)
		}
		if len(w.roster.List()) != 0 {
			t.Errorf("%+v: it was kept", c)
		}
	}
}

// TestModelsAreListedAndNothingIsTakenOver.
func TestModelsAreListedAndNothingIsTakenOver(t *testing.T) {
	w := newWorld(t)
	w.after("/providers", url.Values{"preset": {"ollama"}, "name": {"home"}, "local": {"yes"}})
	w.found = []authority.Found{{Model: "small", Priced: true}, {Model: "a/dear", Propose: "a/dear 1.50 2.00 context=1000"}, {Model: "<b>x"}}
	page := w.post("/providers/home/models", nil).Body.String()
	says(t, page, "a/dear 1.50 2.00 context=1000", "Known", "calls are refused", "&lt;b&gt;x")
	if e, _ := w.roster.Find("home"); len(e.Tariffs) != 0 || e.Version != 1 {
		t.Errorf("taken over: %+v", e)
	}
	w.found, w.test = nil, problem.New(problem.UpstreamFailed, "the provider could not be reached")
	if rec := w.post("/providers/home/models", nil); rec.Code != 422 || !strings.Contains(rec.Body.String(), "could not be reached") {
		t.Errorf("a failure is not told: %d", rec.Code)
	}
}

// TestModelsOfABuiltInProviderAreListed: with the key that is lent to apps, and on a page where there is nothing to set.
func TestModelsOfABuiltInProviderAreListed(t *testing.T) {
	w := newWorld(t)
	w.keys = []vault.Entry{{Credential: passport.Credential{ID: "cr1", Provider: passport.OpenAI, Label: "new"}, Used: true},
		{Credential: passport.Credential{ID: "cr0", Provider: passport.OpenAI, Label: "old"}},
		{Credential: passport.Credential{ID: "env:GOOGLE_API_KEY", Provider: passport.Google}, FromEnv: true, EnvName: "GOOGLE_API_KEY", Used: true}}
	for path, to := range map[string]string{"/keys/cr1": "/providers/openai", "/keys/cr0": "/providers/openai", "/keys/env:GOOGLE_API_KEY": "/providers/google"} {
		says(t, w.get(path).Body.String(), `<a href="`+to+`">`)
	}
	w.found = []authority.Found{{Model: "gpt-4o", Priced: true}, {Model: "<b>x"}}
	for _, p := range passport.Providers {
		w.asked = nil
		rec := w.post("/providers/"+string(p)+"/models", nil)
		if rec.Code != 200 || !slices.Equal(w.asked, []passport.Provider{p}) {
			t.Fatalf("%s: %d, asked %v", p, rec.Code, w.asked)
		}
		page := rec.Body.String()
		says(t, page, "<bdi>"+p.Title()+"</bdi>", "gpt-4o", ">Known<", "calls are refused", "&lt;b&gt;x", `action="/providers/`+string(p)+`/models"`)
		if strings.Contains(page, "Settings</h2>") || strings.Contains(page, "/remove") {
			t.Errorf("%s: there is something to set", p)
		}
		for _, c := range []struct{ method, path string }{{"POST", ""}, {"GET", "/remove"}, {"POST", "/remove"}} {
			path := "/providers/" + string(p) + c.path
			send := w.get
			if c.method == "POST" {
				send = func(path string) *httptest.ResponseRecorder { return w.post(path, nil) }
			}
			rec := send(path)
			if rec.Code != 404 {
				t.Errorf("%s %s: %d", c.method, path, rec.Code)
			}
		}
	}
	for _, c := range []struct {
		err error
		say string
	}{
		{problem.New(problem.CredentialMissing, "No API key configured. Set the variable."), "could not be listed: there is no key for it, add one under Keys."},
		{problem.New(problem.CredentialRefused, "OpenAI refused this key (status 401)"), "could not be listed: OpenAI refused this key (status 401)."},
	} {
		w.found, w.test = nil, c.err
		if rec := w.post("/providers/openai/models", nil); rec.Code != 422 || !strings.Contains(rec.Body.String(), c.say) || strings.Contains(rec.Body.String(), "lists no models") {
			t.Errorf("%v: %d", c.err, rec.Code)
		}
	}
}
