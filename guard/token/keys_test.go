package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

func TestKeysOutliveARestart(t *testing.T) {
	b := newBench(t, nil)
	access, _ := b.issue(b.grant("g1", time.Hour))
	before := kids(t, b.Service)
	if len(before) != 2 {
		t.Fatalf("got %d published keys, want the current and the next", len(before))
	}
	again := b.again()
	if got := kids(t, again); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
	if _, err := again.Verify(access); err != nil {
		t.Error(err)
	}
}

func TestPrivateKeysAreSealed(t *testing.T) {
	b := newBench(t, nil)
	_, private := b.private(passport.KeyCurrent)
	raw, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	keys, _ := b.store.SigningKeys(t.Context())
	for _, k := range keys {
		if strings.Contains(string(k.Sealed), string(raw)) || strings.Contains(string(k.Public), `"d"`) {
			t.Errorf("key %s shows its private half", k.ID)
		}
	}
}

// A rotation publishes a key long before it signs, and what was signed before stays good until it ends.
func TestRotation(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", 300*24*time.Hour)
	first, _ := b.issue(g)
	was := kids(t, b.Service)
	current, _ := b.private(passport.KeyCurrent)
	next, _ := b.private(passport.KeyNext)

	b.now = start.Add(30 * time.Minute)
	if err := b.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.private(passport.KeyCurrent); got != next {
		t.Errorf("signs with %s, want %s, which was published before", got, next)
	}
	if got, _ := b.private(passport.KeyRetired); got != current {
		t.Errorf("retired %s, want %s", got, current)
	}
	fresh, _ := b.private(passport.KeyNext)
	if got, want := kids(t, b.Service), append(slices.Clone(was), fresh); !sameSet(got, want) {
		t.Errorf("published %v, want %v", got, want)
	}
	second, _ := b.issue(g)
	for name, access := range map[string]string{"of the retired key": first, "of the new one": second} {
		if _, err := b.again().Verify(access); err != nil {
			t.Errorf("token %s: %v", name, err)
		}
	}
	if header, _ := parts(t, second); !strings.Contains(header, next) {
		t.Errorf("got %s, want kid %s", header, next)
	}
}

func TestRotationWhenDue(t *testing.T) {
	b := newBench(t, nil)
	current, _ := b.private(passport.KeyCurrent)
	day := 24 * time.Hour
	step := func(at time.Duration, wantCurrent func(string) bool, wantKeys int) {
		t.Helper()
		b.now = start.Add(at)
		if err := b.RotateIfDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := b.private(passport.KeyCurrent); !wantCurrent(got) {
			t.Errorf("after %v: signs with %s", at, got)
		}
		if got := kids(t, b.Service); len(got) != wantKeys {
			t.Errorf("after %v: got %d published keys, want %d", at, len(got), wantKeys)
		}
	}
	same := func(k string) bool { return k == current }
	other := func(k string) bool { return k != current }
	step(90*day-time.Second, same, 2)
	step(90*day, other, 3)
	step(90*day+time.Hour, other, 3)                 // a token of the old key may live
	step(90*day+time.Hour+day, other, 3)             // at its bound
	step(90*day+time.Hour+day+time.Second, other, 2) // none can
	second, _ := b.private(passport.KeyCurrent)
	step(180*day, func(k string) bool { return k != second && k != current }, 3)
	step(182*day, func(k string) bool { return k != second }, 2)
}

// Many rotations at one moment keep every key that a living token needs.
func TestTokensOutliveManyRotations(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", 24*time.Hour)
	var all []string
	for i := range 5 {
		access, _ := b.issue(g)
		all = append(all, access)
		if err := b.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(time.Duration(i%2) * time.Minute)
	}
	again := b.again()
	for i, access := range all {
		if _, err := again.Verify(access); err != nil {
			t.Errorf("token %d: %v", i, err)
		}
	}
	b.now = start.Add(30 * time.Hour)
	if err := b.RotateIfDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := kids(t, b.Service); len(got) != 2 {
		t.Errorf("got %d published keys once all tokens have ended, want 2", len(got))
	}
}

// Another instance on the same store takes over a rotation with its next look, and can verify before that.
func TestRotationReachesOtherInstances(t *testing.T) {
	b := newBench(t, nil)
	other := b.again()
	if err := b.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	access, _ := b.issue(b.grant("g1", time.Hour))
	if _, err := other.Verify(access); err != nil {
		t.Errorf("before its look: %v", err)
	}
	if err := other.RotateIfDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := kids(t, other), kids(t, b.Service); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Two instances that rotated at once left two next keys; the next rotation leaves one of each again.
func TestRotationHealsARace(t *testing.T) {
	b := newBench(t, nil)
	keys, _ := b.store.SigningKeys(t.Context())
	for _, k := range keys {
		if k.State == passport.KeyNext {
			k.ID = "twin"
			raw, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			text, _ := raw.Bytes()
			k.Sealed, _ = b.box.Seal("signing-key", k.ID, text)
			if err := b.store.RotateSigningKeys(t.Context(), &k, nil, b.event()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, _ = b.store.SigningKeys(t.Context())
	got := map[passport.KeyState]int{}
	for _, k := range keys {
		got[k.State]++
	}
	if len(keys) != 3 || got[passport.KeyNext] != 1 || got[passport.KeyCurrent] != 1 || got[passport.KeyRetired] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestRotationThatIsNotStoredChangesNothing(t *testing.T) {
	b := newBench(t, nil)
	access, _ := b.issue(b.grant("g1", time.Hour))
	before := kids(t, b.Service)
	broken := errors.New("disk full")
	b.store.Fail("RotateSigningKeys", storetest.Before, broken)
	if err := b.Rotate(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if got := kids(t, b.Service); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
	if _, err := b.Verify(access); err != nil {
		t.Error(err)
	}
}

// Who can write to the database can neither add a key, nor move one to another name.
func TestKeysThatAreNotSealedByUsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*passport.SigningKey){
		"plain":   func(k *passport.SigningKey) { k.Sealed = make([]byte, 32) },
		"empty":   func(k *passport.SigningKey) { k.Sealed = nil },
		"renamed": func(k *passport.SigningKey) { k.ID = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			keys, _ := b.store.SigningKeys(t.Context())
			k := keys[0]
			if err := b.store.RotateSigningKeys(t.Context(), nil, map[string]passport.KeyState{k.ID: ""}, b.event()); err != nil {
				t.Fatal(err)
			}
			change(&k)
			if err := b.store.RotateSigningKeys(t.Context(), &k, nil, b.event()); err != nil {
				t.Fatal(err)
			}
			if _, err := token.New(t.Context(), b.cfg); problem.KindOf(err) != problem.Unavailable {
				t.Errorf("got %v, want Unavailable", err)
			}
		})
	}
}

// The public column is for readers: what verifies comes from the sealed half.
func TestPublicColumnIsNotBelieved(t *testing.T) {
	b := newBench(t, nil)
	before := kids(t, b.Service)
	keys, _ := b.store.SigningKeys(t.Context())
	for _, k := range keys {
		k.Public = []byte(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"forged"}`)
		if err := b.store.RotateSigningKeys(t.Context(), nil, map[string]passport.KeyState{k.ID: ""}, b.event()); err != nil {
			t.Fatal(err)
		}
		if err := b.store.RotateSigningKeys(t.Context(), &k, nil, b.event()); err != nil {
			t.Fatal(err)
		}
	}
	if got := kids(t, b.again()); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
}

func TestLostKeyFileIsNotReplaced(t *testing.T) {
	b := newBench(t, nil)
	file := filepath.Join(t.TempDir(), "other")
	box, err := seal.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.cfg
	cfg.Box = box
	if _, err := token.New(t.Context(), cfg); problem.KindOf(err) != problem.Unavailable || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want Unavailable that names the file", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no key file", err)
	}
	if keys, _ := b.store.SigningKeys(context.Background()); len(keys) != 2 {
		t.Errorf("got %d keys, want the 2 there were", len(keys))
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// A token of a key that another instance has made meanwhile is taken at once, and tokens of keys that nobody made do not cause
// more than a read of the keys a second.
func TestAKeyOfAnotherInstance(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	other := b.again()
	for range 2 { // the first only moves on to a key that we have seen
		if err := other.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	access, _, err := other.Issue(t.Context(), g, "app")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(access); err == nil {
		t.Fatal("the key is known already: nothing is tested")
	}
	if _, _, err := b.Identify(t.Context(), access); err != nil {
		t.Errorf("a token of another instance: %v", err)
	}
	for range 2 {
		if err := other.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	access, _, err = other.Issue(t.Context(), g, "app")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Identify(t.Context(), access); problem.KindOf(err) != problem.Unauthenticated {
		t.Errorf("within the same second: %v", err)
	}
	b.now = b.now.Add(time.Second)
	if _, _, err := b.Identify(t.Context(), access); err != nil {
		t.Errorf("a second later: %v", err)
	}
	for range 2 {
		if err := other.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if access, _, err = other.Issue(t.Context(), g, "app"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(access); err != nil {
		t.Errorf("after a reload: %v", err)
	}
}

// Two instances that start on an empty store at the same moment understand each other's tokens.
func TestTwoFirstStartsAtOnce(t *testing.T) {
	b := newBench(t, nil)
	if err := b.store.RotateSigningKeys(t.Context(), nil, map[string]passport.KeyState{}, b.event()); err != nil {
		t.Fatal(err)
	}
	keys, err := b.store.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What the other one has stored, had it read before our keys were there.
	for _, k := range keys {
		twin := newBench(t, func(c *token.Config) { c.Box = b.box })
		theirs, _ := twin.store.SigningKeys(t.Context())
		for _, their := range theirs {
			if their.State == k.State {
				if err := b.store.RotateSigningKeys(t.Context(), &their, nil, b.event()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	g := b.grant("g1", time.Hour)
	one, two := b.again(), b.again()
	for name, s := range map[string][2]*token.Service{"the first at the second": {one, two}, "the second at the first": {two, one}, "a late one": {one, b.Service}} {
		access, _, err := s[0].Issue(t.Context(), g, "app")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s[1].Identify(t.Context(), access); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := one.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, _ = b.store.SigningKeys(t.Context())
	count := map[passport.KeyState]int{}
	for _, k := range keys {
		count[k.State]++
	}
	if count[passport.KeyCurrent] != 1 || count[passport.KeyNext] != 1 {
		t.Errorf("after a rotation: %v", count)
	}
}
