package token_test

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

func (b *bench) key(g passport.Grant, ends time.Time) (string, passport.SDKKey) {
	b.t.Helper()
	text, k, err := b.NewKey(b.t.Context(), g, "laptop", ends, "owner:p1")
	if err != nil {
		b.t.Fatal(err)
	}
	return text, k
}

func (b *bench) revokeKey(k passport.SDKKey) {
	b.t.Helper()
	if err := b.store.RevokeSDKKey(b.t.Context(), k.Grant, k.ID, passport.Event{ID: passport.EventID(b.newID()), Kind: passport.SDKKeyRevoked, At: b.now}); err != nil {
		b.t.Fatal(err)
	}
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// sum is the checksum of a key, made here from what docs/design/secrets.md says of it.
func sum(text string) string {
	n, out := crc32.ChecksumIEEE([]byte(text)), ""
	for range 6 {
		out, n = string(digits[n%62])+out, n/62
	}
	return out
}

// madeUp has the form of a key, and nobody made it.
func madeUp() string {
	raw := make([]byte, 43)
	rand.Read(raw)
	for i := range raw {
		raw[i] = digits[raw[i]%62]
	}
	text := token.KeyPrefix + string(raw)
	return text + sum(text)
}

func TestAnSDKKeyStandsForItsGrant(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	b.grant("g2", time.Hour)
	text, k := b.key(g, time.Time{})
	if !regexp.MustCompile(`^aip_[0-9A-Za-z]{49}$`).MatchString(text) || sum(text[:47]) != text[47:] {
		t.Errorf("got %q, want aip_, 43 characters and their checksum", text)
	}
	if k.Start != text[:10] || k.Name != "laptop" || !k.ExpiresAt.Equal(g.ExpiresAt) || k.Grant != "g1" {
		t.Errorf("got %+v, want the start of %.10s and the end of the grant", k, text)
	}
	for range 2 { // the second time from the cache
		p, s, err := b.Identify(t.Context(), text)
		if err != nil || p.Token != k.ID || p.Grant != "g1" || !p.Key || s.Grant.ID != "g1" {
			t.Fatalf("got %+v %v, want the key of g1", p, err)
		}
	}
	other, _ := b.key(g, time.Time{})
	if other == text || other[10:] == text[10:] {
		t.Error("two keys are alike")
	}
	if p, _, err := b.again().Identify(t.Context(), text); err != nil || p.Token != k.ID {
		t.Errorf("after a restart: got %v %v", p, err)
	}
	if access, _ := b.issue(g); strings.HasPrefix(access, token.KeyPrefix) {
		t.Error("a token begins as a key does")
	} else if p, _, err := b.Identify(t.Context(), access); err != nil || p.Key {
		t.Errorf("a token is taken for a key: %+v %v", p, err)
	}
}

func TestSDKKeysThatAreNoneAreRefused(t *testing.T) {
	b := newBench(t, nil)
	text, _ := b.key(b.grant("g1", time.Hour), time.Time{})
	swapped := []byte(text)
	swapped[20], swapped[21] = swapped[21], swapped[20]
	for swapped[20] == swapped[21] { // two that are alike cannot be told apart
		swapped[20] = digits[(strings.IndexByte(digits, swapped[20])+1)%62]
	}
	odd := "aip_" + strings.Repeat("-", 43)
	const notWhole = "This is no whole SDK key: copy all of it"
	for name, c := range map[string][2]string{
		"prefix only": {"aip_", notWhole}, "cut": {text[:len(text)-1], notWhole}, "longer": {text + "0", notWhole}, "swapped": {string(swapped), notWhole},
		"a space": {text + " ", notWhole}, "other characters": {odd + sum(odd), notWhole}, "very long": {text + strings.Repeat("A", 1<<20), notWhole},
		"nobody made it": {madeUp(), "Unknown SDK key"},
		"another case":   {"AIP_" + text[4:], "Invalid or expired JWT"},
	} {
		_, _, err := b.Identify(t.Context(), c[0])
		if p := problem.From(err); err == nil || p.Kind != problem.Unauthenticated || p.Detail != c[1] {
			t.Errorf("%s: got %v, want %q", name, err, c[1])
		}
	}
}

// Liveness is not cached: a key that was good a moment ago is refused at once.
func TestAnSDKKeyEnds(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	revoked, k := b.key(g, time.Time{})
	short, ks := b.key(g, b.now.Add(time.Minute))
	long, kl := b.key(g, b.now.Add(100*time.Hour))
	if !ks.ExpiresAt.Equal(start.Add(time.Minute)) || !kl.ExpiresAt.Equal(g.ExpiresAt) {
		t.Errorf("got ends %v and %v, want a minute and the grant's", ks.ExpiresAt, kl.ExpiresAt)
	}
	identify := func(text string) error { _, _, err := b.Identify(t.Context(), text); return err }
	for _, text := range []string{revoked, short, long} {
		if err := identify(text); err != nil {
			t.Fatal(err)
		}
	}
	b.revokeKey(k)
	refused(t, identify(revoked), problem.Unauthenticated, "Token has been revoked")
	b.now = start.Add(time.Minute)
	refused(t, identify(short), problem.Unauthenticated, "SDK key has expired")
	if err := identify(long); err != nil {
		t.Errorf("another key of the grant: %v", err)
	}
	paused, _ := g.To(passport.GrantPaused, b.now)
	b.change(paused)
	refused(t, identify(long), problem.GrantPaused, "Grant status is 'paused'")
	ended, _ := paused.To(passport.GrantRevoked, b.now)
	b.change(ended)
	refused(t, identify(long), problem.Unauthenticated, "Token has been revoked")
}

func TestSDKKeysThatCannotBeMade(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	paused, _ := g.To(passport.GrantPaused, b.now)
	for name, c := range map[string]struct {
		g     passport.Grant
		name  string
		ends  time.Time
		kind  problem.Kind
		field string
	}{
		"no name":      {g, " ", time.Time{}, problem.Invalid, "name"},
		"a long name":  {g, strings.Repeat("n", 101), time.Time{}, problem.Invalid, "name"},
		"a line end":   {g, "a\nb", time.Time{}, problem.Invalid, "name"},
		"not UTF-8":    {g, "a\xff", time.Time{}, problem.Invalid, "name"},
		"ended":        {g, "n", start, problem.Invalid, "expiresAt"},
		"paused grant": {paused, "n", time.Time{}, problem.GrantPaused, ""},
		"no grant":     {passport.Grant{}, "n", time.Time{}, problem.GrantEnded, ""},
	} {
		text, _, err := b.NewKey(t.Context(), c.g, c.name, c.ends, "owner:p1")
		if p := problem.From(err); err == nil || text != "" || p.Kind != c.kind || p.Field != c.field {
			t.Errorf("%s: got %q %v, want kind %v in %q", name, text, err, c.kind, c.field)
		}
	}
	b.store.Fail("AddSDKKey", storetest.After, errors.New("the disk is gone"))
	if text, _, err := b.NewKey(t.Context(), g, "n", time.Time{}, "owner:p1"); err == nil || text != "" {
		t.Error("a key was shown that may not be recorded")
	}
}

// lookups counts the keys that are looked up at one time, and holds each until it may go on.
type lookups struct {
	*storetest.Memory
	mu        sync.Mutex // guards now, most
	now, most int
	gate      chan struct{}
}

func (l *lookups) TokenOfSDKKey(ctx context.Context, hash [32]byte) (passport.Token, error) {
	l.mu.Lock()
	l.now++
	l.most = max(l.most, l.now)
	l.mu.Unlock()
	defer func() { l.mu.Lock(); l.now--; l.mu.Unlock() }()
	select {
	case <-l.gate:
	case <-ctx.Done():
	}
	return l.Memory.TokenOfSDKKey(ctx, hash)
}

// TestThreat33UnknownKeysWaitForEachOther: keys that strangers make up take four lookups of the store at one time and no memory; a key that
// is known is not kept waiting by them.
func TestThreat33UnknownKeysWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{gate: make(chan struct{})}
		b := newBench(t, func(c *token.Config) { l.Memory, c.Store = c.Store.(*storetest.Memory), l })
		known, _ := b.key(b.grant("g1", time.Hour), time.Time{})
		close(l.gate)
		if _, _, err := b.Identify(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		cached := b.Cached()
		l.gate = make(chan struct{})
		got := make(chan problem.Kind, 50)
		for range cap(got) {
			go func() {
				_, _, err := b.Identify(t.Context(), madeUp())
				got <- problem.KindOf(err)
			}()
		}
		synctest.Wait()
		if _, _, err := b.Identify(t.Context(), known); err != nil {
			t.Errorf("a known key meanwhile: %v", err)
		}
		time.Sleep(2 * time.Second)
		close(l.gate)
		n := map[problem.Kind]int{}
		for range cap(got) {
			n[<-got]++
		}
		if l.most != 4 || n[problem.Busy] != 46 || n[problem.Unauthenticated] != 4 {
			t.Errorf("%d at one time, %v; want 4, 46 that hear busy, 4 unknown", l.most, n)
		}
		if b.Cached() != cached {
			t.Errorf("%d are kept, want %d: an unknown key takes memory", b.Cached(), cached)
		}
	})
}

// The last use is written by WriteUses only, to the minute, and kept if that fails.
func TestUsesAreWrittenApart(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", 3*time.Hour)
	text, k := b.key(g, time.Time{})
	lastUse := func() time.Time {
		list, err := b.store.SDKKeys(t.Context(), "g1", 10)
		if err != nil || len(list) != 1 || list[0].ID != k.ID {
			t.Fatal(list, err)
		}
		return list[0].UsedAt
	}
	b.now = start.Add(90 * time.Second)
	if _, _, err := b.Identify(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	if !lastUse().IsZero() {
		t.Error("a call wrote to the store")
	}
	b.store.Fail("UsedSDKKeys", storetest.Before, errors.New("the disk is full"))
	if err := b.WriteUses(t.Context()); err == nil {
		t.Error("a write that failed is not told")
	}
	b.store.Fail("UsedSDKKeys", storetest.Before, nil)
	if err := b.WriteUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := start.Add(time.Minute); !lastUse().Equal(want) {
		t.Errorf("got %v, want %v", lastUse(), want)
	}
	b.store.Fail("UsedSDKKeys", storetest.Before, errors.New("nothing is to be written"))
	if err := b.WriteUses(t.Context()); err != nil {
		t.Errorf("nothing was used since, and still: %v", err)
	}
}
