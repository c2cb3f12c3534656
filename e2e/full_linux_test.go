package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestThreat20AFullDiskFailsClosed: with no room left no call leaves, a call that is on its way ends as it would, and once there is
// room again all goes on without a restart.
func TestThreat20AFullDiskFailsClosed(t *testing.T) {
	t.Run("no process may write", func(t *testing.T) {
		b := start(t, nil)
		b.whileFull(func() { b.limitFiles(0) }, func() { b.limitFiles(^uint64(0)) })
	})
	t.Run("no space on the device", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m,mode=0700"); err != nil {
			t.Skipf("a small tmpfs cannot be mounted here (%v): the limit above is all that is tried", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		b := prepare(t, testutil.Provider(t, providerKeys), nil)
		b.data = filepath.Join(dir, "data")
		b.env["AIPASSPORT_DATA"] = b.data
		b.run()
		filler := filepath.Join(dir, "filler")
		b.whileFull(func() { fill(t, filler) }, func() { os.Remove(filler) })
	})
}

// whileFull makes calls before, while and after a disk is full.
func (b *broker) whileFull(full, room func()) {
	t := b.t
	g, doomed := b.give(native[0].scope(500, 100)), b.give(native[0].scope(500, 100))
	if a := b.call(native[0], g.token, "before"); a.status != 200 {
		t.Fatal(a)
	}
	gate := make(chan struct{})
	b.fake.When("on its way", fakeprovider.Behaviour{BeforeHeaders: gate})
	done := make(chan answer, 1)
	go func() {
		a, err := b.try("POST", native[0].path, openAIBody("gpt-4o-mini", "on its way", 50, false), bearer(g.token))
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	if err := b.fake.AwaitCalls(testutil.Context(t), 2); err != nil {
		t.Fatal(err)
	}
	streams := b.live(native[0], doomed, 2)

	full()
	sent := len(b.fake.Requests())
	for range 20 {
		for _, stream := range []bool{false, true} {
			a, err := b.try("POST", native[0].path, openAIBody("gpt-4o-mini", "no room", 50, stream), bearer(g.token))
			if err != nil || a.status != 503 {
				t.Fatalf("with a full disk: %s %v", a, err)
			}
		}
	}
	if n := len(b.fake.Requests()); n != sent {
		t.Errorf("%d calls went upstream though their holds could not be written", n-sent)
	}
	if a := b.owner("POST", "/grants/"+doomed.id+"/revoke", ""); a.status != 503 {
		t.Errorf("a revoke that cannot be written: %s", a)
	}
	for _, st := range streams { // it is not on disk, and still they end
		if all, _ := st.rest(); whole(all) {
			t.Errorf("a cut stream looks whole: %s", all)
		}
	}
	close(gate)
	if a := <-done; a.status != 200 {
		t.Errorf("the call that was on its way: %s", a)
	}
	if a, err := b.try("GET", "/health", "", nil); err != nil || a.status != 200 {
		t.Errorf("/health: %s %v", a, err)
	}

	room()
	if a := b.call(native[0], g.token, "after"); a.status != 200 {
		t.Errorf("with room again: %s", a)
	}
	if a := b.owner("POST", "/grants/"+doomed.id+"/revoke", ""); a.status != 200 {
		t.Errorf("a revoke with room again: %s", a)
	}
	if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
		t.Fatal(err)
	}
	st, ended := b.settled(g.id), b.settled(doomed.id)
	if st.SettledMicroUsd+ended.SettledMicroUsd < b.fake.Billed() || ended.Status != "revoked" || st.UsageCount != 3 {
		t.Errorf("the provider billed %d, %+v, %+v", b.fake.Billed(), st, ended)
	}
	b.verify()
	b.kill()
	b.run()
	if again := b.standing(g.id); again != st {
		t.Errorf("after a restart %+v, before it %+v", again, st)
	}
	b.verify()
}

// limitFiles sets the size in bytes beyond which the broker may not write to any file (RLIMIT_FSIZE, prlimit(2)). Go does not end by the
// signal that comes with it.
func (b *broker) limitFiles(bytes uint64) {
	b.t.Helper()
	limit := syscall.Rlimit{Cur: bytes, Max: ^uint64(0)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(b.cmd.Process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		b.t.Fatalf("limit the size of files: %v", errno)
	}
}

// fill writes until nothing fits any more.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
