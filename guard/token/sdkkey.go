package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// An SDK key is "aip_", 43 random characters of base62 (256 bits) and six of a CRC-32 over all before it, as GitHub's tokens have
// (github.blog/2021-04-05-behind-githubs-new-authentication-token-formats): a scanner of leaked secrets, and we, tell a key from a typo and
// from what only looks like one without asking anybody. The checksum is no secret and proves nothing.
const (
	KeyPrefix = "aip_"
	keyRandom = 43
	keySum    = 6
	keyLength = len(KeyPrefix) + keyRandom + keySum
	keyShown  = len(KeyPrefix) + 6 // characters of it that are kept and shown; over 220 bits remain
	base62    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Bounds of what keys that nobody made can cost us. A key that is known is in the cache.
const (
	maxKeyLookups = 4           // keys that are looked up in the store at one time
	keyWait       = time.Second // for one of these
)

// NewKey makes an SDK key for a grant that is live now, records its SHA-256 with the event, and only then returns it: it is shown once. A
// plain hash is enough, because nobody guesses 256 random bits however fast he hashes; a slow one would be paid at every call. A zero end
// means that of the grant, and a later one does too. Errors: Invalid in "name" or "expiresAt", GrantEnded, GrantPaused, NotFound, Conflict
// if the grant has as many as it may.
func (s *Service) NewKey(ctx context.Context, g passport.Grant, name string, ends time.Time, actor string) (text string, k passport.SDKKey, err error) {
	now := time.UnixMilli(s.cfg.Now().UnixMilli()).UTC()
	name = strings.TrimSpace(name)
	if name == "" || len(name) > passport.MaxSDKKeyName || !utf8.ValidString(name) || strings.ContainsFunc(name, unprintable) {
		return "", passport.SDKKey{}, problem.New(problem.Invalid, "needs 1 to %d bytes of plain text", passport.MaxSDKKeyName).In("name")
	}
	if err := g.Live(now); err != nil {
		return "", passport.SDKKey{}, err
	}
	if ends.IsZero() || ends.After(g.ExpiresAt) {
		ends = g.ExpiresAt
	}
	if !now.Before(ends) {
		return "", passport.SDKKey{}, problem.New(problem.Invalid, "would have ended already").In("expiresAt")
	}
	text = newKey()
	k = passport.SDKKey{ID: passport.TokenID(s.cfg.NewID()), Grant: g.ID, Name: name, Start: text[:keyShown], CreatedAt: now, ExpiresAt: ends.UTC()}
	ev := passport.Event{ID: passport.EventID(s.cfg.NewID()), Kind: passport.SDKKeyMade, At: now, Actor: actor, Grant: g.ID,
		Note: fmt.Sprintf("%s… (%s) until %s", k.Start, k.Name, k.ExpiresAt.Format(time.RFC3339))}
	if err := s.cfg.Store.AddSDKKey(ctx, k, sha256.Sum256([]byte(text)), ev); err != nil {
		return "", passport.SDKKey{}, fmt.Errorf("record an SDK key: %w", err)
	}
	return text, k, nil
}

func unprintable(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

func newKey() string {
	b := []byte(KeyPrefix)
	var random [64]byte
	for len(b) < len(KeyPrefix)+keyRandom {
		rand.Read(random[:]) // never fails, or the process ends (crypto/rand)
		for _, r := range random {
			if r < 4*62 && len(b) < len(KeyPrefix)+keyRandom { // else some characters would come more often
				b = append(b, base62[r%62])
			}
		}
	}
	return string(b) + checksum(string(b))
}

func checksum(text string) string {
	var out [keySum]byte
	sum := crc32.ChecksumIEEE([]byte(text))
	for i := keySum - 1; i >= 0; i-- {
		out[i], sum = base62[sum%62], sum/62
	}
	return string(out[:])
}

// wellFormed says whether a text may be a key.
func wellFormed(text string) bool {
	body, sum := text[:max(0, len(text)-keySum)], text[max(0, len(text)-keySum):]
	return len(text) == keyLength && strings.HasPrefix(text, KeyPrefix) && checksum(body) == sum &&
		!strings.ContainsFunc(text[len(KeyPrefix):], func(r rune) bool { return !strings.ContainsRune(base62, r) })
}

// verifyKey finds the token that an SDK key stands for, and nothing that can change: Identify asks for that. What was found is kept
// among the verified tokens. What is not found is not kept.
func (s *Service) verifyKey(ctx context.Context, text string) (Passport, error) {
	if !wellFormed(text) {
		return Passport{}, problem.New(problem.Unauthenticated, "This is no whole SDK key: copy all of it")
	}
	hash := sha256.Sum256([]byte(text))
	if p, ok := s.cache.get(hash); ok {
		return p, nil
	}
	t, err := s.lookUp(ctx, hash)
	if problem.KindOf(err) == problem.NotFound && err != nil {
		return Passport{}, problem.Wrap(err, problem.Unauthenticated, "Unknown SDK key")
	}
	if err != nil {
		return Passport{}, fmt.Errorf("look up an SDK key: %w", err)
	}
	p := Passport{Token: t.ID, Grant: t.Grant, IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Key: true}
	s.cache.put(hash, p)
	return p, nil
}

// lookUp asks the store, a few at a time: keys that strangers make up wait for each other, not for the database.
func (s *Service) lookUp(ctx context.Context, hash [32]byte) (passport.Token, error) {
	wait, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	select {
	case s.lookups <- struct{}{}:
	case <-wait.Done():
		return passport.Token{}, problem.New(problem.Busy, "too many unknown keys are being looked up").After(time.Second)
	}
	defer func() { <-s.lookups }()
	return s.cfg.Store.TokenOfSDKKey(ctx, hash)
}

// maxUses bounds the keys whose last use waits to be written. Of more, the use is not noted: it is for the owner's eye only.
const maxUses = 16_384

// used notes that a key was used, to the minute, for WriteUses.
func (s *Service) used(id passport.TokenID) {
	at := s.cfg.Now().UTC().Truncate(time.Minute)
	s.using.Lock()
	defer s.using.Unlock()
	if _, ok := s.uses[id]; ok || len(s.uses) < maxUses {
		s.uses[id] = at
	}
}

// WriteUses writes when keys were used since the last time. Never on the path of a call; once a minute is meant. A crash loses that
// minute, an error keeps it for the next time.
func (s *Service) WriteUses(ctx context.Context) error {
	s.using.Lock()
	uses := s.uses
	s.uses = map[passport.TokenID]time.Time{}
	s.using.Unlock()
	if len(uses) == 0 {
		return nil
	}
	err := s.cfg.Store.UsedSDKKeys(ctx, uses)
	if err == nil {
		return nil
	}
	s.using.Lock()
	defer s.using.Unlock()
	for id, at := range uses {
		if _, newer := s.uses[id]; !newer && len(s.uses) < maxUses {
			s.uses[id] = at
		}
	}
	return fmt.Errorf("write when SDK keys were used: %w", err)
}
