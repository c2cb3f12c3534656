package sqlite

import (
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// maxRun bounds what is written to the log in one piece, in bytes.
const maxRun = 256 << 10

// runs is a file layer that writes the write-ahead log in runs: SQLite writes a header of 24 bytes and a page of 4 KiB for each page of a
// commit (sqlite.org/fileformat2.html#walformat), and each would be a system call. What SQLite wrote is with the system before a
// Sync begins, and before anything is read or measured, so whoever may rely on it finds it. Until the Sync of its commit nobody
// may: SQLite tells of new frames after it (synchronous=FULL).
type runs struct{ vfs.VFS }

// inRuns registers the layer over another one and returns its name; "" is the system's own.
func inRuns(over string) string {
	name := "aipassport-" + over
	vfs.Register(name, runs{vfs.Find(over)})
	return name
}

// Open implements vfs.VFS.
func (r runs) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := vfsutil.WrapOpen(r.VFS, name, flags)
	return wrapped(f, flags, err), out, err
}

// OpenFilename implements vfs.VFSFilename.
func (r runs) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, out, err := vfsutil.WrapOpenFilename(r.VFS, name, flags)
	return wrapped(f, flags, err), out, err
}

func wrapped(f vfs.File, flags vfs.OpenFlag, err error) vfs.File {
	if err != nil || flags&vfs.OPEN_WAL == 0 {
		return f
	}
	return &logFile{File: f}
}

// logFile is a connection's view of the log. The connection uses it from one goroutine at a time.
type logFile struct {
	vfs.File
	run []byte // written by SQLite and not by us yet
	at  int64  // its place in the file
}

// WriteAt takes what goes on where the last write ended; anything else comes after what was taken.
func (f *logFile) WriteAt(p []byte, at int64) (int, error) {
	if at != f.at+int64(len(f.run)) || len(f.run)+len(p) > maxRun {
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.at = at
	}
	f.run = append(f.run, p...)
	return len(p), nil
}

// flush writes what was taken. What could not be written is let go: the transaction whose call this is fails, and SQLite does not
// look at its frames again.
func (f *logFile) flush() error {
	if len(f.run) == 0 {
		return nil
	}
	run := f.run
	f.at, f.run = f.at+int64(len(run)), f.run[:0]
	_, err := f.File.WriteAt(run, f.at-int64(len(run)))
	return err
}

// ReadAt implements vfs.File.
func (f *logFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Sync implements vfs.File.
func (f *logFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

// Size implements vfs.File.
func (f *logFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Truncate implements vfs.File.
func (f *logFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Close implements vfs.File.
func (f *logFile) Close() error {
	err := f.flush()
	if end := f.File.Close(); err == nil {
		err = end
	}
	return err
}
