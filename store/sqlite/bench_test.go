package sqlite_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
)

// BenchmarkHoldSettle is one call's way through the ledger, with 1 and 64 callers. Run it with -cpu of the machine.
func BenchmarkHoldSettle(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, path(b.TempDir()))
			active(b, s, "g", 100_000_000, 1_000_000_000)
			var n atomic.Int64
			next := func() int64 { return n.Add(1) }
			b.ReportAllocs()
			b.ResetTimer()
			done := make(chan error, callers)
			for range callers {
				go func() { done <- calls(b, s, next) }()
			}
			for range callers {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
		})
	}
}

func calls(b *testing.B, s *sqlite.Store, next func() int64) error {
	for i := next(); i <= int64(b.N); i = next() {
		h := ask("g", fmt.Sprintf("0197c0de-7000-8000-9000-%012d", i), 100)
		if _, err := s.Hold(b.Context(), h); err != nil {
			return err
		}
		if err := s.Settle(b.Context(), settlement(h, 50)); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLiveness is what every call reads.
func BenchmarkLiveness(b *testing.B) {
	s := open(b, path(b.TempDir()))
	g := active(b, s, "g", 100, 100)
	if err := s.AddToken(b.Context(), passport.Token{ID: "t", Grant: g.ID, IssuedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt}, passport.Event{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Liveness(b.Context(), "t"); err != nil {
				b.Error(err)
			}
		}
	})
}
