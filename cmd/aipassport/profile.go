package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// profile writes what the broker spends its time on, from now until stop, and its memory when stop is called, into a directory:
// cpu.pprof, heap.pprof and goroutine.pprof, for `go tool pprof`. They name functions, never what is in memory. No directory:
// nothing is measured, which is the default.
func profile(dir string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("AIPASSPORT_PROFILE: %w", err)
	}
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, fmt.Errorf("AIPASSPORT_PROFILE: %w", err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(fmt.Errorf("AIPASSPORT_PROFILE: %w", err), cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		runtime.GC() // so that heap.pprof shows what is in use
		return errors.Join(cpu.Close(), dump(dir, "heap"), dump(dir, "goroutine"))
	}, nil
}

func dump(dir, name string) error {
	f, err := os.Create(filepath.Join(dir, name+".pprof"))
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
}
