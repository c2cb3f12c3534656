package keys_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/keys"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const canary = "sk-canary-0123456789"

// bench is the owner at the REST API, with a provider that says what it is told to.
type bench struct {
	t     *testing.T
	store *storetest.Memory
	vault *vault.Vault
	keys  *keys.Keys
	mux   *http.ServeMux
	now   time.Time
	says  error
	reach []authority.Found
	shown []string // the keys that the provider was shown
	as    string   // who asks; empty: the owner
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, store: storetest.NewMemory(), mux: http.NewServeMux(), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		reach: []authority.Found{{Model: "gpt-4o", Priced: true}, {Model: "other"}}}
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return b.now }
	n := 0
	id := func() string { n++; return fmt.Sprintf("id-%03d", n) }
	b.vault, err = vault.New(t.Context(), vault.Config{Sealed: b.store, Box: box, Env: map[string]string{"GEMINI_KEY": canary + "env"}, Now: clock, NewID: id})
	if err != nil {
		t.Fatal(err)
	}
	b.keys, err = keys.New(keys.Config{Vault: b.vault, TakesKey: func(p passport.Provider) bool { return p == passport.OpenAI || p == passport.Google },
		Try: func(_ context.Context, p passport.Provider, key secret.Text) ([]authority.Found, error) {
			b.shown = append(b.shown, key.Reveal())
			return b.reach, b.says
		},
		Titles: passport.Provider.Title, Limits: &authority.Control{Ceilings: b.store, Now: clock, NewID: id}, Owner: owner{}, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, h := range b.keys.API() {
		b.mux.HandleFunc(pattern, h)
	}
	return b
}

type owner struct{}

func (owner) Who(r *http.Request) (passport.Person, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer owner":
		return passport.Person{ID: "ann", Role: passport.RoleOwner}, nil
	case "Bearer member":
		return passport.Person{ID: "bob", Role: passport.RoleMember}, nil
	case "Bearer none":
		return passport.Person{ID: "cy"}, nil
	default:
		return passport.Person{}, problem.New(problem.Unauthenticated, "sign in first")
	}
}

// ask sends a request as the owner. Neither a key nor a part of it may be in the answer.
func (b *bench) ask(method, path, body string, want int) map[string]any {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+cmp.Or(b.as, "owner"))
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	if w.Code != want {
		b.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, w.Code, w.Body, want)
	}
	if text := w.Body.String() + fmt.Sprint(w.Header()); strings.Contains(text, "canary") || strings.Contains(text, "6789") {
		b.t.Errorf("%s %s: a key is in %s", method, path, text)
	}
	out := map[string]any{}
	if w.Body.Bytes()[0] == '[' {
		var list []any
		json.Unmarshal(w.Body.Bytes(), &list)
		return map[string]any{"list": list}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// has says whether an answer's members are these, as JSON.
func (b *bench) has(a map[string]any, want string) {
	b.t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(want), &members); err != nil {
		b.t.Fatal(err)
	}
	for name, v := range members {
		if got := fmt.Sprint(a[name]); got != fmt.Sprint(v) {
			b.t.Errorf("%s is %v, want %v in %v", name, got, v, a)
		}
	}
}

func (b *bench) lent(p passport.Provider) (key string) {
	b.t.Helper()
	id, _ := b.vault.Pick(passport.OwnerPays, p)
	_ = b.vault.Lend(b.t.Context(), passport.OwnerPays, p, id, func(k secret.Text) error { key = k.Reveal(); return nil })
	return key
}

func refusal(status int) error {
	return problem.Wrap(passport.Answered(status), problem.CredentialRefused, "OpenAI refused this key: %s", canary)
}

// TestAKeyIsTestedBeforeItIsLent: a good one is kept, a refused one never was, one whose provider is not reached is kept and says so.
func TestAKeyIsTestedBeforeItIsLent(t *testing.T) {
	b := newBench(t)
	b.says = refusal(401)
	a := b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+canary+`"}`, 400)
	if text := fmt.Sprint(a); !strings.Contains(text, "OpenAI refused it (401)") || !strings.Contains(text, "key:") {
		t.Errorf("got %s", text)
	}
	if events, _, _ := b.store.Events(t.Context(), 0, 10); len(events) != 0 || b.lent(passport.OpenAI) != "" {
		t.Errorf("a refused key left %v", events)
	}
	for said, want := range map[error]string{
		nil: "works", problem.New(problem.UpstreamTimeout, "slow %s", canary): "not_reached", errors.New("network " + canary): "not_reached",
		problem.Wrap(passport.Answered(503), problem.UpstreamFailed, "busy"): "not_reached",
	} {
		b := newBench(t)
		b.says = said
		a := b.ask("POST", "/keys", `{"provider":"openai","label":" mine ","key":" `+canary+` ","monthlyLimitCents":250}`, 201)
		b.has(a, `{"provider":"openai","label":"mine","source":"stored","default":true,"state":"`+want+`"}`)
		b.has(a["monthlyLimit"].(map[string]any), `{"capMicroUsd":2500000,"spentMicroUsd":0,"remainingMicroUsd":2500000,"resetsAt":"2026-12-01T00:00:00.000Z"}`)
		if b.lent(passport.OpenAI) != canary || len(b.shown) != 1 {
			t.Errorf("%v: lent %q, shown %d times", said, b.lent(passport.OpenAI), len(b.shown))
		}
	}
}

// TestWhatCannotBeAKeyIsNotShownToAProvider, and the field is named.
func TestWhatCannotBeAKeyIsNotShownToAProvider(t *testing.T) {
	b := newBench(t)
	for body, field := range map[string]string{
		`{"provider":"anthropic","label":"mine","key":"` + canary + `"}`:                         "provider",
		`{"provider":"openai","label":"` + strings.Repeat("x", 61) + `","key":"` + canary + `"}`: "label",
		`{"provider":"openai","label":"mine","key":"canary 6789"}`:                               "key",
		`{"provider":"openai","label":"mine","key":"` + canary + `","monthlyLimitCents":-1}`:     "monthlyLimitCents",
		`{"provider":"openai","label":"mine","key":"` + canary + `","monthlyLimitCents":1e18}`:   "monthlyLimitCents",
		`{"provider":"openai","label":"mine","key":"` + canary + `","default":1}`:                "default",
		`{"provider":"openai","label":"mine","Key":"` + canary + `"}`:                            "Key",
		`{"provider":"openai","label":"mine"}`:                                                   "key",
	} {
		a := b.ask("POST", "/keys", body, 400)
		if text := fmt.Sprint(a["details"]); !strings.Contains(text, field+":") {
			t.Errorf("%s: got %s, want the field %s", body, text, field)
		}
	}
	b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+strings.Repeat("x", 9000)+`"}`, 413)
	if len(b.shown) != 0 {
		t.Errorf("a provider was shown %d keys", len(b.shown))
	}
}

// TestSecondKeyWaitsAndIsChosen: at once, and the first is told to be there still.
func TestSecondKeyWaitsAndIsChosen(t *testing.T) {
	b := newBench(t)
	first := b.ask("POST", "/keys", `{"provider":"openai","label":"first","key":"`+canary+`1"}`, 201)["id"].(string)
	second := b.ask("POST", "/keys", `{"provider":"openai","label":"second","key":"`+canary+`2"}`, 201)
	b.has(second, `{"default":false}`)
	b.has(b.ask("POST", "/keys/"+second["id"].(string)+"/default", "", 200), `{"default":true}`)
	if got := b.lent(passport.OpenAI); got != canary+"2" {
		t.Errorf("lent %q", got)
	}
	b.has(b.ask("POST", "/keys", `{"provider":"openai","label":"third","key":"`+canary+`3","default":true}`, 201), `{"default":true}`)
	b.has(b.ask("GET", "/keys/"+first, "", 200), `{"default":false}`)
	list := b.ask("GET", "/keys", "", 200)["list"].([]any)
	if len(list) != 4 {
		t.Fatalf("got %v", list)
	}
	b.has(list[3].(map[string]any), `{"id":"env:GEMINI_KEY","source":"environment","default":true,"state":"not_tested"}`)
	b.has(b.ask("POST", "/keys/"+first+"/remove", "", 200), `{"removed":true}`)
	b.ask("GET", "/keys/"+first, "", 404)
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/keys/nobody/test", "", 404}, {"/keys/nobody/default", "", 404}, {"/keys/nobody/rotate", `{"key":"` + canary + `"}`, 404}, {"/keys/nobody/remove", "", 404},
		{"/keys/nobody/limit", `{"monthlyLimitCents":1}`, 404}, {"/keys/env:GEMINI_KEY/rotate", `{"key":"` + canary + `"}`, 404},
		{"/keys/env:GEMINI_KEY/default", "", 409}, {"/keys/env:GEMINI_KEY/remove", "", 409},
	} {
		b.ask("POST", c.path, c.body, c.want)
	}
}

// TestSecretIsReplacedOnlyByAGoodOne, and what the key was called, may spend and has spent stays.
func TestSecretIsReplacedOnlyByAGoodOne(t *testing.T) {
	b := newBench(t)
	id := b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+canary+`1","monthlyLimitCents":100}`, 201)["id"].(string)
	rotate := func(key string, want int) map[string]any {
		t.Helper()
		b.now = b.now.Add(time.Minute)
		return b.ask("POST", "/keys/"+id+"/rotate", `{"key":"`+key+`"}`, want)
	}
	for said, want := range map[error]int{refusal(403): 400, errors.New("network"): 502, problem.New(problem.UpstreamTimeout, "slow"): 504} {
		b.says = said
		rotate(canary+"2", want)
	}
	b.says = nil
	rotate("canary 6789", 400)
	if got := b.lent(passport.OpenAI); got != canary+"1" {
		t.Errorf("lent %q, want the old secret still", got)
	}
	b.has(b.ask("GET", "/keys/"+id, "", 200), `{"state":"works","rotatedAt":null}`)
	a := rotate(canary+"2", 200)
	b.has(a, `{"label":"mine","state":"works","default":true,"createdAt":"2026-11-23T12:00:00.000Z","rotatedAt":"2026-11-23T12:05:00.000Z","testedAt":"2026-11-23T12:05:00.000Z"}`)
	if a["monthlyLimit"] == nil || b.lent(passport.OpenAI) != canary+"2" {
		t.Errorf("got %v, lent %q", a, b.lent(passport.OpenAI))
	}
}

// TestAKeyIsCalledOtherwise, and is as it was else; what cannot be its name is refused in label.
func TestAKeyIsCalledOtherwise(t *testing.T) {
	b := newBench(t)
	id := b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+canary+`1","monthlyLimitCents":100}`, 201)["id"].(string)
	a := b.ask("POST", "/keys/"+id+"/rename", `{"label":" for evenings "}`, 200)
	b.has(a, `{"label":"for evenings","state":"works","default":true,"rotatedAt":null}`)
	if a["monthlyLimit"] == nil || b.lent(passport.OpenAI) != canary+"1" {
		t.Errorf("got %v, lent %q", a, b.lent(passport.OpenAI))
	}
	for _, bad := range []string{`{"label":" "}`, `{"label":"a\nb"}`, `{"label":"` + strings.Repeat("x", 61) + `"}`, `{"label":7}`, `{}`} {
		if e := b.ask("POST", "/keys/"+id+"/rename", bad, 400); !strings.Contains(fmt.Sprint(e), "label") {
			t.Errorf("%s: the field is not named: %v", bad, e)
		}
	}
	b.ask("POST", "/keys/env:GEMINI_KEY/rename", `{"label":"x"}`, 409)
	b.has(b.ask("GET", "/keys/"+id, "", 200), `{"label":"for evenings"}`)
}

// TestATestSaysWhatTheProviderSaid, and until a good one a refusal stands.
func TestATestSaysWhatTheProviderSaid(t *testing.T) {
	b := newBench(t)
	id := b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+canary+`"}`, 201)["id"].(string)
	for _, at := range []string{id, "env:GEMINI_KEY"} {
		b.now = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
		b.says = refusal(401)
		b.has(b.ask("POST", "/keys/"+at+"/test", "", 200), `{"state":"refused","said":"refused (401)","testedAt":"2026-11-23T13:00:00.000Z","refusedSince":"2026-11-23T13:00:00.000Z","models":null}`)
		b.now = b.now.Add(time.Minute)
		b.says = errors.New("network " + canary)
		b.has(b.ask("POST", "/keys/"+at+"/test", "", 200), `{"state":"refused","said":"not reached","testedAt":"2026-11-23T13:01:00.000Z","refusedSince":"2026-11-23T13:00:00.000Z"}`)
		b.says = nil
		a := b.ask("POST", "/keys/"+at+"/test", "", 200)
		b.has(a, `{"state":"works","said":null,"refusedSince":null}`)
		b.has(a["models"].(map[string]any), `{"count":2,"priced":1,"askedAt":"2026-11-23T13:01:00.000Z"}`)
	}
	if got := b.ask("GET", "/keys", "", 200)["list"].([]any)[0].(map[string]any)["models"].(map[string]any); got["list"] != nil {
		t.Errorf("the list of all keys lists all models: %v", got)
	}
	if n := len(b.shown); n != 7 {
		t.Errorf("a provider was asked %d times, want once a test", n)
	}
	b.now = b.now.Add(10*time.Minute + 1)
	b.has(b.ask("GET", "/keys/"+id, "", 200), `{"models":null}`) // too long ago
	events, _, _ := b.store.Events(t.Context(), 0, 100)
	if text := fmt.Sprintf("%+v", events); strings.Contains(text, "canary") {
		t.Errorf("a key is in %s", text)
	}
}

// TestLimitOfOneKeyIsSetAndRemoved.
func TestLimitOfOneKeyIsSetAndRemoved(t *testing.T) {
	b := newBench(t)
	id := b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+canary+`"}`, 201)["id"].(string)
	for _, at := range []string{id, "env:GEMINI_KEY"} {
		a := b.ask("POST", "/keys/"+at+"/limit", `{"monthlyLimitCents":0}`, 200)
		b.has(a["monthlyLimit"].(map[string]any), `{"capMicroUsd":0,"remainingMicroUsd":0}`)
		for _, bad := range []string{`{}`, `{"monthlyLimitCents":"1"}`, `{"monthlyLimitCents":-1}`, `{"monthlyLimitCents":1.5}`, `{"monthlyLimitCents":1000000000000000}`} {
			b.ask("POST", "/keys/"+at+"/limit", bad, 400)
		}
		b.has(b.ask("POST", "/keys/"+at+"/limit", `{"monthlyLimitCents":null}`, 200), `{"monthlyLimit":null}`)
	}
}

// TestForeignKeysAreNotThere: one person's key is nobody else's to see, test, replace, choose, limit or remove, the owner's included; and who
// has no right to keys of their own has none here.
func TestForeignKeysAreNotThere(t *testing.T) {
	b := newBench(t)
	owners := b.ask("POST", "/keys", `{"provider":"openai","label":"mine","key":"`+canary+`1","monthlyLimitCents":100}`, 201)["id"].(string)
	b.as = "member"
	for _, err := range []error{b.store.AddFirstPerson(t.Context(), passport.Person{ID: "ann", Username: "ann"}, passport.Event{ID: "e1"}),
		b.store.AddMember(t.Context(), passport.Person{ID: "bob", Username: "bob"}, nil, nil, passport.Event{ID: "e2"})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	members := b.ask("POST", "/keys", `{"provider":"openai","label":"theirs","key":"`+canary+`2"}`, 201)
	b.has(members, `{"default":true,"monthlyLimit":null}`)
	if n := len(b.ask("GET", "/keys", "", 200)["list"].([]any)); n != 1 {
		t.Errorf("a member sees %d keys, want their own", n)
	}
	shown := len(b.shown)
	attack := func(as string, ids ...string) {
		t.Helper()
		b.as = as
		for _, id := range ids {
			b.ask("GET", "/keys/"+id, "", 404)
			for _, step := range []string{"test", "default", "remove"} {
				b.ask("POST", "/keys/"+id+"/"+step, "", 404)
			}
			b.ask("POST", "/keys/"+id+"/rotate", `{"key":"`+canary+`3"}`, 404)
			b.ask("POST", "/keys/"+id+"/limit", `{"monthlyLimitCents":null}`, 404)
			b.ask("POST", "/keys/"+id+"/rename", `{"label":"taken over"}`, 404)
		}
	}
	attack("member", owners, "env:GEMINI_KEY")
	attack("owner", members["id"].(string))
	if len(b.shown) != shown || b.lent(passport.OpenAI) != canary+"1" {
		t.Errorf("a provider was shown %d keys, the owner's is %q", len(b.shown)-shown, b.lent(passport.OpenAI))
	}
	if b.ask("GET", "/keys/"+owners, "", 200)["monthlyLimit"] == nil {
		t.Error("a member took the owner's limit away")
	}
	b.as = "none"
	b.ask("GET", "/keys", "", 403)
}

// TestOnlyTheOwnerIsAnswered.
func TestOnlyTheOwnerIsAnswered(t *testing.T) {
	b := newBench(t)
	for pattern := range b.keys.API() {
		method, path, _ := strings.Cut(strings.ReplaceAll(pattern, "{id}", "env:GEMINI_KEY"), " ")
		w := httptest.NewRecorder()
		b.mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(`{"key":"`+canary+`"}`)))
		if w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Bearer" || len(b.shown) != 0 {
			t.Errorf("%s: %d", pattern, w.Code)
		}
	}
}
