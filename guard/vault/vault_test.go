package vault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

const canary = "sk-canary-0123456789"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a vault on a store in memory, with a clock that moves by a second at each look.
type bench struct {
	*vault.Vault
	t     *testing.T
	store *storetest.Memory
	cfg   vault.Config
}

func newBench(t *testing.T, env map[string]string) *bench {
	t.Helper()
	b := &bench{t: t, store: storetest.NewMemory()}
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	now, ids := start, 0
	b.cfg = vault.Config{
		Sealed: b.store, Box: box, Env: env,
		Now:   func() time.Time { now = now.Add(time.Second); return now },
		NewID: func() string { ids++; return fmt.Sprintf("id-%03d", ids) },
	}
	b.Vault = b.again()
	return b
}

func (b *bench) again() *vault.Vault {
	b.t.Helper()
	v, err := vault.New(b.t.Context(), b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *bench) add(p passport.Provider, label, key string) passport.Credential {
	b.t.Helper()
	c, err := b.Add(b.t.Context(), passport.OwnerPays, p, label, secret.New(key), "owner:ann")
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// lent is what a vault lends for a provider; empty for nothing.
func lent(t *testing.T, v *vault.Vault, p passport.Provider) (key string) {
	t.Helper()
	id, _ := v.Pick(passport.OwnerPays, p)
	err := v.Lend(t.Context(), passport.OwnerPays, p, id, func(k secret.Text) error { key = k.Reveal(); return nil })
	if err != nil && problem.KindOf(err) != problem.CredentialMissing {
		t.Fatal(err)
	}
	if v.Has(passport.OwnerPays, p) != (err == nil) {
		t.Errorf("Has(%s) is %v, but Lend says %v", p, v.Has(passport.OwnerPays, p), err)
	}
	return key
}

func TestEnvironmentNamesInTheSeedsOrder(t *testing.T) {
	for p, names := range map[passport.Provider][]string{
		passport.OpenAI:    {"OPENAI_API_KEY", "OPENAI_KEY", "OPEN_AI_API_KEY", "OPEN_AI_KEY"},
		passport.Anthropic: {"ANTHROPIC_API_KEY", "ANTHROPIC_KEY", "CLAUDE_API_KEY", "CLAUDE_KEY", "CLAUDE_SECRET_KEY"},
		passport.Google:    {"GOOGLE_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEY", "GEMINI_KEY"},
	} {
		env := map[string]string{}
		for _, name := range slices.Backward(names) { // each next one comes before those that are set
			env[name] = "  key-of-" + name + "\t\n"
			b := newBench(t, env)
			if got, want := lent(t, b.Vault, p), "key-of-"+name; got != want {
				t.Errorf("%v: got %q, want %q", env, got, want)
			}
			for _, other := range passport.Providers {
				if other != p && b.Has(passport.OwnerPays, other) {
					t.Errorf("%s gives a key of %s", name, other)
				}
			}
		}
		env[names[0]] = " \t" // blank: the next one counts
		if got, want := lent(t, newBench(t, env).Vault, p), "key-of-"+names[1]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMissingKeyIsSaidInTheSeedsWords(t *testing.T) {
	b := newBench(t, nil)
	for _, p := range passport.Providers {
		err := b.Lend(t.Context(), passport.OwnerPays, p, "", func(secret.Text) error { t.Error("fn was called"); return nil })
		want := "No API key configured for provider '" + string(p) + "'. Set the corresponding environment variable."
		if got := problem.From(err); got.Kind != problem.CredentialMissing || got.Detail != want {
			t.Errorf("got %d %q, want %q", got.Kind, got.Detail, want)
		}
	}
}

func TestEnvironmentKeyThatCannotBeAHeaderIsRefused(t *testing.T) {
	for _, key := range []string{"sk a", "sk-\r\nX-Evil: 1", "sk-\x00", "schlüssel", strings.Repeat("k", 501)} {
		cfg := newBench(t, nil).cfg
		cfg.Env = map[string]string{"CLAUDE_KEY": key}
		_, err := vault.New(t.Context(), cfg)
		if p := problem.From(err); err == nil || p.Kind != problem.Invalid || p.Field != "CLAUDE_KEY" || strings.Contains(err.Error(), key) {
			t.Errorf("%q: got %v", key, err)
		}
	}
}

// The owner's stored key wins over the environment, and of several the one chosen last; another that is added waits.
func TestWhichKeyIsLent(t *testing.T) {
	b := newBench(t, map[string]string{"OPENAI_API_KEY": "key-of-env"})
	step := func(want string) {
		t.Helper()
		for _, v := range []*vault.Vault{b.Vault, b.again()} {
			if got := lent(t, v, passport.OpenAI); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	choose := func(c passport.Credential) {
		t.Helper()
		if err := b.Choose(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); err != nil {
			t.Fatal(err)
		}
	}
	step("key-of-env")
	first := b.add(passport.OpenAI, "first", "key-first")
	step("key-first")
	second := b.add(passport.OpenAI, "second", "key-second")
	other := b.add(passport.Google, "other", "key-google")
	step("key-first")
	choose(second)
	step("key-second")
	choose(other)
	step("key-second")
	choose(first)
	choose(first)
	choose(second)
	step("key-second")
	for _, c := range []passport.Credential{second, first} { // then the one that was chosen before
		if err := b.Remove(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); err != nil {
			t.Fatal(err)
		}
		step(map[string]string{"second": "key-first", "first": "key-of-env"}[c.Label])
	}
	if err := b.Choose(t.Context(), passport.OwnerPays, first.ID, "owner:ann"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
	if err := b.Choose(t.Context(), passport.OwnerPays, "env:OPENAI_API_KEY", "owner:ann"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("got %v, want Conflict", err)
	}
}

// A loan ends with the function: who kept the Text has nothing.
func TestLoanIsTakenBack(t *testing.T) {
	b := newBench(t, map[string]string{"GOOGLE_API_KEY": canary})
	b.add(passport.OpenAI, "mine", canary)
	for _, p := range []passport.Provider{passport.OpenAI, passport.Google} {
		for _, broken := range []error{nil, errors.New("upstream")} {
			var kept secret.Text
			id, _ := b.Pick(passport.OwnerPays, p)
			err := b.Lend(t.Context(), passport.OwnerPays, p, id, func(k secret.Text) error {
				if kept = k; k.Reveal() != canary {
					t.Errorf("%s: got %q", p, k.Reveal())
				}
				return broken
			})
			if err != broken {
				t.Errorf("%s: got %v, want fn's own %v", p, err, broken)
			}
			if strings.Contains(kept.Reveal(), canary[:4]) {
				t.Errorf("%s: kept %q", p, kept.Reveal())
			}
		}
	}
}

func TestNothingIsLentToACallThatHasEnded(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", canary)
	revoked := problem.New(problem.GrantEnded, "the grant was revoked")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(revoked)
	fn := func(secret.Text) error { t.Error("lent"); return nil }
	if err := b.Lend(ctx, passport.OwnerPays, passport.OpenAI, c.ID, fn); err != revoked {
		t.Errorf("got %v, want %v", err, revoked)
	}
	if err := b.LendByID(ctx, passport.OwnerPays, c.ID, fn); err != revoked {
		t.Errorf("got %v, want %v", err, revoked)
	}
}

func TestWhatTheOwnerPastesIsChecked(t *testing.T) {
	long := strings.Repeat("k", 500)
	for _, r := range []struct {
		name       string
		p          passport.Provider
		label, key string
		field      string
	}{
		{"provider", "nobody", "mine", canary, "provider"},
		{"no provider", "", "mine", canary, "provider"},
		{"no label", passport.OpenAI, "", canary, "label"},
		{"blank label", passport.OpenAI, " \t ", canary, "label"},
		{"long label", passport.OpenAI, strings.Repeat("ü", 61), canary, "label"},
		{"label of two lines", passport.OpenAI, "a\nb", canary, "label"},
		{"label that is no text", passport.OpenAI, "a\xff", canary, "label"},
		{"no key", passport.OpenAI, "mine", "", "key"},
		{"short key", passport.OpenAI, "mine", "1234567", "key"},
		{"short but for spaces", passport.OpenAI, "mine", " 1234567 ", "key"},
		{"long key", passport.OpenAI, "mine", long + "k", "key"},
		{"space in key", passport.OpenAI, "mine", "1234 5678", "key"},
		{"line end in key", passport.OpenAI, "mine", "1234\r\n5678", "key"},
		{"key not ASCII", passport.OpenAI, "mine", "schlüssel", "key"},
		{"DEL in key", passport.OpenAI, "mine", "12345678\x7f9", "key"},
	} {
		t.Run(r.name, func(t *testing.T) {
			b := newBench(t, nil)
			_, err := b.Add(t.Context(), passport.OwnerPays, r.p, r.label, secret.New(r.key), "owner:ann")
			if p := problem.From(err); err == nil || p.Kind != problem.Invalid || p.Field != r.field {
				t.Errorf("got %v, want Invalid in %s", err, r.field)
			}
			if r.key != "" && err != nil && strings.Contains(err.Error(), r.key) {
				t.Errorf("the error shows the key: %v", err)
			}
			if list, _ := b.List(t.Context(), passport.OwnerPays); len(list) != 0 {
				t.Errorf("stored %v", list)
			}
		})
	}
	b := newBench(t, nil)
	if _, err := b.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "none", secret.Text{}, "owner:ann"); problem.From(err).Field != "key" {
		t.Errorf("zero Text: got %v, want Invalid in key", err)
	}
	for _, key := range []string{"12345678", long, "\n " + canary + " \r\n"} {
		if err := b.Choose(t.Context(), passport.OwnerPays, b.add(passport.OpenAI, strings.Repeat("ü", 60), key).ID, "owner:ann"); err != nil {
			t.Fatal(err)
		}
		if got := lent(t, b.Vault, passport.OpenAI); got != strings.TrimSpace(key) {
			t.Errorf("got %q, want %q without spaces around it", got, key)
		}
	}
}

func TestStoredKeyIsSealedAndBoundToItsRow(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", canary)
	if c.Sealed != nil {
		t.Error("Add gives out what is sealed")
	}
	stored, _ := b.store.Credentials(t.Context())
	if strings.Contains(fmt.Sprintf("%s %+v", stored[0].Sealed, stored), canary) {
		t.Error("the key is stored in clear")
	}
	for name, change := range map[string]func(*passport.Credential){
		"another row":      func(c *passport.Credential) { c.ID = "other" },
		"another provider": func(c *passport.Credential) { c.Provider = passport.Google }, // whose hosts would then see the key
		"other bytes":      func(c *passport.Credential) { c.Sealed[20] ^= 1 },
		"no bytes":         func(c *passport.Credential) { c.Sealed = nil },
		"in clear":         func(c *passport.Credential) { c.Sealed = []byte(canary) },
	} {
		cfg := b.cfg
		other := storetest.NewMemory()
		moved := stored[0]
		moved.Sealed = slices.Clone(moved.Sealed)
		change(&moved)
		if err := other.AddCredential(t.Context(), moved, passport.Event{ID: "e"}); err != nil {
			t.Fatal(err)
		}
		cfg.Sealed = other
		if _, err := vault.New(t.Context(), cfg); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: got %v, want Unavailable", name, err)
		}
	}
}

func TestLostKeyFileIsNotReplaced(t *testing.T) {
	b := newBench(t, nil)
	b.add(passport.OpenAI, "mine", canary)
	file := filepath.Join(t.TempDir(), "other")
	box, err := seal.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.cfg
	cfg.Box = box
	if _, err := vault.New(t.Context(), cfg); problem.KindOf(err) != problem.Unavailable || !strings.Contains(err.Error(), file) {
		t.Errorf("missing: got %v, want Unavailable that names the file", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no key file", err)
	}
	if _, err := box.Seal("anything", "1", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.New(t.Context(), cfg); problem.KindOf(err) != problem.Unavailable || !strings.Contains(err.Error(), file) {
		t.Errorf("another: got %v, want Unavailable that names the file", err)
	}
}

// Once a key is removed nothing is lent of it, also where the store says no and did it anyway and the owner asks again.
func TestRemovedIsNotLent(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", canary)
	broken := errors.New("disk")
	b.store.Fail("RemoveCredential", storetest.After, broken)
	if err := b.Remove(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	b.store.Fail("RemoveCredential", storetest.After, nil)
	if err := b.Remove(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
	if got := lent(t, b.Vault, passport.OpenAI); got != "" {
		t.Errorf("lent %q", got)
	}
	err := b.LendByID(t.Context(), passport.OwnerPays, c.ID, func(secret.Text) error { t.Error("lent"); return nil })
	if problem.KindOf(err) != problem.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}

// old is a store that reads the keys, and hands out what it read only after something else has happened.
type old struct {
	*storetest.Memory
	meanwhile func()
}

func (o *old) Credentials(ctx context.Context) ([]passport.Credential, error) {
	list, err := o.Memory.Credentials(ctx)
	if f := o.meanwhile; f != nil {
		o.meanwhile = nil
		f()
	}
	return list, err
}

// What another instance adds and removes is lent, or not, after a reload; a reload that read before a key was removed here does
// not bring it back.
func TestReload(t *testing.T) {
	b := newBench(t, nil)
	store := &old{Memory: b.store}
	b.cfg.Sealed = store
	here, there := b.again(), b.again()
	c, err := there.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "theirs", secret.New(canary), "owner:ann")
	if err != nil {
		t.Fatal(err)
	}
	reload := func(v *vault.Vault, want string) {
		t.Helper()
		if err := v.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := lent(t, v, passport.OpenAI); got != want {
			t.Errorf("lent %q, want %q", got, want)
		}
	}
	reload(here, canary)
	store.meanwhile = func() {
		if err := here.Remove(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); err != nil {
			t.Error(err)
		}
	}
	reload(here, "")
	reload(there, "")
	store.meanwhile = func() {
		if _, err := here.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "ours", secret.New(canary), "owner:ann"); err != nil {
			t.Error(err)
		}
	}
	reload(here, canary)
	store.meanwhile = func() { store.Fail("Credentials", storetest.Before, errors.New("disk")) }
	reload(there, canary)
	if err := there.Reload(t.Context()); err == nil {
		t.Error("a store that cannot be read is not told")
	}
	if got := lent(t, there, passport.OpenAI); got != canary {
		t.Errorf("lent %q after a reload that failed", got)
	}
}

func TestKeyThatIsNotStoredIsNotLent(t *testing.T) {
	b := newBench(t, nil)
	broken := errors.New("disk")
	b.store.Fail("AddCredential", storetest.Before, broken)
	if _, err := b.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "mine", secret.New(canary), "owner:ann"); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if got := lent(t, b.Vault, passport.OpenAI); got != "" {
		t.Errorf("lent %q", got)
	}
}

func TestListShowsNoKey(t *testing.T) {
	b := newBench(t, map[string]string{"OPENAI_API_KEY": canary, "GEMINI_KEY": canary})
	one := b.add(passport.OpenAI, "one", canary+"1")
	two := b.add(passport.OpenAI, "two", canary+"2")
	got, err := b.List(t.Context(), passport.OwnerPays)
	if err != nil {
		t.Fatal(err)
	}
	want := []vault.Entry{
		{Credential: two},
		{Credential: one, Used: true},
		{Credential: passport.Credential{ID: "env:OPENAI_API_KEY", Provider: passport.OpenAI, Label: "OPENAI_API_KEY"}, FromEnv: true, EnvName: "OPENAI_API_KEY"},
		{Credential: passport.Credential{ID: "env:GEMINI_KEY", Provider: passport.Google, Label: "GEMINI_KEY"}, FromEnv: true, EnvName: "GEMINI_KEY", Used: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEnvironmentKeysCanBeTestedAndNotRemoved(t *testing.T) {
	b := newBench(t, map[string]string{"OPENAI_API_KEY": canary})
	var key string
	if err := b.LendByID(t.Context(), passport.OwnerPays, "env:OPENAI_API_KEY", func(k secret.Text) error { key = k.Reveal(); return nil }); err != nil || key != canary {
		t.Errorf("got %q, %v", key, err)
	}
	if err := b.Tested(t.Context(), passport.OwnerPays, "env:OPENAI_API_KEY", start, "", "owner:ann"); err != nil {
		t.Error(err)
	}
	if err := b.Remove(t.Context(), passport.OwnerPays, "env:OPENAI_API_KEY", "owner:ann"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("got %v, want Conflict", err)
	}
	if err := b.LendByID(t.Context(), passport.OwnerPays, "env:GEMINI_KEY", func(secret.Text) error { return nil }); problem.KindOf(err) != problem.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}

// What is kept of a test holds neither the key nor more than its bound, and is whole text.
func TestTestedKeepsNoKey(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", canary)
	for _, said := range []string{"", "Incorrect API key provided: " + canary + ".", strings.Repeat("ü", 1000), "\xff\xfe" + strings.Repeat(canary, 100)} {
		if err := b.Tested(t.Context(), passport.OwnerPays, c.ID, b.cfg.Now(), said, "owner:ann"); err != nil {
			t.Fatal(err)
		}
		list, _ := b.List(t.Context(), passport.OwnerPays)
		got := list[0].Credential
		if got.TestedAt.IsZero() || (got.TestError == "") != (said == "") || len(got.TestError) > 300 || strings.ToValidUTF8(got.TestError, "") != got.TestError {
			t.Errorf("got %d bytes %q at %v", len(got.TestError), got.TestError, got.TestedAt)
		}
		events, _, _ := b.store.Events(t.Context(), 0, 100)
		if text := fmt.Sprintf("%+v %+v", got, events); strings.Contains(text, canary) {
			t.Errorf("the key is in %s", text)
		}
		for _, e := range events {
			if len(e.Note) > passport.MaxNote {
				t.Errorf("a note of %d bytes", len(e.Note))
			}
		}
	}
	if err := b.Tested(t.Context(), passport.OwnerPays, "nobody", start, "", "owner:ann"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}

func TestChangesAreRemembered(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", canary)
	if err := b.Tested(t.Context(), passport.OwnerPays, c.ID, b.cfg.Now(), "", "owner:ann"); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); err != nil {
		t.Fatal(err)
	}
	events, _, _ := b.store.Events(t.Context(), 0, 100)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %s %s", e.Kind, e.Actor, e.Note))
	}
	want := []string{"credential.added owner:ann openai mine", "credential.tested owner:ann openai mine: good", "credential.removed owner:ann openai mine"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
