package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// entry is a stored key as it is on disk.
func (b *bench) entry(id passport.CredentialID) vault.Entry {
	b.t.Helper()
	list, err := b.List(b.t.Context(), passport.OwnerPays)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range list {
		if e.Credential.ID == id {
			return e
		}
	}
	b.t.Fatalf("there is no key %s", id)
	return vault.Entry{}
}

// A call that runs keeps the old secret, the next one has the new; another instance has it after a reload, and until then the old one.
// Label, age and id stay, and what was known of the old secret is forgotten.
func TestRotation(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", "key-of-old-1")
	there := b.again()
	if err := b.Tested(t.Context(), passport.OwnerPays, c.ID, b.cfg.Now(), passport.KeyRefused, "owner:ann"); err != nil {
		t.Fatal(err)
	}
	err := b.Lend(t.Context(), passport.OwnerPays, passport.OpenAI, c.ID, func(running secret.Text) error {
		if err := b.Rotate(t.Context(), passport.OwnerPays, c.ID, secret.New(" "+canary+"\n"), "owner:ann"); err != nil {
			t.Error(err)
		}
		if got := lent(t, b.Vault, passport.OpenAI); got != canary {
			t.Errorf("a call that begins is lent %q, want the new secret", got)
		}
		if running.Reveal() != "key-of-old-1" {
			t.Errorf("a call that runs has %q, want the old secret to the end", running.Reveal())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := lent(t, there, passport.OpenAI); got != "key-of-old-1" {
		t.Errorf("got %q", got)
	}
	if err := there.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*vault.Vault{there, b.again()} {
		if got := lent(t, v, passport.OpenAI); got != canary {
			t.Errorf("got %q, want the new secret", got)
		}
	}
	got := b.entry(c.ID).Credential
	if got.RotatedAt.IsZero() || !got.TestedAt.IsZero() || !got.RefusedAt.IsZero() || got.Label != "mine" || !got.CreatedAt.Equal(c.CreatedAt) {
		t.Errorf("got %+v", got)
	}
	stored, _ := b.store.Credentials(t.Context())
	events, _, _ := b.store.Events(t.Context(), 0, 100)
	if text := fmt.Sprintf("%s %+v %+v", stored[0].Sealed, stored, events); strings.Contains(text, canary) || strings.Contains(text, "key-of-old") {
		t.Errorf("a secret is in %s", text)
	}
}

func TestRotationIsRefused(t *testing.T) {
	b := newBench(t, map[string]string{"GEMINI_KEY": "key-of-env"})
	c := b.add(passport.OpenAI, "mine", canary)
	for _, r := range []struct {
		id   passport.CredentialID
		key  string
		want problem.Kind
	}{
		{c.ID, "short", problem.Invalid},
		{c.ID, "with a space", problem.Invalid},
		{"nobody", "key-of-new", problem.NotFound},
		{"env:GEMINI_KEY", "key-of-new", problem.Conflict},
	} {
		err := b.Rotate(t.Context(), passport.OwnerPays, r.id, secret.New(r.key), "owner:ann")
		if problem.KindOf(err) != r.want || strings.Contains(err.Error(), r.key) {
			t.Errorf("%s, %q: got %v", r.id, r.key, err)
		}
	}
	broken := errors.New("disk")
	b.store.Fail("ChangeCredential", storetest.Before, broken)
	if err := b.Rotate(t.Context(), passport.OwnerPays, c.ID, secret.New("key-of-new"), "owner:ann"); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if got := lent(t, b.Vault, passport.OpenAI); got != canary {
		t.Errorf("got %q, want what is stored", got)
	}
}

// Two instances change one key at a time: neither takes away what the other wrote, and a key that was removed does not come back.
func TestChangesOfTwoInstances(t *testing.T) {
	b := newBench(t, nil)
	store := &old{Memory: b.store}
	b.cfg.Sealed = store
	here, there := b.again(), b.again()
	c, err := here.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "mine", secret.New("key-of-old-1"), "owner:ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := b.cfg.Now()
	store.meanwhile = func() { // between what the test reads and what it writes
		if err := there.Rotate(t.Context(), passport.OwnerPays, c.ID, secret.New(canary), "owner:ann"); err != nil {
			t.Error(err)
		}
	}
	if err := here.Tested(t.Context(), passport.OwnerPays, c.ID, began, passport.KeyRefused, "owner:ann"); err != nil {
		t.Fatal(err)
	}
	if got := b.entry(c.ID).Credential; !got.TestedAt.IsZero() || !got.RefusedAt.IsZero() {
		t.Errorf("a test of the old secret is noted of the new one: %+v", got)
	}
	if got := lent(t, here, passport.OpenAI); got != canary {
		t.Errorf("got %q, want the new secret", got)
	}
	store.meanwhile = func() {
		if err := there.Remove(t.Context(), passport.OwnerPays, c.ID, "owner:ann"); err != nil {
			t.Error(err)
		}
	}
	if err := here.Rotate(t.Context(), passport.OwnerPays, c.ID, secret.New("key-of-other"), "owner:ann"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
	for range 2 {
		if err := here.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := lent(t, here, passport.OpenAI); got != "" {
			t.Errorf("lent %q of a key that was removed", got)
		}
	}
}

// A key that its provider refuses is marked once, with since when; a call that began before the secret was replaced does not mark the new
// one; a call that goes well, or a good test, ends it.
func TestRefusedKeyIsMarked(t *testing.T) {
	b := newBench(t, map[string]string{"GEMINI_KEY": "key-of-env"})
	c := b.add(passport.OpenAI, "mine", canary)
	mark := func(id passport.CredentialID, began time.Time, refused, want bool) time.Time {
		t.Helper()
		if err := b.Mark(t.Context(), passport.OwnerPays, id, began, refused); err != nil {
			t.Fatal(err)
		}
		if got := b.entry(id).Credential.RefusedAt; got.IsZero() == want {
			t.Errorf("refused since %v, want that it is %v", got, want)
		}
		return b.entry(id).Credential.RefusedAt
	}
	for _, id := range []passport.CredentialID{c.ID, "env:GEMINI_KEY"} {
		mark(id, b.cfg.Now(), false, false)
		since := mark(id, b.cfg.Now(), true, true)
		if again := mark(id, b.cfg.Now(), true, true); !again.Equal(since) {
			t.Errorf("got %v, want it refused since %v", again, since)
		}
		mark(id, b.cfg.Now(), false, false)
		mark(id, b.cfg.Now(), true, true)
		if err := b.Tested(t.Context(), passport.OwnerPays, id, b.cfg.Now(), "not reached", "owner:ann"); err != nil || b.entry(id).Credential.RefusedAt.IsZero() {
			t.Errorf("after a test that reached nobody: %v, %+v", err, b.entry(id).Credential)
		}
		if err := b.Tested(t.Context(), passport.OwnerPays, id, b.cfg.Now(), "", "owner:ann"); err != nil || !b.entry(id).Credential.RefusedAt.IsZero() {
			t.Errorf("after a good test: %v, %+v", err, b.entry(id).Credential)
		}
	}
	before := b.cfg.Now()
	if err := b.Rotate(t.Context(), passport.OwnerPays, c.ID, secret.New("key-of-new"), "owner:ann"); err != nil {
		t.Fatal(err)
	}
	mark(c.ID, before, true, false)
	if err := b.Mark(t.Context(), passport.OwnerPays, "nobody", before, true); err != nil {
		t.Errorf("got %v", err)
	}
	var got []string
	events, _, _ := b.store.Events(t.Context(), 0, 100)
	for _, e := range events {
		got = append(got, string(e.Kind)+" "+e.Actor)
		if e.Payer != "" {
			t.Errorf("%s is for %q", e.Kind, e.Payer)
		}
	}
	want := []string{"credential.added owner:ann", "credential.refused broker", "credential.accepted broker", "credential.refused broker",
		"credential.tested owner:ann", "credential.tested owner:ann", "credential.rotated owner:ann"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestAMembersKeyIsToldToThem: that a provider refuses it is nobody else's to know.
func TestAMembersKeyIsToldToThem(t *testing.T) {
	b := newBench(t, nil)
	if err := b.store.AddFirstPerson(t.Context(), passport.Person{ID: "p1", Role: passport.RoleOwner, Username: "p1", CreatedAt: start}, passport.Event{ID: "p1"}); err != nil {
		t.Fatal(err)
	}
	if err := b.store.AddMember(t.Context(), passport.Person{ID: "p2", Role: passport.RoleMember, Username: "p2", CreatedAt: start}, nil, nil, passport.Event{ID: "p2"}); err != nil {
		t.Fatal(err)
	}
	c, err := b.Add(t.Context(), "p2", passport.OpenAI, "mine", secret.New("key-of-p2"), "owner:p2")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Mark(t.Context(), "p2", c.ID, b.cfg.Now(), true); err != nil {
		t.Fatal(err)
	}
	events, _, _ := b.store.Events(t.Context(), 0, 100)
	if ev := events[len(events)-1]; ev.Kind != passport.CredentialRefused || ev.Actor != "broker" || ev.Payer != "p2" {
		t.Errorf("got %+v, want it told to p2", ev)
	}
}

// What was picked is what is lent: a key that is chosen, or removed, in between is another's.
func TestPickedIsLent(t *testing.T) {
	b := newBench(t, nil)
	first := b.add(passport.OpenAI, "first", "key-first")
	second := b.add(passport.OpenAI, "second", "key-second")
	id, _ := b.Pick(passport.OwnerPays, passport.OpenAI)
	if err := b.Choose(t.Context(), passport.OwnerPays, second.ID, "owner:ann"); err != nil {
		t.Fatal(err)
	}
	lend := func(p passport.Provider) (got string, err error) {
		err = b.Lend(context.Background(), passport.OwnerPays, p, id, func(k secret.Text) error { got = k.Reveal(); return nil })
		return got, err
	}
	if got, err := lend(passport.OpenAI); err != nil || got != "key-first" {
		t.Errorf("got %q, %v, want the key that was picked", got, err)
	}
	if got, err := lend(passport.Google); problem.KindOf(err) != problem.CredentialMissing {
		t.Errorf("lent %q, %v to another provider", got, err)
	}
	if err := b.Remove(t.Context(), passport.OwnerPays, first.ID, "owner:ann"); err != nil {
		t.Fatal(err)
	}
	if got, err := lend(passport.OpenAI); problem.KindOf(err) != problem.CredentialMissing {
		t.Errorf("lent %q, %v of a key that was removed", got, err)
	}
}

func TestKeysAreBounded(t *testing.T) {
	b := newBench(t, nil)
	for i := range 100 {
		b.add(passport.OpenAI, fmt.Sprint("key ", i), canary)
	}
	if _, err := b.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "one more", secret.New(canary), "owner:ann"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("got %v, want Conflict", err)
	}
}

// A new name is told once with the one before, and the secret opens as before, here and at another instance.
func TestRename(t *testing.T) {
	b := newBench(t, nil)
	c := b.add(passport.OpenAI, "mine", canary)
	there := b.again()
	for range 2 {
		if err := b.Rename(t.Context(), passport.OwnerPays, c.ID, " for evenings ", "owner:ann"); err != nil {
			t.Fatal(err)
		}
	}
	if err := there.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*vault.Vault{b.Vault, there} {
		list, err := v.List(t.Context(), passport.OwnerPays)
		if err != nil || list[0].Credential.Label != "for evenings" || lent(t, v, passport.OpenAI) != canary {
			t.Errorf("got %+v, %v", list, err)
		}
	}
	events, _, _ := b.store.Events(t.Context(), 0, 100)
	if last := events[len(events)-1]; len(events) != 2 || last.Kind != passport.CredentialRenamed || last.Note != "openai for evenings: before: mine" || last.Actor != "owner:ann" {
		t.Errorf("got %+v", events)
	}
}
