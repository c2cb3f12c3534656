package ledgersim_test

import (
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// disk is the file layer under one run of the broker: files in memory that know what of them would survive the power going off.
// Only the index that connections share (-shm) is a real file, in dir: it is memory to SQLite, and no crash keeps it.
type disk struct {
	name string // under which SQLite knows it
	dir  string

	mu    sync.Mutex // guards what follows
	rng   *rand.Rand
	files map[string]*content
	dead  bool // the run is over: nothing that is still open reads or writes any more
	ops   int  // writes, cuts and syncs so far
	dieAt int  // the op in which the run ends; 0: none
	plan  accident
	fault fault
}

// accident is the one thing that goes wrong with a disk, at one op.
type accident struct {
	op  int // from 1; 0: nothing does
	how mishap
}

// mishap is what happens to an op.
type mishap int

const (
	dies   mishap = iota // in part, and the run ends
	fails                // not, and it is said so
	denies               // as it should, and it is said that it failed
	mishaps
)

func (m mishap) String() string { return [...]string{"dies", "fails", "denies"}[m] }

// fault is how a disk misbehaves.
type fault struct {
	room     int           // bytes that all files may still grow by; negative: any
	badWrite float64       // the part of writes that fail
	badSync  float64       // the part of syncs that fail
	slow     time.Duration // a sync takes up to so long
	noSync   []string      // endings of files that are not synced, though it is said: a ledger that is broken on purpose
}

func healthy() fault { return fault{room: -1} }

// content is a file.
type content struct {
	base  []byte   // at the start of the run; not changed
	now   []byte   // what is read
	log   []change // all since the start, in order
	asked int      // changes of log that a sync has been asked for: their state is decided
	gone  bool     // a failed sync has dropped changes: they are read now, and lost with the run
	locks locks
}

// change is a write, or a cut of the file to a size.
type change struct {
	at    int64
	data  []byte
	cut   bool
	state changeState
}

// changeState says what would become of a change if the power went off.
type changeState int

const (
	unsynced changeState = iota // it may be lost, or kept
	safe                        // it would be kept
	dropped                     // it would be lost
)

func apply(b []byte, c change) []byte {
	if c.cut {
		if c.at < int64(len(b)) {
			clear(b[c.at:])
			return b[:c.at]
		}
		return append(b, make([]byte, c.at-int64(len(b)))...)
	}
	end := c.at + int64(len(c.data))
	if end > int64(cap(b)) {
		b = append(make([]byte, 0, 2*end+128<<10), b...)
	}
	b = b[:max(end, int64(len(b)))]
	copy(b[c.at:], c.data)
	return b
}

var disks atomic.Int64

// newDisk is a disk with files on it, known to SQLite until close.
func newDisk(dir string, rng *rand.Rand, files map[string][]byte) *disk {
	n := strconv.FormatInt(disks.Add(1), 10)
	d := &disk{name: "sim-" + n, dir: filepath.Join(dir, n), rng: rng, files: map[string]*content{}, fault: healthy()}
	for name, b := range files {
		d.files[name] = &content{base: b, now: append([]byte(nil), b...)}
	}
	vfs.Register(d.name, d)
	return d
}

// close forgets the disk, and the layer that the store has put over it: each would keep all files.
func (d *disk) close() {
	vfs.Unregister(d.name)
	vfs.Unregister("aipassport-" + d.name)
}

// loss is what a crash does to what was not synced.
type loss int

const (
	keepAll  loss = iota // the process was killed: the system still writes what it had
	loseAll              // power off
	keepSome             // power off: a beginning of the changes is there, the last of them torn
	mixed                // power off: of each sector written it is a matter of luck
	losses
)

// die ends the run.
func (d *disk) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func (d *disk) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// dieIn ends the run in the nth op from now.
func (d *disk) dieIn(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dieAt = d.ops + n
}

// well takes back what was to come, and says whether the planned accident has been.
func (d *disk) well() (had bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	had = d.plan.op > 0 && d.ops >= d.plan.op
	d.plan, d.dieAt = accident{}, 0
	return had
}

func (d *disk) set(f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// after is what is found at the next start.
func (d *disk) after(l loss) map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string][]byte{}
	for _, name := range []string{database, database + "-wal", database + "-journal"} {
		if f := d.files[name]; f != nil {
			out[name] = f.after(l, d.rng)
		}
	}
	return out
}

func (f *content) after(l loss, rng *rand.Rand) []byte {
	if l == keepAll && !f.gone {
		return f.now
	}
	out := append([]byte(nil), f.base...)
	for _, c := range f.log[:f.asked] {
		if c.state == safe {
			out = apply(out, c)
		}
	}
	kept := f.log[f.asked:]
	switch {
	case l == loseAll:
		kept = nil
	case l == keepSome && len(kept) > 0:
		kept = append([]change(nil), kept[:1+rng.IntN(len(kept))]...)
		last := &kept[len(kept)-1]
		last.data = last.data[:rng.IntN(len(last.data)/sector+1)*sector]
	case l == mixed:
		kept = pieces(kept, rng)
	}
	for _, c := range kept {
		out = apply(out, c)
	}
	return out
}

// pieces are those sectors of changes that happened to be written.
func pieces(cs []change, rng *rand.Rand) (out []change) {
	for _, c := range cs {
		if c.cut {
			if rng.IntN(2) == 0 {
				out = append(out, c)
			}
			continue
		}
		for from := int64(0); from < int64(len(c.data)); {
			to := min((c.at+from)/sector*sector+sector-c.at, int64(len(c.data)))
			if rng.IntN(2) == 0 {
				out = append(out, change{at: c.at + from, data: c.data[from:to]})
			}
			from = to
		}
	}
	return out
}

// extent is how much of an op happens.
type extent int

const (
	whole extent = iota
	part
	none
)

// step counts an op and says how much of it happens.
func (d *disk) step() (extent, error) {
	if d.dead {
		return none, sqlite3.IOERR
	}
	d.ops++
	planned := d.ops == d.plan.op
	switch {
	case d.ops == d.dieAt, planned && d.plan.how == dies:
		d.dead = true
		return part, sqlite3.IOERR
	case planned && d.plan.how == fails:
		return none, sqlite3.IOERR
	case planned && d.plan.how == denies:
		return whole, sqlite3.IOERR
	}
	return whole, nil
}

// Open implements vfs.VFS.
func (d *disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	const kept = vfs.OPEN_MAIN_DB | vfs.OPEN_WAL | vfs.OPEN_MAIN_JOURNAL
	if flags&kept == 0 {
		return &vfsutil.SliceFile{}, flags | vfs.OPEN_MEMORY, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, flags, sqlite3.CANTOPEN
	}
	name = filepath.Base(name)
	c := d.files[name]
	if c == nil {
		if flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		c = &content{}
		d.files[name] = c
	}
	return &file{disk: d, c: c, name: name, shm: vfs.NewSharedMemory(d.dir+"-shm", flags)}, flags, nil
}

// Delete implements vfs.VFS. That a file is gone is durable at once: less is said of it than of what is in it.
func (d *disk) Delete(name string, _ bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return sqlite3.IOERR_DELETE
	}
	name = filepath.Base(name)
	if d.files[name] == nil {
		return sqlite3.IOERR_DELETE_NOENT
	}
	delete(d.files, name)
	return nil
}

// Access implements vfs.VFS.
func (d *disk) Access(name string, _ vfs.AccessFlag) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[filepath.Base(name)] != nil, nil
}

// FullPathname implements vfs.VFS.
func (d *disk) FullPathname(name string) (string, error) { return name, nil }

// file is an open file.
type file struct {
	disk *disk
	c    *content
	name string
	shm  vfs.SharedMemory
	lock vfs.LockLevel
}

func (f *file) SharedMemory() vfs.SharedMemory { return f.shm }

func (f *file) Close() error {
	f.Unlock(vfs.LOCK_NONE)
	if f.shm != nil {
		return f.shm.Close()
	}
	return nil
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.dead {
		return 0, sqlite3.IOERR_READ
	}
	if at >= int64(len(f.c.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.c.now[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	d := f.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	much, err := d.step()
	if err == nil && d.fault.badWrite > 0 && d.rng.Float64() < d.fault.badWrite {
		much, err = part, sqlite3.IOERR_WRITE
	}
	if grow := int(at) + len(b) - len(f.c.now); err == nil && d.fault.room >= 0 && grow > 0 {
		if grow > d.fault.room {
			return 0, sqlite3.FULL
		}
		d.fault.room -= grow
	}
	switch much {
	case part:
		b = b[:d.rng.IntN(len(b)+1)]
	case none:
		return 0, err
	}
	f.change(change{at: at, data: append([]byte(nil), b...)})
	return len(b), err
}

func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	much, err := f.disk.step()
	if much == whole {
		f.change(change{at: size, cut: true})
	}
	return err
}

func (f *file) change(c change) {
	f.c.now = apply(f.c.now, c)
	f.c.log = append(f.c.log, c)
}

func (f *file) Sync(vfs.SyncFlag) error {
	wait, err := f.sync()
	time.Sleep(wait)
	return err
}

// sync makes what was written safe. One that fails has done so all the same, or will at the next, or has forgotten it: after
// a failed fsync Linux calls pages clean that are not on disk.
func (f *file) sync() (wait time.Duration, err error) {
	d := f.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	much, err := d.step()
	if much == none || slices.ContainsFunc(d.fault.noSync, func(end string) bool { return strings.HasSuffix(f.name, end) }) {
		return 0, err
	}
	if d.fault.slow > 0 {
		wait = time.Duration(d.rng.Int64N(int64(d.fault.slow)))
	}
	how := 0
	switch {
	case much == part:
		how = d.rng.IntN(2)
	case d.fault.badSync > 0 && d.rng.Float64() < d.fault.badSync:
		how, err = d.rng.IntN(3), sqlite3.IOERR_FSYNC
	}
	if how == 1 {
		return wait, err // the next will do it
	}
	for i := f.c.asked; i < len(f.c.log); i++ {
		f.c.log[i].state = safe
		if how == 2 {
			f.c.log[i].state, f.c.gone = dropped, true
		}
	}
	f.c.asked = len(f.c.log)
	return wait, err
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.c.now)), nil
}

func (f *file) SectorSize() int { return 4096 }

func (f *file) DeviceCharacteristics() vfs.DeviceCharacteristic { return vfs.IOCAP_POWERSAFE_OVERWRITE }

// locks are those of sqlite.org/lockingv3.html.
type locks struct {
	shared            int
	reserved, pending *file
}

func (f *file) Lock(want vfs.LockLevel) error {
	if f.lock >= want {
		return nil
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	l := &f.c.locks
	switch want {
	case vfs.LOCK_SHARED:
		if l.pending != nil {
			return sqlite3.BUSY
		}
		l.shared++
	case vfs.LOCK_RESERVED:
		if l.reserved != nil {
			return sqlite3.BUSY
		}
		l.reserved = f
	default:
		if l.pending != nil && l.pending != f || l.reserved != nil && l.reserved != f {
			return sqlite3.BUSY
		}
		l.pending = f
		if f.lock = vfs.LOCK_PENDING; l.shared > 1 {
			return sqlite3.BUSY
		}
	}
	f.lock = want
	return nil
}

func (f *file) Unlock(to vfs.LockLevel) error {
	if f.lock <= to {
		return nil
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	l := &f.c.locks
	if l.reserved == f {
		l.reserved = nil
	}
	if l.pending == f {
		l.pending = nil
	}
	if to == vfs.LOCK_NONE {
		l.shared--
	}
	f.lock = to
	return nil
}

func (f *file) CheckReservedLock() (bool, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.c.locks.reserved != nil, nil
}
