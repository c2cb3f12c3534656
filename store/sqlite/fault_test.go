package sqlite_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
	"github.com/devrelopers/aipassport/store/storetest"
)

// disk is the operating system's file layer with a log file that fails on demand.
type disk struct {
	vfs.VFSFilename
	full     atomic.Bool // writing says there is no space
	unsynced atomic.Bool // fsync fails
	lying    atomic.Bool // fsync is done, and says it failed
	failed   atomic.Int64
}

func (d *disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := d.VFSFilename.Open(name, flags)
	return f, out, err
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil || !strings.HasSuffix(name.String(), "-wal") {
		return f, out, err
	}
	return &logFile{f, d}, out, nil
}

type logFile struct {
	vfs.File
	disk *disk
}

func (f *logFile) WriteAt(b []byte, at int64) (int, error) {
	if f.disk.full.Load() {
		f.disk.failed.Add(1)
		return 0, sqlite3.FULL
	}
	return f.File.WriteAt(b, at)
}

func (f *logFile) Sync(flags vfs.SyncFlag) error {
	if f.disk.unsynced.Load() {
		f.disk.failed.Add(1)
		return sqlite3.IOERR_FSYNC
	}
	err := f.File.Sync(flags)
	if f.disk.lying.Load() {
		f.disk.failed.Add(1)
		return sqlite3.IOERR_FSYNC
	}
	return err
}

// faulty registers a disk under the test's name.
func faulty(t *testing.T) (*disk, sqlite.Options) {
	d := &disk{VFSFilename: vfs.Find("").(vfs.VFSFilename)}
	name := strings.ToLower(t.Name())
	vfs.Register(name, d)
	t.Cleanup(func() { vfs.Unregister(name) })
	o := path(t.TempDir())
	o.VFS = name
	return d, o
}

func TestAFailingDiskIsUnavailable(t *testing.T) {
	d, o := faulty(t)
	s := open(t, o)
	active(t, s, "g", 1, 1000)
	hold(t, s, ask("g", "before", 1000))
	for name, fault := range map[string]*atomic.Bool{"full": &d.full, "unsynced": &d.unsynced, "lying": &d.lying} {
		before, failed := total(t, s, "g"), d.failed.Load()
		fault.Store(true)
		_, err := s.Hold(t.Context(), ask("g", name, 100))
		if problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: got %v, want the hold to be unavailable", name, err)
		}
		if err := s.Stop(t.Context(), true, passport.Event{}); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: got %v, want the stop to be unavailable", name, err)
		}
		fault.Store(false)
		if d.failed.Load() < failed+2 {
			t.Fatalf("%s: the disk did not fail", name)
		}
		if got := total(t, s, "g"); got != before {
			t.Errorf("%s: got %+v, want %+v: nothing was said to be done", name, got, before)
		}
		hold(t, s, ask("g", name+" again", 100))
	}
}

// The settlement is accepted while the disk is full; it is tried again, before what comes later.
func TestASettlementOutlivesAFailingDisk(t *testing.T) {
	d, o := faulty(t)
	s := open(t, o)
	active(t, s, "g", 1, 1000)
	hold(t, s, ask("g", "r1", passport.Cent))
	d.unsynced.Store(true)
	if err := s.Settle(t.Context(), settlement(ask("g", "r1", 0), 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context(), false, passport.Event{}); problem.KindOf(err) != problem.Unavailable {
		t.Fatalf("got %v, want it to be unavailable", err)
	}
	if got := total(t, s, "g"); got.Held != passport.Cent {
		t.Fatalf("got %+v, want the hold to stay while its settlement is not on disk", got)
	}
	d.unsynced.Store(false)
	hold(t, s, ask("g", "r2", passport.Cent-10)) // needs the money of the first
	want := passport.Balance{Cap: passport.Cent, Settled: 10, Held: passport.Cent - 10, CallsCap: 1000, Calls: 2}
	if got := total(t, s, "g"); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// What never gets through stays held: the next start charges it in full.
func TestALostSettlementLeavesItsHold(t *testing.T) {
	d, o := faulty(t)
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	active(t, s, "g", 1, 1000)
	hold(t, s, ask("g", "r1", 1000))
	d.full.Store(true)
	if err := s.Settle(t.Context(), settlement(ask("g", "r1", 0), 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err == nil {
		t.Fatal("got no error, want Close to say that a settlement is lost")
	}
	d.full.Store(false)
	s = open(t, o)
	if n, sum, err := s.ChargeOrphans(t.Context(), storetest.Epoch()); n != 1 || sum != 1000 || err != nil {
		t.Fatalf("got %d, %v, %v, want the hold charged in full", n, sum, err)
	}
}

// One job that fails in the middle of a batch does not take the others with it.
func TestOneBadJobIsUndoneAlone(t *testing.T) {
	o := path(t.TempDir())
	s := open(t, o)
	active(t, s, "g", 1, 1000)
	hold(t, s, ask("g", "good", 10))
	hold(t, s, ask("g", "bad", 5000))
	breakBudget(t, o.Path) // it does not take what "bad" cost
	for _, id := range []string{"bad", "good"} {
		if err := s.Settle(t.Context(), settlement(ask("g", id, 0), 5)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Hold(t.Context(), ask("g", "r3", 1)); err != nil {
		t.Fatalf("got %v, want the hold that came with a bad job", err)
	}
	all, err := s.Reservations(t.Context(), "g", "", 10)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %v, %v", all, err)
	}
	states := map[passport.ReservationID]passport.ReservationState{}
	for _, r := range all {
		states[r.ID] = r.State
	}
	if states["good"] != passport.ReservationSettled || states["bad"] != passport.ReservationHeld || states["r3"] != passport.ReservationHeld {
		t.Fatalf("got %v, want good settled, and bad undone whole", states)
	}
	st, err := s.Standing(t.Context(), "g")
	if err != nil || st.Total.Settled != 5 || st.Total.Held != 5001 {
		t.Fatalf("got %+v, %v, want good's money moved and no more", st.Total, err)
	}
}

// breakBudget makes the budget refuse to be written once "bad" is settled.
func breakBudget(t *testing.T, file string) {
	t.Helper()
	db, err := driver.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TRIGGER bad BEFORE UPDATE ON budget WHEN EXISTS (SELECT 1 FROM reservation WHERE id = 'bad' AND state = 'settled')
		BEGIN SELECT RAISE(ABORT, 'broken'); END`); err != nil {
		t.Fatal(err)
	}
}
