//go:build !unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockData keeps a second broker off the data directory.
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

// lockAlone locks a folder for this process. Error: errLocked if another has it. Windows does not remove a file that is open, which is the
// lock.
func lockAlone(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return nil, errLocked
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}
