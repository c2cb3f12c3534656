// Package seal owns the key-encryption key (KEK): a file outside the database under which provider keys and signing keys are
// sealed at rest. It seals and opens bytes and knows nothing of what they are. It may touch that one file and nothing else:
// no HTTP, no SQL, no logs.
package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/devrelopers/aipassport/internal/problem"
)

const (
	keyBytes  = 32
	fileMark  = "aipassport-kek-1:" // before the key in its file, so that a wrong file is told from a broken one
	maxFile   = 4096                // bytes of a key file that are looked at
	version1  = 1                   // first byte of what is sealed: HKDF-SHA256 per purpose, AES-256-GCM
	ownerOnly = 0o600
)

// Box seals and opens. It is safe for use by several goroutines. The zero Box seals nothing and opens nothing.
type Box struct {
	file string

	mu    sync.Mutex // guards the fields below
	kek   []byte     // nil: the file is not there yet
	aeads map[string]tink.AEAD
	macs  map[string][]byte
}

// Open reads the key file. A file that is not there is made by the first Seal, never by Open: whoever finds something sealed
// before that cannot open it and learns that the file is missing. Errors: Invalid if the file can be read by others than its
// owner, is no regular file or holds no key.
func Open(file string) (*Box, error) {
	if file == "" {
		return nil, problem.New(problem.Invalid, "no key file is named")
	}
	kek, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Box{file: file}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Box{file: file, kek: kek}, nil
}

// Seal encrypts plain for a purpose and bound to an id: it opens only with both the same. The first Seal makes the key file
// where there is none, durable before Seal returns.
func (b *Box) Seal(purpose, id string, plain []byte) ([]byte, error) {
	a, err := b.aead(purpose, true)
	if err != nil {
		return nil, err
	}
	// Tink puts a random nonce before the ciphertext. NIST SP 800-38D §8.3 allows 2^32 of those under one key.
	sealed, err := a.Encrypt(plain, associated(purpose, id))
	if err != nil {
		return nil, fmt.Errorf("seal for %s: %w", purpose, err)
	}
	return append([]byte{version1}, sealed...), nil
}

// Open decrypts what Seal made for the same purpose and id. Error: Unavailable if the key file is missing or is not the one
// that sealed it, or the bytes were changed or moved.
func (b *Box) Open(purpose, id string, sealed []byte) ([]byte, error) {
	a, err := b.aead(purpose, false)
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 || sealed[0] != version1 {
		return nil, problem.New(problem.Unavailable, "what is stored as %s was not sealed by this broker", purpose)
	}
	plain, err := a.Decrypt(sealed[1:], associated(purpose, id))
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable,
			"the key file %s does not open what is stored as %s: put the file back that was in use when it was stored", b.file, purpose)
	}
	return plain, nil
}

// MAC is a keyed hash of parts, each told apart from the next: with the key file it is the same for the same parts, without it a guess
// cannot be tried. Each purpose has its own key. The first MAC makes the key file where there is none, as Seal does.
func (b *Box) MAC(purpose string, parts ...[]byte) (sum [sha256.Size]byte, err error) {
	key, err := b.macKey(purpose)
	if err != nil {
		return sum, err
	}
	h := hmac.New(sha256.New, key)
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func (b *Box) macKey(purpose string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if key := b.macs[purpose]; key != nil {
		return key, nil
	}
	if err := b.haveKEK(true); err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, b.kek, nil, "aipassport/mac/"+purpose, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", purpose, err)
	}
	if b.macs == nil {
		b.macs = map[string][]byte{}
	}
	b.macs[purpose] = key
	return key, nil
}

// haveKEK is called with mu held. It makes the key file where there is none and that may be.
func (b *Box) haveKEK(mayMake bool) error {
	if b.kek != nil {
		return nil
	}
	if !mayMake {
		return problem.New(problem.Unavailable, "the key file %s is missing, but something is stored that it sealed: put the file back", b.file)
	}
	kek, err := create(b.file)
	if err != nil {
		return err
	}
	b.kek = kek
	return nil
}

// associated is the associated data. The purpose has its own key anyway, so the two cannot be shifted against each other.
func associated(purpose, id string) []byte { return []byte(purpose + "\x00" + id) }

// aead returns the cipher of a purpose. Each purpose has its own key (RFC 5869).
func (b *Box) aead(purpose string, mayMake bool) (tink.AEAD, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.aeads[purpose]; a != nil {
		return a, nil
	}
	if err := b.haveKEK(mayMake); err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, b.kek, nil, "aipassport/seal/"+purpose, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", purpose, err)
	}
	a, err := subtle.NewAESGCM(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher for %s: %w", purpose, err)
	}
	if b.aeads == nil {
		b.aeads = map[string]tink.AEAD{}
	}
	b.aeads[purpose] = a
	return a, nil
}

// read returns the key in a file; fs.ErrNotExist if there is no file.
func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, problem.New(problem.Invalid, "the key file %s is not a regular file", file)
	}
	// Windows has no such bits: every file reads as 0666 there.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, problem.New(problem.Invalid, "the key file %s can be read by others (mode %04o): run chmod 600 on it", file, info.Mode().Perm())
	}
	text := make([]byte, maxFile)
	n, err := f.Read(text)
	if err != nil && n > 0 {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	encoded, ok := strings.CutPrefix(strings.TrimSpace(string(text[:n])), fileMark)
	kek, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(kek) != keyBytes {
		return nil, problem.New(problem.Invalid, "the file %s holds no key of this broker", file)
	}
	return kek, nil
}

// create makes a new key and its file. A file that another process made meanwhile is read instead: no file is ever replaced.
func create(file string) ([]byte, error) {
	kek := make([]byte, keyBytes)
	rand.Read(kek) // never fails (crypto/rand)
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the key file: %w", err)
	}
	// Whole and on disk under another name first: a crash leaves either no key file or a whole one.
	tmp, err := write(dir, fileMark+base64.StdEncoding.EncodeToString(kek)+"\n")
	if tmp != "" {
		defer os.Remove(tmp)
	}
	if err != nil {
		return nil, fmt.Errorf("write the key file: %w", err)
	}
	err = os.Link(tmp, file)
	if errors.Is(err, fs.ErrExist) {
		return read(file)
	}
	if err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	if err := syncFolder(dir); err != nil {
		return nil, fmt.Errorf("make the key file durable: %w", err)
	}
	return kek, nil
}

func write(dir, text string) (name string, err error) {
	f, err := os.CreateTemp(dir, ".kek-*") // mode 0600 (os.CreateTemp)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(ownerOnly); err != nil && runtime.GOOS != "windows" {
		return f.Name(), err
	}
	if _, err := f.WriteString(text); err != nil {
		return f.Name(), err
	}
	return f.Name(), f.Sync()
}

// syncFolder makes a new name in a folder durable. Windows cannot sync a folder.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
