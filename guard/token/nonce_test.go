package token_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/internal/secret"
)

// TestNonces: the same at all instances with one key file, taken for one slot after its own, and one ahead for a clock that is; foreign and
// missing ones are refused.
func TestNonces(t *testing.T) {
	for name, change := range map[string]func(*token.Config){"ES256": nil, "HS256": func(c *token.Config) { c.HMACSecret = secret.New(hmacSecret) }} {
		b, h := newBench(t, change), keys()["ES256"]
		prove := func(p string) error { _, err := b.again().Prove(t.Context(), asked(p)); return err }
		at := func(d time.Duration, f func() string) string {
			b.now = b.now.Add(d)
			defer func() { b.now = b.now.Add(-d) }()
			return f()
		}
		slot := 2 * time.Minute
		for _, c := range []struct {
			at   time.Duration
			good bool
		}{{0, true}, {-slot, true}, {slot, true}, {-2 * slot, false}, {2 * slot, false}} {
			nonce := at(c.at, func() string { n, _ := b.again().Nonce(); return n })
			if err := prove(b.proof(h, "", with("nonce", nonce))); c.good != (err == nil) || err != nil && !is(err, token.NonceField) {
				t.Errorf("%s: a nonce of %s: got %v", name, c.at, err)
			}
		}
		for _, nonce := range []any{"", nil, "x"} {
			if err := prove(b.proof(h, "", with("nonce", nonce))); !is(err, token.NonceField) {
				t.Errorf("%s: nonce %v: got %v", name, nonce, err)
			}
		}
		n, _ := b.Nonce()
		if again, err := b.Nonce(); err != nil || again != n || len(n) != 22 {
			t.Errorf("%s: got %q, then %q %v", name, n, again, err)
		}
	}
	b, h := newBench(t, nil), keys()["ES256"]
	p := b.proof(h, "")
	box, err := seal.Open(filepath.Join(t.TempDir(), "kek"))
	if err != nil {
		t.Fatal(err)
	}
	b.cfg.Box, b.cfg.HMACSecret = box, secret.New(hmacSecret)
	if _, err := b.again().Prove(t.Context(), asked(p)); !is(err, token.NonceField) {
		t.Errorf("a nonce of another key file: got %v", err)
	}
}

// TestProofIsRememberedAsLongAsItIsTaken: whatever is swept meanwhile, and by clocks that are apart, a proof never works again.
func TestProofIsRememberedAsLongAsItIsTaken(t *testing.T) {
	b, h := newBench(t, nil), keys()["ES256"]
	ahead := b.cfg
	ahead.Now = func() time.Time { return b.now.Add(90 * time.Second) }
	sweeper, err := token.New(t.Context(), ahead)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []time.Duration{0, time.Minute, 119 * time.Second} {
		b.now = start.Add(from)
		nonce, _ := sweeper.Nonce() // the latest that there is
		p := b.proof(h, "", with("nonce", nonce), with("iat", b.now.Add(4*time.Minute).Unix()))
		if _, err := b.Prove(t.Context(), asked(p)); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			if _, err := sweeper.SweepSeen(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Prove(t.Context(), asked(p)); err == nil {
				t.Fatalf("taken again %s later", b.now.Sub(start.Add(from)))
			}
			b.now = b.now.Add(15 * time.Second)
		}
	}
	if n, err := sweeper.SweepSeen(t.Context()); err != nil || n != 1 { // the last; the others went before
		t.Logf("swept %d at the end, %v", n, err)
	}
	b.now = b.now.Add(time.Hour)
	b.SweepSeen(t.Context())
	if n, err := b.SweepSeen(t.Context()); n != 0 || err != nil {
		t.Errorf("%d are kept for ever, %v", n, err)
	}
}
