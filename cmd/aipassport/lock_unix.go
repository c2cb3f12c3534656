//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockData keeps a second broker off the data directory: it would take the calls that run here for calls of a run that died,
// and charge them. The lock ends with the process, however that ends.
func lockData(dir string) (*os.File, error) {
	f, err := lockAlone(dir)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("AIPASSPORT_DATA: another broker is running on %s", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("AIPASSPORT_DATA: %w", err)
	}
	return f, nil
}

// lockAlone locks a folder for this process. Error: errLocked if another has it.
func lockAlone(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}
