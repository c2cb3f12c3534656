package ledgersim_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	oneSeed = flag.Uint64("sim.seed", 0, "run this one seed")
	runs    = flag.Int("sim.runs", 100, "how many seeds to run")
	from    = flag.Uint64("sim.from", 0, "the first seed; 0: by the clock")
)

// TestSimulation runs seeds. One that fails is printed, and fails again: go test ./internal/ledgersim -run Simulation -sim.seed N
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		if err := run(t, *oneSeed, bend{}); err != nil {
			t.Fatalf("seed %d: %v", *oneSeed, err)
		}
		return
	}
	first := *from
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	var next atomic.Int64
	var failed atomic.Bool
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", i), func(t *testing.T) {
			t.Parallel()
			for n := next.Add(1) - 1; n < int64(*runs) && !failed.Load(); n = next.Add(1) - 1 {
				seed := first + uint64(n)
				if err := run(t, seed, bend{}); err != nil {
					failed.Store(true)
					t.Errorf("-sim.seed %d: %v", seed, err)
				}
			}
		})
	}
	t.Logf("seeds %d to %d", first, first+uint64(*runs)-1)
}

// TestEveryFaultAtEveryWrite: a story of every kind of job, told once for each write, cut and sync that it makes of the disk, and each
// way in which that one can go wrong. Nothing else does.
func TestEveryFaultAtEveryWrite(t *testing.T) {
	const story, length = 3, 48 // a seed whose first steps hold, send, settle, give back, and give orders
	image := prepared(t)
	for how := range mishaps {
		for l := range losses {
			if how != dies && l > 0 {
				continue // the loss is that of the last, orderly stop
			}
			t.Run(fmt.Sprint(how, " ", int(l)), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for op, had := 1, true; had; op++ {
					synctest.Test(t, func(t *testing.T) {
						w := &world{dir: dir, rng: rand.New(rand.NewPCG(story, 0)), accounts: accounts(),
							only: &systematic{accident: accident{op, how}, loss: l}}
						w.play(t.Context(), image, length)
						had = w.had
						if w.wrong != nil {
							t.Errorf("op %d: %v\n  %s", op, w.wrong, strings.Join(w.trace, "\n  "))
						}
					})
					if !had && op < 40 {
						t.Errorf("the story has %d ops only", op-1)
					}
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

// TestOneSeedIsOneRun: what a seed found once it finds again.
func TestOneSeedIsOneRun(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		first, _ := story(t, seed, bend{})
		second, _ := story(t, seed, bend{})
		if len(first) < steps/2 || !slices.Equal(first, second) {
			t.Errorf("seed %d:\n%s\n\nand then:\n%s", seed, strings.Join(first, "\n"), strings.Join(second, "\n"))
		}
	}
}
