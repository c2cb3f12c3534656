package recall_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/passport"
)

func TestEndKeyCutsTheCallsOfOneKey(t *testing.T) {
	b := recall.New(time.Now)
	until := time.Now().Add(time.Hour)
	watch := func(g passport.GrantID, k passport.TokenID) context.Context {
		ctx, release := b.WatchKey(t.Context(), g, k, until)
		t.Cleanup(release)
		return ctx
	}
	mine := []context.Context{watch("g1", "k1"), watch("g1", "k1")}
	others := []context.Context{watch("g1", "k2"), watch("g1", ""), watch("g2", "k3"), watch("g2", "")}
	keys := b.Keys()
	slices.Sort(keys)
	if !slices.Equal(keys, []passport.TokenID{"k1", "k2", "k3"}) {
		t.Errorf("got keys %v, want k1 k2 k3", keys)
	}
	before := b.KeysRevoked()
	if n := b.EndKey("", errRevoked); n != 0 || b.KeysRevoked() == before {
		t.Errorf("no key ended %d calls, or is not told", n)
	}
	before = b.KeysRevoked()
	if n := b.EndKey("k1", errRevoked); n != 2 || b.KeysRevoked() == before {
		t.Errorf("ended %d, want 2, and that it is told", n)
	}
	for _, ctx := range mine {
		if got := context.Cause(ctx); got != errRevoked {
			t.Errorf("got cause %v, want %v", got, errRevoked)
		}
	}
	for i, ctx := range others {
		if ctx.Err() != nil {
			t.Errorf("call %d of another key was ended: %v", i, context.Cause(ctx))
		}
	}
	if n := b.End("g1", errRevoked); n != 2 {
		t.Errorf("the grant's end ended %d, want the other 2", n)
	}
}
