package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
)

var plain = []byte("sk-canary-0123456789")

func open(t *testing.T, file string) *seal.Box {
	t.Helper()
	b, err := seal.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sealed(t *testing.T, b *seal.Box, purpose, id string) []byte {
	t.Helper()
	ct, err := b.Seal(purpose, id, plain)
	if err != nil {
		t.Fatal(err)
	}
	return ct
}

func TestSealedOpensAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "kek")
	ct := sealed(t, open(t, file), "credential", "1")
	if bytes.Contains(ct, plain) {
		t.Error("the plain bytes are in what is sealed")
	}
	got, err := open(t, file).Open("credential", "1", ct)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestKeyFileIsTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	file := filepath.Join(dir, "kek")
	sealed(t, open(t, file), "credential", "1")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v; want 0600", info.Mode(), err)
	}
	if info, err = os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got folder mode %v, %v; want 0700", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("got %v, %v; want the key file alone", left, err)
	}
	for _, mode := range []fs.FileMode{0o604, 0o640, 0o644, 0o660, 0o601} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(file); problem.KindOf(err) != problem.Invalid {
			t.Errorf("mode %04o: got %v, want Invalid", mode, err)
		}
	}
}

// Opening makes no file: whoever lost the key file must learn it, and not find a new one.
func TestLostKeyFileIsNotMade(t *testing.T) {
	dir := t.TempDir()
	ct := sealed(t, open(t, filepath.Join(dir, "kek")), "credential", "1")
	lost := filepath.Join(dir, "lost")
	_, err := open(t, lost).Open("credential", "1", ct)
	if problem.KindOf(err) != problem.Unavailable || !strings.Contains(err.Error(), lost) {
		t.Errorf("got %v, want Unavailable that names the file", err)
	}
	if _, err := os.Stat(lost); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
}

// What is sealed is bound to its key, its purpose, its id and each of its bits.
func TestSealedIsBound(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "kek"))
	ct := sealed(t, b, "credential", "1")
	other := open(t, filepath.Join(dir, "other"))
	sealed(t, other, "credential", "1")
	for name, try := range map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return other.Open("credential", "1", ct) },
		"another purpose": func() ([]byte, error) { return b.Open("signing-key", "1", ct) },
		"another id":      func() ([]byte, error) { return b.Open("credential", "2", ct) },
		"no id":           func() ([]byte, error) { return b.Open("credential", "", ct) },
		"nothing":         func() ([]byte, error) { return b.Open("credential", "1", nil) },
		"version alone":   func() ([]byte, error) { return b.Open("credential", "1", ct[:1]) },
		"short":           func() ([]byte, error) { return b.Open("credential", "1", ct[:len(ct)-1]) },
		"long":            func() ([]byte, error) { return b.Open("credential", "1", append(slices.Clone(ct), 0)) },
		"plain":           func() ([]byte, error) { return b.Open("credential", "1", plain) },
	} {
		got, err := try()
		if problem.KindOf(err) != problem.Unavailable || got != nil {
			t.Errorf("%s: got %q, %v; want Unavailable", name, got, err)
		}
	}
	for i := range len(ct) * 8 {
		bad := slices.Clone(ct)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := b.Open("credential", "1", bad); err == nil {
			t.Errorf("opened with bit %d changed", i)
		}
	}
}

func TestSealingTwiceLooksDifferent(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "kek"))
	if bytes.Equal(sealed(t, b, "credential", "1"), sealed(t, b, "credential", "1")) {
		t.Error("the same bytes twice")
	}
}

func TestFileThatIsNoKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, text := range map[string]string{
		"empty": "", "text": "hello", "key without mark": key, "mark alone": "aipassport-kek-1:", "short": "aipassport-kek-1:" + key[:20],
		"long": "aipassport-kek-1:" + base64.StdEncoding.EncodeToString(make([]byte, 33)), "twice": "aipassport-kek-1:" + key + key,
		"huge": strings.Repeat("x", 1<<20), "other version": "aipassport-kek-2:" + key,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(file); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
	for name, file := range map[string]string{"folder": dir, "no name": ""} {
		if _, err := seal.Open(file); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

// Many that start at once end with one key.
func TestFirstSealsAtOnceAgreeOnOneKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kek")
	const n = 8
	var cts [n][]byte
	var wg sync.WaitGroup
	for i := range n {
		b := open(t, file)
		wg.Go(func() {
			ct, err := b.Seal("credential", "1", plain)
			if err != nil {
				t.Error(err)
			}
			cts[i] = ct
		})
	}
	wg.Wait()
	b := open(t, file)
	for i, ct := range cts {
		if _, err := b.Open("credential", "1", ct); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestZeroBoxRefuses(t *testing.T) {
	var b seal.Box
	if ct, err := b.Seal("credential", "1", plain); err == nil {
		t.Errorf("sealed %x", ct)
	}
	if _, err := b.Open("credential", "1", []byte{1, 2, 3}); err == nil {
		t.Error("opened")
	}
}

func BenchmarkOpen(b *testing.B) {
	box, err := seal.Open(filepath.Join(b.TempDir(), "kek"))
	if err != nil {
		b.Fatal(err)
	}
	ct, err := box.Seal("credential", "1", plain)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := box.Open("credential", "1", ct); err != nil {
			b.Fatal(err)
		}
	}
}
