package recall_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var errRevoked = problem.New(problem.GrantEnded, "the grant was revoked")

func live(t *testing.T, b *recall.Board, g passport.GrantID, want, all int) {
	t.Helper()
	if got := b.Live(g); got != want {
		t.Errorf("grant %s: got %d live, want %d", g, got, want)
	}
	if got := b.LiveAll(); got != all {
		t.Errorf("got %d live in all, want %d", got, all)
	}
}

func TestEndCutsAllCallsOfAGrantAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		var mine, others []context.Context
		var release []func()
		for range 50 {
			for g, list := range map[passport.GrantID]*[]context.Context{"g1": &mine, "g2": &others} {
				ctx, r := b.Watch(t.Context(), g, time.Now().Add(time.Hour))
				*list, release = append(*list, ctx), append(release, r)
			}
		}
		live(t, b, "g1", 50, 100)
		if n := b.End("g1", errRevoked); n != 50 {
			t.Errorf("ended %d, want 50", n)
		}
		if n := b.End("g1", errRevoked); n != 0 {
			t.Errorf("ended %d a second time, want 0", n)
		}
		for _, ctx := range mine {
			if got := context.Cause(ctx); got != errRevoked {
				t.Fatalf("got cause %v, want %v", got, errRevoked)
			}
		}
		for _, ctx := range others {
			if ctx.Err() != nil {
				t.Fatalf("a call of another grant ended: %v", context.Cause(ctx))
			}
		}
		live(t, b, "g1", 50, 100) // ended, and not released yet
		for _, r := range release {
			r()
			r()
		}
		live(t, b, "g1", 0, 0)
	})
}

func TestEndAllCutsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		stopped := problem.New(problem.GrantPaused, "All apps are stopped by the owner")
		var all []context.Context
		for i := range 9 {
			ctx, release := b.Watch(t.Context(), passport.GrantID(fmt.Sprint(i%3)), time.Now().Add(time.Hour))
			defer release()
			all = append(all, ctx)
		}
		b.End("0", errRevoked)
		if n := b.EndAll(stopped); n != 6 {
			t.Errorf("ended %d, want 6", n)
		}
		for i, ctx := range all {
			want := error(stopped)
			if i%3 == 0 {
				want = errRevoked // the first cause stays
			}
			if got := context.Cause(ctx); got != want {
				t.Errorf("call %d: got %v, want %v", i, got, want)
			}
		}
	})
}

func TestTimeEndsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		start := time.Now()
		ctx, release := b.Watch(t.Context(), "g1", start.Add(time.Minute))
		defer release()
		<-ctx.Done()
		if got := time.Since(start); got != time.Minute {
			t.Errorf("ended after %v, want %v", got, time.Minute)
		}
		if got := problem.KindOf(context.Cause(ctx)); got != problem.GrantEnded {
			t.Errorf("got %v, want GrantEnded", context.Cause(ctx))
		}
	})
}

func TestTimeThatHasComeEndsACallAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		for _, until := range []time.Time{time.Now(), time.Now().Add(-time.Hour), {}} {
			ctx, release := b.Watch(t.Context(), "g1", until)
			if problem.KindOf(context.Cause(ctx)) != problem.GrantEnded {
				t.Errorf("until %v: got %v, want GrantEnded", until, context.Cause(ctx))
			}
			release()
		}
		live(t, b, "g1", 0, 0)
	})
}

func TestCallerThatLeavesIsNotARecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		left := errors.New("hung up")
		parent, leave := context.WithCancelCause(t.Context())
		ctx, release := b.Watch(parent, "g1", time.Now().Add(time.Hour))
		defer release()
		leave(left)
		if got := context.Cause(ctx); got != left {
			t.Errorf("got %v, want %v", got, left)
		}
		if n := b.End("g1", errRevoked); n != 0 {
			t.Errorf("ended %d, want 0", n)
		}
	})
}

// A released call is over: its context has ended, and neither its time nor a recall says anything more. synctest fails if a
// goroutine of it is left.
func TestReleaseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := recall.New(time.Now)
		ctx, release := b.Watch(context.Background(), "g1", time.Now().Add(time.Hour))
		release()
		if ctx.Err() == nil {
			t.Error("the context lives on")
		}
		time.Sleep(2 * time.Hour) // of the bubble's clock
		if got := context.Cause(ctx); got != context.Canceled {
			t.Errorf("got cause %v, want %v", got, context.Canceled)
		}
		if n := b.End("g1", errRevoked); n != 0 {
			t.Errorf("ended %d, want 0", n)
		}
	})
}

func TestNilCauseIsGrantEnded(t *testing.T) {
	b := recall.New(time.Now)
	ctx, release := b.Watch(t.Context(), "g1", time.Now().Add(time.Hour))
	defer release()
	b.End("g1", nil)
	if problem.KindOf(context.Cause(ctx)) != problem.GrantEnded {
		t.Errorf("got %v, want GrantEnded", context.Cause(ctx))
	}
}

// Of a Watch and an End that race, one sees the other: after End has returned, a call on the board is either ended or was put
// there when the end, which is committed before End, could be read.
func TestWatchThatRacesEndSeesTheEnd(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			b := recall.New(time.Now)
			var mu sync.Mutex
			revoked := false
			isRevoked := func() bool { mu.Lock(); defer mu.Unlock(); return revoked }
			var wg sync.WaitGroup
			var past sync.Map // calls that the hold let through
			for i := range 40 {
				spin := rnd.IntN(300)
				wg.Go(func() {
					for range spin {
						isRevoked()
					}
					ctx, release := b.Watch(context.Background(), "g1", time.Now().Add(time.Hour))
					if isRevoked() { // the hold's test of the state
						release()
						return
					}
					past.Store(i, ctx)
				})
			}
			wg.Go(func() {
				for range rnd.IntN(300) {
					isRevoked()
				}
				mu.Lock()
				revoked = true
				mu.Unlock()
				b.End("g1", errRevoked)
			})
			wg.Wait()
			past.Range(func(i, ctx any) bool {
				if context.Cause(ctx.(context.Context)) != errRevoked {
					t.Errorf("call %v got past both", i)
				}
				return true
			})
		})
	}
}

// A walk of calls that come, go and are ended agrees with a plain count.
func TestCountsAgreeWithAModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 2))
				b := recall.New(time.Now)
				type call struct {
					g       passport.GrantID
					ctx     context.Context
					release func()
				}
				var open []call
				for range 400 {
					g := passport.GrantID(fmt.Sprint(rnd.IntN(4)))
					switch k := rnd.IntN(10); {
					case k < 5:
						ctx, release := b.Watch(t.Context(), g, time.Now().Add(time.Duration(rnd.IntN(50))*time.Second))
						open = append(open, call{g, ctx, release})
					case k < 8 && len(open) > 0:
						i := rnd.IntN(len(open))
						open[i].release()
						open = append(open[:i], open[i+1:]...)
					case k == 8:
						want := 0
						for _, c := range open {
							if c.g == g && c.ctx.Err() == nil {
								want++
							}
						}
						if n := b.End(g, errRevoked); n != want {
							t.Fatalf("ended %d of %s, want %d", n, g, want)
						}
					default:
						time.Sleep(time.Duration(rnd.IntN(5)) * time.Second)
						synctest.Wait()
					}
					count := map[passport.GrantID]int{}
					for _, c := range open {
						count[c.g]++
					}
					live(t, b, g, count[g], len(open))
				}
				for _, c := range open {
					c.release()
				}
				live(t, b, "0", 0, 0)
			})
		})
	}
}

func BenchmarkWatch(b *testing.B) {
	board := recall.New(time.Now)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, release := board.Watch(context.Background(), "g1", time.Now().Add(time.Hour))
			release()
		}
	})
}
