package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Bounds of a password: NIST SP 800-63B-4 §3.1.1.2 wants 15 characters where it is the only factor, and room for long ones.
const (
	MinPassword = 15  // characters
	MaxPassword = 256 // characters
	maxHashing  = 4   // at once: each takes 19 MiB
	saltLength  = 16
)

// phcStart says how a password was hashed: argon2id, 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).
const phcStart = "$argon2id$v=19$m=19456,t=2,p=1$"

func argon(password, salt []byte) []byte {
	return argon2.IDKey(password, salt, 2, 19*1024, 1, 32)
}

// spell makes the same text the same bytes (NFC, RFC 8265 §4.2.2), whatever the keyboard.
func spell(password string) string { return norm.NFC.String(password) }

// checkPassword says what is wrong with a new password; empty if it is good.
func checkPassword(password, name, username string) string {
	if !utf8.ValidString(password) {
		return "The password has bytes that are not text."
	}
	password = spell(password)
	if n := utf8.RuneCountInString(password); n < MinPassword {
		return fmt.Sprintf("The password needs %d characters or more. This one has %d.", MinPassword, n)
	} else if n > MaxPassword {
		return fmt.Sprintf("The password has at most %d characters.", MaxPassword)
	}
	if strings.EqualFold(password, name) || strings.EqualFold(password, username) {
		return "The password must not be your name."
	}
	first, _ := utf8.DecodeRuneInString(password)
	if strings.Trim(password, string(first)) == "" {
		return "The password must not be one character over and over."
	}
	return ""
}

// hashPassword returns the PHC form of a password's hash.
func (i *Identity) hashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLength)
	if _, err := io.ReadFull(i.cfg.Random, salt); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	sum, err := i.hash(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return phcStart + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(sum), nil
}

// rightPassword takes the same time whether or not there is something to compare with: a hash that cannot be read is
// replaced by one that nothing fits.
func (i *Identity) rightPassword(ctx context.Context, phc, password string) (bool, error) {
	salt, want, ok := readPHC(phc)
	if !ok {
		salt, want = make([]byte, saltLength), make([]byte, 32)
	}
	got, err := i.hash(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && ok, nil
}

func readPHC(phc string) (salt, sum []byte, ok bool) {
	rest, ok := strings.CutPrefix(phc, phcStart)
	if !ok {
		return nil, nil, false
	}
	a, b, ok := strings.Cut(rest, "$")
	if !ok {
		return nil, nil, false
	}
	salt, err := base64.RawStdEncoding.DecodeString(a)
	if err != nil || len(salt) != saltLength {
		return nil, nil, false
	}
	sum, err = base64.RawStdEncoding.DecodeString(b)
	return salt, sum, err == nil && len(sum) == 32
}

// hash waits for one of the few places, so that sign-ins cannot take all memory.
func (i *Identity) hash(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case i.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-i.hashing }()
	return i.cfg.Hash([]byte(spell(password)), salt), nil
}
