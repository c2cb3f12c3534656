package ledgersim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
)

const database = "aipassport.db"

// steps is how long a run is, before the faults stop.
const steps = 60

// world is one run: everything that one seed decides.
type world struct {
	dir   string // for what must be real files
	rng   *rand.Rand
	bend  bend
	only  *systematic // nil: everything goes wrong, at random
	had   bool        // the accident
	trace []string
	wrong error // the first thing that does not hold; the run ends there

	life     int // of the broker: grows with every start
	disk     *disk
	store    *sqlite.Store
	ledger   meter.Ledger
	meter    *meter.Meter
	skew     time.Duration // of the broker's clock
	ids      int
	charged  time.Time // when the last start charged its orphans
	stopsIn  int       // the last life that ended as SIGTERM ends it, with all that was queued written
	accounts []*account
	calls    []*call
	stopped  maybe[bool]
	owner    []*order // the owner's orders that have no answer yet
}

// bend breaks the ledger on purpose, to see that the simulator finds it.
type bend struct {
	ledger   func(*world, meter.Ledger) meter.Ledger
	noSync   []string // see fault
	dials    bool     // callers go to the provider before their hold is answered
	promises bool     // the owner is told that it is done before it is
}

// systematic is a run in which one thing goes wrong with the disk, and nothing else: the first broker has the accident.
type systematic struct {
	accident
	loss loss // where it dies of it
}

// run is a seed's run. The error says what did not hold, and how it came to that.
func run(t *testing.T, seed uint64, b bend) error {
	t.Helper()
	trace, wrong := story(t, seed, b)
	if wrong != nil {
		return fmt.Errorf("%w\nwhat happened:\n  %s", wrong, strings.Join(trace, "\n  "))
	}
	return nil
}

// story is what happens in a seed's run, and what did not hold.
func story(t *testing.T, seed uint64, b bend) (trace []string, wrong error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			panic(fmt.Sprintf("seed %d: %v\n%s", seed, p, debug.Stack()))
		}
	}()
	image := prepared(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{dir: dir, rng: rand.New(rand.NewPCG(seed, 0)), bend: b, accounts: accounts()}
		w.play(t.Context(), image, steps)
		trace, wrong = w.trace, w.wrong
	})
	return trace, wrong
}

// play is a run from its start to its end.
func (w *world) play(ctx context.Context, image map[string][]byte, steps int) {
	w.boot(ctx, image)
	for i := 0; i < steps && w.wrong == nil; i++ {
		w.step(ctx)
	}
	if w.wrong == nil {
		w.calm(ctx)
	}
	w.end()
}

// say notes what happens.
func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, time.Now().Format("15:04:05.000000 ")+fmt.Sprintf(format, args...))
}

// fail ends the run.
func (w *world) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf(format, args...)
	}
}

// now is the broker's clock.
func (w *world) now() time.Time { return time.Now().Add(w.skew) }

// pass lets time pass, and everything happen that does in it. No two things of a run happen at exactly one time: the odd
// nanoseconds keep it the same run each time.
func (w *world) pass(d time.Duration) {
	time.Sleep(d + time.Duration(w.rng.IntN(997)))
	synctest.Wait()
}

// boot starts the broker on files, again and again if the disk dies in it.
func (w *world) boot(ctx context.Context, files map[string][]byte) {
	for try := 0; w.wrong == nil; try++ {
		w.life++
		w.pass(time.Millisecond)
		w.disk = newDisk(w.dir, w.rng, files)
		f := healthy()
		f.noSync = w.bend.noSync
		w.disk.set(f)
		if w.only != nil && w.life == 1 {
			w.disk.plan = w.only.accident
		}
		if w.only == nil && try < 2 && w.life > 1 && w.chance(0.2) {
			w.disk.dieIn(1 + w.rng.IntN(12))
		}
		n, sum, err := w.open(ctx)
		if err == nil {
			w.say("start %d: %d orphans charged, %s", w.life, n, sum)
			w.started(ctx, n, sum)
			return
		}
		if !w.disk.isDead() {
			w.fail("the broker does not start on a good disk: %w", err)
		}
		l := w.loss()
		w.say("start %d ended by a crash (loss %d)", w.life, l)
		w.drop()
		files = w.disk.after(l)
	}
}

func (w *world) open(ctx context.Context) (n int, sum passport.Money, err error) {
	s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(w.dir, database), VFS: w.disk.name, Readers: 1})
	if err != nil {
		return 0, 0, err
	}
	w.store, w.ledger = s, s
	if w.bend.ledger != nil {
		w.ledger = w.bend.ledger(w, s)
	}
	w.charged = w.now().Truncate(time.Microsecond)
	n, sum, err = w.ledger.ChargeOrphans(ctx, w.charged)
	if err != nil {
		return 0, 0, err
	}
	w.meter, err = meter.New(meter.Config{Ledger: w.ledger, Tariff: tariff(), Now: w.now, NewID: w.id, MaxInFlight: 6,
		OnSettleError: func(err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				w.say("settle: %v", err)
			}
		}})
	return n, sum, err
}

// id names a reservation; they grow, as those of the broker do.
func (w *world) id() string {
	w.ids++
	return fmt.Sprintf("rv_%06d", w.ids)
}

// drop lets go of a broker that is dead.
func (w *world) drop() {
	if w.store != nil {
		_ = w.store.Close() // what it could not write is what the crash is about
		w.store = nil
	}
	w.had = w.disk.well() || w.had
	synctest.Wait()
	w.disk.close()
}

// crash ends the broker now, if it has not ended in some write already, and starts it again.
func (w *world) crash(ctx context.Context) {
	w.disk.die()
	l := w.loss()
	w.say("crash (loss %d)", l)
	w.drop()
	w.boot(ctx, w.disk.after(l))
}

// restart ends the broker as SIGTERM does: calls in flight are cut, all that is queued is written.
func (w *world) restart(ctx context.Context) {
	w.disk.set(healthy())
	for _, c := range w.calls {
		w.cut(ctx, c)
	}
	w.pass(time.Second)
	if w.disk.isDead() {
		w.crash(ctx)
		return
	}
	w.say("stop")
	err := w.store.Close()
	if err != nil && !w.disk.isDead() {
		w.fail("close: %w", err)
	}
	if err == nil && !w.disk.isDead() {
		w.stopsIn = w.life
	}
	w.drop()
	w.boot(ctx, w.disk.after(w.loss()))
}

func (w *world) loss() loss {
	if w.only != nil {
		return w.only.loss
	}
	return loss(w.rng.IntN(int(losses)))
}

// end lets go of everything, so that nothing of the run is left.
func (w *world) end() {
	w.disk.die()
	w.drop()
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// tariff is the real one.
var tariff = sync.OnceValue(func() *meter.Tariff {
	t, err := meter.LoadTariff()
	if err != nil {
		panic(err)
	}
	return t
})

// prepared is a database as it is before a run: made once, copied for each.
func prepared(t *testing.T) map[string][]byte {
	t.Helper()
	b, err := image()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{database: b}
}
