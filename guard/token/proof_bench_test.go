package token_test

import (
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
)

// BenchmarkAdmit compares what step 1 of a call costs with a bearer and with a proof of each kind of key, without the disk.
func BenchmarkAdmit(b *testing.B) {
	bench := newBench(b, nil)
	bench.BoundProofs(1<<40, 1<<40, 0, 0)
	g := bench.grant("g1", time.Hour)
	plain, _ := bench.issue(g)
	b.Run("bearer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := admit(b, bench.Service, token.Shown{Access: plain}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, alg := range token.ProofAlgorithms {
		b.Run(alg, func(b *testing.B) {
			h := keys()[alg]
			access := bench.bound(g, h)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				by := shown(access, bench.proof(h, access))
				b.StartTimer()
				if err := admit(b, bench.Service, by); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
