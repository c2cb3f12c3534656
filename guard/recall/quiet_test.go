package recall_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/guard/recall"
)

// TestQuietWaitsForWhatWasEnded: for that and nothing else, and not longer than it is told.
func TestQuietWaitsForWhatWasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		until := time.Now().Add(time.Hour)
		_, one := b.Watch(t.Context(), "a", until)
		_, two := b.Watch(t.Context(), "a", until)
		_, other := b.Watch(t.Context(), "b", until)
		defer other()
		start := time.Now()
		b.Quiet(t.Context(), "a") // nothing was ended
		b.End("a", nil)
		_, late := b.Watch(t.Context(), "a", until) // came after: not ended
		defer late()
		time.AfterFunc(time.Second, one)
		time.AfterFunc(2*time.Second, two)
		b.Quiet(t.Context(), "a")
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("waited %s, want until the second was over", d)
		}
		b.EndAll(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b.Quiet(ctx, "")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("waited %s in all, want no longer than told", d)
		}
	})
}
